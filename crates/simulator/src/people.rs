//! People: they decide approvals at the same time as each other, cancel, pause, resume, retry, signal, and look at the world
//! when a step is in doubt.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::approvals::{self, Decided, Persons};
use engine::control::{self, Command};
use engine::ports::Clock as _;
use journal::events::{ApprovalEvent, Asked, RunEvent, StepEvent};
use journal::{Event, Journal};
use model::{ApprovalId, Principal, Role, RunId, StepId};
use policy::{Approver, Choice};
use serde_json::json;

use crate::clock::WorldClock;
use crate::effects::Outside;
use crate::program::ROLE;
use crate::{limits, locked};

/// Records read at once.
const READ: usize = 1_000;

/// What people were told, to be held against the journal at the end.
#[derive(Debug, Default)]
pub struct Told {
    /// Decisions that were said to have ended an approval.
    pub ended: Mutex<Vec<(ApprovalId, &'static str, Principal)>>,
    /// Commands that were said to be done.
    pub done: Mutex<Vec<(RunId, &'static str)>>,
}

/// The people of one life.
#[derive(Clone)]
pub struct People {
    /// Their way to the journal.
    pub journal: Arc<dyn Journal>,
    /// Their watch.
    pub clock: WorldClock,
    /// The world they look at.
    pub outside: Arc<Outside>,
    /// What they were told.
    pub told: Arc<Told>,
    /// Whether they interfere with runs, or only answer.
    pub meddle: bool,
}

/// The principal who submits runs.
pub fn requester() -> Principal {
    Principal::user("requester").unwrap_or_else(|_| Principal::system())
}

fn person(number: usize) -> Principal {
    Principal::user(&format!("p{number}")).unwrap_or_else(|_| Principal::system())
}

/// The roles everybody holds: all may decide, also the requester, who must be refused all the same.
pub fn roles() -> Vec<Role> {
    ROLE.parse().into_iter().collect()
}

impl People {
    /// Watches the journal and acts, for as long as the process lives. Everything drawn comes from `dice`.
    pub async fn live(self, mut dice: fastrand::Rng) {
        let mut after = 0;
        loop {
            let Ok(records) = self.journal.read(after, READ) else { return };
            if records.is_empty() && self.journal.changed(after).await.is_err() {
                return;
            }
            for record in records {
                after = record.position;
                let one = self.clone();
                let dice = dice.fork();
                match record.event {
                    Event::Approval(ApprovalEvent::Requested(asked)) => self.answer(&asked, dice),
                    Event::Step(StepEvent::InDoubt(doubt)) => {
                        if let Ok(run) = record.stream.parse() {
                            tokio::spawn(one.look(run, doubt.step, doubt.attempt, dice));
                        }
                    }
                    Event::Run(event) => {
                        if let Ok(run) = record.stream.parse() {
                            tokio::spawn(one.meddle(run, event, dice));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn answer(&self, asked: &Asked, mut dice: fastrand::Rng) {
        let longest = asked.levels.iter().filter_map(|level| level.within_ms).sum::<u64>().max(1);
        for decider in 0..dice.usize(1..=limits::DECIDERS_MAX) {
            let principal = if dice.u8(0..12) == 0 { requester() } else { person(decider) };
            let choice = match dice.u8(0..20) {
                0..=12 => Choice::Grant { reason: None },
                13..=16 => Choice::Deny { reason: Some("drawn".to_owned()) },
                17 => Choice::Withdraw { reason: "drawn".to_owned() },
                _ => Choice::Override { reason: "an emergency was drawn".to_owned() },
            };
            // half of them at the very moment at which a level runs out
            let wait = if dice.bool() { dice.u64(0..=longest) } else { first_limit(asked) };
            tokio::spawn(self.clone().decide(asked.approval, principal, choice, Duration::from_millis(wait)));
        }
    }

    async fn decide(self, approval: ApprovalId, principal: Principal, choice: Choice, wait: Duration) {
        tokio::time::sleep(wait).await;
        let by = Approver { principal: principal.clone(), via: None, roles: roles() };
        let moment = (Persons::ByUser, self.clock.now());
        let answer = approvals::decide(self.journal.as_ref(), approval, &choice, &by, None, moment).await;
        if let Ok(Decided::Ended { outcome }) = answer {
            locked(&self.told.ended).push((approval, outcome, principal));
        }
    }

    /// Looks at the world, and says truthfully whether the effect happened.
    async fn look(self, run: RunId, step: StepId, attempt: u32, mut dice: fastrand::Rng) {
        tokio::time::sleep(Duration::from_millis(dice.u64(100..20_000))).await;
        let Some((doubted, doubt)) = self.doubted(run, &step) else { return };
        if doubted != attempt {
            return; // settled meanwhile, or a later attempt is in doubt: that is another question
        }
        let happened = self.outside.count(&(run, step.clone(), attempt)) > 0;
        let output = happened.then(|| json!({ "seen": true }));
        self.command(run, Command::Resolve { step, doubt: Some(doubt), happened, output, reason: None })
            .await;
    }

    /// Which attempt of a step was in doubt last, and the sequence of the record that says so.
    fn doubted(&self, run: RunId, step: &StepId) -> Option<(u32, u64)> {
        let records = self.journal.read_stream(&run.to_string(), 0, READ).ok()?;
        records.into_iter().rev().find_map(|record| match record.event {
            Event::Step(StepEvent::InDoubt(doubt)) if doubt.step == *step => {
                Some((doubt.attempt, record.sequence))
            }
            _ => None,
        })
    }

    async fn meddle(self, run: RunId, event: RunEvent, mut dice: fastrand::Rng) {
        let drawn = dice.u8(0..30);
        let later = Duration::from_millis(dice.u64(0..15_000));
        match event {
            RunEvent::Submitted(_) if self.meddle && drawn == 0 => {
                tokio::time::sleep(later).await;
                self.command(run, Command::Cancel { reason: None }).await;
            }
            RunEvent::Submitted(_) if self.meddle && drawn < 3 => {
                tokio::time::sleep(later).await;
                self.command(run, Command::Pause { reason: None }).await;
            }
            RunEvent::Submitted(_) if self.meddle && drawn < 5 => {
                tokio::time::sleep(later).await;
                self.command(run, Command::Signal { name: "drawn".to_owned(), data: json!(drawn) }).await;
            }
            // whoever paused may have died with the process; somebody always resumes
            RunEvent::Paused(_) => {
                tokio::time::sleep(later).await;
                self.command(run, Command::Resume).await;
            }
            RunEvent::Failed(_) if self.meddle && drawn < 4 => {
                tokio::time::sleep(later).await;
                self.command(run, Command::Retry { from: None }).await;
            }
            _ => {}
        }
    }

    async fn command(&self, run: RunId, command: Command) {
        if control::command(self.journal.as_ref(), run, &person(0), &command).await.is_ok() {
            locked(&self.told.done).push((run, command.participle()));
        }
    }

    /// Stops everything that has not ended.
    pub async fn cancel_all(&self, runs: Vec<RunId>) {
        for run in runs {
            self.command(run, Command::Cancel { reason: Some("the world ends".to_owned()) }).await;
        }
    }
}

fn first_limit(asked: &Asked) -> u64 {
    asked.levels.first().and_then(|level| level.within_ms).unwrap_or(0)
}

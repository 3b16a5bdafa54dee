//! Keeps schedules: starts runs when time, or an event, says so.
//!
//! A start is one append of `schedule.fired` and `run.submitted` on the condition that nobody fired meanwhile, so several engines
//! may keep the same schedule and every start happens once. Starts that were missed while nobody kept the schedule are made up for
//! by one, not by all of them.

use std::sync::Arc;

use journal::events::{Anchored, Firing, ListenEvent, ScheduleEvent};
use journal::{Append, Event, Expect, Journal, JournalError, NewEvent, StreamId};
use model::{Principal, RunId, Timestamp};
use serde_json::{Value, json};

use crate::engine::{With, submission_stream};
use crate::ports::Definition;
use crate::state::Status;
use crate::{Engine, EngineError, Submission, limits};

/// Computes the next start from the last one, or from the last end.
pub type Next = Arc<dyn Fn(Timestamp) -> Option<Timestamp> + Send + Sync>;

/// What starts a run.
#[derive(Clone)]
pub enum Trigger {
    /// The moment after the last start (`every`, `cron`).
    Start(Next),
    /// The moment after the last end (`after`).
    End(Next),
    /// The end of a run of this definition, which listens; its output is the input of the run it starts (`on`).
    Events(Box<Definition>),
}

/// A workflow with a schedule.
#[derive(Clone)]
pub struct Scheduled {
    /// What to run.
    pub definition: Definition,
    /// When.
    pub trigger: Trigger,
    /// Its input, where events do not bring it.
    pub input: Value,
}

/// Where a schedule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What the next start is counted from: the last start, or when it was first kept.
    pub last: Timestamp,
    /// The run it started last.
    pub run: Option<RunId>,
    sequence: u64,
}

/// Where the schedule of a workflow (`namespace/name`) stands; nothing when nobody ever kept it. Reads only.
pub fn standing(journal: &dyn Journal, name: &str) -> Result<Option<Standing>, JournalError> {
    read_standing(journal, &format!("schedule/{name}"))
}

/// The key of the run that listens for a schedule's next start. It names what is listened for, so that a changed schedule is
/// listened for anew.
fn listening_key(stream: &str, sequence: u64, listener: &Definition, attempt: u32) -> String {
    format!("{stream}/{sequence}/listen/{}/{attempt}", listener.program.digest)
}

impl Engine {
    /// Keeps a schedule for as long as it has a next start; `started` hears of every run. Returns when the schedule has none.
    pub async fn keep(
        &self,
        scheduled: &Scheduled,
        mut started: impl FnMut(RunId) + Send,
    ) -> Result<(), EngineError> {
        let name = scheduled.definition.program.name.clone();
        let principal = schedule_principal(&name)?;
        match &scheduled.trigger {
            Trigger::Events(listener) => loop {
                let run = self.keep_events(scheduled, listener, &principal).await?;
                started(run);
            },
            Trigger::Start(next) | Trigger::End(next) => {
                let stream: StreamId = format!("schedule/{name}").into();
                while let Some(run) = self.keep_time(scheduled, next, &stream, &principal).await? {
                    started(run);
                }
                Ok(())
            }
        }
    }

    /// Waits for the next start by time; `None` when there is none.
    async fn keep_time(
        &self,
        scheduled: &Scheduled,
        next: &Next,
        stream: &StreamId,
        principal: &Principal,
    ) -> Result<Option<RunId>, EngineError> {
        loop {
            let clock = Arc::clone(&self.shared.clock);
            let standing = self.standing(stream, principal).await?;
            let last = match (&scheduled.trigger, standing.run) {
                (Trigger::End(_), Some(run)) => {
                    self.wait_anywhere(run).await?;
                    ended_at(self.shared.journal.as_ref(), run)?.unwrap_or(standing.last)
                }
                _ => standing.last,
            };
            let Some(due) = next(last) else { return Ok(None) };
            clock.sleep_until(due).await;
            let run = self.shared.new_run();
            let event = ScheduleEvent::Fired(Firing { due, run });
            let with = With {
                expect: Expect { stream: Arc::clone(stream), sequence: standing.sequence },
                event: NewEvent { stream: Arc::clone(stream), actor: principal.clone(), event: event.into() },
            };
            let submission = Submission {
                definition: scheduled.definition.clone(),
                input: scheduled.input.clone(),
                requester: principal.clone(),
                via: None,
                idempotency_key: None,
            };
            match self.submit_with(submission, run, with).await {
                Ok(run) => return Ok(Some(run)),
                // another engine keeps the schedule too, and was faster
                Err(EngineError::Journal(JournalError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for a listening run to end and starts a run with what it heard. The runs are tied together by their keys, so that an
    /// engine that takes over goes on where the last one stopped; each listens from where the one before it stopped, so that no
    /// event comes between two.
    async fn keep_events(
        &self,
        scheduled: &Scheduled,
        listener: &Definition,
        principal: &Principal,
    ) -> Result<RunId, EngineError> {
        let stream: StreamId = format!("schedule/{}", scheduled.definition.program.name).into();
        loop {
            let standing = self.standing(&stream, principal).await?;
            let (listening, output) = self.listen(&stream, standing.sequence, listener, principal).await?;
            let Some(output) = output else {
                return Err(EngineError::WrongState {
                    run: listening,
                    status: "ended without having heard an event".to_owned(),
                    wanted: "listened to",
                });
            };
            let run = self.shared.new_run();
            let event = ScheduleEvent::Fired(Firing { due: self.shared.clock.now(), run });
            let with = With {
                expect: Expect { stream: Arc::clone(&stream), sequence: standing.sequence },
                event: NewEvent {
                    stream: Arc::clone(&stream),
                    actor: principal.clone(),
                    event: event.into(),
                },
            };
            let submission = Submission {
                definition: scheduled.definition.clone(),
                input: output,
                requester: principal.clone(),
                via: None,
                idempotency_key: None,
            };
            match self.submit_with(submission, run, with).await {
                Ok(run) => return Ok(run),
                Err(EngineError::Journal(JournalError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Listens until something was heard: the listening run, and its output if it ended well. A run that somebody cancelled, or
    /// that failed, is not gone back to: the next engine that keeps the schedule starts another.
    async fn listen(
        &self,
        stream: &str,
        sequence: u64,
        listener: &Definition,
        principal: &Principal,
    ) -> Result<(RunId, Option<Value>), EngineError> {
        let journal = self.shared.journal.as_ref();
        let key = |sequence, attempt| listening_key(stream, sequence, listener, attempt);
        let mut attempt = 0;
        while attempt < limits::LISTENERS_MAX
            && let Some(run) = self.shared.claimed(&submission_stream(&key(sequence, attempt)))?
        {
            match crate::control::final_status(journal, run)? {
                Some(Status::Completed { .. }) | None => break,
                Some(_) => attempt += 1,
            }
        }
        let heard = match sequence.checked_sub(1) {
            Some(before) => self.heard_until(|attempt| key(before, attempt))?,
            None => None,
        };
        let submission = Submission {
            definition: listener.clone(),
            input: json!({}),
            requester: principal.clone(),
            via: None,
            idempotency_key: Some(key(sequence, attempt)),
        };
        let run = self.submit_hearing(submission, heard).await?;
        Ok(match self.wait_anywhere(run).await? {
            Status::Completed { output } => (run, Some(output)),
            _ => (run, None),
        })
    }

    /// The place on the bus of the last event that the listening runs of these keys heard.
    fn heard_until(&self, key: impl Fn(u32) -> String) -> Result<Option<u64>, EngineError> {
        let mut heard = None;
        for attempt in 0..limits::LISTENERS_MAX {
            let Some(run) = self.shared.claimed(&submission_stream(&key(attempt)))? else { break };
            let (stream, mut after) = (run.to_string(), 0);
            loop {
                let records = self.shared.journal.read_stream(&stream, after, limits::READ_MAX)?;
                let Some(last) = records.last() else { break };
                after = last.sequence;
                for record in &records {
                    if let Event::Listen(ListenEvent::Received(received)) = &record.event {
                        heard = heard.max(Some(received.sequence));
                    }
                }
            }
        }
        Ok(heard)
    }

    /// Waits for the end of a run, whichever engine carries it out.
    pub async fn wait_anywhere(&self, run: RunId) -> Result<Status, EngineError> {
        let journal = self.shared.journal.as_ref();
        loop {
            let head = journal.head()?;
            if let Some(status) = crate::control::final_status(journal, run)? {
                return Ok(status);
            }
            journal.changed(head.position).await?;
        }
    }

    async fn standing(&self, stream: &StreamId, principal: &Principal) -> Result<Standing, EngineError> {
        loop {
            if let Some(standing) = read_standing(self.shared.journal.as_ref(), stream)? {
                return Ok(standing);
            }
            let from = model::time::to_millisecond(self.shared.clock.now());
            let event = ScheduleEvent::Anchored(Anchored { from });
            let append = Append {
                expect: vec![Expect { stream: Arc::clone(stream), sequence: 0 }],
                events: vec![NewEvent {
                    stream: Arc::clone(stream),
                    actor: principal.clone(),
                    event: event.into(),
                }],
                at: Some(from),
            };
            match self.shared.journal.append(append).await {
                Ok(_) | Err(JournalError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn read_standing(journal: &dyn Journal, stream: &str) -> Result<Option<Standing>, JournalError> {
    let mut standing: Option<Standing> = None;
    loop {
        let after = standing.map_or(0, |standing| standing.sequence);
        let records = journal.read_stream(stream, after, limits::READ_MAX)?;
        if records.is_empty() {
            return Ok(standing);
        }
        for record in records {
            let (last, run) = match &record.event {
                Event::Schedule(ScheduleEvent::Anchored(anchored)) => (anchored.from, None),
                // counted from when it really started, so that what was missed is made up for once
                Event::Schedule(ScheduleEvent::Fired(firing)) => {
                    (firing.due.max(record.at), Some(firing.run))
                }
                _ => continue,
            };
            standing = Some(Standing { last, run, sequence: record.sequence });
        }
    }
}

fn ended_at(journal: &dyn Journal, run: RunId) -> Result<Option<Timestamp>, EngineError> {
    let sequence = crate::control::outline(journal, run)?.map_or(0, |outline| outline.sequence);
    let last = journal.read_stream(&run.to_string(), sequence.saturating_sub(1), 1)?;
    Ok(last.first().map(|record| record.at))
}

fn schedule_principal(name: &str) -> Result<Principal, EngineError> {
    format!("schedule:{}", name.replace('/', "."))
        .parse()
        .map_err(|error: model::principal::NameError| EngineError::NotFound { what: error.to_string() })
}

//! Carries out one run: the only place where a program's steps become events and effects.
//!
//! ```text
//!   advance: program.ready -> judge -> events      (pure, applied to the state at once)
//!   commit:  one conditional append                (durable, or nothing happened)
//!   start:   effects whose `step.scheduled` is now durable
//!   wait:    results, timers, approvals, the bus, other processes
//! ```
//!
//! The state runs ahead of the journal between advance and commit. If the append is refused because somebody else wrote to
//! the run's stream, the state is folded again from the journal and nothing has happened.

mod batch;
mod effects;
mod recover;
mod steps;
mod wake;

use std::collections::BTreeMap;
use std::sync::Arc;

use journal::events::{RunEvent, StepEvent};
use journal::{Append, Event, Expect, JournalError, StreamId};
use model::{ApprovalId, Json, Principal, RunId, StepId, Timestamp};
use policy::Granted;
use tokio::sync::mpsc;

use crate::EngineError;
use crate::engine::Shared;
use crate::limits;
use crate::ports::{Canceller, Checked, Failure};
use crate::state::{RunState, Status};

pub(crate) use batch::{Batch, Child};

/// What wakes a driver up.
#[derive(Debug)]
pub(crate) enum Message {
    /// A performer is done.
    Performed { step: StepId, attempt: u32, result: Result<Json, Failure> },
    /// A performer looked whether an interrupted effect happened.
    Checked { step: StepId, attempt: u32, checked: Checked },
    /// Somebody else appended to the run's stream up to this sequence.
    Appended { sequence: u64 },
    /// Something happened to an approval the run waits for.
    Approval(ApprovalId),
    /// The bus has new events.
    Bus,
    /// A child run ended.
    ChildEnded { child: RunId, status: Status },
}

/// An effect that is being performed in this process.
struct Running {
    attempt: u32,
    /// Dropped or cancelled when the result is not wanted any more.
    _canceller: Canceller,
}

pub(crate) struct Driver {
    shared: Arc<Shared>,
    state: RunState,
    /// Last sequence of the run's stream that is durable; 0 before the run is submitted.
    durable: u64,
    batch: Batch,
    running: BTreeMap<StepId, Running>,
    /// What each effect about to start may reach.
    granted: BTreeMap<StepId, Granted>,
    /// Whether the journal says that this engine carries the run out.
    owns: bool,
    /// When each open question must be looked at again.
    approvals_due: BTreeMap<ApprovalId, Timestamp>,
    mailbox: mpsc::Receiver<Message>,
    sender: mpsc::Sender<Message>,
}

impl Driver {
    /// A driver for a run whose first event is in `batch` and not yet durable, or (with an empty batch) for one that stands
    /// in the journal.
    pub(crate) fn new(shared: Arc<Shared>, state: RunState, batch: Batch) -> (Self, mpsc::Sender<Message>) {
        let (sender, mailbox) = mpsc::channel(limits::MAILBOX_MAX);
        let durable = if batch.is_empty() { state.sequence } else { 0 };
        let driver = Self {
            shared,
            state,
            durable,
            batch,
            running: BTreeMap::new(),
            granted: BTreeMap::new(),
            owns: durable == 0,
            approvals_due: BTreeMap::new(),
            mailbox,
            sender: sender.clone(),
        };
        (driver, sender)
    }

    /// Drives the run to its end. `submitted` hears once the first append is durable or refused.
    pub(crate) async fn drive(
        mut self,
        submitted: Option<tokio::sync::oneshot::Sender<Result<(), EngineError>>>,
    ) -> Result<Status, EngineError> {
        let mut submitted = submitted;
        if self.durable > 0 {
            self.recover().await?;
        }
        loop {
            self.advance();
            if !self.batch.is_empty() {
                let committed = self.commit().await;
                if let Some(hears) = submitted.take() {
                    let first = match committed {
                        Ok(()) => Ok(()),
                        Err(error) => {
                            drop(hears.send(Err(error)));
                            return Err(EngineError::Stopping);
                        }
                    };
                    drop(hears.send(first));
                } else {
                    committed?;
                }
                continue;
            }
            if self.state.status.is_final() {
                return Ok(self.state.status);
            }
            self.wait().await?;
        }
    }

    /// Turns everything that can be done now into events, until the program waits.
    fn advance(&mut self) {
        if self.state.status == Status::Submitted {
            self.admit();
        }
        while self.state.status == Status::Running && self.batch.len() < limits::BATCH_MAX {
            if self.state.sequence >= limits::RUN_EVENTS_MAX && !self.state.status.is_final() {
                self.fail_over_limit();
                return;
            }
            let mut progressed = false;
            for step in self.state.program.ready() {
                let results = self.state.results;
                progressed |= self.take(step);
                if self.state.status.is_final() || self.batch.len() >= limits::BATCH_MAX {
                    return;
                }
                if self.state.results != results {
                    // a result can make the steps that were ready beside it unwanted: ask again
                    break;
                }
            }
            if !progressed {
                return;
            }
        }
    }

    /// Makes the batch durable, then starts the effects it schedules.
    async fn commit(&mut self) -> Result<(), EngineError> {
        let mut batch = std::mem::take(&mut self.batch);
        batch.append.expect.push(Expect { stream: self.stream(), sequence: self.durable });
        let (notices, starts, children) = (batch.notices, batch.starts, batch.children);
        let (settled, counted) = (batch.settled, quotas_of(&batch.append));
        let published = batch.publishes;
        let appending = self.shared.journal.append(batch.append);
        match appending.await {
            Ok(appended) => {
                if !published {
                    self.shared.own.mark(appended.first, appended.last);
                }
                self.durable = self.state.sequence;
                for (key, kept) in settled {
                    self.shared.judge.settled(&key, kept);
                }
                for asked in notices {
                    self.approvals_due.extend(asked.expires.map(|due| (asked.approval, due)));
                    self.shared.watch_approval(asked.approval, self.state.run);
                    self.shared.notifier.approval_requested(&asked);
                }
                for child in children {
                    self.shared.adopt_child(child);
                }
                for (step, attempt) in starts {
                    self.start(&step, attempt);
                }
                Ok(())
            }
            Err(error) => {
                // what was counted on the way to this append has not happened
                for stream in &counted {
                    self.shared.judge.forget_quota(stream);
                }
                match error {
                    JournalError::Conflict { .. } if self.durable > 0 => self.refold().await,
                    error => Err(error.into()),
                }
            }
        }
    }

    /// Appends one event to the run's own stream and applies it.
    fn emit(&mut self, actor: Principal, event: impl Into<Event>) {
        let mut event = event.into();
        as_it_is_read_back(&mut event);
        if matches!(&event, Event::Run(run) if run.is_end()) {
            self.let_go(|_| true);
        }
        let at = self.batch_time();
        let diverged = self.state.apply(&event, at).err();
        let stream = self.stream();
        self.batch.push(stream, actor, event);
        if let Some(diverged) = diverged {
            self.end_diverged(&diverged);
        }
    }

    /// A program that refuses its own engine's event is broken; the run ends with the evidence in the journal.
    fn end_diverged(&mut self, diverged: &model::program::Diverged) {
        if self.state.status.is_final() {
            return;
        }
        self.let_go(|_| true);
        let problem = model::Problem::runtime(diverged.to_string()).with_code(model::code::run::DIVERGED);
        let event = Event::Run(RunEvent::Failed(journal::events::EndedBadly { problem: problem.clone() }));
        let stream = self.stream();
        self.batch.push(stream, Principal::system(), event);
        self.state.sequence += 1;
        self.state.status = Status::Failed { problem };
    }

    fn fail_over_limit(&mut self) {
        let problem =
            model::Problem::runtime(format!("the run has reached {} events", limits::RUN_EVENTS_MAX))
                .with_code(model::code::run::LIMIT);
        self.emit(Principal::system(), RunEvent::Failed(journal::events::EndedBadly { problem }));
    }

    fn batch_time(&mut self) -> Timestamp {
        let floor = self.state.at;
        let clock = &self.shared.clock;
        *self.batch.append.at.get_or_insert_with(|| model::time::to_millisecond(clock.now()).max(floor))
    }

    fn stream(&mut self) -> journal::StreamId {
        let run = self.state.run;
        self.batch.stream.get_or_insert_with(|| run.to_string().into()).clone()
    }

    /// Who acts for the run once it is under way: the run itself.
    fn actor(&self) -> Principal {
        Principal::workflow(self.state.run)
    }
}

/// The quotas' streams that an append touches.
fn quotas_of(append: &Append) -> Vec<StreamId> {
    let mut streams: Vec<StreamId> = append.events.iter().map(|event| event.stream.clone()).collect();
    streams.retain(|stream| stream.starts_with("quota/"));
    streams.dedup();
    streams
}

/// Gives the values of an event the form that a later fold reads from the journal: a program must not see other numbers
/// before a crash than after it.
fn as_it_is_read_back(event: &mut Event) {
    let value = match event {
        Event::Step(StepEvent::Scheduled(scheduled)) => &mut scheduled.action.input,
        Event::Step(StepEvent::Completed(result)) => &mut result.output,
        Event::Run(RunEvent::Completed(ended)) => return model::canonical::normalize(&mut ended.output),
        _ => return,
    };
    value.normalize();
}

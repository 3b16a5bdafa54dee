//! What people do to runs: cancel, pause, resume, retry, signal, resolve a doubt.
//!
//! Each is one conditional append to the run's stream and nothing else, so it works from any process, whether or not an engine
//! is alive, and the engine that carries the run out takes notice within 100 ms.

use journal::events::{Nothing, Reason, Resolved, RetryFrom, RunEvent, Signal, StepEvent};
use journal::{Append, Event, Expect, Journal, JournalError, NewEvent};
use model::{Principal, RunId, StepId};
use serde_json::Value;

use crate::EngineError;
use crate::limits;
use crate::state::Status;

/// What a person wants of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Stop it: abandon what is in flight, run compensations.
    Cancel {
        /// Why.
        reason: Option<String>,
    },
    /// Schedule nothing new.
    Pause {
        /// Why.
        reason: Option<String>,
    },
    /// Go on after a pause.
    Resume,
    /// Go on after a failure, from a step.
    Retry {
        /// The step; the one that failed when absent.
        from: Option<StepId>,
    },
    /// Send it data.
    Signal {
        /// The signal's name.
        name: String,
        /// Its data.
        data: Value,
    },
    /// Say whether the effect of a step in doubt happened.
    Resolve {
        /// The step.
        step: StepId,
        /// Which doubt: the sequence of its `step.in_doubt` in the run's stream. May be left out while the step has been in
        /// doubt once only; an answer meant for an old doubt must not settle a new one.
        doubt: Option<u64>,
        /// Whether it happened. If not, it is performed again.
        happened: bool,
        /// Its output, if it did.
        output: Option<Value>,
        /// Why the person thinks so.
        reason: Option<String>,
    },
}

impl Command {
    /// The participle for messages.
    pub const fn participle(&self) -> &'static str {
        match self {
            Self::Cancel { .. } => "cancelled",
            Self::Pause { .. } => "paused",
            Self::Resume => "resumed",
            Self::Retry { .. } => "retried",
            Self::Signal { .. } => "signalled",
            Self::Resolve { .. } => "resolved",
        }
    }

    fn event(&self, outline: &Outline) -> Event {
        match self.clone() {
            Self::Cancel { reason } => RunEvent::CancelRequested(Reason { reason }).into(),
            Self::Pause { reason } => RunEvent::Paused(Reason { reason }).into(),
            Self::Resume => RunEvent::Resumed(Nothing {}).into(),
            Self::Retry { from } => RunEvent::RetryRequested(RetryFrom { from }).into(),
            Self::Signal { name, data } => RunEvent::Signalled(Signal { name, data }).into(),
            Self::Resolve { step, doubt, happened, output, reason } => {
                let doubt = doubt.or_else(|| outline.doubt(&step)).unwrap_or_default();
                StepEvent::Resolved(Resolved { step, doubt, happened, output, reason }).into()
            }
        }
    }
}

/// The outline of a run: what can be known without its program.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Where it stands.
    pub status: Status,
    /// Last sequence of its stream.
    pub sequence: u64,
    /// Whether somebody already wants it to stop.
    pub cancelling: bool,
    /// Steps in doubt, with the sequence of the record that says so.
    pub in_doubt: Vec<(StepId, u64)>,
    /// Steps that have been in doubt, once for each time.
    pub doubted: Vec<StepId>,
    /// Steps that have been recorded, in order of their first event.
    pub steps: Vec<StepId>,
}

/// Folds the outline of a run; `None` when there is no such run.
pub fn outline(journal: &dyn Journal, run: RunId) -> Result<Option<Outline>, JournalError> {
    let stream = run.to_string();
    let mut outline = Outline {
        status: Status::Submitted,
        sequence: 0,
        cancelling: false,
        in_doubt: Vec::new(),
        doubted: Vec::new(),
        steps: Vec::new(),
    };
    loop {
        let records = journal.read_stream(&stream, outline.sequence, limits::READ_MAX)?;
        if records.is_empty() {
            return Ok((outline.sequence > 0).then_some(outline));
        }
        for record in records {
            outline.sequence = record.sequence;
            outline.take(&record.event);
        }
    }
}

impl Outline {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Run(event) => self.take_run(event),
            Event::Step(event) => self.take_step(event),
            _ => {}
        }
    }

    fn take_run(&mut self, event: &RunEvent) {
        self.status = match event {
            RunEvent::Started(_) | RunEvent::Resumed(_) => Status::Running,
            RunEvent::Paused(_) => Status::Paused,
            RunEvent::Completed(ended) => Status::Completed { output: ended.output.clone() },
            RunEvent::Failed(ended) => Status::Failed { problem: ended.problem.clone() },
            RunEvent::Cancelled(_) => Status::Cancelled,
            RunEvent::CancelRequested(_) => {
                self.cancelling = true;
                return;
            }
            RunEvent::RetryRequested(_) => {
                self.cancelling = false;
                Status::Running
            }
            RunEvent::Submitted(_) | RunEvent::Adopted(_) | RunEvent::Judged(_) | RunEvent::Signalled(_) => {
                return;
            }
        };
        if self.status.is_final() {
            self.in_doubt.clear();
        }
    }

    fn take_step(&mut self, event: &StepEvent) {
        let step = match event {
            StepEvent::InDoubt(doubt) => {
                self.in_doubt.push((doubt.step.clone(), self.sequence));
                self.doubted.push(doubt.step.clone());
                return;
            }
            StepEvent::Resolved(resolved) => {
                self.in_doubt.retain(|(_, doubt)| *doubt != resolved.doubt);
                return;
            }
            StepEvent::Abandoned(stopped) => {
                self.in_doubt.retain(|(step, _)| *step != stopped.step);
                return;
            }
            StepEvent::Scheduled(scheduled) => &scheduled.step,
            StepEvent::Completed(result) => &result.step,
            StepEvent::Failed(fault) => &fault.step,
            StepEvent::Asked(asked) => &asked.step,
            StepEvent::ChildStarted(child) => &child.step,
            StepEvent::Answered(_) | StepEvent::Deferred(_) => return,
        };
        if self.steps.last() != Some(step) && !self.steps.contains(step) {
            self.steps.push(step.clone());
        }
    }

    fn refusal(&self, command: &Command) -> Option<String> {
        let in_state = |wanted: bool| (!wanted).then(|| self.status.as_str().to_owned());
        match command {
            Command::Cancel { .. } if self.cancelling && !self.status.is_final() => {
                Some("already being cancelled".to_owned())
            }
            Command::Pause { .. } => in_state(self.status == Status::Running),
            Command::Resume => in_state(self.status == Status::Paused),
            Command::Retry { .. } => in_state(matches!(self.status, Status::Failed { .. })),
            Command::Cancel { .. } | Command::Signal { .. } => in_state(!self.status.is_final()),
            Command::Resolve { step, doubt, .. } => self.no_answer(step, *doubt),
        }
    }

    /// The doubt a step is in.
    fn doubt(&self, step: &StepId) -> Option<u64> {
        self.in_doubt.iter().find(|(in_doubt, _)| in_doubt == step).map(|(_, doubt)| *doubt)
    }

    /// Why an answer to a doubt cannot be taken.
    fn no_answer(&self, step: &StepId, meant: Option<u64>) -> Option<String> {
        let times = self.doubted.iter().filter(|doubted| *doubted == step).count();
        match (self.doubt(step), meant) {
            (None, _) => Some(format!("{}, and {step} is not in doubt", self.status.as_str())),
            (Some(doubt), Some(meant)) if doubt != meant => {
                Some(format!("{}, and {step} is in doubt anew since record {doubt}", self.status.as_str()))
            }
            (Some(doubt), None) if times > 1 => Some(format!(
                "{}, and {step} is in doubt again; say which doubt is meant (--doubt {doubt} is the latest)",
                self.status.as_str()
            )),
            (Some(_), _) => None,
        }
    }
}

/// How the run ended, if it has.
pub fn final_status(journal: &dyn Journal, run: RunId) -> Result<Option<Status>, JournalError> {
    Ok(outline(journal, run)?.map(|outline| outline.status).filter(Status::is_final))
}

/// Carries out a command. The new event is durable when this returns.
pub async fn command(
    journal: &dyn Journal,
    run: RunId,
    actor: &Principal,
    command: &Command,
) -> Result<(), EngineError> {
    for _ in 0..limits::CONFLICTS_MAX {
        let Some(outline) = outline(journal, run)? else {
            return Err(EngineError::NotFound { what: run.to_string() });
        };
        if let Some(status) = outline.refusal(command) {
            return Err(EngineError::WrongState { run, status, wanted: command.participle() });
        }
        if let Command::Retry { from: Some(from) } = command
            && !outline.steps.contains(from)
        {
            return Err(EngineError::NotFound { what: format!("step {from} of {run}") });
        }
        let stream: journal::StreamId = run.to_string().into();
        let append = Append {
            expect: vec![Expect { stream: stream.clone(), sequence: outline.sequence }],
            events: vec![NewEvent { stream, actor: actor.clone(), event: command.event(&outline) }],
            at: None,
        };
        match journal.append(append).await {
            Ok(_) => return Ok(()),
            Err(JournalError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(EngineError::Limit {
        what: format!("attempts to write to {run}"),
        limit: u64::from(limits::CONFLICTS_MAX),
    })
}

//! The seam between what decides and what performs.
//!
//! A [`Program`] is a workflow, a plan, a service operation: whatever yields steps. It is a fold over
//! happenings and nothing else:
//!
//! ```text
//!            ready()                         apply(&event)
//!   program ---------> steps -> engine ----------------------> program
//!                               judge, ask, journal,
//!                               perform, journal
//! ```
//!
//! **Contract.**
//! 1. Pure and deterministic: no I/O, no clock, no entropy. Two programs made from the same definition and
//!    fed the same events are equal in every answer they give. Time is [`Event::at`] of the latest event.
//! 2. State changes only in [`Program::apply`]. [`Program::ready`] may cache but yields each step until an
//!    event answers it: a `Perform` until `Scheduled`, a `Record` until `Completed`, a `Timer` until
//!    `TimerSet`, and so on (see [`Step`]). Calling it twice in a row gives the same steps.
//! 3. Step ids are unique within the run and the same on every replay.
//! 4. Every event the engine feeds is first durable in the journal, and replay feeds exactly those, in order.
//!    Therefore an outcome (of a performed action, of a timer) is an event and never recomputed.
//! 5. Secrets are never in a program. Where a value is a secret, the program holds [`secret_reference`].
//! 6. After [`Step::Finish`] has been answered by `Finished`, `ready` yields nothing.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{Action, ApprovalOutcome, ApprovalRequest, CloudEvent, Json, Problem, canonical};

/// Names one step of one run, the same on every replay: the JSON pointer of the task in the document and, where a
/// task runs more than once, `#` and a counter (`/do/1/loop/for/do/0/build#3`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(Arc<str>);

impl StepId {
    /// Wraps a text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for StepId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for StepId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// A step's id with what people want to read beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRef {
    /// The id.
    pub id: StepId,
    /// The task's name in the document.
    pub name: Arc<str>,
    /// The kind of task: `set`, `call`, `wait`, `approval`, ...
    pub kind: &'static str,
}

/// When a timer is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// At this moment.
    At(Timestamp),
    /// This long after the engine sets it.
    After(SignedDuration),
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerPurpose {
    /// A `wait` task.
    Wait,
    /// The back-off before another attempt.
    Retry,
    /// The limit on a task or on the whole workflow.
    Timeout,
}

impl TimerPurpose {
    /// The word used in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Retry => "retry",
            Self::Timeout => "timeout",
        }
    }
}

/// How a program ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It did what it says.
    Completed {
        /// Its output.
        output: Value,
    },
    /// It did not.
    Faulted {
        /// Why.
        problem: Problem,
    },
    /// It was cancelled, and has run its compensations.
    Cancelled,
}

impl Outcome {
    /// The word used in documents, the journal and on screen.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Completed { .. } => "completed",
            Self::Faulted { .. } => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a program wants done next. Each variant says which happening answers it.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A step that needs no effect; the engine records it. Answered by `Completed` or `Failed` with the same content.
    Record {
        /// Which.
        step: StepRef,
        /// Its result.
        result: Result<Value, Problem>,
    },
    /// An effect. The engine judges it (and may ask people, wait for a window, or deny: then `Failed` with an
    /// authorization problem), records `Scheduled`, performs it, and answers `Completed` or `Failed`.
    Perform {
        /// Which.
        step: StepRef,
        /// From 1, one more with every retry the program decides on.
        attempt: u32,
        /// What.
        action: Box<Action>,
    },
    /// Wake the program up. Answered by `TimerSet`, later by `TimerFired`, at or after due, once.
    Timer {
        /// Which step waits. One step may hold several timers with different names.
        step: StepRef,
        /// Unique within the step and attempt: `wait`, `timeout`, `retry-2`.
        name: String,
        /// When.
        due: Due,
        /// What for.
        purpose: TimerPurpose,
    },
    /// A timer is not wanted any more. Answered by `TimerCancelled`; a timer that has fired meanwhile is ignored.
    CancelTimer {
        /// The step that held it.
        step: StepId,
        /// Its name.
        name: String,
    },
    /// Ask people. Answered by `ApprovalRequested`, later by `ApprovalResolved`.
    Ask {
        /// Which step waits.
        step: StepRef,
        /// What is asked.
        request: Box<ApprovalRequest>,
    },
    /// Start to receive events of the environment's bus. Answered by `Listening`; from then on every event for
    /// which [`Program::wants`] answers true arrives as `Received`, until `Unlisten`.
    Listen {
        /// Which step listens.
        step: StepRef,
    },
    /// Receive no more. Answered by `Unlistened`.
    Unlisten {
        /// Which step listened.
        step: StepId,
    },
    /// Start another workflow as a run of its own. Answered by `ChildStarted`, and if `wait` by `Completed` or `Failed`
    /// when it ends.
    Start {
        /// Which step.
        step: StepRef,
        /// `namespace/name`, looked up in the project's catalog.
        workflow: String,
        /// Exact version; the newest when absent.
        version: Option<String>,
        /// Its input.
        input: Value,
        /// Whether the step waits for its end.
        wait: bool,
    },
    /// Work in flight for a step is not wanted any more (a timeout, a lost race, a cancel): performing is stopped, an
    /// approval is withdrawn, a child run is cancelled. Answered by `Abandoned`; results that arrive later are dropped.
    Abandon {
        /// Which.
        step: StepId,
        /// Why, for the record.
        reason: String,
    },
    /// The program is done. Answered by `Finished`.
    Finish {
        /// How.
        outcome: Outcome,
    },
}

/// What happened, as the journal of the run has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it was recorded, in whole milliseconds.
    pub at: Timestamp,
    /// What.
    pub happening: Happening,
}

/// The kinds of [`Event`].
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// The run began. Always the first event and always once.
    Started,
    /// A step's effect is about to be performed.
    Scheduled {
        /// Which step.
        step: StepId,
        /// Which attempt.
        attempt: u32,
    },
    /// A step has a result.
    Completed {
        /// Which step.
        step: StepId,
        /// Its raw output, before the task's own `output.as`.
        output: Json,
    },
    /// A step has a problem. The program decides whether to retry, catch or fault.
    Failed {
        /// Which step.
        step: StepId,
        /// What went wrong.
        problem: Problem,
    },
    /// A timer is set.
    TimerSet {
        /// Which step holds it.
        step: StepId,
        /// Its name.
        name: String,
        /// The moment it is due.
        due: Timestamp,
    },
    /// A timer fired.
    TimerFired {
        /// Which step held it.
        step: StepId,
        /// Its name.
        name: String,
    },
    /// A timer will not fire.
    TimerCancelled {
        /// Which step held it.
        step: StepId,
        /// Its name.
        name: String,
    },
    /// People are being asked.
    ApprovalRequested {
        /// Which step waits.
        step: StepId,
    },
    /// People have answered, or nobody did in time.
    ApprovalResolved {
        /// Which step waited.
        step: StepId,
        /// How.
        outcome: ApprovalOutcome,
    },
    /// A step receives events from now on.
    Listening {
        /// Which step.
        step: StepId,
    },
    /// A wanted event arrived.
    Received {
        /// Which step.
        step: StepId,
        /// The event.
        event: Box<CloudEvent>,
    },
    /// A step receives no more events.
    Unlistened {
        /// Which step.
        step: StepId,
    },
    /// Another run was started for a step.
    ChildStarted {
        /// Which step.
        step: StepId,
        /// The child.
        run: crate::RunId,
    },
    /// Work in flight for a step was given up.
    Abandoned {
        /// Which step.
        step: StepId,
    },
    /// Somebody wants the run to stop. The program abandons what is in flight, runs its compensations and finishes.
    CancelRequested {
        /// Why.
        reason: Option<String>,
    },
    /// Somebody wants a run that failed to go on from a step: that step and everything after it run again.
    RetryRequested {
        /// From where; `None`: from the step that failed.
        from: Option<StepId>,
    },
    /// Somebody sent data to the run. Listening steps see it as an event of type `io.aedile.signal.NAME`.
    Signalled {
        /// Its name.
        name: String,
        /// Its data.
        data: Value,
    },
    /// The run ended. Nothing follows but `RetryRequested`.
    Finished,
}

/// An event that a program cannot make sense of: its journal and its definition do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run does not follow its journal: {0}")]
pub struct Diverged(pub String);

impl crate::Coded for Diverged {
    fn code(&self) -> &'static crate::Code {
        crate::code::run::DIVERGED
    }
}

/// What people are shown of a run that they are asked about as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// One line.
    pub title: String,
    /// What it is about, in short.
    pub shown: Value,
}

/// The consent of people that a program has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The chain of approval, by name; policy's default one where none is named.
    pub chain: Option<String>,
    /// Why, one line.
    pub because: String,
}

/// What yields steps. See the module's documentation for the contract.
pub trait Program: Send {
    /// What can be done now. Empty while everything waits, and after the end.
    fn ready(&mut self) -> Vec<Step>;

    /// Takes notice of what happened.
    fn apply(&mut self, event: &Event) -> Result<(), Diverged>;

    /// What policies see of it beside its input when the run as a whole is judged: for a plan the plan, for what has nothing
    /// more to show nothing. The same for the life of the run.
    fn document(&self) -> Option<canonical::Text> {
        None
    }

    /// What people are shown who are asked about the run as a whole; nothing where its name and input say it all. The same for
    /// the life of the run, because their answer binds to it.
    fn proposal(&self) -> Option<Proposal> {
        None
    }

    /// The consent of people that it has to have before it starts, whatever policy says: for what nobody in particular proposes.
    /// Policy may ask for more, and a denial stays a denial. The same for the life of the run.
    fn consent(&self) -> Option<Consent> {
        None
    }

    /// Whether the listening step `step` wants `event`. Pure; does not consume it.
    fn wants(&self, step: &StepId, event: &CloudEvent) -> bool;
}

/// Starts a reference to a secret inside a text (a Unicode private-use character, so that it cannot be typed by chance).
pub const SECRET_OPEN: char = '\u{f8f0}';
/// Ends a reference to a secret inside a text.
pub const SECRET_CLOSE: char = '\u{f8f1}';

/// The text that stands for the secret `name` wherever a program handles it: in expressions, inputs, the journal.
/// Only a performer replaces it by the value, in memory, right before the effect.
pub fn secret_reference(name: &str) -> String {
    format!("{SECRET_OPEN}{name}{SECRET_CLOSE}")
}

/// The names of the secrets referred to in `text`, in order.
///
/// ```
/// use model::program::{secret_names, secret_reference};
/// let text = format!("Bearer {}", secret_reference("token"));
/// assert_eq!(secret_names(&text), ["token"]);
/// ```
pub fn secret_names(text: &str) -> Vec<&str> {
    text.split(SECRET_OPEN)
        .skip(1)
        .filter_map(|rest| rest.split_once(SECRET_CLOSE).map(|(name, _)| name))
        .collect()
}

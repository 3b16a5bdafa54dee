//! Events about steps, timers and listeners of a run.

use model::{Action, ApprovalId, CloudEvent, Digest, Json, Problem, RunId, StepId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{VerdictRecord, vocabulary};

vocabulary! {
    /// What happens to a step. The step `/` is the run itself (its own judgement and approvals).
    StepEvent {
        /// Its effect is about to be performed: durable before the effect.
        Scheduled(Box<Scheduled>) = "step.scheduled",
        /// It has a result.
        Completed(StepResult) = "step.completed",
        /// It has a problem.
        Failed(Box<StepFault>) = "step.failed",
        /// People are asked for it.
        Asked(AskedStep) = "step.asked",
        /// They answered, or nobody did in time.
        Answered(Answered) = "step.answered",
        /// Policy says: not now.
        Deferred(Deferred) = "step.deferred",
        /// Nobody knows whether its effect happened.
        InDoubt(Doubt) = "step.in_doubt",
        /// A person said whether it did.
        Resolved(Resolved) = "step.resolved",
        /// It is not wanted any more.
        Abandoned(Stopped) = "step.abandoned",
        /// It started another run.
        ChildStarted(ChildRun) = "step.child_started",
    }
}

vocabulary! {
    /// What happens to a timer.
    TimerEvent {
        /// It waits.
        Set(TimerSet) = "timer.set",
        /// It fired: at or after due, once.
        Fired(TimerNamed) = "timer.fired",
        /// It will not.
        Cancelled(TimerNamed) = "timer.cancelled",
    }
}

vocabulary! {
    /// What happens to a listener.
    ListenEvent {
        /// It receives from now on.
        Started(Listening) = "listen.started",
        /// It received.
        Received(Box<Received>) = "listen.received",
        /// It receives no more.
        Stopped(Stopped) = "listen.stopped",
    }
}

/// An action as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActionRecord {
    /// Kind, dotted.
    pub kind: String,
    /// What it acts on.
    pub target: String,
    /// Typed input, secrets as references.
    pub input: Json,
    /// `read`, `idempotent`, `verifiable` or `once`.
    pub effect: String,
    /// `no-change`, `reversible` or `irreversible`.
    pub reversibility: String,
    /// Capabilities wanted.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub wants: Vec<String>,
    /// Idempotency key.
    pub key: String,
    /// Digest of all of the above but the key: what approvals bind to.
    pub digest: Digest,
}

impl From<&Action> for ActionRecord {
    fn from(action: &Action) -> Self {
        Self {
            kind: action.kind.clone(),
            target: action.target.clone(),
            input: action.input.clone(),
            effect: action.effect.as_str().to_owned(),
            reversibility: action.reversibility.as_str().to_owned(),
            wants: action.wants.iter().map(|capability| capability.0.clone()).collect(),
            key: action.idempotency_key.clone(),
            digest: action.digest(),
        }
    }
}

/// Data of `step.scheduled`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scheduled {
    /// Which step.
    pub step: StepId,
    /// The task's name.
    pub name: String,
    /// The kind of task.
    pub task: String,
    /// From 1.
    pub attempt: u32,
    /// What will be done.
    pub action: ActionRecord,
    /// Policy's verdict on it.
    pub verdict: VerdictRecord,
    /// Approvals that allow it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub approvals: Vec<ApprovalId>,
    /// Counters it holds a use of.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub quotas: Vec<HeldQuota>,
}

/// A use of a quota that a step holds until its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeldQuota {
    /// The counter.
    pub key: String,
    /// How much.
    pub amount: u64,
}

/// Data of `step.completed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepResult {
    /// Which step.
    pub step: StepId,
    /// The task's name.
    pub name: String,
    /// The kind of task.
    pub task: String,
    /// Raw output, secrets replaced by references.
    pub output: Json,
}

/// Data of `step.failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepFault {
    /// Which step.
    pub step: StepId,
    /// The task's name.
    pub name: String,
    /// The kind of task.
    pub task: String,
    /// What went wrong.
    pub problem: Problem,
    /// Policy's verdict, where that is why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verdict: Option<VerdictRecord>,
}

/// Data of `step.asked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AskedStep {
    /// Which step waits.
    pub step: StepId,
    /// The task's name.
    pub name: String,
    /// The question, whose stream is `apr_...`.
    pub approval: ApprovalId,
    /// What a decision binds to.
    pub binding: Digest,
    /// Who wants it: `task` (the workflow asks) or `policy`.
    pub by: String,
    /// The verdict that demands it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verdict: Option<VerdictRecord>,
}

/// Data of `step.answered`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Answered {
    /// Which step waited.
    pub step: StepId,
    /// The question.
    pub approval: ApprovalId,
    /// `granted`, `overridden`, `denied`, `expired` or `withdrawn`.
    pub outcome: String,
    /// Who decided, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub deciders: Vec<model::Principal>,
    /// Why, where somebody said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// Data of `step.deferred`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deferred {
    /// Which step.
    pub step: StepId,
    /// When policy is asked again.
    pub until: Timestamp,
    /// The verdict.
    pub verdict: VerdictRecord,
}

/// Data of `step.in_doubt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Doubt {
    /// Which step.
    pub step: StepId,
    /// Which attempt.
    pub attempt: u32,
    /// Why nobody knows.
    pub why: String,
}

/// Data of `step.resolved`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Resolved {
    /// Which step.
    pub step: StepId,
    /// Which doubt it answers: the sequence of its `step.in_doubt` in the run's stream. An answer to an old doubt settles no
    /// newer one.
    pub doubt: u64,
    /// Whether the effect happened. If not, it is performed again.
    pub happened: bool,
    /// Its output, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<Value>,
    /// Why the person thinks so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// Data of `step.abandoned` and `listen.stopped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stopped {
    /// Which step.
    pub step: StepId,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// Data of `step.child_started`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChildRun {
    /// Which step.
    pub step: StepId,
    /// The task's name.
    pub name: String,
    /// The child.
    pub run: RunId,
    /// Whether the step waits for its end.
    pub wait: bool,
}

/// Data of `timer.set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimerSet {
    /// Which step holds it.
    pub step: StepId,
    /// Unique within the step.
    pub name: String,
    /// When it is due.
    pub due: Timestamp,
    /// `wait`, `retry`, `timeout` or `window`.
    pub purpose: String,
}

/// Data of `timer.fired` and `timer.cancelled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimerNamed {
    /// Which step held it.
    pub step: StepId,
    /// Its name.
    pub name: String,
}

/// Data of `listen.started`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Listening {
    /// Which step.
    pub step: StepId,
    /// The task's name.
    pub name: String,
    /// Events of stream `bus` after this sequence are offered to it.
    pub after: u64,
}

/// Data of `listen.received`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Received {
    /// Which step.
    pub step: StepId,
    /// Sequence in stream `bus`; 0 for a signal.
    pub sequence: u64,
    /// The event.
    pub event: CloudEvent,
}

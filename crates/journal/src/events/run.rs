//! Events about a run as a whole.

use model::{Digest, Environment, Judgement, Origin, Principal, Problem, RunId, StepId, Timestamp, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::vocabulary;

vocabulary! {
    /// What happens to a run.
    RunEvent {
        /// Somebody proposed it. Always the first event of its stream.
        Submitted(Box<Submitted>) = "run.submitted",
        /// An engine took it over from one that died.
        Adopted(Owner) = "run.adopted",
        /// Policy judged it.
        Judged(VerdictRecord) = "run.judged",
        /// It began.
        Started(Nothing) = "run.started",
        /// It is held: nothing new is scheduled.
        Paused(Reason) = "run.paused",
        /// It goes on.
        Resumed(Nothing) = "run.resumed",
        /// Somebody wants it to stop.
        CancelRequested(Reason) = "run.cancel_requested",
        /// Somebody wants it to go on from a step.
        RetryRequested(RetryFrom) = "run.retry_requested",
        /// Somebody sent it data.
        Signalled(Signal) = "run.signalled",
        /// It did what it says.
        Completed(Ended) = "run.completed",
        /// It did not.
        Failed(EndedBadly) = "run.failed",
        /// It was cancelled.
        Cancelled(Reason) = "run.cancelled",
    }
}

impl RunEvent {
    /// Whether it ends the run: nothing comes after it but a retry.
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Completed(_) | Self::Failed(_) | Self::Cancelled(_))
    }
}

/// No data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Nothing {}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reason {
    /// In somebody's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProgramRecord {
    /// `workflow`, later `plan`, `service`, ...
    pub kind: String,
    /// For a workflow `namespace/name`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Digest of the definition's text, which is in stream `definition/DIGEST`.
    pub digest: Digest,
    /// Where it came from, as the person named it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<String>,
    /// Whose it is; the project's when absent.
    #[serde(skip_serializing_if = "Origin::is_project", default)]
    pub origin: Origin,
}

/// The step of another run that started this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Parent {
    /// The other run.
    pub run: RunId,
    /// Its step.
    pub step: StepId,
}

/// Data of `run.submitted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Submitted {
    /// The run, also the stream's name.
    pub run: RunId,
    /// What is run.
    pub program: ProgramRecord,
    /// Where.
    pub environment: Environment,
    /// Its input, secrets replaced by references.
    pub input: Value,
    /// The operating system's user behind the actor, where the actor acts for another principal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub via: Option<Principal>,
    /// The engine that carries it out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub engine: Option<String>,
    /// The submitter's own key: the same key is the same run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency_key: Option<String>,
    /// The run that started it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent: Option<Parent>,
    /// Where on the bus it begins to hear events: after this sequence, or at the bus's end as it is when a step listens.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hears_after: Option<u64>,
    /// How many runs above this one started each other.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub depth: u32,
    /// Digest of the policy set in force.
    pub policy: Digest,
    /// Digests of the actions the definition names, pinned: `name@version` to digest.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty", default)]
    pub actions: std::collections::BTreeMap<String, Digest>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Data of `run.adopted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Owner {
    /// The engine that carries the run out from here on.
    pub engine: String,
}

/// A judgement as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerdictRecord {
    /// `allow`, `deny`, `require` or `defer`.
    pub verdict: String,
    /// Why it was denied or deferred.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reasons: Vec<String>,
    /// The chains that must be granted.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub chains: Vec<String>,
    /// When to ask again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Timestamp>,
    /// Rules that had a say.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub matched: Vec<MatchedRecord>,
    /// Digest of the policy set that judged.
    pub policy: Digest,
    /// Digest of everything it saw.
    pub input: Digest,
}

/// One rule that had a say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MatchedRecord {
    /// Where it stands.
    pub rule: String,
    /// What it said.
    pub said: String,
    /// Why.
    pub message: String,
}

impl From<&Judgement> for VerdictRecord {
    fn from(judgement: &Judgement) -> Self {
        let (mut reasons, mut chains, mut until) = (Vec::new(), Vec::new(), None);
        match &judgement.verdict {
            Verdict::Allow => {}
            Verdict::Deny { reasons: why } => reasons.clone_from(why),
            Verdict::Require { approvals } => {
                chains = approvals.iter().map(|chain| chain.name.clone()).collect();
            }
            Verdict::Defer { until: at, reasons: why } => {
                reasons.clone_from(why);
                until = Some(*at);
            }
        }
        Self {
            verdict: judgement.verdict.as_str().to_owned(),
            reasons,
            chains,
            until,
            matched: judgement
                .matched
                .iter()
                .map(|rule| MatchedRecord {
                    rule: rule.rule.clone(),
                    said: rule.said.clone(),
                    message: rule.message.clone(),
                })
                .collect(),
            policy: judgement.policy,
            input: judgement.input,
        }
    }
}

/// Data of `run.retry_requested`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RetryFrom {
    /// From this step; absent: from the one that failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<StepId>,
}

/// Data of `run.signalled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Signal {
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: Value,
}

/// Data of `run.completed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ended {
    /// The run's output.
    pub output: Value,
}

/// Data of `run.failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndedBadly {
    /// Why.
    pub problem: Problem,
}

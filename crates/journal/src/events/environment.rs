//! Events about an environment and what its runs share.

use model::{CheckpointId, CloudEvent, Digest, Environment, RunId, StepId, Timestamp};
use serde::{Deserialize, Serialize};

use super::vocabulary;

vocabulary! {
    /// What happens to the environment itself. Stream `environment`.
    EnvironmentEvent {
        /// It came to be. Always the journal's first record.
        Initialised(Initialised) = "environment.initialised",
        /// A signing key may be used from here on.
        KeyAdded(KeyAdded) = "key.added",
        /// A signing key is not to be used from here on.
        KeyRetired(KeyRetired) = "key.retired",
        /// The journal's head was signed.
        CheckpointSigned(Box<CheckpointSigned>) = "checkpoint.signed",
    }
}

vocabulary! {
    /// What happens to the rules in force. Stream `rules`.
    RulesEvent {
        /// Others took their place. Decisions of before stay as they are.
        Changed(Box<RulesChanged>) = "rules.changed",
    }
}

vocabulary! {
    /// What happens to a quota's counter. Stream `quota/KEY`.
    QuotaEvent {
        /// A use is held.
        Reserved(QuotaUse) = "quota.reserved",
        /// The use took place.
        Committed(QuotaUse) = "quota.committed",
        /// The use did not take place and is given back.
        Refunded(QuotaUse) = "quota.refunded",
    }
}

vocabulary! {
    /// What happens to a submitter's own key. Stream `submission/DIGEST`.
    SubmissionEvent {
        /// It names this run from here on.
        Claimed(Claim) = "submission.claimed",
    }
}

vocabulary! {
    /// What happens to a schedule. Stream `schedule/NAMESPACE/NAME`.
    ScheduleEvent {
        /// It is kept from here on: the moment its first start is counted from.
        Anchored(Anchored) = "schedule.anchored",
        /// It started a run.
        Fired(Firing) = "schedule.fired",
    }
}

vocabulary! {
    /// What is on the environment's bus. Stream `bus`.
    BusEvent {
        /// An event was published.
        Published(Box<Published>) = "bus.published",
    }
}

/// Data of `environment.initialised`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Initialised {
    /// Its name.
    pub environment: Environment,
    /// Version of the record format, 1.
    pub format: u32,
}

/// Data of `key.added`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyAdded {
    /// The key's name in signed notes.
    pub name: String,
    /// The public key as a C2SP verifier key (`name+hash+base64`).
    pub verifier: String,
}

/// Data of `key.retired`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyRetired {
    /// The verifier key that was in use until here.
    pub verifier: String,
}

/// Data of `checkpoint.signed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckpointSigned {
    /// Its id.
    pub checkpoint: CheckpointId,
    /// Number of records it covers.
    pub size: u64,
    /// Merkle root over them, hexadecimal.
    pub root: String,
    /// The signed note (C2SP `signed-note`, `tlog-checkpoint`).
    pub note: String,
}

/// Data of `rules.changed`. Verdicts name the policy that they were made by, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RulesChanged {
    /// Digest of the policy that was in force.
    pub policy_before: Digest,
    /// Digest of the policy that is from here on.
    pub policy: Digest,
    /// Digest of the text of the access rules that were in force; left out where there were none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub access_before: Option<Digest>,
    /// Digest of the text of those that are; left out where there are none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub access: Option<Digest>,
}

/// Data of the quota events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QuotaUse {
    /// The counter.
    pub key: String,
    /// How much.
    pub amount: u64,
    /// For which run.
    pub run: RunId,
    /// For which step; `/` for the run itself.
    pub step: StepId,
}

/// Data of `submission.claimed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Claim {
    /// The submitter's key.
    pub key: String,
    /// The run it names.
    pub run: RunId,
}

/// Data of `schedule.anchored`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Anchored {
    /// The moment.
    pub from: Timestamp,
}

/// Data of `schedule.fired`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Firing {
    /// When it was due. It stands for every start that was missed since the one before.
    pub due: Timestamp,
    /// The run it started.
    pub run: RunId,
}

/// Data of `bus.published`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Published {
    /// The event.
    pub event: CloudEvent,
    /// The run that emitted it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<RunId>,
}

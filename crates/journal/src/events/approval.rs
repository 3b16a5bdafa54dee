//! Events about questions to people.

use model::{
    ApprovalId, Digest, Level, OnTimeout, Principal, Role, RunId, StepId, Timestamp, time::SignedDuration,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::vocabulary;

vocabulary! {
    /// What happens to an approval. Exactly one of granted, denied, expired, overridden and withdrawn ends it.
    ApprovalEvent {
        /// It was asked. Always the first event of its stream.
        Requested(Box<Asked>) = "approval.requested",
        /// Somebody granted at a level, which needs more.
        Voted(Vote) = "approval.voted",
        /// A level went to the next.
        Escalated(Escalated) = "approval.escalated",
        /// Every level is granted.
        Granted(Decided) = "approval.granted",
        /// Somebody said no.
        Denied(Refused) = "approval.denied",
        /// Nobody decided in time.
        Expired(Refused) = "approval.expired",
        /// Somebody overrode in an emergency.
        Overridden(Refused) = "approval.overridden",
        /// The asker took it back, or what was asked changed.
        Withdrawn(Refused) = "approval.withdrawn",
    }
}

/// One level as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LevelRecord {
    /// Consecutive from 1.
    pub level: u32,
    /// Any of these may decide.
    pub roles: Vec<Role>,
    /// How many must grant.
    pub quorum: u32,
    /// Milliseconds the level waits from when it became current; absent: for ever.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub within_ms: Option<u64>,
    /// `deny` or `escalate`.
    pub on_timeout: String,
    /// Whether an emergency override is allowed.
    pub emergency_override: bool,
}

impl From<&Level> for LevelRecord {
    fn from(level: &Level) -> Self {
        Self {
            level: level.number,
            roles: level.roles.clone(),
            quorum: level.quorum,
            within_ms: level.within.and_then(|within| u64::try_from(within.as_millis()).ok()),
            on_timeout: match level.on_timeout {
                OnTimeout::Deny => "deny",
                OnTimeout::Escalate => "escalate",
            }
            .to_owned(),
            emergency_override: level.emergency_override,
        }
    }
}

impl From<&LevelRecord> for Level {
    fn from(record: &LevelRecord) -> Self {
        Self {
            number: record.level,
            roles: record.roles.clone(),
            quorum: record.quorum,
            within: record.within_ms.and_then(|ms| i64::try_from(ms).ok()).map(SignedDuration::from_millis),
            on_timeout: if record.on_timeout == "escalate" { OnTimeout::Escalate } else { OnTimeout::Deny },
            emergency_override: record.emergency_override,
        }
    }
}

/// Data of `approval.requested`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Asked {
    /// The approval, also the stream's name.
    pub approval: ApprovalId,
    /// The run that waits.
    pub run: RunId,
    /// Its step; `/` for the run itself.
    pub step: StepId,
    /// One line a person can decide on.
    pub title: String,
    /// More, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// The very thing that is asked.
    pub asked: Value,
    /// Digest of `asked`.
    pub asked_digest: Digest,
    /// Digest of the policy set that demands it.
    pub policy: Digest,
    /// Digest of everything the policy saw.
    pub facts: Digest,
    /// Digest over the three digests above and the levels: what a decision binds to.
    pub binding: Digest,
    /// The chain's name.
    pub chain: String,
    /// Its levels.
    pub levels: Vec<LevelRecord>,
    /// Who asks, and so cannot decide.
    pub requester: Principal,
    /// The operating system's user behind the requester.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub via: Option<Principal>,
    /// When the first level's time is up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<Timestamp>,
}

/// Data of `approval.voted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Vote {
    /// The level.
    pub level: u32,
    /// Who.
    pub by: Principal,
    /// The operating system's user behind them, where they act for another principal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub via: Option<Principal>,
    /// What they saw: the binding digest.
    pub binding: Digest,
    /// When the level that is current afterwards runs out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<Timestamp>,
    /// In their words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// Data of `approval.escalated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Escalated {
    /// From this level.
    pub from: u32,
    /// To this one.
    pub to: u32,
    /// `timeout`.
    pub reason: String,
    /// The moment the time was up, which the record's own time may follow.
    pub due: Timestamp,
    /// When the new level's time is up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<Timestamp>,
}

/// Data of `approval.granted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Decided {
    /// The level at which it was decided.
    pub level: u32,
    /// Everybody who granted, in order.
    pub by: Vec<Principal>,
    /// The operating system's user behind the last of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub via: Option<Principal>,
    /// What they saw: the binding digest.
    pub binding: Digest,
    /// In their words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// Data of the events that end an approval in another way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refused {
    /// The level at which it ended.
    pub level: u32,
    /// Who ended it; the system, for expiry.
    pub by: Principal,
    /// The operating system's user behind them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub via: Option<Principal>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

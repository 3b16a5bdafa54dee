//! What is asked of people, and what they answered.

use jiff::SignedDuration;
use serde_json::Value;

use crate::{Principal, Role};

/// What happens when a level's time limit passes without a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTimeout {
    /// Deny, with reason `expired`.
    Deny,
    /// Go to the next level; at the last level this denies.
    Escalate,
}

/// One level of a chain: who may decide, how many must agree, for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Position in the chain, consecutive from 1.
    pub number: u32,
    /// Any of these roles may decide. Never empty.
    pub roles: Vec<Role>,
    /// How many different principals must grant; one denial denies.
    pub quorum: u32,
    /// How long the level waits, from the moment it became current. `None`: for ever.
    pub within: Option<SignedDuration>,
    /// What happens then.
    pub on_timeout: OnTimeout,
    /// Whether a principal with one of the roles may override all remaining levels in an emergency.
    pub emergency_override: bool,
}

/// Levels that must be passed one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The chain's name in `policy.yaml`, or one made up for a workflow's own levels.
    pub name: String,
    /// Consecutive from 1, at least one.
    pub levels: Vec<Level>,
}

/// What a program asks people.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovalRequest {
    /// One line a person can decide on.
    pub title: String,
    /// More, in Markdown.
    pub description: Option<String>,
    /// The very thing that is asked; the approval binds to its digest.
    pub asked: Value,
    /// A chain of `policy.yaml` by name; `None` when `levels` are given or policy's default applies.
    pub chain: Option<String>,
    /// Levels given in place. Policy may add levels, never take any away.
    pub levels: Vec<Level>,
}

/// How an approval ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalOutcome {
    /// Every level granted, or somebody overrode in an emergency.
    Granted {
        /// Who granted, in order.
        by: Vec<Principal>,
        /// Whether it was an emergency override.
        overridden: bool,
    },
    /// Somebody said no.
    Denied {
        /// Who.
        by: Principal,
        /// Why.
        reason: Option<String>,
    },
    /// Nobody decided in time.
    Expired,
    /// The asker took the question back, or what was asked changed.
    Withdrawn {
        /// Why.
        reason: String,
    },
}

impl ApprovalOutcome {
    /// The word used in documents, the journal and on screen.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Granted { overridden: false, .. } => "granted",
            Self::Granted { overridden: true, .. } => "overridden",
            Self::Denied { .. } => "denied",
            Self::Expired => "expired",
            Self::Withdrawn { .. } => "withdrawn",
        }
    }
}

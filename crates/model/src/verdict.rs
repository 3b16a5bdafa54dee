//! What policy answers: [`Verdict`], always with why ([`Judgement`]).

use crate::{Chain, Digest, Timestamp};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go ahead.
    Allow,
    /// Do not.
    Deny {
        /// Why, one line each, never empty.
        reasons: Vec<String>,
    },
    /// Go ahead once people agree.
    Require {
        /// Every one of these must be granted.
        approvals: Vec<Chain>,
    },
    /// Not now: a change window opens, or a quota frees up, then.
    Defer {
        /// Ask again at this time.
        until: Timestamp,
        /// Why, one line each, never empty.
        reasons: Vec<String>,
    },
}

impl Verdict {
    /// The word used in the journal and on screen.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny { .. } => "deny",
            Self::Require { .. } => "require",
            Self::Defer { .. } => "defer",
        }
    }
}

/// One rule that had a say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedRule {
    /// Where the rule stands: `policy.yaml#/quotas/0` or `release.rego:12`.
    pub rule: String,
    /// What it said: `allow`, `deny`, `warn`, `require`, `defer`.
    pub said: String,
    /// Why, for people.
    pub message: String,
}

/// A verdict with everything needed to explain and repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The answer.
    pub verdict: Verdict,
    /// Every rule that had a say, in order of evaluation.
    pub matched: Vec<MatchedRule>,
    /// Digest of the policy set that judged.
    pub policy: Digest,
    /// Digest of everything the policy saw.
    pub input: Digest,
}

//! What policy answers, with everything needed to act on it, explain it and repeat it.

use model::{Code, Judgement, Timestamp, Verdict, code};
use serde::Serialize;
use serde_json::Value;

use crate::grant::Granted;
use crate::quota::{QuotaState, Reservation};
use crate::request::window_seconds;

/// The answer to one [`crate::Request`].
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The verdict, the rules that had a say, and the digests of the policy and of all it saw.
    pub judgement: Judgement,
    /// Uses to append in the same append as the intent to act, each under the condition that its stream has not
    /// grown since it was read. Empty unless the verdict is `allow` or `require`: for `require` they are taken
    /// when the step is scheduled, after people have agreed and policy has been asked again.
    pub reservations: Vec<Reservation>,
    /// Every quota that applied.
    pub quotas: Vec<QuotaState>,
    /// What the action may reach; also given when the verdict is `require` or `defer`.
    pub granted: Granted,
    /// Warnings for people; they change nothing.
    pub warnings: Vec<String>,
    /// Why it was denied, as a word for programs; `None` unless denied.
    pub cause: Option<Cause>,
    /// The document whose digest is [`Judgement::input`]. Store it to be able to repeat the decision. Null where nobody asked for
    /// it ([`crate::PolicySet::judge`]).
    pub document: Value,
    /// When it was decided.
    pub at: Timestamp,
}

/// What will be decided, as far as it can be known beforehand ([`crate::PolicySet::foretell`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foretold {
    /// The verdict.
    pub verdict: Verdict,
    /// Warnings for people; they change nothing.
    pub warnings: Vec<String>,
}

/// Why something was denied or deferred, the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The policy could not be evaluated, so the answer is no.
    Unevaluable,
    /// A change window is closed.
    Time,
    /// A quota is used up.
    Quota,
    /// Something needed is not granted.
    NotGranted,
    /// A rule denies it.
    Rule,
    /// No rule allows it and the default is deny.
    Default,
}

impl Cause {
    /// The word used in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unevaluable => "policy_unevaluable",
            Self::Time => "time_policy_denied",
            Self::Quota => "quota_exceeded",
            Self::NotGranted => "not_granted",
            Self::Rule => "rule_denied",
            Self::Default => "default_denied",
        }
    }
}

impl Decision {
    /// The error code a denial ends with; `None` unless denied.
    pub fn code(&self) -> Option<&'static Code> {
        matches!(self.judgement.verdict, Verdict::Deny { .. }).then(|| match self.cause {
            Some(Cause::Unevaluable) => code::policy::UNEVALUABLE,
            _ => code::policy::DENIED,
        })
    }

    /// The quota with the least left, which is the one to show.
    pub fn tightest_quota(&self) -> Option<&QuotaState> {
        self.quotas.iter().min_by_key(|quota| (!quota.exceeded, quota.remaining))
    }

    /// The kind that was judged.
    fn kind(&self) -> &str {
        match self.document.pointer("/action/kind").and_then(Value::as_str) {
            Some(kind) => kind,
            None if self.document.get("plan").is_some() => crate::PLAN_KIND,
            None => crate::RUN_KIND,
        }
    }

    /// The decision as `--json` and events for others show it.
    pub fn record(&self) -> DecisionRecord<'_> {
        let allowed = matches!(self.judgement.verdict, Verdict::Allow);
        DecisionRecord {
            capability: self.kind(),
            verdict: self.judgement.verdict.as_str(),
            decision: Ruling { allowed, reason: if allowed { None } else { self.cause.map(Cause::as_str) } },
            quota: self.tightest_quota().map(|quota| QuotaRecord {
                limit: quota.limit,
                window_seconds: window_seconds(quota),
                remaining: if quota.exceeded { 0 } else { quota.remaining },
            }),
        }
    }
}

/// A decision in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord<'a> {
    /// Kind of the action.
    pub capability: &'a str,
    /// `allow`, `deny`, `require` or `defer`.
    pub verdict: &'static str,
    /// The answer.
    pub decision: Ruling,
    /// The quota with the least left; absent: no quota applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaRecord>,
}

/// Yes, or no and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ruling {
    /// Whether it may be done now.
    pub allowed: bool,
    /// Why not ([`Cause::as_str`]); `null` when allowed.
    pub reason: Option<&'static str>,
}

/// A quota in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaRecord {
    /// How many are allowed within the window.
    pub limit: u64,
    /// The window.
    pub window_seconds: Value,
    /// How many are left after this one.
    pub remaining: u64,
}

//! Why policy answered as it did, in a form to show.

use model::{Judgement, Verdict, time::rfc3339};
use serde::Serialize;

/// An explanation of a judgement, for `aedile policy explain`: from the journal's record of it alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// `allow`, `deny`, `require` or `defer`.
    pub verdict: &'static str,
    /// One sentence.
    pub summary: String,
    /// Rules that decided it, the strongest first.
    pub decisive: Vec<ExplainedRule>,
    /// Rules that had a say but did not decide.
    pub others: Vec<ExplainedRule>,
    /// Digest of the policy set that judged.
    pub policy: String,
    /// Digest of everything it saw.
    pub input: String,
}

/// One rule in an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedRule {
    /// Where it stands.
    pub rule: String,
    /// `allow`, `deny`, `warn`, `require` or `defer`.
    pub said: String,
    /// Why.
    pub message: String,
}

/// Explains a judgement.
///
/// ```
/// use model::{Digest, Judgement, MatchedRule, Verdict};
/// let judgement = Judgement {
///     verdict: Verdict::Deny { reasons: vec!["frozen".into()] },
///     matched: vec![MatchedRule { rule: "policy.yaml#/deny/0".into(), said: "deny".into(), message: "frozen".into() }],
///     policy: Digest::ZERO,
///     input: Digest::ZERO,
/// };
/// let explanation = policy::explain(&judgement);
/// assert_eq!(explanation.summary, "Denied, because frozen.");
/// assert_eq!(explanation.decisive[0].rule, "policy.yaml#/deny/0");
/// ```
pub fn explain(judgement: &Judgement) -> Explanation {
    let verdict = judgement.verdict.as_str();
    let summary = match &judgement.verdict {
        Verdict::Allow if judgement.matched.is_empty() => {
            "Allowed: no rule has a say, and the default is allow.".to_owned()
        }
        Verdict::Allow => "Allowed: no rule that has a say objects.".to_owned(),
        Verdict::Deny { reasons } => format!("Denied, because {}.", reasons.join("; and ")),
        Verdict::Require { approvals } => {
            let names: Vec<_> = approvals.iter().map(|chain| chain.name.as_str()).collect();
            format!("Allowed once people agree, by {}.", names.join(" and by "))
        }
        Verdict::Defer { until, reasons } => {
            format!("Held until {}, because {}.", rfc3339(*until), reasons.join("; and "))
        }
    };
    let (decisive, others): (Vec<_>, Vec<_>) = judgement
        .matched
        .iter()
        .map(|rule| ExplainedRule {
            rule: rule.rule.clone(),
            said: rule.said.clone(),
            message: rule.message.clone(),
        })
        .partition(|rule| rule.said == verdict);
    Explanation {
        verdict,
        summary,
        decisive,
        others,
        policy: judgement.policy.to_string(),
        input: judgement.input.to_string(),
    }
}

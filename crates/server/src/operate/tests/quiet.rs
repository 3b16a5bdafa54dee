//! What the quiet screens show: policy, settings, problems.

use serde_json::json;

use super::super::*;
use super::fixtures::{ago, digest, record_view};

pub(super) fn rules() -> policy::View {
    let rule = |kind: &str, rule: &str, says: &str| json!({"kind": kind, "rule": rule, "says": says});
    policy::View {
        policy: api::Policy {
            digest: digest("policy"),
            files: vec!["policy/policy.yaml".to_owned(), "policy/reach.rego".to_owned()],
            rules: vec![
                rule("deny", "policy/policy.yaml#/deny/0", "no changes to databases from tokens"),
                rule("grant", "policy/policy.yaml#/grants/0", "echo may write work"),
                rule("quota", "policy/policy.yaml#/quotas/0", "releases-per-hour: 4 in 1h"),
                rule("window", "policy/policy.yaml#/windows/0", "closed: no releases on Sunday nights"),
                rule("chain", "release", "2 of team-lead within 2h, then 1 of release-manager within 4h"),
                rule(
                    "require",
                    "policy/policy.yaml#/require/2",
                    "chain release: what cannot be taken back is looked at by two people",
                ),
                rule("rego", "policy/reach.rego#warn", ""),
            ],
        },
        kind: None,
    }
}

pub(super) fn playground() -> policy::Playground {
    policy::Playground {
        past: vec![
            policy::PastDecision { position: 18_188, what: "plan/web as a whole".to_owned(), verdict: "require".to_owned() },
            policy::PastDecision { position: 18_102, what: "echo on shop".to_owned(), verdict: "allow".to_owned() },
        ],
        position: Some(18_188),
        request: serde_json::to_string_pretty(&json!({"environment": "prod", "principal": "user:lea", "subject": "run", "workflow": {"namespace": "plan", "name": "web"}})).unwrap(),
        policy: String::new(),
        answer: Some(api::Evaluated {
            decision: json!({"verdict": "deny", "cause": "time_policy_denied"}),
            explanation: json!({"verdict": "deny", "summary": "Denied, because releases are closed on Sunday nights.",
                "decisive": [{"rule": "policy/policy.yaml#/windows/0", "said": "deny", "message": "no releases on Sunday nights"}],
                "others": [{"rule": "policy/policy.yaml#/require/2", "said": "require", "message": "what cannot be taken back is looked at by two people"}]}),
            warnings: vec!["two quotas count the same".to_owned()],
            request: json!({"environment": "prod"}),
            recorded: Some(json!({"verdict": "require"})),
        }),
        problem: None,
    }
}

pub(super) fn settings(tab: settings::Tab) -> settings::View {
    let token = |name: &str, used: Option<i64>, ended| settings::Token {
        id: format!("tok_{name}"),
        name: name.to_owned(),
        scope: "read, operate in shop/prod".to_owned(),
        created_at: ago(400_000),
        expires_at: Some(ago(if ended { 4_000 } else { -900_000 })),
        used_at: used.map(ago),
        ended,
    };
    let account = |name: &str, administers, active| settings::Account {
        principal: format!("user:{name}"),
        administers,
        active,
        created_at: ago(2_000_000),
    };
    settings::View {
        tab,
        tokens: vec![
            token("ci", Some(30), false),
            token("laptop", None, false),
            token("old", Some(90_000), true),
        ],
        issued: (tab == settings::Tab::Tokens)
            .then(|| "aed_0123456789abcdef0123456789abcdef0123456789ab".to_owned()),
        link: None,
        accounts: vec![
            account("maria", true, true),
            account("lea", false, true),
            account("sam", false, false),
        ],
        keys: vec![settings::Keys {
            project: "shop".to_owned(),
            environment: "prod".to_owned(),
            verifiers: record_view(1).proof.unwrap().verifiers,
        }],
        problem: None,
    }
}

pub(super) fn problem(status: u16, title: &str, detail: &str) -> api::Problem {
    api::Problem {
        kind: "urn:aedile:error:E0008".to_owned(),
        title: title.to_owned(),
        status,
        detail: Some(detail.to_owned()),
        code: Some("E0008".to_owned()),
        causes: Vec::new(),
        hint: Some("aedile runs list".to_owned()),
        findings: Vec::new(),
        state: None,
        request: Some("6f1c0a9e".to_owned()),
    }
}

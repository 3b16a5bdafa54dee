//! What the tests share: facts, actions, policies, and short ways to ask.

use std::sync::Arc;

use model::{
    Action, Capability, Digest, EffectClass, Principal, Reversibility, Role, RunId, StepId, Timestamp,
};
use policy::{Cause, Decision, Facts, NothingUsed, PolicySet, QuotaView, Request, Source, WorkflowFacts};
use serde_json::{Value, json};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn user(name: &str) -> Principal {
    Principal::user(name).unwrap()
}

pub(crate) fn roles(names: &[&str]) -> Vec<Role> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

pub(crate) fn facts() -> Facts {
    Facts {
        environment: "prod".parse().unwrap(),
        principal: user("maria"),
        via: None,
        roles: roles(&["developer"]),
        tenant: None,
        workflow: WorkflowFacts {
            namespace: "ops".to_owned(),
            name: "release".to_owned(),
            version: "1.0.0".to_owned(),
            digest: Digest::of(b"release"),
            origin: model::Origin::Project,
        },
        run: RunId::from_parts(1_700_000_000_000, 7),
        submitted: at("2026-11-21T10:00:00Z"),
        parent: None,
        plan: None,
        input: Arc::new(json!({"version": "2.1"})),
    }
}

pub(crate) fn tenant(name: &str) -> Facts {
    Facts { tenant: Some(name.to_owned()), ..facts() }
}

pub(crate) fn action(kind: &str, target: &str, input: Value, wants: &[&str]) -> Action {
    Action {
        kind: kind.to_owned(),
        target: target.to_owned(),
        input: input.into(),
        effect: EffectClass::Once,
        reversibility: Reversibility::Irreversible,
        wants: wants.iter().map(|want| Capability((*want).to_owned())).collect(),
        idempotency_key: "key".to_owned(),
    }
}

/// An action that needs no grant.
pub(crate) fn plain(kind: &str) -> Action {
    action(kind, "target", json!({}), &[])
}

pub(crate) fn set(yaml: &str) -> PolicySet {
    sets(&[("policy.yaml", yaml)])
}

pub(crate) fn sets(sources: &[(&str, &str)]) -> PolicySet {
    let sources: Vec<_> = sources.iter().map(|(name, text)| Source::new(*name, *text)).collect();
    let (set, findings) = PolicySet::compile(&sources);
    set.unwrap_or_else(|| panic!("{findings:#?}"))
}

/// Findings as `LINE:COLUMN PATH: MESSAGE`.
pub(crate) fn findings(sources: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<_> = sources.iter().map(|(name, text)| Source::new(*name, *text)).collect();
    let (set, findings) = PolicySet::compile(&sources);
    assert_eq!(set.is_none(), !findings.is_empty(), "{findings:?}");
    findings
        .iter()
        .map(|f| {
            let at = &f.location;
            format!("{}:{}:{} {}: {}", at.file, at.line, at.column, at.path, f.message)
        })
        .collect()
}

pub(crate) fn ask(
    set: &PolicySet,
    facts: &Facts,
    action: &Action,
    quotas: &dyn QuotaView,
    now: &str,
) -> Decision {
    let step = StepId::new("/do/0/deploy");
    decide(set, &Request::step(facts, &step, "deploy", 1, action), quotas, at(now))
}

/// Decides, and sees that the decision is the same where nobody wants its document.
pub(crate) fn decide(
    set: &PolicySet,
    request: &Request<'_>,
    quotas: &dyn QuotaView,
    now: Timestamp,
) -> Decision {
    let decision = set.decide(request, quotas, now);
    assert_eq!(decision.judgement.input, Digest::of_json(&decision.document));
    let (bare, full) = (set.judge(request, quotas, now), decision.clone());
    if decision.cause == Some(Cause::Unevaluable) {
        // why can be a time that passed
        assert_eq!((bare.judgement.input, bare.cause), (full.judgement.input, full.cause));
    } else {
        assert_eq!(bare, Decision { document: Value::Null, ..full });
    }
    decision
}

pub(crate) fn ask_plainly(set: &PolicySet, kind: &str, now: &str) -> Decision {
    ask(set, &facts(), &plain(kind), &NothingUsed, now)
}

pub(crate) fn verdict(decision: &Decision) -> &'static str {
    decision.judgement.verdict.as_str()
}

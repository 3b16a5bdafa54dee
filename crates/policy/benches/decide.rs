//! How long a decision takes. Goal: under 50 microseconds for a small policy in Rego.
#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use model::{Action, Digest, EffectClass, Reversibility, RunId, StepId};
use policy::{Facts, NothingUsed, PolicySet, Request, Source, WorkflowFacts};
use serde_json::json;

const YAML: &str = r"
grants:
  - capabilities: ['http:api.example.org']
quotas:
  - {name: calls, match: {action: http.call}, limit: 100, window: PT1H, per: principal}
windows:
  - {match: {environment: prod}, action: allow, days: [Mon, Tue, Wed, Thu, Fri], from: '08:00', to: '18:00', timeZone: Europe/Berlin}
chains:
  release: {levels: [{roles: [team-lead], within: PT4H, onTimeout: escalate}, {roles: [director]}]}
require:
  - {match: {action: wasm.deploy, environment: prod}, chain: release}
";

const SMALL: &str = r#"package aedile

deny contains "developers do not delete in prod" if {
    input.environment == "prod"
    "developer" in input.roles
    input.action.input.method == "DELETE"
}

deny contains msg if {
    some want in input.action.wants
    startswith(want, "http:")
    not endswith(want, ".example.org")
    msg := sprintf("%s may not reach %s", [input.workflow.name, want])
}

warn contains "irreversible in prod" if {
    input.environment == "prod"
    input.action.reversibility == "irreversible"
}

require_approval contains "release" if {
    input.action.kind == "wasm.deploy"
    not weekend
}

weekend if time.weekday(time.parse_rfc3339_ns(input.time.now)) in {"Saturday", "Sunday"}
"#;

const ONE_RULE: &str = "package aedile\n\ndeny contains \"no\" if input.action.kind == \"run.shell\"\n";

fn set(sources: &[(&str, &str)]) -> PolicySet {
    let sources: Vec<_> = sources.iter().map(|(name, text)| Source::new(*name, *text)).collect();
    let (set, findings) = PolicySet::compile(&sources);
    set.unwrap_or_else(|| panic!("{findings:?}"))
}

fn decisions(criterion: &mut Criterion) {
    let facts = Facts {
        environment: "prod".parse().unwrap(),
        principal: "user:maria".parse().unwrap(),
        via: None,
        roles: vec!["developer".parse().unwrap()],
        tenant: None,
        workflow: WorkflowFacts {
            namespace: "ops".to_owned(),
            name: "release".to_owned(),
            version: "1.0.0".to_owned(),
            digest: Digest::of(b"x"),
            origin: model::Origin::Project,
        },
        run: RunId::from_parts(1, 1),
        submitted: "2026-11-20T12:00:00Z".parse().unwrap(),
        parent: None,
        plan: None,
        input: Arc::default(),
    };
    let action = Action {
        kind: "http.call".to_owned(),
        target: "api.example.org".to_owned(),
        input: json!({"method": "POST", "uri": "https://api.example.org/v1/releases", "body": {"version": "2.1", "notes": "x".repeat(100)}}).into(),
        effect: EffectClass::Once,
        reversibility: Reversibility::Irreversible,
        wants: vec![model::Capability("http:api.example.org".to_owned())],
        idempotency_key: "key".to_owned(),
    };
    let step = StepId::new("/do/0/call");
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    let request = Request::step(&facts, &step, "call", 1, &action);
    let mut group = criterion.benchmark_group("decide");
    for (name, sources) in [
        ("yaml", &[("policy.yaml", YAML)][..]),
        ("rego-one-rule", &[("a.rego", ONE_RULE)][..]),
        ("rego-small", &[("policy.yaml", YAML), ("a.rego", SMALL)][..]),
    ] {
        let set = set(sources);
        group.bench_function(name, |bencher| {
            bencher.iter(|| set.decide(black_box(&request), &NothingUsed, now));
        });
    }
    group.finish();
    criterion.bench_function("compile-rego-small", |bencher| {
        bencher.iter(|| set(black_box(&[("policy.yaml", YAML), ("a.rego", SMALL)])));
    });
}

criterion_group!(benches, decisions);
criterion_main!(benches);

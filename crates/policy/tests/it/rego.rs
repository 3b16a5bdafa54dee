//! Rules in Rego.

use model::Verdict;
use policy::{NothingUsed, PolicySet};
use serde_json::json;

use crate::support::*;

const NOON: &str = "2026-11-21T12:00:00Z";

fn rego(rules: &str) -> PolicySet {
    sets(&[
        ("policy.yaml", "chains: {release: {levels: [{roles: [lead]}]}}"),
        ("policy/release.rego", &format!("package aedile\n\n{rules}")),
    ])
}

fn refused(rules: &str) -> Vec<String> {
    findings(&[("policy/release.rego", &format!("package aedile\n\n{rules}"))])
}

#[test]
fn rules_deny_warn_and_require_approval() {
    let set = rego(
        r#"
deny contains "prod is closed to developers" if {
    input.environment == "prod"
    "developer" in input.roles
    input.action.kind == "wasm.deploy"
}

deny contains {"message": sprintf("no %s on weekends", [input.action.kind])} if {
    time.weekday(time.parse_rfc3339_ns(input.time.now)) == "Saturday"
    input.action.kind == "wasm.deploy"
}

warn contains "irreversible" if input.action.reversibility == "irreversible"

require_approval contains "release" if input.action.kind == "wasm.release"
"#,
    );
    let denied = ask_plainly(&set, "wasm.deploy", NOON);
    let Verdict::Deny { reasons } = &denied.judgement.verdict else { panic!("{denied:?}") };
    assert_eq!(reasons, &["prod is closed to developers", "no wasm.deploy on weekends"]);
    let required = ask_plainly(&set, "wasm.release", NOON);
    assert!(
        matches!(&required.judgement.verdict, Verdict::Require { approvals } if approvals[0].name == "release")
    );
    assert_eq!(required.warnings, ["irreversible"]);
    assert_eq!(verdict(&ask_plainly(&set, "wasm.echo", NOON)), "allow");
}

#[test]
fn rules_see_the_whole_document() {
    let set = rego("deny contains json.marshal(input) if true");
    let decision =
        ask(&set, &tenant("acme"), &action("wasm.x", "t", json!({"a": [1, null]}), &[]), &NothingUsed, NOON);
    let Verdict::Deny { reasons } = &decision.judgement.verdict else { panic!() };
    assert_eq!(serde_json::from_str::<serde_json::Value>(&reasons[0]).unwrap(), decision.document);
}

#[test]
fn helpers_in_other_packages_and_files_work() {
    let set = sets(&[
        (
            "a.rego",
            "package aedile\n\nimport data.lib.hours\n\ndeny contains \"closed\" if not hours.open(input.time.now)",
        ),
        (
            "b.rego",
            "package lib.hours\n\nopen(now) if {\n  [hour, _, _] := time.clock(time.parse_rfc3339_ns(now))\n  hour >= 9\n}",
        ),
    ]);
    assert_eq!(verdict(&ask_plainly(&set, "wasm.x", NOON)), "allow");
    assert_eq!(verdict(&ask_plainly(&set, "wasm.x", "2026-11-21T08:59:59Z")), "deny");
}

#[test]
fn infrastructure_29_what_cannot_be_evaluated_denies() {
    for (what, rules) in [
        ("conflict", "f(x) := 1 if x\nf(x) := 2 if x\ndeny contains \"x\" if f(true) == 1"),
        (
            "endless",
            "d := [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\ndeny contains \"x\" if { some a in d; some b in d; some c in d; some e in d; some f in d; some g in d; some h in d; some i in d; a + b + c + e + f + g + h + i < 0 }",
        ),
        ("wrong element", "deny contains 7 if true"),
        ("empty message", "deny contains \"\" if true"),
        (
            "too many",
            "d := [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\ndeny contains sprintf(\"%d%d%d\", [a, b, c]) if { some a in d; some b in d; some c in d }",
        ),
        ("unknown chain", "require_approval contains \"nobody\" if true"),
    ] {
        let decision = ask_plainly(&rego(rules), "wasm.x", NOON);
        assert_eq!(decision.code().map(|code| code.id), Some("E0203"), "{what}: {decision:?}");
        assert_eq!(verdict(&decision), "deny", "{what}");
    }
}

#[test]
fn what_reaches_outside_or_is_not_repeatable_is_refused_at_load() {
    for (builtin, rules) in [
        (
            "http.send",
            "deny contains \"x\" if http.send({\"method\": \"get\", \"url\": \"http://a\"}).status_code == 200",
        ),
        ("rand.intn", "deny contains \"x\" if rand.intn(\"a\", 10) > 5"),
        ("time.now_ns", "deny contains \"x\" if time.now_ns() > 5"),
        ("uuid.rfc4122", "deny contains uuid.rfc4122(\"a\") if true"),
        ("opa.runtime", "deny contains \"x\" if opa.runtime().env.HOME"),
        ("no.such", "deny contains \"x\" if no.such(1)"),
        ("crypto.sha256", "deny contains crypto.sha256(\"a\") if true"),
        // also where nobody asks for the rule
        ("time.now_ns", "deny contains \"x\" if false\nhelper := time.now_ns()"),
        ("no.such", "deny contains \"x\" if false\nhelper := no.such(1)"),
    ] {
        let found = refused(rules);
        assert!(
            found.iter().any(|f| f.contains(builtin) && f.starts_with("policy/release.rego:")),
            "{builtin}: {found:?}"
        );
        assert!(found.iter().all(|f| !f.starts_with("policy/release.rego:1:1")), "{builtin}: {found:?}");
    }
}

#[test]
fn malformed_rules_are_found_at_their_place() {
    for (rules, wanted) in [
        ("deny contains \"x\" if {", "policy/release.rego:3:"),
        ("deny contains msg if true", "policy/release.rego:3:"),
        ("deny := \"x\" if true", "must be a set"),
        ("deny if true", "must be a set"),
        ("other contains \"x\" if true", "no rule `deny`, `warn` or `require_approval`"),
        ("deny contains \"x\" if { input.a with input as {} }", "policy/release.rego:3:"),
        ("deny contains \"x\" if a\na if b\nb if a", "uses itself"),
        ("deny contains \"x\" if f(1)\nf(x) if g(x + 1)\ng(x) if f(x)", "uses itself"),
        ("deny contains x if some x in deny", "uses itself"),
        ("deny contains \"x\" if false\nf(x) if f(x)", "uses itself"),
        ("deny contains \"x\" if count(numbers.range(1, 30000000)) == 5", "numbers.range is not available"),
        ("deny contains sprintf(\"%900000000d\", [1])", "more than 3 digits"),
        ("deny contains \"x\" if data.aedile[input.name]\na if true", "ecursion"),
    ] {
        let found = refused(rules);
        assert!(found.iter().any(|f| f.contains(wanted)), "{rules}: {found:?}");
    }
}

#[test]
fn a_set_is_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    let set = rego("deny contains \"x\" if input.action.kind == \"wasm.deploy\"");
    shared(&set);
    let wanted = ask_plainly(&set, "wasm.deploy", NOON);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(ask_plainly(&set, "wasm.deploy", NOON), wanted)));
        }
    });
}

#[test]
fn what_could_exhaust_the_stack_or_the_parser_is_refused() {
    let deep =
        |depth: usize| format!("deny contains \"x\" if {}1{} == 1", "[".repeat(depth), "]".repeat(depth));
    assert!(
        refused(&deep(5_000))[0].contains("policy/release.rego:3:34 : brackets are nested more than 12 deep")
    );
    rego(&deep(11));
    rego("deny contains \"([{(((((((((((((((((\" if false # ((((((((((((((((((((((((");
    let chain = |length: usize| {
        let links: Vec<_> = (1..length).map(|i| format!("r{i} if r{}\n", i + 1)).collect();
        format!("deny contains \"x\" if r1\n{}r{length} if true", links.concat())
    };
    assert!(refused(&chain(500)).iter().any(|f| f.contains("more than 32")), "{:?}", refused(&chain(500)));
    let set = rego(&chain(31));
    // the deepest that is let through has room on a small stack
    let worker = std::thread::Builder::new().stack_size(1 << 20);
    let decision = worker.spawn(move || verdict(&ask_plainly(&set, "wasm.x", NOON))).unwrap().join().unwrap();
    assert_eq!(decision, "deny");
}

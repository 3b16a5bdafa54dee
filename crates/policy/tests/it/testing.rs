//! Tests of policies.

use policy::Source;
use policy::testing::{TestReport, run};

const POLICY: &str = "
windows: [{match: {action: wasm.deploy}, action: allow, from: '09:00', to: '17:00', timeZone: Europe/Berlin, whenClosed: defer}]
quotas: [{name: q, match: {action: wasm.http}, limit: 1, window: 1h}]
chains: {c: {levels: [{roles: [lead]}]}}
require: [{match: {action: wasm.release}, chain: c}]
";
const REGO: &str = "package aedile\n\ndeny contains \"no deploys by robots\" if {\n  startswith(input.principal, \"token:\")\n  input.action.kind == \"wasm.deploy\"\n}\n";

fn report(extra: &[(&str, &str)]) -> TestReport {
    let all = [("policy.yaml", POLICY), ("a.rego", REGO)];
    let sources: Vec<_> = all.iter().chain(extra).map(|(name, text)| Source::new(*name, *text)).collect();
    run(&sources)
}

fn failures(report: &TestReport) -> Vec<(&str, Option<&str>)> {
    report.results.iter().map(|result| (result.name.as_str(), result.failure.as_deref())).collect()
}

#[test]
fn rego_tests_run_with_mocked_input() {
    let report = report(&[(
        "a_test.rego",
        "package aedile_test\n\nimport data.aedile\n\ntest_robots if {\n  \"no deploys by robots\" in aedile.deny with input as {\"principal\": \"token:ci\", \"action\": {\"kind\": \"wasm.deploy\"}}\n}\n\ntest_people if {\n  count(aedile.deny) == 0 with input as {\"principal\": \"user:a\", \"action\": {\"kind\": \"wasm.deploy\"}}\n}\n\ntest_wrong if false\n\ntest_broken if 1 / 0 == 1\n",
    )]);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert!(!report.passed());
    let found = failures(&report);
    assert_eq!(
        found[..3],
        [("test_robots", None), ("test_people", None), ("test_wrong", Some("it is undefined"))]
    );
    assert!(found[3].1.is_some_and(|why| why.contains("divide by zero")), "{found:?}");
    assert_eq!((report.results[0].file.as_str(), report.results[0].line), ("a_test.rego", 5));
}

#[test]
fn cases_compare_verdicts_reasons_causes_chains_and_times() {
    let good = "
cases:
  - name: waits for the morning
    at: 2026-11-20T20:00:00Z
    request: {action: {kind: wasm.deploy}}
    expect: {verdict: defer, until: 2026-11-21T08:00:00Z, cause: time_policy_denied, rules: ['*windows/0']}
  - name: robots
    at: 2026-11-20T10:00:00Z
    request: {principal: 'token:ci', action: {kind: wasm.deploy}}
    expect: {verdict: deny, reasons: ['*robots'], cause: rule_denied}
  - name: used up
    at: 2026-11-20T10:00:00Z
    request: {action: {kind: wasm.http}}
    used: [{key: q, at: 2026-11-20T09:30:00Z}]
    expect: {verdict: deny, cause: quota_exceeded}
  - name: release
    at: 2026-11-20T10:00:00Z
    request: {action: {kind: wasm.release}}
    expect: {verdict: require, chains: [c]}
  - name: a run
    at: 2026-11-20T10:00:00Z
    request: {workflow: ops/x, input: {a: 1}}
    expect: {verdict: allow}
";
    let good = report(&[("a_test.yaml", good)]);
    assert!(good.passed(), "{good:#?}");
    assert_eq!(good.results.len(), 5);
    for (expect, wanted) in [
        ("verdict: allow", "expected allow, got deny (no deploys by robots)"),
        ("verdict: deny, reasons: [other]", "no reason matches `other` (no deploys by robots)"),
        (
            "verdict: deny, cause: quota_exceeded",
            "expected cause Some(\"quota_exceeded\"), got Some(\"rule_denied\")",
        ),
        ("verdict: deny, chains: [c]", "expected the chains Some([\"c\"]), got []"),
        ("verdict: deny, rules: [nothing]", "no rule that had a say matches `nothing`"),
        ("verdict: deny, until: 2026-11-21T08:00:00Z", "expected it to be possible at"),
    ] {
        let yaml = format!(
            "cases:\n  - name: n\n    at: 2026-11-20T10:00:00Z\n    request: {{principal: 'token:ci', action: {{kind: wasm.deploy}}}}\n    expect: {{{expect}}}\n"
        );
        let report = report(&[("a_test.yaml", &yaml)]);
        let failure = report.results[0].failure.clone().unwrap_or_default();
        assert!(failure.starts_with(wanted), "{expect}: {failure}");
        assert_eq!(report.results[0].line, 2);
    }
}

#[test]
fn tests_that_test_nothing_do_not_pass() {
    assert!(!report(&[]).passed());
    for (name, text) in [
        ("a_test.rego", "package aedile_test\n"),
        ("a_test.rego", "package aedile_test\n\ntest_a if {\n"),
        ("a_test.yaml", "cases: []"),
        ("a_test.yaml", "cases: [{name: n}]"),
        ("a_test.yaml", "cases: [{name: n, at: noon, request: {}, expect: {verdict: allow}}]"),
        (
            "a_test.yaml",
            "cases: [{name: n, at: 2026-11-20T10:00:00Z, request: {principal: x}, expect: {verdict: allow}}]",
        ),
    ] {
        assert!(!report(&[(name, text)]).passed(), "{text}");
    }
    let broken = run(&[Source::new("policy.yaml", "nonsense: 1"), Source::new("a_test.yaml", "cases: []")]);
    assert!(!broken.passed() && broken.results.is_empty());
}

#[test]
fn a_test_helper_that_uses_itself_is_refused_and_not_run() {
    let policy = Source::new("policy.rego", "package aedile\n\ndeny contains \"x\" if input.bad\n");
    let tested = |body: &str| {
        let tests =
            Source::new("a_test.rego", format!("package aedile_test\n\nimport data.aedile\n\n{body}\n"));
        run(&[policy.clone(), tests])
    };
    for circle in [
        "f(x) := f(x + 1)\n\ntest_a if f(1) == 2",
        "f(x) := g(x)\n\ng(x) := data.aedile_test.f(x)\n\ntest_a if f(1) == 2",
        "test_a if {\n    test_a\n}",
    ] {
        let report = tested(circle);
        assert!(report.findings[0].message.contains("uses itself"), "{circle}: {report:?}");
        assert_eq!(report.findings[0].location.file, "a_test.rego");
        assert!(report.results.is_empty());
    }
    let straight = "deny := said if said := aedile.deny with input as {\"bad\": true}\n\n# deny, and test_a\n\
                    test_a if deny == {\"x\"}\n\ntest_b if \"test_b\" == `test_b`";
    let report = tested(straight);
    assert!(report.findings.is_empty(), "{report:?}");
    assert!(report.results.iter().all(|result| result.failure.is_none()), "{report:?}");
    assert_eq!(report.results.len(), 2);
}

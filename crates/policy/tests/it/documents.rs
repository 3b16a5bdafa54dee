//! What is refused when a policy is loaded, and where the finding points.

use crate::support::findings;

fn only(yaml: &str) -> String {
    let mut all = findings(&[("policy/policy.yaml", yaml)]);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn workflows_20_chains_are_checked() {
    assert_eq!(
        only("chains:\n  c:\n    levels:\n      - {level: 1, roles: [a]}\n      - {level: 3, roles: [b]}\n"),
        "policy/policy.yaml:5:17 /chains/c/levels/1/level: chain `c`: levels must be consecutive starting from 1, found 3 where 2 belongs"
    );
    assert_eq!(
        only("chains: {c: {levels: [{level: 1, roles: []}]}}"),
        "policy/policy.yaml:1:41 /chains/c/levels/0/roles: chain `c`: level 1 has no roles, so nobody could decide it"
    );
    assert_eq!(
        only("chains: {c: {levels: []}}"),
        "policy/policy.yaml:1:13 /chains/c: chain `c`: an approval chain needs at least one level"
    );
    assert!(
        only("chains: {c: {levels: [{roles: [a], quorum: 0}]}}")
            .contains("the quorum of level 1 must be 1 to 100")
    );
    assert!(only("chains: {c: {levels: [{roles: [a], within: PT0S}]}}").contains("over as soon as it began"));
    assert!(only("chains: {c: {levels: [{roles: [a], within: soon}]}}").contains("`soon` is not a duration"));
    assert!(only("chains: {c: {levels: [{roles: ['a b']}]}}").contains("`a b` is not a role"));
}

#[test]
fn everything_wrong_is_found_at_its_place() {
    let table = [
        ("defaults: allow", "policy/policy.yaml:1:1 /defaults: unknown field `defaults`"),
        ("default: maybe", "policy/policy.yaml:1:10 /default"),
        (
            "quotas:\n  - {limit: -1, window: 1m}",
            "policy/policy.yaml:2:13 /quotas/0/limit: quotas[0].limit: -1",
        ),
        (
            "quotas:\n  - {limit: 1, window: 1m}\n  - {limit: 1, window: 1mo}",
            ":3:24 /quotas/1/window: quotas[1].window: `1mo`",
        ),
        ("quotas:\n  - {limit: 1}", ":2:6 /quotas/0: missing field `window`"),
        ("quotas:\n  - {limit: many, window: 1m}", ":2:13 /quotas/0/limit"),
        ("quotas:\n  - {limit: 1, windows: 1m}", "/quotas/0"),
        (
            "windows: [{action: allow, timeZone: Mars/Olympus}]",
            ":1:37 /windows/0/timeZone: windows[0].timeZone: `Mars/Olympus` is not",
        ),
        (
            "windows: [{action: allow, from: '9:00'}]",
            ":1:33 /windows/0/from: windows[0].from: `9:00` is not a time",
        ),
        ("windows: [{action: allow, from: '25:00'}]", "`25:00` is not a time"),
        ("windows: [{action: allow, from: '24:00'}]", "24:00 is an end"),
        ("windows: [{action: allow, from: '08:00', to: '08:00'}]", "from and to are the same"),
        ("windows: [{action: allow, dates: ['2026-02-30']}]", "windows[0].dates[0]: `2026-02-30`"),
        ("windows: [{action: allow, dates: [2026-02-03/2026-02-01]}]", "windows[0].dates[0]"),
        ("windows: [{action: allow, days: [Montag]}]", ":1:34 /windows/0/days/0"),
        ("require: [{chain: nobody}]", ":1:19 /require/0/chain: there is no approval chain `nobody`"),
        ("defaultChain: nobody", ":1:15 /defaultChain: there is no approval chain"),
        (
            "grants: [{capabilities: ['run:everything']}]",
            ":1:26 /grants/0/capabilities/0: grants[0].capabilities[0]: `run:everything`",
        ),
        ("grants: [{capabilities: ['http:https://a.example']}]", "without scheme"),
        ("grants: [{wasm: a, capabilities: ['http:*.example']}]", "without wildcards"),
        ("grants: [{wasm: a, capabilities: ['run:shell']}]", "expected log, clock, random"),
        ("grants: [{capabilities: [clock]}]", "only WASM actions need it"),
        ("grants: [{capabilities: []}]", "1 to 256"),
        ("grants: [{capabilities: ['run:shell'], limits: {fuel: 1}}]", "only WASM actions have limits"),
        (
            "quotas: [{limit: 1, window: 1m, per: everybody}]",
            ":1:33 /quotas/0/per: unknown variant `everybody`",
        ),
        ("quotas: [{limit: 1, window: 1m, per: [kind, everybody]}]", "unknown variant `everybody`"),
        ("quotas: [{limit: 1, window: 1m, per: 7}]", "/quotas/0/per"),
        ("deny: [{match: {action: []}}]", "an empty list of patterns would match nothing"),
        ("deny: [{match: {action: ''}}]", "an empty pattern would match nothing"),
        ("deny: [{match: {actor: x}}]", "unknown field `actor`"),
        ("deny: [", "policy/policy.yaml:1:"),
        ("default: allow\ndefault: deny", ":2:1"),
    ];
    let mut missed = Vec::new();
    for (yaml, wanted) in table {
        let found = findings(&[("policy/policy.yaml", yaml)]);
        if !found.iter().any(|finding| finding.contains(wanted)) {
            missed.push(format!("{yaml}\nwanted {wanted}\nfound {found:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
}

#[test]
fn several_findings_are_told_at_once() {
    let found = findings(&[(
        "policy.yaml",
        "quotas: [{limit: -1, window: x}]\nwindows: [{action: allow, timeZone: X}]\nrequire: [{chain: c}]",
    )]);
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[test]
fn a_set_has_one_policy_and_nothing_unknown() {
    let found = findings(&[("a/policy.yaml", ""), ("b/policy.yaml", "")]);
    assert_eq!(found, ["b/policy.yaml:1:1 : a set has one policy.yaml, and a/policy.yaml is one already"]);
    assert!(findings(&[("notes.txt", "")])[0].contains("neither policy.yaml nor a .rego file"));
    let large = format!("# {}", "x".repeat(policy::limits::SOURCE_BYTES));
    assert!(findings(&[("policy.yaml", &large)])[0].contains("more than 1048576"));
}

#[test]
fn the_digest_is_over_names_and_texts_but_not_over_tests() {
    use crate::support::sets;
    let base =
        sets(&[("policy.yaml", "default: deny"), ("a.rego", "package aedile\ndeny contains \"x\" if false")]);
    let swapped =
        sets(&[("a.rego", "package aedile\ndeny contains \"x\" if false"), ("policy.yaml", "default: deny")]);
    assert_eq!(base.digest(), swapped.digest());
    let tested = sets(&[
        ("policy.yaml", "default: deny"),
        ("a.rego", "package aedile\ndeny contains \"x\" if false"),
        ("a_test.rego", "package aedile_test"),
    ]);
    assert_eq!(base.digest(), tested.digest());
    let other = sets(&[
        ("policy.yaml", "default: deny "),
        ("a.rego", "package aedile\ndeny contains \"x\" if false"),
    ]);
    assert_ne!(base.digest(), other.digest());
}

#[test]
fn bombs_are_refused_soon() {
    let aliases = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned()
        + &(b'b'..=b'i')
            .map(|c| {
                let (name, before) = (char::from(c), char::from(c - 1));
                format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 9].join(", "))
            })
            .collect::<Vec<_>>()
            .concat();
    let nested = "[".repeat(100_000);
    for yaml in [aliases.as_str(), &nested, &format!("deny: {nested}"), &"- ".repeat(50_000)] {
        assert!(!findings(&[("policy.yaml", yaml)]).is_empty());
    }
}

proptest::proptest! {
    /// Whatever people write, the answer is a set or a finding with a place.
    #[test]
    fn any_text_is_read_or_refused(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "quotas", "windows", ":", " ", "\n", "  ", "- ", "{", "}", "[", "]", "limit", "1", "-1", "match", "'", "\"",
                "package aedile\n", "deny contains ", "if ", "input", ".", "x", "&a", "*a", "é", "\u{0}", "#", "|", ",", ":=", "some ", "in ", "not ",
            ]),
            0..30,
        ),
    ) {
        let text = words.concat();
        for name in ["policy.yaml", "a.rego"] {
            let (set, findings) = policy::PolicySet::compile(&[policy::Source::new(name, text.clone())]);
            proptest::prop_assert_eq!(set.is_none(), !findings.is_empty());
            proptest::prop_assert!(findings.iter().all(|f| f.location.line > 0 && !f.message.is_empty()), "{:?}", findings);
        }
        let (access, findings) = policy::Access::read(&policy::Source::new("access.yaml", text));
        proptest::prop_assert_eq!(access.is_none(), !findings.is_empty());
    }
}

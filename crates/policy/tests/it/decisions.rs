//! Rules, grants, quotas, windows and what wins.

use model::Verdict;
use policy::{Cause, NothingUsed, PolicySet, QuotaLedger, QuotaUnavailable, QuotaView, Request, compact};
use proptest::prelude::*;
use serde_json::json;

use crate::support::*;

const NOON: &str = "2026-11-21T12:00:00Z";

/// Asks and, when allowed, takes the reservations as the engine does.
fn use_once(
    set: &PolicySet,
    ledger: &mut QuotaLedger,
    facts: &policy::Facts,
    kind: &str,
    now: &str,
) -> policy::Decision {
    let decision = ask(set, facts, &plain(kind), ledger, now);
    for reservation in &decision.reservations {
        ledger.reserve(&reservation.key, decision.at, reservation.amount, "holder");
    }
    decision
}

#[test]
fn workflows_10_a_denial_names_every_reason_and_has_a_code() {
    let set = set("
deny:
  - match: {action: wasm.echo}
    reason: frozen
  - match: {environment: prod}
");
    let decision = ask_plainly(&set, "wasm.echo", NOON);
    let Verdict::Deny { reasons } = &decision.judgement.verdict else { panic!("{decision:?}") };
    assert_eq!(reasons, &["frozen", "wasm.echo is denied by a rule"]);
    assert_eq!(decision.code().map(|code| code.id), Some("E0201"));
    assert_eq!(decision.judgement.matched[0].rule, "policy.yaml#/deny/0");
    assert!(decision.reservations.is_empty());
}

#[test]
fn workflows_23_a_limit_of_one_allows_one_and_kinds_are_independent() {
    let set = set("
quotas:
  - {match: {action: wasm.http}, limit: 1, window: PT60S}
  - {match: {action: wasm.echo}, limit: 3, window: PT60S}
");
    let mut ledger = QuotaLedger::default();
    let first = use_once(&set, &mut ledger, &facts(), "wasm.http", NOON);
    assert_eq!((verdict(&first), first.quotas[0].remaining), ("allow", 0));
    let second = use_once(&set, &mut ledger, &facts(), "wasm.http", NOON);
    assert_eq!(verdict(&second), "deny");
    assert_eq!(second.cause, Some(Cause::Quota));
    let allowed = (0..4)
        .filter(|_| verdict(&use_once(&set, &mut ledger, &facts(), "wasm.echo", NOON)) == "allow")
        .count();
    assert_eq!(allowed, 3);
}

#[test]
fn workflows_24_a_use_stops_to_count_when_its_window_has_passed() {
    let set = set("quotas: [{limit: 1, window: PT60S, onExceed: defer}]");
    let mut ledger = QuotaLedger::default();
    assert_eq!(verdict(&use_once(&set, &mut ledger, &facts(), "wasm.http", NOON)), "allow");
    let held = use_once(&set, &mut ledger, &facts(), "wasm.http", "2026-11-21T12:00:59.999Z");
    let Verdict::Defer { until, .. } = held.judgement.verdict else { panic!("{held:?}") };
    assert_eq!(until, at("2026-11-21T12:01:00Z"));
    assert_eq!(verdict(&use_once(&set, &mut ledger, &facts(), "wasm.http", "2026-11-21T12:01:00Z")), "allow");
}

#[test]
fn workflows_24_the_limit_holds_over_processes_because_uses_come_from_the_journal() {
    let text = "quotas: [{match: {action: wasm.http}, limit: 1, window: PT60S, per: principal}]";
    let mut journal = QuotaLedger::default();
    assert_eq!(verdict(&use_once(&set(text), &mut journal, &facts(), "wasm.http", NOON)), "allow");
    // another process compiles the same text and reads the same journal
    assert_eq!(verdict(&use_once(&set(text), &mut journal, &facts(), "wasm.http", NOON)), "deny");
}

fn imported(text: &str, tenancy: bool) -> PolicySet {
    set(&compact::to_yaml(&compact::import(text).unwrap(), tenancy))
}

fn allowed_of(set: &PolicySet, ledger: &mut QuotaLedger, facts: &policy::Facts, tries: usize) -> usize {
    (0..tries).filter(|_| verdict(&use_once(set, ledger, facts, "wasm.http", NOON)) == "allow").count()
}

#[test]
fn workflows_25_compact_quotas_are_imported() {
    let set = imported("GLOBAL:wasm.http=5:60,TENANT:acme:wasm.http=1:60", true);
    let mut ledger = QuotaLedger::default();
    assert_eq!(allowed_of(&set, &mut ledger, &tenant("acme"), 6), 1);
    assert_eq!(allowed_of(&set, &mut ledger, &tenant("other"), 6), 5);
    assert_eq!(allowed_of(&set, &mut ledger, &facts(), 6), 5);
}

#[test]
fn workflows_25_a_malformed_entry_is_refused_with_its_index() {
    for (text, index) in [
        ("", 0),
        ("GLOBAL:a=1:60,", 1),
        ("GLOBAL:a=1:60,TENANT:a=1:60", 1),
        ("GLOBAL:a=1:60,GLOBAL:b=x:60", 1),
        ("GLOBAL:a=1:60,GLOBAL:b=1:0", 1),
        ("GLOBAL:a=1:60,GLOBAL:b=1", 1),
        ("GLOBAL:a=1:60,TENANT:x:b=1:60,GLOBAL:a=2:60", 2),
        ("LOCAL:a=1:60", 0),
        ("GLOBAL:a b=1:60", 0),
    ] {
        assert_eq!(compact::import(text).unwrap_err().index, index, "{text}");
    }
}

#[test]
fn workflows_26_tenants_have_counters_of_their_own_only_with_tenancy() {
    for (tenancy, second) in [(true, "allow"), (false, "deny")] {
        let set = imported("GLOBAL:wasm.http=1:60", tenancy);
        let mut ledger = QuotaLedger::default();
        assert_eq!(verdict(&use_once(&set, &mut ledger, &tenant("a"), "wasm.http", NOON)), "allow");
        assert_eq!(
            verdict(&use_once(&set, &mut ledger, &tenant("b"), "wasm.http", NOON)),
            second,
            "{tenancy}"
        );
    }
}

#[test]
fn workflows_27_the_most_specific_quota_of_a_group_counts() {
    let all =
        [("tenant: acme, action: wasm.http", 4), ("tenant: acme", 3), ("action: wasm.http", 2), ("", 1)];
    for first in 0..all.len() {
        // whatever the order in the file
        let mut entries: Vec<_> = all[first..].to_vec();
        entries.reverse();
        let yaml = entries.iter().fold("quotas:\n".to_owned(), |yaml, (scope, limit)| {
            yaml + &format!("  - {{group: g, match: {{{scope}}}, limit: {limit}, window: 1m}}\n")
        });
        let set = set(&yaml);
        let wanted = all[first].1;
        let allowed = allowed_of(&set, &mut QuotaLedger::default(), &tenant("acme"), 6);
        assert_eq!(allowed, wanted, "{yaml}");
    }
}

#[test]
fn quotas_outside_a_group_all_count() {
    let set = set("
quotas:
  - {name: per-person, match: {action: wasm.*}, limit: 5, window: 1m, per: principal}
  - {name: all, limit: 2, window: 1h}
");
    let decision = ask_plainly(&set, "wasm.http", NOON);
    let keys: Vec<_> = decision.reservations.iter().map(|r| r.key.as_str()).collect();
    assert_eq!(keys, ["per-person/user:maria", "all"]);
    assert_eq!(decision.tightest_quota().unwrap().limit, 2);
}

#[test]
fn keys_are_safe_and_short_enough_for_streams() {
    let set = set("quotas: [{name: n, limit: 1, window: 1m, per: [principal, target]}]");
    for target in ["a/b c", "ä", &"x".repeat(300)] {
        let action = action("wasm.http", target, json!({}), &[]);
        let decision = ask(&set, &facts(), &action, &NothingUsed, NOON);
        let key = &decision.reservations[0].key;
        assert!(key.is_ascii() && key.len() <= policy::limits::QUOTA_KEY_BYTES, "{key}");
        assert!(!key.contains(' '), "{key}");
    }
}

#[test]
fn quotas_that_cannot_be_read_deny() {
    struct Broken;
    impl QuotaView for Broken {
        fn uses(
            &self,
            key: &str,
            _: model::Timestamp,
        ) -> Result<Vec<(model::Timestamp, u64)>, QuotaUnavailable> {
            Err(QuotaUnavailable { key: key.to_owned(), why: "disk".to_owned() })
        }
    }
    let decision = ask(&set("quotas: [{limit: 9, window: 1m}]"), &facts(), &plain("wasm.x"), &Broken, NOON);
    assert_eq!(decision.code().map(|code| code.id), Some("E0203"));
}

const SUNDAY: &str =
    "windows: [{match: {action: wasm.deploy}, action: deny, days: [Sun], from: '02:00', to: '04:00'}]";

#[test]
fn workflows_28_a_deny_window_denies_inside_and_only_there() {
    let set = set(SUNDAY);
    let inside = ask_plainly(&set, "wasm.deploy", "2026-11-22T03:00:00Z");
    assert_eq!(verdict(&inside), "deny");
    assert_eq!(inside.record().decision.reason, Some("time_policy_denied"));
    for open in
        ["2026-11-22T05:00:00Z", "2026-11-22T04:00:00Z", "2026-11-22T01:59:59Z", "2026-11-21T03:00:00Z"]
    {
        assert_eq!(verdict(&ask_plainly(&set, "wasm.deploy", open)), "allow", "{open}");
    }
}

#[test]
fn workflows_28_rules_for_a_tenant_come_first_and_the_first_that_is_now_decides() {
    let set = set("
windows:
  - {action: deny, from: '10:00', to: '14:00'}
  - {action: allow, from: '00:00', to: '23:00'}
  - {match: {tenant: acme}, action: allow, from: '11:00', to: '13:00'}
");
    let ask_as = |facts: &policy::Facts| ask(&set, facts, &plain("wasm.x"), &NothingUsed, NOON);
    assert_eq!(verdict(&ask_as(&facts())), "deny");
    assert_eq!(verdict(&ask_as(&tenant("acme"))), "allow");
    assert_eq!(verdict(&ask_as(&tenant("other"))), "deny");
}

#[test]
fn workflows_28_a_window_may_span_midnight() {
    let set = set("windows: [{action: deny, days: [Fri], from: '22:00', to: '06:00'}]");
    for (now, wanted) in [
        ("2026-11-20T21:59:00Z", "allow"),
        ("2026-11-20T22:00:00Z", "deny"),
        ("2026-11-21T05:59:00Z", "deny"),
        ("2026-11-21T06:00:00Z", "allow"),
        ("2026-11-20T05:00:00Z", "allow"),
    ] {
        assert_eq!(verdict(&ask_plainly(&set, "wasm.x", now)), wanted, "{now}");
    }
}

#[test]
fn workflows_28_local_time_follows_daylight_saving() {
    let set = set("
windows: [{action: allow, from: '09:00', to: '17:00', timeZone: America/New_York}]
");
    for (now, wanted) in [
        // winter: UTC-5
        ("2026-01-15T13:59:00Z", "deny"),
        ("2026-01-15T14:00:00Z", "allow"),
        ("2026-01-15T21:59:00Z", "allow"),
        ("2026-01-15T22:00:00Z", "deny"),
        // summer: UTC-4
        ("2026-07-15T12:59:00Z", "deny"),
        ("2026-07-15T13:00:00Z", "allow"),
        ("2026-07-15T21:00:00Z", "deny"),
    ] {
        assert_eq!(verdict(&ask_plainly(&set, "wasm.x", now)), wanted, "{now}");
    }
}

#[test]
fn outside_an_allow_window_an_action_can_wait_for_the_exact_opening() {
    let set = set("
windows:
  - name: office hours
    match: {environment: prod}
    action: allow
    days: [Mon, Tue, Wed, Thu, Fri]
    from: '09:00'
    to: '17:00'
    timeZone: Europe/Berlin
    whenClosed: defer
  - {action: deny, dates: [2026-11-23], whenClosed: defer}
");
    // Saturday; Monday the 23rd is taken away only after 17:00 and before 09:00, as the first window decides
    let decision = ask_plainly(&set, "wasm.x", NOON);
    let Verdict::Defer { until, reasons } = &decision.judgement.verdict else { panic!("{decision:?}") };
    assert_eq!(*until, at("2026-11-23T08:00:00Z"));
    assert_eq!(reasons, &["office hours is closed; it opens at 2026-11-23T08:00:00.000Z"]);
    assert_eq!(decision.record().decision.reason, Some("time_policy_denied"));
}

#[test]
fn a_window_that_never_opens_denies() {
    let set = set("windows: [{action: allow, dates: [2020-01-01], whenClosed: defer}]");
    assert_eq!(verdict(&ask_plainly(&set, "wasm.x", NOON)), "deny");
}

#[test]
fn workflows_29_a_closed_window_denies_whatever_is_left_and_quotas_count_in_an_open_one() {
    let set = set(&format!("{SUNDAY}\nquotas: [{{match: {{action: wasm.deploy}}, limit: 1, window: 1d}}]"));
    let mut ledger = QuotaLedger::default();
    let denied = use_once(&set, &mut ledger, &facts(), "wasm.deploy", "2026-11-22T03:00:00Z");
    assert_eq!((verdict(&denied), denied.cause), ("deny", Some(Cause::Time)));
    assert!(denied.reservations.is_empty(), "a denial uses nothing up");
    assert_eq!(denied.quotas[0].remaining, 0);
    assert!(!denied.quotas[0].exceeded);
    assert_eq!(
        verdict(&use_once(&set, &mut ledger, &facts(), "wasm.deploy", "2026-11-22T05:00:00Z")),
        "allow"
    );
    let full = use_once(&set, &mut ledger, &facts(), "wasm.deploy", "2026-11-22T05:00:01Z");
    assert_eq!((verdict(&full), full.cause), ("deny", Some(Cause::Quota)));
}

#[test]
fn workflows_30_windows_alone_are_enforced_and_no_quota_means_no_limit() {
    let set = set(SUNDAY);
    assert_eq!(verdict(&ask_plainly(&set, "wasm.deploy", "2026-11-22T03:00:00Z")), "deny");
    let mut ledger = QuotaLedger::default();
    for _ in 0..1_000 {
        assert_eq!(verdict(&use_once(&set, &mut ledger, &facts(), "wasm.deploy", NOON)), "allow");
    }
}

#[test]
fn workflows_31_the_record_has_window_seconds_and_a_reason_only_when_denied() {
    let set = set("quotas: [{match: {action: wasm.echo}, limit: 1, window: 60s}]");
    let mut ledger = QuotaLedger::default();
    let allowed = use_once(&set, &mut ledger, &facts(), "wasm.echo", NOON);
    assert_eq!(
        serde_json::to_value(allowed.record()).unwrap(),
        json!({
            "capability": "wasm.echo",
            "verdict": "allow",
            "decision": {"allowed": true, "reason": null},
            "quota": {"limit": 1, "windowSeconds": 60, "remaining": 0},
        })
    );
    let denied = use_once(&set, &mut ledger, &facts(), "wasm.echo", NOON);
    assert_eq!(
        serde_json::to_value(denied.record()).unwrap(),
        json!({
            "capability": "wasm.echo",
            "verdict": "deny",
            "decision": {"allowed": false, "reason": "quota_exceeded"},
            "quota": {"limit": 1, "windowSeconds": 60, "remaining": 0},
        })
    );
}

#[test]
fn deny_beats_defer_beats_require_beats_allow() {
    let parts = [
        ("deny", "deny: [{match: {action: wasm.x}}]"),
        ("defer", "windows: [{action: allow, from: '20:00', to: '21:00', whenClosed: defer}]"),
        ("require", "chains: {c: {levels: [{roles: [lead]}]}}\nrequire: [{chain: c}]"),
        ("allow", "allow: [{match: {action: wasm.x}}]"),
    ];
    for weakest in 0..parts.len() {
        let yaml: Vec<_> = parts[weakest..].iter().map(|(_, yaml)| *yaml).collect();
        assert_eq!(verdict(&ask_plainly(&set(&yaml.join("\n")), "wasm.x", NOON)), parts[weakest].0);
    }
}

#[test]
fn deny_by_default_lets_through_what_a_rule_allows_or_people_must_agree_to() {
    let set = set("
default: deny
allow: [{match: {action: wasm.echo}}]
chains: {c: {levels: [{roles: [lead]}]}}
require: [{match: {action: wasm.deploy}, chain: c}]
");
    assert_eq!(verdict(&ask_plainly(&set, "wasm.echo", NOON)), "allow");
    assert_eq!(verdict(&ask_plainly(&set, "wasm.deploy", NOON)), "require");
    let other = ask_plainly(&set, "wasm.other", NOON);
    assert_eq!((verdict(&other), other.cause), ("deny", Some(Cause::Default)));
}

#[test]
fn what_nests_deeper_than_records_may_is_judged_all_the_same() {
    let deep = (0..130).fold(json!(1), |inner, _| json!([inner]));
    let decision =
        ask(&set("default: allow"), &facts(), &action("wasm.x", "t", deep, &[]), &NothingUsed, NOON);
    assert_eq!(decision.judgement.input, model::Digest::of_json(&decision.document));
}

#[test]
fn a_run_is_judged_as_a_whole() {
    let set = set("
chains: {release: {levels: [{roles: [lead]}]}}
require: [{match: {subject: run, workflow: ops/*}, chain: release}]
");
    let facts = facts();
    let decision = decide(&set, &Request::run(&facts), &NothingUsed, at(NOON));
    let Verdict::Require { approvals } = &decision.judgement.verdict else { panic!("{decision:?}") };
    assert_eq!(approvals[0].name, "release");
    assert_eq!(decision.document["run"]["input"], json!({"version": "2.1"}));
    assert_eq!(verdict(&ask_plainly(&set, "wasm.x", NOON)), "allow");
}

#[test]
fn programs_hosts_and_child_workflows_need_a_grant() {
    let nothing = set("");
    let granting = set("
grants:
  - match: {workflow: ops/*}
    capabilities: ['run:shell', 'http:api.example.org GET', 'http:*.internal.example:8443', 'http:localhost:*',
      'http:*.bücher.example']
");
    let http = |method: &str, uri: &str| action("http.call", uri, json!({"method": method, "uri": uri}), &[]);
    for (action, granted) in [
        (plain("run.shell"), true),
        (plain("run.script"), false),
        (plain("run.container"), false),
        (plain("run.workflow"), false),
        (http("GET", "https://api.example.org/x"), true),
        (http("get", "http://API.example.org/x"), true),
        (http("POST", "https://api.example.org/x"), false),
        (http("GET", "https://api.example.org:8443/x"), false),
        (http("PUT", "https://a.internal.example:8443/x"), true),
        (http("PUT", "https://internal.example:8443/x"), false),
        (http("GET", "http://localhost:38123/"), true),
        (http("GET", "https://shop.BÜCHER.example/"), true),
        (http("GET", "https://shop.xn--bcher-kva.example/"), true),
        (http("GET", "https://shop.bucher.example/"), false),
        (http("GET", "https://evil.example/api.example.org"), false),
        (http("GET", "gopher://api.example.org/"), false),
        (action("http.call", "?", json!({}), &[]), false),
        (action("custom.thing", "?", json!({}), &["http:evil.example"]), false),
        (
            action("openapi.call", "?", json!({"document": {"uri": "https://evil.example/a.json"}}), &[]),
            false,
        ),
    ] {
        let decision = ask(&nothing, &facts(), &action, &NothingUsed, NOON);
        assert_eq!(decision.cause, Some(Cause::NotGranted), "{action:?}");
        let decision = ask(&granting, &facts(), &action, &NothingUsed, NOON);
        assert_eq!(verdict(&decision) == "allow", granted, "{action:?} {decision:?}");
    }
}

#[test]
fn what_workflows_declare_of_their_own_accord_needs_no_grant_or_the_one_it_names() {
    let set = set("grants: [{capabilities: ['http:api.example.org GET', 'run:shell']}]");
    let input = json!({"method": "GET", "uri": "https://api.example.org/x"});
    for action in [
        action("wasm.echo", "echo@1.0.0", json!({"name": "echo", "input": {}}), &["wasm:echo"]),
        action("notify.send", "default", json!({"title": "hello"}), &["notify:default"]),
        action("event.emit", "com.example.done", json!({}), &["event:emit"]),
        action("echo", "log", json!({"message": 1}), &[]),
        action("http.call", "api.example.org", input.clone(), &["http:api.example.org"]),
        action(
            "openapi.call",
            "list",
            json!({"document": {"uri": "https://api.example.org/a.json"}}),
            &["http:api.example.org"],
        ),
        action("run.shell", "echo", json!({"command": "echo"}), &["run:shell"]),
    ] {
        let decision = ask(&set, &facts(), &action, &NothingUsed, NOON);
        assert_eq!(verdict(&decision), "allow", "{action:?} {decision:?}");
    }
    // what is declared does not hide what is meant
    let lying = action(
        "http.call",
        "x",
        json!({"method": "GET", "uri": "https://evil.example/"}),
        &["http:api.example.org"],
    );
    let decision = ask(&set, &facts(), &lying, &NothingUsed, NOON);
    let Verdict::Deny { reasons } = &decision.judgement.verdict else { panic!("{decision:?}") };
    assert_eq!(reasons, &["http.call needs http:evil.example GET, which no grant gives"]);
}

#[test]
fn credentials_are_only_sent_to_granted_authorities() {
    let set = set("grants: [{capabilities: ['http:api.example.org']}]");
    let input = json!({
        "method": "GET",
        "uri": "https://api.example.org/",
        "authentication": {"oauth2": {"authority": "https://login.evil.example", "grant": "client_credentials"}},
    });
    let decision = ask(&set, &facts(), &action("http.call", "", input, &[]), &NothingUsed, NOON);
    assert_eq!(decision.cause, Some(Cause::NotGranted));
}

#[test]
fn wasm_actions_get_what_the_project_grants_them_and_nothing_else() {
    let set = set("
grants:
  - wasm: http-fetch
    capabilities: ['http:api.example.org GET', 'kv:fetch', clock]
    limits: {memoryBytes: 33554432, time: PT5S}
  - capabilities: ['run:shell']
");
    let decision = ask(&set, &facts(), &plain("wasm.http-fetch"), &NothingUsed, NOON);
    assert_eq!(decision.granted.capabilities, ["http:api.example.org GET", "kv:fetch", "clock", "log"]);
    assert_eq!(decision.granted.limits.memory_bytes, Some(33_554_432));
    assert!(decision.granted.allows_request("GET", "https://api.example.org/x"));
    assert!(!decision.granted.allows_request("POST", "https://api.example.org/x"));
    let other = ask(&set, &facts(), &plain("wasm.echo"), &NothingUsed, NOON);
    assert_eq!(other.granted.capabilities, ["log"]);
    let greedy = action("wasm.echo", "", json!({}), &["clock"]);
    assert_eq!(ask(&set, &facts(), &greedy, &NothingUsed, NOON).cause, Some(Cause::NotGranted));
}

#[test]
fn the_input_digest_covers_everything_that_was_seen() {
    let set = set("quotas: [{limit: 9, window: 1m}]");
    let base = ask_plainly(&set, "wasm.x", NOON);
    assert_eq!(base, ask_plainly(&set, "wasm.x", NOON), "the same question has the same answer");
    let digest = |decision: policy::Decision| decision.judgement.input;
    let mut used = QuotaLedger::default();
    used.reserve(&base.reservations[0].key, at("2026-11-21T11:59:59Z"), 1, "x");
    for other in [
        ask_plainly(&set, "wasm.y", NOON),
        ask_plainly(&set, "wasm.x", "2026-11-21T12:00:00.001Z"),
        ask(&set, &tenant("a"), &plain("wasm.x"), &NothingUsed, NOON),
        ask(&set, &facts(), &plain("wasm.x"), &used, NOON),
    ] {
        assert_ne!(digest(other), base.judgement.input);
    }
}

proptest! {
    #[test]
    fn the_ledger_counts_like_a_list_of_uses(
        steps in proptest::collection::vec((0u8..4, 0i64..5_000, 1u64..4, 0u8..3), 1..80),
        window_ms in 1i64..20_000,
        limit in 0u64..12,
    ) {
        let window = model::time::SignedDuration::from_millis(window_ms);
        let mut ledger = QuotaLedger::default();
        // (when, how much, who, open)
        let mut naive: Vec<(i64, u64, String, bool)> = Vec::new();
        let mut clock = 1_700_000_000_000_i64;
        let yaml = format!("quotas: [{{name: q, limit: {limit}, window: {window_ms}ms, onExceed: defer}}]");
        let set = set(&yaml);
        for (what, passes, amount, who) in steps {
            clock += passes;
            let now = model::Timestamp::from_millisecond(clock).unwrap();
            let who = format!("run_{who}");
            let open = naive.iter_mut().find(|(_, _, holder, open)| *open && *holder == who);
            match what {
                0 => {
                    prop_assert_eq!(ledger.commit("q", &who), open.is_some());
                    if let Some(used) = open { used.3 = false; }
                }
                1 => {
                    prop_assert_eq!(ledger.refund("q", &who), open.is_some());
                    if let Some(index) = naive.iter().position(|(_, _, h, open)| *open && *h == who) {
                        naive.remove(index);
                    }
                }
                _ => {
                    ledger.reserve("q", now, amount, &who);
                    naive.push((clock, amount, who, true));
                }
            }
            let used_at = |t: i64| naive.iter().filter(|u| u.0 > t - window_ms && u.0 <= t).map(|u| u.1).sum::<u64>();
            let decision = ask(&set, &facts(), &plain("wasm.x"), &ledger, &now.to_string());
            prop_assert_eq!(decision.quotas[0].used, used_at(clock));
            prop_assert_eq!(decision.quotas[0].window, window);
            match decision.judgement.verdict {
                Verdict::Allow => prop_assert!(used_at(clock) < limit),
                Verdict::Defer { until, .. } => {
                    let until = until.as_millisecond();
                    let later = |t: i64| naive.iter().filter(|u| u.0 > t - window_ms).map(|u| u.1).sum::<u64>();
                    prop_assert!(later(until) < limit, "there is room then");
                    prop_assert!(later(until - 1) >= limit, "and not a moment earlier");
                }
                verdict => prop_assert!(limit == 0, "{verdict:?}"),
            }
        }
    }
}

//! Decisions are repeated from what was recorded of them.

use policy::{NothingUsed, QuotaLedger, Request};
use serde_json::json;

use crate::support::*;

const POLICY: &str = "
grants: [{capabilities: ['http:api.example.org']}]
quotas: [{name: q, limit: 2, window: 90s, per: [principal], onExceed: defer}]
windows: [{action: deny, days: [Sun]}]
chains: {c: {levels: [{roles: [lead]}]}}
require: [{match: {action: wasm.release}, chain: c}]
";
const REGO: &str = "package aedile\n\ndeny contains \"no\" if input.action.input.n > 3\n\nwarn contains sprintf(\"%v used\", [input.quotas[0].used]) if true";

#[test]
fn a_recorded_decision_is_repeated_bit_for_bit() {
    let set = sets(&[("policy.yaml", POLICY), ("a.rego", REGO)]);
    let mut ledger = QuotaLedger::default();
    let mut about = tenant("acme");
    about.via = Some(user("root"));
    about.parent = Some(model::RunId::from_parts(5, 5));
    for (index, now) in
        ["2026-11-21T12:00:00Z", "2026-11-21T12:00:30.5Z", "2026-11-21T12:00:31Z", "2026-11-22T12:00:00Z"]
            .into_iter()
            .enumerate()
    {
        let run = decide(&set, &Request::run(&about), &ledger, at(now));
        assert_eq!(set.replay(&run.document).unwrap(), run);
        for action in [
            plain("wasm.release"),
            action(
                "wasm.x",
                "t",
                json!({"n": 4, "f": 1.5, "deep": [null, {"a": "ä"}]}),
                &["http:api.example.org"],
            ),
            action("http.call", "t", json!({"uri": "https://api.example.org/", "n": index}), &[]),
        ] {
            let decision = ask(&set, &about, &action, &ledger, now);
            // through the text that is stored, as a journal would have it
            let stored = model::canonical::to_vec(&decision.document);
            let document: serde_json::Value = serde_json::from_slice(&stored).unwrap();
            let repeated = set.replay(&document).unwrap();
            assert_eq!(repeated.judgement, decision.judgement);
            assert_eq!(
                (repeated.reservations, repeated.quotas, repeated.granted),
                (decision.reservations, decision.quotas, decision.granted)
            );
        }
        ledger.reserve("q/user:maria", at(now), 1, "x");
    }
}

#[test]
fn another_policy_shows_what_it_would_have_decided() {
    let (old, new) = (set("default: allow"), set("default: deny"));
    let decision = ask_plainly(&old, "wasm.x", "2026-11-21T12:00:00Z");
    assert_eq!(verdict(&new.replay(&decision.document).unwrap()), "deny");
}

#[test]
fn what_is_no_document_is_refused() {
    let set = set("");
    let good = ask(&set, &facts(), &plain("wasm.x"), &NothingUsed, "2026-11-21T12:00:00Z").document;
    for change in [
        ("/principal", json!("nobody")),
        ("/action", json!(null)),
        ("/action/effect", json!("twice")),
        ("/time/unixMs", json!(i64::MAX)),
        ("/subject", json!("everything")),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(change.0).unwrap() = change.1;
        assert!(set.replay(&bad).is_err(), "{}", change.0);
    }
    assert!(set.replay(&json!({})).is_err());
}

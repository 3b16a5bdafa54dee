//! Changes of hosts: what they may touch, and rules about whole plans.

use model::canonical::Text;
use policy::{Facts, NothingUsed, Request};
use serde_json::json;

use crate::support::*;

const NOON: &str = "2026-11-21T12:00:00Z";

#[test]
fn changes_of_resources_touch_what_is_granted_and_nothing_else() {
    let granting = set("
grants:
  - match: {action: resource.*}
    capabilities: ['write:/etc/nginx/*', 'read:/var/*', 'exec:/usr/bin/apt-get install *', 'tcp:127.0.0.1:*',
      'http:127.0.0.1:8080 GET']
");
    for (want, granted) in [
        ("write:/etc/nginx/nginx.conf", true),
        ("read:/etc/nginx/nginx.conf", true),
        ("parents:/etc/nginx/sites", true),
        ("write:/etc/nginxx", false),
        ("write:/etc/nginx/../shadow", false),
        ("write:{path}", false),
        ("read:/var/log/x", true),
        ("write:/var/log/x", false),
        ("exec:/usr/bin/apt-get install nginx", true),
        ("query:/usr/bin/apt-get install nginx", true),
        ("exec:/usr/bin/apt-get remove nginx", false),
        ("tcp:127.0.0.1:22", true),
        ("tcp:10.0.0.1:22", false),
        ("http:http://127.0.0.1:8080/health", true),
        ("http:http://127.0.0.1:8081/health", false),
        ("facts", true),
    ] {
        let action = action("resource.update", "web-1/x", json!({}), &[want]);
        let decision = ask(&granting, &facts(), &action, &NothingUsed, NOON);
        assert_eq!(verdict(&decision) == "allow", granted, "{want} {decision:?}");
    }
    for (capability, why) in [
        ("write:etc", "a path begins with /"),
        ("read:/etc/../x", "a path is plain"),
        ("exec:apt-get", "a program is named by its path"),
        ("parents:/etc", "expected run:shell"),
    ] {
        let found = findings(&[("policy.yaml", &format!("grants: [{{capabilities: ['{capability}']}}]"))]);
        assert!(found[0].contains(why), "{found:?}");
    }
}

#[test]
fn rego_and_rules_see_the_plan_that_a_run_applies() {
    let rego = "package aedile\nimport rego.v1\ndeny contains \"nothing is deleted in production\" if {\n  \
                input.environment == \"prod\"\n  some change in input.plan.changes\n  change.operation == \"delete\"\n}\n";
    let set = sets(&[
        ("policy.yaml", "deny: [{match: {action: plan.apply, environment: frozen}, reason: frozen}]"),
        ("policies/delete.rego", rego),
    ]);
    let applying = |operation: &str| Facts {
        plan: Some(Text::from(&json!({"changes": [{"operation": operation}]}))),
        ..facts()
    };
    let decide = |facts: &Facts| decide(&set, &Request::run(facts), &NothingUsed, at(NOON));
    assert_eq!(verdict(&decide(&applying("create"))), "allow");
    let denied = decide(&applying("delete"));
    assert_eq!(verdict(&denied), "deny");
    assert_eq!(set.replay(&denied.document).unwrap().judgement, denied.judgement, "the document is enough");
    let frozen = Facts { environment: "frozen".parse().unwrap(), ..applying("create") };
    assert_eq!(verdict(&decide(&frozen)), "deny");
    assert_eq!(verdict(&decide(&Facts { plan: None, ..frozen })), "allow", "another kind of run");
}

#[test]
fn what_is_foretold_is_what_is_decided() {
    let yaml = "
deny: [{match: {action: run.*}, reason: no programs}]
windows: [{action: deny, days: [Sun], from: '00:00', to: '06:00', timeZone: UTC}]
";
    let rego = "package aedile\ndeny contains \"by its input\" if input.plan.changes > 3\nwarn contains \"big\" if input.plan.changes > 1";
    let chain = "
chains: {lead: {levels: [{roles: [team-lead], within: 1h}]}}
require: [{match: {action: plan.apply}, chain: lead}]
quotas: [{match: {action: http.call}, limit: 1, window: 1h}]
";
    let sets = [set(""), set(yaml), set(chain), sets(&[("policy.yaml", chain), ("own.rego", rego)])];
    assert_eq!(sets.each_ref().map(policy::PolicySet::reads_documents), [false, false, false, true]);
    for set in &sets {
        for changes in [1, 2, 4] {
            let planned = Facts { plan: Some(Text::from(&json!({"changes": changes}))), ..facts() };
            for moment in [NOON, "2026-11-22T01:00:00Z"] {
                let request = Request::run(&planned);
                let decided = set.decide(&request, &NothingUsed, at(moment));
                let told = set.foretell(&request, at(moment));
                assert_eq!((&told.verdict, &told.warnings), (&decided.judgement.verdict, &decided.warnings));
                for kind in ["run.shell", "http.call"] {
                    let (step, action) = (model::StepId::new("a"), plain(kind));
                    let request = Request::step(&planned, &step, "a", 1, &action);
                    let decided = set.decide(&request, &NothingUsed, at(moment));
                    assert_eq!(set.foretell(&request, at(moment)).verdict, decided.judgement.verdict);
                }
            }
        }
    }
}

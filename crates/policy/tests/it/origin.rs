//! Whose definition it is, and what that is given.

use policy::{Cause, NothingUsed, PolicySet, Request};

use crate::support::*;

const NOON: &str = "2026-11-21T12:00:00Z";

/// A text that came with the request, called as the project's own is.
fn sent() -> policy::Facts {
    let workflow = policy::WorkflowFacts { origin: model::Origin::Caller, ..facts().workflow };
    policy::Facts { workflow, ..facts() }
}

fn run(set: &PolicySet, facts: &policy::Facts) -> policy::Decision {
    decide(set, &Request::run(facts), &NothingUsed, at(NOON))
}

#[test]
fn a_definition_that_came_with_the_request_runs_only_where_a_rule_says_so() {
    for nothing_said in ["", "allow: [{match: {workflow: ops/*}}]", "allow: [{match: {origin: project}}]"] {
        let set = set(nothing_said);
        assert_eq!(verdict(&run(&set, &facts())), "allow", "{nothing_said}");
        let refused = run(&set, &sent());
        assert_eq!((verdict(&refused), refused.cause), ("deny", Some(Cause::Default)), "{nothing_said}");
        let last = refused.judgement.matched.last().unwrap();
        assert!(last.rule == "origin" && last.message.contains("origin: caller"), "{last:?}");
    }
    let set = set("allow: [{match: {origin: caller, principal: user:maria}}]");
    assert_eq!(verdict(&run(&set, &sent())), "allow");
    let other = policy::Facts { principal: user("olga"), ..sent() };
    assert_eq!(verdict(&run(&set, &other)), "deny");
}

#[test]
fn what_is_granted_to_a_workflow_is_not_granted_to_a_text_that_goes_by_its_name() {
    let grants = "
grants:
  - {match: {workflow: ops/release}, capabilities: [\"run:shell\"]}
  - {match: {workflow: ops/release, origin: caller}, capabilities: [\"run:script\"]}
require: [{match: {action: run.script}, chain: lead}]
chains: {lead: {levels: [{roles: [lead]}]}}
";
    let set = set(grants);
    let asked =
        |facts: &policy::Facts, kind: &str| verdict(&ask(&set, facts, &plain(kind), &NothingUsed, NOON));
    assert_eq!((asked(&facts(), "run.shell"), asked(&facts(), "run.script")), ("allow", "deny"));
    assert_eq!((asked(&sent(), "run.shell"), asked(&sent(), "run.script")), ("deny", "require"));
}

#[test]
fn whose_text_it_is_is_in_the_document_where_it_is_not_the_projects() {
    let set = set("allow: [{match: {origin: caller}}]");
    let (own, sent) = (run(&set, &facts()), run(&set, &sent()));
    assert_eq!(own.document["workflow"].get("origin"), None);
    assert_eq!(sent.document["workflow"]["origin"], "caller");
    assert_eq!(set.replay(&sent.document).unwrap().judgement, sent.judgement);
}

//! Applying: order, limits, failure, retries, handlers, batches, cancel, replay.

use std::cell::RefCell;
use std::rc::Rc;

use model::{Happening, Outcome, Problem, Program, StepId};
use plan::apply::{Apply, Options, ResourceInput};
use plan::{Check, DependencyKind, Desired, Held, Plan, Resource, Selector, output_reference};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::driver::{Driver, run_id};
use crate::support::*;

fn created(resources: &[Resource], hosts: &[&str]) -> Plan {
    make(resources, &empty(hosts, resources))
}

fn failing(
    target: &'static str,
    problem: Problem,
) -> impl FnMut(&model::Action, u32) -> Option<Result<serde_json::Value, Problem>> {
    move |action, _| Some(if action.target == target { Err(problem.clone()) } else { Ok(json!({})) })
}

#[test]
fn infrastructure_15_a_chain_is_applied_in_order_and_the_rest_overlaps() {
    let chain = [needing("c", &["b"]), needing("b", &["a"]), needing("a", &[])];
    let mut driver = Driver::new(created(&chain, &["h"]), Options::default());
    driver.go();
    assert_eq!(driver.performed, ["resource.create h/a", "resource.create h/b", "resource.create h/c"]);
    assert_eq!(driver.most_flying, 1);
    assert!(matches!(driver.outcome, Some(Outcome::Completed { .. })));

    let many: Vec<_> = (0..600).map(|n| needing(&format!("r{n}"), &[])).collect();
    for (concurrency, per_host, hosts, most) in [
        (0, 0, &["h"][..], 512),
        (3, 0, &["h"], 3),
        (10, 2, &["h"], 2),
        (10, 2, &["h1", "h2"], 4),
        (5, 4, &["h1", "h2"], 5),
    ] {
        let options = Options { concurrency, per_host, ..Options::default() };
        let mut driver = Driver::new(created(&many, hosts), options);
        driver.go();
        assert_eq!(driver.most_flying, most, "{concurrency} at once, {per_host} a host");
        assert_eq!(driver.performed.len(), 600 * hosts.len());
    }
}

#[test]
fn a_report_names_a_thousand_and_counts_all() {
    let many: Vec<_> = (0..=plan::limits::REPORT_NAMES_MAX).map(|n| needing(&format!("r{n}"), &[])).collect();
    let done = |changed: bool| move |_: &model::Action, _: u32| Some(Ok(json!({ "changed": changed })));
    let mut driver = Driver::new(created(&many, &["h"]), Options::default()).performing(done(true));
    driver.go();
    let report = driver.report();
    assert_eq!((report.succeeded, report.changed, report.done.len()), (1_001, 1_001, 1_000));
    let mut driver = Driver::new(created(&many[..2], &["h"]), Options::default()).performing(done(false));
    driver.go();
    let report = driver.report();
    assert_eq!((report.succeeded, report.changed, report.done.len()), (2, 0, 0));
}

#[test]
fn a_stale_plan_does_nothing_and_a_fresh_one_goes_on() {
    let stale = |attempts: u32| {
        move |action: &model::Action, attempt: u32| {
            Some(match action.kind.as_str() {
                "plan.check" if attempt <= attempts => Err(Problem::runtime("the plan is stale")),
                _ => Ok(json!({})),
            })
        }
    };
    let plan = created(&[needing("a", &[])], &["h"]);
    let mut driver = Driver::checking(plan.clone(), Options::default()).performing(stale(1));
    driver.go();
    let Some(Outcome::Faulted { problem }) = &driver.outcome else { panic!("{:?}", driver.outcome) };
    assert_eq!(problem.to_string(), Problem::runtime("the plan is stale").to_string());
    assert_eq!(driver.performed, ["plan.check prod"], "nothing else was done");
    // what moved may have moved back
    driver.outcome = None;
    driver.tell(Happening::RetryRequested { from: None });
    driver.go();
    assert!(matches!(driver.outcome, Some(Outcome::Completed { .. })));
    assert_eq!(driver.performed[1..], ["plan.check prod", "resource.create h/a"]);

    let mut driver = Driver::checking(plan, Options::default())
        .performing(|action, _| (action.kind != "plan.check").then(|| Ok(json!({}))));
    driver.go();
    driver.tell(Happening::CancelRequested { reason: None });
    driver.go();
    assert_eq!(driver.outcome, Some(Outcome::Cancelled));
    assert_eq!(driver.abandoned, ["#check"]);
    assert_eq!(driver.report().skipped, 1);
}

#[test]
fn no_level_waits_for_another() {
    // b2 needs only b1; a slow a1 keeps nobody waiting but a2
    let all = [needing("a1", &[]), needing("a2", &["a1"]), needing("b1", &[]), needing("b2", &["b1"])];
    let mut driver = Driver::new(created(&all, &["h"]), Options::default())
        .performing(|action, _| (action.target != "h/a1").then(|| Ok(json!({}))));
    driver.go();
    assert_eq!(driver.performed, ["resource.create h/a1", "resource.create h/b1", "resource.create h/b2"]);
    assert!(driver.outcome.is_none());
}

#[test]
fn infrastructure_16_what_needs_a_failed_change_is_skipped_and_the_rest_is_finished() {
    let all = [needing("a", &[]), needing("b", &["a"]), needing("c", &[])];
    let mut driver = Driver::new(created(&all, &["h"]), Options::default())
        .performing(failing("h/a", Problem::runtime("disk full")));
    driver.go();
    let report = driver.report();
    assert_eq!((report.succeeded, report.changed, report.failed, report.skipped), (1, 1, 1, 1));
    assert_eq!(report.done, ["h/c"]);
    assert_eq!(driver.records["h/b"], Ok(json!({"skipped": true, "because": "h/a failed"})));
    let Some(Outcome::Faulted { problem }) = &driver.outcome else { panic!("{:?}", driver.outcome) };
    assert_eq!(problem.code.as_deref(), Some("E0810"));
    insta::assert_snapshot!(problem);
}

#[test]
fn what_only_comes_after_a_failed_change_is_done() {
    let mut ordered = needing("b", &[]);
    ordered = ordered.after(id("a"), DependencyKind::Order);
    let all = [needing("a", &[]), ordered];
    let mut driver = Driver::new(created(&all, &["h"]), Options::default())
        .performing(failing("h/a", Problem::runtime("x")));
    driver.go();
    assert_eq!(driver.report().succeeded, 1);
}

#[test]
fn infrastructure_18_transient_failures_are_retried_and_permanent_ones_are_not() {
    let one = [needing("a", &[])];
    let attempts = |problem: Problem, max_retries: u32| {
        let options = Options { max_retries, ..Options::default() };
        let mut driver = Driver::new(created(&one, &["h"]), options).performing(failing("h/a", problem));
        driver.go();
        driver
    };
    let driver = attempts(Problem::runtime("no such package"), 3);
    assert_eq!((driver.performed.len(), driver.report().failed), (1, 1));
    let driver = attempts(Problem::communication("unavailable").with_status(503), 3);
    assert_eq!(driver.performed.len(), 4);
    assert_eq!(driver.pauses.len(), 3);
    assert!(driver.report().not_done[0].because.contains("unavailable"), "the last error is kept");
    let keys: std::collections::BTreeSet<_> =
        driver.actions.iter().map(|action| &action.idempotency_key).collect();
    assert_eq!(keys.len(), 1, "one key over every attempt");
    let throttled =
        Problem { retry_after_ms: Some(30_000), ..Problem::communication("slow down").with_status(429) };
    let driver = attempts(throttled, 1);
    assert!(driver.pauses[0] >= 30_000, "{:?}", driver.pauses);
    assert_eq!(driver.report().failed, 1, "it was answered, so it is known not to be done");

    let mut driver = Driver::new(created(&one, &["h"]), Options::default()).performing(|_, attempt| {
        Some(if attempt < 3 { Err(Problem::timeout("10 s")) } else { Ok(json!({})) })
    });
    driver.go();
    assert!(matches!(driver.outcome, Some(Outcome::Completed { .. })));
}

#[test]
fn infrastructure_19_cancel_begins_nothing_more_and_says_what_is_uncertain() {
    let all: Vec<_> = (0..6).map(|n| needing(&format!("r{n}"), &[])).collect();
    let options = Options { concurrency: 2, ..Options::default() };
    let ends = |action: &model::Action, _| (action.target == "h/r0").then(|| Ok(json!({})));
    let mut driver = Driver::new(created(&all, &["h"]), options).performing(ends);
    driver.go();
    assert_eq!(driver.performed.len(), 3);
    driver.tell(Happening::CancelRequested { reason: None });
    driver.go();
    assert_eq!(driver.outcome, Some(Outcome::Cancelled));
    assert_eq!(driver.performed.len(), 3, "nothing more was begun");
    assert_eq!(driver.abandoned, ["h/r1", "h/r2"]);
    let report = driver.report();
    assert_eq!((report.succeeded, report.uncertain, report.skipped), (1, 2, 3));
    driver.tell(Happening::Completed { step: StepId::new("h/r1"), output: json!({}).into() });
    assert_eq!(driver.run.ready(), [], "it stays cancelled");
}

fn nginx() -> Vec<Resource> {
    vec![
        needing("conf", &[]),
        needing("hba", &[]),
        service("nginx").after(id("conf"), DependencyKind::Notify).after(id("hba"), DependencyKind::Notify),
    ]
}

fn drifted(resources: &[Resource], hosts: &[&str], touched: &[&str]) -> Plan {
    let mut world = settled(hosts, resources);
    for one in touched {
        touch(&mut world, one, "owner", "eve");
    }
    make(resources, &world)
}

#[test]
fn infrastructure_20_a_handler_runs_once_after_everything_it_watches() {
    let all = nginx();
    let plan = drifted(&all, &["h"], &["h/conf", "h/hba"]);
    let mut driver = Driver::new(plan.clone(), Options::default());
    driver.go();
    assert_eq!(
        driver.performed,
        ["resource.update h/conf", "resource.update h/hba", "resource.handle h/nginx"]
    );
    let input: ResourceInput = serde_json::from_value(Value::clone(&driver.actions[2].input)).unwrap();
    assert_eq!(input.handler, Some(name("restart")));

    let mut driver =
        Driver::new(plan.clone(), Options::default()).performing(|_, _| Some(Ok(json!({"changed": false}))));
    driver.go();
    assert_eq!(driver.performed.len(), 2, "nothing changed, so nothing is restarted");
    assert_eq!(driver.report().idle, 1);

    let mut driver =
        Driver::new(plan, Options::default()).performing(failing("h/conf", Problem::runtime("disk full")));
    driver.go();
    assert_eq!(driver.performed.last().unwrap(), "resource.handle h/nginx", "the other one did change");
}

#[test]
fn checks_run_last_and_only_where_something_changed() {
    let all = nginx();
    let check = Check {
        name: name("up"),
        kind: "probe::http".parse().unwrap(),
        attributes: [(name("url"), plan::Attribute::new("http://localhost/", place(9)))].into(),
        on: Selector::All,
        place: place(9),
    };
    let mut world = settled(&["h1", "h2"], &all);
    touch(&mut world, "h1/conf", "owner", "eve");
    let desired = Desired { resources: all, checks: vec![check] };
    let plan = plan::plan(&desired, &world, &schemas(), &header()).unwrap();
    let mut driver = Driver::new(plan, Options::default());
    driver.go();
    assert_eq!(
        driver.performed,
        ["resource.update h1/conf", "resource.handle h1/nginx", "resource.check h1/check/up"]
    );
}

#[test]
fn a_canary_goes_first_and_its_failure_ends_the_run() {
    let one = [needing("a", &[])];
    let hosts = ["h1", "h2", "h3", "h4", "h5"];
    let options = Options { canary: 1, batch: 2, ..Options::default() };
    let mut driver = Driver::new(created(&one, &hosts), options.clone());
    driver.go();
    assert_eq!(driver.performed.len(), 5);
    assert_eq!(driver.most_flying, 2, "one, then two, then two");

    let mut driver =
        Driver::new(created(&one, &hosts), options).performing(failing("h1/a", Problem::runtime("x")));
    driver.go();
    assert_eq!(driver.performed, ["resource.create h1/a"]);
    let report = driver.report();
    assert_eq!((report.failed, report.skipped), (1, 4));
    assert_eq!(report.not_done[1].because, "something failed on the canary host h1");
}

#[test]
fn more_failures_than_allowed_stop_the_batches() {
    let one = [needing("a", &[]), needing("b", &["a"])];
    let hosts = ["h1", "h2", "h3", "h4", "h5", "h6"];
    let options = Options { batch: 2, max_failures: Some(1), ..Options::default() };
    let bad = |action: &model::Action, _| {
        let fails = action.target == "h1/a" || action.target == "h3/a";
        Some(if fails { Err(Problem::runtime("x")) } else { Ok(json!({})) })
    };
    let mut driver = Driver::new(created(&one, &hosts), options).performing(bad);
    driver.go();
    assert!(
        !driver.performed.iter().any(|one| one.contains("h5") || one.contains("h6")),
        "{:?}",
        driver.performed
    );
    assert_eq!(driver.report().failed, 2);
}

#[test]
fn a_dependency_on_a_later_batch_does_not_lock_up() {
    let hosts = |names: &[&str]| Selector::Hosts(names.iter().map(|one| host(one)).collect());
    let all = [needing("db", &[]).on(hosts(&["h3"])), needing("app", &["db"]).on(hosts(&["h1", "h2"]))];
    let options = Options { batch: 1, ..Options::default() };
    let mut driver = Driver::new(created(&all, &["h1", "h2", "h3"]), options);
    driver.go();
    assert_eq!(driver.performed[0], "resource.create h3/db");
    assert_eq!(driver.performed.len(), 3);
}

#[test]
fn references_are_filled_in_with_what_applying_yielded() {
    let sum = output_reference(&id("a"), &name("checksum"));
    let both = [file("a", "/etc/a"), file("b", "/etc/b").with(name("content"), sum)];
    let mut driver = Driver::new(created(&both, &["h"]), Options::default())
        .performing(|_, _| Some(Ok(json!({"attributes": {"checksum": "beef"}}))));
    driver.go();
    let input: ResourceInput = serde_json::from_value(Value::clone(&driver.actions[1].input)).unwrap();
    assert_eq!(*input.desired[&name("content")], json!("beef"));
    assert_eq!(input.depends, [at("h/a")]);

    let mut driver = Driver::new(created(&both, &["h"]), Options::default());
    driver.go();
    assert_eq!(driver.report().failed, 1, "it was not yielded");
    assert!(driver.report().not_done[0].because.contains("a#checksum"));
}

#[test]
fn a_blocked_change_is_not_made_and_what_needs_it_is_not_begun() {
    let both = [needing("a", &[]), needing("b", &["a"]), needing("c", &[])];
    let mut world = empty(&["h"], &both);
    world.observed.remove(&at("h/a"));
    let mut driver = Driver::new(make(&both, &world), Options::default());
    driver.go();
    assert_eq!(driver.performed, ["resource.create h/c"]);
    assert_eq!((driver.report().failed, driver.report().skipped), (1, 1));
    assert_eq!(driver.records["h/a"].as_ref().unwrap_err().code.as_deref(), Some("E0811"));
}

#[test]
fn a_failed_run_goes_on_with_what_is_not_done() {
    let all = [needing("a", &[]), needing("b", &["a"]), needing("c", &[])];
    let healed = Rc::new(RefCell::new(false));
    let seen = healed.clone();
    let mut driver = Driver::new(created(&all, &["h"]), Options::default()).performing(move |action, _| {
        let fails = action.target == "h/a" && !*seen.borrow();
        Some(if fails { Err(Problem::runtime("disk full")) } else { Ok(json!({})) })
    });
    driver.go();
    assert!(driver.outcome.take().is_some());
    *healed.borrow_mut() = true;
    driver.performed.clear();
    driver.tell(Happening::RetryRequested { from: None });
    driver.go();
    assert_eq!(driver.performed, ["resource.create h/a", "resource.create h/b"], "c is done");
    assert!(matches!(driver.outcome, Some(Outcome::Completed { .. })));
}

#[test]
fn actions_say_everything_policy_needs() {
    let plan = drifted(&nginx(), &["h"], &["h/conf"]);
    let mut driver = Driver::new(plan, Options::default());
    driver.go();
    let action = &driver.actions[0];
    assert_eq!((action.kind.as_str(), action.target.as_str()), ("resource.update", "h/conf"));
    assert_eq!(action.wants, [model::Capability("file:write:/etc".into())]);
    let input: ResourceInput = serde_json::from_value(Value::clone(&action.input)).unwrap();
    assert_eq!(input.fields, [name("owner")]);
    assert_eq!(input.prior[&name("owner")], plan::Term::Known { value: json!("eve").into() });
    assert_eq!(input.provider, "1.0.0");
}

#[test]
fn an_empty_plan_ends_at_once() {
    let mut driver = Driver::new(make(&[], &empty(&["h"], &[])), Options::default());
    driver.go();
    assert!(matches!(driver.outcome, Some(Outcome::Completed { .. })));
    assert_eq!(driver.performed.len(), 0);
}

#[test]
fn events_of_another_plan_are_noticed() {
    let plan = created(&[needing("a", &[])], &["h"]);
    let mut driver = Driver::new(plan, Options::default());
    driver.tell(Happening::Started);
    let event = |happening| model::Event { at: driver.now, happening };
    let strange = event(Happening::Scheduled { step: StepId::new("h/zzz"), attempt: 1 });
    assert!(driver.run.apply(&strange).is_err());
    assert!(driver.run.apply(&event(Happening::Started)).is_err());
}

/// A plan of many shapes, and what performing each step does.
fn stories() -> impl Strategy<Value = (Plan, Vec<u8>, Options)> {
    let needs =
        proptest::collection::vec(proptest::collection::vec(any::<prop::sample::Index>(), 0..3), 1..14);
    let options = (0u32..4, 0u32..3, 0u32..2, 0u32..3, proptest::option::of(0u32..2));
    (needs, proptest::collection::vec(0u8..8, 64), options).prop_map(|(needs, luck, options)| {
        let all: Vec<Resource> = needs
            .iter()
            .enumerate()
            .map(|(at, needs)| {
                let on: std::collections::BTreeSet<String> = if at == 0 {
                    std::collections::BTreeSet::new()
                } else {
                    needs.iter().map(|index| format!("r{}", index.index(at))).collect()
                };
                let kinds = [DependencyKind::Require, DependencyKind::Order];
                let hosts = [&["h1", "h2", "h3"][..], &["h2"], &["h3"]][at % 3];
                let selector = Selector::Hosts(hosts.iter().map(|one| host(one)).collect());
                let one = file(&format!("r{at}"), &format!("/etc/r{at}")).on(selector);
                on.iter().fold(one, |one, on| one.after(id(on), kinds[at % 2]))
            })
            .collect();
        let (concurrency, per_host, canary, batch, max_failures) = options;
        let options = Options { concurrency, per_host, canary, batch, max_failures, ..Options::default() };
        (created(&all, &["h1", "h2", "h3"]), luck, options)
    })
}

fn drive(plan: &Plan, luck: &[u8], options: &Options) -> Driver {
    let luck = luck.to_vec();
    let mut calls = 0;
    let mut driver = Driver::new(plan.clone(), options.clone()).performing(move |_, _| {
        calls += 1;
        Some(match luck[calls % luck.len()] {
            0 => Err(Problem::runtime("broken")),
            1 => Err(Problem::communication("cut")),
            _ => Ok(json!({"changed": calls % 3 != 0})),
        })
    });
    driver.go();
    driver
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Every run comes to an end, begins nothing before what it needs, and says of every step what became of it.
    #[test]
    fn every_run_ends_and_accounts_for_everything((plan, luck, options) in stories()) {
        let driver = drive(&plan, &luck, &options);
        prop_assert!(driver.outcome.is_some(), "it stands still: {:?}", driver.performed);
        let report = driver.report();
        let total = report.succeeded + report.failed + report.skipped + report.uncertain;
        prop_assert_eq!(total, plan.changes.len() as u64);
        let place = |target: &str| driver.performed.iter().position(|one| one.ends_with(&format!(" {target}")));
        for change in &plan.changes {
            for edge in &change.after {
                let Some(other) = plan.changes.get(edge.step as usize) else { continue };
                if let Some(here) = place(&change.instance.to_string())
                    && let Some(there) = place(&other.instance.to_string())
                {
                    prop_assert!(there < here);
                }
            }
        }
    }

    /// A run folded again from any prefix of its journal stands where the first one stood, whether or not anybody asked
    /// it for its steps in between.
    #[test]
    fn infrastructure_23_any_prefix_replays_to_the_same_ready_set((plan, luck, options) in stories(), cut in 0.0..1.0_f64) {
        let driver = drive(&plan, &luck, &options);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let at = (driver.events.len() as f64 * cut) as usize;
        let plan = std::sync::Arc::new(plan);
        let mut asked = Apply::new(plan.clone(), run_id(), options.clone());
        let mut folded = Apply::new(plan, run_id(), options);
        for event in &driver.events[..at] {
            asked.apply(event).unwrap();
            let _steps = asked.ready();
            folded.apply(event).unwrap();
        }
        prop_assert_eq!(asked.ready(), folded.ready());
        for event in &driver.events[at..] {
            asked.apply(event).unwrap();
            folded.apply(event).unwrap();
            prop_assert_eq!(asked.ready(), folded.ready());
        }
        prop_assert_eq!(asked.standing(), driver.report());
    }
}

#[test]
fn no_secret_is_in_an_action() {
    let secret = model::program::secret_reference("db");
    let one = [file("a", "/etc/a").with(name("password"), secret.as_str())];
    let mut world = empty(&["h"], &one);
    let there = [(name("path"), Held::plain("/etc/a")), (name("password"), Held::plain("canary-77"))];
    world.observed.insert(at("h/a"), plan::Observed::Present(there.into()));
    let mut driver = Driver::new(make(&one, &world), Options::default());
    driver.go();
    assert_eq!(driver.actions[0].input["desired"]["password"], json!(secret));
    assert!(!format!("{:?}{:?}", driver.actions, driver.events).contains("canary-77"));
}

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]
//! Drift: what is decided, as plain data; and what the engine does about it, over several engines and restarts.

mod flapping;
mod host;
mod skipping;
#[expect(unreachable_pub, dead_code, reason = "shared by the test files that include it")]
#[path = "../support/mod.rs"]
mod support;
mod table;

use std::collections::BTreeSet;
use std::time::Duration;

use engine::drift::{Applied, Rules, Sighting, standing};
use journal::Journal;
use journal::events::{DriftAcknowledged, DriftEvent, DriftOutcome};
use model::{DriftClass, OnDrift, RunId};
use policy::{Approver, Choice};

use host::{Host, LEAD, keep, world};
use table::{Table, at, sighting};

#[test]
fn people_are_told_of_each_state_once() {
    let mut table = Table::default();
    let motd = |value| vec![sighting("web-1/motd", value, OnDrift::Report)];
    let steps: [(Vec<Sighting>, &[&str]); 7] = [
        (motd("a"), &["drift.found"]),
        (motd("a"), &[]),
        (motd("b"), &["drift.found"]),
        (Vec::new(), &["drift.ended"]),
        (Vec::new(), &[]),
        (motd("b"), &["drift.found"]),
        (motd("gone"), &["drift.found"]),
    ];
    for (sightings, news) in steps {
        assert!(table.round(sightings).is_empty(), "what is reported is not touched");
        assert_eq!(table.news(), news);
    }
}

#[test]
fn what_is_proposed_is_proposed_once_and_again_only_when_it_changes() {
    let mut table = Table::default();
    let motd = |value| vec![sighting("web-1/motd", value, OnDrift::Propose)];
    let [(OnDrift::Propose, _, first)] = table.round(motd("a"))[..] else { panic!("one proposal") };
    assert!(table.round(motd("a")).is_empty(), "it waits for people already");
    let [(_, _, second)] = table.round(motd("b"))[..] else { panic!("it changed") };
    assert!(!table.standing.trials.contains_key(&first), "the old one is taken back");
    table.settle(second, DriftOutcome::Refused, &[]);
    assert!(table.round(motd("b")).is_empty(), "somebody said no to that");
    assert_eq!(table.round(motd("c")).len(), 1);
    assert!(table.round(Vec::new()).is_empty());
    assert!(table.standing.trials.is_empty(), "it is as it was applied again");
    assert_eq!(table.round(motd("b")).len(), 1, "it had ended since somebody said no");
}

#[test]
fn what_comes_back_is_repaired_until_that_is_a_fight() {
    let mut table = Table::default();
    let motd = |value| vec![sighting("web-1/motd", value, OnDrift::Repair)];
    for round in 0..3 {
        let [(OnDrift::Repair, _, run)] = table.round(motd("a"))[..] else { panic!("round {round}") };
        table.settle(run, DriftOutcome::Completed, &["web-1/motd"]);
    }
    table.news();
    assert!(table.round(motd("a")).is_empty(), "the fourth time it is a fight");
    assert_eq!(table.news(), ["drift.found", "drift.fought"]);
    let fight = table.standing.fights["web-1/motd"].what.clone();
    assert_eq!((fight.field.as_deref(), fight.mended.len()), (Some("content"), 3));
    assert_eq!((&*fight.ours, &*fight.theirs), ("right", "a"));
    assert_eq!((fight.after, fight.seen), (Some(at(30)), at(40)), "between two looks");
    assert!(fight.who.contains("web-1"));
    assert!(table.round(motd("b")).is_empty(), "another value is the same fight");
    let event = DriftAcknowledged { resources: vec!["web-1/motd".to_owned()], reason: None };
    table.note(&DriftEvent::Acknowledged(event));
    assert_eq!(table.round(motd("b")).len(), 1, "a person took notice");
}

#[test]
fn a_fight_ends_when_somebody_applies_or_when_it_is_quiet() {
    let motd = |value| vec![sighting("web-1/motd", value, OnDrift::Repair)];
    let fighting = || {
        let mut table = Table::default();
        for _ in 0..3 {
            let run = table.round(motd("a"))[0].2;
            table.settle(run, DriftOutcome::Completed, &["web-1/motd"]);
        }
        table.round(motd("a"));
        assert_eq!(table.standing.fights.len(), 1);
        table
    };
    let mut table = fighting();
    let apply = |requester: &str| Applied {
        run: RunId::from_parts(2, 2),
        requester: requester.parse().unwrap(),
        at: at(45),
    };
    table.applied.insert("web-1/motd".to_owned(), apply("drift:aedile"));
    assert!(table.round(motd("a")).is_empty(), "the reconciler's own work ends no fight");
    table.applied.insert("web-1/motd".to_owned(), apply("user:maria"));
    assert_eq!(table.round(motd("a")).len(), 1);
    assert!(table.standing.fights.is_empty());

    let mut table = fighting();
    for _ in 0..36 {
        table.round(Vec::new());
        assert_eq!(table.standing.fights.len(), 1, "six hours have to be quiet");
    }
    table.round(Vec::new());
    assert!(table.standing.fights.is_empty());
    let mut table = fighting();
    for _ in 0..100 {
        assert!(table.round(motd("a")).is_empty());
    }
    assert_eq!(table.standing.fights.len(), 1, "waiting alone ends nothing");
}

#[test]
fn a_field_that_others_leave_alone_is_no_fight() {
    let mut table = Table::default();
    for name in ["a", "b", "c", "d"] {
        let mut one = sighting("web-1/motd", name, OnDrift::Repair);
        one.fields[0].name = name.to_owned();
        let run = table.round(vec![one])[0].2;
        table.settle(run, DriftOutcome::Completed, &["web-1/motd"]);
    }
    assert!(table.standing.fights.is_empty());
}

#[test]
fn limits_hold_repairs_back_and_say_so_once() {
    let mut table = Table { rules: Rules { repairs_all: 2, ..Rules::default() }, ..Table::default() };
    let four = || {
        ["a", "b", "c", "d"]
            .map(|id| sighting(&format!("web-1/{id}"), "x", OnDrift::Repair))
            .into_iter()
            .collect::<Vec<_>>()
    };
    let started = table.round(four());
    assert_eq!(started[0].1, ["web-1/a", "web-1/b"]);
    let held = |table: &mut Table| table.news().iter().filter(|kind| **kind == "drift.held").count();
    assert_eq!(held(&mut table), 2);
    table.settle(started[0].2, DriftOutcome::Completed, &["web-1/a", "web-1/b"]);
    for _ in 0..5 {
        assert!(table.round(four()[2..].to_vec()).is_empty());
        assert_eq!(held(&mut table), 0);
    }
    assert_eq!(table.round(four()[2..].to_vec())[0].1, ["web-1/c", "web-1/d"], "an hour is over");

    let mut table = Table { rules: Rules { repairs_each: 3, ..Rules::default() }, ..Table::default() };
    let motd = |value: usize| vec![sighting("web-1/motd", &value.to_string(), OnDrift::Repair)];
    for value in 0..3 {
        let run = table.round(motd(value))[0].2;
        table.settle(run, DriftOutcome::Failed, &[]);
    }
    table.news();
    assert!(table.round(motd(9)).is_empty(), "one resource is repaired three times an hour at most");
    assert_eq!(table.news(), ["drift.found", "drift.held"]);
}

#[test]
fn what_does_not_work_is_given_up_until_it_changes() {
    let mut table = Table::default();
    let motd = |value| vec![sighting("web-1/motd", value, OnDrift::Repair)];
    for _ in 0..3 {
        let run = table.round(motd("a"))[0].2;
        table.settle(run, DriftOutcome::Failed, &[]);
    }
    table.news();
    assert!(table.round(motd("a")).is_empty());
    assert_eq!(table.news(), ["drift.held"]);
    assert!(table.standing.stuck().contains("web-1/motd"));
    assert!(table.round(motd("a")).is_empty() && table.news().is_empty());
    assert_eq!(table.round(motd("b")).len(), 1);
}

#[test]
fn what_cannot_be_taken_back_is_proposed_and_conflicts_are_left_alone() {
    let mut table = Table::default();
    let mut once = sighting("web-1/once", "gone", OnDrift::Repair);
    once.ask = Some("that cannot be taken back".to_owned());
    let mut both = sighting("web-1/both", "x", OnDrift::Repair);
    both.class = DriftClass::Conflict;
    let mut dark = sighting("web-2/*", "x", OnDrift::Repair);
    (dark.class, dark.why) = (DriftClass::Unreadable, Some("it is off".to_owned()));
    let started = table.round(vec![once, both, dark]);
    assert_eq!(started.len(), 1);
    assert_eq!((started[0].0, &started[0].1), (OnDrift::Propose, &vec!["web-1/once".to_owned()]));
}

#[test]
fn what_needs_something_that_is_not_right_waits_for_it() {
    let mut table = Table::default();
    let srv = |policy| sighting("web-1/srv", "gone", policy);
    let mut page = sighting("web-1/page", "gone", OnDrift::Repair);
    page.depends = vec!["web-1/srv".to_owned()];
    assert!(table.round(vec![srv(OnDrift::Report), page.clone()]).is_empty());
    let started = table.round(vec![srv(OnDrift::Repair), page]);
    assert_eq!(started[0].1, ["web-1/page", "web-1/srv"]);
}

#[test]
fn of_a_host_that_cannot_be_reached_nothing_is_concluded() {
    let mut table = Table::default();
    let motd = || sighting("web-1/motd", "a", OnDrift::Propose);
    let run = table.round(vec![motd()])[0].2;
    let mut dark = sighting("web-1/*", "x", OnDrift::Report);
    dark.class = DriftClass::Unreadable;
    table.news();
    assert!(table.round(vec![dark]).is_empty());
    assert_eq!(table.news(), ["drift.found"], "that it cannot be reached");
    assert!(table.standing.trials.contains_key(&run), "the proposal stays");
    assert!(table.round(vec![motd()]).is_empty());
    assert_eq!(table.news(), ["drift.ended"], "it can be reached again, and nothing is new");
}

#[test]
fn what_was_applied_during_a_look_is_not_judged_by_it() {
    let mut table = Table::default();
    let applied =
        Applied { run: RunId::from_parts(2, 2), requester: "user:maria".parse().unwrap(), at: at(15) };
    table.applied.insert("web-1/motd".to_owned(), applied);
    assert!(table.round(vec![sighting("web-1/motd", "a", OnDrift::Repair)]).is_empty());
    assert_eq!(table.news(), Vec::<&str>::new());
}

/// Every sequence of five rounds in which a resource is right, changed in one of two ways or gone, and every run ends well, ends
/// badly, is refused or goes on.
#[test]
fn whatever_happens_limits_hold_and_nothing_is_tried_twice_at_once() {
    const ROUNDS: u32 = 5;
    let rules = Rules { fight_repairs: 2, repairs_each: 3, ..Rules::default() };
    for policy in [OnDrift::Repair, OnDrift::Propose, OnDrift::Report] {
        for number in 0..6_u32.pow(ROUNDS) {
            let mut table = Table { rules, ..Table::default() };
            let (mut rest, mut live, mut started) = (number, BTreeSet::new(), 0);
            for _ in 0..ROUNDS {
                let choice = rest % 6;
                rest /= 6;
                let value = ["right", "a", "b", "gone", "a", "a"][choice as usize];
                let seen =
                    if value == "right" { Vec::new() } else { vec![sighting("web-1/motd", value, policy)] };
                let fights = !table.standing.fights.is_empty();
                let found = table.standing.found.get("web-1/motd").map(|found| found.what.state);
                let same = seen.first().is_some_and(|one| Some(one.state) == found);
                for (_, _, run) in table.round(seen) {
                    started += 1;
                    assert!(!fights, "nothing is put right during a fight: {number}");
                    live.insert(run);
                }
                assert!(!table.told.contains(&"drift.found") || !same, "a state is told once: {number}");
                table.told.clear();
                live.retain(|run| table.standing.trials.contains_key(run));
                assert!(live.len() <= 1, "one run at a time: {number}");
                assert!(policy != OnDrift::Report || live.is_empty());
                let outcome = match choice {
                    1..=3 => Some((DriftOutcome::Completed, true)),
                    4 => Some((DriftOutcome::Failed, false)),
                    5 => Some((DriftOutcome::Refused, false)),
                    _ => None,
                };
                if let (Some((outcome, done)), Some(run)) = (outcome, live.first().copied()) {
                    table.settle(run, outcome, if done { &["web-1/motd"] } else { &[] });
                    table.told.clear();
                }
            }
            assert!(policy != OnDrift::Repair || started <= 3 + 1, "limits hold within the hour: {number}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_reconcilers_put_one_thing_right_once() {
    let world = world("default: allow");
    let host = Host::new(&world, OnDrift::Repair);
    let (a, b) = (world.engine("a"), world.engine("b"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    host.touch("b");
    tokio::join!(keep(&a, &host, 2_000), keep(&b, &host, 2_000));
    assert_eq!(world.done().len(), 1, "{:?}", world.done());
    assert_eq!(world.kinds("drift"), ["drift.found", "drift.started", "drift.settled"]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_neither_tells_nor_tries_again_and_fights_outlive_it() {
    let world = world("default: allow");
    let host = Host::new(&world, OnDrift::Repair);
    for round in 0..5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if round < 4 {
            host.touch("b");
        }
        let name = format!("engine-{round}");
        let engine = world.engine(&name);
        keep(&engine, &host, 30).await;
        world.kill(engine, &name).await;
    }
    assert_eq!(world.done().len(), 3, "the fourth time it is a fight");
    let kinds = world.kinds("drift");
    assert_eq!(kinds.iter().filter(|kind| **kind == "drift.fought").count(), 1, "{kinds:?}");
    assert_eq!(kinds.last(), Some(&"drift.fought"), "{kinds:?}");
    let (motd, maria) = (["motd".to_owned()], "user:maria".parse().unwrap());
    let acknowledge =
        |reason| engine::drift::acknowledge(world.journal.as_ref(), &motd, reason, (&maria, world.now()));
    assert_eq!(acknowledge(Some("it was the deploy job")).await.unwrap(), ["web-1/motd"]);
    let engine = world.engine("last");
    keep(&engine, &host, 30).await;
    assert_eq!(world.done().len(), 4);
    assert!(acknowledge(None).await.unwrap_err().to_string().contains("not known"));
}

#[tokio::test(start_paused = true)]
async fn a_proposal_waits_for_a_person_although_policy_allows_it() {
    let world = world(LEAD);
    let host = Host::new(&world, OnDrift::Propose);
    let engine = world.engine("a");
    tokio::time::sleep(Duration::from_secs(1)).await;
    host.touch("b");
    keep(&engine, &host, 5_000).await;
    assert_eq!(world.done(), Vec::<String>::new());
    assert_eq!(world.kinds("drift"), ["drift.found", "drift.started"]);
    let lead =
        Approver { principal: "user:lead".parse().unwrap(), roles: vec!["lead".parse().unwrap()], via: None };
    engine::approvals::decide(
        world.journal.as_ref(),
        world.approval(),
        &Choice::Grant { reason: None },
        &lead,
        None,
        (engine::approvals::Persons::default(), world.now()),
    )
    .await
    .unwrap();
    keep(&engine, &host, 30).await;
    assert_eq!(world.done().len(), 1);
    assert_eq!(world.kinds("drift").last(), Some(&"drift.settled"));
}

#[tokio::test(start_paused = true)]
async fn a_proposal_that_nobody_could_approve_is_denied_and_not_made_again() {
    let world = world("default: allow");
    let host = Host::new(&world, OnDrift::Propose);
    let engine = world.engine("a");
    tokio::time::sleep(Duration::from_secs(1)).await;
    host.touch("b");
    keep(&engine, &host, 5_000).await;
    assert_eq!(world.kinds("drift"), ["drift.found", "drift.started", "drift.settled"]);
    let found = standing(world.journal.as_ref()).unwrap();
    assert!(found.stuck().contains("web-1/motd"));
}

#[tokio::test(start_paused = true)]
async fn a_proposal_is_taken_back_when_there_is_nothing_to_put_right_any_more() {
    let world = world(LEAD);
    let host = Host::new(&world, OnDrift::Propose);
    let engine = world.engine("a");
    tokio::time::sleep(Duration::from_secs(1)).await;
    host.touch("b");
    keep(&engine, &host, 700).await;
    *host.touched.lock().unwrap() = None;
    keep(&engine, &host, 700).await;
    let kinds = world.kinds("drift");
    assert_eq!(kinds, ["drift.found", "drift.started", "drift.ended", "drift.settled"]);
    let cancelled = world.journal.read(0, 10_000).unwrap();
    assert!(cancelled.iter().any(|record| record.event.kind() == "run.cancelled"), "{kinds:?}");
}

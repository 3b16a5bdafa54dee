//! What differs at every look: told when that begins and once a day, and not put right.

use engine::drift::{Applied, Rules, standing};
use engine::limits::DRIFT_CHANGES_MAX;
use journal::events::{DriftAcknowledged, DriftEvent, DriftField, DriftOutcome};
use model::{Digest, DriftClass, OnDrift, RunId};

use crate::host::{Host, LEAD, keep, world};
use crate::table::{Table, at, sighting};

/// Rounds of a day.
const DAY: i64 = 24 * 6;

fn motd(value: i64, policy: OnDrift) -> Vec<engine::drift::Sighting> {
    vec![sighting("web-1/motd", &value.to_string(), policy)]
}

/// A resource that has just been found to flap.
fn flapping(policy: OnDrift) -> Table {
    let mut table = Table::default();
    for value in 0..100 {
        table.round(motd(value, policy));
        if !table.standing.flapping.is_empty() {
            table.news();
            return table;
        }
    }
    panic!("it differs at every look, and nobody noticed");
}

#[test]
fn what_differs_at_every_look_is_told_when_it_begins_and_once_a_day() {
    let mut table = Table::default();
    for value in 0..=DRIFT_CHANGES_MAX {
        table.round(motd(i64::try_from(value).unwrap(), OnDrift::Report));
        assert_eq!(table.news(), ["drift.found"], "{value}");
    }
    table.round(motd(77, OnDrift::Report));
    assert_eq!(table.news(), ["drift.flapped"]);
    let flapped = table.flapped.take().unwrap();
    assert_eq!((&*flapped.fields, flapped.presence), (&["content".to_owned()][..], false));
    assert_eq!((flapped.changes, flapped.since), (5, at(20)), "the first finding is no change");
    for value in 0..10 * DAY {
        table.round(motd(100 + value, OnDrift::Report));
    }
    assert_eq!(table.news(), ["drift.flapped"; 10]);
    let flapped = table.flapped.unwrap();
    assert_eq!((flapped.since, flapped.changes), (at(20), 5 + 10 * 144), "every look is counted");
}

#[test]
fn what_keeps_changing_is_neither_proposed_nor_repaired_again_and_again() {
    let mut table = Table::default();
    let proposed: usize = (0..10 * DAY).map(|value| table.round(motd(value, OnDrift::Propose)).len()).sum();
    assert_eq!(proposed, DRIFT_CHANGES_MAX + 1);
    assert!(table.standing.trials.is_empty(), "the last proposal was taken back");
    assert!(table.standing.stuck().contains("web-1/motd"), "a person can take notice");

    let mut table = Table { rules: Rules { repairs_each: 100, ..Rules::default() }, ..Table::default() };
    let mut repaired = 0;
    for value in 0..10 * DAY {
        for (_, _, run) in table.round(motd(value, OnDrift::Repair)) {
            repaired += 1;
            table.settle(run, DriftOutcome::Failed, &[]);
        }
    }
    assert_eq!(repaired, DRIFT_CHANGES_MAX + 1, "a repair that does not work is no reason to go on for ever");
}

#[test]
fn values_that_are_cut_to_the_same_text_are_told_apart() {
    let mut table = Table::default();
    for value in 0..10 {
        let mut one = motd(value, OnDrift::Report);
        one[0].fields[0].found = "2026-11-… (90 characters)".to_owned();
        one[0].fields[0].digest = Some(Digest::of(&value.to_be_bytes()));
        table.round(one);
    }
    assert_eq!(table.standing.flapping.len(), 1);
    assert_eq!(table.news().len(), DRIFT_CHANGES_MAX + 2);
}

#[test]
fn another_attribute_of_the_same_resource_is_told_and_put_right_by_itself() {
    let mut table = flapping(OnDrift::Repair);
    let mode = DriftField {
        name: "mode".to_owned(),
        found: "0777".to_owned(),
        wanted: "0644".to_owned(),
        digest: None,
    };
    for value in 200..210 {
        let mut both = motd(value, OnDrift::Repair);
        both[0].fields.push(mode.clone());
        assert!(table.round(both).is_empty(), "its content would be wrong again at the next look");
    }
    assert_eq!(table.news(), ["drift.found"], "that the mode was changed is told, and once");
    for run in table.standing.trials.keys().copied().collect::<Vec<_>>() {
        table.settle(run, DriftOutcome::Withdrawn, &[]);
    }
    let mut only = motd(300, OnDrift::Repair);
    only[0].fields = vec![mode];
    assert_eq!(table.round(only).len(), 1, "the content is right for once");
    table.news();
    table.round(Vec::new());
    assert_eq!(table.news(), ["drift.ended"], "the mode is right");
    for value in 400..500 {
        table.round(motd(value, OnDrift::Repair));
    }
    assert_eq!(table.news(), Vec::<&str>::new());
}

#[test]
fn what_comes_and_goes_by_itself_flaps() {
    for (resource, class) in [("web-1/motd", DriftClass::Missing), ("web-1/*", DriftClass::Unreadable)] {
        let mut table = Table::default();
        for round in 0..2 * DAY {
            let mut one = sighting(resource, "gone", OnDrift::Report);
            one.class = class;
            table.round(if round % 2 == 0 { vec![one] } else { Vec::new() });
        }
        let news = table.news();
        let count = |kind: &str| news.iter().filter(|one| **one == kind).count();
        assert_eq!((count("drift.found"), count("drift.ended")), (5, 5), "{news:?}");
        assert!((2..=3).contains(&count("drift.flapped")), "{news:?}");
        assert!(table.flapped.unwrap().presence);
    }
}

#[test]
fn it_is_over_when_it_is_steady_when_somebody_applies_or_takes_notice() {
    let mut table = flapping(OnDrift::Propose);
    let mut rounds = 0;
    while !table.standing.flapping.is_empty() {
        rounds += 1;
        assert!(rounds <= 3 * DAY, "it does not change any more");
        assert!(
            table.round(motd(7, OnDrift::Propose)).len() <= usize::from(table.standing.flapping.is_empty())
        );
    }
    assert!(rounds >= DAY, "{rounds}: a day and six hours");
    assert_eq!(table.news(), ["drift.flapped", "drift.calmed", "drift.found"]);
    assert_eq!(table.standing.trials.len(), 1, "what is steady is proposed");

    let mut table = flapping(OnDrift::Propose);
    for _ in 0..3 * DAY {
        table.round(Vec::new());
    }
    assert_eq!(table.news(), ["drift.flapped", "drift.calmed", "drift.ended"], "it is as it was applied");

    let mut table = flapping(OnDrift::Propose);
    let applied = |requester: &str, table: &Table| Applied {
        run: RunId::from_parts(2, 2),
        requester: requester.parse().unwrap(),
        at: at(table.now + 5),
    };
    table.applied.insert("web-1/motd".to_owned(), applied("schedule:hourly", &table));
    table.round(Vec::new());
    assert_eq!(table.news(), Vec::<&str>::new(), "that is done every hour, and changes nothing about it");
    table.applied.insert("web-1/motd".to_owned(), applied("user:maria", &table));
    table.round(Vec::new());
    assert_eq!(table.news(), ["drift.calmed", "drift.ended"]);

    let mut table = flapping(OnDrift::Propose);
    let event = DriftAcknowledged { resources: vec!["web-1/motd".to_owned()], reason: None };
    table.note(&DriftEvent::Acknowledged(event));
    assert_eq!(table.round(motd(8, OnDrift::Propose)).len(), 1);
}

#[test]
fn what_was_put_right_and_came_back_is_a_fight_and_does_not_flap() {
    let mut table =
        Table { rules: Rules { fight_repairs: 9, repairs_each: 9, ..Rules::default() }, ..Table::default() };
    for value in 0..9 {
        let run = table.round(motd(value, OnDrift::Repair))[0].2;
        table.settle(run, DriftOutcome::Completed, &["web-1/motd"]);
    }
    assert!(table.round(motd(9, OnDrift::Repair)).is_empty());
    assert!(table.standing.flapping.is_empty());
    assert_eq!(table.standing.fights.len(), 1);
    table.news();
    for value in 10..10 + 5 * DAY {
        assert!(table.round(motd(value, OnDrift::Repair)).is_empty());
    }
    assert_eq!(table.standing.fights.len(), 1);
    assert!(table.news().len() <= DRIFT_CHANGES_MAX + 5, "what the other one writes may differ every time");
    for _ in 0..2 * DAY {
        assert!(table.round(motd(1, OnDrift::Repair)).is_empty());
    }
    assert_eq!(table.standing.fights.len(), 1, "what is wrong without changing ends no fight");
}

/// A month of whatever comes, for every policy: what people are told stays little.
#[test]
fn whatever_happens_people_are_told_little() {
    for policy in [OnDrift::Report, OnDrift::Propose, OnDrift::Repair] {
        for seed in 1..6_u64 {
            let (mut table, mut drawn) = (Table::default(), seed);
            for round in 0..30 * DAY {
                drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let draw = (drawn >> 33) % 7;
                let value = match draw {
                    0 => None,
                    1 => Some("gone".to_owned()),
                    2 => Some("a".to_owned()),
                    _ => Some(round.to_string()),
                };
                let seen = value.map(|value| sighting("web-1/motd", &value, policy));
                for (how, _, run) in table.round(seen.into_iter().collect()) {
                    if how == OnDrift::Repair {
                        let done: &[&str] = if draw % 2 == 0 { &["web-1/motd"] } else { &[] };
                        table.settle(run, DriftOutcome::Completed, done);
                    }
                }
            }
            let all = table.told.len();
            assert!(all < 30 * 6, "{policy} {seed}: {all} records in a month, {:?}", table.told);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_counter_is_not_proposed_over_and_over() {
    let world = world(LEAD);
    let host = Host::new(&world, OnDrift::Propose);
    *host.counter.lock().unwrap() = Some(0);
    let engine = world.engine("a");
    keep(&engine, &host, 3 * 3_600).await;
    let kinds = world.kinds("drift");
    let count = |kind: &str| kinds.iter().filter(|one| **one == kind).count();
    assert_eq!(count("drift.found"), DRIFT_CHANGES_MAX + 1, "{kinds:?}");
    assert_eq!(count("drift.started"), DRIFT_CHANGES_MAX + 1, "{kinds:?}");
    assert_eq!(count("drift.flapped"), 1, "{kinds:?}");
    assert!(standing(world.journal.as_ref()).unwrap().flapping.contains_key("web-1/motd"));
}

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]
//! Schedules: started by time and by events, once, over several engines and restarts.

#[expect(unreachable_pub, dead_code, reason = "shared by the test files that include it")]
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::ports::Programs as _;
use engine::schedules::{Scheduled, Trigger};
use journal::Journal;
use model::EffectClass;
use model::time::SignedDuration;
use serde_json::Value;
use support::{Line, Scripts, World};

fn scheduled(world: &World, trigger: Trigger) -> Scheduled {
    Scheduled { definition: world.submission("tick").definition, trigger, input: Value::Null }
}

fn every(seconds: i64) -> Trigger {
    Trigger::Start(Arc::new(move |last| last.checked_add(SignedDuration::from_secs(seconds)).ok()))
}

fn world() -> World {
    let tick = vec![Line::Wait(2_000), Line::Do("test.write", EffectClass::Idempotent)];
    World::new("default: allow", vec![("tick", tick), ("hear", vec![Line::Listen("order.placed")])])
}

#[tokio::test(start_paused = true)]
async fn two_engines_keep_one_schedule_and_every_start_happens_once() {
    let world = world();
    let (a, b) = (world.engine("a"), world.engine("b"));
    let scheduled = scheduled(&world, every(10));
    let runs = Mutex::new(Vec::new());
    let keep = async {
        let (_, _) = tokio::join!(
            a.keep(&scheduled, |run| runs.lock().unwrap().push(run)),
            b.keep(&scheduled, |run| runs.lock().unwrap().push(run)),
        );
    };
    tokio::time::timeout(Duration::from_millis(35_500), keep).await.unwrap_err();
    assert_eq!(runs.lock().unwrap().len(), 3);
    assert_eq!(world.done().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn starts_missed_while_nobody_kept_it_are_made_up_for_by_one() {
    let world = world();
    let engine = world.engine("a");
    let scheduled = scheduled(&world, every(10));
    tokio::time::timeout(Duration::from_secs(5), engine.keep(&scheduled, |_| ())).await.unwrap_err();
    world.kill(engine, "a").await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    let engine = world.engine("b");
    tokio::time::timeout(Duration::from_secs(5), engine.keep(&scheduled, |_| ())).await.unwrap_err();
    assert_eq!(world.kinds("schedule/tests/tick"), ["schedule.anchored", "schedule.fired"]);
}

#[tokio::test(start_paused = true)]
async fn after_counts_from_the_end_of_the_run_before() {
    let world = world();
    let engine = world.engine("a");
    let Trigger::Start(next) = every(10) else { unreachable!() };
    let scheduled = scheduled(&world, Trigger::End(next));
    tokio::time::timeout(Duration::from_secs(30), engine.keep(&scheduled, |_| ())).await.unwrap_err();
    let fired: Vec<i64> = world
        .journal
        .read_stream("schedule/tests/tick", 1, 10)
        .unwrap()
        .iter()
        .map(|record| record.at.as_second())
        .collect();
    assert_eq!(fired.len(), 2);
    assert_eq!(fired[1] - fired[0], 12, "2 s of running, then 10 s");
}

#[tokio::test(start_paused = true)]
async fn an_event_starts_a_run() {
    let world = world();
    let engine = world.engine("a");
    let listener = Scripts(world.scripts.iter().cloned().collect()).find("hear", None).unwrap();
    let scheduled = scheduled(&world, Trigger::Events(Box::new(listener)));
    let publish = async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            world.publish("order.placed").await;
        }
        std::future::pending::<()>().await;
    };
    let keep = async {
        tokio::select! {
            kept = engine.keep(&scheduled, |_| ()) => kept.unwrap(),
            () = publish => {}
        }
    };
    tokio::time::timeout(Duration::from_secs(20), keep).await.unwrap_err();
    assert_eq!(world.kinds("schedule/tests/tick"), ["schedule.anchored", "schedule.fired", "schedule.fired"]);
    assert_eq!(world.done().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn events_that_come_between_two_starts_start_runs_too() {
    let world = world();
    let engine = world.engine("a");
    let listener = Scripts(world.scripts.iter().cloned().collect()).find("hear", None).unwrap();
    let scheduled = scheduled(&world, Trigger::Events(Box::new(listener)));
    let publish = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for _ in 0..5 {
            world.publish("order.placed").await;
        }
        std::future::pending::<()>().await;
    };
    let keep = async {
        tokio::select! {
            kept = engine.keep(&scheduled, |_| ()) => kept.unwrap(),
            () = publish => {}
        }
    };
    tokio::time::timeout(Duration::from_secs(20), keep).await.unwrap_err();
    assert_eq!(world.done().len(), 5);
}

//! Rounds that come to nothing.

use engine::drift::{News, Rounds, Rules, standing};
use journal::events::DriftSkipped;
use model::{OnDrift, RunId};

use crate::host::{Host, keep, world};

fn skipped(world: &crate::support::World) -> Option<DriftSkipped> {
    standing(world.journal.as_ref()).unwrap().skipped.map(|skipped| skipped.what)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_hangs_is_seen_in_the_journal() {
    let world = world("default: allow");
    let host = Host::new(&world, OnDrift::Report);
    let engine = world.engine("a");
    let run = RunId::from_parts(7, 7);
    *host.busy.lock().unwrap() = Some(run);
    let began = world.now();
    keep(&engine, &host, 1_000).await;
    assert_eq!(skipped(&world), None, "applying something takes a moment");
    *host.busy.lock().unwrap() = None;
    keep(&engine, &host, 10).await;
    assert_eq!(world.kinds("drift"), Vec::<&str>::new());
    *host.busy.lock().unwrap() = Some(run);
    keep(&engine, &host, 100 * 600 + 10).await;
    let said = skipped(&world).unwrap();
    assert_eq!((said.run, said.rounds), (Some(run), 96), "of 101: it is said at 3, 6, 12, ..");
    assert!(said.why.contains("applies something"), "{said:?}");
    assert!(said.since >= began && said.seen > said.since);
    assert_eq!(world.kinds("drift"), ["drift.skipped"; 6]);

    // another process goes on counting
    world.kill(engine, "a").await;
    let engine = world.engine("b");
    keep(&engine, &host, 100 * 600 + 10).await;
    let later = skipped(&world).unwrap();
    assert!(later.rounds > 180 && later.since == said.since, "{later:?}");
    assert_eq!(world.kinds("drift"), ["drift.skipped"; 7]);

    *host.busy.lock().unwrap() = None;
    keep(&engine, &host, 1_000).await;
    assert_eq!(skipped(&world), None);
    assert_eq!(world.kinds("drift").last(), Some(&"drift.resumed"));
    assert_eq!(world.kinds("drift").len(), 8, "that somebody looks again is said once");
}

#[tokio::test(start_paused = true)]
async fn processes_that_make_one_round_each_say_it_too() {
    let world = world("default: allow");
    let host = Host::new(&world, OnDrift::Report);
    let engine = world.engine("a");
    *host.busy.lock().unwrap() = Some(RunId::from_parts(7, 7));
    let began = world.now();
    for _ in 0..100 {
        let mut news = Vec::new();
        let mut tell = |one: News| news.push(one);
        engine.reconcile(&*host, &Rules::default(), &mut Rounds::one(), &mut tell).await.unwrap();
        assert!(matches!(news[0], News::Busy(_)), "{news:?}");
        tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    }
    let said = skipped(&world).unwrap();
    assert_eq!(said.since, began);
    assert!(said.seen.duration_since(began).as_secs() >= 50 * 60, "{said:?}");
    assert!(world.kinds("drift").len() <= 12, "{:?}", world.kinds("drift"));
}

#[tokio::test(start_paused = true)]
async fn what_is_skipped_after_somebody_else_looked_begins_anew() {
    let world = world("default: allow");
    let host = Host::new(&world, OnDrift::Report);
    let engine = world.engine("a");
    let (mut mine, mut theirs) = (Rounds::default(), Rounds::default());
    let mut tell = |_: News| {};
    let rules = Rules::default();
    for busy in [true, true, true, true, false, true, true, true] {
        *host.busy.lock().unwrap() = busy.then(|| RunId::from_parts(7, 7));
        let rounds = if busy { &mut mine } else { &mut theirs };
        engine.reconcile(&*host, &rules, rounds, &mut tell).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    }
    assert_eq!(world.kinds("drift"), ["drift.skipped", "drift.resumed", "drift.skipped"]);
    let said = skipped(&world).unwrap();
    assert_eq!((said.rounds, said.seen.duration_since(said.since).as_secs()), (3, 120), "{said:?}");
}

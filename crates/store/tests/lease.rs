//! Leases exclude, expire, fence, and outlive nobody.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model::{Coded, Timestamp};
use store::{Acquired, Lease, Options, SqliteJournal};

const TTL: Duration = Duration::from_secs(10);

fn open(path: &Path, now: &Arc<AtomicI64>) -> SqliteJournal {
    let now = now.clone();
    let clock = Arc::new(move || Timestamp::from_millisecond(now.load(Ordering::SeqCst)).unwrap());
    SqliteJournal::open(path, &Options { create: true, clock, ..Options::default() }).unwrap()
}

fn yours(acquired: Acquired) -> Lease {
    match acquired {
        Acquired::Yours(lease) => lease,
        Acquired::Held(holder) => panic!("held by {holder:?}"),
    }
}

#[test]
fn one_holder_at_a_time_and_tokens_grow() {
    let directory = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicI64::new(1_000));
    let journal = open(&directory.path().join("journal.db"), &now);
    let first = yours(journal.lease("run/1", "engine a", TTL).wait().unwrap());
    let Acquired::Held(holder) = journal.lease("run/1", "engine b", TTL).wait().unwrap() else { panic!() };
    assert_eq!((holder.label.as_str(), holder.pid), ("engine a", std::process::id()));
    let refused =
        Acquired::Held(holder).or_held("run/1", Timestamp::from_millisecond(4_000).unwrap()).unwrap_err();
    assert_eq!(refused.code().id, "E0116");
    assert!(refused.to_string().contains("engine a"), "{refused}");
    assert!(refused.to_string().ends_with("for 3 s"), "{refused}");

    assert!(journal.release(&first).wait().unwrap());
    assert!(!journal.release(&first).wait().unwrap(), "it is given back once");
    assert_eq!(journal.lease_holder("run/1").unwrap(), None);
    let second = yours(journal.lease("run/1", "engine b", TTL).wait().unwrap());
    assert!(second.token > first.token);
    assert_eq!(journal.renew(&first, TTL).wait().unwrap(), None, "the old token is worth nothing");
    assert_eq!(journal.leases("run/").unwrap().len(), 1);
    assert_eq!(journal.leases("engine/").unwrap().len(), 0);
}

#[test]
fn a_lease_expires_unless_renewed() {
    let directory = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicI64::new(1_000));
    let journal = open(&directory.path().join("journal.db"), &now);
    let lease = yours(journal.lease("run/1", "a", TTL).wait().unwrap());
    now.store(9_000, Ordering::SeqCst);
    let renewed = journal.renew(&lease, TTL).wait().unwrap().unwrap();
    assert_eq!((renewed.token, renewed.expires.as_millisecond()), (lease.token, 19_000));
    now.store(18_999, Ordering::SeqCst);
    assert!(matches!(journal.lease("run/1", "b", TTL).wait().unwrap(), Acquired::Held(_)));
    now.store(19_000, Ordering::SeqCst);
    let taken = yours(journal.lease("run/1", "b", TTL).wait().unwrap());
    assert!(taken.token > lease.token);
    assert_eq!(journal.renew(&renewed, TTL).wait().unwrap(), None);
}

#[test]
fn many_at_once_and_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicI64::new(1_000));
    let journals: Vec<_> = (0..2).map(|_| open(&directory.path().join("journal.db"), &now)).collect();
    let won: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let journal = &journals[number % 2];
                scope.spawn(move || journal.lease("x", &format!("h{number}"), TTL).wait().unwrap())
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .filter(|acquired| matches!(acquired, Acquired::Yours(_)))
            .count()
    });
    assert_eq!(won, 1);
}

#[test]
fn names_and_times_are_limited() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(&directory.path().join("journal.db"), &Arc::new(AtomicI64::new(0)));
    for (name, label, ttl) in [
        ("", "a", TTL),
        ("n", "", TTL),
        ("n", "a", Duration::ZERO),
        ("n", "a", Duration::from_hours(25)),
        (&"n".repeat(300), "a", TTL),
    ] {
        assert!(journal.lease(name, label, ttl).wait().is_err());
    }
}

//! Several processes on one file: appends in turn, one winner, and leases of the dead are free.
//!
//! The tests start themselves again as the other processes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests may fail, and the others print"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_executor::block_on;
use journal::verify::{self, verify};
use journal::{Append, Expect, Journal, JournalError, conformance};
use store::{Acquired, Options, SqliteJournal};

/// Says to a test, started again, which file to use.
const FILE: &str = "AEDILE_PROCESSES_FILE";

/// Appends of each process.
const EACH: u64 = 40;

fn open(path: &Path) -> SqliteJournal {
    SqliteJournal::open(path, &Options { create: true, ..Options::default() }).unwrap()
}

fn again(test: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn other() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

/// Takes its turn on one stream until it has had `EACH` of them.
fn take_turns(journal: &SqliteJournal) {
    let mut sequence = 0;
    let mut taken = 0;
    while taken < EACH {
        let append = Append {
            expect: vec![Expect { stream: "turns".into(), sequence }],
            events: vec![conformance::event("turns", taken)],
            at: None,
        };
        match block_on(journal.append(append)) {
            Ok(done) => {
                sequence = done.sequences[0];
                taken += 1;
            }
            Err(JournalError::Conflict { actual, .. }) => sequence = actual,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn processes_take_turns_and_every_condition_holds() {
    if let Some(path) = other() {
        take_turns(&open(&path));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let journal = open(&path);
    let children: Vec<_> =
        (0..3).map(|_| again("processes_take_turns_and_every_condition_holds", &path)).collect();
    take_turns(&journal);
    // news of the last append reaches who waits, whichever process made it
    let last = block_on(journal.changed(4 * EACH - 1)).unwrap();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(last, 4 * EACH);
    assert_eq!(journal.read_stream("turns", 0, 1_000).unwrap().len() as u64, 4 * EACH);
    assert_eq!(verify(journal.scan(0), &verify::Options::default()).unwrap().head.position, 4 * EACH);
    assert_eq!(journal.compare_views().unwrap(), []);
}

#[test]
fn the_lease_of_a_killed_process_is_free_at_once() {
    const TTL: Duration = Duration::from_hours(1);
    if let Some(path) = other() {
        let journal = open(&path);
        assert!(matches!(journal.lease("run/1", "other", TTL).wait().unwrap(), Acquired::Yours(_)));
        std::thread::sleep(TTL);
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let journal = open(&path);
    let mut child = again("the_lease_of_a_killed_process_is_free_at_once", &path);
    let holder = loop {
        match journal.lease_holder("run/1").unwrap() {
            Some(holder) => break holder,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    assert_eq!((holder.pid, holder.label.as_str()), (child.id(), "other"));
    assert!(matches!(journal.lease("run/1", "me", TTL).wait().unwrap(), Acquired::Held(_)));
    child.kill().unwrap();
    child.wait().unwrap();
    if Path::new("/proc/self/stat").exists() {
        assert_eq!(journal.lease_holder("run/1").unwrap(), None);
        assert!(matches!(journal.lease("run/1", "me", TTL).wait().unwrap(), Acquired::Yours(_)));
    }
}

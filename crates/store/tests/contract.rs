//! The journal on SQLite keeps the contract of the seam, alone and beside other connections to the same file.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::sync::Arc;

use journal::{Append, Journal, JournalError, conformance};
use model::Coded;
use store::{Options, SqliteJournal};
use tempfile::TempDir;

fn options() -> Options {
    Options { create: true, ..Options::default() }
}

fn fresh() -> (TempDir, SqliteJournal) {
    let directory = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(directory.path().join("journal.db"), &options()).unwrap();
    (directory, journal)
}

fn append(journal: &dyn Journal, stream: &str, number: u64) -> Result<journal::Appended, JournalError> {
    let events = vec![conformance::event(stream, number)];
    futures_executor::block_on(journal.append(Append { events, ..Append::default() }))
}

#[test]
fn sqlite_keeps_the_contract_of_the_seam() {
    let mut directories = Vec::new();
    conformance::suite(&mut || {
        let (directory, journal) = fresh();
        directories.push(directory);
        Arc::new(journal)
    });
}

#[test]
fn what_is_appended_is_there_after_opening_again() {
    let (directory, journal) = fresh();
    append(&journal, "a", 1).unwrap();
    append(&journal, "b", 2).unwrap();
    let head = journal.head().unwrap();
    drop(journal);
    let again = SqliteJournal::open(directory.path().join("journal.db"), &Options::default()).unwrap();
    assert_eq!(again.head().unwrap(), head);
    assert_eq!(append(&again, "a", 3).unwrap().sequences, [2]);
}

#[test]
fn two_openings_of_one_file_share_one_journal() {
    let (directory, one) = fresh();
    let two = SqliteJournal::open(directory.path().join("journal.db"), &options()).unwrap();
    let two = &two;
    std::thread::scope(|scope| {
        for journal in [&one, two] {
            scope.spawn(move || {
                for number in 0..100 {
                    append(journal, "shared", number).unwrap();
                }
            });
        }
        let news = scope.spawn(|| futures_executor::block_on(two.changed(199)).unwrap());
        assert_eq!(news.join().unwrap(), 200);
    });
    let records = one.read_stream("shared", 0, 1_000).unwrap();
    assert_eq!(records.len(), 200);
    let mut previous = model::Digest::ZERO;
    for (record, position) in records.iter().zip(1..) {
        assert_eq!((record.position, record.sequence, record.previous), (position, position, previous));
        previous = journal::record::digest(&record.bytes);
    }
    assert!(one.compare_views().unwrap().is_empty());
}

#[test]
fn news_of_another_opening_reaches_who_waits() {
    let (directory, one) = fresh();
    let two = SqliteJournal::open(directory.path().join("journal.db"), &options()).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| futures_executor::block_on(two.changed(0)).unwrap());
        append(&one, "s", 1).unwrap();
        assert_eq!(waiting.join().unwrap(), 1);
    });
}

#[test]
fn a_missing_file_is_not_made_unless_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.db");
    let error = SqliteJournal::open(&path, &Options::default()).unwrap_err();
    assert_eq!(error.code().id, "E0112");
    assert_eq!(error.hint().as_deref(), Some("aedile init"));
    assert!(!path.exists());
}

#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, journal) = fresh();
    append(&journal, "s", 1).unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}

#[test]
fn streams_are_whole_across_the_sorting_of_their_places() {
    let (directory, journal) = fresh();
    for round in 0..30_u64 {
        let events = (0..100).map(|number| conformance::event(&format!("s{}", number % 7), round)).collect();
        futures_executor::block_on(journal.append(Append { events, ..Append::default() })).unwrap();
        let all: usize =
            (0..7).map(|stream| journal.read_stream(&format!("s{stream}"), 0, 10_000).unwrap().len()).sum();
        assert_eq!(all as u64, (round + 1) * 100);
    }
    let stream = journal.read_stream("s3", 0, 10_000).unwrap();
    assert!(stream.iter().zip(1..).all(|(record, sequence)| record.sequence == sequence));
    let middle = journal.read_stream("s3", 140, 250).unwrap();
    assert_eq!(middle, stream[140..390], "over the border");
    assert_eq!(journal.read_stream("s3", 100, 5).unwrap(), stream[100..105]);
    drop(journal);
    let again = SqliteJournal::open(directory.path().join("journal.db"), &Options::default()).unwrap();
    assert_eq!(append(&again, "s3", 0).unwrap().sequences, [stream.len() as u64 + 1]);
    assert_eq!(append(&again, "s6", 0).unwrap().first, 3_002);
}

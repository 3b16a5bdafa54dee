//! Full disks, damaged and foreign files, locks, copies: clear errors, no loss.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_executor::block_on;
use journal::verify::{self, verify};
use journal::{Append, Appended, Journal, JournalError, Signer, conformance};
use model::{CheckpointId, Coded, Principal};
use store::{Options, ReadOnlyJournal, SqliteJournal};
use tempfile::TempDir;

fn create() -> Options {
    Options { create: true, ..Options::default() }
}

fn fresh() -> (TempDir, PathBuf, SqliteJournal) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let journal = SqliteJournal::open(&path, &create()).unwrap();
    (directory, path, journal)
}

fn append(journal: &SqliteJournal, number: u64) -> Result<Appended, JournalError> {
    let events = vec![conformance::event("s", number)];
    block_on(journal.append(Append { events, ..Append::default() }))
}

fn filled(count: u64) -> (TempDir, PathBuf, SqliteJournal) {
    let (directory, path, journal) = fresh();
    for start in (0..count).step_by(500) {
        let events = (start..count.min(start + 500)).map(|number| conformance::event("s", number)).collect();
        block_on(journal.append(Append { events, ..Append::default() })).unwrap();
    }
    (directory, path, journal)
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_full_disk_loses_nothing_and_ends() {
    let (_directory, _path, journal) = fresh();
    append(&journal, 0).unwrap();
    journal.set_size_limit(Some(200 << 10)).wait().unwrap();
    let mut acknowledged = 1;
    let full = loop {
        match append(&journal, acknowledged) {
            Ok(done) => acknowledged = done.last,
            Err(error) => break error,
        }
    };
    assert_eq!(full.code().id, "E0105", "{full}");
    assert!(full.hint().unwrap().starts_with("df -h "));
    assert_eq!(journal.head().unwrap().position, acknowledged, "what was acknowledged is there, no more");
    assert!(append(&journal, 1).is_err(), "still full");
    journal.set_size_limit(None).wait().unwrap();
    assert_eq!(append(&journal, 1).unwrap().first, acknowledged + 1, "usable again");
    assert_eq!(verify(journal.scan(0), &verify::Options::default()).unwrap().head.position, acknowledged + 1);
    assert_eq!(journal.compare_views().unwrap(), []);
}

#[test]
fn a_damaged_file_is_named_and_verification_says_where() {
    let (directory, path, journal) = filled(2_000);
    drop(journal);
    assert_eq!(files(directory.path()), ["journal.db"], "the log is folded in when the last one closes");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    // a page in the middle, not the first
    file.write_all_at(&[0xa5; 4096], 4096 * 60).unwrap();
    let read_only = ReadOnlyJournal::open(&path).unwrap();
    assert!(!read_only.damage().unwrap().is_empty());
    let fault = verify(read_only.scan(0), &verify::Options::default()).unwrap_err();
    assert!(["E0106", "E0101", "E0108"].contains(&fault.code().id), "{fault}");
}

#[test]
fn a_damaged_page_of_the_tree_is_error_e0106() {
    let (_directory, path, journal) = filled(2_000);
    drop(journal);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    for page in 1..pages {
        file.write_all_at(&[0xff; 4096], 4096 * page).unwrap();
    }
    let error = match SqliteJournal::open(&path, &Options::default()) {
        Err(error) => error,
        Ok(journal) => append(&journal, 1).unwrap_err(),
    };
    assert_eq!(error.code().id, "E0106", "{error}");
    assert!(error.to_string().contains("journal.db"), "{error}");
}

#[test]
fn foreign_and_newer_files_are_refused_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.txt");
    fs::write(&text, "not a database, but long enough to look like one might begin".repeat(100)).unwrap();
    assert_eq!(SqliteJournal::open(&text, &create()).unwrap_err().code().id, "E0106");

    let foreign = directory.path().join("foreign.db");
    let connection = rusqlite::Connection::open(&foreign).unwrap();
    connection.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
    drop(connection);
    assert_eq!(SqliteJournal::open(&foreign, &create()).unwrap_err().code().id, "E0106");
    assert_eq!(ReadOnlyJournal::open(&foreign).unwrap_err().code().id, "E0106");

    let (_directory, path, journal) = filled(3);
    drop(journal);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    for error in
        [SqliteJournal::open(&path, &create()).unwrap_err(), ReadOnlyJournal::open(&path).unwrap_err()]
    {
        assert_eq!(error.code().id, "E0107", "{error}");
        assert!(error.to_string().contains("format 99"), "{error}");
    }
}

#[test]
fn a_store_of_the_format_before_is_brought_up_to_date() {
    let (_directory, path, journal) = filled(3);
    drop(journal);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("DROP TABLE absences").unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    drop(connection);
    let journal = SqliteJournal::open(&path, &Options::default()).unwrap();
    assert_eq!(journal.absences().unwrap(), []);
    assert_eq!(journal.head().unwrap().position, 3);
    drop(journal);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let format: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(format, store::FORMAT);
}

#[test]
fn a_locked_store_says_who_locks_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let options = Options { lock_timeout: Duration::from_millis(50), ..create() };
    let journal = SqliteJournal::open(&path, &options).unwrap();
    append(&journal, 1).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = append(&journal, 2).unwrap_err();
    assert_eq!(error.code().id, "E0104", "{error}");
    if Path::new("/proc/locks").exists() {
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    }
    assert_eq!(journal.head().unwrap().position, 1, "readers do not mind");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(append(&journal, 2).unwrap().last, 2);
}

#[test]
fn a_copy_is_read_without_making_files() {
    let (directory, path, journal) = filled(20);
    let signer = Signer::from_seed("k", &[1; 32]).unwrap();
    let id = CheckpointId::from_parts(1, 1);
    let sealed = journal.checkpoint(id, &Principal::system(), &[&signer]).unwrap().unwrap();
    let options = verify::Options {
        trusted: vec![signer.verifier().clone()],
        notes: vec![sealed.note.clone()],
        ..verify::Options::default()
    };
    let check = |path: &Path| verify(ReadOnlyJournal::open(path).unwrap().scan(0), &options).unwrap();

    // in use: beside its writer
    assert_eq!(check(&path).head.position, 21);
    append(&journal, 99).unwrap();
    // copied while in use: file and log, without the index
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("copy?.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(directory.path().join("journal.db-wal"), copies.path().join("copy?.db-wal")).unwrap();
    assert_eq!(check(&copy).head.position, 22);
    assert_eq!(files(copies.path()), ["copy?.db", "copy?.db-wal"]);
    // at rest: the file alone, in a directory nobody may write to
    drop(journal);
    let rest = tempfile::tempdir().unwrap();
    let copy = rest.path().join("rest.db");
    fs::copy(&path, &copy).unwrap();
    let report = check(&copy);
    assert_eq!((report.head.position, report.signed), (22, 20));
    assert_eq!(files(rest.path()), ["rest.db"]);
    assert_eq!(ReadOnlyJournal::open(&copy).unwrap().checkpoints(5).unwrap().len(), 1);
    assert_eq!(ReadOnlyJournal::open(&copy).unwrap().damage().unwrap(), Vec::<String>::new());
    assert_eq!(ReadOnlyJournal::open(&copy).unwrap().compare_views().unwrap(), []);
    assert_eq!(ReadOnlyJournal::open(rest.path().join("none.db")).unwrap_err().code().id, "E0112");
}

#[test]
fn tampering_with_the_file_is_found() {
    let (_directory, path, journal) = filled(20);
    let signer = Signer::from_seed("k", &[1; 32]).unwrap();
    journal.checkpoint(CheckpointId::from_parts(1, 1), &Principal::system(), &[&signer]).unwrap().unwrap();
    drop(journal);
    let original = fs::read(&path).unwrap();
    for (sql, wanted, position) in [
        (
            "UPDATE records SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"n\"', '\"m\"') AS BLOB) WHERE position = 7",
            "E0101",
            Some(7),
        ),
        ("DELETE FROM records WHERE position = 5", "E0101", Some(5)),
        ("UPDATE records SET position = 100 WHERE position = 5", "E0101", Some(5)),
        ("UPDATE records SET bytes = x'00' WHERE position = 3", "E0108", Some(3)),
        ("DELETE FROM records WHERE position > 12", "E0103", Some(13)),
    ] {
        fs::write(&path, &original).unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let read_only = ReadOnlyJournal::open(&path).unwrap();
        let notes = read_only.checkpoints(1).unwrap().into_iter().map(|checkpoint| checkpoint.note).collect();
        let options =
            verify::Options { trusted: vec![signer.verifier().clone()], notes, ..verify::Options::default() };
        let fault = verify(read_only.scan(0), &options).unwrap_err();
        assert_eq!((fault.code().id, fault.position()), (wanted, position), "{sql}: {fault}");
    }
}

//! A copy of a database as it is at one moment, while others write to it.

use std::path::Path;

use journal::JournalError;
use rusqlite::{Connection, OpenFlags};

use crate::error::{from_io, from_sqlite};
use crate::limits::LOCK_TIMEOUT;

/// Writes what is in the database at `from` to a new file `to`, which holds everything that was committed when the copy
/// began and nothing that came later. Whoever writes meanwhile neither waits nor shows. On disk once it returns.
///
/// For the journal's file and for [`crate::KeyValues`] alike. It is the bytes of a file that a copy must not be made of: a
/// part of them is in the write-ahead log.
///
/// # Errors
/// `to` is there already; `E0105` disk full, `E0106` damaged, `E0112` anything else. What was written of `to` stays.
pub fn snapshot(from: &Path, to: &Path) -> Result<(), JournalError> {
    crate::connection::create_new_private(to)?;
    let failed = |error: rusqlite::Error| from_sqlite(from, "cannot copy", &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(from, flags).map_err(failed)?;
    connection.busy_timeout(LOCK_TIMEOUT).map_err(failed)?;
    // an empty file is taken for none, so that the mode is the one that it was made with
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map_err(failed)?;
    let sync = fs_err::File::open(to).and_then(|file| file.sync_all());
    sync.map_err(|error| from_io(&format!("cannot write {}", to.display()), &error))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use journal::events::{Nothing, RunEvent};
    use journal::{Append, Journal as _, NewEvent};
    use model::Principal;

    use super::*;
    use crate::{KeyValues, Options, ReadOnlyJournal, SqliteJournal};

    fn append(journal: &SqliteJournal, number: u64) {
        let event = NewEvent {
            stream: format!("run_{number}").into(),
            actor: Principal::system(),
            event: RunEvent::Started(Nothing {}).into(),
        };
        let appending = journal.append(Append { events: vec![event], ..Append::default() });
        futures_executor::block_on(appending).unwrap();
    }

    fn bytes(path: &Path) -> Vec<crate::Stored> {
        ReadOnlyJournal::open(path).unwrap().scan(0).map(Result::unwrap).collect()
    }

    #[test]
    fn infrastructure_24_a_copy_made_beside_a_writer_is_what_there_was_at_one_moment() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        let options = Options { create: true, source: "shop/dev".to_owned(), ..Options::default() };
        let journal = SqliteJournal::open(&path, &options).unwrap();
        append(&journal, 0);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    append(&journal, number);
                }
            });
            for round in 0..5 {
                let before = journal.head().unwrap().position;
                let copy = directory.path().join(format!("copy-{round}"));
                snapshot(&path, &copy).unwrap();
                let after = journal.head().unwrap().position;
                let copied = bytes(&copy);
                let count = copied.len() as u64;
                assert!((before..=after).contains(&count), "{before} {count} {after}");
                let whole: Vec<_> = journal.scan(0).take(copied.len()).map(Result::unwrap).collect();
                assert_eq!(copied, whole, "a copy is the beginning of what there is");
                let copy = ReadOnlyJournal::open(&copy).unwrap();
                assert_eq!(copy.damage().unwrap(), Vec::<String>::new());
                assert!(copy.compare_views().unwrap().is_empty(), "views are of the same moment");
            }
            stop.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn a_copy_is_its_owners_only_and_never_written_over() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("values.db"), directory.path().join("copy.db"));
        KeyValues::at(&from).set("fetch", "etag", b"abc").unwrap();
        snapshot(&from, &to).unwrap();
        assert_eq!(fs_err::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(KeyValues::at(&to).get("fetch", "etag").unwrap().as_deref(), Some(&b"abc"[..]));
        assert!(snapshot(&from, &to).is_err());
        assert!(snapshot(&directory.path().join("none.db"), &directory.path().join("other")).is_err());
    }
}

//! Opens a journal, or a copy of one, without changing anything and without making a file beside it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use journal::JournalError;
use model::code;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::connection::check_form;
use crate::error::{from_io, from_sqlite};
use crate::limits::READER_TIMEOUT;
use crate::query::CheckpointRow;
use crate::scan::{self, Scan};
use crate::views::Difference;
use crate::views::rebuild;

/// A journal that is only read: for verification and export, also of a copied file on another machine.
#[derive(Debug)]
pub struct ReadOnlyJournal {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// Where a copy with a write-ahead log of its own was put to be read.
    _copy: Option<TempDir>,
}

/// The file's side file with this ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// A path as the part of a `file:` address that SQLite reads back as it was.
fn address(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

impl ReadOnlyJournal {
    /// Opens a file.
    ///
    /// A file in use is read beside its writers. A file alone is read as it is. A copy that came with a write-ahead log but
    /// without the index of it is read from a copy in the temporary directory, because reading a log would write to it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let path = path.into();
        if !path.is_file() {
            return Err(JournalError::Storage {
                code: code::journal::STORE_IO,
                what: format!("there is no journal at {}", path.display()),
                hint: Some("aedile init".to_owned()),
            });
        }
        let logged = std::fs::metadata(beside(&path, "-wal")).is_ok_and(|metadata| metadata.len() > 0);
        let indexed = beside(&path, "-shm").exists() && beside(&path, "-wal").exists();
        let (copy, place) = if logged && !indexed {
            let (copy, place) = copy(&path).map_err(|error| from_io("cannot copy the journal", &error))?;
            (Some(copy), place)
        } else {
            (None, path.clone())
        };
        let failed = |error: rusqlite::Error| from_sqlite(&path, "cannot open", &error);
        let flags = OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let (flags, query) = match (copy.is_some(), indexed) {
            (true, _) => (flags | OpenFlags::SQLITE_OPEN_READ_WRITE, ""),
            (false, true) => (flags | OpenFlags::SQLITE_OPEN_READ_ONLY, ""),
            (false, false) => (flags | OpenFlags::SQLITE_OPEN_READ_ONLY, "?immutable=1"),
        };
        let connection =
            Connection::open_with_flags(format!("file:{}{query}", address(&place)), flags).map_err(failed)?;
        connection.busy_timeout(READER_TIMEOUT).map_err(failed)?;
        check_form(&connection, &path)?;
        Ok(Self { path, connection: Mutex::new(connection), _copy: copy })
    }

    fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        read(&connection).map_err(|error| from_sqlite(&self.path, "cannot read", &error))
    }

    /// The stored records after a position, unparsed and unchecked: what [`journal::verify::verify`] takes.
    pub fn scan(&self, after: u64) -> Scan<'_> {
        Scan::new(after, move |after| self.with(|connection| scan::piece(connection, after)))
    }

    /// The checkpoints that the file remembers, newest first, at most `limit` and 1,000. Given to verification as
    /// [`journal::verify::Options::notes`], the newest shows whether records were cut off without care.
    pub fn checkpoints(&self, limit: usize) -> Result<Vec<CheckpointRow>, JournalError> {
        self.with(|connection| crate::query::checkpoints(connection, limit))
    }

    /// Folds the journal beside the views and tells which rows are not what they should be, at most 100.
    pub fn compare_views(&self) -> Result<Vec<Difference>, JournalError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        rebuild::compare(&connection, &self.path)
    }

    /// What SQLite itself finds wrong with the file, at most 100 findings; none for a sound one. Reads the whole file.
    pub fn damage(&self) -> Result<Vec<String>, JournalError> {
        let found: Result<Vec<String>, _> = self.with(|connection| {
            connection.prepare("PRAGMA integrity_check(100)")?.query_map([], |row| row.get(0))?.collect()
        });
        match found {
            Ok(findings) => Ok(findings.into_iter().filter(|finding| finding != "ok").collect()),
            // damage can be such that looking for damage fails
            Err(error) if model::Coded::code(&error) == code::journal::CORRUPT => Ok(vec![error.to_string()]),
            Err(error) => Err(error),
        }
    }
}

fn copy(path: &Path) -> std::io::Result<(TempDir, PathBuf)> {
    let directory = tempfile::tempdir()?;
    let place = directory.path().join("journal.db");
    fs_err::copy(path, &place)?;
    fs_err::copy(beside(path, "-wal"), beside(&place, "-wal"))?;
    Ok((directory, place))
}

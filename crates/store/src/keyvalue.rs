//! What actions keep for themselves: [`KeyValues`].

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use journal::JournalError;
use model::code::journal as codes;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::connection;
use crate::error::from_sqlite;
use crate::limits::{KEYS_PER_NAMESPACE_MAX, NAMESPACE_VALUE_BYTES_MAX};

/// `AEKV`: marks the file as ours (`PRAGMA application_id`).
const APPLICATION_ID: i32 = 0x4145_4b56;

/// Version of the file's form.
const FORMAT: i32 = 1;

const FORM: &str = "
    CREATE TABLE entries (
        namespace TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (namespace, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE spaces (
        namespace TEXT PRIMARY KEY, keys INTEGER NOT NULL, bytes INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Keys and values of one environment, by namespace, in a database of their own beside the journal. They are an action's
/// memory and nobody's evidence: the journal does not hold them, nothing is proved from them, and every other table can
/// be made again while these cannot.
///
/// Durable once a method returns, shared by processes, each write whole or not at all. Nothing is opened or made before
/// it is needed, and reading makes nothing. Methods block.
///
/// ```
/// # let directory = tempfile::tempdir().unwrap();
/// let values = store::KeyValues::at(directory.path().join("values.db"));
/// assert_eq!(values.get("fetch", "etag").unwrap(), None);
/// values.set("fetch", "etag", b"abc").unwrap();
/// assert_eq!(values.get("fetch", "etag").unwrap().as_deref(), Some(&b"abc"[..]));
/// assert_eq!(values.get("other", "etag").unwrap(), None);
/// ```
#[derive(Debug)]
pub struct KeyValues {
    path: PathBuf,
    connection: Mutex<Option<Connection>>,
}

impl KeyValues {
    /// Those in the file at `path`, which need not be there yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), connection: Mutex::new(None) }
    }

    /// The value of `key`, if it has one.
    ///
    /// # Errors
    /// Those of a file that cannot be used: `E0104` locked, `E0105` disk full, `E0106` damaged, `E0107` newer, `E0112`.
    pub fn get(&self, namespace: &str, key: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT value FROM entries WHERE namespace = ?1 AND key = ?2")?
                .query_row([namespace, key], |row| row.get(0))
                .optional()
        })
        .map(Option::flatten)
    }

    /// The keys that begin with `prefix`, in the order of their bytes, at most `limit`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn keys(&self, namespace: &str, prefix: &str, limit: usize) -> Result<Vec<String>, JournalError> {
        self.read(|connection| {
            let mut found = connection.prepare_cached(
                "SELECT key FROM entries WHERE namespace = ?1 AND key >= ?2 ORDER BY key LIMIT ?3",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let keys = found.query_map(params![namespace, prefix, limit], |row| row.get::<_, String>(0))?;
            let mut keys: Vec<String> = keys.collect::<Result<_, _>>()?;
            // those with the prefix stand together, at the front
            let end = keys.partition_point(|key| key.starts_with(prefix));
            keys.truncate(end);
            Ok(keys)
        })
        .map(Option::unwrap_or_default)
    }

    /// Gives `key` a value.
    ///
    /// # Errors
    /// `E0109` when the namespace would hold more than [`KEYS_PER_NAMESPACE_MAX`] keys or
    /// [`NAMESPACE_VALUE_BYTES_MAX`] bytes; otherwise as [`Self::get`].
    pub fn set(&self, namespace: &str, key: &str, value: &[u8]) -> Result<(), JournalError> {
        let size = bytes(key, value.len());
        let mut full = None;
        self.write(|transaction| {
            let old = size_of(transaction, namespace, key)?;
            let (keys, held) = usage(transaction, namespace)?;
            let keys = keys + i64::from(old.is_none());
            let held = held - old.unwrap_or(0) + size;
            // what makes a namespace smaller goes through also where a limit was lowered
            let grows = old.is_none_or(|old| size > old);
            if grows && (keys > KEYS_PER_NAMESPACE_MAX || held > NAMESPACE_VALUE_BYTES_MAX) {
                full = Some((keys, held));
                return Ok(());
            }
            transaction
                .prepare_cached("INSERT OR REPLACE INTO entries (namespace, key, value) VALUES (?1, ?2, ?3)")?
                .execute(params![namespace, key, value])?;
            remember(transaction, namespace, keys, held)
        })?;
        match full {
            None => Ok(()),
            Some((keys, held)) => Err(JournalError::Storage {
                code: codes::RECORD_TOO_LARGE,
                what: format!(
                    "the namespace {namespace} would hold {keys} keys and {held} bytes; it may hold \
                     {KEYS_PER_NAMESPACE_MAX} and {NAMESPACE_VALUE_BYTES_MAX}"
                ),
                hint: None,
            }),
        }
    }

    /// Takes `key` away; that it was not there is no error.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn delete(&self, namespace: &str, key: &str) -> Result<(), JournalError> {
        if !self.path.exists() {
            return Ok(());
        }
        self.write(|transaction| {
            let Some(size) = size_of(transaction, namespace, key)? else { return Ok(()) };
            transaction
                .prepare_cached("DELETE FROM entries WHERE namespace = ?1 AND key = ?2")?
                .execute([namespace, key])?;
            let (keys, held) = usage(transaction, namespace)?;
            remember(transaction, namespace, keys - 1, held - size)
        })
    }

    /// `None`: there is no file, and so there are no values.
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, JournalError> {
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() && !self.path.exists() {
            return Ok(None);
        }
        let connection = opened(&mut held, &self.path)?;
        work(connection).map(Some).map_err(|error| from_sqlite(&self.path, "cannot read", &error))
    }

    fn write(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> Result<(), JournalError> {
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = opened(&mut held, &self.path)?;
        let done = connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|tx| {
            work(&tx)?;
            tx.commit()
        });
        done.map_err(|error| from_sqlite(&self.path, "cannot write to", &error))
    }
}

fn opened<'a>(held: &'a mut Option<Connection>, path: &Path) -> Result<&'a mut Connection, JournalError> {
    if held.is_none() {
        *held = Some(open(path)?);
    }
    Ok(held.as_mut().expect("it was put there right before"))
}

fn open(path: &Path) -> Result<Connection, JournalError> {
    connection::create_private(path)?;
    let failed = |error: rusqlite::Error| from_sqlite(path, "cannot open", &error);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection::configure(&connection).map_err(failed)?;
    let form = |connection: &Connection| -> rusqlite::Result<(i32, i32, i64)> {
        Ok((
            connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
            connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
        ))
    };
    // another process may be making it: what counts is what is found under the lock
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    match form(&transaction).map_err(failed)? {
        (APPLICATION_ID, FORMAT, _) => {}
        (0, 0, 0) => {
            transaction.execute_batch(FORM).map_err(failed)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
            transaction.pragma_update(None, "user_version", FORMAT).map_err(failed)?;
        }
        (APPLICATION_ID, version, _) => {
            return Err(JournalError::Storage {
                code: codes::NEWER,
                what: format!(
                    "{} has format {version}; this version of Aedile knows format {FORMAT}",
                    path.display()
                ),
                hint: Some("aedile --version".to_owned()),
            });
        }
        _ => {
            return Err(JournalError::Storage {
                code: codes::CORRUPT,
                what: format!("{} is a database, but not one of values of actions", path.display()),
                hint: None,
            });
        }
    }
    transaction.commit().map_err(failed)?;
    Ok(connection)
}

/// What an entry counts for.
fn bytes(key: &str, value: usize) -> i64 {
    i64::try_from(key.len().saturating_add(value)).unwrap_or(i64::MAX)
}

fn size_of(transaction: &Transaction<'_>, namespace: &str, key: &str) -> rusqlite::Result<Option<i64>> {
    let length = transaction
        .prepare_cached("SELECT length(value) FROM entries WHERE namespace = ?1 AND key = ?2")?
        .query_row([namespace, key], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(length.map(|length| length + bytes(key, 0)))
}

fn usage(transaction: &Transaction<'_>, namespace: &str) -> rusqlite::Result<(i64, i64)> {
    let found = transaction
        .prepare_cached("SELECT keys, bytes FROM spaces WHERE namespace = ?1")?
        .query_row([namespace], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn remember(transaction: &Transaction<'_>, namespace: &str, keys: i64, held: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO spaces (namespace, keys, bytes) VALUES (?1, ?2, ?3)")?
        .execute(params![namespace, keys, held])
        .map(drop)
}

#[cfg(test)]
mod tests {
    use model::Coded as _;

    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("values.db");
        (directory, path)
    }

    #[test]
    fn values_outlive_the_process_and_are_shared() {
        let (_directory, path) = place();
        let (one, other) = (KeyValues::at(&path), KeyValues::at(&path));
        assert_eq!(one.get("a", "k").unwrap(), None);
        assert!(one.keys("a", "", 10).unwrap().is_empty());
        one.delete("a", "k").unwrap();
        assert!(!path.exists(), "reading makes nothing");
        one.set("a", "k", b"1").unwrap();
        assert_eq!(other.get("a", "k").unwrap().unwrap(), b"1");
        other.set("a", "k", b"2").unwrap();
        other.set("b", "k", b"").unwrap();
        drop((one, other));
        let later = KeyValues::at(&path);
        assert_eq!(later.get("a", "k").unwrap().unwrap(), b"2");
        assert_eq!(later.get("b", "k").unwrap().unwrap(), b"");
        later.delete("a", "k").unwrap();
        assert_eq!(later.get("a", "k").unwrap(), None);
        assert_eq!(later.get("b", "k").unwrap().unwrap(), b"");
    }

    #[test]
    fn keys_are_listed_by_prefix_in_order_and_no_further_than_asked() {
        let (_directory, path) = place();
        let values = KeyValues::at(path);
        for key in ["b", "a%", "a_1", "a1", "a", "é", "ab", "A"] {
            values.set("n", key, b"").unwrap();
            values.set("m", key, b"").unwrap();
        }
        assert_eq!(values.keys("n", "a", 10).unwrap(), ["a", "a%", "a1", "a_1", "ab"]);
        assert_eq!(values.keys("n", "a", 2).unwrap(), ["a", "a%"]);
        assert_eq!(values.keys("n", "", 10).unwrap(), ["A", "a", "a%", "a1", "a_1", "ab", "b", "é"]);
        assert_eq!(values.keys("n", "é", 10).unwrap(), ["é"]);
        assert!(values.keys("n", "zz", 10).unwrap().is_empty());
    }

    #[test]
    fn a_namespace_holds_so_much_and_no_more() {
        let (_directory, path) = place();
        let values = KeyValues::at(path);
        let large = vec![7; usize::try_from(NAMESPACE_VALUE_BYTES_MAX / 4).unwrap()];
        for key in ["a", "b", "c"] {
            values.set("n", key, &large).unwrap();
        }
        let error = values.set("n", "d", &large).unwrap_err();
        assert_eq!(error.code(), codes::RECORD_TOO_LARGE, "{error}");
        assert_eq!(values.get("n", "d").unwrap(), None);
        values.set("other", "d", &large).unwrap();
        // replacing and deleting give room back
        values.set("n", "c", b"small").unwrap();
        values.set("n", "d", &large).unwrap();
        values.delete("n", "a").unwrap();
        values.delete("n", "a").unwrap();
        values.set("n", "e", &large).unwrap();
        assert!(values.set("n", "f", &large).is_err());
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let (_directory, path) = place();
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
        let before = std::fs::read(&path).unwrap().len();
        assert_eq!(KeyValues::at(&path).set("n", "k", b"v").unwrap_err().code(), codes::CORRUPT);
        assert_eq!(std::fs::read(&path).unwrap().len(), before);
        std::fs::write(&path, b"not a database at all, but long enough to be looked at").unwrap();
        assert_eq!(KeyValues::at(&path).get("n", "k").unwrap_err().code(), codes::CORRUPT);
    }

    #[test]
    fn two_handles_at_once_lose_nothing() {
        let (_directory, path) = place();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    let values = KeyValues::at(path);
                    for number in 0..25 {
                        values.set("n", &format!("{writer}-{number}"), b"v").unwrap();
                    }
                });
            }
        });
        assert_eq!(KeyValues::at(&path).keys("n", "", 1000).unwrap().len(), 100);
    }
}

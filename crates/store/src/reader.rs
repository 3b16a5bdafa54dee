//! Connections that read, shared by whoever reads.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use journal::{JournalError, Record, record};
use model::code;
use rusqlite::{Connection, params};

use crate::connection;
use crate::error::from_sqlite;
use crate::limits::{READER_TIMEOUT, READERS_MAX};

/// A few connections that read.
pub(crate) struct Readers {
    path: PathBuf,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    open: usize,
}

/// Gives the connection back when dropped, also in a panic.
struct Loan<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut state = self.readers.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.connection.take() {
            Some(connection) => state.idle.push(connection),
            None => state.open -= 1,
        }
        drop(state);
        self.readers.returned.notify_one();
    }
}

/// A transaction that reads. Its two statements are prepared once for a connection: reading them anew costs as much as a short
/// query does.
struct Snapshot<'c>(&'c Connection);

impl<'c> Snapshot<'c> {
    fn begin(connection: &'c Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN DEFERRED")?.execute([])?;
        Ok(Self(connection))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // a connection that cannot end it is of no use to the next one, who is told so by `BEGIN`
        let ended = self.0.prepare_cached("ROLLBACK").and_then(|mut statement| statement.execute([]));
        drop(ended);
    }
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, state: Mutex::default(), returned: Condvar::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn borrow(&self) -> Result<Loan<'_>, JournalError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .returned
            .wait_timeout_while(state, READER_TIMEOUT, |state| {
                state.idle.is_empty() && state.open >= READERS_MAX
            })
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = state.idle.pop() {
            return Ok(Loan { readers: self, connection: Some(connection) });
        }
        if state.open >= READERS_MAX {
            return Err(JournalError::Storage {
                code: code::journal::OVERLOADED,
                what: format!("{READERS_MAX} readers of {} are busy", self.path.display()),
                hint: None,
            });
        }
        state.open += 1;
        drop(state);
        let mut loan = Loan { readers: self, connection: None };
        loan.connection = Some(connection::open_reader(&self.path)?);
        Ok(loan)
    }

    /// Reads, in one snapshot where `read` makes several queries.
    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let mut loan = self.borrow()?;
        let failed = |error: rusqlite::Error| from_sqlite(&self.path, "cannot read", &error);
        match &mut loan.connection {
            Some(connection) => {
                let snapshot = Snapshot::begin(connection).map_err(failed)?;
                read(snapshot.0).map_err(failed)
            }
            None => Err(JournalError::stopped()),
        }
    }

    /// Records after a position.
    pub(crate) fn read(&self, after: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        let rows = self.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT position, bytes FROM records WHERE position > ?1 ORDER BY position LIMIT ?2",
                )?
                .query_map(params![clamp(after), clamp(limit as u64)], row)?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        decode(rows)
    }

    /// Records of a stream after a sequence.
    pub(crate) fn read_stream(
        &self,
        stream: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Record>, JournalError> {
        // within a stream the order of positions is that of sequences; which they are is told before any bytes are read, so that
        // nothing but numbers is sorted
        let mut rows = self.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT position, bytes FROM (
                         SELECT position FROM (
                             SELECT * FROM (SELECT position FROM stream_records
                                            WHERE stream = (SELECT id FROM streams WHERE name = ?1) AND sequence > ?2
                                            ORDER BY sequence LIMIT ?3)
                             UNION ALL
                             SELECT position FROM stream_tail
                             WHERE stream = (SELECT id FROM streams WHERE name = ?1) AND sequence > ?2
                         ) ORDER BY position LIMIT ?3
                     ) CROSS JOIN records USING (position)",
                )?
                .query_map(params![stream, clamp(after), clamp(limit as u64)], row)?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        // a join promises no order
        rows.sort_unstable_by_key(|(position, _)| *position);
        decode(rows)
    }
}

type Row = (u64, std::sync::Arc<[u8]>);

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get_ref(1)?.as_blob()?.into()))
}

fn decode(rows: Vec<Row>) -> Result<Vec<Record>, JournalError> {
    rows.into_iter()
        .map(|(position, bytes)| record::decode(bytes).map_err(|error| record::unreadable(position, &error)))
        .collect()
}

/// SQLite's integers are signed; nothing lies beyond them.
pub(crate) fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

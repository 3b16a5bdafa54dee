//! What the writer does inside a transaction: conditions, places, records, views.

use std::collections::HashMap;
use std::path::Path;

use journal::record::{self, Place, Prepared};
use journal::{Appended, Expect, Head, JournalError, NewEvent, StreamId};
use model::{Digest, Timestamp, time};
use rusqlite::{Connection, OptionalExtension};

use crate::error::from_sqlite;
use crate::limits::{CACHE_ROWS_MAX, TAIL_RECORDS};
use crate::unwritten::Unwritten;
use crate::views::{Fact, Views, rebuild};

/// An append whose events are encoded as far as can be.
pub(crate) struct Entry {
    pub(crate) expect: Vec<Expect>,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) prepared: Vec<Prepared>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) bytes: usize,
}

/// Why an append went wrong: on its own account, or together with everything in its transaction.
pub(crate) enum Refusal {
    Own(JournalError),
    Everybody(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Everybody(error)
    }
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    id: i64,
    sequence: u64,
    at: Timestamp,
}

/// The end of the journal and of its streams, as the writer remembers them between transactions.
pub(crate) struct Ledger {
    source: String,
    head: Head,
    /// The last record whose place is in the index of streams.
    sorted: u64,
    streams: HashMap<StreamId, Stream>,
    views: Views,
    /// `PRAGMA data_version` at the last look: it changes when another connection commits.
    version: Option<i64>,
    stamp: (Timestamp, String),
    unwritten: Unwritten,
}

impl Ledger {
    pub(crate) fn new(connection: &Connection) -> rusqlite::Result<Self> {
        let source =
            connection.query_row("SELECT value FROM meta WHERE name = 'source'", [], |row| row.get(0))?;
        Ok(Self {
            source,
            head: Head { position: 0, digest: Digest::ZERO },
            sorted: 0,
            streams: HashMap::new(),
            views: Views::default(),
            version: None,
            stamp: (Timestamp::UNIX_EPOCH, time::rfc3339(Timestamp::UNIX_EPOCH)),
            unwritten: Unwritten::default(),
        })
    }

    pub(crate) fn position(&self) -> u64 {
        self.head.position
    }

    /// Forgets everything: after a transaction that did not end well, the file alone knows.
    pub(crate) fn forget(&mut self) {
        self.version = None;
    }

    /// Inside a new transaction: reads again what another process may have changed.
    pub(crate) fn refresh(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.unwritten.clear();
        let version =
            connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get::<_, i64>(0))?;
        if self.version != Some(version) {
            self.version = None;
            self.streams.clear();
            self.views = Views::default();
            self.head = read_head(connection)?;
            let first: Option<i64> = connection
                .prepare_cached("SELECT min(position) FROM stream_tail")?
                .query_row([], |row| row.get(0))?;
            self.sorted = first.map_or(self.head.position, |first| first.cast_unsigned() - 1);
            self.version = Some(version);
        }
        if self.streams.len() > CACHE_ROWS_MAX {
            self.streams.clear();
        }
        Ok(())
    }

    fn stream(&mut self, connection: &Connection, name: &StreamId) -> rusqlite::Result<Option<Stream>> {
        if let Some(known) = self.streams.get(name) {
            return Ok(Some(*known));
        }
        let id: Option<i64> = connection
            .prepare_cached("SELECT id FROM streams WHERE name = ?1")?
            .query_row([&**name], |row| row.get(0))
            .optional()?;
        let Some(id) = id else { return Ok(None) };
        let found = connection
            .prepare_cached(
                "SELECT sequence, bytes FROM (
                     SELECT sequence, position FROM stream_tail WHERE stream = ?1
                     UNION ALL
                     SELECT * FROM (SELECT sequence, position FROM stream_records
                                    WHERE stream = ?1 ORDER BY sequence DESC LIMIT 1)
                 ) CROSS JOIN records USING (position) ORDER BY sequence DESC LIMIT 1",
            )?
            .query_row([id], |row| Ok((row.get::<_, i64>(0)?, time_of(row.get_ref(1)?.as_blob()?))))
            .optional()?;
        let (sequence, at) = found.unwrap_or((0, Timestamp::MIN));
        let stream = Stream { id, sequence: sequence.cast_unsigned(), at };
        self.streams.insert(name.clone(), stream);
        Ok(Some(stream))
    }

    /// Checks the conditions and writes the records and what the views make of them. `now` is for appends without a time.
    pub(crate) fn append(
        &mut self,
        connection: &Connection,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<Appended, Refusal> {
        for expect in &entry.expect {
            let actual = self.stream(connection, &expect.stream)?.map_or(0, |stream| stream.sequence);
            if actual != expect.sequence {
                let (stream, expected) = (expect.stream.clone(), expect.sequence);
                return Err(Refusal::Own(JournalError::Conflict { stream, expected, actual }));
            }
        }
        let wanted = time::to_millisecond(entry.at.unwrap_or(now));
        let first = self.head.position + 1;
        let mut sequences = Vec::with_capacity(entry.events.len());
        let mut first_at = wanted;
        for (prepared, event) in entry.prepared.iter().zip(&entry.events) {
            let stream = match self.stream(connection, &event.stream)? {
                Some(stream) => stream,
                None => create_stream(connection, &event.stream)?,
            };
            let at = wanted.max(stream.at);
            if sequences.is_empty() {
                first_at = at;
            }
            let sequence = stream.sequence + 1;
            self.encode(prepared, stream.id, sequence, at);
            self.streams.insert(event.stream.clone(), Stream { id: stream.id, sequence, at });
            let fact = Fact {
                position: self.head.position,
                stream: &event.stream,
                sequence,
                at,
                actor: &event.actor,
                event: &event.event,
            };
            self.views.fold(connection, &fact)?;
            sequences.push(sequence);
        }
        Ok(Appended { first, last: self.head.position, at: first_at, sequences })
    }

    /// Puts one record at the end of the journal, as far as this transaction is concerned.
    fn encode(&mut self, prepared: &Prepared, stream: i64, sequence: u64, at: Timestamp) {
        if self.stamp.0 != at {
            self.stamp = (at, time::rfc3339(at));
        }
        let position = self.head.position + 1;
        let place = Place {
            position,
            sequence,
            time: &self.stamp.1,
            previous: &self.head.digest,
            source: &self.source,
        };
        let digest = self.unwritten.push(prepared, &place, stream);
        self.head = Head { position, digest };
    }

    /// Writes the records that the transaction has so far. Before anything that reads records or ends the transaction.
    pub(crate) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.unwritten.write(connection)
    }

    /// Folds the journal again into empty views.
    pub(crate) fn rebuild(&mut self, connection: &Connection, path: &Path) -> Result<(), JournalError> {
        self.write(connection).map_err(|error| from_sqlite(path, "cannot write to", &error))?;
        // what earlier requests of the transaction changed is in the records, and is folded with them
        self.views = Views::default();
        rebuild::rebuild(connection, path)
    }

    /// Writes the changed rows of the views, and sorts places into the index of streams when there are enough of them.
    /// Last in a transaction.
    pub(crate) fn flush(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.write(connection)?;
        if self.head.position - self.sorted >= TAIL_RECORDS {
            connection.execute_batch(
                "INSERT INTO stream_records (stream, sequence, position)
                     SELECT stream, sequence, position FROM stream_tail ORDER BY stream, sequence;
                 DELETE FROM stream_tail;",
            )?;
            self.sorted = self.head.position;
        }
        self.views.flush(connection)
    }
}

fn create_stream(connection: &Connection, name: &StreamId) -> rusqlite::Result<Stream> {
    connection.prepare_cached("INSERT INTO streams (name) VALUES (?1)")?.execute([&**name])?;
    Ok(Stream { id: connection.last_insert_rowid(), sequence: 0, at: Timestamp::MIN })
}

/// The time a record carries. A record that cannot be read has none: it is for verification to complain.
fn time_of(bytes: &[u8]) -> Timestamp {
    record::Envelope::read(bytes)
        .ok()
        .and_then(|envelope| envelope.time.parse().ok())
        .unwrap_or(Timestamp::MIN)
}

/// Where the journal ends.
pub(crate) fn read_head(connection: &Connection) -> rusqlite::Result<Head> {
    let last = connection
        .prepare_cached("SELECT position, bytes FROM records ORDER BY position DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, record::digest(row.get_ref(1)?.as_blob()?))))
        .optional()?;
    Ok(last.map_or(Head { position: 0, digest: Digest::ZERO }, |(position, digest)| Head {
        position: position.cast_unsigned(),
        digest,
    }))
}

/// The last sequence of a stream; 0 if there is no such stream.
pub(crate) fn last_sequence(connection: &Connection, stream: &str) -> rusqlite::Result<u64> {
    let sql = "SELECT max(
        ifnull((SELECT max(sequence) FROM stream_tail WHERE stream = (SELECT id FROM streams WHERE name = ?1)), 0),
        ifnull((SELECT max(sequence) FROM stream_records WHERE stream = (SELECT id FROM streams WHERE name = ?1)), 0))";
    let sequence: i64 = connection.prepare_cached(sql)?.query_row([stream], |row| row.get(0))?;
    Ok(sequence.cast_unsigned())
}

//! Records that a transaction has placed and hashed but not yet given to SQLite, which takes many at once for less.

use journal::record::{self, Place, Prepared};
use model::Digest;
use rusqlite::{Connection, Statement};

/// Rows of one statement. More gain little; the rest of a group goes row by row.
const ROWS: usize = 8;

const RECORDS: &str = "INSERT INTO records (position, bytes) VALUES (?,?)";
const RECORDS_ROWS: &str = "INSERT INTO records (position, bytes) VALUES
    (?,?),(?,?),(?,?),(?,?),(?,?),(?,?),(?,?),(?,?)";
const TAIL: &str = "INSERT INTO stream_tail (position, stream, sequence) VALUES (?,?,?)";
const TAIL_ROWS: &str = "INSERT INTO stream_tail (position, stream, sequence) VALUES
    (?,?,?),(?,?,?),(?,?,?),(?,?,?),(?,?,?),(?,?,?),(?,?,?),(?,?,?)";

/// Where one record stands in the buffer and in the journal.
#[derive(Debug, Clone, Copy)]
struct Row {
    position: i64,
    stream: i64,
    sequence: i64,
    begin: usize,
    end: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Unwritten {
    bytes: Vec<u8>,
    rows: Vec<Row>,
}

impl Unwritten {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }

    /// Finishes a record and answers its digest.
    pub(crate) fn push(&mut self, prepared: &Prepared, place: &Place<'_>, stream: i64) -> Digest {
        let begin = self.bytes.len();
        prepared.finish(place, &mut self.bytes);
        let (position, sequence) = (place.position.cast_signed(), place.sequence.cast_signed());
        self.rows.push(Row { position, stream, sequence, begin, end: self.bytes.len() });
        record::digest(&self.bytes[begin..])
    }

    /// Gives everything to SQLite, and forgets it.
    pub(crate) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let (many, rest) = self.rows.as_chunks::<ROWS>();
        if !many.is_empty() {
            let mut records = connection.prepare_cached(RECORDS_ROWS)?;
            let mut tail = connection.prepare_cached(TAIL_ROWS)?;
            for rows in many {
                insert(&mut records, &mut tail, &self.bytes, rows)?;
            }
        }
        if !rest.is_empty() {
            let mut records = connection.prepare_cached(RECORDS)?;
            let mut tail = connection.prepare_cached(TAIL)?;
            for row in rest {
                insert(&mut records, &mut tail, &self.bytes, std::slice::from_ref(row))?;
            }
        }
        self.clear();
        Ok(())
    }
}

fn insert(
    records: &mut Statement<'_>,
    tail: &mut Statement<'_>,
    bytes: &[u8],
    rows: &[Row],
) -> rusqlite::Result<()> {
    for (index, row) in rows.iter().enumerate() {
        records.raw_bind_parameter(2 * index + 1, row.position)?;
        records.raw_bind_parameter(2 * index + 2, &bytes[row.begin..row.end])?;
        tail.raw_bind_parameter(3 * index + 1, row.position)?;
        tail.raw_bind_parameter(3 * index + 2, row.stream)?;
        tail.raw_bind_parameter(3 * index + 3, row.sequence)?;
    }
    records.raw_execute()?;
    tail.raw_execute()?;
    Ok(())
}

//! Reads the raw bytes of a whole journal, in order, a piece at a time.

use journal::JournalError;
use rusqlite::{Connection, params};

use crate::reader::{Readers, clamp};
use crate::sqlite::SqliteJournal;

/// Most records in one piece.
const PIECE_RECORDS: u64 = 2_000;

/// A record as it is stored: the position of its row, and its bytes.
pub type Stored = (u64, Box<[u8]>);

/// Reads one piece.
pub(crate) fn piece(connection: &Connection, after: u64) -> rusqlite::Result<Vec<Stored>> {
    connection
        .prepare_cached("SELECT position, bytes FROM records WHERE position > ?1 ORDER BY position LIMIT ?2")?
        .query_map(params![clamp(after), clamp(PIECE_RECORDS)], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get_ref(1)?.as_blob()?.into()))
        })?
        .collect()
}

/// Iterates over stored records; made by [`SqliteJournal::scan`]. Ends after the first error.
pub struct Scan<'a> {
    read: Box<dyn FnMut(u64) -> Result<Vec<Stored>, JournalError> + 'a>,
    piece: std::vec::IntoIter<Stored>,
    after: u64,
    ended: bool,
}

impl std::fmt::Debug for Scan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("after", &self.after).finish_non_exhaustive()
    }
}

impl<'a> Scan<'a> {
    pub(crate) fn new(after: u64, read: impl FnMut(u64) -> Result<Vec<Stored>, JournalError> + 'a) -> Self {
        Self { read: Box::new(read), piece: Vec::new().into_iter(), after, ended: false }
    }

    pub(crate) fn of(readers: &'a Readers, after: u64) -> Self {
        Self::new(after, |after| readers.with(|connection| piece(connection, after)))
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Stored, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.piece.len() == 0 && !self.ended {
            match (self.read)(self.after) {
                Ok(piece) => self.piece = piece.into_iter(),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        let Some(record) = self.piece.next() else {
            self.ended = true;
            return None;
        };
        self.after = record.0;
        Some(Ok(record))
    }
}

impl SqliteJournal {
    /// The stored records after a position, unparsed and unchecked: what [`journal::verify::verify`] takes.
    pub fn scan(&self, after: u64) -> Scan<'_> {
        Scan::of(&self.readers, after)
    }
}

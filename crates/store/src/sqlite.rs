//! [`SqliteJournal`]: the journal of one environment in one file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use journal::limits::{APPEND_EVENTS_MAX, READ_RECORDS_MAX};
use journal::watch::Watch;
use journal::{Append, Appending, Head, Journal, JournalError, Record, record};
use model::{Timestamp, code};

use crate::connection;
use crate::ledger::{self, Entry};
use crate::limits::LOCK_TIMEOUT;
use crate::poller::Poller;
use crate::reader::Readers;
use crate::tiles::Tiles;
use crate::writer::{Pending, Request, WallClock, Writer};

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Whether to make the file if it is not there.
    pub create: bool,
    /// What the records of a new journal carry as `source`, for example `aedile/prod`. An existing journal keeps its own.
    pub source: String,
    /// The time of appends that carry none, and of leases.
    pub clock: WallClock,
    /// How long an append waits for another process to release the file.
    pub lock_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            create: false,
            source: "aedile".to_owned(),
            clock: Arc::new(Timestamp::now),
            lock_timeout: LOCK_TIMEOUT,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("create", &self.create)
            .field("source", &self.source)
            .field("lock_timeout", &self.lock_timeout)
            .finish_non_exhaustive()
    }
}

/// The journal of one environment, its views, leases and nothing else, in one SQLite file.
///
/// Any number of processes may open the same file. Dropping it commits what is queued.
///
/// # Errors of all methods
/// `E0104` locked, `E0105` disk full, `E0106` damaged, `E0107` written by a newer version, `E0112` anything else.
pub struct SqliteJournal {
    pub(crate) readers: Readers,
    pub(crate) clock: WallClock,
    pub(crate) tiles: Tiles,
    watch: Arc<Watch>,
    // the threads end before the connections they share the file with
    poller: Poller,
    pub(crate) writer: Writer,
}

impl fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteJournal").field("path", &self.readers.path()).finish_non_exhaustive()
    }
}

impl SqliteJournal {
    /// Opens a journal, and makes it if `options` say so.
    pub fn open(path: impl Into<PathBuf>, options: &Options) -> Result<Self, JournalError> {
        let path = path.into();
        if !record::is_source(&options.source) {
            return Err(JournalError::Storage {
                code: code::journal::BAD_APPEND,
                what: format!("{:?} cannot be a journal's source", options.source),
                hint: None,
            });
        }
        let connection = connection::open_writer(&path, options.create, &options.source)?;
        let readers = Readers::new(path.clone());
        let position = readers.with(ledger::read_head)?.position;
        let watch = Arc::new(Watch::new(position));
        let poller = Poller::start(path.clone(), watch.clone())?;
        let writer =
            Writer::start(connection, path, options.clock.clone(), options.lock_timeout, watch.clone())?;
        let (clock, tiles) = (options.clock.clone(), Tiles::default());
        Ok(Self { readers, clock, tiles, watch, poller, writer })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.readers.path()
    }

    /// Limits the size of the file in bytes; `None` lifts the limit. Beyond it appends fail with `E0105`, as on a full disk.
    pub fn set_size_limit(&self, bytes: Option<u64>) -> Pending<()> {
        self.writer.task(self.path(), move |connection| {
            let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            // SQLite's own upper limit of pages
            let pages = bytes.map_or(0xffff_fffe, |bytes| bytes / page.cast_unsigned());
            connection.pragma_update_and_check(
                None,
                "max_page_count",
                crate::reader::clamp(pages),
                |_| Ok(()),
            )
        })
    }
}

impl Journal for SqliteJournal {
    fn append(&self, append: Append) -> Appending {
        let entry = match prepare(append) {
            Ok(entry) => entry,
            Err(error) => return Appending::ready(Err(error)),
        };
        let (reply, appending) = Appending::channel();
        if let Err((Request::Append(_, reply), error)) =
            self.writer.submit(Request::Append(Box::new(entry), reply))
        {
            drop(reply.send(Err(error)));
        }
        appending
    }

    fn head(&self) -> Result<Head, JournalError> {
        let head = self.readers.with(ledger::read_head)?;
        self.watch.publish(head.position);
        Ok(head)
    }

    fn read(&self, after: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.readers.read(after, limit.min(READ_RECORDS_MAX))
    }

    fn read_stream(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.readers.read_stream(stream, after, limit.min(READ_RECORDS_MAX))
    }

    fn changed(&self, after: u64) -> Pin<Box<dyn Future<Output = Result<u64, JournalError>> + Send + '_>> {
        let news = self.watch.wait(after);
        self.poller.wake();
        Box::pin(async move { news.await.unwrap_or_else(|_| Err(JournalError::stopped())) })
    }
}

fn prepare(append: Append) -> Result<Entry, JournalError> {
    let Append { expect, events, at } = append;
    if !(1..=APPEND_EVENTS_MAX).contains(&events.len()) {
        return Err(JournalError::Storage {
            code: code::journal::BAD_APPEND,
            what: format!("an append has 1 to {APPEND_EVENTS_MAX} events, not {}", events.len()),
            hint: None,
        });
    }
    let prepared = events.iter().map(record::prepare).collect::<Result<Vec<_>, _>>()?;
    let bytes = prepared.iter().map(record::Prepared::size).sum();
    Ok(Entry { expect, events, prepared, at, bytes })
}

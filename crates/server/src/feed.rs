//! What happens in an environment, as it happens, for any number of listeners.
//!
//! One task follows the journal and writes each record once as an event of a stream; listeners share those bytes. A listener
//! that falls behind, or that wants the past, reads the journal itself, a page at a time, so that memory stays bounded however
//! slow it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use journal::{Event, Journal, JournalError, Record, StreamId};
use store::SqliteJournal;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::{limits, view};

/// One record, as listeners get it.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its position.
    pub position: u64,
    /// Its stream.
    pub stream: StreamId,
    /// Whether it is the last of a run.
    pub ends: bool,
    /// The event of a stream: id, type and data (HTML Living Standard, server-sent events).
    pub bytes: Bytes,
}

impl Frame {
    /// Writes a record as an event.
    pub fn of(record: &Record) -> Self {
        let data = serde_json::to_string(&view::record(record)).unwrap_or_default();
        let kind = record.event.kind();
        let text = format!("id: {}\nevent: {kind}\ndata: {data}\n\n", record.position);
        let ends = matches!(&record.event, Event::Run(event) if event.is_end());
        Self { position: record.position, stream: record.stream.clone(), ends, bytes: text.into() }
    }
}

/// Follows one journal.
pub struct Feed {
    frames: broadcast::Sender<Frame>,
    listeners: Arc<AtomicUsize>,
    following: JoinHandle<()>,
}

impl Feed {
    /// Follows from the end. Must be called within a tokio runtime.
    pub fn start(journal: Arc<SqliteJournal>) -> Result<Self, JournalError> {
        let frames = broadcast::Sender::new(limits::STREAM_BEHIND_MAX);
        let after = journal.head()?.position;
        let following = tokio::spawn(follow(journal, frames.clone(), after));
        Ok(Self { frames, listeners: Arc::default(), following })
    }

    /// Hears everything from now on.
    pub fn listen(&self) -> broadcast::Receiver<Frame> {
        self.frames.subscribe()
    }

    /// How many listen.
    pub fn listeners(&self) -> &Arc<AtomicUsize> {
        &self.listeners
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// Counts one listener for as long as it lives.
pub struct Listener(Arc<AtomicUsize>);

impl Listener {
    /// Counts, unless there are `max` already.
    pub fn enter(count: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        let more = |listeners: usize| (listeners < max).then_some(listeners + 1);
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self(Arc::clone(count)))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn follow(journal: Arc<SqliteJournal>, frames: broadcast::Sender<Frame>, mut after: u64) {
    loop {
        if journal.changed(after).await.is_err() {
            tokio::time::sleep(limits::HEARTBEAT).await;
            continue;
        }
        let Ok(records) = journal.read(after, engine::limits::READ_MAX) else {
            tokio::time::sleep(limits::HEARTBEAT).await;
            continue;
        };
        for record in records {
            after = record.position;
            // nobody listens: that is not an error, and nothing is written out for nobody
            if frames.receiver_count() > 0 {
                drop(frames.send(Frame::of(&record)));
            }
        }
    }
}

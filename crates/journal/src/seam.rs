//! The seam to storage: [`Journal`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_channel::oneshot;
use model::{Code, Coded, Digest, Principal, Timestamp, code};

use crate::Event;

/// Names one stream: `run_...`, `apr_...`, `quota/...`, `bus`, `env`. At most 128 bytes of ASCII.
pub type StreamId = Arc<str>;

/// One record as it stands in the journal. `bytes` is the truth (canonical JSON, RFC 8785); the rest is read from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Place in the whole journal, from 1, without gaps.
    pub position: u64,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// Place in the stream, from 1, without gaps.
    pub sequence: u64,
    /// When it was appended, whole milliseconds, never before the record before it in the same stream.
    pub at: Timestamp,
    /// Who acted.
    pub actor: Principal,
    /// What happened.
    pub event: Event,
    /// Digest of the record before this one in the whole journal; [`Digest::ZERO`] for the first.
    pub previous: Digest,
    /// The canonical bytes that the digest is taken over.
    pub bytes: Arc<[u8]>,
}

/// One event on its way into the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The stream it goes to.
    pub stream: StreamId,
    /// Who acted.
    pub actor: Principal,
    /// What happened.
    pub event: Event,
}

/// A condition on a stream at the moment of appending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// The stream.
    pub stream: StreamId,
    /// Its last sequence must be exactly this (0: the stream must not exist).
    pub sequence: u64,
}

/// Events that become durable together or not at all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Append {
    /// All must hold, or nothing is appended.
    pub expect: Vec<Expect>,
    /// At least one and at most [`crate::limits::APPEND_EVENTS_MAX`], in order.
    pub events: Vec<NewEvent>,
    /// When; whole milliseconds; absent: now. A record gets exactly this time, or, if that is later, the time of the last
    /// record of its own stream. (Not of the whole journal: a writer that holds its stream's condition must know the
    /// time its events will carry before they are durable, and writers of other streams may be a little ahead of it.)
    pub at: Option<Timestamp>,
}

/// Where appended events ended up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Position of the first event of the batch.
    pub first: u64,
    /// Position of the last event of the batch.
    pub last: u64,
    /// The time the records carry (of the first event; others differ only where their stream was ahead).
    pub at: Timestamp,
    /// The sequence each event got in its stream, in the order of the batch.
    pub sequences: Vec<u64>,
}

/// The end of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Position of the last record; 0 when empty.
    pub position: u64,
    /// Digest of the last record; [`Digest::ZERO`] when empty.
    pub digest: Digest,
}

/// Why the journal could not do as asked. Nothing was appended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// A condition did not hold: somebody else wrote first.
    #[error("stream {stream} is at {actual}, not at {expected}")]
    Conflict {
        /// The stream.
        stream: StreamId,
        /// What the writer believed.
        expected: u64,
        /// What is so.
        actual: u64,
    },
    /// A record is larger than [`crate::limits::RECORD_BYTES_MAX`].
    #[error("a record of {bytes} bytes is larger than the limit")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Anything else, with its stable code.
    #[error("{what}")]
    Storage {
        /// The stable code, of the journal's area.
        code: &'static Code,
        /// What could not be done.
        what: String,
        /// What to do, a command.
        hint: Option<String>,
    },
}

impl JournalError {
    /// The writer is gone without having answered.
    pub fn stopped() -> Self {
        Self::Storage {
            code: code::journal::STORE_IO,
            what: "the journal's writer stopped before it answered".to_owned(),
            hint: Some("aedile doctor".to_owned()),
        }
    }
}

impl Coded for JournalError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Conflict { .. } => code::journal::CONFLICT,
            Self::TooLarge { .. } => code::journal::RECORD_TOO_LARGE,
            Self::Storage { code, .. } => code,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Storage { hint, .. } => hint.clone(),
            _ => None,
        }
    }
}

/// An append on its way to the disk. Resolves once the events are durable (or refused); works on any executor,
/// or block on it. Dropping it does not take the append back.
#[derive(Debug)]
pub struct Appending(oneshot::Receiver<Result<Appended, JournalError>>);

/// The other end of an [`Appending`], for implementations.
pub type Acknowledge = oneshot::Sender<Result<Appended, JournalError>>;

impl Appending {
    /// A pair for an implementation to answer.
    pub fn channel() -> (Acknowledge, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }

    /// An append that is already answered.
    pub fn ready(answer: Result<Appended, JournalError>) -> Self {
        let (sender, appending) = Self::channel();
        // the receiver lives in `appending`, so sending cannot fail
        drop(sender.send(answer));
        appending
    }
}

impl Future for Appending {
    type Output = Result<Appended, JournalError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or_else(|_| Err(JournalError::stopped())))
    }
}

/// Storage for the journal of one environment.
///
/// **Contract.**
/// 1. An acknowledged append is durable: it survives kill -9 and, storage permitting, power loss.
/// 2. An append is atomic: all of its events or none, at consecutive positions, and only if every condition holds at that
///    moment. Conditions and appends of different processes on the same store are ordered one after the other.
/// 3. Positions and each stream's sequences have no gaps. Times never go back within a stream.
/// 4. Every record carries the digest of its predecessor; bytes once written never change.
/// 5. A reader sees acknowledged records only, and all of those acknowledged before it began to read.
/// 6. Every queue is bounded; a full one answers with code `E0114`, never by blocking for ever.
///
/// `journal::conformance` tests every implementation against this.
pub trait Journal: Send + Sync {
    /// Appends. Returns at once; the result is ready when the events are durable.
    ///
    /// Records hold numbers as RFC 8785 does: `1.0` is read back as `1`, an integer beyond 2^53 as the nearest double. Who
    /// keeps a value in memory as well as here passes it through [`model::canonical::normalize`] first.
    fn append(&self, append: Append) -> Appending;

    /// Where the journal ends now, including what other processes appended.
    fn head(&self) -> Result<Head, JournalError>;

    /// Records after position `after`, in order, at most `limit` and [`crate::limits::READ_RECORDS_MAX`].
    fn read(&self, after: u64, limit: usize) -> Result<Vec<Record>, JournalError>;

    /// Records of one stream after sequence `after`, in order, at most `limit` and [`crate::limits::READ_RECORDS_MAX`].
    fn read_stream(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Record>, JournalError>;

    /// Resolves once the journal holds a record after position `after`, whichever process appended it, with the position
    /// of the last record then. Reacts within 100 ms.
    fn changed(&self, after: u64) -> Pin<Box<dyn Future<Output = Result<u64, JournalError>> + Send + '_>>;
}

//! Verification of a whole journal from its bytes alone.
//!
//! Every record must be readable, stand where it says it stands, follow the digest of the record before it, continue
//! its stream's sequence and not go back in time; the Merkle root must be the one each checkpoint signs, and the journal must
//! not be shorter than its last checkpoint. What is wrong is said of the first record it is wrong with.
//!
//! | what was done | how it shows |
//! |---|---|
//! | a record edited | the next one does not follow it ([`Fault::Edited`]); the last one: a checkpoint's root |
//! | a record deleted | its position is missing ([`Fault::Missing`]) |
//! | records reordered or renumbered | one is not where it says ([`Fault::Misplaced`]) |
//! | the end cut off | the last checkpoint covers more ([`Fault::Truncated`]) |
//! | everything rewritten, chain and all | a checkpoint's root is another ([`Fault::Root`]), or unsigned ([`Fault::Signature`]) |
//!
//! Trust begins with the verifier keys given. A key that the journal itself adds (`key.added`) is trusted once a checkpoint
//! signed by a trusted key covers that record, and no longer once `key.retired` is covered too.

mod checker;
mod pipeline;

use model::{Code, Coded, Digest, code};

use crate::envelope::RecordError;
use crate::note::{NoteError, Verifier};
use crate::{Head, JournalError};

/// How to verify.
#[derive(Debug, Clone)]
pub struct Options {
    /// Keys to begin with. Without any, signatures are not checked, and [`Report::signed`] is 0.
    pub trusted: Vec<Verifier>,
    /// Signed checkpoints kept outside the journal: what makes cutting off its end noticeable.
    pub notes: Vec<String>,
    /// How many threads hash. The result does not depend on it.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { trusted: Vec::new(), notes: Vec::new(), threads: 2 }
    }
}

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The last record.
    pub head: Head,
    /// Merkle root over all records.
    pub root: Digest,
    /// Number of streams.
    pub streams: u64,
    /// Bytes of records.
    pub bytes: u64,
    /// Number of checkpoints whose root was compared.
    pub checkpoints: u64,
    /// Number of records that a checkpoint by a trusted key covers. Records after it are chained, but nobody vouches for them.
    pub signed: u64,
    /// Verifier keys trusted at the end.
    pub trusted: Vec<Verifier>,
}

/// What is wrong, and with which record first.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// A record's bytes are not a record.
    #[error("record {position} cannot be decoded: {source}")]
    Unreadable {
        /// Where it is stored.
        position: u64,
        /// Why.
        source: RecordError,
    },
    /// A record is not there.
    #[error("record {position} is missing: {found} comes after {}", position - 1)]
    Missing {
        /// Which one.
        position: u64,
        /// What is there instead.
        found: u64,
    },
    /// A record stands where another belongs.
    #[error("record {position} is not where it belongs: it says it is record {says}")]
    Misplaced {
        /// Where it is stored.
        position: u64,
        /// Where it says it is.
        says: u64,
    },
    /// A record is not the one that was appended.
    #[error("record {position} was changed: {witness}")]
    Edited {
        /// Which one.
        position: u64,
        /// How that is known.
        witness: String,
    },
    /// A record does not continue its stream.
    #[error("record {position} is number {found} of stream {stream}, which is at {expected}")]
    Sequence {
        /// Which one.
        position: u64,
        /// Its stream.
        stream: String,
        /// The number it should have, less one.
        expected: u64,
        /// The number it has.
        found: u64,
    },
    /// A record is earlier than the one before it in its stream.
    #[error("record {position} of stream {stream} is of {found}, before its predecessor's {before}")]
    Time {
        /// Which one.
        position: u64,
        /// Its stream.
        stream: String,
        /// Its predecessor's time.
        before: String,
        /// Its time.
        found: String,
    },
    /// A record belongs to another journal.
    #[error("record {position} belongs to {found}, the records before it to {expected}")]
    Source {
        /// Which one.
        position: u64,
        /// What the first record says.
        expected: String,
        /// What this one says.
        found: String,
    },
    /// The records a checkpoint covers are not those that were signed.
    #[error(
        "records {from} to {size} are not those that were signed: their root is {found}, the checkpoint says {expected}"
    )]
    Root {
        /// The first record that may be another: everything before is covered by a checkpoint that holds.
        from: u64,
        /// Number of records the checkpoint covers.
        size: u64,
        /// Root in the checkpoint.
        expected: Digest,
        /// Root of the records.
        found: Digest,
    },
    /// The journal ends before a checkpoint does.
    #[error("the journal ends at record {records}, but a checkpoint covers {size}: its end was cut off")]
    Truncated {
        /// Number of records there are.
        records: u64,
        /// Number of records the checkpoint covers.
        size: u64,
    },
    /// A checkpoint cannot be believed.
    #[error("{what}: {source}")]
    Signature {
        /// Which checkpoint.
        what: String,
        /// Why.
        source: NoteError,
    },
    /// A checkpoint contradicts itself or the journal it is in.
    #[error("{0}")]
    Checkpoint(String),
    /// The records could not be read.
    #[error(transparent)]
    Read(JournalError),
}

impl Fault {
    /// The first record with which something is wrong, where it is known.
    pub fn position(&self) -> Option<u64> {
        match self {
            Self::Unreadable { position, .. }
            | Self::Missing { position, .. }
            | Self::Misplaced { position, .. }
            | Self::Edited { position, .. }
            | Self::Sequence { position, .. }
            | Self::Time { position, .. }
            | Self::Source { position, .. } => Some(*position),
            Self::Root { from, .. } => Some(*from),
            Self::Truncated { records, .. } => Some(records + 1),
            Self::Signature { .. } | Self::Checkpoint(_) | Self::Read(_) => None,
        }
    }
}

impl Coded for Fault {
    fn code(&self) -> &'static Code {
        match self {
            Self::Unreadable { .. } => code::journal::UNREADABLE_RECORD,
            Self::Truncated { .. } => code::journal::TRUNCATED,
            Self::Signature { source, .. } => source.code(),
            Self::Read(error) => error.code(),
            _ => code::journal::BROKEN,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read(error) => error.hint(),
            _ => self.position().map(|position| format!("aedile journal show {position}")),
        }
    }
}

/// Verifies the records of a journal, in the order in which they are stored: pairs of the position they are stored under
/// and their bytes.
///
/// ```
/// use journal::verify::{Options, verify};
/// let nothing: Vec<Result<(u64, Vec<u8>), journal::JournalError>> = Vec::new();
/// let report = verify(nothing, &Options::default()).unwrap();
/// assert_eq!(report.head.position, 0);
/// ```
pub fn verify<I, B>(records: I, options: &Options) -> Result<Report, Box<Fault>>
where
    I: IntoIterator<Item = Result<(u64, B), JournalError>>,
    B: AsRef<[u8]> + Send,
{
    let checker = checker::Checker::new(options)?;
    pipeline::run(records.into_iter(), options.threads.clamp(1, 64), checker)
}

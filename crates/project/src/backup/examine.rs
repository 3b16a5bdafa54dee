//! Whether a journal's file is sound: what a backup promises, and what a restore asks for.

use std::path::Path;

use journal::verify::{Fault, Options, Report, verify};
use journal::{JournalError, Verifier};
use model::code;
use store::ReadOnlyJournal;

use super::BackupError;

/// Checkpoints that the file remembers and verification is told about.
const NOTES_MAX: usize = 100;

/// What is wrong with a journal.
pub(super) enum Unsound {
    /// The file.
    Store(JournalError),
    /// A record, the chain or a signature.
    Fault(Box<Fault>),
}

impl Unsound {
    /// In words, for whoever restores it.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Store(error) => error.to_string(),
            Self::Fault(fault) => format!("its journal does not verify: {fault}"),
        }
    }
}

impl From<Unsound> for BackupError {
    fn from(unsound: Unsound) -> Self {
        match unsound {
            Unsound::Store(error) => error.into(),
            Unsound::Fault(fault) => Self::Unsound(fault),
        }
    }
}

/// Reads a whole journal: the file, every record, the chain, and signatures by `trusted` keys.
pub(super) fn examine(path: &Path, trusted: Vec<Verifier>) -> Result<Report, Unsound> {
    let journal = ReadOnlyJournal::open(path).map_err(Unsound::Store)?;
    if let Some(first) = journal.damage().map_err(Unsound::Store)?.into_iter().next() {
        let what = format!("the database is damaged: {first}");
        return Err(Unsound::Store(JournalError::Storage { code: code::journal::CORRUPT, what, hint: None }));
    }
    let notes = journal.checkpoints(NOTES_MAX).map_err(Unsound::Store)?;
    let notes = notes.into_iter().map(|row| row.note).collect();
    let options = Options { trusted, notes, ..Options::default() };
    verify(journal.scan(0), &options).map_err(Unsound::Fault)
}

//! Inclusion proofs as files (C2SP `tlog-proof`): a record, this proof and a public key are all that verification needs.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! index 17                 from 0: the record's position less one
//! base64...                hashes, from the leaf up
//!
//! aedile/prod              the signed checkpoint
//! ```

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::{Code, Coded, Digest, code};

use crate::checkpoint::Checkpoint;
use crate::envelope::{Envelope, RecordError};
use crate::merkle::{self, ProofError};
use crate::note::{Note, NoteError, Verifier};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Most hashes on a path: a tree of 2^64 leaves has no longer ones.
const HASHES_MAX: usize = 64;

/// A proof that a record is in the journal that a checkpoint signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The record's position less one.
    pub index: u64,
    /// Hashes from the leaf up.
    pub path: Vec<Digest>,
    /// The signed checkpoint.
    pub note: Note,
}

/// Why a proof does not prove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileError {
    /// The text is not a proof.
    #[error("line {line}: this is not a proof: {what}")]
    Form {
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The checkpoint cannot be believed.
    #[error("the proof's checkpoint: {0}")]
    Note(#[from] NoteError),
    /// The record's bytes are not a record.
    #[error("the record cannot be decoded: {0}")]
    Record(#[from] RecordError),
    /// The record is another one.
    #[error("the proof is for record {proved}, the record says it is {found}")]
    Another {
        /// What the proof is for.
        proved: u64,
        /// What the record says.
        found: u64,
    },
    /// The record belongs to another journal than the checkpoint.
    #[error("the checkpoint is of {checkpoint}, the record of {record}")]
    Origin {
        /// The checkpoint's origin.
        checkpoint: String,
        /// The record's source.
        record: String,
    },
    /// The hashes do not add up.
    #[error(transparent)]
    Hashes(#[from] ProofError),
}

impl Coded for ProofFileError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Note(error) => error.code(),
            Self::Record(error) => error.code(),
            _ => code::journal::BAD_PROOF,
        }
    }
}

impl Proof {
    /// Checks that the record with these bytes is in the journal, on the word of one of `known`.
    pub fn verify<'v>(
        &self,
        bytes: &[u8],
        known: impl IntoIterator<Item = &'v Verifier>,
    ) -> Result<Checkpoint, ProofFileError> {
        self.note.verify(known)?;
        let checkpoint: Checkpoint = self.note.text().parse()?;
        let envelope = Envelope::read(bytes)?;
        if envelope.position != self.index.wrapping_add(1) {
            return Err(ProofFileError::Another {
                proved: self.index.wrapping_add(1),
                found: envelope.position,
            });
        }
        if envelope.source != checkpoint.origin {
            return Err(ProofFileError::Origin {
                checkpoint: checkpoint.origin,
                record: envelope.source.to_owned(),
            });
        }
        let leaf = merkle::leaf_hash(bytes);
        merkle::verify_inclusion(&leaf, self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{HEADER}\nindex {}\n", self.index);
        for hash in &self.path {
            writeln!(text, "{}", BASE64.encode(hash.as_bytes()))?;
        }
        write!(f, "{text}\n{}", self.note)
    }
}

impl FromStr for Proof {
    type Err = ProofFileError;

    fn from_str(text: &str) -> Result<Self, ProofFileError> {
        let form = |line, what| ProofFileError::Form { line, what };
        let (head, note) =
            text.split_once("\n\n").ok_or_else(|| form(1, "it has no empty line before its checkpoint"))?;
        let mut lines = head.lines().enumerate();
        if lines.next().map(|(_, line)| line) != Some(HEADER) {
            return Err(form(1, "its first line is not c2sp.org/tlog-proof@v1"));
        }
        let index = lines
            .next()
            .and_then(|(_, line)| line.strip_prefix("index "))
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| form(2, "expected `index` and a number"))?;
        let mut path = Vec::new();
        for (number, line) in lines {
            let hash = BASE64.decode(line).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            path.push(Digest::from_bytes(hash.ok_or_else(|| form(number + 1, "expected a hash in base64"))?));
            if path.len() > HASHES_MAX {
                return Err(form(number + 1, "it has more hashes than any tree needs"));
            }
        }
        Ok(Self { index, path, note: note.parse()? })
    }
}

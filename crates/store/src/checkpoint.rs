//! Signs the journal's head, and proves what is below it.

use journal::events::{CheckpointSigned, EnvironmentEvent};
use journal::merkle::{CompactRange, Prover};
use journal::record::{self, Envelope};
use journal::verify::Fault;
use journal::{Append, Checkpoint, Expect, Journal, JournalError, NewEvent, Note, Proof, Signer};
use model::{CheckpointId, Digest, Principal, code};
use rusqlite::{OptionalExtension, params};

use crate::error::from_coded;
use crate::ledger;
use crate::query::CheckpointRow;
use crate::reader::clamp;
use crate::sqlite::SqliteJournal;
use crate::tiles::{self, Rest};

/// The stream that keys and checkpoints are on.
const ENVIRONMENT: &str = "environment";

/// A checkpoint that was signed and recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The signed note. Keep a copy elsewhere: it is what makes cutting off the journal's end noticeable.
    pub note: String,
    /// Position of the record that holds it.
    pub position: u64,
}

/// A tree and the digest of its last record.
struct Tree {
    range: CompactRange,
    last: Digest,
    source: Option<String>,
}

fn damaged(fault: &Fault) -> JournalError {
    from_coded(fault)
}

impl Tree {
    /// Takes a record that was read back, if it is the next one.
    fn push(&mut self, stored: u64, bytes: &[u8]) -> Result<(), JournalError> {
        let position = self.range.size() + 1;
        let envelope =
            Envelope::read(bytes).map_err(|source| damaged(&Fault::Unreadable { position, source }))?;
        if stored != position {
            return Err(damaged(&Fault::Missing { position, found: stored }));
        }
        if envelope.position != position {
            return Err(damaged(&Fault::Misplaced { position, says: envelope.position }));
        }
        if envelope.previous != self.last {
            let witness = format!("record {position} carries another digest of it");
            return Err(damaged(&Fault::Edited { position: position.saturating_sub(1), witness }));
        }
        if self.source.is_none() {
            self.source = Some(envelope.source.to_owned());
        }
        self.last = record::digest(bytes);
        self.range.push(self.last);
        Ok(())
    }
}

impl SqliteJournal {
    /// Signs the journal's head and records that. Every record since the last checkpoint is read back from the file first,
    /// and must follow the one before it; nothing is signed that was only written. `None`: the journal has not grown.
    ///
    /// # Errors
    /// `E0101` or `E0108` if the journal is damaged, `E0102` if another process signed meanwhile.
    pub fn checkpoint(
        &self,
        id: CheckpointId,
        actor: &Principal,
        signers: &[&Signer],
    ) -> Result<Option<Sealed>, JournalError> {
        let last = self.checkpoints(1)?.pop();
        let sequence = self.readers.with(|connection| ledger::last_sequence(connection, ENVIRONMENT))?;
        let mut tree = self.tree(last.as_ref())?;
        let from = tree.range.size();
        for stored in self.scan(from) {
            let (position, bytes) = stored?;
            tree.push(position, &bytes)?;
        }
        let Some(origin) = tree.source.filter(|_| tree.range.size() > from) else { return Ok(None) };
        let checkpoint = Checkpoint { origin, size: tree.range.size(), root: tree.range.root() };
        let note = checkpoint.sign(signers).map_err(|error| from_coded(&error))?.to_string();
        let signed = CheckpointSigned {
            checkpoint: id,
            size: checkpoint.size,
            root: checkpoint.root.hexadecimal(),
            note: note.clone(),
        };
        let append = Append {
            expect: vec![Expect { stream: ENVIRONMENT.into(), sequence }],
            events: vec![NewEvent {
                stream: ENVIRONMENT.into(),
                actor: actor.clone(),
                event: EnvironmentEvent::CheckpointSigned(Box::new(signed)).into(),
            }],
            at: None,
        };
        let position = futures_executor::block_on(self.append(append))?.last;
        self.remember(tree.range).wait()?;
        Ok(Some(Sealed { checkpoint, note, position }))
    }

    /// The tree at the last checkpoint, as far as what was remembered of it has the root that was signed; else the empty one.
    fn tree(&self, last: Option<&CheckpointRow>) -> Result<Tree, JournalError> {
        let empty = Tree { range: CompactRange::default(), last: Digest::ZERO, source: None };
        let Some(last) = last else { return Ok(empty) };
        let found = self.readers.with(|connection| {
            let size = clamp(last.size);
            let peaks: Option<Vec<u8>> = connection
                .prepare_cached("SELECT peaks FROM trees WHERE size = ?1")?
                .query_row([size], |row| row.get(0))
                .optional()?;
            let bytes: Option<Vec<u8>> = connection
                .prepare_cached("SELECT bytes FROM records WHERE position = ?1")?
                .query_row([size], |row| row.get(0))
                .optional()?;
            Ok(peaks.zip(bytes))
        })?;
        let Some((peaks, bytes)) = found else { return Ok(empty) };
        let (peaks, rest) = peaks.as_chunks::<32>();
        let peaks = peaks.iter().copied().map(Digest::from_bytes).collect();
        let range = CompactRange::from_parts(last.size, peaks)
            .filter(|range| rest.is_empty() && range.root().hexadecimal() == last.root);
        let Some(range) = range else { return Ok(empty) };
        let source = Envelope::read(&bytes).ok().map(|envelope| envelope.source.to_owned());
        Ok(Tree { range, last: record::digest(&bytes), source })
    }

    /// Keeps what the next checkpoint can begin with. A cache: it is only used if it has the root that was signed.
    fn remember(&self, range: CompactRange) -> crate::writer::Pending<()> {
        let peaks: Vec<u8> = range.peaks().iter().flat_map(|peak| *peak.as_bytes()).collect();
        self.writer.task(self.path(), move |connection| {
            connection.execute("DELETE FROM trees", [])?;
            connection.execute(
                "INSERT INTO trees (size, peaks) VALUES (?1, ?2)",
                params![clamp(range.size()), peaks],
            )?;
            Ok(())
        })
    }

    /// Proves that the record at `position` is below the newest checkpoint. The first proof reads every record below that; later
    /// ones those around `position`, and what has come since.
    ///
    /// # Errors
    /// `E0113` if no checkpoint covers the record yet.
    pub fn prove(&self, position: u64) -> Result<Proof, JournalError> {
        let not_covered = || JournalError::Storage {
            code: code::journal::BAD_PROOF,
            what: format!("no checkpoint covers record {position}"),
            hint: Some("aedile journal checkpoint".to_owned()),
        };
        let newest = self.checkpoints(1)?.pop().ok_or_else(not_covered)?;
        let index = position.checked_sub(1).ok_or_else(not_covered)?;
        let prover = Prover::inclusion(index, newest.size).ok_or_else(not_covered)?;
        let path = self.show_to(prover, &newest)?.ok_or_else(not_covered)?;
        let note: Note = newest.note.parse().map_err(|error: journal::note::NoteError| from_coded(&error))?;
        Ok(Proof { index, path, note })
    }

    /// Proves that the first `old` records are the beginning of what the newest checkpoint covers.
    ///
    /// # Errors
    /// `E0113` if there is no such checkpoint.
    pub fn prove_consistency(&self, old: u64) -> Result<(CheckpointRow, Vec<Digest>), JournalError> {
        let not_covered = || JournalError::Storage {
            code: code::journal::BAD_PROOF,
            what: format!("no checkpoint covers {old} records and more"),
            hint: Some("aedile journal checkpoint".to_owned()),
        };
        let newest = self.checkpoints(1)?.pop().ok_or_else(not_covered)?;
        let prover = Prover::consistency(old, newest.size).ok_or_else(not_covered)?;
        let proof = self.show_to(prover, &newest)?.ok_or_else(not_covered)?;
        Ok((newest, proof))
    }

    /// Shows a prover the tree of a checkpoint: complete parts by what is remembered of them, and the records of the others.
    fn show_to(
        &self,
        mut prover: Prover,
        newest: &CheckpointRow,
    ) -> Result<Option<Vec<Digest>>, JournalError> {
        let (mut tree, mut shown) = (CompactRange::default(), 0);
        for root in self.tiles.below(newest.size) {
            if !prover.push_subtree(root, tiles::LEVEL) {
                for stored in self.scan(shown).take(tiles::WIDTH) {
                    prover.push(record::digest(&stored?.1));
                }
            }
            // parts of one size can always be put in a row
            let _fits = tree.push_subtree(root, tiles::LEVEL);
            shown += tiles::WIDTH as u64;
        }
        let mut rest = Rest::default();
        for stored in self.scan(shown) {
            let (position, bytes) = stored?;
            if position > newest.size {
                break;
            }
            let digest = record::digest(&bytes);
            prover.push(digest);
            tree.push(digest);
            rest.push(digest);
        }
        // only what led to the root that was signed is worth remembering
        if tree.root().hexadecimal() == newest.root {
            self.tiles.remember(shown, rest);
        } else {
            self.tiles.forget();
        }
        Ok(prover.proof())
    }
}

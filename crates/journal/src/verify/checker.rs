//! Checks records one after the other.

use std::collections::HashMap;
use std::ops::Range;

use model::Digest;

use super::{Fault, Options, Report};
use crate::checkpoint::Checkpoint;
use crate::envelope::Envelope;
use crate::events::EnvironmentEvent;
use crate::merkle::{self, CompactRange};
use crate::note::{Note, Verifier};
use crate::{Event, Head};

/// Length of a record's time.
const TIME_BYTES: usize = 24;

/// What is needed of a record after it has been read and hashed. Texts are places in its bytes.
pub(super) struct Seen {
    /// Where it is stored.
    stored: u64,
    position: u64,
    sequence: u64,
    previous: Digest,
    digest: Digest,
    stream: Range<usize>,
    source: Range<usize>,
    time: [u8; TIME_BYTES],
    /// Whether it is about keys or checkpoints.
    environment: bool,
}

impl Seen {
    /// Reads and hashes a record.
    pub(super) fn new(stored: u64, bytes: &[u8]) -> Result<Self, Box<Fault>> {
        let envelope =
            Envelope::read(bytes).map_err(|source| Fault::Unreadable { position: stored, source })?;
        let place = |text: &str| {
            let start = text.as_ptr().addr() - bytes.as_ptr().addr();
            start..start + text.len()
        };
        let mut time = [0; TIME_BYTES];
        time.copy_from_slice(&envelope.time.as_bytes()[..TIME_BYTES]);
        Ok(Self {
            stored,
            position: envelope.position,
            sequence: envelope.sequence,
            previous: envelope.previous,
            digest: merkle::leaf_hash(bytes),
            stream: place(envelope.stream),
            source: place(envelope.source),
            time,
            environment: EnvironmentEvent::KINDS.contains(&envelope.kind),
        })
    }
}

fn text(bytes: &[u8]) -> &str {
    // everything here was read as UTF-8 by the envelope
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// A key that the journal adds or retires.
struct KeyChange {
    /// Position of the record.
    position: u64,
    verifier: Verifier,
    added: bool,
}

/// The state of verification between two records.
pub(super) struct Checker {
    head: Head,
    bytes: u64,
    source: Option<Box<str>>,
    streams: HashMap<Box<str>, (u64, [u8; TIME_BYTES])>,
    /// The tree up to the last checkpoint, and the leaves since.
    tree: CompactRange,
    leaves: Vec<Digest>,
    /// Position of a record whose successor does not follow it: the next link tells which of the two was changed.
    suspect: Option<u64>,
    /// Notes from outside that are still ahead, the smallest last.
    notes: Vec<(Checkpoint, Note)>,
    check_signatures: bool,
    trusted: Vec<Verifier>,
    changes: Vec<KeyChange>,
    checkpoints: u64,
    signed: u64,
}

impl Checker {
    pub(super) fn new(options: &Options) -> Result<Self, Box<Fault>> {
        let mut notes = Vec::with_capacity(options.notes.len());
        for text in &options.notes {
            let failed = |source| Fault::Signature { what: "a checkpoint given".to_owned(), source };
            let note: Note = text.parse().map_err(failed)?;
            let checkpoint: Checkpoint = note.text().parse().map_err(failed)?;
            notes.push((checkpoint, note));
        }
        notes.sort_by_key(|(checkpoint, _)| std::cmp::Reverse(checkpoint.size));
        Ok(Self {
            head: Head { position: 0, digest: Digest::ZERO },
            bytes: 0,
            source: None,
            streams: HashMap::new(),
            tree: CompactRange::default(),
            leaves: Vec::new(),
            suspect: None,
            notes,
            check_signatures: !options.trusted.is_empty(),
            trusted: options.trusted.clone(),
            changes: Vec::new(),
            checkpoints: 0,
            signed: 0,
        })
    }

    /// A record that cannot be read ends verification; unless an earlier one is at fault already.
    pub(super) fn unreadable(&self, fault: &Fault) -> Result<(), Box<Fault>> {
        Err(Box::new(self.suspicion(false).unwrap_or_else(|| fault.clone())))
    }

    /// What the suspect is accused of, now that the record after the one that did not follow it is known to follow
    /// (`intact`) or not.
    fn suspicion(&self, intact: bool) -> Option<Fault> {
        let suspect = self.suspect?;
        let (position, witness) = if intact {
            (suspect, format!("record {} carries another digest of it", suspect + 1))
        } else {
            (suspect + 1, format!("it carries another digest of record {suspect} than that record has"))
        };
        Some(Fault::Edited { position, witness })
    }

    pub(super) fn push(&mut self, seen: &Seen, bytes: &[u8]) -> Result<(), Box<Fault>> {
        let follows = seen.previous == self.head.digest;
        if let Some(fault) = self.suspicion(follows) {
            return Err(Box::new(fault));
        }
        let position = self.head.position + 1;
        if seen.stored != position {
            return Err(Box::new(Fault::Missing { position, found: seen.stored }));
        }
        if seen.position != position {
            return Err(Box::new(Fault::Misplaced { position, says: seen.position }));
        }
        if !follows {
            if position == 1 {
                let witness = "the first record follows another".to_owned();
                return Err(Box::new(Fault::Edited { position, witness }));
            }
            self.suspect = Some(position - 1);
        }
        self.check_source(position, text(&bytes[seen.source.clone()]))?;
        self.check_stream(seen, text(&bytes[seen.stream.clone()]))?;
        self.head = Head { position, digest: seen.digest };
        self.bytes += bytes.len() as u64;
        self.leaves.push(seen.digest);
        if seen.environment { self.check_environment(position, bytes) } else { Ok(()) }
    }

    fn check_source(&mut self, position: u64, found: &str) -> Result<(), Box<Fault>> {
        match &self.source {
            None => self.source = Some(found.into()),
            Some(source) if **source == *found => {}
            Some(source) => {
                let (expected, found) = (source.to_string(), found.to_owned());
                return Err(Box::new(Fault::Source { position, expected, found }));
            }
        }
        Ok(())
    }

    fn check_stream(&mut self, seen: &Seen, stream: &str) -> Result<(), Box<Fault>> {
        let position = seen.position;
        let now = (seen.sequence, seen.time);
        let (sequence, before) = if let Some(known) = self.streams.get_mut(stream) {
            std::mem::replace(known, now)
        } else {
            self.streams.insert(stream.into(), now);
            (0, [b' '; TIME_BYTES])
        };
        if seen.sequence != sequence + 1 {
            let (stream, expected, found) = (stream.to_owned(), sequence, seen.sequence);
            return Err(Box::new(Fault::Sequence { position, stream, expected, found }));
        }
        // all times have one form, in which earlier ones sort first as text
        if seen.time < before {
            let (before, found) = (text(&before).to_owned(), text(&seen.time).to_owned());
            return Err(Box::new(Fault::Time { position, stream: stream.to_owned(), before, found }));
        }
        Ok(())
    }

    /// Takes notice of keys and checkpoints.
    fn check_environment(&mut self, position: u64, bytes: &[u8]) -> Result<(), Box<Fault>> {
        let unreadable = |source| Fault::Unreadable { position, source };
        let record = crate::record::decode(bytes).map_err(unreadable)?;
        let Event::Environment(event) = record.event else { return Ok(()) };
        let key = |text: &str| -> Result<Verifier, Box<Fault>> {
            let what = format!("the key in record {position}");
            Ok(text.parse().map_err(|source| Fault::Signature { what, source })?)
        };
        match event {
            EnvironmentEvent::Initialised(_) => {}
            EnvironmentEvent::KeyAdded(added) => {
                self.changes.push(KeyChange { position, verifier: key(&added.verifier)?, added: true });
            }
            EnvironmentEvent::KeyRetired(retired) => {
                self.changes.push(KeyChange { position, verifier: key(&retired.verifier)?, added: false });
            }
            EnvironmentEvent::CheckpointSigned(signed) => {
                let what = format!("the checkpoint in record {position}");
                let failed = |source| Fault::Signature { what: what.clone(), source };
                let note: Note = signed.note.parse().map_err(failed)?;
                let checkpoint: Checkpoint = note.text().parse().map_err(failed)?;
                let root = checkpoint.root.to_string();
                if checkpoint.size != signed.size || root.trim_start_matches("sha256:") != signed.root {
                    return Err(Box::new(Fault::Checkpoint(format!(
                        "{what} does not say what its note says"
                    ))));
                }
                if checkpoint.size >= position || checkpoint.size < self.tree.size() {
                    return Err(Box::new(Fault::Checkpoint(format!(
                        "{what} covers {} records: not between those of the checkpoint before and its own place",
                        checkpoint.size
                    ))));
                }
                self.check_notes_until(checkpoint.size)?;
                self.check_checkpoint(&what, &checkpoint, &note)?;
            }
        }
        Ok(())
    }

    /// Compares a checkpoint with the records it covers, none of which lies before the tree.
    fn check_checkpoint(
        &mut self,
        what: &str,
        checkpoint: &Checkpoint,
        note: &Note,
    ) -> Result<(), Box<Fault>> {
        let from = self.tree.size() + 1;
        let count = usize::try_from(checkpoint.size.saturating_sub(self.tree.size())).unwrap_or(usize::MAX);
        for leaf in self.leaves.drain(..count.min(self.leaves.len())) {
            self.tree.push(leaf);
        }
        let (expected, found) = (checkpoint.root, self.tree.root());
        if expected != found {
            let size = checkpoint.size;
            return Err(Box::new(Fault::Root { from: from.min(size.max(1)), size, expected, found }));
        }
        if self.source.as_deref().is_some_and(|source| source != checkpoint.origin) {
            let what = format!("{what} is of {}, another journal", checkpoint.origin);
            return Err(Box::new(Fault::Checkpoint(what)));
        }
        self.checkpoints += 1;
        if self.check_signatures {
            note.verify(&self.trusted)
                .map_err(|source| Fault::Signature { what: what.to_owned(), source })?;
            self.signed = self.signed.max(checkpoint.size);
            self.apply_key_changes();
        }
        Ok(())
    }

    /// Believes changes of keys that a trusted checkpoint covers by now.
    fn apply_key_changes(&mut self) {
        let signed = self.signed;
        for change in self.changes.extract_if(.., |change| change.position <= signed) {
            if !change.added {
                self.trusted.retain(|known| *known != change.verifier);
            } else if !self.trusted.contains(&change.verifier) {
                self.trusted.push(change.verifier);
            }
        }
    }

    /// Checks notes from outside that cover at most `size` records.
    fn check_notes_until(&mut self, size: u64) -> Result<(), Box<Fault>> {
        while let Some((checkpoint, note)) = self.notes.pop_if(|(checkpoint, _)| checkpoint.size <= size) {
            let what = format!("the checkpoint given for {} records", checkpoint.size);
            self.check_checkpoint(&what, &checkpoint, &note)?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Report, Box<Fault>> {
        if let Some(fault) = self.suspicion(true) {
            return Err(Box::new(fault));
        }
        let records = self.head.position;
        self.check_notes_until(records)?;
        if let Some((checkpoint, note)) = self.notes.first() {
            if self.check_signatures {
                let what = format!("the checkpoint given for {} records", checkpoint.size);
                note.verify(&self.trusted).map_err(|source| Fault::Signature { what, source })?;
            }
            return Err(Box::new(Fault::Truncated { records, size: checkpoint.size }));
        }
        for leaf in self.leaves.drain(..) {
            self.tree.push(leaf);
        }
        Ok(Report {
            head: self.head,
            root: self.tree.root(),
            streams: self.streams.len() as u64,
            bytes: self.bytes,
            checkpoints: self.checkpoints,
            signed: self.signed,
            trusted: self.trusted,
        })
    }
}

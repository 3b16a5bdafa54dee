//! Whether one checkpoint continues another: what a server says about that is checked here.

use journal::{Checkpoint, Note, Verifier, merkle, record};
use model::{Coded as _, Digest, code};

use super::desk::Desk;
use crate::report::Report;

/// Checks that the proof leads from the older checkpoint to the newer one, on the word of known keys where there are any. The older
/// one is the one that somebody kept; else the one of that size that the journal remembers; else the beginning of the journal
/// itself is folded.
pub(super) fn check(
    desk: &Desk,
    size: u64,
    sent: &api::Consistency,
    (kept, trusted): (Option<&str>, &[Verifier]),
) -> Result<(), Report> {
    let new = opened(&sent.checkpoint.note, trusted, "the newer checkpoint")?;
    let said = &sent.checkpoint;
    if sent.old != size || said.size != new.size || said.root != new.root.hexadecimal() {
        return Err(bad("it says something else than the checkpoint that comes with it"));
    }
    let old = match kept {
        Some(note) => opened(note, trusted, "the checkpoint in the file")?,
        None => remembered(desk, size, &new, trusted)?,
    };
    if old.size != size {
        return Err(bad(format!("the checkpoint in the file covers {} records, not {size}", old.size)));
    }
    if old.origin != new.origin {
        return Err(bad(format!("one checkpoint is of {}, the other of {}", old.origin, new.origin)));
    }
    let path = sent.path.iter().map(|digest| format!("sha256:{digest}").parse::<Digest>());
    let path: Vec<Digest> = path.collect::<Result<_, _>>().map_err(|error| bad(error.to_string()))?;
    merkle::verify_consistency((size, &old.root), (new.size, &new.root), &path)
        .map_err(|error| bad(error.to_string()))
}

fn bad(why: impl Into<String>) -> Report {
    Report::new(code::journal::BAD_PROOF, "the proof proves nothing").caused_by(why)
}

/// A checkpoint, signed by one of the keys if there are any.
fn opened(note: &str, trusted: &[Verifier], what: &str) -> Result<Checkpoint, Report> {
    let read = || -> Result<Checkpoint, journal::note::NoteError> {
        if trusted.is_empty() {
            return note.parse::<Note>()?.text().parse();
        }
        Checkpoint::open(note, trusted).map(|(checkpoint, _)| checkpoint)
    };
    read().map_err(|error| {
        Report::new(error.code(), format!("{what} cannot be believed")).caused_by(error.to_string())
    })
}

/// What the journal was when it had so many records.
fn remembered(desk: &Desk, size: u64, new: &Checkpoint, trusted: &[Verifier]) -> Result<Checkpoint, Report> {
    if let Some(known) = desk.checkpoints()?.into_iter().find(|checkpoint| checkpoint.size == size) {
        return opened(&known.note, trusted, "the older checkpoint");
    }
    if !trusted.is_empty() {
        let what = format!("no checkpoint over {size} records is known, so nobody signed them");
        return Err(bad(what).with_hint("name the one that you kept with --checkpoint FILE"));
    }
    let journal = desk.journal()?;
    let mut tree = merkle::CompactRange::default();
    while tree.size() < size {
        let records = journal.read(tree.size(), engine::limits::READ_MAX)?;
        if records.is_empty() {
            return Err(bad(format!("the journal has no {size} records")));
        }
        for read in records.iter().take_while(|read| read.position <= size) {
            tree.push(record::digest(&read.bytes));
        }
    }
    Ok(Checkpoint { origin: new.origin.clone(), size, root: tree.root() })
}

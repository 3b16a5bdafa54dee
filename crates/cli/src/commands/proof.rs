//! `journal verify`, `checkpoint`, `prove` and `keys`: what can be proved, and with which keys.

use std::path::Path;

use journal::verify::{self, Options, verify};
use journal::{JournalError, Verifier};
use model::{Coded, code};
use project::{Keys, Place, keys, workshop};
use serde_json::{Value, json};
use store::ReadOnlyJournal;

use super::desk::Desk;
use super::here::{Here, typist};
use super::machine;
use crate::World;
use crate::args::{CheckpointArgs, Global, KeysCommand, ProveArgs, VerifyArgs};
use crate::report::{Answer, Report};
use crate::ui::{GOOD, Ui, WARN};
use crate::views::table::count;

/// Checkpoints that the file remembers and verification is told about.
const NOTES_MAX: usize = 100;
/// That a checkpoint was signed is itself recorded, after what it covers.
const ITS_OWN: u64 = 1;

/// Verifies a journal from its file alone, or from what a server exports. Writes nothing, not even beside the file.
pub(super) fn check(ui: &mut Ui, world: &World, global: &Global, args: &VerifyArgs) -> Answer {
    let given = args.key.as_ref().map(|key| keys::verifier(key)).transpose()?;
    let report = match (&args.file, &global.server) {
        (Some(file), _) => of_file(file, given.into_iter().collect())?,
        (None, Some(_)) => of_server(&Desk::find(world, global)?, given.into_iter().collect())?,
        (None, None) => {
            let here = Here::find(world, global)?;
            let trusted = match given {
                Some(key) => vec![key],
                None => Keys::new(here.place.state.keys()).verifiers()?,
            };
            // refuses a place without a journal in the usual words
            drop(here.journal()?);
            of_file(&here.place.state.journal(), trusted)?
        }
    };
    show(ui, &report);
    Ok(0)
}

/// What was verified, and whether a key was there to check signatures with.
struct Verified {
    report: verify::Report,
    by_key: bool,
}

fn of_file(path: &Path, trusted: Vec<Verifier>) -> Result<Verified, Report> {
    let journal = ReadOnlyJournal::open(path)?;
    let notes = journal.checkpoints(NOTES_MAX)?.into_iter().map(|row| row.note).collect();
    whole(journal.scan(0), trusted, notes)
}

/// Downloads everything and verifies it here: what the server says of itself proves nothing.
fn of_server(desk: &Desk, trusted: Vec<Verifier>) -> Result<Verified, Report> {
    let Desk::There(there) = desk else { return Err(Report::internal("no server was named")) };
    // before the records: a checkpoint that is signed meanwhile would cover records that were not sent yet
    let checkpoints = there.wait(there.at.checkpoints())?;
    let notes = checkpoints.into_iter().take(NOTES_MAX).map(|checkpoint| checkpoint.note).collect();
    let mut export = there.wait(there.at.export())?;
    let mut position = 0;
    let records = std::iter::from_fn(|| {
        let line = there.wait(export.line()).map_err(|error| JournalError::Storage {
            code: error.code(),
            what: error.whole(),
            hint: error.hint(),
        });
        position += 1;
        Some(line.transpose()?.map(|bytes| (position, bytes)))
    });
    whole(records, trusted, notes)
}

fn whole<B: AsRef<[u8]> + Send>(
    records: impl Iterator<Item = Result<(u64, B), JournalError>>,
    trusted: Vec<Verifier>,
    notes: Vec<String>,
) -> Result<Verified, Report> {
    let by_key = !trusted.is_empty();
    let options = Options { trusted, notes, ..Options::default() };
    let report = verify(records, &options).map_err(|fault| {
        let place = fault.position().map_or_else(String::new, |position| format!(" at record {position}"));
        Report::new(fault.code(), format!("the journal does not verify{place}")).caused_by(fault.to_string())
    })?;
    Ok(Verified { report, by_key })
}

fn show(ui: &mut Ui, Verified { report, by_key }: &Verified) {
    let unsigned = report.head.position.saturating_sub(report.signed);
    if ui.json {
        ui.answer_json(&json!({
            "verified": true,
            "records": report.head.position,
            "digest": report.head.digest,
            "root": report.root,
            "streams": report.streams,
            "bytes": report.bytes,
            "checkpoints": report.checkpoints,
            "signed": report.signed,
        }));
        return;
    }
    ui.answer(format_args!(
        "{GOOD}verified{GOOD:#}  {}, {} of them under a signed checkpoint",
        count(report.head.position, "record"),
        report.signed
    ));
    if !by_key {
        ui.note(format_args!("{WARN}no key was given, so signatures were not checked{WARN:#}"));
        ui.next("aedile journal verify --key FILE", "checks who signed");
    } else if unsigned > ITS_OWN {
        ui.note(format_args!("newer than the last signed checkpoint: {}", count(unsigned, "record")));
        ui.next("aedile journal checkpoint", "signs them");
    }
}

/// Signs the journal's head.
pub(super) fn checkpoint(ui: &mut Ui, desk: &Desk, args: &CheckpointArgs) -> Answer {
    let signed = desk.checkpoint()?;
    let note = &signed.checkpoint.note;
    if let Some(out) = &args.out {
        fs_err::write(out, note).map_err(|error| {
            Report::new(code::general::UNWRITABLE, format!("{} cannot be written", out.display()))
                .caused_by(error.to_string())
        })?;
    }
    if ui.json {
        let size = signed.now.then_some(signed.checkpoint.size);
        ui.answer_json(&json!({ "signed": signed.now, "size": size, "note": note }));
        return Ok(0);
    }
    if signed.now {
        ui.note(format_args!("{GOOD}signed{GOOD:#}  {}", count(signed.checkpoint.size, "record")));
    } else {
        ui.note("the journal has not grown since it was signed last");
    }
    ui.answer(crate::ui::shown(note.trim_end()));
    Ok(0)
}

/// Proves that a record is in the journal, or that one checkpoint continues another.
pub(super) fn prove(ui: &mut Ui, desk: &Desk, args: &ProveArgs) -> Answer {
    if let Some(old) = args.from {
        let api::Consistency { old, checkpoint, path } = desk.consistency(old)?;
        let path: Vec<String> = path.iter().map(|digest| format!("sha256:{digest}")).collect();
        let value = json!({ "from": old, "to": checkpoint.size, "path": path, "note": checkpoint.note });
        ui.answer_json(&value);
        return Ok(0);
    }
    let position = args.position.ok_or_else(|| Report::usage("a position is missing"))?;
    let proof = desk.prove(position)?;
    if ui.json {
        let path: Vec<String> = proof.path.iter().map(ToString::to_string).collect();
        ui.answer_json(&json!({
            "position": position, "index": proof.index, "path": path, "note": proof.note.to_string(),
        }));
    } else {
        ui.answer(crate::ui::shown(proof.to_string().trim_end()));
    }
    Ok(0)
}

/// Shows or changes the keys that sign checkpoints.
pub(super) fn keys_command(ui: &mut Ui, world: &World, here: &Here, command: KeysCommand) -> Answer {
    match command {
        KeysCommand::List => list(ui, &here.place),
        KeysCommand::Rotate => rotate(ui, world, here),
    }
}

fn list(ui: &mut Ui, place: &Place) -> Answer {
    let keys = Keys::new(place.state.keys());
    let known = keys.verifiers()?;
    let current = if keys.exist() { Some(keys.signer()?) } else { None };
    let is_current = |verifier| current.as_ref().is_some_and(|signer| signer.verifier() == verifier);
    if ui.json {
        let shown: Vec<Value> = known
            .iter()
            .map(|verifier| json!({ "verifier": verifier.to_string(), "signs": is_current(verifier) }))
            .collect();
        ui.answer_json(&json!({ "keys": shown }));
        return Ok(0);
    }
    for verifier in &known {
        let word = if is_current(verifier) { format!("{GOOD}signs{GOOD:#}  ") } else { "retired".to_owned() };
        ui.answer(format_args!("{word} {verifier}"));
    }
    Ok(0)
}

fn rotate(ui: &mut Ui, world: &World, here: &Here) -> Answer {
    let journal = here.journal()?;
    let actor = typist(world)?;
    let verifier = workshop::rotate_keys(&journal, &here.place, &machine(world), &actor)?;
    if ui.json {
        ui.answer_json(&json!({ "verifier": verifier.to_string() }));
    } else {
        ui.note(format_args!(
            "{GOOD}rotated{GOOD:#}  the key before is retired; what it signed still verifies"
        ));
        ui.answer(verifier.to_string());
    }
    Ok(0)
}

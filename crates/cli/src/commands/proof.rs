//! `journal verify`, `checkpoint`, `prove` and `keys`: what can be proved, and with which keys.

use journal::verify::{Options, verify};
use model::{Coded, code};
use project::{Keys, Place, keys, workshop};
use serde_json::{Value, json};
use store::ReadOnlyJournal;

use super::here::{Here, typist};
use super::machine;
use crate::World;
use crate::args::{CheckpointArgs, KeysCommand, ProveArgs, VerifyArgs};
use crate::report::{Answer, Report};
use crate::ui::{GOOD, Ui, WARN};
use crate::views::table::count;

/// Checkpoints that the file remembers and verification is told about.
const NOTES_MAX: usize = 100;
/// That a checkpoint was signed is itself recorded, after what it covers.
const ITS_OWN: u64 = 1;

/// Verifies a journal from its file alone. Writes nothing, not even beside the file.
pub(super) fn check(ui: &mut Ui, world: &World, global: &crate::args::Global, args: &VerifyArgs) -> Answer {
    let (path, trusted) = if let Some(file) = &args.file {
        (file.clone(), Vec::new())
    } else {
        let here = Here::find(world, global)?;
        let trusted = Keys::new(here.place.state.keys()).verifiers()?;
        // refuses a place without a journal in the usual words
        drop(here.journal()?);
        (here.place.state.journal(), trusted)
    };
    let trusted = match &args.key {
        Some(key) => vec![keys::verifier(key)?],
        None => trusted,
    };
    let journal = ReadOnlyJournal::open(&path)?;
    let notes = journal.checkpoints(NOTES_MAX)?.into_iter().map(|row| row.note).collect();
    let options = Options { trusted, notes, ..Options::default() };
    let report = verify(journal.scan(0), &options).map_err(|fault| {
        let place = fault.position().map_or_else(String::new, |position| format!(" at record {position}"));
        Report::new(fault.code(), format!("the journal does not verify{place}")).caused_by(fault.to_string())
    })?;
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
        return Ok(0);
    }
    ui.answer(format_args!(
        "{GOOD}verified{GOOD:#}  {}, {} of them under a signed checkpoint",
        count(report.head.position, "record"),
        report.signed
    ));
    if options.trusted.is_empty() {
        ui.note(format_args!("{WARN}no key was given, so signatures were not checked{WARN:#}"));
        ui.next("aedile journal verify FILE --key FILE", "checks who signed");
    } else if unsigned > ITS_OWN {
        ui.note(format_args!("newer than the last signed checkpoint: {}", count(unsigned, "record")));
        ui.next("aedile journal checkpoint", "signs them");
    }
    Ok(0)
}

/// Signs the journal's head.
pub(super) fn checkpoint(ui: &mut Ui, world: &World, here: &Here, args: &CheckpointArgs) -> Answer {
    let journal = here.journal()?;
    let actor = typist(world)?;
    let sealed = workshop::checkpoint(&journal, &here.place, &machine(world), &actor)?;
    let note = match &sealed {
        Some(sealed) => sealed.note.clone(),
        None => match journal.checkpoints(1)?.pop() {
            Some(row) => row.note,
            None => return Err(Report::new(code::general::NOT_FOUND, "the journal is empty")),
        },
    };
    if let Some(out) = &args.out {
        fs_err::write(out, &note).map_err(|error| {
            Report::new(code::general::UNWRITABLE, format!("{} cannot be written", out.display()))
                .caused_by(error.to_string())
        })?;
    }
    if ui.json {
        let size = sealed.as_ref().map(|sealed| sealed.checkpoint.size);
        ui.answer_json(&json!({ "signed": sealed.is_some(), "size": size, "note": note }));
        return Ok(0);
    }
    match sealed {
        Some(sealed) => {
            ui.note(format_args!("{GOOD}signed{GOOD:#}  {}", count(sealed.checkpoint.size, "record")));
        }
        None => ui.note("the journal has not grown since it was signed last"),
    }
    ui.answer(note.trim_end());
    Ok(0)
}

/// Proves that a record is in the journal, or that one checkpoint continues another.
pub(super) fn prove(ui: &mut Ui, here: &Here, args: &ProveArgs) -> Answer {
    let journal = here.journal()?;
    if let Some(old) = args.from {
        let (newest, path) = journal.prove_consistency(old)?;
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        let value = json!({ "from": old, "to": newest.size, "path": path, "note": newest.note });
        ui.answer_json(&value);
        return Ok(0);
    }
    let position = args.position.ok_or_else(|| Report::usage("a position is missing"))?;
    let proof = journal.prove(position)?;
    if ui.json {
        let path: Vec<String> = proof.path.iter().map(ToString::to_string).collect();
        ui.answer_json(&json!({
            "position": position, "index": proof.index, "path": path, "note": proof.note.to_string(),
        }));
    } else {
        ui.answer(proof.to_string().trim_end());
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

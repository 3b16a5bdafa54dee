//! `backup` and `restore`: an environment's state in one file.

use std::sync::Arc;

use project::backup::{self, Made, Making, Restored, Restoring};
use project::keys;
use serde_json::{Value, json};
use store::{RunFilter, RunStatus};

use super::here::Here;
use crate::World;
use crate::args::{BackupArgs, RestoreArgs};
use crate::report::{Answer, Report};
use crate::ui::{GOOD, Ui, WARN};
use crate::views::table::{count, plain};

/// Most runs under way that are named.
const NAMED_MAX: usize = 100;

/// Makes a backup.
pub(super) fn backup(ui: &mut Ui, world: &World, here: &Here, args: &BackupArgs) -> Answer {
    let how =
        Making { file: &args.file, force: args.force, recipients: &args.recipients, now: world.clock.now() };
    let Made { manifest, bytes, signed } = backup::make(&here.place, &how)?;
    if ui.json {
        ui.answer_json(&json!({
            "file": args.file, "bytes": bytes, "encrypted": !args.recipients.is_empty(), "signed": signed,
            "manifest": manifest_json(&manifest),
        }));
        return Ok(0);
    }
    ui.answer(format_args!(
        "{GOOD}backed up{GOOD:#}  {} of {} to {}, {bytes} bytes",
        count(manifest.position, "record"),
        manifest.source,
        args.file.display()
    ));
    if args.recipients.is_empty() {
        ui.note(format_args!(
            "{WARN}it holds the environment's private keys and secrets: keep it as safely as those{WARN:#}"
        ));
    } else {
        ui.note(format_args!("encrypted for {}", count(args.recipients.len(), "key")));
    }
    ui.next(format_args!("aedile restore {}", args.file.display()), "verifies it and puts it in place");
    Ok(0)
}

fn manifest_json(manifest: &backup::Manifest) -> Value {
    serde_json::to_value(manifest).unwrap_or_default()
}

/// Restores a backup.
pub(super) fn restore(ui: &mut Ui, world: &World, here: &Here, args: &RestoreArgs) -> Answer {
    let identity = args.identity.clone().or_else(|| world.identities.of(&here.place));
    let from = Restoring {
        file: &args.file,
        identity: identity.as_deref(),
        key: args.key.as_deref().map(keys::verifier).transpose()?,
        source: args.from.as_deref(),
        replace: args.replace,
        clock: Arc::clone(&world.clock),
    };
    let Restored { manifest, verified, kept } = backup::restore(&here.place, &from)?;
    let under_way = under_way(here)?;
    if ui.json {
        ui.answer_json(&json!({
            "restored": true, "manifest": manifest_json(&manifest), "signed": verified.signed,
            "kept": kept, "underWay": under_way,
        }));
        return Ok(0);
    }
    ui.answer(format_args!(
        "{GOOD}restored{GOOD:#}  {} of {}, as of {}; {} of them under a signed checkpoint",
        count(manifest.position, "record"),
        plain(&manifest.source),
        plain(&manifest.made),
        verified.signed
    ));
    if let Some(kept) = &kept {
        ui.note(format_args!("the state that was here is kept in {}", kept.display()));
    }
    if under_way.is_empty() {
        ui.next("aedile journal verify", "verifies it again, from the file in place");
    } else {
        ui.note(format_args!(
            "{WARN}the next engine carries on {}, as if nothing had happened since{WARN:#}",
            count(under_way.len(), "run")
        ));
        for run in &under_way {
            ui.note(format_args!("  {run}"));
        }
        ui.next(format_args!("aedile runs show {}", under_way[0]), "says how far it had come");
    }
    Ok(0)
}

/// The runs that had not ended when the backup was made.
fn under_way(here: &Here) -> Result<Vec<String>, Report> {
    let status = RunStatus::ALL.into_iter().filter(|status| !status.is_ended()).collect();
    let page = here.journal()?.runs(&RunFilter { status, ..RunFilter::default() }, NAMED_MAX)?;
    Ok(page.items.iter().map(|row| row.run.to_string()).collect())
}

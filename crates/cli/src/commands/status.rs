//! `status`: is anything broken or waiting for me?

use api::{Run, Status};
use serde_json::json;

use super::desk::Desk;
use crate::World;
use crate::report::Answer;
use crate::ui::{BAD, COMMAND, DIM, GOOD, Ui, WARN};
use crate::views::json;
use crate::views::runs::waiting_text;
use crate::views::table::{count, plain};
use crate::views::time::since;

/// Lines of each kind that are shown; more are counted.
const SHOWN_MAX: usize = 3;

/// Shows the environment at a glance. Exits 0 also when something waits: looking is what was asked for.
pub(super) fn status(ui: &mut Ui, world: &World, desk: &Desk) -> Answer {
    let Some(status) = desk.status()? else {
        if ui.json {
            ui.answer_json(&json!({ "environment": desk.environment(), "journal": null }));
        } else {
            ui.answer(format_args!("Environment {}: nothing has happened yet", desk.environment()));
            ui.next("aedile run WORKFLOW", "starts a run");
        }
        return Ok(0);
    };
    if ui.json {
        ui.answer_json(&json(&status)?);
        return Ok(0);
    }
    let now = world.clock.now();
    let counted: Vec<String> =
        status.runs.iter().map(|(word, count)| format!("{count} {}", plain(word))).collect();
    let counted = if counted.is_empty() { "none".to_owned() } else { counted.join(", ") };
    let covered = status.journal.checkpointed_to.unwrap_or(0);
    ui.answer(format_args!("Environment {}", plain(&status.environment)));
    ui.answer(format_args!("  runs       {counted}"));
    ui.answer(format_args!(
        "  journal    {}, {covered} under a signed checkpoint",
        count(status.journal.position, "record")
    ));
    if status.approvals_waiting > 0 {
        ui.answer(format_args!("{WARN}Waiting for approval{WARN:#}  {}", status.approvals_waiting));
        for row in status.approvals.iter().take(SHOWN_MAX) {
            let (title, asked) = (plain(&row.title), since(&row.asked_at, now));
            ui.answer(format_args!("  {}  {title}  {DIM}asked {asked}{DIM:#}", plain(&row.approval)));
        }
    }
    if !status.open.is_empty() {
        ui.answer(format_args!("{WARN}Under way{WARN:#}"));
        for row in status.open.iter().take(SHOWN_MAX) {
            let waits = row
                .waiting_on
                .as_ref()
                .map_or_else(String::new, |waits| format!("  for {}", waiting_text(waits, now)));
            let (run, name, status) = (plain(&row.run), plain(&row.workflow), plain(&row.status));
            ui.answer(format_args!("  {run}  {name}  {status}{waits}"));
        }
    }
    if let Some(why) = &status.rules {
        ui.answer(format_args!(
            "{BAD}Changed rules are not in force{BAD:#}, those before are: {}",
            plain(why)
        ));
    }
    failed_last(ui, &status.failed);
    drifted(ui, &status);
    unseen(ui, &status, now);
    if is_calm(&status) {
        ui.answer(format_args!("{GOOD}Nothing is broken and nothing waits{GOOD:#}"));
    }
    match (status.approvals.first(), status.failed.first()) {
        (Some(row), _) => {
            ui.next(format_args!("aedile approvals show {}", row.approval), "says what is asked");
        }
        (None, Some(row)) => ui.next(format_args!("aedile runs show {}", row.run), "says what went wrong"),
        _ => {}
    }
    Ok(0)
}

/// Whether nothing is broken and nothing waits.
fn is_calm(status: &Status) -> bool {
    status.approvals.is_empty()
        && status.open.is_empty()
        && status.failed.is_empty()
        && status.drifted.is_empty()
        && status.rules.is_none()
        && status.flapping.is_empty()
        && status.skipped.is_none()
}

fn failed_last(ui: &mut Ui, failed: &[Run]) {
    if failed.is_empty() {
        return;
    }
    ui.answer(format_args!("{BAD}Failed last{BAD:#}"));
    for row in failed.iter().take(SHOWN_MAX) {
        let why = row.problem.as_deref().map(plain).unwrap_or_default();
        ui.answer(format_args!("  {}  {}  {why}", plain(&row.run), plain(&row.workflow)));
    }
}

/// What was not as it was applied when somebody looked last.
fn drifted(ui: &mut Ui, status: &Status) {
    let more: Vec<&String> = status.flapping.iter().filter(|one| !status.drifted.contains(one)).collect();
    if status.drift.is_empty() && more.is_empty() {
        return;
    }
    ui.answer(format_args!("{WARN}Drifted{WARN:#}  {}", status.drift.len() + more.len()));
    for found in status.drift.iter().take(SHOWN_MAX) {
        let fight = if status.fights.contains(&found.resource) { "  somebody fights over it" } else { "" };
        let flaps = if status.flapping.contains(&found.resource) { "  it keeps changing" } else { "" };
        ui.answer(format_args!("  {}  {}{fight}{flaps}", plain(&found.resource), plain(&found.class)));
    }
    for resource in more.into_iter().take(SHOWN_MAX.saturating_sub(status.drift.len())) {
        ui.answer(format_args!("  {}  it keeps coming and going", plain(resource)));
    }
}

/// That rounds come to nothing, which nobody would see otherwise: what is shown of drift is old then.
fn unseen(ui: &mut Ui, status: &Status, now: model::Timestamp) {
    let Some(skipped) = &status.skipped else { return };
    ui.answer(format_args!(
        "{WARN}Nobody could look for drift{WARN:#}  first {}",
        since(&skipped.since, now)
    ));
    ui.answer(format_args!(
        "  at least {} came to nothing, the last: {}",
        count(skipped.rounds, "round"),
        plain(&skipped.why)
    ));
    if let Some(run) = &skipped.run {
        ui.answer(format_args!("  {DIM}see: {DIM:#}{COMMAND}aedile runs show {}{COMMAND:#}", plain(run)));
    }
}

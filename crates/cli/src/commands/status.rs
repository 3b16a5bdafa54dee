//! `status`: is anything broken or waiting for me?

use engine::drift::Standing;
use serde_json::{Value, json};
use store::{ApprovalFilter, ApprovalRow, ApprovalStatus, RunFilter, RunRow, RunStatus, Status};

use super::here::Here;
use crate::World;
use crate::report::Answer;
use crate::ui::{BAD, DIM, GOOD, Ui, WARN};
use crate::views::approvals::approval_json;
use crate::views::runs::{run_json, waiting_text};
use crate::views::table::{count, plain};
use crate::views::time::relative;

/// Lines of each kind that are shown; more are counted.
const SHOWN_MAX: usize = 3;

/// Shows the environment at a glance. Exits 0 also when something waits: looking is what was asked for.
pub(super) fn status(ui: &mut Ui, world: &World, here: &Here) -> Answer {
    let Some(journal) = here.journal_if_any()? else {
        if ui.json {
            ui.answer_json(&json!({ "environment": here.place.environment, "journal": null }));
        } else {
            ui.answer(format_args!("Environment {}: nothing has happened yet", here.place.environment));
            ui.next("aedile run WORKFLOW", "starts a run");
        }
        return Ok(0);
    };
    let status = journal.status()?;
    let waiting = ApprovalFilter { status: vec![ApprovalStatus::Waiting], ..ApprovalFilter::default() };
    let approvals = journal.approvals(&waiting, SHOWN_MAX)?.items;
    let open =
        [RunStatus::InDoubt, RunStatus::Paused, RunStatus::Running, RunStatus::Waiting, RunStatus::Submitted];
    let open = journal.runs(&RunFilter { status: open.to_vec(), ..RunFilter::default() }, SHOWN_MAX)?.items;
    let failed = RunFilter { status: vec![RunStatus::Failed], ..RunFilter::default() };
    let failed = journal.runs(&failed, SHOWN_MAX)?.items;
    let drift = engine::drift::standing(&journal)?;
    if ui.json {
        let rows = (approvals.as_slice(), open.as_slice(), failed.as_slice());
        ui.answer_json(&status_json(here, &status, rows, &drift));
        return Ok(0);
    }
    let now = world.clock.now();
    let counted: Vec<String> = status.runs.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let counted = if counted.is_empty() { "none".to_owned() } else { counted.join(", ") };
    let covered = status.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
    ui.answer(format_args!("Environment {}", here.place.environment));
    ui.answer(format_args!("  runs       {counted}"));
    ui.answer(format_args!(
        "  journal    {}, {covered} under a signed checkpoint",
        count(status.head.position, "record")
    ));
    if status.approvals_waiting > 0 {
        ui.answer(format_args!("{WARN}Waiting for approval{WARN:#}  {}", status.approvals_waiting));
        for row in &approvals {
            ui.answer(format_args!(
                "  {}  {}  {DIM}asked {}{DIM:#}",
                row.approval,
                plain(&row.title),
                relative(row.asked_at, now)
            ));
        }
    }
    if !open.is_empty() {
        ui.answer(format_args!("{WARN}Under way{WARN:#}"));
        for row in &open {
            let waits = row
                .waiting_on
                .as_ref()
                .map_or_else(String::new, |waits| format!("  for {}", waiting_text(waits, now)));
            ui.answer(format_args!("  {}  {}  {}{waits}", row.run, row.name, row.status));
        }
    }
    failed_last(ui, &failed);
    drifted(ui, &drift);
    if approvals.is_empty() && open.is_empty() && failed.is_empty() && drift.found.is_empty() {
        ui.answer(format_args!("{GOOD}Nothing is broken and nothing waits{GOOD:#}"));
    }
    match (approvals.first(), failed.first()) {
        (Some(row), _) => {
            ui.next(format_args!("aedile approvals show {}", row.approval), "says what is asked");
        }
        (None, Some(row)) => ui.next(format_args!("aedile runs show {}", row.run), "says what went wrong"),
        _ => {}
    }
    Ok(0)
}

fn failed_last(ui: &mut Ui, failed: &[RunRow]) {
    if failed.is_empty() {
        return;
    }
    ui.answer(format_args!("{BAD}Failed last{BAD:#}"));
    for row in failed {
        let why = row.problem.as_deref().map(plain).unwrap_or_default();
        ui.answer(format_args!("  {}  {}  {why}", row.run, row.name));
    }
}

/// What was not as it was applied when somebody looked last.
fn drifted(ui: &mut Ui, drift: &Standing) {
    if drift.found.is_empty() {
        return;
    }
    ui.answer(format_args!("{WARN}Drifted{WARN:#}  {}", drift.found.len()));
    for (resource, found) in drift.found.iter().take(SHOWN_MAX) {
        let fight = if drift.fights.contains_key(resource) { "  somebody fights over it" } else { "" };
        ui.answer(format_args!("  {}  {}{fight}", plain(resource), found.what.class));
    }
}

fn status_json(
    here: &Here,
    status: &Status,
    (approvals, open, failed): (&[ApprovalRow], &[RunRow], &[RunRow]),
    drift: &Standing,
) -> Value {
    let counts: serde_json::Map<String, Value> =
        status.runs.iter().map(|(word, count)| (word.to_string(), json!(count))).collect();
    json!({
        "environment": here.place.environment,
        "journal": {
            "position": status.head.position,
            "digest": status.head.digest,
            "bytes": status.bytes,
            "checkpointedTo": status.checkpoint.as_ref().map(|checkpoint| checkpoint.size),
        },
        "runs": counts,
        "timers": status.timers,
        "approvalsWaiting": status.approvals_waiting,
        "approvals": approvals.iter().map(approval_json).collect::<Vec<_>>(),
        "open": open.iter().map(run_json).collect::<Vec<_>>(),
        "failed": failed.iter().map(run_json).collect::<Vec<_>>(),
        "drifted": drift.found.keys().collect::<Vec<_>>(),
        "fights": drift.fights.keys().collect::<Vec<_>>(),
    })
}

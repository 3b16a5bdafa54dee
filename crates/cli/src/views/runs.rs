//! Runs.

use model::Timestamp;
use model::time::rfc3339;
use serde_json::{Value, json};
use store::{RunRow, RunStatus, WaitingOn};

use super::table::Table;
use super::time::{duration, relative};
use crate::ui::{BAD, DIM, GOOD, STRONG, WARN};

/// A run as `--json` shows it.
pub fn run_json(row: &RunRow) -> Value {
    json!({
        "run": row.run,
        "workflow": row.name,
        "version": row.version,
        "definition": row.digest,
        "environment": row.environment,
        "requester": row.requester,
        "parent": row.parent,
        "status": row.status.as_str(),
        "waitingOn": row.waiting_on.as_ref().map(ToString::to_string),
        "submittedAt": rfc3339(row.submitted_at),
        "startedAt": row.started_at.map(rfc3339),
        "endedAt": row.ended_at.map(rfc3339),
        "problem": row.problem,
    })
}

/// A status as a coloured word.
pub fn status_word(status: RunStatus) -> String {
    let style = match status {
        RunStatus::Completed => GOOD,
        RunStatus::Failed => BAD,
        RunStatus::Waiting | RunStatus::Paused | RunStatus::InDoubt => WARN,
        RunStatus::Submitted | RunStatus::Running => STRONG,
        RunStatus::Cancelled => DIM,
    };
    format!("{style}{status}{style:#}")
}

/// What a run waits for, for people.
pub fn waiting_text(waiting: &WaitingOn, now: Timestamp) -> String {
    match waiting {
        WaitingOn::Approval(id) => format!("approval {id}"),
        WaitingOn::Window(at) => format!("a change window, {}", relative(*at, now)),
        WaitingOn::Timer(at) => format!("a timer, {}", relative(*at, now)),
        WaitingOn::Run(id) => format!("run {id}"),
        WaitingOn::Event(step) => format!("an event at {step}"),
    }
}

/// Runs as a table.
pub fn runs_table(rows: &[RunRow], now: Timestamp, width: usize) -> Vec<String> {
    let mut table = Table::new(&["RUN", "WORKFLOW", "STATUS", "SUBMITTED", "BY", "NOTE"]);
    for row in rows {
        let note = match (&row.waiting_on, &row.problem) {
            (Some(waiting), _) => waiting_text(waiting, now),
            (None, Some(problem)) => problem.clone(),
            (None, None) => String::new(),
        };
        table.row([
            row.run.to_string(),
            row.name.clone(),
            row.status.to_string(),
            relative(row.submitted_at, now),
            row.requester.to_string(),
            note,
        ]);
    }
    table.lines(width.max(100))
}

/// The first lines about one run.
pub fn run_head(row: &RunRow, now: Timestamp) -> Vec<String> {
    let mut lines = vec![
        format!("{STRONG}{}{STRONG:#}", row.run),
        format!("  workflow   {} {}", row.name, row.version),
        format!("  status     {}", status_word(row.status)),
    ];
    if let Some(waiting) = &row.waiting_on {
        lines.push(format!("  waits for  {}", waiting_text(waiting, now)));
    }
    if let Some(problem) = &row.problem {
        lines.push(format!("  problem    {problem}"));
    }
    lines.push(format!("  submitted  {} by {}", relative(row.submitted_at, now), row.requester));
    if let (Some(started), Some(ended)) = (row.started_at, row.ended_at) {
        lines.push(format!("  took       {}", duration(ended.duration_since(started))));
    }
    if let Some(parent) = row.parent {
        lines.push(format!("  started by {parent}"));
    }
    lines
}

//! Runs.

use api::{Run, WaitingOn};
use model::Timestamp;

use super::table::{Table, plain};
use super::time::{duration, since};
use crate::ui::{BAD, DIM, GOOD, STRONG, WARN};

/// A status as a coloured word.
pub fn status_word(status: &str) -> String {
    let style = match status {
        "completed" => GOOD,
        "failed" => BAD,
        "waiting" | "paused" | "in_doubt" => WARN,
        "cancelled" => DIM,
        _ => STRONG,
    };
    format!("{style}{}{style:#}", plain(status))
}

/// What a run waits for, for people.
pub fn waiting_text(waiting: &WaitingOn, now: Timestamp) -> String {
    let what = &waiting.what;
    match waiting.kind.as_str() {
        "window" => format!("a change window, {}", since(what, now)),
        "timer" => format!("a timer, {}", since(what, now)),
        "event" => format!("an event at {}", plain(what)),
        kind => format!("{} {}", plain(kind), plain(what)),
    }
}

/// Runs as a table.
pub fn runs_table(rows: &[Run], now: Timestamp, width: usize) -> Vec<String> {
    let mut table = Table::new(&["RUN", "WORKFLOW", "STATUS", "SUBMITTED", "BY", "NOTE"]);
    for row in rows {
        let note = match (&row.waiting_on, &row.problem) {
            (Some(waiting), _) => waiting_text(waiting, now),
            (None, Some(problem)) => problem.clone(),
            (None, None) => String::new(),
        };
        table.row([
            row.run.clone(),
            row.workflow.clone(),
            row.status.clone(),
            since(&row.submitted_at, now),
            row.requester.clone(),
            note,
        ]);
    }
    table.lines(width.max(100))
}

/// The first lines about one run.
pub fn run_head(row: &Run, now: Timestamp) -> Vec<String> {
    let mut lines = vec![
        format!("{STRONG}{}{STRONG:#}", plain(&row.run)),
        format!("  workflow   {} {}", plain(&row.workflow), plain(&row.version)),
        format!("  status     {}", status_word(&row.status)),
    ];
    if let Some(waiting) = &row.waiting_on {
        lines.push(format!("  waits for  {}", waiting_text(waiting, now)));
    }
    if let Some(problem) = &row.problem {
        lines.push(format!("  problem    {}", plain(problem)));
    }
    lines.push(format!("  submitted  {} by {}", since(&row.submitted_at, now), plain(&row.requester)));
    let moment = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Timestamp>().ok());
    if let (Some(started), Some(ended)) = (moment(&row.started_at), moment(&row.ended_at)) {
        lines.push(format!("  took       {}", duration(ended.duration_since(started))));
    }
    if let Some(parent) = &row.parent {
        lines.push(format!("  started by {}", plain(parent)));
    }
    lines
}

//! Approvals.

use model::Timestamp;
use model::time::rfc3339;
use serde_json::{Value, json};
use store::{ApprovalRow, ApprovalStatus};

use super::table::Table;
use super::time::relative;
use crate::ui::{BAD, DIM, GOOD, STRONG, WARN};

/// An approval as `--json` shows it.
pub fn approval_json(row: &ApprovalRow) -> Value {
    json!({
        "approval": row.approval,
        "run": row.run,
        "step": row.step,
        "title": row.title,
        "status": row.status.as_str(),
        "chain": row.chain,
        "level": row.level,
        "levels": row.levels,
        "votes": row.votes,
        "requester": row.requester,
        "binding": row.binding,
        "askedAt": rfc3339(row.asked_at),
        "expiresAt": row.expires.map(rfc3339),
        "endedAt": row.ended_at.map(rfc3339),
        "endedBy": row.ended_by,
        "reason": row.reason,
    })
}

/// Approvals as a table.
pub fn approvals_table(rows: &[ApprovalRow], now: Timestamp, width: usize) -> Vec<String> {
    let mut table = Table::new(&["APPROVAL", "STATUS", "LEVEL", "ASKED", "EXPIRES", "WHAT"]);
    for row in rows {
        table.row([
            row.approval.to_string(),
            row.status.to_string(),
            format!("{}/{}", row.level, row.levels.len()),
            relative(row.asked_at, now),
            row.expires.map_or_else(|| "never".to_owned(), |at| relative(at, now)),
            row.title.clone(),
        ]);
    }
    table.lines(width.max(100))
}

/// Everything about one approval, for the person who decides.
pub fn approval_text(row: &ApprovalRow, asked: Option<&Value>, now: Timestamp) -> Vec<String> {
    let style = match row.status {
        ApprovalStatus::Waiting => WARN,
        ApprovalStatus::Granted | ApprovalStatus::Overridden => GOOD,
        ApprovalStatus::Denied | ApprovalStatus::Expired => BAD,
        ApprovalStatus::Withdrawn => DIM,
    };
    let mut lines = vec![
        format!("{STRONG}{}{STRONG:#}", row.approval),
        format!("  {}", super::table::plain(&row.title)),
        format!("  status     {style}{}{style:#}", row.status),
        format!("  run        {}  step {}", row.run, row.step),
        format!("  asked      {} by {}", relative(row.asked_at, now), row.requester),
        format!("  chain      {}", row.chain),
    ];
    for level in &row.levels {
        let roles: Vec<&str> = level.roles.iter().map(model::Role::as_str).collect();
        let here = if row.status == ApprovalStatus::Waiting && level.level == row.level { ">" } else { " " };
        let mut line = format!("  {here} level {}  {} of {}", level.level, level.quorum, roles.join(" or "));
        if here == ">" {
            if !row.votes.is_empty() {
                let votes: Vec<&str> = row.votes.iter().map(model::Principal::as_str).collect();
                line.push_str(", granted by ");
                line.push_str(&votes.join(", "));
            }
            if let Some(expires) = row.expires {
                line.extend([format!(", {} {}", level.on_timeout, relative(expires, now))]);
            }
        }
        if level.emergency_override {
            line.push_str(", emergency override allowed");
        }
        lines.push(line);
    }
    if let (Some(by), Some(at)) = (&row.ended_by, row.ended_at) {
        let why = row.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        lines.push(format!("  decided    {} by {by}{why}", relative(at, now)));
    }
    lines.push(format!("  binds to   {}", row.binding));
    if let Some(asked) = asked {
        lines.push("  asked for".to_owned());
        lines.extend(format!("{asked:#}").lines().map(|line| format!("    {line}")));
    }
    lines
}

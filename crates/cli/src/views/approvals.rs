//! Approvals.

use api::Approval;
use model::Timestamp;
use serde_json::Value;

use super::table::{Table, plain};
use super::time::since;
use crate::ui::{BAD, DIM, GOOD, STRONG, WARN, escaped};

/// What an approval is while nobody has ended it.
pub const WAITING: &str = "waiting";

/// Approvals as a table.
pub fn approvals_table(rows: &[Approval], now: Timestamp, width: usize) -> Vec<String> {
    let mut table = Table::new(&["APPROVAL", "STATUS", "LEVEL", "ASKED", "EXPIRES", "WHAT"]);
    for row in rows {
        table.row([
            row.approval.clone(),
            row.status.clone(),
            format!("{}/{}", row.level, row.levels.len()),
            since(&row.asked_at, now),
            row.expires_at.as_ref().map_or_else(|| "never".to_owned(), |at| since(at, now)),
            row.title.clone(),
        ]);
    }
    table.lines(width.max(100))
}

/// Everything about one approval, for the person who decides.
pub fn approval_text(row: &Approval, asked: Option<&Value>, now: Timestamp) -> Vec<String> {
    let style = match row.status.as_str() {
        WAITING => WARN,
        "granted" | "overridden" => GOOD,
        "denied" | "expired" => BAD,
        _ => DIM,
    };
    let mut lines = vec![
        format!("{STRONG}{}{STRONG:#}", plain(&row.approval)),
        format!("  {}", plain(&row.title)),
        format!("  status     {style}{}{style:#}", plain(&row.status)),
        format!("  run        {}  step {}", plain(&row.run), plain(&row.step)),
        format!("  asked      {} by {}", since(&row.asked_at, now), plain(&row.requester)),
        format!("  chain      {}", plain(&row.chain)),
    ];
    for level in &row.levels {
        let here = if row.status == WAITING && level.level == row.level { ">" } else { " " };
        let roles = plain(&level.roles.join(" or "));
        let mut line = format!("  {here} level {}  {} of {roles}", level.level, level.quorum);
        if here == ">" {
            if !row.votes.is_empty() {
                line.push_str(", granted by ");
                line.push_str(&plain(&row.votes.join(", ")));
            }
            if let Some(expires) = &row.expires_at {
                line.extend([format!(", {} {}", plain(&level.on_timeout), since(expires, now))]);
            }
        }
        if level.emergency_override {
            line.push_str(", emergency override allowed");
        }
        lines.push(line);
    }
    if let (Some(by), Some(at)) = (&row.ended_by, &row.ended_at) {
        let why = row.reason.as_ref().map_or_else(String::new, |why| format!(": {}", plain(why)));
        lines.push(format!("  decided    {} by {}{why}", since(at, now), plain(by)));
    }
    lines.push(format!("  binds to   {}", plain(&row.binding)));
    if let Some(asked) = asked {
        lines.push("  asked for".to_owned());
        lines.extend(escaped(&format!("{asked:#}")).lines().map(|line| format!("    {line}")));
    }
    lines
}

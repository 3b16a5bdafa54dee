//! `approvals list` and `approvals show`.

use serde_json::json;

use super::desk::Desk;
use crate::World;
use crate::report::Answer;
use crate::ui::Ui;
use crate::views::approvals::{WAITING, approval_text, approvals_table};
use crate::views::json;

/// At most this many approvals are listed.
const LISTED_MAX: u32 = 200;

/// Lists approvals that wait, oldest first; with `all`, those that are decided too.
pub(super) fn list(ui: &mut Ui, world: &World, desk: &Desk, all: bool) -> Answer {
    let status = (!all).then(|| WAITING.to_owned());
    let query = api::ApprovalQuery { status, limit: Some(LISTED_MAX), ..api::ApprovalQuery::default() };
    let mut rows = desk.approvals(&query)?.items;
    rows.reverse();
    if ui.json {
        ui.answer_json(&json!({ "environment": desk.environment(), "approvals": json(&rows)? }));
        return Ok(0);
    }
    if rows.is_empty() {
        ui.note(format_args!("nothing waits for approval in environment {}", desk.environment()));
        return Ok(0);
    }
    for line in approvals_table(&rows, world.clock.now(), ui.width) {
        ui.answer(line);
    }
    if let Some(first) = rows.iter().find(|row| row.status == WAITING) {
        ui.next(format_args!("aedile approvals show {}", first.approval), "says what is asked");
    }
    Ok(0)
}

/// Shows one approval.
pub(super) fn show(ui: &mut Ui, world: &World, desk: &Desk, typed: &str) -> Answer {
    let approval = desk.the_approval(typed)?;
    let detail = desk.approval(approval)?;
    if ui.json {
        ui.answer_json(&json(&detail)?);
        return Ok(0);
    }
    let asked = detail.asked.get("asked");
    for line in approval_text(&detail.approval, asked, world.clock.now()) {
        ui.answer(line);
    }
    if asked.is_some_and(|asked| asked.pointer("/proposal/plan").is_some()) {
        ui.next(format_args!("aedile plan --show {}", detail.approval.run), "shows every change of the plan");
    }
    if detail.approval.status == WAITING {
        ui.next(format_args!("aedile approve {approval}"), "or `aedile deny` with `-m REASON`");
    }
    Ok(0)
}

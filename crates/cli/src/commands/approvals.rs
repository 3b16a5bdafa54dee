//! `approvals list` and `approvals show`.

use journal::events::ApprovalEvent;
use journal::{Event, Journal};
use serde_json::{Value, json};
use store::{ApprovalFilter, ApprovalStatus};

use super::here::{Here, the_approval};
use crate::World;
use crate::report::{Answer, Report};
use crate::ui::Ui;
use crate::views::approvals::{approval_json, approval_text, approvals_table};

/// At most this many approvals are listed.
const LISTED_MAX: usize = 200;

/// Lists approvals that wait, oldest first; with `all`, those that are decided too.
pub(super) fn list(ui: &mut Ui, world: &World, here: &Here, all: bool) -> Answer {
    let status = if all { Vec::new() } else { vec![ApprovalStatus::Waiting] };
    let mut rows = match here.journal_if_any()? {
        Some(journal) => {
            journal.approvals(&ApprovalFilter { status, ..ApprovalFilter::default() }, LISTED_MAX)?.items
        }
        None => Vec::new(),
    };
    rows.reverse();
    if ui.json {
        let approvals: Vec<Value> = rows.iter().map(approval_json).collect();
        ui.answer_json(&json!({ "environment": here.place.environment, "approvals": approvals }));
        return Ok(0);
    }
    if rows.is_empty() {
        ui.note(format_args!("nothing waits for approval in environment {}", here.place.environment));
        return Ok(0);
    }
    for line in approvals_table(&rows, world.clock.now(), ui.width) {
        ui.answer(line);
    }
    if let Some(first) = rows.iter().find(|row| row.status == ApprovalStatus::Waiting) {
        ui.next(format_args!("aedile approvals show {}", first.approval), "says what is asked");
    }
    Ok(0)
}

/// Shows one approval.
pub(super) fn show(ui: &mut Ui, world: &World, here: &Here, typed: &str) -> Answer {
    let journal = here.journal()?;
    let approval = the_approval(&journal, typed)?;
    let row =
        journal.approval(approval)?.ok_or_else(|| Report::internal(format!("{approval} is in no view")))?;
    let first = journal.read_stream(&approval.to_string(), 0, 1)?;
    let asked = first.first().and_then(|record| match &record.event {
        Event::Approval(ApprovalEvent::Requested(asked)) => Some(asked),
        _ => None,
    });
    if ui.json {
        let mut value = approval_json(&row);
        if let (Some(value), Some(asked)) = (value.as_object_mut(), asked) {
            value.insert("asked".to_owned(), asked.asked.clone());
            value.insert("description".to_owned(), json!(asked.description));
        }
        ui.answer_json(&value);
        return Ok(0);
    }
    for line in approval_text(&row, asked.map(|asked| &asked.asked), world.clock.now()) {
        ui.answer(line);
    }
    if row.status == ApprovalStatus::Waiting {
        ui.next(format_args!("aedile approve {approval}"), "or `aedile deny` with `-m REASON`");
    }
    Ok(0)
}

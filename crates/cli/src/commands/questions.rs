//! What a followed run asks people: shown level by level, as their answers come in.

use engine::approvals::Persons;
use journal::events::{ApprovalEvent, Asked};
use journal::{Event, Journal};
use model::{ApprovalId, Timestamp};

use crate::report::Report;
use crate::ui::{DIM, WARN};
use crate::views::events::{INDENT, line};
use crate::views::table::plain;
use crate::views::time::relative;

/// Records of one approval that are looked at together; an approval has a few.
const RECORDS_MAX: usize = 100;

/// The record that asks, which is the first of its stream.
const FIRST: u64 = 1;

/// One question that has no final answer yet.
struct Open {
    asked: Asked,
    /// The latest record of it that was shown.
    sequence: u64,
}

/// The questions of one run that have no final answer yet.
#[derive(Default)]
pub(super) struct Questions {
    open: Vec<Open>,
}

impl Questions {
    /// Takes up a question, and answers it with its lines; with none if people have answered it already, which is told by
    /// the run's own records.
    pub(super) fn ask(
        &mut self,
        journal: &dyn Journal,
        approval: ApprovalId,
        (persons, now): (Persons, Timestamp),
        how: impl Fn(&Asked, u32) -> String,
    ) -> Result<Vec<String>, Report> {
        let Some(loaded) = engine::approvals::load(journal, approval, persons)? else {
            return Ok(Vec::new());
        };
        let level = loaded.approval.level().number;
        let lines = match loaded.ended {
            None => vec![asks(&loaded.asked, level, loaded.due, now), how(&loaded.asked, level)],
            Some(_) => Vec::new(),
        };
        self.open.push(Open { asked: loaded.asked, sequence: FIRST });
        Ok(lines)
    }

    /// What happened to the questions since this was asked last, up to a position of the journal: votes, and who is asked
    /// next. What cannot be read now is told the next time.
    pub(super) fn news(
        &mut self,
        journal: &dyn Journal,
        until: u64,
        (persons, now): (Persons, Timestamp),
        how: impl Fn(&Asked, u32) -> String,
        lines: &mut Vec<String>,
    ) -> Result<(), Report> {
        for open in &mut self.open {
            let approval = open.asked.approval;
            let (mut told, mut sequence) = (Vec::new(), open.sequence);
            for record in journal.read_stream(&approval.to_string(), sequence, RECORDS_MAX)? {
                if record.position > until {
                    break;
                }
                sequence = record.sequence;
                if let Event::Approval(ApprovalEvent::Voted(_) | ApprovalEvent::Escalated(_)) = &record.event
                {
                    told.extend(line(&record));
                }
            }
            if !told.is_empty() {
                let loaded = engine::approvals::load(journal, approval, persons)?;
                if let Some(loaded) = loaded.filter(|loaded| loaded.ended.is_none()) {
                    let level = loaded.approval.level().number;
                    told.extend([asks(&open.asked, level, loaded.due, now), how(&open.asked, level)]);
                }
            }
            open.sequence = sequence;
            lines.extend(told);
        }
        Ok(())
    }

    /// A question has its final answer.
    pub(super) fn answered(&mut self, approval: ApprovalId) {
        self.open.retain(|open| open.asked.approval != approval);
    }

    /// The approvals that are waited for.
    pub(super) fn approvals(&self) -> Vec<ApprovalId> {
        self.open.iter().map(|open| open.asked.approval).collect()
    }
}

/// What is asked at a level, and for how long.
fn asks(asked: &Asked, level: u32, expires: Option<Timestamp>, now: Timestamp) -> String {
    let title = plain(&asked.title);
    let levels = asked.levels.len();
    let within = expires.map_or_else(String::new, |at| format!(", runs out {}", relative(at, now)));
    format!("{INDENT}{WARN}waits{WARN:#}      {title}  {DIM}level {level} of {levels}{within}{DIM:#}")
}

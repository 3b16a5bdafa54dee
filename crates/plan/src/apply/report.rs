//! What a run of a plan says at its end: done, not done, uncertain.

use std::fmt::Write as _;

use model::{Outcome, Problem, Step, StepId, StepRef, code::plan as code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pending::Answer;
use super::unit::{Role, State};
use super::{Apply, Phase};
use crate::limits;
use crate::name::Instance;

/// The step that holds the report.
pub const REPORT_STEP: &str = "#report";

/// One thing that is not done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotDone {
    /// Which step.
    pub step: String,
    /// Why.
    pub because: String,
}

/// The report. Its lists hold at most [`limits::REPORT_NAMES_MAX`] names; the counts are exact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// How many are done.
    pub succeeded: u64,
    /// How many of those changed something. Reports of earlier versions only name them.
    #[serde(default)]
    pub changed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many were not begun.
    pub skipped: u64,
    /// Of how many it is not known.
    pub uncertain: u64,
    /// How many handlers had nothing to do.
    pub idle: u64,
    /// What is done and changed something.
    pub done: Vec<String>,
    /// What is not done.
    pub not_done: Vec<NotDone>,
    /// What may or may not be done.
    pub unknown: Vec<NotDone>,
}

impl Report {
    /// Whether everything was done.
    pub fn is_complete(&self) -> bool {
        self.failed == 0 && self.skipped == 0 && self.uncertain == 0
    }

    fn add(&mut self, step: &StepId, state: &State, because: String) {
        let named = |list: &mut Vec<NotDone>| {
            if list.len() < limits::REPORT_NAMES_MAX {
                list.push(NotDone { step: step.to_string(), because });
            }
        };
        match state {
            State::Done { changed } => {
                self.succeeded += 1;
                self.changed += u64::from(*changed);
                if *changed && self.done.len() < limits::REPORT_NAMES_MAX {
                    self.done.push(step.to_string());
                }
            }
            State::Idle => self.idle += 1,
            State::Failed => {
                self.failed += 1;
                named(&mut self.not_done);
            }
            State::Uncertain => {
                self.uncertain += 1;
                named(&mut self.unknown);
            }
            _ => {
                self.skipped += 1;
                named(&mut self.not_done);
            }
        }
    }
}

impl Apply {
    /// How it stands: at the end, what came of it.
    pub fn standing(&self) -> Report {
        let mut report = Report::default();
        for unit in &self.units {
            if matches!(unit.role, Role::Junction(_)) {
                continue;
            }
            let problem = unit.problem.as_ref().map(ToString::to_string);
            let because = match &unit.because {
                Some(because) => because.to_string(),
                None => problem.unwrap_or_else(|| "it was not begun".to_owned()),
            };
            report.add(&unit.step.id, &unit.state, because);
        }
        report
    }

    /// Whether the change of an instance is known to be done: what an undo may take back.
    pub fn is_done(&self, instance: &Instance) -> bool {
        self.by_instance
            .get(instance)
            .is_some_and(|at| matches!(self.units[*at as usize].state, State::Done { changed: true }))
    }

    /// Asks for the report to be recorded.
    pub(super) fn report(&mut self) {
        let cancelled = self.phase == Phase::Cancelling;
        self.phase = Phase::Reporting { cancelled };
        let step = StepRef { id: StepId::new(REPORT_STEP), name: "report".into(), kind: "report" };
        let report = self.standing();
        let result = serde_json::to_value(&report)
            .map_err(|error| Problem::runtime(format!("the report cannot be written: {error}")));
        self.pending.push(Answer::Record, step.id.clone(), Step::Record { step, result });
    }

    /// The report is recorded: the end.
    pub(super) fn finish(&mut self) {
        let Phase::Reporting { cancelled } = self.phase else { return };
        self.phase = Phase::Ending;
        let report = self.standing();
        self.retriable = !report.is_complete();
        let outcome = if cancelled {
            Outcome::Cancelled
        } else if report.is_complete() {
            let output = serde_json::to_value(&report).unwrap_or_default();
            Outcome::Completed { output }
        } else {
            Outcome::Faulted { problem: problem(&report) }
        };
        self.pending.push(Answer::Finish, StepId::new(""), Step::Finish { outcome });
    }
}

fn problem(report: &Report) -> Problem {
    let total = report.succeeded + report.failed + report.skipped + report.uncertain;
    let mut detail = format!(
        "of {total} steps {} are done, {} failed, {} were not begun and {} are uncertain",
        report.succeeded, report.failed, report.skipped, report.uncertain
    );
    if let Some(first) = report.unknown.first().or_else(|| report.not_done.first()) {
        let _infallible = write!(detail, "; the first: {}: {}", first.step, first.because);
    }
    Problem::runtime(detail).with_code(code::NOT_APPLIED)
}

//! The steps of a run, folded from its events.

use std::collections::BTreeMap;

use journal::events::{Scheduled, StepEvent, TimerEvent, VerdictRecord};
use journal::{Event, Record};
use model::StepId;
use model::time::rfc3339;

/// The steps of a run in the order in which they began, from all of its records.
pub fn steps(records: &[Record]) -> Vec<api::Step> {
    let mut fold = Fold::default();
    for record in records {
        match &record.event {
            Event::Step(event) => fold.step(record, event),
            Event::Timer(TimerEvent::Set(timer)) => fold.wait(record, &timer.step),
            Event::Listen(event) => {
                use journal::events::ListenEvent;
                if let ListenEvent::Started(listening) = event {
                    fold.wait(record, &listening.step);
                }
            }
            _ => {}
        }
    }
    fold.steps
}

#[derive(Default)]
struct Fold {
    steps: Vec<api::Step>,
    places: BTreeMap<StepId, usize>,
}

impl Fold {
    fn of(&mut self, record: &Record, step: &StepId) -> &mut api::Step {
        let place = *self.places.entry(step.clone()).or_insert_with(|| {
            self.steps.push(api::Step {
                step: step.to_string(),
                name: String::new(),
                kind: "none".to_owned(),
                target: None,
                status: "waiting".to_owned(),
                attempts: 0,
                started_at: Some(rfc3339(record.at)),
                ended_at: None,
                verdict: None,
                approval: None,
                input: None,
                output: None,
                problem: None,
                doubt: None,
                position: record.position,
            });
            self.steps.len() - 1
        });
        &mut self.steps[place]
    }

    /// A step that holds a timer or listens; what it does besides says more.
    fn wait(&mut self, record: &Record, step: &StepId) {
        self.of(record, step);
    }

    fn scheduled(&mut self, record: &Record, scheduled: &Scheduled) {
        let step = self.of(record, &scheduled.step);
        step.name.clone_from(&scheduled.name);
        step.kind.clone_from(&scheduled.action.kind);
        step.target = Some(scheduled.action.target.clone()).filter(|target| !target.is_empty());
        "scheduled".clone_into(&mut step.status);
        step.attempts = scheduled.attempt;
        step.verdict = verdict(&scheduled.verdict);
        step.input = Some((*scheduled.action.input).clone());
        (step.ended_at, step.problem) = (None, None);
    }

    fn step(&mut self, record: &Record, event: &StepEvent) {
        let ended = |step: &mut api::Step, status: &str| {
            status.clone_into(&mut step.status);
            step.ended_at = Some(rfc3339(record.at));
        };
        match event {
            StepEvent::Scheduled(scheduled) => self.scheduled(record, scheduled),
            StepEvent::Completed(result) => {
                let step = self.of(record, &result.step);
                step.name.clone_from(&result.name);
                if step.kind == "none" {
                    step.kind.clone_from(&result.task);
                }
                step.output = Some((*result.output).clone());
                ended(step, "completed");
            }
            StepEvent::Failed(fault) => {
                let step = self.of(record, &fault.step);
                step.name.clone_from(&fault.name);
                step.problem = fault.problem.detail.clone().or_else(|| fault.problem.title.clone());
                if let Some(judged) = &fault.verdict {
                    step.verdict = verdict(judged);
                }
                ended(step, "failed");
            }
            StepEvent::Asked(asked) => {
                let step = self.of(record, &asked.step);
                step.name.clone_from(&asked.name);
                step.approval = Some(asked.approval.to_string());
                "asking".clone_into(&mut step.status);
                if let Some(judged) = &asked.verdict {
                    step.verdict = verdict(judged);
                }
            }
            StepEvent::Answered(answered) => {
                answered.outcome.clone_into(&mut self.of(record, &answered.step).status);
            }
            StepEvent::Deferred(deferred) => {
                let step = self.of(record, &deferred.step);
                step.verdict = verdict(&deferred.verdict);
                "deferred".clone_into(&mut step.status);
            }
            StepEvent::InDoubt(doubt) => {
                let step = self.of(record, &doubt.step);
                step.problem = Some(doubt.why.clone());
                step.doubt = Some(record.sequence);
                "in_doubt".clone_into(&mut step.status);
            }
            StepEvent::Resolved(resolved) => {
                let step = self.of(record, &resolved.step);
                step.doubt = None;
                let status = if resolved.happened { "completed" } else { "scheduled" };
                status.clone_into(&mut step.status);
            }
            StepEvent::Abandoned(stopped) => ended(self.of(record, &stopped.step), "abandoned"),
            StepEvent::ChildStarted(child) => {
                let step = self.of(record, &child.step);
                step.name.clone_from(&child.name);
                "run".clone_into(&mut step.kind);
                step.target = Some(child.run.to_string());
            }
        }
    }
}

fn verdict(record: &VerdictRecord) -> Option<serde_json::Value> {
    serde_json::to_value(record).ok()
}

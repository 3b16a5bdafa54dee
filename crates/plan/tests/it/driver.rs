//! A deterministic stand-in for the engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use model::program::Due;
use model::{Action, Event, Happening, Outcome, Problem, Program, RunId, Step, StepId};
use plan::Plan;
use plan::apply::{Apply, Options, REPORT_STEP, Report};
use serde_json::{Value, json};

/// What an action gives: `None` leaves it in flight.
pub(crate) type Performer = Box<dyn FnMut(&Action, u32) -> Option<Result<Value, Problem>>>;

pub(crate) struct Driver {
    pub(crate) run: Apply,
    pub(crate) now: Timestamp,
    pub(crate) events: Vec<Event>,
    /// What was performed, in order: `kind target`.
    pub(crate) performed: Vec<String>,
    pub(crate) actions: Vec<Action>,
    pub(crate) flying: VecDeque<(StepId, Action, u32)>,
    pub(crate) most_flying: usize,
    pub(crate) timers: BTreeSet<(Timestamp, StepId, String)>,
    /// Pauses in milliseconds.
    pub(crate) pauses: Vec<i128>,
    pub(crate) abandoned: Vec<String>,
    pub(crate) records: BTreeMap<String, Result<Value, Problem>>,
    pub(crate) outcome: Option<Outcome>,
    perform: Performer,
}

pub(crate) fn run_id() -> RunId {
    RunId::from_parts(1_700_000_000_000, 7)
}

impl Driver {
    pub(crate) fn new(plan: Plan, options: Options) -> Self {
        Self {
            run: Apply::new(Arc::new(plan), run_id(), options),
            now: Timestamp::from_second(1_700_000_000).unwrap(),
            events: Vec::new(),
            performed: Vec::new(),
            actions: Vec::new(),
            flying: VecDeque::new(),
            most_flying: 0,
            timers: BTreeSet::new(),
            pauses: Vec::new(),
            abandoned: Vec::new(),
            records: BTreeMap::new(),
            outcome: None,
            perform: Box::new(|_, _| Some(Ok(json!({})))),
        }
    }

    /// A run that first asks whether its plan is fresh.
    pub(crate) fn checking(plan: Plan, options: Options) -> Self {
        let run = Apply::new(Arc::new(plan.clone()), run_id(), options.clone()).checked_first();
        Self { run, ..Self::new(plan, options) }
    }

    pub(crate) fn performing(
        mut self,
        perform: impl FnMut(&Action, u32) -> Option<Result<Value, Problem>> + 'static,
    ) -> Self {
        self.perform = Box::new(perform);
        self
    }

    pub(crate) fn tell(&mut self, happening: Happening) {
        let event = Event { at: self.now, happening };
        self.run.apply(&event).unwrap_or_else(|diverged| panic!("{diverged}: {event:?}"));
        self.events.push(event);
    }

    /// Answers everything that is asked, then lets effects in flight end one by one, then timers fire; until the end or
    /// until nothing happens without the test doing something.
    pub(crate) fn go(&mut self) {
        if self.events.is_empty() {
            self.tell(Happening::Started);
        }
        for _ in 0..200_000 {
            if self.outcome.is_some() {
                return;
            }
            let ready = self.run.ready();
            assert_eq!(ready, self.run.ready(), "ready() twice in a row");
            if let Some(step) = ready.into_iter().next() {
                self.answer(step);
            } else if !self.land() {
                let Some((due, step, name)) = self.timers.pop_first() else { return };
                self.now = self.now.max(due);
                self.tell(Happening::TimerFired { step, name });
            }
        }
        panic!("no end: {:?}", self.performed);
    }

    /// Lets the first effect in flight that has a result end.
    fn land(&mut self) -> bool {
        for place in 0..self.flying.len() {
            let (step, action, attempt) = self.flying[place].clone();
            match (self.perform)(&action, attempt) {
                None => {}
                Some(result) => {
                    self.flying.remove(place);
                    self.tell(match result {
                        Ok(output) => Happening::Completed { step, output: output.into() },
                        Err(problem) => Happening::Failed { step, problem },
                    });
                    return true;
                }
            }
        }
        false
    }

    pub(crate) fn answer(&mut self, step: Step) {
        match step {
            Step::Record { step, result } => {
                self.records.insert(step.id.to_string(), result.clone());
                self.tell(match result {
                    Ok(output) => Happening::Completed { step: step.id, output: output.into() },
                    Err(problem) => Happening::Failed { step: step.id, problem },
                });
            }
            Step::Perform { step, attempt, action } => {
                self.tell(Happening::Scheduled { step: step.id.clone(), attempt });
                self.performed.push(format!("{} {}", action.kind, action.target));
                self.actions.push((*action).clone());
                self.flying.push_back((step.id, *action, attempt));
                self.most_flying = self.most_flying.max(self.flying.len());
            }
            Step::Timer { step, name, due, .. } => {
                let Due::After(after) = due else { panic!("{due:?}") };
                self.pauses.push(after.as_millis());
                let due = self.now.checked_add(after).unwrap();
                self.timers.insert((due, step.id.clone(), name.clone()));
                self.tell(Happening::TimerSet { step: step.id, name, due });
            }
            Step::CancelTimer { step, name } => {
                self.timers.retain(|(_, held, named)| (held, named) != (&step, &name));
                self.tell(Happening::TimerCancelled { step, name });
            }
            Step::Abandon { step, .. } => {
                self.abandoned.push(step.to_string());
                self.flying.retain(|(flying, ..)| *flying != step);
                self.tell(Happening::Abandoned { step });
            }
            Step::Finish { outcome } => {
                self.outcome = Some(outcome);
                self.tell(Happening::Finished);
                assert_eq!(self.run.ready(), [], "after the end");
            }
            other => panic!("a plan never asks for {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn report(&self) -> Report {
        let report = self.records.get(REPORT_STEP).expect("a report is recorded");
        serde_json::from_value(report.clone().unwrap()).unwrap()
    }
}

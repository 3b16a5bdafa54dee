//! A deterministic stand-in for the engine: answers steps, fires timers, records everything.

use std::collections::{BTreeSet, VecDeque};

use super::*;
use jiff::SignedDuration;
use model::program::Due;
use model::{Action, ApprovalOutcome, Outcome, StepRef};
use serde_json::json;

/// What an action gives.
pub(super) type Performer = Box<dyn FnMut(&Action, u32) -> Option<Result<Value, Problem>>>;

pub(super) struct Driver {
    pub(super) run: Execution,
    pub(super) now: Timestamp,
    pub(super) events: Vec<Event>,
    /// Steps that were answered with a record or an effect, by name, in order.
    pub(super) steps: Vec<String>,
    pub(super) actions: Vec<(StepRef, u32, Action)>,
    pub(super) asked: Vec<model::ApprovalRequest>,
    pub(super) outcome: Option<Outcome>,
    pub(super) timers: BTreeSet<(Timestamp, StepId, String)>,
    pub(super) perform: Performer,
    pub(super) answers: VecDeque<ApprovalOutcome>,
    pub(super) bus: VecDeque<CloudEvent>,
    pub(super) abandoned: Vec<String>,
    listening: Vec<StepId>,
    waiting_approvals: VecDeque<StepId>,
}

pub(super) fn workflow(tasks: &str) -> Arc<Workflow> {
    document(&format!("document: {{dsl: '1.0.3', namespace: test, name: test, version: '1.0.0'}}\n{tasks}"))
}

pub(super) fn document(text: &str) -> Arc<Workflow> {
    let (workflow, found) = crate::load("test.yaml", text);
    Arc::new(workflow.unwrap_or_else(|| panic!("{text}\n{found:#?}")))
}

/// Runs a workflow whose effects give `{}`.
pub(super) fn run(tasks: &str, input: Value) -> Driver {
    let mut driver = Driver::new(workflow(tasks), input);
    driver.go();
    driver
}

impl Driver {
    pub(super) fn new(workflow: Arc<Workflow>, input: Value) -> Self {
        let run = Execution::new(workflow, RunFacts::new(RunId::from_parts(1_700_000_000_000, 7), input));
        Self {
            run,
            now: Timestamp::from_second(1_700_000_000).unwrap(),
            events: Vec::new(),
            steps: Vec::new(),
            actions: Vec::new(),
            asked: Vec::new(),
            outcome: None,
            timers: BTreeSet::new(),
            perform: Box::new(|action, _| {
                Some(Ok(if action.kind == "event.emit" { Value::clone(&action.input) } else { json!({}) }))
            }),
            answers: VecDeque::new(),
            bus: VecDeque::new(),
            abandoned: Vec::new(),
            listening: Vec::new(),
            waiting_approvals: VecDeque::new(),
        }
    }

    pub(super) fn performing(
        mut self,
        perform: impl FnMut(&Action, u32) -> Option<Result<Value, Problem>> + 'static,
    ) -> Self {
        self.perform = Box::new(perform);
        self
    }

    pub(super) fn tell(&mut self, happening: Happening) {
        let event = Event { at: self.now, happening };
        self.run.apply(&event).unwrap_or_else(|diverged| panic!("{diverged}: {event:?}"));
        self.events.push(event);
    }

    /// Until the end, or until nothing can happen without the test doing something.
    pub(super) fn go(&mut self) {
        if self.events.is_empty() {
            self.tell(Happening::Started);
        }
        for _ in 0..100_000 {
            if self.outcome.is_some() {
                return;
            }
            let ready = self.run.ready();
            assert_eq!(ready, self.run.ready(), "ready() twice in a row");
            if let Some(step) = ready.into_iter().next() {
                self.answer(step);
            } else if !self.poke() {
                return;
            }
        }
        panic!("no end: {:?}", self.steps);
    }

    /// Something from outside, or the next timer.
    fn poke(&mut self) -> bool {
        let listened = if self.listening.is_empty() { None } else { self.bus.pop_front() };
        if let Some(event) = listened {
            for step in self.listening.clone() {
                if self.run.wants(&step, &event) {
                    self.tell(Happening::Received { step, event: Box::new(event.clone()) });
                }
            }
            return true;
        }
        let asked = if self.answers.is_empty() { None } else { self.waiting_approvals.front().cloned() };
        if let Some((step, outcome)) = asked.and_then(|step| Some((step, self.answers.pop_front()?))) {
            self.waiting_approvals.pop_front();
            self.tell(Happening::ApprovalResolved { step, outcome });
            return true;
        }
        let Some((due, step, name)) = self.timers.pop_first() else { return false };
        self.now = self.now.max(due);
        self.tell(Happening::TimerFired { step, name });
        true
    }

    fn answer(&mut self, step: Step) {
        match step {
            Step::Record { step, result } => {
                self.steps.push(step.name.to_string());
                self.tell(match result {
                    Ok(output) => Happening::Completed { step: step.id, output: output.into() },
                    Err(problem) => Happening::Failed { step: step.id, problem },
                });
            }
            Step::Perform { step, attempt, action } => {
                self.tell(Happening::Scheduled { step: step.id.clone(), attempt });
                self.steps.push(step.name.to_string());
                self.actions.push((step.clone(), attempt, (*action).clone()));
                match (self.perform)(&action, attempt) {
                    None => {}
                    Some(Ok(output)) => {
                        self.tell(Happening::Completed { step: step.id, output: output.into() });
                    }
                    Some(Err(problem)) => self.tell(Happening::Failed { step: step.id, problem }),
                }
            }
            Step::Timer { step, name, due, .. } => {
                let due = match due {
                    Due::At(due) => due,
                    Due::After(after) => self.now.checked_add(after).unwrap(),
                };
                self.timers.insert((due, step.id.clone(), name.clone()));
                self.tell(Happening::TimerSet { step: step.id, name, due });
            }
            Step::CancelTimer { step, name } => {
                self.timers.retain(|(_, held, named)| (held, named) != (&step, &name));
                self.tell(Happening::TimerCancelled { step, name });
            }
            Step::Ask { step, request } => {
                self.asked.push(*request);
                self.waiting_approvals.push_back(step.id.clone());
                self.tell(Happening::ApprovalRequested { step: step.id });
            }
            Step::Listen { step } => {
                self.listening.push(step.id.clone());
                self.tell(Happening::Listening { step: step.id });
            }
            Step::Unlisten { step } => {
                self.listening.retain(|listening| *listening != step);
                self.tell(Happening::Unlistened { step });
            }
            Step::Start { step, workflow, input, wait, .. } => {
                self.steps.push(step.name.to_string());
                let run = RunId::from_parts(1, self.events.len() as u128);
                self.tell(Happening::ChildStarted { step: step.id.clone(), run });
                if wait {
                    let output = json!({"workflow": workflow, "input": input});
                    self.tell(Happening::Completed { step: step.id, output: output.into() });
                }
            }
            Step::Abandon { step, .. } => {
                self.abandoned.push(step.to_string());
                self.waiting_approvals.retain(|waiting| *waiting != step);
                self.tell(Happening::Abandoned { step });
            }
            Step::Finish { outcome } => {
                self.outcome = Some(outcome);
                self.tell(Happening::Finished);
                assert_eq!(self.run.ready(), [], "after the end");
                assert_eq!(self.run.frames.len(), 0, "frames are left");
                assert!(self.run.active.is_empty(), "steps are left: {:?}", self.run.active);
            }
        }
    }

    pub(super) fn later(&mut self, millis: i64) {
        self.now = self.now.checked_add(SignedDuration::from_millis(millis)).unwrap();
    }

    #[track_caller]
    pub(super) fn output(&self) -> Value {
        match &self.outcome {
            Some(Outcome::Completed { output }) => output.clone(),
            other => panic!("{other:?} after {:?}", self.steps),
        }
    }

    #[track_caller]
    pub(super) fn problem(&self) -> Problem {
        match &self.outcome {
            Some(Outcome::Faulted { problem }) => problem.clone(),
            other => panic!("{other:?} after {:?}", self.steps),
        }
    }
}

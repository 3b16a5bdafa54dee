//! An onboarding's run: its steps, one after the other, until one fails.

use model::program::Diverged;
use model::{CloudEvent, Event, Happening, Outcome, Problem, Program, RunId, Step, StepId, StepRef};
use serde_json::{Map, Value, json};

use super::{KIND, Order};

/// Where a run stands.
#[derive(Debug, Clone, PartialEq)]
enum State {
    New,
    /// The step at `at` is wanted.
    Asking,
    /// It is being done.
    Doing,
    /// It is being given up.
    Abandoning,
    Ending(Outcome),
    Ended(Outcome),
}

/// A run of an [`Order`]. Its output says of each step what came of it.
#[derive(Debug)]
pub struct Onboarding {
    order: Order,
    run: RunId,
    steps: Vec<&'static str>,
    at: usize,
    /// From 1; one more whenever the step at `at` is tried again.
    attempt: u32,
    outputs: Map<String, Value>,
    state: State,
}

fn id(step: &str) -> StepId {
    StepId::new(format!("/{step}"))
}

impl Onboarding {
    /// A run that has not started.
    pub fn new(order: Order, run: RunId) -> Self {
        let steps = order.steps();
        Self { order, run, steps, at: 0, attempt: 1, outputs: Map::new(), state: State::New }
    }

    fn reference(&self) -> Option<StepRef> {
        let name = self.steps.get(self.at)?;
        Some(StepRef { id: id(name), name: (*name).into(), kind: KIND })
    }

    fn is_current(&self, step: &StepId) -> bool {
        self.steps.get(self.at).is_some_and(|name| id(name) == *step)
    }

    fn completed(&mut self, output: &Value) {
        if let Some(name) = self.steps.get(self.at) {
            self.outputs.insert((*name).to_owned(), output.clone());
        }
        self.at += 1;
        self.attempt = 1;
        self.state = if self.at < self.steps.len() {
            State::Asking
        } else {
            let output = json!({
                "host": self.order.host, "address": self.order.address, "port": self.order.port,
                "steps": self.outputs,
            });
            State::Ending(Outcome::Completed { output })
        };
    }

    fn failed(&mut self, problem: &Problem) {
        self.state = State::Ending(Outcome::Faulted { problem: problem.clone() });
    }

    fn cancel(&mut self) {
        self.state = match self.state {
            State::Doing => State::Abandoning,
            State::New | State::Asking => State::Ending(Outcome::Cancelled),
            ref other => other.clone(),
        };
    }

    fn retry(&mut self, from: Option<&StepId>) -> Result<(), Diverged> {
        let State::Ended(outcome) = &self.state else { return Ok(()) };
        if matches!(outcome, Outcome::Completed { .. }) {
            return Ok(());
        }
        if let Some(from) = from {
            let at = self.steps.iter().position(|name| id(name) == *from);
            self.at = at.ok_or_else(|| Diverged(format!("an onboarding has no step {from}")))?;
        }
        self.attempt += 1;
        self.state = State::Asking;
        Ok(())
    }
}

impl Program for Onboarding {
    fn ready(&mut self) -> Vec<Step> {
        let step = match (&self.state, self.reference()) {
            (State::Asking, Some(step)) => {
                let action = self.order.action(&step.name, &self.run.to_string());
                Step::Perform { step, attempt: self.attempt, action: Box::new(action) }
            }
            (State::Abandoning, Some(step)) => {
                Step::Abandon { step: step.id, reason: "the run was cancelled".to_owned() }
            }
            (State::Ending(outcome), _) => Step::Finish { outcome: outcome.clone() },
            _ => return Vec::new(),
        };
        vec![step]
    }

    fn apply(&mut self, event: &Event) -> Result<(), Diverged> {
        match (&event.happening, &self.state) {
            (Happening::Started, State::New) => self.state = State::Asking,
            (Happening::Started, _) => return Err(Diverged("it starts twice".to_owned())),
            (Happening::Scheduled { step, .. }, State::Asking) if self.is_current(step) => {
                self.state = State::Doing;
            }
            (Happening::Scheduled { step, .. }, State::Asking | State::New) => {
                return Err(Diverged(format!("{step} is scheduled and was not asked for")));
            }
            (Happening::Completed { step, output }, State::Doing) if self.is_current(step) => {
                self.completed(output);
            }
            // one that policy denies has not been scheduled
            (Happening::Failed { step, problem }, State::Asking | State::Doing) if self.is_current(step) => {
                self.failed(problem);
            }
            (Happening::Completed { step, .. } | Happening::Failed { step, .. }, State::Asking) => {
                return Err(Diverged(format!("{step} has a result and was not begun")));
            }
            (Happening::Abandoned { .. }, State::Abandoning) => {
                self.state = State::Ending(Outcome::Cancelled);
            }
            (Happening::CancelRequested { .. }, _) => self.cancel(),
            (Happening::RetryRequested { from }, _) => self.retry(from.as_ref())?,
            (Happening::Finished, State::Ending(outcome)) => self.state = State::Ended(outcome.clone()),
            // results that come after a cancel, and what an onboarding never asks for
            _ => {}
        }
        Ok(())
    }

    fn wants(&self, _: &StepId, _: &CloudEvent) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onboarding::example;

    fn at(happening: Happening) -> Event {
        Event { at: "2026-01-01T00:00:00Z".parse().unwrap(), happening }
    }

    fn run() -> RunId {
        "run_00000000000000000000000000".parse().unwrap()
    }

    fn wanted(program: &mut Onboarding) -> String {
        match program.ready().as_slice() {
            [Step::Perform { action, attempt, .. }] => format!("{} {attempt}", action.kind),
            [Step::Finish { outcome }] => outcome.as_str().to_owned(),
            [Step::Abandon { step, .. }] => format!("abandon {step}"),
            other => format!("{other:?}"),
        }
    }

    fn scheduled(step: &str) -> Event {
        at(Happening::Scheduled { step: id(step), attempt: 1 })
    }

    fn completed(step: &str) -> Event {
        at(Happening::Completed { step: id(step), output: json!({ "changed": true }).into() })
    }

    fn failed(step: &str) -> Event {
        at(Happening::Failed { step: id(step), problem: Problem::runtime("no") })
    }

    fn until(step: &str) -> Onboarding {
        let mut program = Onboarding::new(example(), run());
        program.apply(&at(Happening::Started)).unwrap();
        for name in example().steps().into_iter().take_while(|name| *name != step) {
            program.apply(&scheduled(name)).unwrap();
            program.apply(&completed(name)).unwrap();
        }
        program
    }

    #[test]
    fn infrastructure_41_nothing_is_locked_down_before_the_login_is_proved() {
        let mut program = until("lock-down");
        assert_eq!(wanted(&mut program), "onboard.lock-down 1");
        let mut program = until("prove");
        program.apply(&scheduled("prove")).unwrap();
        program.apply(&failed("prove")).unwrap();
        assert_eq!(wanted(&mut program), "failed");
    }

    #[test]
    fn steps_are_done_in_order_and_the_output_has_each() {
        let mut program = until("record");
        assert_eq!(wanted(&mut program), "onboard.record 1");
        assert_eq!(wanted(&mut program), "onboard.record 1", "asking twice changes nothing");
        program.apply(&scheduled("record")).unwrap();
        assert!(program.ready().is_empty());
        program.apply(&completed("record")).unwrap();
        let [Step::Finish { outcome: Outcome::Completed { output } }] = &program.ready()[..] else {
            panic!("it is done");
        };
        assert_eq!(output["steps"].as_object().unwrap().len(), 6, "{output}");
        program.apply(&at(Happening::Finished)).unwrap();
        assert!(program.ready().is_empty());
    }

    #[test]
    fn a_failure_ends_it_and_a_retry_goes_on_from_there() {
        let mut program = until("sudo");
        // denied by policy: never scheduled
        program.apply(&failed("sudo")).unwrap();
        assert_eq!(wanted(&mut program), "failed");
        program.apply(&at(Happening::Finished)).unwrap();
        program.apply(&at(Happening::RetryRequested { from: None })).unwrap();
        assert_eq!(wanted(&mut program), "onboard.sudo 2");
        program.apply(&failed("sudo")).unwrap();
        program.apply(&at(Happening::Finished)).unwrap();
        program.apply(&at(Happening::RetryRequested { from: Some(id("user")) })).unwrap();
        assert_eq!(wanted(&mut program), "onboard.user 3");
        assert!(program.apply(&scheduled("record")).is_err());
    }

    #[test]
    fn a_cancel_gives_up_what_is_under_way() {
        let mut program = until("key");
        program.apply(&scheduled("key")).unwrap();
        program.apply(&at(Happening::CancelRequested { reason: None })).unwrap();
        assert_eq!(wanted(&mut program), "abandon /key");
        program.apply(&completed("key")).unwrap();
        program.apply(&at(Happening::Abandoned { step: id("key") })).unwrap();
        assert_eq!(wanted(&mut program), "cancelled");
        let mut waiting = until("key");
        waiting.apply(&at(Happening::CancelRequested { reason: None })).unwrap();
        assert_eq!(wanted(&mut waiting), "cancelled");
    }

    #[test]
    fn what_the_journal_keeps_makes_the_same_order_and_its_digest_is_what_it_says() {
        let order = example();
        let definition = order.definition();
        assert_eq!(Order::read(&definition.text).unwrap(), order);
        assert_eq!(definition.program.name, "onboard/web-1");
        let other = Order { sudo: vec!["NOPASSWD: ALL".to_owned()], ..order };
        assert_ne!(other.definition().program.digest, definition.program.digest);
    }
}

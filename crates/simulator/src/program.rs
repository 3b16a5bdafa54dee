//! A script as a [`Program`]: the smallest thing that asks the engine for everything it can do.

use model::program::{Diverged, Due, StepRef, TimerPurpose};
use model::time::SignedDuration;
use model::{
    Action, ApprovalOutcome, ApprovalRequest, CloudEvent, EffectClass, Event, Happening, Level, OnTimeout,
    Outcome, Problem, Program, Reversibility, Role, Step, StepId,
};
use serde_json::{Value, json};

use crate::script::{Group, Script, Task};

/// Kind of the effects that policy lets through.
pub const EFFECT: &str = "sim.effect";
/// Kind of the effects that policy asks people about.
pub const GUARDED: &str = "sim.guarded";
/// The role of everybody who may decide.
pub const ROLE: &str = "approver";
/// The step that holds the limit on the whole run.
const WHOLE: &str = "/whole";
/// Milliseconds between two attempts.
const RETRY_MS: i64 = 250;

/// Where a task stands.
#[derive(Debug, Clone, PartialEq)]
enum At {
    /// It is wanted and nothing has answered yet.
    Wanted,
    /// Its effect, question or child is under way.
    UnderWay,
    /// It waits to be tried again: the timer is wanted.
    RetryWanted,
    /// It waits to be tried again: the timer is set.
    RetrySet,
    /// Its timer is set.
    TimerSet,
    /// It listens.
    Listening,
    /// It has heard enough.
    Unlistening,
    /// It is done.
    Done,
    /// It has failed for good.
    Failed(Problem),
    /// It is not wanted any more, and the engine is being told so.
    Unwanted(Held),
    /// It is not wanted any more, and the engine knows.
    Dropped,
}

/// What the engine holds for an unwanted task.
#[derive(Debug, Clone, PartialEq)]
enum Held {
    Effect,
    Timer(String),
    Listener,
}

struct Doing {
    step: StepRef,
    task: Task,
    attempt: u32,
    at: At,
}

/// One run of a script.
pub struct SimProgram {
    run: String,
    script: Script,
    group: usize,
    doings: Vec<Doing>,
    started: bool,
    limit: Limit,
    cancelling: bool,
    finished: bool,
    ran_out: bool,
}

#[derive(PartialEq)]
enum Limit {
    None,
    Wanted,
    Set,
    Gone,
}

impl SimProgram {
    /// A run named `run` of the script whose text is `text`.
    pub fn parse(run: &str, text: &str) -> Result<Self, String> {
        let script: Script = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let limit = if script.timeout_ms.is_some() { Limit::Wanted } else { Limit::None };
        let mut program = Self {
            run: run.to_owned(),
            script,
            group: 0,
            doings: Vec::new(),
            started: false,
            limit,
            cancelling: false,
            finished: false,
            ran_out: false,
        };
        program.enter(0);
        Ok(program)
    }

    fn enter(&mut self, group: usize) {
        self.group = group;
        let tasks = self.script.groups.get(group).map_or(&[][..], |group| &group.tasks);
        self.doings = tasks
            .iter()
            .enumerate()
            .map(|(index, task)| {
                let id = format!("/do/{group}/{index}");
                let step = StepRef {
                    name: format!("t{group}-{index}").into(),
                    id: StepId::new(id),
                    kind: kind(task),
                };
                Doing { step, task: task.clone(), attempt: 1, at: At::Wanted }
            })
            .collect();
    }

    fn group(&self) -> Option<&Group> {
        self.script.groups.get(self.group)
    }

    /// Whether the group is over, and how.
    fn verdict(&self) -> Option<Result<(), Problem>> {
        if self.ran_out {
            return Some(Err(Problem::timeout("the whole run took too long")));
        }
        let failed = self.doings.iter().find_map(|doing| match &doing.at {
            At::Failed(problem) => Some(problem.clone()),
            _ => None,
        });
        if let Some(problem) = failed {
            return Some(Err(problem));
        }
        let done = |doing: &Doing| doing.at == At::Done;
        let over = if self.group().is_some_and(|group| group.compete) {
            self.doings.iter().any(done)
        } else {
            self.doings.iter().all(done)
        };
        over.then_some(Ok(()))
    }

    /// Gives up what is not wanted any more, and moves on when nothing is left.
    fn settle(&mut self) {
        if self.finished || !self.started {
            return;
        }
        while self.cancelling || self.verdict().is_some() {
            self.doings.iter_mut().for_each(Doing::give_up);
            let busy = self.doings.iter().any(|doing| matches!(doing.at, At::Unwanted(_)));
            let more = self.group + 1 < self.script.groups.len();
            if busy || self.cancelling || !more || self.verdict() != Some(Ok(())) {
                return;
            }
            self.enter(self.group + 1);
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        if self.doings.iter().any(|doing| matches!(doing.at, At::Unwanted(_))) {
            return None;
        }
        if self.cancelling {
            return Some(Outcome::Cancelled);
        }
        match self.verdict()? {
            Ok(()) => Some(Outcome::Completed { output: json!({ "groups": self.script.groups.len() }) }),
            Err(problem) => Some(Outcome::Faulted { problem }),
        }
    }

    fn doing(&mut self, step: &StepId) -> Result<&mut Doing, Diverged> {
        let missing = || Diverged(format!("there is no step {step}"));
        self.doings.iter_mut().find(|doing| doing.step.id == *step).ok_or_else(missing)
    }

    fn take(&mut self, happening: &Happening) -> Result<(), Diverged> {
        match happening {
            Happening::Started => self.started = true,
            Happening::CancelRequested { .. } => self.cancelling = true,
            Happening::Finished => self.finished = true,
            Happening::RetryRequested { .. } => self.retry(),
            Happening::Signalled { .. } => {}
            Happening::TimerSet { step, .. }
            | Happening::TimerFired { step, .. }
            | Happening::TimerCancelled { step, .. }
                if step.as_str() == WHOLE =>
            {
                match happening {
                    Happening::TimerSet { .. } => self.limit = Limit::Set,
                    Happening::TimerFired { .. } => (self.limit, self.ran_out) = (Limit::Gone, true),
                    _ => self.limit = Limit::Gone,
                }
            }
            Happening::Scheduled { step, .. }
            | Happening::Completed { step, .. }
            | Happening::Failed { step, .. }
            | Happening::TimerSet { step, .. }
            | Happening::TimerFired { step, .. }
            | Happening::TimerCancelled { step, .. }
            | Happening::ApprovalRequested { step }
            | Happening::ApprovalResolved { step, .. }
            | Happening::Listening { step }
            | Happening::Received { step, .. }
            | Happening::Unlistened { step }
            | Happening::ChildStarted { step, .. }
            | Happening::Abandoned { step } => self.doing(step)?.take(happening),
        }
        Ok(())
    }

    /// Goes on after a failure: what failed or was given up is wanted again.
    fn retry(&mut self) {
        self.finished = false;
        self.ran_out = false;
        for doing in &mut self.doings {
            if !matches!(doing.at, At::Done) {
                doing.at = At::Wanted;
                doing.attempt += 1;
            }
        }
    }
}

impl Program for SimProgram {
    fn ready(&mut self) -> Vec<Step> {
        if !self.started || self.finished {
            return Vec::new();
        }
        if let Some(outcome) = self.outcome() {
            return vec![Step::Finish { outcome }];
        }
        let mut steps: Vec<Step> = self.doings.iter().filter_map(|doing| doing.wants(&self.run)).collect();
        if self.limit == Limit::Wanted {
            let step = StepRef { id: StepId::new(WHOLE), name: "whole".into(), kind: "do" };
            let ms = i64::from(self.script.timeout_ms.unwrap_or_default());
            let due = Due::After(SignedDuration::from_millis(ms));
            steps.push(Step::Timer { step, name: "timeout".to_owned(), due, purpose: TimerPurpose::Timeout });
        }
        steps
    }

    fn apply(&mut self, event: &Event) -> Result<(), Diverged> {
        self.take(&event.happening)?;
        self.settle();
        Ok(())
    }

    fn wants(&self, step: &StepId, event: &CloudEvent) -> bool {
        self.doings.iter().any(|doing| match doing.task {
            Task::Listen { number } => doing.step.id == *step && event.kind == event_type(number),
            _ => false,
        })
    }
}

/// The type of the bus event with this number.
pub fn event_type(number: u32) -> String {
    format!("sim.event.{number}")
}

fn kind(task: &Task) -> &'static str {
    match task {
        Task::Record { .. } => "set",
        Task::Effect { .. } => "call",
        Task::Wait { .. } => "wait",
        Task::Ask { .. } => "approval",
        Task::Emit { .. } => "emit",
        Task::Listen { .. } => "listen",
        Task::Child { .. } => "run",
    }
}

impl Doing {
    fn wants(&self, run: &str) -> Option<Step> {
        let step = self.step.clone();
        match &self.at {
            At::Wanted => Some(self.begin(run)),
            At::RetryWanted => {
                let due = Due::After(SignedDuration::from_millis(RETRY_MS));
                Some(Step::Timer { step, name: self.retry_timer(), due, purpose: TimerPurpose::Retry })
            }
            At::Unlistening | At::Unwanted(Held::Listener) => Some(Step::Unlisten { step: step.id }),
            At::Unwanted(Held::Effect) => {
                Some(Step::Abandon { step: step.id, reason: "not wanted".to_owned() })
            }
            At::Unwanted(Held::Timer(name)) => Some(Step::CancelTimer { step: step.id, name: name.clone() }),
            _ => None,
        }
    }

    fn begin(&self, run: &str) -> Step {
        let step = self.step.clone();
        match &self.task {
            Task::Record { fails: false } => Step::Record { step, result: Ok(json!("recorded")) },
            Task::Record { fails: true } => {
                Step::Record { step, result: Err(Problem::runtime("it was drawn to fail")) }
            }
            Task::Effect { .. } | Task::Emit { .. } => {
                Step::Perform { action: Box::new(self.action(run)), attempt: self.attempt, step }
            }
            Task::Wait { ms } => {
                let due = Due::After(SignedDuration::from_millis(i64::from(*ms)));
                Step::Timer { step, name: self.wait_timer(), due, purpose: TimerPurpose::Wait }
            }
            Task::Ask { within_ms, quorum } => {
                Step::Ask { step, request: Box::new(question(within_ms, *quorum)) }
            }
            Task::Listen { .. } => Step::Listen { step },
            Task::Child { script, wait } => {
                Step::Start { step, workflow: script.clone(), version: None, input: Value::Null, wait: *wait }
            }
        }
    }

    fn action(&self, run: &str) -> Action {
        let (kind, effect, input) = match &self.task {
            Task::Effect { class, fails, takes_ms, guarded, .. } => (
                if *guarded { GUARDED } else { EFFECT },
                EffectClass::from_word(class).unwrap_or(EffectClass::Once),
                json!({ "fails": self.attempt <= *fails, "takes_ms": takes_ms, "attempt": self.attempt }),
            ),
            Task::Emit { number } => {
                let event = json!({
                    "specversion": "1.0", "id": format!("{run}{}", self.step.id), "source": "sim", "type": event_type(*number),
                });
                ("event.emit", EffectClass::Idempotent, json!({ "event": event }))
            }
            _ => (EFFECT, EffectClass::Read, Value::Null),
        };
        Action {
            kind: kind.to_owned(),
            target: "world".to_owned(),
            input: input.into(),
            effect,
            reversibility: Reversibility::NoChange,
            wants: Vec::new(),
            idempotency_key: format!("{run}{}", self.step.id),
        }
    }

    fn wait_timer(&self) -> String {
        format!("wait-{}", self.attempt)
    }

    fn retry_timer(&self) -> String {
        format!("retry-{}", self.attempt)
    }

    fn take(&mut self, happening: &Happening) {
        if let At::Unwanted(_) | At::Dropped | At::Done | At::Failed(_) = self.at {
            // late news of something given up; only the answer to giving up counts
            let answered = matches!(
                happening,
                Happening::Abandoned { .. } | Happening::Unlistened { .. } | Happening::TimerCancelled { .. }
            );
            let fired =
                matches!((&self.at, happening), (At::Unwanted(Held::Timer(_)), Happening::TimerFired { .. }));
            if matches!(self.at, At::Unwanted(_)) && (answered || fired) {
                self.at = At::Dropped;
            }
            return;
        }
        self.at = match happening {
            Happening::ChildStarted { .. } if matches!(self.task, Task::Child { wait: false, .. }) => {
                At::Done
            }
            Happening::Scheduled { .. }
            | Happening::ApprovalRequested { .. }
            | Happening::ChildStarted { .. } => At::UnderWay,
            Happening::Failed { problem, .. } => self.failed(problem),
            Happening::TimerSet { .. } if self.at == At::RetryWanted => At::RetrySet,
            Happening::TimerSet { .. } => At::TimerSet,
            Happening::TimerFired { .. } if self.at == At::RetrySet => {
                self.attempt += 1;
                At::Wanted
            }
            Happening::Completed { .. }
            | Happening::TimerFired { .. }
            | Happening::Unlistened { .. }
            | Happening::ApprovalResolved { outcome: ApprovalOutcome::Granted { .. }, .. } => At::Done,
            Happening::ApprovalResolved { .. } => At::Failed(Problem::authorization("people did not agree")),
            Happening::Listening { .. } => At::Listening,
            Happening::Received { .. } => At::Unlistening,
            _ => At::Dropped,
        };
    }

    fn failed(&self, problem: &Problem) -> At {
        match self.task {
            // a refusal by policy is final
            Task::Effect { attempts, .. }
                if self.attempt < attempts && !problem.is_standard("authorization") =>
            {
                At::RetryWanted
            }
            _ => At::Failed(problem.clone()),
        }
    }

    fn give_up(&mut self) {
        let held = match &self.at {
            At::UnderWay => Held::Effect,
            At::Wanted if matches!(self.task, Task::Effect { .. }) => Held::Effect,
            At::TimerSet => Held::Timer(self.wait_timer()),
            At::RetrySet => Held::Timer(self.retry_timer()),
            At::Listening | At::Unlistening => Held::Listener,
            At::Wanted | At::RetryWanted => {
                self.at = At::Dropped;
                return;
            }
            At::Done | At::Failed(_) | At::Unwanted(_) | At::Dropped => return,
        };
        self.at = At::Unwanted(held);
    }
}

fn question(within_ms: &[u32], quorum: u32) -> ApprovalRequest {
    let role: Option<Role> = ROLE.parse().ok();
    let levels = within_ms
        .iter()
        .zip(1..)
        .map(|(within, number)| Level {
            number,
            roles: role.clone().into_iter().collect(),
            quorum,
            within: Some(SignedDuration::from_millis(i64::from(*within))),
            on_timeout: if number % 2 == 1 { OnTimeout::Escalate } else { OnTimeout::Deny },
            emergency_override: number == 2,
        })
        .collect();
    ApprovalRequest {
        title: "May it go on?".to_owned(),
        description: None,
        asked: json!({ "go": "on" }),
        chain: None,
        levels,
    }
}

//! The state of one run: a fold over its stream and nothing else.
//!
//! Live and after a crash the same function, [`RunState::apply`], takes the same events, so recovery is not a second
//! implementation of anything. It feeds the [`Program`] and keeps what the program does not know: verdicts, approvals
//! that policy demanded, effects in flight, timers, children, who owns the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use journal::Event;
use journal::events::{
    ActionRecord, Answered, HeldQuota, ListenEvent, RunEvent, Scheduled, StepEvent, Submitted, TimerEvent,
    TimerSet,
};
use model::program::Diverged;
use model::{
    Action, ApprovalId, ApprovalOutcome, Capability, Digest, EffectClass, Happening, Problem, Program,
    Reversibility, RunId, StepId, Timestamp,
};
use serde_json::Value;

/// The step that stands for the run itself, in its own judgement and approvals.
pub const RUN_STEP: &str = "/";

/// Name of the timer that waits for a change window or a quota.
pub const WINDOW_TIMER: &str = "window";

/// Where a run stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// Proposed, not yet judged and started.
    Submitted,
    /// Under way.
    Running,
    /// Held by a person.
    Paused,
    /// Did what it says.
    Completed {
        /// Its output.
        output: Value,
    },
    /// Did not.
    Failed {
        /// Why.
        problem: Problem,
    },
    /// Was cancelled.
    Cancelled,
}

impl Status {
    /// Whether the run has ended.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Failed { .. } | Self::Cancelled)
    }

    /// The word used in the journal and on screen.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An effect that is scheduled and has no result yet.
#[derive(Debug, Clone, PartialEq)]
pub struct InFlight {
    /// Which attempt.
    pub attempt: u32,
    /// The task's name and kind.
    pub name: String,
    /// The kind of task.
    pub task: String,
    /// What is being done, shared with whoever performs it.
    pub action: Arc<Action>,
    /// Nobody knows whether it happened, and a person must say: the sequence of the record that says so.
    pub in_doubt: Option<u64>,
    /// Quotas it holds.
    pub quotas: Vec<HeldQuota>,
}

/// A question that a step waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The step; [`RUN_STEP`] for the run.
    pub step: StepId,
    /// Policy demands it, rather than the workflow asking.
    pub by_policy: bool,
    /// Whether the answer was yes.
    pub granted: bool,
    /// What the answer binds to.
    pub binding: Digest,
}

/// The state of one run.
pub struct RunState {
    /// The run.
    pub run: RunId,
    /// What was submitted.
    pub submitted: Submitted,
    /// Its input, shared with whoever judges it.
    pub input: Arc<Value>,
    /// Who submitted it.
    pub requester: model::Principal,
    /// When.
    pub submitted_at: Timestamp,
    /// What yields its steps.
    pub program: Box<dyn Program>,
    /// Where it stands.
    pub status: Status,
    /// Last sequence of its stream.
    pub sequence: u64,
    /// Time of the last record.
    pub at: Timestamp,
    /// The engine that carries it out.
    pub owner: Option<String>,
    /// Effects scheduled and without result.
    pub in_flight: BTreeMap<StepId, InFlight>,
    /// Timers set and not fired: due, by step and name.
    pub timers: BTreeMap<(StepId, String), Timestamp>,
    /// Questions to people without an answer, or granted and not yet used.
    pub questions: BTreeMap<ApprovalId, Question>,
    /// Steps that policy holds until a window opens.
    pub deferred: BTreeSet<StepId>,
    /// Steps that listen, with the bus sequence they have seen.
    pub listening: BTreeMap<StepId, u64>,
    /// Children whose end a step waits for.
    pub children: BTreeMap<RunId, (StepId, String)>,
    /// Whether somebody wants it to stop.
    pub cancelling: bool,
    /// How often the program heard of more than that something it wants is under way: such news can make other steps
    /// that were ready unwanted.
    pub(crate) results: u64,
}

impl RunState {
    /// The state right after `run.submitted` (sequence 1).
    pub fn new(
        submitted: Submitted,
        requester: model::Principal,
        program: Box<dyn Program>,
        at: Timestamp,
    ) -> Self {
        Self {
            run: submitted.run,
            owner: submitted.engine.clone(),
            input: Arc::new(submitted.input.clone()),
            submitted,
            submitted_at: at,
            requester,
            program,
            status: Status::Submitted,
            sequence: 1,
            at,
            in_flight: BTreeMap::new(),
            timers: BTreeMap::new(),
            questions: BTreeMap::new(),
            deferred: BTreeSet::new(),
            listening: BTreeMap::new(),
            children: BTreeMap::new(),
            cancelling: false,
            results: 0,
        }
    }

    /// Takes notice of the next event of the run's stream.
    pub fn apply(&mut self, event: &Event, at: Timestamp) -> Result<(), Diverged> {
        self.sequence += 1;
        self.at = self.at.max(at);
        let happening = match event {
            Event::Run(event) => self.apply_run(event),
            Event::Step(event) => self.apply_step(event),
            Event::Timer(event) => self.apply_timer(event),
            Event::Listen(event) => Some(self.apply_listen(event)),
            other => return Err(Diverged(format!("{} in the stream of a run", other.kind()))),
        };
        let intent = matches!(
            happening,
            Some(
                Happening::Scheduled { .. }
                    | Happening::TimerSet { .. }
                    | Happening::ApprovalRequested { .. }
                    | Happening::Listening { .. }
            )
        );
        self.results += u64::from(happening.is_some() && !intent);
        match happening {
            Some(happening) => self.program.apply(&model::Event { at: self.at, happening }),
            None => Ok(()),
        }
    }

    fn apply_run(&mut self, event: &RunEvent) -> Option<Happening> {
        match event {
            RunEvent::Submitted(_) | RunEvent::Judged(_) => None,
            RunEvent::Adopted(owner) => {
                self.owner = Some(owner.engine.clone());
                None
            }
            RunEvent::Started(_) => {
                self.status = Status::Running;
                Some(Happening::Started)
            }
            RunEvent::Paused(_) => {
                self.status = Status::Paused;
                None
            }
            RunEvent::Resumed(_) => {
                self.status = Status::Running;
                None
            }
            RunEvent::CancelRequested(reason) => {
                self.cancelling = true;
                if self.status == Status::Submitted {
                    return None;
                }
                self.status = Status::Running;
                Some(Happening::CancelRequested { reason: reason.reason.clone() })
            }
            RunEvent::RetryRequested(retry) => {
                self.status = Status::Running;
                self.cancelling = false;
                Some(Happening::RetryRequested { from: retry.from.clone() })
            }
            RunEvent::Signalled(signal) => {
                Some(Happening::Signalled { name: signal.name.clone(), data: signal.data.clone() })
            }
            RunEvent::Completed(ended) => self.end(Status::Completed { output: ended.output.clone() }),
            RunEvent::Failed(ended) => self.end(Status::Failed { problem: ended.problem.clone() }),
            RunEvent::Cancelled(_) => self.end(Status::Cancelled),
        }
    }

    /// A run that never started ends without its program noticing.
    fn end(&mut self, status: Status) -> Option<Happening> {
        let started = self.status != Status::Submitted;
        self.status = status;
        self.in_flight.clear();
        self.timers.clear();
        self.questions.clear();
        self.deferred.clear();
        self.listening.clear();
        self.children.clear();
        started.then_some(Happening::Finished)
    }

    fn apply_step(&mut self, event: &StepEvent) -> Option<Happening> {
        match event {
            StepEvent::Scheduled(scheduled) => Some(self.schedule(scheduled)),
            StepEvent::Completed(result) => {
                self.forget(&result.step);
                Some(Happening::Completed { step: result.step.clone(), output: result.output.clone() })
            }
            StepEvent::Failed(fault) => {
                self.forget(&fault.step);
                Some(Happening::Failed { step: fault.step.clone(), problem: fault.problem.clone() })
            }
            StepEvent::Asked(asked) => {
                let by_policy = asked.by == "policy";
                let question =
                    Question { step: asked.step.clone(), by_policy, granted: false, binding: asked.binding };
                self.questions.insert(asked.approval, question);
                (!by_policy).then(|| Happening::ApprovalRequested { step: asked.step.clone() })
            }
            StepEvent::Answered(answered) => self.answer(answered),
            StepEvent::Deferred(deferred) => {
                self.deferred.insert(deferred.step.clone());
                None
            }
            StepEvent::InDoubt(doubt) => {
                if let Some(in_flight) = self.in_flight.get_mut(&doubt.step) {
                    in_flight.in_doubt = Some(self.sequence);
                }
                None
            }
            StepEvent::Resolved(resolved) => {
                let doubt = self.in_flight.get(&resolved.step).and_then(|in_flight| in_flight.in_doubt);
                if doubt != Some(resolved.doubt) {
                    return None;
                }
                if resolved.happened {
                    self.in_flight.remove(&resolved.step);
                    let output = resolved.output.clone().unwrap_or(Value::Null);
                    let step = resolved.step.clone();
                    return Some(Happening::Completed { step, output: output.into() });
                }
                if let Some(in_flight) = self.in_flight.get_mut(&resolved.step) {
                    in_flight.in_doubt = None;
                }
                None
            }
            StepEvent::Abandoned(stopped) => {
                self.forget(&stopped.step);
                Some(Happening::Abandoned { step: stopped.step.clone() })
            }
            StepEvent::ChildStarted(child) => {
                if child.wait {
                    self.children.insert(child.run, (child.step.clone(), child.name.clone()));
                }
                Some(Happening::ChildStarted { step: child.step.clone(), run: child.run })
            }
        }
    }

    fn schedule(&mut self, scheduled: &Scheduled) -> Happening {
        self.questions.retain(|_, question| question.step != scheduled.step);
        self.in_flight.insert(
            scheduled.step.clone(),
            InFlight {
                attempt: scheduled.attempt,
                name: scheduled.name.clone(),
                task: scheduled.task.clone(),
                action: Arc::new(action_of(&scheduled.action)),
                in_doubt: None,
                quotas: scheduled.quotas.clone(),
            },
        );
        Happening::Scheduled { step: scheduled.step.clone(), attempt: scheduled.attempt }
    }

    fn answer(&mut self, answered: &Answered) -> Option<Happening> {
        let question = self.questions.get_mut(&answered.approval)?;
        if question.by_policy {
            question.granted = matches!(answered.outcome.as_str(), "granted" | "overridden");
            if !question.granted {
                self.questions.remove(&answered.approval);
            }
            return None;
        }
        self.questions.remove(&answered.approval);
        Some(Happening::ApprovalResolved { step: answered.step.clone(), outcome: outcome_of(answered) })
    }

    fn apply_timer(&mut self, event: &TimerEvent) -> Option<Happening> {
        match event {
            TimerEvent::Set(TimerSet { step, name, due, .. }) => {
                self.timers.insert((step.clone(), name.clone()), *due);
                (name != WINDOW_TIMER).then(|| Happening::TimerSet {
                    step: step.clone(),
                    name: name.clone(),
                    due: *due,
                })
            }
            TimerEvent::Fired(timer) => {
                self.timers.remove(&(timer.step.clone(), timer.name.clone()));
                if timer.name == WINDOW_TIMER {
                    self.deferred.remove(&timer.step);
                    return None;
                }
                Some(Happening::TimerFired { step: timer.step.clone(), name: timer.name.clone() })
            }
            TimerEvent::Cancelled(timer) => {
                self.timers.remove(&(timer.step.clone(), timer.name.clone()));
                (timer.name != WINDOW_TIMER)
                    .then(|| Happening::TimerCancelled { step: timer.step.clone(), name: timer.name.clone() })
            }
        }
    }

    fn apply_listen(&mut self, event: &ListenEvent) -> Happening {
        match event {
            ListenEvent::Started(listening) => {
                self.listening.insert(listening.step.clone(), listening.after);
                Happening::Listening { step: listening.step.clone() }
            }
            ListenEvent::Received(received) => {
                if let Some(seen) = self.listening.get_mut(&received.step) {
                    *seen = (*seen).max(received.sequence);
                }
                Happening::Received { step: received.step.clone(), event: Box::new(received.event.clone()) }
            }
            ListenEvent::Stopped(stopped) => {
                self.listening.remove(&stopped.step);
                Happening::Unlistened { step: stopped.step.clone() }
            }
        }
    }

    fn forget(&mut self, step: &StepId) {
        self.in_flight.remove(step);
        self.deferred.remove(step);
        self.timers.remove(&(step.clone(), WINDOW_TIMER.to_owned()));
        self.questions.retain(|_, question| question.step != *step);
        self.children.retain(|_, (waiting, _)| waiting != step);
    }

    /// Approvals granted for a step by policy's demand.
    pub fn granted_for(&self, step: &StepId) -> Vec<ApprovalId> {
        self.questions
            .iter()
            .filter(|(_, question)| question.by_policy && question.granted && question.step == *step)
            .map(|(id, _)| *id)
            .collect()
    }

    /// Whether a step waits for people or for a window on policy's demand.
    pub fn is_held(&self, step: &StepId) -> bool {
        self.deferred.contains(step)
            || self
                .questions
                .values()
                .any(|question| question.by_policy && !question.granted && question.step == *step)
    }

    /// The next timer to fire: its moment, step and name.
    pub fn next_timer(&self) -> Option<(Timestamp, &StepId, &str)> {
        self.timers.iter().map(|((step, name), due)| (*due, step, name.as_str())).min()
    }
}

fn outcome_of(answered: &Answered) -> ApprovalOutcome {
    let last = || answered.deciders.last().cloned().unwrap_or_else(model::Principal::system);
    match answered.outcome.as_str() {
        "granted" => ApprovalOutcome::Granted { by: answered.deciders.clone(), overridden: false },
        "overridden" => ApprovalOutcome::Granted { by: answered.deciders.clone(), overridden: true },
        "denied" => ApprovalOutcome::Denied { by: last(), reason: answered.reason.clone() },
        "expired" => ApprovalOutcome::Expired,
        _ => ApprovalOutcome::Withdrawn { reason: answered.reason.clone().unwrap_or_default() },
    }
}

/// The action that a record describes.
pub fn action_of(record: &ActionRecord) -> Action {
    Action {
        kind: record.kind.clone(),
        target: record.target.clone(),
        input: record.input.clone(),
        effect: EffectClass::from_word(&record.effect).unwrap_or(EffectClass::Once),
        reversibility: Reversibility::from_word(&record.reversibility).unwrap_or(Reversibility::Irreversible),
        wants: record.wants.iter().cloned().map(Capability).collect(),
        idempotency_key: record.key.clone(),
    }
}

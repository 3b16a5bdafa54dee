//! A run of a workflow: an explicit state machine over the events of its journal.
//!
//! [`Execution`] implements [`Program`], whose contract it follows to the letter. A run is a tree of frames, one for
//! each task under way; events move it on, and the steps that follow wait in a list until they are answered. The
//! work for one event is proportional to what the event changes and never to the size of the document or of the
//! history; what can be shared between runs of a workflow is shared.
//!
//! ```
//! use std::sync::Arc;
//! use model::{Event, Happening, Outcome, Program, RunId, Step};
//! use workflow::{Execution, RunFacts};
//!
//! let text = "document: {dsl: '1.0.3', namespace: demo, name: hello, version: '1.0.0'}\n\
//!             do:\n- greet:\n    set: {text: '${ \"hello \\(.name)\" }'}\n";
//! let (workflow, _) = workflow::load("hello.yaml", text);
//! let facts = RunFacts::new(RunId::from_parts(0, 1), serde_json::json!({"name": "Ann"}));
//! let mut run = Execution::new(Arc::new(workflow.unwrap()), facts);
//!
//! let at = jiff::Timestamp::UNIX_EPOCH;
//! run.apply(&Event { at, happening: Happening::Started }).unwrap();
//! let [Step::Record { step, result: Ok(output) }]: [Step; 1] = run.ready().try_into().unwrap() else { panic!() };
//! assert_eq!(step.id.as_str(), "/do/0/greet");
//! run.apply(&Event { at, happening: Happening::Completed { step: step.id, output: output.into() } }).unwrap();
//! let [Step::Finish { outcome }]: [Step; 1] = run.ready().try_into().unwrap() else { panic!() };
//! assert_eq!(outcome, Outcome::Completed { output: serde_json::json!({"text": "hello Ann"}) });
//! ```

#![allow(
    clippy::result_large_err,
    reason = "a problem ends or turns a task: it is built rarely and passed a few calls up"
)]

mod approval;
mod data;
mod effects;
mod ending;
mod extending;
mod flow;
mod frame;
mod ids;
mod leaf;
mod listening;
mod loops;
mod pending;
mod trying;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use model::program::Diverged;
use model::{CloudEvent, Digest, Event, Happening, Problem, Program, RunId, Step, StepId};
use serde_json::Value;

use self::frame::{Compensation, FrameId, Frames, State, Trail, Work};
use self::pending::{Answer, Pending};
use crate::document::Workflow;

/// Most signals kept for a `listen` that comes later.
const MAILBOX: usize = 64;
/// What types of signal events begin with.
const SIGNAL: &str = "io.aedile.signal.";

/// What is true of a run from its beginning.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// The run.
    pub run: RunId,
    /// Its input, as it was given.
    pub input: Arc<Value>,
}

impl RunFacts {
    /// The facts of a run.
    pub fn new(run: RunId, input: Value) -> Self {
        Self { run, input: Arc::new(input) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Running,
    Compensating,
    /// `Finish` is asked for.
    Ending,
    Ended,
}

/// A run of a workflow. See the module's documentation.
#[derive(Debug)]
pub struct Execution {
    workflow: Arc<Workflow>,
    facts: RunFacts,
    phase: Phase,
    now: Timestamp,
    started: Timestamp,
    context: Arc<Value>,
    frames: Frames,
    root: Option<FrameId>,
    active: HashMap<StepId, FrameId>,
    pending: Pending,
    queue: VecDeque<Work>,
    /// How often each task was entered, by the id of its first entry.
    visits: HashMap<Arc<str>, u32>,
    /// How often effects inside of retried tasks were asked for.
    attempts: HashMap<StepId, u32>,
    entered: u64,
    signals: u64,
    mailbox: VecDeque<CloudEvent>,
    compensations: Vec<Compensation>,
    compensation_failure: Option<Problem>,
    history: VecDeque<Arc<Trail>>,
    failed_at: Option<Arc<Trail>>,
    retriable: bool,
}

/// SHA-256 in hexadecimal.
fn hash(text: &str) -> String {
    let digest = Digest::of(text.as_bytes()).to_string();
    digest.rsplit(':').next().unwrap_or_default().to_owned()
}

impl Execution {
    /// A run that has not started. It starts with [`Happening::Started`].
    pub fn new(workflow: Arc<Workflow>, facts: RunFacts) -> Self {
        Self {
            workflow,
            facts,
            phase: Phase::New,
            now: Timestamp::UNIX_EPOCH,
            started: Timestamp::UNIX_EPOCH,
            context: Arc::new(Value::Null),
            frames: Frames::default(),
            root: None,
            active: HashMap::new(),
            pending: Pending::default(),
            queue: VecDeque::new(),
            visits: HashMap::new(),
            attempts: HashMap::new(),
            entered: 0,
            signals: 0,
            mailbox: VecDeque::new(),
            compensations: Vec::new(),
            compensation_failure: None,
            history: VecDeque::new(),
            failed_at: None,
            retriable: false,
        }
    }

    /// The workflow that runs.
    pub fn workflow(&self) -> &Arc<Workflow> {
        &self.workflow
    }

    fn dispatch(&mut self, happening: &Happening) -> Result<(), Diverged> {
        match happening {
            Happening::Started => self.start_run_of_workflow()?,
            Happening::Scheduled { step, .. } => self.scheduled(step)?,
            Happening::Completed { step, output } => self.completed(step, output)?,
            Happening::Failed { step, problem } => self.failed(step, problem)?,
            Happening::TimerSet { step, name, .. } => {
                self.pending.remove(Answer::Timer, step, name);
            }
            Happening::TimerFired { step, name } => self.timer_fired(step, name)?,
            Happening::TimerCancelled { step, name } => {
                self.pending.remove(Answer::CancelTimer, step, name);
            }
            Happening::ApprovalRequested { step } => {
                self.pending.remove(Answer::Ask, step, "");
            }
            Happening::ApprovalResolved { step, outcome } => {
                self.pending.remove(Answer::Ask, step, "");
                if let Some(id) = self.waiting(step, |state| matches!(state, State::Ask))? {
                    self.resolved(id, outcome);
                }
            }
            Happening::Listening { step } => {
                self.pending.remove(Answer::Listen, step, "");
                if let Some(id) = self.active.get(step).copied() {
                    self.listen_started(id);
                }
            }
            Happening::Received { step, event } => {
                if let Some(id) = self.waiting(step, |state| matches!(state, State::Listen(_)))? {
                    let _consumed = self.offer(id, event);
                }
            }
            Happening::Unlistened { step } => {
                self.pending.remove(Answer::Unlisten, step, "");
            }
            Happening::ChildStarted { step, .. } => self.child_started(step)?,
            Happening::Abandoned { step } => {
                self.pending.remove(Answer::Abandon, step, "");
            }
            Happening::CancelRequested { .. } => self.cancel(),
            Happening::RetryRequested { from } => self.retry_from(from.as_ref()),
            Happening::Signalled { name, data } => self.signalled(name, data),
            Happening::Finished => {
                self.pending.clear();
                self.phase = Phase::Ended;
            }
        }
        Ok(())
    }

    fn start_run_of_workflow(&mut self) -> Result<(), Diverged> {
        if self.phase != Phase::New {
            return Err(Diverged("it starts twice".to_owned()));
        }
        self.phase = Phase::Running;
        self.started = self.now;
        self.enter_root(self.facts.input.clone());
        Ok(())
    }

    /// The frame that waits for an event about a step. `None` when the step was given up meanwhile.
    fn waiting(&self, step: &StepId, expects: impl Fn(&State) -> bool) -> Result<Option<FrameId>, Diverged> {
        if self.pending.has(Answer::Abandon, step) {
            return Ok(None);
        }
        match self.active.get(step) {
            Some(id) if self.frames.get(*id).is_some_and(|frame| expects(&frame.state)) => Ok(Some(*id)),
            Some(_) => Err(Diverged(format!("the step {step} does not wait for that"))),
            None if self.was_visited(step) => Ok(None),
            None => Err(Diverged(format!("there is no step {step}"))),
        }
    }

    fn scheduled(&mut self, step: &StepId) -> Result<(), Diverged> {
        if self.waiting(step, |state| matches!(state, State::Perform { .. }))?.is_some() {
            self.pending.remove(Answer::Perform, step, "");
        }
        Ok(())
    }

    fn completed(&mut self, step: &StepId, output: &Value) -> Result<(), Diverged> {
        let has_result = |state: &State| matches!(state, State::Record { .. } | State::Perform { .. });
        let Some(id) = self.waiting(step, has_result)? else { return Ok(()) };
        let Some(frame) = self.frames.get_mut(id) else { return Ok(()) };
        match &mut frame.state {
            State::Record { kept } => {
                let then = frame.task.then;
                let (output, then) = kept.take().unwrap_or_else(|| (Arc::new(output.clone()), then));
                self.pending.remove(Answer::Record, step, "");
                self.finish(id, output, then);
            }
            State::Perform { passes_input, .. } => {
                let output = if *passes_input { frame.input.clone() } else { Arc::new(output.clone()) };
                self.performed(step);
                self.finish_plain(id, output);
            }
            _ => {}
        }
        Ok(())
    }

    /// Policy may deny an effect before it is scheduled, so either may still be asked for.
    fn performed(&mut self, step: &StepId) {
        self.pending.remove(Answer::Perform, step, "");
        self.pending.remove(Answer::Start, step, "");
    }

    fn failed(&mut self, step: &StepId, problem: &Problem) -> Result<(), Diverged> {
        let has_result =
            |state: &State| matches!(state, State::Record { .. } | State::Perform { .. } | State::Ask);
        if let Some(id) = self.waiting(step, has_result)? {
            self.pending.remove(Answer::Record, step, "");
            self.pending.remove(Answer::Ask, step, "");
            self.performed(step);
            self.fail(id, problem.clone());
        }
        Ok(())
    }

    fn child_started(&mut self, step: &StepId) -> Result<(), Diverged> {
        let Some(id) = self.waiting(step, |state| matches!(state, State::Perform { .. }))? else {
            return Ok(());
        };
        self.pending.remove(Answer::Start, step, "");
        let Some(frame) = self.frames.get_mut(id) else { return Ok(()) };
        if let State::Perform { passes_input } = &frame.state
            && *passes_input
        {
            let input = frame.input.clone();
            self.finish_plain(id, input);
        }
        Ok(())
    }

    fn timer_fired(&mut self, step: &StepId, name: &str) -> Result<(), Diverged> {
        let unset = self.pending.remove(Answer::Timer, step, name);
        // Fired before it could be cancelled: it belongs to an attempt that is over.
        if self.pending.remove(Answer::CancelTimer, step, name) && !unset {
            return Ok(());
        }
        let Some(id) = self.active.get(step).copied() else {
            let known = self.was_visited(step);
            return if known { Ok(()) } else { Err(Diverged(format!("there is no step {step}"))) };
        };
        let Some(frame) = self.frames.get_mut(id) else { return Ok(()) };
        match (name, &frame.state) {
            (flow::TIMEOUT, _) if frame.timed => {
                frame.timed = false;
                let detail = format!("`{}` took longer than its timeout", frame.task.name);
                self.give_up(id, "it took longer than its timeout");
                self.fail(id, Problem::timeout(detail));
            }
            ("wait", State::Wait) => {
                let input = frame.input.clone();
                self.finish_plain(id, input);
            }
            (name, State::Try(_)) if name.starts_with("retry-") => self.resume_try(id, name),
            (name, State::Try(_)) if name.starts_with("attempt-") => self.attempt_timed_out(id, name),
            _ => {}
        }
        Ok(())
    }

    /// A signal goes to everyone who listens for it; when nobody does, it is kept for who comes.
    fn signalled(&mut self, name: &str, data: &Value) {
        self.signals += 1;
        let event = CloudEvent {
            specversion: "1.0".to_owned(),
            id: format!("{}-signal-{}", self.facts.run, self.signals),
            source: format!("aedile:run/{}", self.facts.run),
            kind: format!("{SIGNAL}{name}"),
            time: Some(self.now.to_string()),
            subject: None,
            datacontenttype: Some("application/json".to_owned()),
            dataschema: None,
            data: Some(data.clone()),
            extensions: serde_json::Map::new(),
        };
        let mut consumed = false;
        for id in self.frames.ids() {
            consumed |= self.offer(id, &event);
        }
        if !consumed && self.mailbox.len() < MAILBOX {
            self.mailbox.push_back(event);
        }
    }
}

impl Program for Execution {
    fn ready(&mut self) -> Vec<Step> {
        self.pending.all()
    }

    fn apply(&mut self, event: &Event) -> Result<(), Diverged> {
        self.now = self.now.max(event.at);
        if self.phase == Phase::New && event.happening != Happening::Started {
            return Err(Diverged("something happened before it started".to_owned()));
        }
        self.dispatch(&event.happening)?;
        self.drain();
        Ok(())
    }

    fn wants(&self, step: &StepId, event: &CloudEvent) -> bool {
        self.active.get(step).is_some_and(|id| self.would_consume(*id, event))
    }
}

#[cfg(test)]
mod tests;

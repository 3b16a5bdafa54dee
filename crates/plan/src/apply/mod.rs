//! A run of a plan: [`Apply`] is a [`Program`], so that applying is judged, approved, recorded, cancelled, retried and
//! resumed as every other run is.
//!
//! There is no barrier between levels: a change begins when what it needs is done, those with the longest chain behind
//! them first, within the limits of [`Options`]. What needs a failed change is skipped, and said to be; everything else
//! is finished. At the end of each stage handlers run, each once, when something they watch changed, then checks. The last
//! step records the [`Report`].
//!
//! The work for one event grows with what depends on its step, and with the logarithm of the plan's size.

mod action;
mod freshness;
mod options;
mod pending;
mod report;
mod retry;
mod schedule;
mod unit;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use model::program::{Diverged, Due, Proposal, TimerPurpose};
use model::{
    CloudEvent, EffectClass, Event, Happening, Json, Problem, Program, RunId, Step, StepId, canonical,
};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub use action::{KIND_CHECK, KIND_HANDLE, KIND_PREFIX, ResourceInput, actions};
pub use freshness::{FreshnessInput, KIND_FRESHNESS};
pub use options::{Consent, Options};
pub use report::{NotDone, REPORT_STEP, Report};

use self::pending::{Answer, Pending};
use self::retry::Class;
use self::unit::{Role, State, Unit, Units};
use crate::file::Plan;
use crate::graph::Behind;
use crate::limits;
use crate::name::{Host, Instance, ResourceId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Checking,
    Running,
    Cancelling,
    Reporting { cancelled: bool },
    Ending,
    Ended,
}

/// What is looked at of a performer's answer when it comes.
#[derive(Deserialize, Default)]
struct Answered {
    changed: Option<Value>,
    #[serde(default, deserialize_with = "is_there")]
    attributes: bool,
}

/// That something is there, whatever it is.
fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// A run of a plan. See the module's documentation.
#[derive(Debug)]
pub struct Apply {
    plan: Arc<Plan>,
    run: RunId,
    options: Options,
    phase: Phase,
    units: Vec<Unit>,
    hosts: Vec<Host>,
    /// What comes after each unit.
    behind: Behind,
    index: HashMap<StepId, u32>,
    by_instance: HashMap<Instance, u32>,
    by_resource: HashMap<ResourceId, Vec<u32>>,
    pending: Pending,
    /// Ready to begin, longest chain first.
    ready: BTreeSet<(Reverse<u32>, u32)>,
    /// Ready, but their host is busy.
    parked: BTreeMap<u32, BTreeSet<(Reverse<u32>, u32)>>,
    on_host: BTreeMap<u32, u32>,
    in_flight: u32,
    gates: u32,
    gate: u32,
    gate_left: Vec<u32>,
    held: Vec<Vec<u32>>,
    left: u32,
    failed_hosts: BTreeSet<u32>,
    stopped: Option<Arc<str>>,
    /// Not begun, and not said yet.
    skips: VecDeque<u32>,
    skips_open: usize,
    abandoned: HashSet<u32>,
    retriable: bool,
    /// Whether it is to be found out first that the plan is fresh, whether it was found to be, and how often that was asked.
    checked_first: bool,
    begun: bool,
    checks: u32,
}

impl Apply {
    /// A run that has not started. It starts with [`Happening::Started`]. Whether the plan is fresh is for the caller to
    /// have checked ([`Plan::check_fresh`]).
    pub fn new(plan: Arc<Plan>, run: RunId, options: Options) -> Self {
        let Units { units, hosts, gates } = Units::new(&plan, &options);
        let behind = Behind::new(units.len(), |at| units[at as usize].after.iter().map(|(on, _)| *on));
        let mut index = HashMap::with_capacity(units.len());
        let mut by_instance = HashMap::with_capacity(plan.changes.len());
        let mut by_resource: HashMap<ResourceId, Vec<u32>> = HashMap::new();
        for (at, unit) in (0..).zip(&units) {
            index.insert(unit.step.id.clone(), at);
            if let Role::Change(change) = unit.role
                && plan.changes[change as usize].operation != crate::Operation::Dispose
            {
                let instance = &plan.changes[change as usize].instance;
                by_instance.insert(instance.clone(), at);
                by_resource.entry(instance.resource.clone()).or_default().push(at);
            }
        }
        Self {
            plan,
            run,
            options,
            phase: Phase::New,
            units,
            hosts,
            behind,
            index,
            by_instance,
            by_resource,
            pending: Pending::default(),
            ready: BTreeSet::new(),
            parked: BTreeMap::new(),
            on_host: BTreeMap::new(),
            in_flight: 0,
            gates,
            gate: 0,
            gate_left: Vec::new(),
            held: Vec::new(),
            left: 0,
            failed_hosts: BTreeSet::new(),
            stopped: None,
            skips: VecDeque::new(),
            skips_open: 0,
            abandoned: HashSet::new(),
            retriable: false,
            checked_first: false,
            begun: false,
            checks: 0,
        }
    }

    /// The plan that is applied.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    fn find(&self, step: &StepId) -> Result<u32, Diverged> {
        self.index.get(step).copied().ok_or_else(|| Diverged(format!("the plan has no step {step}")))
    }

    fn dispatch_event(&mut self, happening: &Happening) -> Result<(), Diverged> {
        match happening {
            Happening::Started if self.phase == Phase::New => self.enter(),
            Happening::Started => return Err(Diverged("it starts twice".to_owned())),
            Happening::Scheduled { step, .. } if self.freshness(step, None) => {}
            Happening::Completed { step, .. } if self.freshness(step, Some(Ok(()))) => {}
            Happening::Failed { step, problem } if self.freshness(step, Some(Err(problem))) => {}
            Happening::Scheduled { step, .. } => self.scheduled(step)?,
            Happening::Completed { step, output } => self.completed(step, output)?,
            Happening::Failed { step, problem } => self.failed(step, problem)?,
            Happening::TimerSet { step, .. } => {
                self.pending.remove(Answer::Timer, step);
            }
            Happening::TimerFired { step, .. } => self.timer_fired(step)?,
            Happening::TimerCancelled { step, .. } => {
                self.pending.remove(Answer::CancelTimer, step);
            }
            Happening::Abandoned { step } => {
                self.pending.remove(Answer::Abandon, step);
            }
            Happening::CancelRequested { .. } => self.cancel(),
            Happening::RetryRequested { from } => self.retry_from(from.as_ref())?,
            Happening::Finished => {
                self.pending.clear();
                self.phase = Phase::Ended;
            }
            // questions, listening and children are not a plan's; a signal is for whoever listens
            Happening::ApprovalRequested { .. }
            | Happening::ApprovalResolved { .. }
            | Happening::Listening { .. }
            | Happening::Received { .. }
            | Happening::Unlistened { .. }
            | Happening::ChildStarted { .. }
            | Happening::Signalled { .. } => {}
        }
        Ok(())
    }

    fn enter(&mut self) {
        if self.checked_first {
            self.ask_freshness();
        } else {
            self.begin();
        }
    }

    fn scheduled(&mut self, step: &StepId) -> Result<(), Diverged> {
        let at = self.find(step)?;
        self.pending.remove(Answer::Perform, step);
        let unit = &mut self.units[at as usize];
        match unit.state {
            State::Asked => unit.state = State::Running,
            _ if self.abandoned.contains(&at) => {}
            _ => return Err(Diverged(format!("{step} is scheduled and was not asked for"))),
        }
        Ok(())
    }

    /// Whether a record was answered that is not a unit's own result.
    fn recorded(&mut self, step: &StepId) -> bool {
        if !self.pending.remove(Answer::Record, step) {
            return false;
        }
        if step.as_str() == REPORT_STEP {
            self.finish();
            return true;
        }
        let skipped = self.index.get(step).is_some_and(|at| self.units[*at as usize].state == State::Skipped);
        if skipped {
            self.skips_open = self.skips_open.saturating_sub(1);
        }
        skipped
    }

    fn completed(&mut self, step: &StepId, output: &Json) -> Result<(), Diverged> {
        if self.recorded(step) {
            return Ok(());
        }
        let at = self.find(step)?;
        if !self.in_flight_unit(at, step)? {
            return Ok(());
        }
        // what is no object says nothing
        let answer = output.is_map().then(|| output.read::<Answered>().ok()).flatten().unwrap_or_default();
        let unit = &mut self.units[at as usize];
        unit.problem = None;
        if matches!(unit.role, Role::Change(_)) && answer.attributes {
            unit.output = Some(output.clone());
        }
        self.land(at);
        let changed = answer.changed.and_then(|changed| changed.as_bool()).unwrap_or(true);
        self.over(at, State::Done { changed });
        Ok(())
    }

    /// Whether a result is one that is waited for. One of a step that was given up may arrive late, and is dropped.
    fn in_flight_unit(&mut self, at: u32, step: &StepId) -> Result<bool, Diverged> {
        self.pending.remove(Answer::Perform, step);
        match self.units[at as usize].state {
            State::Asked | State::Running => Ok(true),
            _ if self.abandoned.contains(&at) => Ok(false),
            _ => Err(Diverged(format!("{step} has a result and was not begun"))),
        }
    }

    fn failed(&mut self, step: &StepId, problem: &Problem) -> Result<(), Diverged> {
        let was_record = self.pending.has(Answer::Record, step);
        if self.recorded(step) {
            return Ok(());
        }
        let at = self.find(step)?;
        let scheduled = self.units[at as usize].state == State::Running;
        if !self.in_flight_unit(at, step)? {
            return Ok(());
        }
        self.units[at as usize].problem = Some(Box::new(problem.clone()));
        if !was_record {
            self.land(at);
        }
        let retries = self.options.max_retries.min(limits::RETRIES_MAX);
        let again = self.phase == Phase::Running && self.stopped.is_none();
        let read = matches!(self.units[at as usize].role, Role::Check(_));
        let uncertain = scheduled && !read && retry::may_have_happened(problem);
        // what may have happened once must not happen twice
        let repeatable = !uncertain || self.effect(at) != EffectClass::Once;
        if !was_record
            && again
            && repeatable
            && retry::class(problem) == Class::Transient
            && self.units[at as usize].tries <= retries
        {
            self.pause(at, problem);
            return Ok(());
        }
        self.over(at, if uncertain { State::Uncertain } else { State::Failed });
        Ok(())
    }

    /// What may be done about a unit that was interrupted.
    fn effect(&self, at: u32) -> EffectClass {
        match self.units[at as usize].role {
            Role::Change(change) => self.plan.changes[change as usize].effect,
            Role::Handler(handler) => self.plan.handlers[handler as usize].effect,
            Role::Check(_) | Role::Junction(_) => EffectClass::Read,
        }
    }

    fn pause(&mut self, at: u32, problem: &Problem) {
        let unit = &mut self.units[at as usize];
        unit.state = State::Pausing;
        let step = unit.step.clone();
        let seed = format!("{}{}", self.run, step.id);
        let due = Due::After(retry::pause(&self.options, &seed, unit.tries, problem));
        let name = format!("retry-{}", unit.attempt + 1);
        let purpose = TimerPurpose::Retry;
        self.pending.push(Answer::Timer, step.id.clone(), Step::Timer { step, name, due, purpose });
    }

    fn timer_fired(&mut self, step: &StepId) -> Result<(), Diverged> {
        let at = self.find(step)?;
        self.pending.remove(Answer::Timer, step);
        self.pending.remove(Answer::CancelTimer, step);
        if self.units[at as usize].state != State::Pausing {
            return Ok(());
        }
        if self.stopped.is_some() || self.phase != Phase::Running {
            self.over(at, State::Failed);
            return Ok(());
        }
        let unit = &mut self.units[at as usize];
        unit.state = State::Ready;
        self.ready.insert((Reverse(unit.height), at));
        Ok(())
    }

    /// Nothing more is begun, and what is in flight is given up.
    fn cancel(&mut self) {
        match self.phase {
            Phase::Checking => self.give_up_freshness(),
            Phase::Running => {}
            _ => return,
        }
        self.phase = Phase::Cancelling;
        self.ready.clear();
        self.parked.clear();
        self.skips.clear();
        for at in 0..u32::try_from(self.units.len()).unwrap_or(u32::MAX) {
            let unit = &mut self.units[at as usize];
            let step = unit.step.id.clone();
            let because: Arc<str> = "the run was cancelled".into();
            match unit.state {
                State::Running | State::Asked => {
                    // what was scheduled may have happened
                    unit.state = if unit.state == State::Running { State::Uncertain } else { State::Skipped };
                    unit.because = Some(because.clone());
                    self.abandoned.insert(at);
                    self.pending.remove(Answer::Perform, &step);
                    if !self.pending.remove(Answer::Record, &step) {
                        let reason = because.to_string();
                        let abandon = Step::Abandon { step: step.clone(), reason };
                        self.pending.push(Answer::Abandon, step, abandon);
                    }
                }
                State::Pausing => {
                    unit.state = State::Failed;
                    if !self.pending.remove(Answer::Timer, &step) {
                        let name = format!("retry-{}", unit.attempt + 1);
                        let cancel = Step::CancelTimer { step: step.clone(), name };
                        self.pending.push(Answer::CancelTimer, step, cancel);
                    }
                }
                State::Waiting | State::Ready => {
                    unit.state = State::Skipped;
                    unit.because = Some(because);
                }
                _ => {}
            }
        }
        self.in_flight = 0;
        self.on_host.clear();
        self.left = 0;
    }

    /// After a cancel: once everything is given up, the report.
    fn wind_down(&mut self) {
        if self.phase == Phase::Cancelling && self.pending.is_empty() {
            self.report();
        }
    }

    /// Goes on with what is not done; from a step: with that and everything after it.
    fn retry_from(&mut self, from: Option<&StepId>) -> Result<(), Diverged> {
        if !matches!(self.phase, Phase::Ending | Phase::Ended) || !self.retriable {
            return Ok(());
        }
        self.pending.clear();
        self.skips.clear();
        self.skips_open = 0;
        self.abandoned.clear();
        let mut again: Vec<u32> = match from {
            Some(step) => vec![self.find(step)?],
            None => Vec::new(),
        };
        let mut seen = HashSet::new();
        while let Some(at) = again.pop() {
            if seen.insert(at) {
                self.units[at as usize].state = State::Waiting;
                again.extend(self.behind.of(at));
            }
        }
        for unit in &mut self.units {
            // a handler that had nothing to do may have now
            if !matches!(unit.state, State::Done { .. }) {
                unit.state = State::Waiting;
                unit.because = None;
                unit.tries = 0;
            }
        }
        self.enter();
        Ok(())
    }
}

impl Program for Apply {
    fn ready(&mut self) -> Vec<Step> {
        self.pending.all()
    }

    fn apply(&mut self, event: &Event) -> Result<(), Diverged> {
        if self.phase == Phase::New && event.happening != Happening::Started {
            return Err(Diverged("something happened before it started".to_owned()));
        }
        self.dispatch_event(&event.happening)?;
        if matches!(self.phase, Phase::Running | Phase::Cancelling) {
            self.advance();
        }
        Ok(())
    }

    fn document(&self) -> Option<canonical::Text> {
        Some(self.plan.document())
    }

    fn proposal(&self) -> Option<Proposal> {
        Some(self.plan.proposal())
    }

    fn consent(&self) -> Option<model::Consent> {
        let consent = self.options.consent.clone()?;
        Some(model::Consent { chain: consent.chain, because: consent.because })
    }

    fn wants(&self, _: &StepId, _: &CloudEvent) -> bool {
        false
    }
}

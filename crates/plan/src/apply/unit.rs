//! Everything that a run of a plan carries out or passes through, and what it waits for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use model::{Json, Problem, StepId, StepRef};

use super::Options;
use crate::change::Operation;
use crate::desired::DependencyKind;
use crate::file::Plan;
use crate::graph;
use crate::name::Host;

/// What a unit is in the plan, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Change(u32),
    Junction(u32),
    Handler(u32),
    Check(u32),
}

/// Where a unit stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    /// For others, or for its stage.
    Waiting,
    /// It can be done, and waits for its turn.
    Ready,
    /// It is asked for, and not scheduled yet.
    Asked,
    /// It is being performed.
    Running,
    /// It failed and is tried again later.
    Pausing,
    /// It is done.
    Done { changed: bool },
    /// It is not done.
    Failed,
    /// It may or may not be done.
    Uncertain,
    /// It was not begun.
    Skipped,
    /// There was no need for it.
    Idle,
}

impl State {
    pub(super) fn is_settled(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed | Self::Uncertain | Self::Skipped | Self::Idle)
    }

    pub(super) fn is_good(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Idle)
    }
}

/// One unit.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) role: Role,
    pub(super) step: StepRef,
    /// Its host by number; junctions have none.
    pub(super) host: Option<u32>,
    /// What it comes after: the unit, and whether that must have succeeded.
    pub(super) after: Vec<(u32, bool)>,
    /// Stage and part of it, as one number.
    pub(super) gate: u32,
    /// How many units wait for it at most one after the other: the longest chain goes first.
    pub(super) height: u32,
    pub(super) state: State,
    pub(super) waiting: u32,
    /// Attempts so far, over retries of the run.
    pub(super) attempt: u32,
    /// Attempts since the run was last told to retry.
    pub(super) tries: u32,
    /// Why it cannot be begun.
    pub(super) because: Option<Arc<str>>,
    pub(super) problem: Option<Box<Problem>>,
    /// What performing it answered, where others may refer to it.
    pub(super) output: Option<Json>,
}

/// Parts of a stage: changes, then handlers, then checks.
pub(super) const PARTS: u32 = 3;

/// The units of a plan.
pub(super) struct Units {
    pub(super) units: Vec<Unit>,
    pub(super) hosts: Vec<Host>,
    pub(super) gates: u32,
}

fn unit(role: Role, id: String, name: String, kind: &'static str) -> Unit {
    Unit {
        role,
        step: StepRef { id: StepId::new(id), name: name.into(), kind },
        host: None,
        after: Vec::new(),
        gate: 0,
        height: 0,
        state: State::Waiting,
        waiting: 0,
        attempt: 0,
        tries: 0,
        because: None,
        problem: None,
        output: None,
    }
}

impl Units {
    pub(super) fn new(plan: &Plan, options: &Options) -> Self {
        let order = graph::order(plan.steps(), |step| plan.after(step).iter().map(|edge| edge.step));
        let count = plan.steps() + plan.handlers.len() + plan.checks.len();
        let mut all = Self { units: Vec::with_capacity(count), hosts: Vec::new(), gates: 0 };
        all.changes(plan);
        let changed: BTreeSet<&Host> = plan.changes.iter().map(|change| &change.instance.host).collect();
        all.hosts = changed.iter().map(|host| (*host).clone()).collect();
        let number: HashMap<&Host, u32> = changed.into_iter().zip(0..).collect();
        for (at, change) in plan.changes.iter().enumerate() {
            all.units[at].host = number.get(&change.instance.host).copied();
        }
        all.stages(&order, options);
        all.handlers(plan, &number);
        all.checks(plan, &number);
        all.heights(&order);
        all.gates = all.units.iter().map(|unit| unit.gate + 1).max().unwrap_or(0);
        all
    }

    fn changes(&mut self, plan: &Plan) {
        for (at, change) in (0..).zip(&plan.changes) {
            // a resource id has no `#`, so nothing else has this name
            let id = match change.operation {
                Operation::Dispose => format!("{}#dispose", change.instance),
                _ => change.instance.to_string(),
            };
            let name = change.instance.to_string();
            self.units.push(unit(Role::Change(at), id, name, change.operation.as_str()));
        }
        for (at, junction) in (0..).zip(&plan.junctions) {
            self.units.push(unit(Role::Junction(at), format!("#{at}"), junction.label.clone(), "junction"));
        }
        for (at, unit) in (0..).zip(&mut self.units) {
            let needed = |kind| kind != DependencyKind::Order;
            unit.after = plan.after(at).iter().map(|edge| (edge.step, needed(edge.kind))).collect();
        }
    }

    /// A unit's stage is its host's, or that of the last unit it comes after where that is later: so that nothing waits
    /// for a stage that waits for it.
    fn stages(&mut self, order: &[u32], options: &Options) {
        for at in order.iter().copied() {
            let own = self.units[at as usize].host.map_or(0, |host| options.stage_of(host));
            let others =
                self.units[at as usize].after.iter().map(|(on, _)| self.units[*on as usize].gate / PARTS);
            let stage = others.max().unwrap_or(0).max(own);
            self.units[at as usize].gate = stage * PARTS;
        }
    }

    fn handlers(&mut self, plan: &Plan, number: &HashMap<&Host, u32>) {
        for (at, handler) in (0..).zip(&plan.handlers) {
            let id = format!("{}#{}", handler.instance, handler.name);
            let mut one = unit(Role::Handler(at), id, handler.instance.to_string(), "handle");
            one.host = number.get(&handler.instance.host).copied();
            one.after = handler.triggers.iter().map(|trigger| (*trigger, false)).collect();
            one.after.extend(handler.own.map(|own| (own, true)));
            let stages = one.after.iter().map(|(on, _)| self.units[*on as usize].gate / PARTS);
            one.gate = stages.max().unwrap_or(0) * PARTS + 1;
            self.units.push(one);
        }
    }

    /// A host is tested once everything on it is done.
    fn checks(&mut self, plan: &Plan, number: &HashMap<&Host, u32>) {
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        for unit in &self.units {
            if let Some(host) = unit.host {
                let stage = last.entry(host).or_default();
                *stage = (*stage).max(unit.gate / PARTS);
            }
        }
        for (at, check) in (0..).zip(&plan.checks) {
            let name = check.instance.to_string();
            let mut one = unit(Role::Check(at), format!("{name}#check"), name, "check");
            one.host = number.get(&check.instance.host).copied();
            one.gate = one.host.and_then(|host| last.get(&host)).copied().unwrap_or(0) * PARTS + 2;
            self.units.push(one);
        }
    }

    /// Handlers and checks come after all changes, so `order` and then they are an order of all.
    fn heights(&mut self, order: &[u32]) {
        let count = u32::try_from(self.units.len()).unwrap_or(u32::MAX);
        let last = u32::try_from(order.len()).unwrap_or(u32::MAX)..count;
        for at in last.rev().chain(order.iter().rev().copied()) {
            let height = self.units[at as usize].height + 1;
            let after = std::mem::take(&mut self.units[at as usize].after);
            for (on, _) in &after {
                let below = &mut self.units[*on as usize].height;
                *below = (*below).max(height);
            }
            self.units[at as usize].after = after;
        }
    }
}

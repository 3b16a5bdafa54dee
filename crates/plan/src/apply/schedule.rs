//! Which unit next: those whose turn it is, the longest chain first, within the limits.

use std::cmp::Reverse;
use std::sync::Arc;

use model::{Problem, Step, StepRef};
use serde_json::json;

use super::pending::Answer;
use super::unit::{PARTS, Role, State};
use super::{Apply, Phase};
use crate::limits;

impl Apply {
    /// Starts, or starts again, with the states as they are.
    pub(super) fn begin(&mut self) {
        self.phase = Phase::Running;
        self.stopped = None;
        self.failed_hosts.clear();
        self.ready.clear();
        self.parked.clear();
        self.on_host.clear();
        self.in_flight = 0;
        self.gate = 0;
        self.gate_left = vec![0; self.gates as usize];
        self.held = vec![Vec::new(); self.gates as usize];
        self.left = 0;
        for at in 0..self.units.len() {
            if self.units[at].state.is_settled() {
                continue;
            }
            let waiting = self.units[at].after.iter();
            let waiting = waiting.filter(|(on, _)| !self.units[*on as usize].state.is_settled()).count();
            let unit = &mut self.units[at];
            unit.waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
            self.gate_left[unit.gate as usize] += 1;
            self.left += 1;
        }
        let ready: Vec<u32> = (0..)
            .zip(&self.units)
            .filter(|(_, unit)| !unit.state.is_settled() && unit.waiting == 0)
            .map(|(at, _)| at)
            .collect();
        self.arrive_all(ready);
        self.advance();
    }

    /// Units that wait for no other unit any more.
    fn arrive_all(&mut self, units: Vec<u32>) {
        let mut open = units;
        while let Some(at) = open.pop() {
            let gate = self.units[at as usize].gate;
            if gate > self.gate {
                self.held[gate as usize].push(at);
                continue;
            }
            if self.arrive(at) {
                open.extend(self.released(at));
            }
        }
    }

    /// Decides about a unit whose turn has come. Whether it is settled at once.
    fn arrive(&mut self, at: u32) -> bool {
        let unit = &self.units[at as usize];
        let broken =
            unit.after.iter().find(|(on, needed)| *needed && !self.units[*on as usize].state.is_good());
        let because: Option<Arc<str>> = match (broken, &self.stopped) {
            (Some((on, _)), _) => Some(self.because_of(*on)),
            (None, stopped) => stopped.clone(),
        };
        match self.units[at as usize].role {
            Role::Junction(_) => {
                let after = &self.units[at as usize].after;
                let state = match because {
                    Some(_) => State::Skipped,
                    None => State::Done { changed: after.iter().any(|(on, _)| self.changed(*on)) },
                };
                self.units[at as usize].because = because;
                self.settle(at, state);
                true
            }
            _ if because.is_some() => {
                self.skip(at, because);
                true
            }
            Role::Handler(handler) => {
                let plan = Arc::clone(&self.plan);
                if plan.handlers[handler as usize].triggers.iter().any(|trigger| self.changed(*trigger)) {
                    self.enqueue(at);
                    return false;
                }
                self.settle(at, State::Idle);
                true
            }
            Role::Change(_) if self.is_blocked(at) => {
                let reasons = self.reasons_of(at);
                let problem = Problem::runtime(reasons).with_code(model::code::plan::BLOCKED);
                self.record(at, Err(problem));
                false
            }
            Role::Change(_) | Role::Check(_) => {
                self.enqueue(at);
                false
            }
        }
    }

    fn changed(&self, at: u32) -> bool {
        // what may have happened must be taken to have happened
        matches!(self.units[at as usize].state, State::Done { changed: true } | State::Uncertain)
    }

    /// Why a unit that needs this one is not begun: the first cause, not the last.
    fn because_of(&self, at: u32) -> Arc<str> {
        let unit = &self.units[at as usize];
        match (&unit.because, unit.role) {
            (Some(because), _) => because.clone(),
            (None, Role::Junction(_)) => {
                let first = unit
                    .after
                    .iter()
                    .find(|(on, needed)| *needed && !self.units[*on as usize].state.is_good());
                first.map_or_else(|| unit.step.name.clone(), |(on, _)| self.because_of(*on))
            }
            (None, _) => format!("{} failed", unit.step.id).into(),
        }
    }

    fn reasons_of(&self, at: u32) -> String {
        let Role::Change(change) = self.units[at as usize].role else { return String::new() };
        let reasons = self.plan.changes[change as usize].reasons.iter();
        reasons.map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    fn enqueue(&mut self, at: u32) {
        let unit = &mut self.units[at as usize];
        unit.state = State::Ready;
        self.ready.insert((Reverse(unit.height), at));
    }

    /// Says in the journal that a unit is not begun, and goes on without waiting for the answer.
    pub(super) fn skip(&mut self, at: u32, because: Option<Arc<str>>) {
        self.units[at as usize].because = because;
        self.settle(at, State::Skipped);
        self.skips.push_back(at);
    }

    fn record(&mut self, at: u32, result: Result<serde_json::Value, Problem>) {
        let unit = &mut self.units[at as usize];
        unit.state = State::Asked;
        let step = unit.step.clone();
        self.pending.push(Answer::Record, step.id.clone(), Step::Record { step, result });
    }

    pub(super) fn settle(&mut self, at: u32, state: State) {
        let unit = &mut self.units[at as usize];
        debug_assert!(!unit.state.is_settled(), "{} is settled twice", unit.step.id);
        unit.state = state;
        self.gate_left[unit.gate as usize] -= 1;
        self.left -= 1;
    }

    /// The units that have waited for this one alone.
    fn released(&mut self, at: u32) -> Vec<u32> {
        let mut released = Vec::new();
        for dependent in self.behind.of(at) {
            let unit = &mut self.units[*dependent as usize];
            unit.waiting = unit.waiting.saturating_sub(1);
            if unit.waiting == 0 && unit.state == State::Waiting {
                released.push(*dependent);
            }
        }
        released
    }

    /// A unit that was begun is over.
    pub(super) fn over(&mut self, at: u32, state: State) {
        let bad = !state.is_good();
        self.settle(at, state);
        if bad {
            self.count_failure(at);
        }
        let released = self.released(at);
        self.arrive_all(released);
    }

    fn count_failure(&mut self, at: u32) {
        let Some(host) = self.units[at as usize].host else { return };
        self.failed_hosts.insert(host);
        if self.stopped.is_some() {
            return;
        }
        let stage = self.gate / PARTS;
        let failed = u32::try_from(self.failed_hosts.len()).unwrap_or(u32::MAX);
        let canary = self.options.canary > 0 && stage == 0 && self.gates > PARTS;
        if canary {
            self.stop(format!("something failed on the canary host {}", self.hosts[host as usize]));
        } else if let Some(most) = self.options.max_failures
            && failed > most
        {
            self.stop(format!("something failed on {failed} hosts, more than {most}"));
        }
    }

    /// Nothing more is begun; what is in flight ends.
    fn stop(&mut self, because: String) {
        let because: Arc<str> = because.into();
        self.stopped = Some(because.clone());
        let mut waiting: Vec<u32> = std::mem::take(&mut self.ready).into_iter().map(|(_, at)| at).collect();
        for parked in self.parked.values_mut() {
            waiting.extend(std::mem::take(parked).into_iter().map(|(_, at)| at));
        }
        for at in waiting {
            self.skip(at, Some(because.clone()));
            let released = self.released(at);
            self.arrive_all(released);
        }
    }

    /// Goes on as far as it goes: to later stages, with more steps, to the end.
    pub(super) fn advance(&mut self) {
        if self.phase != Phase::Running {
            return self.wind_down();
        }
        while self.gate < self.gates && self.gate_left[self.gate as usize] == 0 {
            self.gate += 1;
            if let Some(held) = self.held.get_mut(self.gate as usize) {
                let held = std::mem::take(held);
                self.arrive_all(held);
            }
        }
        self.dispatch();
        self.admit_skips();
        if self.left == 0 && self.skips.is_empty() && self.pending.is_empty() {
            self.report();
        }
    }

    fn admit_skips(&mut self) {
        while self.skips_open < limits::SKIPS_AT_ONCE {
            let Some(at) = self.skips.pop_front() else { return };
            self.skips_open += 1;
            let unit = &self.units[at as usize];
            let because = unit.because.as_deref().unwrap_or_default();
            let result = Ok(json!({"skipped": true, "because": because}));
            let step = StepRef { kind: "skip", ..unit.step.clone() };
            self.pending.push(Answer::Record, step.id.clone(), Step::Record { step, result });
        }
    }

    /// Begins as many units as the limits allow.
    fn dispatch(&mut self) {
        while self.in_flight < self.options.overall() {
            let Some((height, at)) = self.ready.pop_first() else { return };
            let host = self.units[at as usize].host.unwrap_or(u32::MAX);
            let here = self.on_host.entry(host).or_default();
            if *here >= self.options.on_a_host() {
                self.parked.entry(host).or_default().insert((height, at));
                continue;
            }
            match self.action(at) {
                Ok(action) => {
                    *self.on_host.entry(host).or_default() += 1;
                    self.in_flight += 1;
                    let unit = &mut self.units[at as usize];
                    unit.attempt += 1;
                    unit.tries += 1;
                    unit.state = State::Asked;
                    let (step, attempt) = (unit.step.clone(), unit.attempt);
                    let action = Box::new(action);
                    self.pending.push(
                        Answer::Perform,
                        step.id.clone(),
                        Step::Perform { step, attempt, action },
                    );
                }
                Err(problem) => self.record(at, Err(problem)),
            }
        }
    }

    /// Gives back the place that a unit had in flight.
    pub(super) fn land(&mut self, at: u32) {
        let host = self.units[at as usize].host.unwrap_or(u32::MAX);
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(here) = self.on_host.get_mut(&host) {
            *here = here.saturating_sub(1);
        }
        if let Some(next) = self.parked.get_mut(&host).and_then(std::collections::BTreeSet::pop_first) {
            self.ready.insert(next);
        }
    }
}

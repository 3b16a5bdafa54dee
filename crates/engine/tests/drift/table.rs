//! A reconciler over plain data.

use std::collections::{BTreeMap, BTreeSet};

use engine::drift::{Applied, Decisions, Look, Rounds, Rules, Sighting, Standing, decide};
use journal::events::{DriftEvent, DriftField, DriftFlapped, DriftOutcome, DriftSettled, DriftStarted};
use model::{Digest, DriftClass, OnDrift, RunId, Timestamp};

pub(crate) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minutes).unwrap()
}

pub(crate) fn sighting(resource: &str, value: &str, policy: OnDrift) -> Sighting {
    let gone = value == "gone";
    let field = DriftField {
        name: "content".to_owned(),
        found: value.to_owned(),
        wanted: "right".to_owned(),
        digest: None,
    };
    Sighting {
        resource: resource.to_owned(),
        class: if gone { DriftClass::Missing } else { DriftClass::Changed },
        state: Digest::of(format!("{resource}={value}").as_bytes()),
        policy,
        fields: if gone { Vec::new() } else { vec![field] },
        why: None,
        ask: None,
        depends: Vec::new(),
    }
}

pub(crate) fn look(minutes: i64, sightings: Vec<Sighting>) -> Look {
    Look {
        began: at(minutes),
        sightings,
        resources: 9,
        pending: 0,
        applied: BTreeMap::new(),
        policy: Digest::of(b"policy"),
    }
}

/// A reconciler over plain data: its decisions are applied as the journal would.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) standing: Standing,
    pub(crate) now: i64,
    pub(crate) runs: u64,
    pub(crate) told: Vec<&'static str>,
    pub(crate) rounds: Rounds,
    /// What was said of flapping last.
    pub(crate) flapped: Option<DriftFlapped>,
    pub(crate) waiting: BTreeSet<RunId>,
    pub(crate) rules: Rules,
    pub(crate) applied: BTreeMap<String, Applied>,
}

impl Table {
    pub(crate) fn note(&mut self, event: &DriftEvent) {
        self.told.push(event.kind());
        if let DriftEvent::Flapped(flapped) = event {
            self.flapped = Some(DriftFlapped::clone(flapped));
        }
        self.standing.apply(event, at(self.now));
    }

    /// One round, ten minutes after the one before: what was started in it.
    pub(crate) fn round(&mut self, sightings: Vec<Sighting>) -> Vec<(OnDrift, Vec<String>, RunId)> {
        self.now += 10;
        let look = Look { applied: self.applied.clone(), ..look(self.now, sightings) };
        self.rounds.count(&self.standing, &look);
        let Decisions { records, withdraw, start } =
            decide(&self.standing, &look, &self.rules, &self.waiting, (&self.rounds, at(self.now)));
        self.rounds.looked(look.began);
        for event in &records {
            self.note(event);
        }
        for (run, _) in withdraw {
            self.settle(run, DriftOutcome::Withdrawn, &[]);
        }
        let mut started = Vec::new();
        for one in start {
            self.runs += 1;
            let run = RunId::from_parts(1, u128::from(self.runs));
            let names = one.targets.iter().map(|target| target.resource.clone()).collect();
            let what =
                DriftStarted { run, how: one.how, resources: one.targets, policy: Digest::of(b"policy") };
            self.note(&DriftEvent::Started(Box::new(what)));
            if one.how == OnDrift::Propose {
                self.waiting.insert(run);
            }
            started.push((one.how, names, run));
        }
        started
    }

    pub(crate) fn settle(&mut self, run: RunId, outcome: DriftOutcome, done: &[&str]) {
        self.waiting.remove(&run);
        let done = done.iter().map(|&one| one.to_owned()).collect();
        self.note(&DriftEvent::Settled(Box::new(DriftSettled { run, outcome, done, why: None })));
    }

    /// What was told since the last time, runs left out.
    pub(crate) fn news(&mut self) -> Vec<&'static str> {
        let told = std::mem::take(&mut self.told);
        told.into_iter().filter(|kind| !matches!(*kind, "drift.started" | "drift.settled")).collect()
    }
}

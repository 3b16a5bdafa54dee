//! Where everything stands: the fold of the stream `drift`.

use std::collections::{BTreeMap, BTreeSet};

use journal::events::{
    DriftAcknowledged, DriftEvent, DriftFlapped, DriftFought, DriftFound, DriftHeld, DriftMended,
    DriftOutcome, DriftSettled, DriftSkipped, DriftStarted,
};
use journal::{Event, Journal, JournalError, Record};
use model::{Digest, DriftClass, RunId, Timestamp};

use super::STREAM;
use super::flapping::{Turns, View, differences};
use crate::limits;

/// A resource that was found not to be as it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was recorded.
    pub what: DriftFound,
    /// Its sequence in the stream: another finding has another one.
    pub sequence: u64,
}

/// A run that is to put something right and has not ended, as far as is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// What was recorded.
    pub what: DriftStarted,
    /// When.
    pub at: Timestamp,
}

/// A fight that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fight {
    /// What was recorded.
    pub what: DriftFought,
    /// When.
    pub at: Timestamp,
}

/// A resource that keeps changing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flapping {
    /// What was recorded last.
    pub what: DriftFlapped,
    /// When.
    pub at: Timestamp,
}

/// Rounds that come to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// What was recorded last.
    pub what: DriftSkipped,
    /// When.
    pub at: Timestamp,
}

/// A state that nothing more is done about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) state: Digest,
    /// Of the policy set in force: another one may say something else.
    pub(super) policy: Digest,
}

/// One time that an attribute (or, without one, the resource itself) was put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mending {
    pub(super) field: Option<String>,
    pub(super) mended: DriftMended,
}

/// Where everything stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Last sequence of the stream.
    pub sequence: u64,
    /// What is not as it was applied.
    pub found: BTreeMap<String, Found>,
    /// What cannot be read.
    pub unreadable: BTreeMap<String, Found>,
    /// Runs that are to put something right.
    pub trials: BTreeMap<RunId, Trial>,
    /// What is not put right now, and why.
    pub held: BTreeMap<String, DriftHeld>,
    /// Fights that go on.
    pub fights: BTreeMap<String, Fight>,
    /// What keeps changing.
    pub flapping: BTreeMap<String, Flapping>,
    /// Rounds that were skipped since somebody looked last.
    pub skipped: Option<Skipped>,
    pub(super) refused: BTreeMap<String, Refusal>,
    /// How often putting a state right has failed.
    pub(super) failed: BTreeMap<String, (Digest, u32)>,
    /// When a repair of each resource was begun.
    pub(super) begun: BTreeMap<String, Vec<Timestamp>>,
    pub(super) mended: BTreeMap<String, Vec<Mending>>,
    /// Since when a resource that was found to differ does not any more.
    pub(super) quiet: BTreeMap<String, Timestamp>,
    pub(super) turns: BTreeMap<String, Turns>,
    /// What could not be read once and can be again.
    readable: BTreeSet<String>,
}

/// Reads where everything stands.
pub fn standing(journal: &dyn Journal) -> Result<Standing, JournalError> {
    let mut standing = Standing::default();
    standing.catch_up(journal)?;
    Ok(standing)
}

impl Standing {
    /// Takes notice of what was recorded since.
    pub fn catch_up(&mut self, journal: &dyn Journal) -> Result<(), JournalError> {
        loop {
            let records = journal.read_stream(STREAM, self.sequence, limits::READ_MAX)?;
            if records.is_empty() {
                return Ok(());
            }
            for record in &records {
                self.take(record);
            }
        }
    }

    fn take(&mut self, record: &Record) {
        if let Event::Drift(event) = &record.event {
            self.apply(event, record.at);
        }
        self.sequence = record.sequence;
    }

    /// Takes notice of the next event.
    pub fn apply(&mut self, event: &DriftEvent, at: Timestamp) {
        self.sequence += 1;
        match event {
            DriftEvent::Found(found) => self.find(found, at),
            DriftEvent::Ended(ended) if ended.class == DriftClass::Unreadable => {
                self.unreadable.remove(&ended.resource);
                self.readable.insert(ended.resource.clone());
            }
            DriftEvent::Ended(ended) => {
                self.over(&ended.resource);
                self.quiet.insert(ended.resource.clone(), at);
            }
            DriftEvent::Started(started) => self.start(started, at),
            DriftEvent::Settled(settled) => self.settle(settled, at),
            DriftEvent::Held(held) => {
                self.held.insert(held.resource.clone(), held.clone());
            }
            DriftEvent::Fought(fought) => {
                let fight = Fight { what: DriftFought::clone(fought), at };
                self.fights.insert(fought.resource.clone(), fight);
            }
            DriftEvent::Flapped(flapped) => {
                let flapping = Flapping { what: DriftFlapped::clone(flapped), at };
                self.flapping.insert(flapped.resource.clone(), flapping);
            }
            DriftEvent::Calmed(calmed) => self.calm(&calmed.resource),
            DriftEvent::Acknowledged(acknowledged) => self.acknowledge(acknowledged),
            DriftEvent::Skipped(skipped) => {
                self.skipped = Some(Skipped { what: DriftSkipped::clone(skipped), at });
            }
            DriftEvent::Resumed(_) => self.skipped = None,
        }
    }

    fn find(&mut self, found: &DriftFound, at: Timestamp) {
        self.turn(found, at);
        let known = Found { what: found.clone(), sequence: self.sequence };
        let resource = found.resource.clone();
        if found.class == DriftClass::Unreadable {
            self.unreadable.insert(resource, known);
            return;
        }
        // what was decided about another state does not count for this one
        self.refused.retain(|one, refusal| *one != resource || refusal.state == found.state);
        self.failed.retain(|one, (state, _)| *one != resource || *state == found.state);
        self.held.remove(&resource);
        self.quiet.remove(&resource);
        self.found.insert(resource, known);
    }

    /// Counts what is otherwise than before. What is found for the first time, or after it was put right, is no change of its own.
    fn turn(&mut self, found: &DriftFound, at: Timestamp) {
        let resource = &found.resource;
        let (known, back) = if found.class == DriftClass::Unreadable {
            (self.unreadable.get(resource), self.readable.remove(resource))
        } else {
            (self.found.get(resource), self.quiet.contains_key(resource))
        };
        if known.is_none() && !back {
            return;
        }
        let before = known.map(|known| View::found(&known.what));
        let aspects = differences(before, Some(View::found(found)));
        self.turns.entry(resource.clone()).or_default().note(aspects, at);
    }

    /// Nothing is the matter with it any more.
    fn over(&mut self, resource: &str) {
        self.found.remove(resource);
        self.refused.remove(resource);
        self.failed.remove(resource);
        self.held.remove(resource);
    }

    fn start(&mut self, started: &DriftStarted, at: Timestamp) {
        for target in &started.resources {
            self.held.remove(&target.resource);
        }
        if started.how == model::OnDrift::Repair {
            for target in &started.resources {
                let begun = self.begun.entry(target.resource.clone()).or_default();
                begun.push(at);
                let surplus = begun.len().saturating_sub(limits::DRIFT_REMEMBERED);
                begun.drain(..surplus);
            }
        }
        self.trials.insert(started.run, Trial { what: started.clone(), at });
    }

    fn settle(&mut self, settled: &DriftSettled, at: Timestamp) {
        let Some(Trial { what, .. }) = self.trials.remove(&settled.run) else { return };
        let done: BTreeSet<&str> = settled.done.iter().map(String::as_str).collect();
        for target in what.resources {
            let resource = &target.resource;
            if done.contains(resource.as_str()) {
                self.over(resource);
                let mended = self.mended.entry(resource.clone()).or_default();
                let fields = if target.fields.is_empty() {
                    vec![None]
                } else {
                    target.fields.into_iter().map(Some).collect()
                };
                let once = DriftMended { run: settled.run, at };
                mended.extend(fields.into_iter().map(|field| Mending { field, mended: once.clone() }));
                let surplus = mended.len().saturating_sub(limits::DRIFT_REMEMBERED);
                mended.drain(..surplus);
                continue;
            }
            match settled.outcome {
                DriftOutcome::Refused => {
                    let refusal = Refusal { state: target.state, policy: what.policy };
                    self.refused.insert(target.resource, refusal);
                }
                DriftOutcome::Failed | DriftOutcome::Completed => {
                    let failed = self.failed.entry(target.resource).or_insert((target.state, 0));
                    *failed = (target.state, if failed.0 == target.state { failed.1 + 1 } else { 1 });
                }
                DriftOutcome::Withdrawn => {}
            }
        }
    }

    /// A fight, or flapping, is over, and what comes back from here on is counted anew.
    fn calm(&mut self, resource: &str) {
        self.fights.remove(resource);
        self.mended.remove(resource);
        self.flapping.remove(resource);
        self.turns.remove(resource);
    }

    /// What is known of a resource, of the one or the other kind.
    pub(super) fn known(&self, resource: &str, class: DriftClass) -> Option<&Found> {
        match class {
            DriftClass::Unreadable => self.unreadable.get(resource),
            _ => self.found.get(resource),
        }
    }

    fn acknowledge(&mut self, acknowledged: &DriftAcknowledged) {
        for resource in &acknowledged.resources {
            self.calm(resource);
            self.refused.remove(resource);
            self.failed.remove(resource);
            self.held.remove(resource);
        }
    }

    /// What a person could acknowledge: where a fight goes on, something keeps changing, or nothing more is tried.
    pub fn stuck(&self) -> BTreeSet<&str> {
        let failed = self.failed.iter().filter(|(_, (_, times))| *times >= limits::DRIFT_FAILURES_MAX);
        self.fights
            .keys()
            .chain(self.flapping.keys())
            .chain(self.refused.keys())
            .chain(failed.map(|(resource, _)| resource))
            .map(String::as_str)
            .collect()
    }
}

//! What a process remembers from one round to the next. Nothing is decided by it but how much is told: a restart loses counts only.

use std::collections::BTreeMap;

use journal::events::DriftSkipped;
use model::{Digest, Timestamp};

use super::{Look, LookError, Standing, flapping};
use crate::limits;

/// The rounds of one process so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rounds {
    /// When everything was looked at the last time.
    pub(super) before: Option<Timestamp>,
    /// Whether there is one round only: another process makes the next.
    alone: bool,
    /// Rounds that were skipped since the last look.
    skipped: Option<Streak>,
    /// What each flapping resource was found in, and how often that changed since it was recorded.
    changes: BTreeMap<String, Tally>,
    /// The look that was counted last.
    counted: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Streak {
    since: Timestamp,
    rounds: u64,
    /// Whether it is on record.
    told: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Tally {
    recorded: Timestamp,
    state: Option<Digest>,
    changes: u64,
}

/// Why a round came to nothing.
pub(super) enum Skip<'s> {
    Busy(model::RunId),
    Trouble(&'s LookError),
}

impl Rounds {
    /// One round, by a process that ends then.
    pub fn one() -> Self {
        Self { alone: true, ..Self::default() }
    }

    /// Takes notice that everything was looked at, and what was seen is recorded.
    pub fn looked(&mut self, at: Timestamp) {
        self.before = Some(at);
    }

    /// How often a flapping resource was found otherwise since that was recorded.
    pub(super) fn changes(&self, resource: &str) -> u64 {
        self.changes.get(resource).map_or(0, |tally| tally.changes)
    }

    /// Takes notice of what a look told, once.
    pub fn count(&mut self, standing: &Standing, look: &Look) {
        if self.counted == Some(look.began) {
            return;
        }
        (self.counted, self.skipped) = (Some(look.began), None);
        let mut known = std::mem::take(&mut self.changes);
        let seen = flapping::by_resource(look);
        for (resource, flapping) in &standing.flapping {
            let same = known.remove(resource).filter(|tally| tally.recorded == flapping.at);
            let fresh = Tally { recorded: flapping.at, state: flapping.what.state, changes: 0 };
            let mut tally = same.unwrap_or(fresh);
            let state = flapping::state(&seen, resource);
            if state != tally.state && flapping::tells(look, &seen, resource) {
                tally = Tally { state, changes: tally.changes + 1, ..tally };
            }
            self.changes.insert(resource.clone(), tally);
        }
    }

    /// Takes notice of a round that came to nothing. Answers what is to be recorded: that it begins, and whenever it has gone on
    /// twice as long.
    pub(super) fn skip(
        &mut self,
        standing: &Standing,
        why: &Skip<'_>,
        now: Timestamp,
    ) -> Option<DriftSkipped> {
        let known = standing.skipped.as_ref();
        // what was on record and is not any more has ended: somebody else could look
        let mine = self.skipped.filter(|mine| !mine.told || known.is_some());
        let (since, before) = match (mine, known) {
            (Some(mine), _) => (mine.since, mine.rounds),
            (None, Some(known)) => (known.what.since, known.what.rounds),
            (None, None) => (now, 0),
        };
        let rounds = before + 1;
        let due = match known {
            None => self.alone || rounds >= limits::DRIFT_SKIPS_MAX,
            Some(known) => {
                let lasted = known.what.seen.duration_since(known.what.since);
                rounds >= known.what.rounds.saturating_mul(2)
                    || now.duration_since(known.what.since) > lasted.saturating_mul(2)
            }
        };
        self.skipped = Some(Streak { since, rounds, told: due || known.is_some() });
        let (why, run, code) = match why {
            Skip::Busy(run) => (format!("{run} applies something"), Some(*run), None),
            Skip::Trouble(error) => (error.why.clone(), None, Some(error.code.id.to_owned())),
        };
        due.then_some(DriftSkipped { since, rounds, seen: now, why, run, code })
    }
}

//! What is known about the uses of quotas, so that a judgement need not read the journal each time.
//!
//! A cache per counter: its uses and the last sequence of its stream. It is only ever an opinion: the reservation is appended on the
//! condition that the stream is still where the cache believes, and a conflict empties the cache and has the run judged again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use journal::Expect;
use journal::events::{HeldQuota, QuotaEvent, QuotaUse};
use model::{RunId, StepId, Timestamp, time::SignedDuration};

use crate::engine::lock;
use crate::ports::Views;

/// A use to be appended with the intent to act.
pub(crate) struct Reserved {
    pub(crate) expect: Expect,
    pub(crate) event: QuotaEvent,
    pub(crate) held: HeldQuota,
}

#[derive(Debug, Default)]
struct Counter {
    uses: VecDeque<(Timestamp, u64)>,
    /// Uses before this moment may be missing.
    since: Timestamp,
    sequence: u64,
}

pub(crate) struct Quotas {
    views: Arc<dyn Views>,
    counters: Mutex<HashMap<String, Counter>>,
}

impl Quotas {
    pub(crate) fn new(views: Arc<dyn Views>) -> Self {
        Self { views, counters: Mutex::default() }
    }

    /// The counter's stream.
    pub(crate) fn stream(key: &str) -> journal::StreamId {
        format!("quota/{key}").into()
    }

    /// Believes nothing any more about the counter whose stream this is.
    pub(crate) fn forget(&self, stream: &str) {
        if let Some(key) = stream.strip_prefix("quota/") {
            lock(&self.counters).remove(key);
        }
    }

    /// Counts a use that is about to be appended, and says what must hold for it.
    pub(crate) fn reserve(
        &self,
        (key, amount, window): (&str, u64, SignedDuration),
        run: RunId,
        step: &StepId,
        now: Timestamp,
    ) -> Reserved {
        let mut counters = lock(&self.counters);
        let counter = counters.entry(key.to_owned()).or_default();
        let expect = Expect { stream: Self::stream(key), sequence: counter.sequence };
        counter.sequence += 1;
        counter.uses.push_back((now, amount));
        let floor = now.checked_sub(window).unwrap_or(Timestamp::MIN);
        while counter.uses.front().is_some_and(|(at, _)| *at <= floor) {
            counter.since = counter.since.max(floor);
            counter.uses.pop_front();
        }
        let event = QuotaEvent::Reserved(QuotaUse { key: key.to_owned(), amount, run, step: step.clone() });
        Reserved { expect, event, held: HeldQuota { key: key.to_owned(), amount } }
    }

    /// Notes that an event without a condition has been appended to the counter's stream.
    pub(crate) fn advance(&self, key: &str) {
        if let Some(counter) = lock(&self.counters).get_mut(key) {
            counter.sequence += 1;
        }
    }
}

impl policy::QuotaView for Quotas {
    fn uses(&self, key: &str, since: Timestamp) -> Result<Vec<(Timestamp, u64)>, policy::QuotaUnavailable> {
        let mut counters = lock(&self.counters);
        let known = counters.get(key).is_some_and(|counter| counter.since <= since);
        if !known {
            let (uses, sequence) = self
                .views
                .quota_uses(key, since)
                .map_err(|error| policy::QuotaUnavailable { key: key.to_owned(), why: error.to_string() })?;
            counters.insert(key.to_owned(), Counter { uses: uses.into(), since, sequence });
        }
        let uses = counters
            .get(key)
            .map(|counter| counter.uses.iter().filter(|(at, _)| *at > since).copied().collect());
        Ok(uses.unwrap_or_default())
    }
}

//! Quotas: how often something may be done within a sliding window.
//!
//! A use is **reserved** in the same append that records the intent to act, so two processes cannot both
//! take the last one: the reservation's stream has a condition (see `journal::Expect`). It is **committed**
//! when the effect has happened and **refunded** when it certainly has not. A reservation that is neither (a
//! crash in between) goes on counting until its window has passed: forgetting it could let one too many through.
//!
//! A use at `t` counts at every `now` with `now - window < t`, so it stops to count exactly at `t + window`.

use std::collections::{BTreeMap, VecDeque};

use jiff::SignedDuration;
use model::{Digest, Timestamp};

use crate::file::{Dimension, WhenWord};
use crate::limits;
use crate::matching::{Match, Seen};

/// The uses of a counter cannot be had; the answer is then no (`E0203`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the uses of quota {key} cannot be read: {why}")]
pub struct QuotaUnavailable {
    /// The counter.
    pub key: String,
    /// Why.
    pub why: String,
}

/// What is known about the uses of counters.
pub trait QuotaView {
    /// Uses (reserved and not refunded) of `key` strictly after `since`, oldest first: when, and how much.
    fn uses(&self, key: &str, since: Timestamp) -> Result<Vec<(Timestamp, u64)>, QuotaUnavailable>;
}

/// Nothing has been used yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingUsed;

impl QuotaView for NothingUsed {
    fn uses(&self, _: &str, _: Timestamp) -> Result<Vec<(Timestamp, u64)>, QuotaUnavailable> {
        Ok(Vec::new())
    }
}

/// A use that must be appended together with the intent to act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The counter; its stream is `quota/KEY`. ASCII, at most [`limits::QUOTA_KEY_BYTES`] bytes.
    pub key: String,
    /// How much.
    pub amount: u64,
    /// How long it counts.
    pub window: SignedDuration,
}

/// One quota that applied, as it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaState {
    /// Where the rule stands.
    pub rule: String,
    /// The counter.
    pub key: String,
    /// How many are allowed within the window.
    pub limit: u64,
    /// The window.
    pub window: SignedDuration,
    /// How many were used before this action.
    pub used: u64,
    /// How many are left after this action, if it is allowed.
    pub remaining: u64,
    /// Whether this action is one too many.
    pub exceeded: bool,
    /// When it is exceeded: the moment at which there is room again, if ever.
    pub frees_at: Option<Timestamp>,
}

/// One quota of `policy.yaml`.
#[derive(Debug, Clone)]
pub(crate) struct Quota {
    pub(crate) rule: String,
    pub(crate) name: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) matching: Match,
    pub(crate) limit: u64,
    pub(crate) window: SignedDuration,
    pub(crate) per: Vec<Dimension>,
    pub(crate) on_exceed: WhenWord,
}

impl Quota {
    /// The key of the counter for this action.
    pub(crate) fn key(&self, seen: &Seen<'_>) -> String {
        let mut key = match self.name.as_ref().or(self.group.as_ref()) {
            Some(name) => escaped(name),
            // stable while what is counted stays the same, wherever in the file the rule stands
            None => Digest::of(format!("{:?}", self.matching).as_bytes()).short(),
        };
        for dimension in &self.per {
            key.push('/');
            key.push_str(&escaped(match dimension {
                Dimension::Principal => seen.principal.as_str(),
                Dimension::Environment => seen.environment.as_str(),
                Dimension::Kind => seen.kind,
                Dimension::Tenant => seen.tenant.unwrap_or("-"),
                Dimension::Workflow => seen.workflow,
                Dimension::Target => seen.target,
            }));
        }
        if key.len() > limits::QUOTA_KEY_BYTES { Digest::of(key.as_bytes()).to_string() } else { key }
    }

    /// How the counter stands at `now`.
    pub(crate) fn read(
        &self,
        key: String,
        view: &dyn QuotaView,
        now: Timestamp,
    ) -> Result<QuotaState, QuotaUnavailable> {
        let since = now.checked_sub(self.window).unwrap_or(Timestamp::MIN);
        let uses = view.uses(&key, since)?;
        let counted = || uses.iter().filter(|(at, _)| *at > since);
        let used = counted().fold(0_u64, |sum, (_, amount)| sum.saturating_add(*amount));
        let exceeded = used >= self.limit;
        let frees_at = (exceeded && self.limit > 0)
            .then(|| {
                let mut surplus = used - self.limit + 1;
                counted().find_map(|(at, amount)| {
                    surplus = surplus.saturating_sub(*amount);
                    (surplus == 0).then(|| at.checked_add(self.window).ok()).flatten()
                })
            })
            .flatten();
        Ok(QuotaState {
            rule: self.rule.clone(),
            key,
            limit: self.limit,
            window: self.window,
            used,
            remaining: self.limit.saturating_sub(used).saturating_sub(1),
            exceeded,
            frees_at,
        })
    }
}

/// A text safe in a stream's name, different for different texts.
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._@+:-".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // writing to a String cannot fail
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

/// The quotas that count for an action: all that match, but of each group only the most specific one.
pub(crate) fn applying<'a>(quotas: &'a [Quota], seen: &Seen<'_>) -> Vec<&'a Quota> {
    let mut chosen: Vec<&Quota> = Vec::new();
    for quota in quotas.iter().filter(|quota| quota.matching.matches(seen)) {
        let rival = quota
            .group
            .as_ref()
            .and_then(|group| chosen.iter_mut().find(|other| other.group.as_ref() == Some(group)));
        match rival {
            Some(other) if quota.matching.specificity() > other.matching.specificity() => *other = quota,
            Some(_) => {}
            None => chosen.push(quota),
        }
    }
    chosen
}

/// Uses of counters, folded from the journal's quota events. Pure; the caller says when things happened.
///
/// ```
/// use policy::{QuotaLedger, QuotaView};
/// let at: model::Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
/// let mut ledger = QuotaLedger::default();
/// ledger.reserve("http", at, 1, "run_a /do/0");
/// ledger.refund("http", "run_a /do/0");
/// assert!(ledger.uses("http", model::Timestamp::MIN).unwrap().is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuotaLedger {
    counters: BTreeMap<String, VecDeque<Use>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Use {
    at: Timestamp,
    amount: u64,
    /// Who may still give it back; `None` once committed.
    holder: Option<String>,
}

impl QuotaLedger {
    /// A use was reserved by `holder` (the run and step). Events come in the journal's order, so `at` never goes back;
    /// should it, the use counts from the latest time seen.
    pub fn reserve(&mut self, key: &str, at: Timestamp, amount: u64, holder: &str) {
        let uses = self.counters.entry(key.to_owned()).or_default();
        let at = uses.back().map_or(at, |last| last.at.max(at));
        uses.push_back(Use { at, amount, holder: Some(holder.to_owned()) });
    }

    /// The effect has happened: the oldest open reservation of `holder` stays. Says whether there was one.
    pub fn commit(&mut self, key: &str, holder: &str) -> bool {
        let open = self.open(key, holder);
        open.map(|open| open.holder = None).is_some()
    }

    /// The effect has certainly not happened: the oldest open reservation of `holder` is given back.
    /// Says whether there was one.
    pub fn refund(&mut self, key: &str, holder: &str) -> bool {
        let Some(uses) = self.counters.get_mut(key) else { return false };
        let Some(index) = uses.iter().position(|u| u.holder.as_deref() == Some(holder)) else { return false };
        uses.remove(index);
        true
    }

    /// Forgets uses at or before `horizon`, which must be older than the longest window.
    pub fn prune(&mut self, horizon: Timestamp) {
        self.counters.retain(|_, uses| {
            uses.retain(|used| used.at > horizon);
            !uses.is_empty()
        });
    }

    fn open(&mut self, key: &str, holder: &str) -> Option<&mut Use> {
        self.counters.get_mut(key)?.iter_mut().find(|used| used.holder.as_deref() == Some(holder))
    }
}

impl QuotaView for QuotaLedger {
    fn uses(&self, key: &str, since: Timestamp) -> Result<Vec<(Timestamp, u64)>, QuotaUnavailable> {
        let uses = self.counters.get(key).into_iter().flatten();
        Ok(uses.filter(|used| used.at > since).map(|used| (used.at, used.amount)).collect())
    }
}

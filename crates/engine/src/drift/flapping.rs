//! What keeps changing: findings compared attribute by attribute, and what of that is not told any more.
//!
//! A resource flaps when one of its attributes, or whether it is there at all, was found otherwise more than
//! [`limits::DRIFT_CHANGES_MAX`] times within [`Rules::fight_within`](super::Rules::fight_within) without Aedile having touched it. From
//! then on a finding that differs in nothing else is neither recorded nor told, and nothing is put right there. It is recorded
//! again every [`limits::DRIFT_FLAPS_EVERY`] as long as it is found otherwise than the record before says. When it is not for that
//! time and the time of a fight together, it is steady again.

use std::collections::{BTreeMap, BTreeSet};

use journal::events::{DriftField, DriftFlapped, DriftFound};
use model::{Digest, DriftClass, Timestamp};

use super::{Look, Sighting};
use crate::limits;

/// What of a resource can differ: an attribute, or (without one) whether it is there and can be read.
pub(super) type Aspect = Option<String>;

/// When each aspect of a resource was found otherwise than before, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Turns(BTreeMap<Aspect, Vec<Timestamp>>);

impl Turns {
    pub(super) fn note(&mut self, aspects: BTreeSet<Aspect>, at: Timestamp) {
        for aspect in aspects {
            let times = self.0.entry(aspect).or_default();
            times.push(at);
            let surplus = times.len().saturating_sub(limits::DRIFT_CHANGES_MAX);
            times.drain(..surplus);
        }
    }

    /// Since when an aspect changes too often, if it does.
    pub(super) fn since(&self, aspect: &Aspect, recent: impl Fn(Timestamp) -> bool) -> Option<Timestamp> {
        let times = self.0.get(aspect)?;
        let first = *times.first()?;
        (times.len() >= limits::DRIFT_CHANGES_MAX && recent(first)).then_some(first)
    }
}

/// What a finding says, as far as it is compared with another.
#[derive(Clone, Copy)]
pub(super) struct View<'f> {
    class: DriftClass,
    state: Digest,
    fields: &'f [DriftField],
}

impl<'f> View<'f> {
    pub(super) fn found(found: &'f DriftFound) -> Self {
        Self { class: found.class, state: found.state, fields: &found.fields }
    }

    pub(super) fn sighting(sighting: &'f Sighting) -> Self {
        Self { class: sighting.class, state: sighting.state, fields: &sighting.fields }
    }

    /// Where it differs from what was applied.
    pub(super) fn aspects(self) -> BTreeSet<Aspect> {
        self.parts().into_keys().collect()
    }

    fn parts(self) -> BTreeMap<Aspect, Option<&'f DriftField>> {
        match self.class {
            DriftClass::Missing | DriftClass::Unreadable => [(None, None)].into(),
            _ => self.fields.iter().map(|field| (Some(field.name.clone()), Some(field))).collect(),
        }
    }
}

/// What was recorded of a resource to flap.
pub(super) fn aspects(flapped: &DriftFlapped) -> BTreeSet<Aspect> {
    let fields = flapped.fields.iter().cloned().map(Some);
    fields.chain(flapped.presence.then_some(None)).collect()
}

/// Where two findings differ; `None` is a resource that is as it was applied.
pub(super) fn differences(before: Option<View<'_>>, now: Option<View<'_>>) -> BTreeSet<Aspect> {
    let was = before.map(View::parts).unwrap_or_default();
    let is = now.map(View::parts).unwrap_or_default();
    // that something cannot be read for another reason is another finding
    let unreadable = |view: Option<View<'_>>| {
        view.filter(|view| view.class == DriftClass::Unreadable).map(|view| view.state)
    };
    let other_reason = unreadable(before) != unreadable(now);
    was.keys()
        .chain(is.keys())
        .filter(|aspect| match (was.get(*aspect), is.get(*aspect)) {
            (Some(Some(before)), Some(Some(now))) => !same(before, now),
            (Some(None), Some(None)) => other_reason,
            _ => true,
        })
        .cloned()
        .collect()
}

fn same(before: &DriftField, now: &DriftField) -> bool {
    match (before.digest, now.digest) {
        (Some(before), Some(now)) => before == now,
        // it was recorded when there were no digests of attributes
        _ => before.found == now.found,
    }
}

/// What was seen, by resource.
pub(super) fn by_resource(look: &Look) -> BTreeMap<&str, &Sighting> {
    look.sightings.iter().map(|sighting| (sighting.resource.as_str(), sighting)).collect()
}

/// Whether a look tells anything of a resource.
pub(super) fn tells(look: &Look, seen: &BTreeMap<&str, &Sighting>, resource: &str) -> bool {
    let raced = look.applied.get(resource).is_some_and(|applied| applied.at >= look.began);
    let host = resource.split_once('/').map(|(host, _)| format!("{host}/*"));
    let hidden = host.is_some_and(|host| host != resource && seen.contains_key(host.as_str()));
    !raced && !hidden
}

/// What it was found in; `None` when it is as it was applied.
pub(super) fn state(seen: &BTreeMap<&str, &Sighting>, resource: &str) -> Option<Digest> {
    seen.get(resource).map(|one| one.state)
}

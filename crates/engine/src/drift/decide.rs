//! What is done about what was seen. Plain data in, decisions out: no clock, no journal, no world.

use std::collections::{BTreeMap, BTreeSet};

use journal::events::{
    DriftCalmed, DriftEnded, DriftEvent, DriftFought, DriftFound, DriftHeld, DriftMended, DriftTarget,
};
use model::time::rfc3339;
use model::{DriftClass, OnDrift, RunId, Timestamp};

use super::standing::Standing;
use super::{Look, Rules, Sighting};
use crate::limits;

/// A run that is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Whether people are asked before it begins, whatever policy says.
    pub how: OnDrift,
    /// What it is to put right, sorted.
    pub targets: Vec<DriftTarget>,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decisions {
    /// What is recorded.
    pub records: Vec<DriftEvent>,
    /// Runs that wait for people and are about something that is not so any more, with what became of it.
    pub withdraw: Vec<(RunId, String)>,
    /// Runs that are started.
    pub start: Vec<Start>,
}

/// Decides. `waiting`: those of the runs under way that have not begun. `before`: when everything was looked at the last time.
pub fn decide(
    standing: &Standing,
    look: &Look,
    rules: &Rules,
    waiting: &BTreeSet<RunId>,
    (before, now): (Option<Timestamp>, Timestamp),
) -> Decisions {
    let sightings: BTreeMap<&str, &Sighting> =
        look.sightings.iter().map(|sighting| (sighting.resource.as_str(), sighting)).collect();
    let mut deciding = Deciding {
        standing,
        look,
        rules,
        before,
        now,
        sightings,
        calmed: BTreeSet::new(),
        fighting: BTreeSet::new(),
        decisions: Decisions::default(),
    };
    deciding.calm();
    deciding.record();
    deciding.end();
    let live = deciding.withdraw(waiting);
    deciding.start(&live);
    deciding.decisions
}

struct Deciding<'d> {
    standing: &'d Standing,
    look: &'d Look,
    rules: &'d Rules,
    before: Option<Timestamp>,
    now: Timestamp,
    sightings: BTreeMap<&'d str, &'d Sighting>,
    /// Fights that end now.
    calmed: BTreeSet<&'d str>,
    /// Fights that begin now.
    fighting: BTreeSet<&'d str>,
    decisions: Decisions,
}

impl<'d> Deciding<'d> {
    /// Whether something was applied to it while it was looked at, so that what was seen is not what is.
    fn raced(&self, resource: &str) -> bool {
        self.look.applied.get(resource).is_some_and(|applied| applied.at >= self.look.began)
    }

    fn push(&mut self, event: DriftEvent) {
        self.decisions.records.push(event);
    }

    /// Ends fights: somebody else applied the resource, or it was quiet for long enough.
    fn calm(&mut self) {
        let standing = self.standing;
        for (resource, fight) in &standing.fights {
            let applied = self.look.applied.get(resource);
            let by_somebody =
                applied.filter(|one| one.at > fight.at && one.requester.kind() != super::principal().kind());
            let quiet =
                standing.quiet.get(resource).filter(|_| !self.sightings.contains_key(resource.as_str()));
            let why = if let Some(applied) = by_somebody {
                format!("{} applied it ({})", applied.requester, applied.run)
            } else if quiet.is_some_and(|since| self.now.duration_since(*since) >= self.rules.fight_within) {
                format!("nobody touched it for {:#}", self.rules.fight_within)
            } else {
                continue;
            };
            self.calmed.insert(resource);
            self.push(DriftEvent::Calmed(DriftCalmed { resource: resource.clone(), why }));
        }
    }

    /// Tells of every state once, and of fights.
    fn record(&mut self) {
        let standing = self.standing;
        for sighting in self.sightings.clone().into_values() {
            if self.raced(&sighting.resource) {
                continue;
            }
            let known = match sighting.class {
                DriftClass::Unreadable => standing.unreadable.get(&sighting.resource),
                _ => standing.found.get(&sighting.resource),
            };
            let same = known.filter(|known| {
                known.what.state == sighting.state
                    && known.what.class == sighting.class
                    && known.what.policy == sighting.policy
            });
            if same.is_none() {
                let found = self.found(sighting);
                self.push(DriftEvent::Found(Box::new(found)));
            }
            let known_fight = standing.fights.contains_key(&sighting.resource)
                && !self.calmed.contains(sighting.resource.as_str());
            if !known_fight && let Some(fought) = self.fight(sighting) {
                self.fighting.insert(&sighting.resource);
                self.push(DriftEvent::Fought(Box::new(fought)));
            }
        }
    }

    /// When it was as it was applied, as far as anybody looked.
    fn after(&self, sighting: &Sighting) -> Option<Timestamp> {
        let known = self.standing.found.get(&sighting.resource);
        let host = sighting.resource.split('/').next().unwrap_or_default();
        let hidden = [sighting.resource.clone(), format!("{host}/*")];
        let hidden = hidden.iter().any(|one| self.standing.unreadable.contains_key(one));
        let looked = self.before.filter(|_| known.is_none() && !hidden);
        let applied = self.look.applied.get(&sighting.resource).map(|applied| applied.at);
        let still = known.and_then(|known| known.what.after);
        looked.max(applied).max(still)
    }

    fn found(&self, sighting: &Sighting) -> DriftFound {
        DriftFound {
            resource: sighting.resource.clone(),
            class: sighting.class,
            state: sighting.state,
            policy: sighting.policy,
            fields: sighting.fields.clone(),
            why: sighting.why.clone(),
            after: self.after(sighting).filter(|_| sighting.class != DriftClass::Unreadable),
            seen: self.look.began,
        }
    }

    /// Whether something that was put right often enough came back.
    fn fight(&self, sighting: &Sighting) -> Option<DriftFought> {
        let all = self.standing.mended.get(&sighting.resource)?;
        // a fight that ends now begins anew
        if self.calmed.contains(sighting.resource.as_str()) {
            return None;
        }
        let fields: Vec<Option<&str>> = match sighting.class {
            DriftClass::Missing => vec![None],
            DriftClass::Changed => sighting.fields.iter().map(|field| Some(field.name.as_str())).collect(),
            DriftClass::Conflict | DriftClass::Unreadable => return None,
        };
        fields.into_iter().find_map(|field| {
            let recent = |at: Timestamp| self.now.duration_since(at) <= self.rules.fight_within;
            let mended: Vec<DriftMended> = all
                .iter()
                .filter(|one| one.field.as_deref() == field && recent(one.mended.at))
                .map(|one| one.mended.clone())
                .collect();
            if mended.len() < self.rules.fight_repairs as usize {
                return None;
            }
            let differs = sighting.fields.iter().find(|one| Some(one.name.as_str()) == field);
            let host = sighting.resource.split('/').next().unwrap_or_default();
            Some(DriftFought {
                resource: sighting.resource.clone(),
                field: field.map(str::to_owned),
                ours: differs.map_or_else(|| "makes it".to_owned(), |one| one.wanted.clone()),
                theirs: differs.map_or_else(|| "removes it".to_owned(), |one| one.found.clone()),
                after: self.after(sighting),
                mended,
                who: format!("something on {host}, or somebody logged in there"),
                seen: self.look.began,
            })
        })
    }

    /// What was found once and is not seen any more.
    fn end(&mut self) {
        let seen = self.look.began;
        let unreadable = |host: &str| self.sightings.contains_key(format!("{host}/*").as_str());
        let mut ended = Vec::new();
        for (resource, found) in &self.standing.found {
            // of what cannot be read nothing is known
            let hidden = resource.split_once('/').is_some_and(|(host, _)| unreadable(host));
            if !self.sightings.contains_key(resource.as_str()) && !hidden && !self.raced(resource) {
                ended.push(DriftEnded { resource: resource.clone(), class: found.what.class, seen });
            }
        }
        for resource in self.standing.unreadable.keys() {
            let sighting = self.sightings.get(resource.as_str());
            if sighting.is_none_or(|sighting| sighting.class != DriftClass::Unreadable) {
                ended.push(DriftEnded { resource: resource.clone(), class: DriftClass::Unreadable, seen });
            }
        }
        self.decisions.records.extend(ended.into_iter().map(DriftEvent::Ended));
    }

    /// Takes back what waits for people and is about something that is not so any more. Answers the runs that stay.
    fn withdraw(&mut self, waiting: &BTreeSet<RunId>) -> BTreeSet<RunId> {
        let mut live = BTreeSet::new();
        for (run, trial) in &self.standing.trials {
            let moved = trial.what.resources.iter().find_map(|target| {
                let host = target.resource.split('/').next().unwrap_or_default();
                if self.sightings.contains_key(format!("{host}/*").as_str()) {
                    return None;
                }
                match self.sightings.get(target.resource.as_str()) {
                    None => Some(format!("{} is as it was applied again", target.resource)),
                    Some(sighting) if sighting.class == DriftClass::Unreadable => None,
                    Some(sighting) if sighting.state != target.state => {
                        Some(format!("{} changed once more", target.resource))
                    }
                    Some(_) if self.fighting.contains(target.resource.as_str()) => {
                        Some(format!("somebody fights over {}", target.resource))
                    }
                    Some(_) => None,
                }
            });
            match moved {
                Some(why) if waiting.contains(run) => self.decisions.withdraw.push((*run, why)),
                _ => {
                    live.insert(*run);
                }
            }
        }
        live
    }

    /// How it is put right, if it is to be at all.
    fn how(&self, sighting: &Sighting, live: &BTreeSet<RunId>) -> Option<OnDrift> {
        let resource = sighting.resource.as_str();
        let fights = self.standing.fights.contains_key(resource) && !self.calmed.contains(resource);
        if !matches!(sighting.class, DriftClass::Changed | DriftClass::Missing)
            || fights
            || self.fighting.contains(resource)
            || self.raced(resource)
        {
            return None;
        }
        // a run that has begun is about whatever it finds
        let busy = self.standing.trials.iter().any(|(run, trial)| {
            live.contains(run) && trial.what.resources.iter().any(|target| target.resource == resource)
        });
        let refused = self
            .standing
            .refused
            .get(resource)
            .is_some_and(|refusal| refusal.state == sighting.state && refusal.policy == self.look.policy);
        if busy || refused || self.gave_up(sighting) {
            return None;
        }
        match sighting.policy {
            OnDrift::Report => None,
            OnDrift::Repair if sighting.ask.is_none() => Some(OnDrift::Repair),
            OnDrift::Repair | OnDrift::Propose => Some(OnDrift::Propose),
        }
    }

    fn gave_up(&self, sighting: &Sighting) -> bool {
        let failed = self.standing.failed.get(&sighting.resource);
        failed.is_some_and(|(state, times)| *state == sighting.state && *times >= limits::DRIFT_FAILURES_MAX)
    }

    fn start(&mut self, live: &BTreeSet<RunId>) {
        let sightings: Vec<&Sighting> = self.sightings.values().copied().collect();
        let wanted: BTreeMap<&str, OnDrift> = sightings
            .iter()
            .filter_map(|sighting| Some((sighting.resource.as_str(), self.how(sighting, live)?)))
            .collect();
        for sighting in &sightings {
            if self.gave_up(sighting) && sighting.policy != OnDrift::Report {
                let why = format!("putting it right failed {} times", limits::DRIFT_FAILURES_MAX);
                self.hold(sighting, why, None);
            }
        }
        for how in [OnDrift::Repair, OnDrift::Propose] {
            let mut chosen: BTreeSet<&str> =
                wanted.iter().filter(|(_, one)| **one == how).map(|(resource, _)| *resource).collect();
            self.without_missing(&mut chosen);
            if how == OnDrift::Repair {
                self.within_limits(&mut chosen);
                // what was left out may be what others need
                self.without_missing(&mut chosen);
            }
            let targets: Vec<DriftTarget> = chosen
                .into_iter()
                .take(limits::DRIFT_RUN_MAX)
                .filter_map(|resource| self.sightings.get(resource))
                .map(|sighting| DriftTarget {
                    resource: sighting.resource.clone(),
                    state: sighting.state,
                    fields: sighting.fields.iter().map(|field| field.name.clone()).collect(),
                })
                .collect();
            if !targets.is_empty() {
                self.decisions.start.push(Start { how, targets });
            }
        }
    }

    /// Leaves out what depends on something that is not right and is not put right together with it.
    fn without_missing(&mut self, chosen: &mut BTreeSet<&'d str>) {
        loop {
            let lacking = chosen.iter().find_map(|resource| {
                let sighting = *self.sightings.get(resource)?;
                let on = sighting
                    .depends
                    .iter()
                    .find(|on| self.sightings.contains_key(on.as_str()) && !chosen.contains(on.as_str()))?;
                Some((sighting, on))
            });
            let Some((sighting, on)) = lacking else { return };
            chosen.remove(sighting.resource.as_str());
            self.hold(sighting, format!("it depends on {on}, which is not as it was applied"), None);
        }
    }

    /// Leaves out what would be too much.
    fn within_limits(&mut self, chosen: &mut BTreeSet<&'d str>) {
        let (rules, now) = (self.rules, self.now);
        let recent = |all: &[Timestamp]| -> Vec<Timestamp> {
            all.iter().copied().filter(|at| now.duration_since(*at) < rules.per).collect()
        };
        let mut all: Vec<Timestamp> = self.standing.begun.values().flat_map(|begun| recent(begun)).collect();
        all.sort_unstable();
        let frees = |begun: &[Timestamp], most: u32| {
            // there is room again when so many of the oldest are out of the window that less than `most` are left
            let first = begun.len().saturating_sub(most.max(1) as usize);
            begun.get(first).and_then(|at| at.checked_add(rules.per).ok())
        };
        let mut room = (rules.repairs_all as usize).saturating_sub(all.len());
        for resource in chosen.clone() {
            let begun = self.standing.begun.get(resource).map(|begun| recent(begun)).unwrap_or_default();
            let (why, until) = if begun.len() >= rules.repairs_each as usize {
                let why = format!("it was repaired {} times within {:#}", begun.len(), rules.per);
                (why, frees(&begun, rules.repairs_each))
            } else if room == 0 {
                let why = format!("{} repairs were begun within {:#}", rules.repairs_all, rules.per);
                (why, frees(&all, rules.repairs_all))
            } else {
                room -= 1;
                continue;
            };
            chosen.remove(resource);
            if let Some(sighting) = self.sightings.get(resource).copied() {
                self.hold(sighting, why, until);
            }
        }
    }

    /// Says once that, and why, nothing is done.
    fn hold(&mut self, sighting: &Sighting, why: String, until: Option<Timestamp>) {
        let known = self.standing.held.get(&sighting.resource);
        let same = known.is_some_and(|held| {
            held.state == sighting.state
                && (held.why == why || held.until.is_some_and(|until| until > self.now))
        });
        let why = match until {
            Some(until) => format!("{why}; there is room again at {}", rfc3339(until)),
            None => why,
        };
        let told = known.is_some_and(|held| held.state == sighting.state && held.why == why);
        if !same && !told {
            let (resource, state) = (sighting.resource.clone(), sighting.state);
            self.push(DriftEvent::Held(DriftHeld { resource, state, why, until }));
        }
    }
}

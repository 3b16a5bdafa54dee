//! What is done about what was seen. Plain data in, decisions out: no clock, no journal, no world.

use std::collections::{BTreeMap, BTreeSet};

use journal::events::{
    DriftCalmed, DriftEnded, DriftEvent, DriftFlapped, DriftFought, DriftFound, DriftHeld, DriftMended,
    DriftResumed, DriftTarget,
};
use model::time::rfc3339;
use model::{Digest, DriftClass, OnDrift, RunId, Timestamp};

use super::flapping::{self, Aspect, View, aspects, differences};
use super::standing::{Flapping, Standing};
use super::{Look, Rounds, Rules, Sighting};
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

/// Decides. `waiting`: those of the runs under way that have not begun. `rounds`: what is remembered of the rounds before.
pub fn decide(
    standing: &Standing,
    look: &Look,
    rules: &Rules,
    waiting: &BTreeSet<RunId>,
    (rounds, now): (&Rounds, Timestamp),
) -> Decisions {
    let sightings = flapping::by_resource(look);
    let mut deciding = Deciding {
        standing,
        look,
        rules,
        rounds,
        now,
        sightings,
        calmed: BTreeSet::new(),
        fighting: BTreeSet::new(),
        flapping: BTreeMap::new(),
        decisions: Decisions::default(),
    };
    deciding.resume();
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
    rounds: &'d Rounds,
    now: Timestamp,
    sightings: BTreeMap<&'d str, &'d Sighting>,
    /// Where fights, or flapping, end now.
    calmed: BTreeSet<&'d str>,
    /// Fights that begin now.
    fighting: BTreeSet<&'d str>,
    /// What keeps changing, also since now.
    flapping: BTreeMap<&'d str, BTreeSet<Aspect>>,
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

    /// Says that somebody looks again.
    fn resume(&mut self) {
        if let Some(skipped) = &self.standing.skipped {
            let (since, rounds) = (skipped.what.since, skipped.what.rounds);
            self.push(DriftEvent::Resumed(DriftResumed { since, rounds, seen: self.look.began }));
        }
    }

    /// Ends fights and flapping: somebody else applied the resource, or it was quiet for long enough.
    fn calm(&mut self) {
        let standing = self.standing;
        for (resource, fight) in &standing.fights {
            let quiet =
                standing.quiet.get(resource).filter(|_| !self.sightings.contains_key(resource.as_str()));
            let why = if let Some(why) = self.by_somebody(resource, fight.at) {
                why
            } else if quiet.is_some_and(|since| self.now.duration_since(*since) >= self.rules.fight_within) {
                format!("nobody touched it for {:#}", self.rules.fight_within)
            } else {
                continue;
            };
            self.over(resource, why);
        }
        for (resource, flapping) in &standing.flapping {
            if self.calmed.contains(resource.as_str()) {
                continue;
            }
            // what applies on a schedule says nothing about what changes in between; a person who applies wants to know
            let person = self.look.applied.get(resource).is_some_and(|one| one.requester.kind() == "user");
            let applied = self.by_somebody(resource, flapping.at).filter(|_| person);
            if let Some(why) = applied.or_else(|| self.steady(resource, flapping)) {
                self.over(resource, why);
            } else {
                self.flapping.insert(resource, aspects(&flapping.what));
            }
        }
    }

    fn over(&mut self, resource: &'d str, why: String) {
        self.calmed.insert(resource);
        self.push(DriftEvent::Calmed(DriftCalmed { resource: resource.to_owned(), why }));
    }

    /// That somebody other than this reconciler applied a resource since a moment.
    fn by_somebody(&self, resource: &str, since: Timestamp) -> Option<String> {
        let applied = self.look.applied.get(resource)?;
        let other = applied.at > since && applied.requester.kind() != super::principal().kind();
        other.then(|| format!("{} applied it ({})", applied.requester, applied.run))
    }

    /// That what kept changing does not any more. What is wrong without changing ends no fight.
    fn steady(&self, resource: &str, flapping: &Flapping) -> Option<String> {
        let state = flapping::state(&self.sightings, resource);
        let fights = state.is_some() && self.standing.fights.contains_key(resource);
        let told = flapping::tells(self.look, &self.sightings, resource);
        let needed = limits::DRIFT_FLAPS_EVERY.saturating_add(self.rules.fight_within);
        let lasted = self.now.duration_since(flapping.at);
        (told && state == flapping.what.state && !fights && lasted >= needed)
            .then(|| format!("it has not changed for {needed:#}"))
    }

    /// Tells of every state once, of fights, and of what keeps changing.
    fn record(&mut self) {
        let standing = self.standing;
        for sighting in self.sightings.clone().into_values() {
            if self.raced(&sighting.resource) {
                continue;
            }
            let known = standing.known(&sighting.resource, sighting.class);
            let same = known.is_some_and(|known| {
                known.what.state == sighting.state
                    && known.what.class == sighting.class
                    && known.what.policy == sighting.policy
            });
            if !same && !self.flaps(sighting) {
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
        self.remind();
    }

    /// Whether a finding differs from the one before in nothing but what keeps changing. Says so where that begins.
    fn flaps(&mut self, sighting: &'d Sighting) -> bool {
        let resource = sighting.resource.as_str();
        let known = self.standing.known(resource, sighting.class);
        let before = known.map(|known| View::found(&known.what));
        let differs = differences(before, Some(View::sighting(sighting)));
        let turns = self.standing.turns.get(resource).filter(|_| !self.calmed.contains(resource));
        let recent = |at: Timestamp| self.now.duration_since(at) <= self.rules.fight_within;
        let mut aspects = self.flapping.get(resource).cloned().unwrap_or_default();
        let mut first: Option<Timestamp> = None;
        for aspect in differs.difference(&aspects.clone()) {
            if let Some(since) = turns.and_then(|turns| turns.since(aspect, recent)) {
                aspects.insert(aspect.clone());
                first = Some(first.map_or(since, |first| first.min(since)));
            }
        }
        // that its declaration says something else is not its changing
        let declared = known.is_none_or(|known| known.what.policy == sighting.policy);
        let all = declared && !differs.is_empty() && differs.is_subset(&aspects);
        if let Some(first) = first {
            self.flapped(resource, &aspects, (Some(sighting.state), first));
        }
        if !aspects.is_empty() {
            self.flapping.insert(resource, aspects);
        }
        all
    }

    fn flapped(
        &mut self,
        resource: &str,
        aspects: &BTreeSet<Aspect>,
        (state, since): (Option<Digest>, Timestamp),
    ) {
        let known = self.standing.flapping.get(resource).filter(|_| !self.calmed.contains(resource));
        let before = known.map_or(limits::DRIFT_CHANGES_MAX as u64, |known| known.what.changes);
        self.push(DriftEvent::Flapped(Box::new(DriftFlapped {
            resource: resource.to_owned(),
            fields: aspects.iter().flatten().cloned().collect(),
            presence: aspects.contains(&None),
            state,
            changes: before + self.rounds.changes(resource).max(1),
            since: known.map_or(since, |known| known.what.since),
            seen: self.look.began,
        })));
    }

    /// Says from time to time that something still keeps changing.
    fn remind(&mut self) {
        let standing = self.standing;
        for (resource, flapping) in &standing.flapping {
            let Some(aspects) = self.flapping.get(resource.as_str()).cloned() else { continue };
            let state = flapping::state(&self.sightings, resource);
            let due = self.now.duration_since(flapping.at) >= limits::DRIFT_FLAPS_EVERY;
            let said =
                |event: &DriftEvent| matches!(event, DriftEvent::Flapped(one) if one.resource == *resource);
            if due
                && state != flapping.what.state
                && flapping::tells(self.look, &self.sightings, resource)
                && !self.decisions.records.iter().any(said)
            {
                self.flapped(resource, &aspects, (state, flapping.what.since));
            }
        }
    }

    /// When it was as it was applied, as far as anybody looked.
    fn after(&self, sighting: &Sighting) -> Option<Timestamp> {
        let known = self.standing.found.get(&sighting.resource);
        let host = sighting.resource.split('/').next().unwrap_or_default();
        let hidden = [sighting.resource.clone(), format!("{host}/*")];
        let hidden = hidden.iter().any(|one| self.standing.unreadable.contains_key(one));
        let flaps = self.standing.flapping.contains_key(&sighting.resource);
        let looked = self.rounds.before.filter(|_| known.is_none() && !hidden && !flaps);
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

    /// Whether what ends is only what keeps changing, which may be back at the next look.
    fn back_soon(&self, resource: &str, found: &DriftFound) -> bool {
        self.flapping.get(resource).is_some_and(|aspects| View::found(found).aspects().is_subset(aspects))
    }

    /// What was found once and is not seen any more.
    fn end(&mut self) {
        let seen = self.look.began;
        let unreadable = |host: &str| self.sightings.contains_key(format!("{host}/*").as_str());
        let mut ended = Vec::new();
        for (resource, found) in &self.standing.found {
            // of what cannot be read nothing is known
            let hidden = resource.split_once('/').is_some_and(|(host, _)| unreadable(host));
            let ends = !self.sightings.contains_key(resource.as_str()) && !hidden && !self.raced(resource);
            if ends && !self.back_soon(resource, &found.what) {
                ended.push(DriftEnded { resource: resource.clone(), class: found.what.class, seen });
            }
        }
        for (resource, found) in &self.standing.unreadable {
            let sighting = self.sightings.get(resource.as_str());
            let ends = sighting.is_none_or(|sighting| sighting.class != DriftClass::Unreadable);
            if ends && !self.back_soon(resource, &found.what) {
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
        // put right as a whole, it would be wrong again at the next look
        let flaps = self
            .flapping
            .get(resource)
            .is_some_and(|aspects| !aspects.is_disjoint(&View::sighting(sighting).aspects()));
        if !matches!(sighting.class, DriftClass::Changed | DriftClass::Missing)
            || fights
            || flaps
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

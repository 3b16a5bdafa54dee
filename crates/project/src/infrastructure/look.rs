//! What is on the hosts: every resource looked at, in as few round trips as possible, by sessions that cannot change
//! anything.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use engine::ports::{Secret, SecretError, Secrets};
use futures_util::stream::{self, StreamExt as _};
use host::secrets::Scrubber;
use model::{Coded as _, Problem};
use plan::{Host, Instance, Name, Observed, OutputRef, Seals, TypeName, Values};
use provider::{Attributes, Files, Group, Inspected, Needs, Probes, ProviderError, Rights};
use remote::Carrier;
use serde_json::Value;

use super::fleet::Fleet;
use super::guards::Guards;
use super::providers::Providers;
use crate::limits;

/// Something to look at.
#[derive(Debug, Clone)]
pub(super) struct Sight {
    pub(super) instance: Instance,
    pub(super) kind: TypeName,
    /// As declared, or as it was applied last; secrets and outputs as references.
    pub(super) declared: Values,
}

/// Looks.
pub(super) struct Looking<'a> {
    pub(super) providers: &'a Providers,
    pub(super) fleet: &'a Fleet,
    pub(super) secrets: &'a dyn Secrets,
    pub(super) files: &'a dyn Files,
    pub(super) probes: &'a dyn Probes,
    pub(super) seals: Seals<'a>,
    /// What may be run because the configuration says so.
    pub(super) guards: Guards,
    /// Values of secrets that providers got, to keep them out of what providers say.
    pub(super) revealed: Mutex<Scrubber>,
    /// What is missing is made as soon as that is planned, so that a host is made ready for it.
    pub(super) before_changes: bool,
}

/// Remembers what it reveals.
struct Noted<'a> {
    source: &'a dyn Secrets,
    values: &'a Mutex<Scrubber>,
}

impl Secrets for Noted<'_> {
    fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
        let secret = self.source.reveal(name)?;
        self.values.lock().unwrap_or_else(PoisonError::into_inner).add(name, secret.expose());
        Ok(secret)
    }
}

/// One sight as it goes to a provider.
struct Asked {
    at: usize,
    /// With everything filled in.
    config: Attributes,
    /// With outputs filled in and secrets as references.
    resolved: Values,
}

impl Looking<'_> {
    /// What every one of them is. What refers to another is looked at once that is known.
    pub(super) async fn look(&self, sights: &[Sight]) -> HashMap<Instance, Observed> {
        let index: HashMap<&Instance, usize> =
            sights.iter().enumerate().map(|(at, sight)| (&sight.instance, at)).collect();
        let mut by_resource: HashMap<&plan::ResourceId, Vec<usize>> = HashMap::new();
        for (at, sight) in sights.iter().enumerate() {
            by_resource.entry(&sight.instance.resource).or_default().push(at);
        }
        let mut seen: Vec<Option<Seen>> = Vec::new();
        seen.resize_with(sights.len(), || None);
        let mut open: Vec<usize> = (0..sights.len()).collect();
        while !open.is_empty() {
            let meant = |at: usize, reference: &OutputRef| -> Option<usize> {
                let here = Instance::new(sights[at].instance.host.clone(), reference.resource.clone());
                index.get(&here).copied().or_else(|| match by_resource.get(&reference.resource)?.as_slice() {
                    [one] => Some(*one),
                    _ => None,
                })
            };
            let waits = |at: &usize| {
                references(&sights[*at].declared)
                    .iter()
                    .filter_map(|reference| meant(*at, reference))
                    .any(|on| on != *at && seen[on].is_none())
            };
            let (mut later, mut now): (Vec<usize>, Vec<usize>) = open.iter().partition(|at| waits(at));
            if now.is_empty() {
                // they wait for each other, which planning refuses; nothing is gained by waiting here
                std::mem::swap(&mut later, &mut now);
            }
            let mut asked: BTreeMap<Host, Vec<Asked>> = BTreeMap::new();
            for at in now {
                let lookup = |reference: &OutputRef| output(sights, &seen, meant(at, reference)?, reference);
                match self.filled(&sights[at], lookup) {
                    Ok((config, resolved)) => {
                        let asked = asked.entry(sights[at].instance.host.clone()).or_default();
                        asked.push(Asked { at, config, resolved });
                    }
                    Err(observed) => seen[at] = Some(Seen { observed, resolved: Values::new() }),
                }
            }
            for (at, found) in self.on_hosts(sights, asked).await {
                seen[at] = Some(found);
            }
            open = later;
        }
        let observed = seen.into_iter().flatten();
        sights.iter().zip(observed).map(|(sight, seen)| (sight.instance.clone(), seen.observed)).collect()
    }

    /// A sight with everything filled in that is known; or what can be said of it without asking.
    fn filled(
        &self,
        sight: &Sight,
        mut lookup: impl FnMut(&OutputRef) -> Option<Arc<Value>>,
    ) -> Result<(Attributes, Values), Observed> {
        let Some((_, kind)) = self.providers.find(&sight.kind) else {
            let problem = Problem::configuration(format!("there is no provider for {}", sight.kind));
            return Err(Observed::Unreadable(problem));
        };
        let (mut config, mut resolved) = (Attributes::new(), Values::new());
        for (name, value) in &sight.declared {
            let (value, missing) = plan::fill(value, &mut lookup);
            if let Some(missing) = missing.first() {
                if kind.schema.identity.contains(name) {
                    let host = sight.instance.host.clone();
                    return Err(Observed::NotYet { missing: Instance::new(host, missing.resource.clone()) });
                }
                continue;
            }
            let noted = Noted { source: self.secrets, values: &self.revealed };
            let revealed = host::reveal(&value, &noted).map_err(|error| {
                let problem = Problem::configuration(error.to_string());
                Observed::Unreadable(problem.with_code(model::code::host::NO_SECRET))
            })?;
            config.insert(name.as_str().to_owned(), revealed);
            resolved.insert(name.clone(), value);
        }
        if let Some(problem) = self.guards.refuse(&sight.instance, kind, &kind.complete(config.clone())) {
            return Err(Observed::Unreadable(problem));
        }
        Ok((config, resolved))
    }

    async fn on_hosts(&self, sights: &[Sight], asked: BTreeMap<Host, Vec<Asked>>) -> Vec<(usize, Seen)> {
        let looking = asked.into_iter().map(|(host, asked)| self.on_host(host, sights, asked));
        let mut all = stream::iter(looking).buffer_unordered(limits::HOSTS_AT_ONCE);
        let mut seen = Vec::new();
        while let Some(more) = all.next().await {
            seen.extend(more);
        }
        seen
    }

    async fn on_host(&self, host: Host, sights: &[Sight], asked: Vec<Asked>) -> Vec<(usize, Seen)> {
        let mut by_kind: BTreeMap<&TypeName, Vec<Asked>> = BTreeMap::new();
        let mut rights = Rights::default();
        for one in asked {
            let kind = &sights[one.at].kind;
            if let Some((_, description)) = self.providers.find(kind) {
                rights.add(Needs::of(description, &description.complete(one.config.clone())).looking());
            }
            by_kind.entry(kind).or_default().push(one);
        }
        let (mut places, mut groups) = (Vec::new(), Vec::new());
        for (kind, mut asked) in by_kind {
            let Some((provider, kind)) = self.providers.find(kind) else { continue };
            while !asked.is_empty() {
                let rest = asked.split_off(asked.len().min(provider::limits::RESOURCES_MAX));
                groups.push(Group {
                    provider,
                    kind,
                    configs: asked.iter().map(|one| one.config.clone()).collect(),
                });
                places.push(std::mem::replace(&mut asked, rest));
            }
        }
        let results = match self.fleet.open(&host, rights).await {
            Ok(session) => {
                let carrier = Carrier::new(&session, self.files, self.probes);
                let results = provider::inspect(&groups, &carrier).await;
                // its farewell is not waited for, which would take as long as the questions did on a long way
                drop(session);
                results
            }
            Err(error) => {
                let error =
                    ProviderError::Target { why: error.to_string(), code: error.code(), uncertain: false };
                groups
                    .iter()
                    .map(|group| vec![Inspected::Unreadable(error.clone()); group.configs.len()])
                    .collect()
            }
        };
        if self.before_changes && results.iter().flatten().any(|one| matches!(one, Inspected::Absent)) {
            self.fleet.prepare([&host]);
        }
        let places = places.into_iter().flatten();
        places
            .zip(results.into_iter().flatten())
            .map(|(asked, one)| (asked.at, self.seen(&sights[asked.at], asked, one)))
            .collect()
    }

    /// A problem without the values of secrets.
    fn scrubbed(&self, mut problem: Problem) -> Problem {
        let scrubber = self.revealed.lock().unwrap_or_else(PoisonError::into_inner);
        for text in [&mut problem.detail, &mut problem.title].into_iter().flatten() {
            *text = scrubber.scrub_text(text);
        }
        problem
    }

    fn seen(&self, sight: &Sight, asked: Asked, inspected: Inspected) -> Seen {
        let Asked { config, resolved, .. } = asked;
        let kind = self.providers.find(&sight.kind).map(|(_, kind)| kind);
        // where a secret is part of a resource, whatever else was found of it may hold the secret, too
        let secretive = resolved.values().any(|value| plan::refers_to_secret(value));
        let observed = inspected.observed(|name, value| {
            let declared = config.get(name.as_str());
            let sensitive = kind
                .and_then(|kind| kind.schema.attributes.get(name))
                .is_some_and(|attribute| attribute.sensitive);
            let sensitive = sensitive || (secretive && declared != Some(&value));
            self.seals.observed(value, resolved.get(name), declared, sensitive)
        });
        let observed = match observed {
            Observed::Unreadable(problem) => Observed::Unreadable(self.scrubbed(problem)),
            other => other,
        };
        Seen { observed, resolved }
    }
}

/// What was seen, and what was declared for it, outputs filled in.
struct Seen {
    observed: Observed,
    resolved: Values,
}

fn references(declared: &Values) -> Vec<OutputRef> {
    declared.values().flat_map(|value| plan::references_in(value)).collect()
}

/// The value of another one's attribute: as declared, else as it was found.
fn output(sights: &[Sight], seen: &[Option<Seen>], on: usize, reference: &OutputRef) -> Option<Arc<Value>> {
    let seen = seen[on].as_ref()?;
    let name: &Name = &reference.attribute;
    if sights[on].declared.contains_key(name) {
        return seen.resolved.get(name).cloned();
    }
    match &seen.observed {
        Observed::Present(attributes) => attributes.get(name)?.value().cloned(),
        _ => None,
    }
}

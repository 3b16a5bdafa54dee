//! Makes plans: reads the configuration, looks at the hosts, and compares.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::{Diagnostic, Digest, PlanId, code};
use plan::{
    Applied, Desired, Header, Host, Instance, Inventory, Plan, ResourceId, Seals, Selector, Values, World,
};
use provider::{Attributes, Needs};

use super::look::{Looking, Sight};
use super::prepare::{Prepared, fill, prepare};
use super::providers::Providers;
use super::site::Site;
use crate::ProjectError;

/// What a plan is to be about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Variables of the configuration.
    pub variables: BTreeMap<String, String>,
    /// Only these resources and what they depend on; everything when empty.
    pub focus: Vec<ResourceId>,
    /// Only these are changed, whatever else differs; all that differ when empty.
    pub only: Vec<Instance>,
    /// Nothing of what is declared: everything that was applied goes.
    pub destroy: bool,
    /// What the focus names goes on record where it is there as it is declared.
    pub adopt: bool,
    /// The plan is carried out at once: hosts where something is missing are made ready for that while it is made
    /// ([`Site::prepare`]).
    pub at_once: bool,
}

/// A plan and what it was made from.
#[derive(Debug)]
pub struct Made {
    /// The plan.
    pub plan: Plan,
    /// The configuration.
    pub configuration: config::Project,
}

fn bad(findings: Vec<Diagnostic>) -> ProjectError {
    ProjectError::Bad { findings }
}

impl Site {
    /// What is wrong with a configuration by itself: everything that can be known without a secret or a host.
    ///
    /// # Errors
    /// Every mistake with its place.
    pub async fn check(&self, config: &config::Project) -> Result<(), ProjectError> {
        let providers = self.providers().await?;
        fill(config, &self.parts.project.root, providers).await.map(drop).map_err(bad)
    }

    /// Makes a plan. Reads files and looks at hosts; changes neither, and no session it opens could.
    ///
    /// # Errors
    /// The configuration is wrong or a secret is missing. A host that cannot be reached is no error: what is on it is blocked.
    pub async fn plan(&self, wanted: &Wanted) -> Result<Made, ProjectError> {
        let mut configuration = self.configuration(&wanted.variables)?;
        configuration.forget_values();
        let hosts = meant(&configuration, wanted);
        self.fleet.connect(hosts.iter().copied());
        let providers = self.providers().await?;
        let key = self.key().await?;
        let secrets = self.secrets().ok_or(ProjectError::NoInfrastructure)?;
        let root = &self.parts.project.root;
        let prepared = prepare(&configuration, root, providers, (&*secrets, key)).await;
        let Prepared { mut desired, digest, seals } = prepared.map_err(bad)?;
        if wanted.destroy {
            kept(&desired)?;
            desired = Desired::default();
        }
        let (position, applied) = self.applied()?;
        // what is wrong is found before any host is asked
        let found = unknown(&desired, &applied, &wanted.focus);
        if !found.is_empty() {
            return Err(bad(found));
        }
        // who is looked at by sessions that are not known yet has a runner by then
        self.fleet.prepare(hosts);
        let sights = sights(&desired, &configuration.inventory, &applied, &wanted.focus);
        let looking = self.looking(providers, &*secrets, Seals { secrets: &seals, key });
        let looking = Looking { before_changes: wanted.at_once, ..looking };
        let mut world = World::new(configuration.inventory.clone(), key.clone());
        world.observed = looking.look(&sights).await;
        world.needs = needs(providers, &sights, &applied);
        needs_of_checks(&desired, providers, &mut world);
        world.applied = applied;
        world.absent = self.absent()?;
        world.secrets = seals;
        let compare = if wanted.adopt { plan::adopt } else { plan::plan };
        let header = self.header(wanted, position, digest);
        let plan = compare(&desired, &world, providers.schemas(), &header).map_err(bad)?;
        self.made(&plan);
        Ok(Made { plan, configuration })
    }

    /// What was applied, and up to where in the journal.
    pub(super) fn applied(&self) -> Result<(u64, HashMap<Instance, Applied>), ProjectError> {
        let Some(journal) = &self.parts.journal else { return Ok((0, HashMap::new())) };
        let unreadable = |error: journal::JournalError| ProjectError::Journal(Box::new(error));
        let position = journal::Journal::head(&**journal).map_err(unreadable)?.position;
        let rows = journal.resources().map_err(unreadable)?;
        Ok((position, rows.into_iter().map(|row| (row.instance, row.applied)).collect()))
    }

    /// What was applied as absent.
    fn absent(&self) -> Result<HashMap<Instance, Applied>, ProjectError> {
        let Some(journal) = &self.parts.journal else { return Ok(HashMap::new()) };
        let rows = journal.absences().map_err(|error| ProjectError::Journal(Box::new(error)))?;
        Ok(rows.into_iter().map(|row| (row.instance, row.applied)).collect())
    }

    pub(super) fn header(&self, wanted: &Wanted, position: u64, configuration: Digest) -> Header {
        let now = self.parts.clock.now();
        let unix_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Header {
            id: PlanId::from_parts(unix_ms, self.parts.entropy.draw()),
            created: now,
            environment: self.parts.place.environment.clone(),
            parent: None,
            position,
            configuration,
            policy: self.parts.rules.now().policy.digest(),
            facts: Digest::of(b""),
            variables: wanted.variables.clone(),
            focus: wanted.focus.clone(),
            only: wanted.only.clone(),
            destroy: wanted.destroy,
        }
    }
}

/// What checks of hosts need.
fn needs_of_checks(desired: &Desired, providers: &Providers, world: &mut World) {
    for check in &desired.checks {
        let Some((_, kind)) = providers.find(&check.kind) else { continue };
        let attributes = check.attributes.iter();
        let config: Attributes =
            attributes.map(|(name, one)| (name.to_string(), serde_json::Value::clone(&one.value))).collect();
        let needs = Needs::of(kind, &kind.complete(config)).texts();
        let Ok(id) = format!("check/{}", check.name).parse::<ResourceId>() else { continue };
        for host in world.inventory.hosts.keys() {
            world.needs.insert(Instance::new(host.clone(), id.clone()), needs.clone());
        }
    }
}

/// Refuses to delete everything where something is to be kept.
fn kept(desired: &Desired) -> Result<(), ProjectError> {
    let found: Vec<Diagnostic> = desired
        .resources
        .iter()
        .filter(|resource| resource.keep)
        .map(|resource| {
            let message = format!("`{}` is declared to be kept", resource.id);
            let at = resource.place.location(format!("/resources/{}/keep", resource.id));
            let hint = "take out what is to go, and apply that";
            Diagnostic::error(code::plan::BLOCKED, message, at).with_hint(hint)
        })
        .collect();
    if found.is_empty() { Ok(()) } else { Err(bad(found)) }
}

/// Names in a focus that stand for nothing.
fn unknown(desired: &Desired, applied: &HashMap<Instance, Applied>, focus: &[ResourceId]) -> Vec<Diagnostic> {
    let names: BTreeSet<&ResourceId> = desired
        .resources
        .iter()
        .map(|resource| &resource.id)
        .chain(applied.keys().map(|instance| &instance.resource))
        .collect();
    let missing = focus.iter().filter(|id| !names.contains(id));
    missing
        .map(|id| {
            let message = format!("there is no resource `{id}`");
            let mut found = Diagnostic::error(code::plan::UNKNOWN_NAME, message, model::Location::default());
            let near = plan::nearest(id.as_str(), names.iter().map(|name| name.as_str()));
            found.hint = near.map(|near| format!("did you mean `{near}`?"));
            found
        })
        .collect()
}

/// The resources that a focus means: those, and what they depend on, however indirectly.
fn focused(desired: &Desired, focus: &[ResourceId]) -> Option<HashSet<ResourceId>> {
    if focus.is_empty() {
        return None;
    }
    let by_id: HashMap<&ResourceId, &plan::Resource> =
        desired.resources.iter().map(|resource| (&resource.id, resource)).collect();
    let (mut meant, mut open) = (HashSet::new(), focus.to_vec());
    while let Some(id) = open.pop() {
        if !meant.insert(id.clone()) {
            continue;
        }
        let Some(resource) = by_id.get(&id) else { continue };
        open.extend(resource.depends.iter().map(|needs| needs.on.clone()));
        let values = resource.attributes.values();
        open.extend(
            values.flat_map(|one| plan::references_in(&one.value)).map(|reference| reference.resource),
        );
    }
    Some(meant)
}

/// The hosts that are going to be looked at for what is declared.
fn meant<'c>(configuration: &'c config::Project, wanted: &Wanted) -> BTreeSet<&'c Host> {
    let focus = focused(&configuration.desired, &wanted.focus);
    let resources = configuration.desired.resources.iter();
    let targets: HashSet<&Selector> = resources
        .filter(|_| !wanted.destroy)
        .filter(|resource| focus.as_ref().is_none_or(|focus| focus.contains(&resource.id)))
        .map(|resource| &resource.on)
        .collect();
    let hosts = configuration.inventory.hosts.iter();
    let selected = |host: &Host, labels| targets.iter().any(|target| target.selects(host, labels));
    hosts.filter(|(host, labels)| selected(host, labels)).map(|(host, _)| host).collect()
}

/// Everything that has to be looked at: what is declared, on each host it is for, and what was applied and is not any more.
fn sights(
    desired: &Desired,
    inventory: &Inventory,
    applied: &HashMap<Instance, Applied>,
    focus: &[ResourceId],
) -> Vec<Sight> {
    let focus = focused(desired, focus);
    let meant = |id: &ResourceId| focus.as_ref().is_none_or(|focus| focus.contains(id));
    let mut sights = Vec::new();
    // many resources have one target
    let mut selected: HashMap<&Selector, Vec<&Host>> = HashMap::new();
    for resource in desired.resources.iter().filter(|resource| meant(&resource.id)) {
        let declared: Values =
            resource.attributes.iter().map(|(name, one)| (name.clone(), one.value.clone())).collect();
        let selects = || {
            let hosts = inventory.hosts.iter().filter(|(host, labels)| resource.on.selects(host, labels));
            hosts.map(|(host, _)| host).collect()
        };
        for host in selected.entry(&resource.on).or_insert_with(selects) {
            sights.push(Sight {
                instance: Instance::new(host.clone(), resource.id.clone()),
                kind: resource.kind.clone(),
                declared: declared.clone(),
            });
        }
    }
    let known: HashSet<Instance> = sights.iter().map(|sight| sight.instance.clone()).collect();
    let mut gone: Vec<(&Instance, &Applied)> = applied
        .iter()
        .filter(|(instance, _)| !known.contains(instance) && meant(&instance.resource))
        .filter(|(instance, _)| inventory.hosts.contains_key(&instance.host))
        .collect();
    gone.sort_by_key(|(instance, _)| *instance);
    sights.extend(gone.into_iter().map(|(instance, applied)| Sight {
        instance: instance.clone(),
        kind: applied.kind.clone(),
        declared: plain(applied),
    }));
    sights
}

/// What was applied, as far as it is no secret.
fn plain(applied: &Applied) -> Values {
    let values = applied.attributes.iter();
    values.filter_map(|(name, held)| Some((name.clone(), held.value()?.clone()))).collect()
}

/// What changing each of them may touch: as declared, and as it was applied last.
fn needs(
    providers: &Providers,
    sights: &[Sight],
    applied: &HashMap<Instance, Applied>,
) -> HashMap<Instance, Vec<String>> {
    let texts = |kind: &plan::TypeName, values: &Values| -> Vec<String> {
        let Some((_, kind)) = providers.find(kind) else { return Vec::new() };
        Needs::of(kind, &kind.complete(provider::step::attributes(values))).texts()
    };
    let of = |sight: &Sight| {
        let mut all: BTreeSet<String> = texts(&sight.kind, &sight.declared).into_iter().collect();
        if let Some(applied) = applied.get(&sight.instance) {
            all.extend(texts(&applied.kind, &plain(applied)));
        }
        (sight.instance.clone(), all.into_iter().collect())
    };
    sights.iter().map(of).collect()
}

//! From declared resources to instances on hosts, and everything that is refused before anything is compared.

use std::collections::HashMap;
use std::fmt::Write as _;

use model::{Diagnostic, code::plan as code};

use crate::desired::{DependencyKind, Desired, Place, Resource};
use crate::inventory::{Expander, Inventory};
use crate::limits;
use crate::name::{Host, Instance, ResourceId, did_you_mean};
use crate::schema::{Schemas, check_check, check_resource};
use crate::value;

/// A dependency between resources, by index.
#[derive(Debug, Clone)]
pub(crate) struct Needs<'a> {
    pub(crate) on: u32,
    pub(crate) kind: DependencyKind,
    pub(crate) place: &'a Place,
}

/// One declared resource with what was found out about it.
pub(crate) struct Declared<'a> {
    pub(crate) resource: &'a Resource,
    pub(crate) needs: Vec<Needs<'a>>,
    /// Whether any attribute refers to another resource.
    pub(crate) refers: bool,
    /// Whether any attribute refers to a secret.
    pub(crate) secret: bool,
    /// Its instances: a range of [`Expanded::instances`].
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// A resource on a host, by index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) resource: u32,
    pub(crate) host: u32,
}

/// A configuration, expanded. Instances stand in an order in which each comes after all that it depends on, and that
/// does not depend on the order in which resources are listed.
pub(crate) struct Expanded<'a> {
    pub(crate) declared: Vec<Declared<'a>>,
    pub(crate) instances: Vec<Spot>,
    pub(crate) expander: Expander<'a>,
    index: HashMap<&'a ResourceId, u32>,
}

impl<'a> Expanded<'a> {
    /// Checks and expands. `focus`: only these resources and what they depend on; all when empty.
    pub(crate) fn new(
        desired: &'a Desired,
        inventory: &'a Inventory,
        schemas: &Schemas,
        focus: &[ResourceId],
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut found = Vec::new();
        let resources = sorted(desired, &mut found);
        let index: HashMap<&ResourceId, u32> =
            resources.iter().zip(0..).map(|(resource, index)| (&resource.id, index)).collect();
        let mut declared: Vec<Declared<'a>> =
            resources.iter().map(|resource| declare(resource, &index, schemas, &mut found)).collect();
        for check in &desired.checks {
            check_check(check, schemas, &mut found);
        }
        let order = order(&declared, &mut found);
        let mut expander = Expander::new(inventory);
        if !found.is_empty() {
            // hosts are worth saying in the same go; the order is not known
            (0..declared.len()).for_each(|at| {
                let _hosts = hosts_of(declared[at].resource, &mut expander, &mut found);
            });
            return Err(cut(found));
        }
        let wanted = focused(&declared, &index, focus);
        let mut instances = Vec::new();
        for at in order {
            let one = &mut declared[at as usize];
            one.first = u32::try_from(instances.len()).unwrap_or(u32::MAX);
            let hosts = hosts_of(one.resource, &mut expander, &mut found);
            if wanted.as_ref().is_none_or(|wanted| wanted[at as usize]) {
                instances.extend(hosts.iter().map(|host| Spot { resource: at, host: *host }));
            }
            one.count = u32::try_from(instances.len()).unwrap_or(u32::MAX) - one.first;
            if instances.len() > limits::INSTANCES_MAX {
                let message = format!("more than {} resources on hosts", limits::INSTANCES_MAX);
                found.push(Diagnostic::error(code::LIMIT, message, one.resource.location()));
                break;
            }
        }
        if found.is_empty() { Ok(Self { declared, instances, expander, index }) } else { Err(cut(found)) }
    }

    pub(crate) fn resource_of(&self, at: u32) -> &Declared<'a> {
        &self.declared[self.instances[at as usize].resource as usize]
    }

    pub(crate) fn name_of(&self, at: u32) -> Instance {
        let place = self.instances[at as usize];
        let resource = &self.declared[place.resource as usize].resource.id;
        Instance::new(self.expander.host(place.host).clone(), resource.clone())
    }

    /// The instance of a resource on a host.
    pub(crate) fn on_host(&self, resource: u32, host: u32) -> Option<u32> {
        let one = &self.declared[resource as usize];
        let range = &self.instances[one.first as usize..(one.first + one.count) as usize];
        let at = range.binary_search_by_key(&host, |place| place.host).ok()?;
        u32::try_from(at).ok().map(|at| one.first + at)
    }

    pub(crate) fn find(&self, instance: &Instance) -> Option<u32> {
        self.on_host(self.index_of(&instance.resource)?, self.expander.index_of(&instance.host)?)
    }

    pub(crate) fn index_of(&self, resource: &ResourceId) -> Option<u32> {
        self.index.get(resource).copied()
    }

    pub(crate) fn host_known(&self, host: &Host) -> bool {
        self.expander.index_of(host).is_some()
    }
}

pub(crate) fn cut(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.truncate(limits::DIAGNOSTICS_MAX);
    found
}

/// Resources by id, duplicates refused.
fn sorted<'a>(desired: &'a Desired, found: &mut Vec<Diagnostic>) -> Vec<&'a Resource> {
    let mut resources: Vec<&Resource> = desired.resources.iter().collect();
    resources.sort_by(|a, b| a.id.cmp(&b.id));
    resources.dedup_by(|later, first| {
        let twice = later.id == first.id;
        if twice {
            let message = format!("`{}` is declared twice, first at {}", later.id, first.place.location(""));
            found.push(Diagnostic::error(code::DUPLICATE, message, later.location()));
        }
        twice
    });
    resources
}

fn declare<'a>(
    resource: &'a Resource,
    index: &HashMap<&ResourceId, u32>,
    schemas: &Schemas,
    found: &mut Vec<Diagnostic>,
) -> Declared<'a> {
    check_resource(resource, schemas, found);
    let mut one = Declared { resource, needs: Vec::new(), refers: false, secret: false, first: 0, count: 0 };
    for dependency in &resource.depends {
        match index.get(&dependency.on) {
            Some(on) => {
                one.needs.push(Needs { on: *on, kind: dependency.kind, place: &dependency.place });
            }
            None => found.push(unknown_dependency(resource, &dependency.on, &dependency.place, index)),
        }
    }
    if resource.depends.iter().any(|dependency| dependency.kind == DependencyKind::Notify) {
        check_notified(resource, schemas, found);
    }
    for attribute in resource.attributes.values() {
        one.secret |= value::has_secret(&attribute.value);
        if !value::has_reference(&attribute.value) {
            continue;
        }
        one.refers = true;
        let mut refer = |reference: value::OutputRef| match index.get(&reference.resource) {
            Some(on) => {
                one.needs.push(Needs { on: *on, kind: DependencyKind::Require, place: &attribute.place });
            }
            None => {
                found.push(unknown_dependency(resource, &reference.resource, &attribute.place, index));
            }
        };
        // what cannot be read was refused with the schema
        let _checked = value::each_reference(&attribute.value, &mut refer);
    }
    one.needs.sort_by_key(|needs| (needs.on, std::cmp::Reverse(strength(needs.kind))));
    one.needs.dedup_by_key(|needs| needs.on);
    one
}

/// The stronger kind of two dependencies on the same resource says all that the weaker one says.
fn strength(kind: DependencyKind) -> u8 {
    match kind {
        DependencyKind::Order => 0,
        DependencyKind::Require => 1,
        DependencyKind::Notify => 2,
    }
}

fn unknown_dependency(
    resource: &Resource,
    on: &ResourceId,
    place: &Place,
    index: &HashMap<&ResourceId, u32>,
) -> Diagnostic {
    let message = format!("`{}` depends on `{on}`, which is not declared", resource.id);
    let mut diagnostic =
        Diagnostic::error(code::UNKNOWN_NAME, message, place.location(resource.location().path));
    let mut names: Vec<&str> = index.keys().map(|id| id.as_str()).collect();
    names.sort_unstable();
    diagnostic.hint = did_you_mean(on.as_str(), names);
    diagnostic
}

fn check_notified(resource: &Resource, schemas: &Schemas, found: &mut Vec<Diagnostic>) {
    if let Some((_, schema)) = schemas.find(&resource.kind)
        && schema.handlers.is_empty()
    {
        let message = format!("`{}` cannot be notified: `{}` has no handler", resource.id, resource.kind);
        let hint = "use `require` for order alone";
        found.push(Diagnostic::error(code::BAD_RESOURCE, message, resource.location()).with_hint(hint));
    }
}

/// The order in which each resource comes after all that it depends on.
fn order(declared: &[Declared<'_>], found: &mut Vec<Diagnostic>) -> Vec<u32> {
    let mut waiting: Vec<u32> =
        declared.iter().map(|one| u32::try_from(one.needs.len()).unwrap_or(u32::MAX)).collect();
    let mut dependents: Vec<Vec<u32>> = vec![Vec::new(); declared.len()];
    for (at, one) in (0..).zip(declared) {
        for needs in &one.needs {
            dependents[needs.on as usize].push(at);
        }
    }
    let mut order: Vec<u32> =
        (0..).zip(&waiting).filter(|(_, waiting)| **waiting == 0).map(|(at, _)| at).collect();
    let mut next = 0;
    while let Some(at) = order.get(next).copied() {
        next += 1;
        for dependent in &dependents[at as usize] {
            waiting[*dependent as usize] -= 1;
            if waiting[*dependent as usize] == 0 {
                order.push(*dependent);
            }
        }
    }
    if order.len() < declared.len() {
        found.push(cycle(declared, &waiting));
    }
    order
}

/// Names a circle among the resources that still wait.
fn cycle(declared: &[Declared<'_>], waiting: &[u32]) -> Diagnostic {
    let mut at = waiting.iter().position(|waiting| *waiting > 0).unwrap_or(0);
    let mut seen: HashMap<usize, usize> = HashMap::new();
    let mut path: Vec<(usize, &Needs<'_>)> = Vec::new();
    // every waiting resource needs one that waits, so this comes back to one it has seen
    while !seen.contains_key(&at) {
        seen.insert(at, path.len());
        let Some(needs) = declared[at].needs.iter().find(|needs| waiting[needs.on as usize] > 0) else {
            break;
        };
        path.push((at, needs));
        at = needs.on as usize;
    }
    let circle = &path[seen.get(&at).copied().unwrap_or(0)..];
    let mut message = String::new();
    for (place, (from, needs)) in circle.iter().take(limits::CYCLE_NAMES_MAX).enumerate() {
        let (id, on) = (&declared[*from].resource.id, &declared[needs.on as usize].resource.id);
        let at = needs.place.location("");
        let _infallible = match place {
            0 => write!(message, "`{id}` depends on `{on}` ({at})"),
            _ => write!(message, ", which depends on `{on}` ({at})"),
        };
    }
    if circle.len() > limits::CYCLE_NAMES_MAX {
        let _infallible = write!(message, ", and {} more", circle.len() - limits::CYCLE_NAMES_MAX);
    }
    let (location, hint) = match circle.first() {
        Some((from, needs)) => {
            let resource = declared[*from].resource;
            (needs.place.location(resource.location().path), "remove one of these dependencies")
        }
        None => (model::Location::default(), "remove one of the dependencies"),
    };
    Diagnostic::error(code::CYCLE, message, location).with_hint(hint)
}

fn hosts_of<'a>(
    resource: &'a Resource,
    expander: &mut Expander<'a>,
    found: &mut Vec<Diagnostic>,
) -> std::sync::Arc<[u32]> {
    for host in expander.unknown(&resource.on) {
        let message = format!("`{}` is for the host `{host}`, which is not in the inventory", resource.id);
        let mut diagnostic = Diagnostic::error(code::UNKNOWN_NAME, message, resource.location());
        diagnostic.hint = did_you_mean(host.as_str(), expander.names());
        found.push(diagnostic);
    }
    let hosts = expander.expand(&resource.on);
    if hosts.is_empty() && !resource.may_match_nothing {
        let message = format!("no host matches the target of `{}`", resource.id);
        let hint = "mend the target, or say that it may match nothing";
        found.push(Diagnostic::error(code::NO_HOST, message, resource.location()).with_hint(hint));
    }
    hosts
}

/// Which resources a focus wants: those named and all they depend on.
fn focused(
    declared: &[Declared<'_>],
    index: &HashMap<&ResourceId, u32>,
    focus: &[ResourceId],
) -> Option<Vec<bool>> {
    if focus.is_empty() {
        return None;
    }
    let mut wanted = vec![false; declared.len()];
    let mut open = Vec::new();
    for id in focus {
        // a resource that was removed from the configuration can be meant, too: its deletion
        if let Some(at) = index.get(id) {
            open.push(*at);
        }
    }
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut wanted[at as usize], true) {
            open.extend(declared[at as usize].needs.iter().map(|needs| needs.on));
        }
    }
    Some(wanted)
}

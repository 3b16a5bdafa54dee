//! How many, how far, with what.

use std::collections::{BTreeMap, BTreeSet};

use model::Reversibility;

use crate::change::{Change, Handler, Operation, PlannedCheck, Reason};
use crate::desired::Desired;
use crate::document::{Counts, Reach, TypeUse};
use crate::name::{Host, Instance, ResourceId, TypeName};
use crate::observed::World;
use crate::schema::Schemas;

pub(crate) fn count(counts: &mut Counts, operation: Operation) {
    let counter = match operation {
        Operation::Create => &mut counts.create,
        Operation::Update => &mut counts.update,
        Operation::Replace => &mut counts.replace,
        Operation::Delete => &mut counts.delete,
        Operation::Move => &mut counts.moved,
        Operation::Forget => &mut counts.forget,
        Operation::Adopt => &mut counts.adopt,
        Operation::Blocked => &mut counts.blocked,
        // the other half of a replacement
        Operation::Dispose => return,
    };
    *counter += 1;
}

/// The hosts on which something is done.
pub(crate) fn changed_hosts(changes: &[Change]) -> BTreeSet<Host> {
    changes.iter().filter(|change| acts(change)).map(|change| change.instance.host.clone()).collect()
}

fn acts(change: &Change) -> bool {
    change.operation.touches_hosts()
}

pub(crate) fn reach(changes: &[Change], resources_known: u64, hosts_known: u64) -> Reach {
    let acting = || changes.iter().filter(|change| acts(change));
    let resources = acting().filter(|change| change.operation != Operation::Dispose).count() as u64;
    let irreversible =
        acting().filter(|change| change.reversibility == Reversibility::Irreversible).count() as u64;
    let drift =
        |reason: &Reason| matches!(reason, Reason::Drift { .. } | Reason::Missing | Reason::Conflict { .. });
    Reach {
        hosts: changed_hosts(changes).into_iter().collect(),
        hosts_known,
        resources,
        resources_known,
        share_permille: (resources * 1000).div_ceil(resources_known.max(1)),
        irreversible,
        drifted: changes.iter().filter(|change| change.reasons.iter().any(drift)).count() as u64,
    }
}

/// What the plan uses of the types of its changes, handlers and checks.
pub(crate) fn types(
    changes: &[Change],
    handlers: &[Handler],
    checks: &[PlannedCheck],
    schemas: &Schemas,
) -> BTreeMap<TypeName, TypeUse> {
    let mut types = BTreeMap::new();
    let changed = changes.iter().map(|change| &change.kind);
    let handled = handlers.iter().map(|handler| &handler.kind);
    for kind in changed.chain(handled).chain(checks.iter().map(|check| &check.kind)) {
        if types.contains_key(kind) {
            continue;
        }
        let found = schemas.find(kind);
        let version = found.map_or_else(String::new, |(version, _)| version.to_owned());
        let mut capabilities: Vec<String> = found
            .map(|(_, schema)| schema.capabilities.iter().map(|one| one.0.clone()).collect())
            .unwrap_or_default();
        capabilities.sort();
        types.insert(kind.clone(), TypeUse { version, capabilities });
    }
    types
}

/// The checks of the hosts that are changed.
pub(crate) fn checks(desired: &Desired, world: &World, changed: &BTreeSet<Host>) -> Vec<PlannedCheck> {
    let mut planned = Vec::new();
    for check in &desired.checks {
        let Ok(id) = format!("check/{}", check.name).parse::<ResourceId>() else { continue };
        for host in changed {
            let selected =
                world.inventory.hosts.get(host).is_some_and(|labels| check.on.selects(host, labels));
            if !selected {
                continue;
            }
            let instance = Instance::new(host.clone(), id.clone());
            planned.push(PlannedCheck {
                uses: world.needs.get(&instance).cloned().unwrap_or_default(),
                instance,
                kind: check.kind.clone(),
                desired: check
                    .attributes
                    .iter()
                    .map(|(name, attribute)| (name.clone(), attribute.value.clone()))
                    .collect(),
            });
        }
    }
    planned.sort_by(|a, b| a.instance.cmp(&b.instance));
    planned
}

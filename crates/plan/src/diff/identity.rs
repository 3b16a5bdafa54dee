//! Which thing a resource is: two resources are never the same one, and a new name for the same one is a move.

use std::collections::HashMap;

use model::{Diagnostic, code::plan as code};
use serde_json::Value;

use crate::desired::Resource;
use crate::expand::Expanded;
use crate::name::Instance;
use crate::observed::{Applied, World};
use crate::schema::{TypeSchema, normalise};
use crate::value::{Held, has_reference, has_secret};

/// What is known by identity.
#[derive(Default)]
pub(super) struct Identities<'a> {
    /// Records whose resources are not declared any more.
    orphans: HashMap<Vec<u8>, (&'a Instance, &'a Applied)>,
    /// Who has which identity, by instance.
    claimed: HashMap<Vec<u8>, &'a Resource>,
}

impl<'a> Identities<'a> {
    pub(super) fn new(
        expanded: &Expanded<'a>,
        world: &'a World,
        schemas: &[(&'a str, &'a TypeSchema)],
    ) -> Self {
        let mut by_kind = HashMap::new();
        for (one, (_, schema)) in expanded.declared.iter().zip(schemas) {
            by_kind.insert(&one.resource.kind, *schema);
        }
        let mut orphans = HashMap::new();
        for (instance, applied) in &world.applied {
            if expanded.find(instance).is_some() {
                continue;
            }
            let Some(schema) = by_kind.get(&applied.kind) else { continue };
            let value = |name: &crate::Name| applied.attributes.get(name).and_then(Held::value).map(|v| &**v);
            if let Some(key) = key(instance, applied.kind.as_str(), schema, value) {
                orphans.insert(key, (instance, applied));
            }
        }
        Self { orphans, claimed: HashMap::new() }
    }

    /// The record of the same thing under a name that is not declared any more.
    pub(super) fn orphan(
        &self,
        resource: &Resource,
        schema: &TypeSchema,
        instance: &Instance,
    ) -> Option<(&'a Instance, &'a Applied)> {
        if self.orphans.is_empty() {
            return None;
        }
        self.orphans.get(&declared_key(resource, schema, instance)?).copied()
    }

    /// Notes who is which thing, and refuses a second one.
    pub(super) fn claim(
        &mut self,
        resource: &'a Resource,
        schema: &TypeSchema,
        instance: &Instance,
        found: &mut Vec<Diagnostic>,
    ) {
        let Some(key) = declared_key(resource, schema, instance) else { return };
        let Some(first) = self.claimed.insert(key, resource) else {
            return;
        };
        let identity: Vec<String> = schema.identity.iter().map(|name| format!("`{name}`")).collect();
        let message = format!(
            "`{}` and `{}` ({}) are the same `{}` on `{}`: they share {}",
            resource.id,
            first.id,
            first.place.location(""),
            resource.kind,
            instance.host,
            identity.join(", ")
        );
        found.push(Diagnostic::error(code::DUPLICATE, message, resource.location()));
    }
}

fn declared_key(resource: &Resource, schema: &TypeSchema, instance: &Instance) -> Option<Vec<u8>> {
    key(instance, resource.kind.as_str(), schema, |name| {
        let declared = resource.attributes.get(name).map(|attribute| &*attribute.value);
        declared
            .or_else(|| schema.attributes.get(name)?.default.as_deref())
            .filter(|value| !has_reference(value) && !has_secret(value))
    })
}

/// Host, type and the identifying values in one spelling. `None` when one of them is not known.
fn key<'v>(
    instance: &Instance,
    kind: &str,
    schema: &TypeSchema,
    value: impl Fn(&crate::Name) -> Option<&'v Value>,
) -> Option<Vec<u8>> {
    if schema.identity.is_empty() {
        return None;
    }
    let mut key = Vec::with_capacity(96);
    key.extend_from_slice(instance.host.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(kind.as_bytes());
    for name in &schema.identity {
        key.push(0);
        let normalisers = &schema.attributes.get(name)?.normalisers;
        model::canonical::write(&normalise(normalisers, value(name)?), &mut key);
    }
    Some(key)
}

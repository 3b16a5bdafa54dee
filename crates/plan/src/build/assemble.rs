//! One vertex of the graph as the plan says it.

use std::collections::BTreeMap;

use model::{EffectClass, Reversibility};

use super::{Builder, Vertex};
use crate::change::{Change, Edge, Fingerprint, Handler, Operation, Reason};
use crate::diff::Draft;
use crate::limits;
use crate::name::{Instance, Name, TypeName};
use crate::observed::Applied;
use crate::schema::{Nature, TypeSchema};
use crate::value::{Held, Term, Values};

/// Nothing is done to a host.
const RECORD_ONLY: Nature =
    Nature { effect: EffectClass::Idempotent, reversibility: Reversibility::Reversible };
/// Nothing is done at all.
const NOTHING: Nature = Nature { effect: EffectClass::Read, reversibility: Reversibility::NoChange };
/// Of a type whose provider is not there any more: nothing is known, so the worst is assumed.
const UNKNOWN: Nature = Nature { effect: EffectClass::Once, reversibility: Reversibility::Irreversible };

impl Builder<'_> {
    pub(super) fn change(&mut self, vertex: Vertex, after: Vec<Edge>) -> Change {
        match vertex {
            Vertex::Declared(at) => self.change_declared(at, after),
            Vertex::Removed(at) => self.change_removed(at, after),
            Vertex::Dispose(at) | Vertex::Group(at) => self.change_disposed(at, after),
        }
    }

    fn record_of(&self, at: u32, draft: &Draft) -> Option<&Applied> {
        let name = self.expanded.name_of(at);
        self.differ.world.applied.get(draft.moved_from.as_ref().unwrap_or(&name))
    }

    fn change_declared(&mut self, at: u32, after: Vec<Edge>) -> Change {
        let mut draft = std::mem::take(&mut self.differ.drafts[at as usize]);
        let operation = draft.operation.unwrap_or(Operation::Blocked);
        // a disposal looks at the draft again
        self.differ.drafts[at as usize].operation = draft.operation;
        self.differ.drafts[at as usize].moved_from.clone_from(&draft.moved_from);
        self.differ.drafts[at as usize].basis.clone_from(&draft.basis);
        let (_, schema) = self.differ.schema_of(at);
        let nature = nature(schema, operation, draft.create_first);
        let prior = match operation {
            Operation::Delete | Operation::Replace => self.prior(at, &draft),
            _ => BTreeMap::new(),
        };
        let resource = self.expanded.resource_of(at).resource;
        let mut uses = self.uses(&self.expanded.name_of(at), &resource.kind, operation);
        if let Some(from) = &draft.moved_from {
            uses.extend(self.uses(from, &resource.kind, operation));
            uses.sort();
            uses.dedup();
        }
        Change {
            instance: self.expanded.name_of(at),
            kind: resource.kind.clone(),
            operation,
            reasons: draft.reasons,
            desired: if operation == Operation::Delete { Values::new() } else { self.differ.values(at) },
            reversibility: reversible(nature.reversibility, operation, &draft.fields),
            fields: draft.fields,
            prior,
            moved_from: draft.moved_from,
            create_first: draft.create_first,
            effect: nature.effect,
            after,
            depends: if operation == Operation::Delete { Vec::new() } else { self.depends(at) },
            uses,
            labels: resource.labels.clone(),
            drift: resource.drift,
            basis: draft.basis.take().unwrap_or_else(no_basis),
            place: Some(resource.place.clone()),
        }
    }

    /// What an instance depends on: on its host, or every instance where there is none on it.
    fn depends(&self, at: u32) -> Vec<Instance> {
        let host = self.expanded.instances[at as usize].host;
        let mut depends = Vec::new();
        for needs in &self.expanded.resource_of(at).needs {
            let other = &self.expanded.declared[needs.on as usize];
            if let Some(same_host) = self.expanded.on_host(needs.on, host) {
                depends.push(self.expanded.name_of(same_host));
            } else {
                let shown = other.count.min(limits::DEPENDS_ELSEWHERE_MAX);
                depends.extend((other.first..other.first + shown).map(|one| self.expanded.name_of(one)));
            }
        }
        depends
    }

    fn change_disposed(&mut self, at: u32, after: Vec<Edge>) -> Change {
        let draft = std::mem::take(&mut self.differ.drafts[at as usize]);
        let (_, schema) = self.differ.schema_of(at);
        let resource = self.expanded.resource_of(at).resource;
        Change {
            instance: self.expanded.name_of(at),
            kind: resource.kind.clone(),
            operation: Operation::Dispose,
            reasons: vec![Reason::Replaced { attributes: Vec::new() }],
            fields: Vec::new(),
            desired: Values::new(),
            prior: self.prior(at, &draft),
            moved_from: None,
            create_first: false,
            effect: schema.delete.effect,
            reversibility: schema.delete.reversibility,
            after,
            depends: Vec::new(),
            uses: self.uses(&self.expanded.name_of(at), &resource.kind, Operation::Dispose),
            labels: resource.labels.clone(),
            drift: resource.drift,
            basis: draft.basis.unwrap_or_else(no_basis),
            place: Some(resource.place.clone()),
        }
    }

    /// What was applied last; what was found, where nothing was applied.
    fn prior(&self, at: u32, draft: &Draft) -> BTreeMap<Name, Term> {
        if let Some(applied) = self.record_of(at, draft) {
            return terms(&applied.attributes);
        }
        let (_, schema) = self.differ.schema_of(at);
        let resource = self.expanded.resource_of(at).resource;
        match self.differ.world.observed.get(&self.expanded.name_of(at)) {
            Some(crate::Observed::Present(there)) => there
                .iter()
                .filter_map(|(name, held)| {
                    let attribute = schema.attributes.get(name)?;
                    let secret = attribute.sensitive
                        || resource
                            .attributes
                            .get(name)
                            .is_some_and(|one| crate::value::has_secret(&one.value));
                    Some((
                        name.clone(),
                        if secret { Term::Secret { reference: None, seal: None } } else { held.into() },
                    ))
                })
                .collect(),
            _ => BTreeMap::new(),
        }
    }

    /// What a type declares, where nobody said what that means for an instance.
    fn declared_uses(&self, kind: &TypeName) -> Vec<String> {
        let found = self.schemas.find(kind);
        found
            .map(|(_, schema)| schema.capabilities.iter().map(|one| one.0.clone()).collect())
            .unwrap_or_default()
    }

    /// What performing a change may touch.
    fn uses(&self, instance: &Instance, kind: &TypeName, operation: Operation) -> Vec<String> {
        match operation {
            operation if !operation.touches_hosts() => Vec::new(),
            _ => match self.differ.world.needs.get(instance) {
                Some(needs) => needs.clone(),
                None => self.declared_uses(kind),
            },
        }
    }

    fn change_removed(&mut self, at: u32, after: Vec<Edge>) -> Change {
        let operation = self.removed[at as usize].2.operation.unwrap_or(Operation::Blocked);
        let uses = self.uses(&self.removed[at as usize].0, &self.removed[at as usize].1.kind, operation);
        let (instance, applied, draft) = &mut self.removed[at as usize];
        let nature = nature_of(self.schemas.find(&applied.kind).map(|(_, schema)| schema), operation);
        Change {
            instance: instance.clone(),
            kind: applied.kind.clone(),
            operation,
            reasons: std::mem::take(&mut draft.reasons),
            fields: Vec::new(),
            desired: Values::new(),
            prior: terms(&applied.attributes),
            moved_from: None,
            create_first: false,
            effect: nature.effect,
            reversibility: nature.reversibility,
            after,
            depends: Vec::new(),
            uses,
            labels: BTreeMap::new(),
            drift: model::OnDrift::default(),
            basis: draft.basis.take().unwrap_or_else(no_basis),
            place: None,
        }
    }

    /// The handlers of what watches something that changes.
    pub(super) fn handlers(&self, numbers: &[u32]) -> Vec<Handler> {
        let changes = |vertex: u32| match self.vertices[vertex as usize] {
            Vertex::Group(_) => self.graph.after[vertex as usize]
                .iter()
                .any(|edge| self.acts(self.vertices[edge.step as usize])),
            vertex => self.acts(vertex),
        };
        let mut handlers = Vec::new();
        for (at, watches) in &self.handled {
            let operation = self.differ.drafts[*at as usize].operation;
            let triggers: Vec<u32> = watches
                .iter()
                .filter(|watched| changes(**watched))
                .map(|watched| numbers[*watched as usize])
                .filter(|number| *number != u32::MAX)
                .collect();
            let (_, schema) = self.differ.schema_of(*at);
            let resource = self.expanded.resource_of(*at).resource;
            let name = resource.handler.as_ref().or_else(|| schema.handlers.first());
            let gone = matches!(operation, Some(Operation::Delete | Operation::Blocked | Operation::Forget));
            let (Some(name), false, false) = (name, gone, triggers.is_empty()) else { continue };
            handlers.push(Handler {
                instance: self.expanded.name_of(*at),
                kind: resource.kind.clone(),
                name: name.clone(),
                triggers,
                own: Some(numbers[*at as usize]).filter(|number| *number != u32::MAX),
                desired: self.differ.values(*at),
                uses: self.uses(&self.expanded.name_of(*at), &resource.kind, Operation::Update),
                effect: schema.handle.effect,
                reversibility: schema.handle.reversibility,
            });
        }
        handlers.sort_by(|a, b| a.instance.cmp(&b.instance));
        handlers
    }

    /// Whether something happens to the host there.
    fn acts(&self, vertex: Vertex) -> bool {
        self.operation(vertex).is_some_and(Operation::touches_hosts)
    }
}

fn no_basis() -> Fingerprint {
    Fingerprint { observed: String::new(), applied: String::new() }
}

fn terms(attributes: &BTreeMap<Name, Held>) -> BTreeMap<Name, Term> {
    attributes.iter().map(|(name, held)| (name.clone(), held.into())).collect()
}

/// What an operation of a type is like when nothing is known of the type: the worst.
pub(crate) fn nature_of(schema: Option<&TypeSchema>, operation: Operation) -> Nature {
    match (schema, operation) {
        (_, Operation::Move | Operation::Forget | Operation::Adopt) => RECORD_ONLY,
        (Some(schema), operation) => nature(schema, operation, false),
        (None, _) => UNKNOWN,
    }
}

/// What an operation of a type is like; a replacement is as bad as the worse of its halves.
fn nature(schema: &TypeSchema, operation: Operation, create_first: bool) -> Nature {
    match operation {
        Operation::Create => schema.create,
        Operation::Update => schema.update,
        Operation::Delete | Operation::Dispose => schema.delete,
        Operation::Replace if create_first => schema.create,
        Operation::Replace => Nature {
            effect: worse_effect(schema.delete.effect, schema.create.effect),
            reversibility: worse(schema.delete.reversibility, schema.create.reversibility),
        },
        Operation::Move | Operation::Forget | Operation::Adopt => RECORD_ONLY,
        Operation::Blocked => NOTHING,
    }
}

fn worse(a: Reversibility, b: Reversibility) -> Reversibility {
    let rank = |one: Reversibility| match one {
        Reversibility::NoChange => 0,
        Reversibility::Reversible => 1,
        Reversibility::Irreversible => 2,
    };
    if rank(a) >= rank(b) { a } else { b }
}

fn worse_effect(a: EffectClass, b: EffectClass) -> EffectClass {
    let rank = |one: EffectClass| match one {
        EffectClass::Read => 0,
        EffectClass::Idempotent => 1,
        EffectClass::Verifiable => 2,
        EffectClass::Once => 3,
    };
    if rank(a) >= rank(b) { a } else { b }
}

/// An update whose earlier values are not known cannot be taken back, whatever its type says.
fn reversible(nature: Reversibility, operation: Operation, fields: &[crate::Field]) -> Reversibility {
    let lost = |field: &crate::Field| {
        matches!(field.before, Term::Secret { reference: None, .. } | Term::Unknown { .. })
    };
    if operation == Operation::Update && fields.iter().any(lost) {
        Reversibility::Irreversible
    } else {
        nature
    }
}

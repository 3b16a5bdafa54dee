//! Desired, observed and last applied, compared instance by instance, each after those it depends on.

mod field;
mod identity;
mod output;
mod print;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use model::{Diagnostic, code::plan as code};
use serde_json::Value;

use self::field::{Compared, Sides};
use self::identity::Identities;
use self::output::Resolved;
pub(crate) use self::print::Prints;
use crate::change::{Field, FieldCause, Fingerprint, Operation, Reason};
use crate::desired::Resource;
use crate::expand::{Declared, Expanded};
use crate::name::{Instance, Name};
use crate::observed::{Applied, Observed, World};
use crate::schema::{AttributeSchema, Ownership, Presence, ReplaceOrder, Schemas, TypeSchema, same};
use crate::value::{Held, Term};

/// What was found out about one instance.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// What is to be done; `None` when it is as it should be.
    pub(crate) operation: Option<Operation>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) fields: Vec<Field>,
    pub(crate) moved_from: Option<Instance>,
    pub(crate) create_first: bool,
    pub(crate) basis: Option<Fingerprint>,
}

impl Draft {
    fn new(operation: Operation, reason: Reason) -> Self {
        Self { operation: Some(operation), reasons: vec![reason], ..Self::default() }
    }
}

/// Compares. Use [`Differ::declared`], then [`Differ::removed`].
pub(crate) struct Differ<'a> {
    pub(crate) expanded: &'a Expanded<'a>,
    pub(crate) world: &'a World,
    /// Schema and provider version by resource.
    pub(crate) schemas: Vec<(&'a str, &'a TypeSchema)>,
    /// By instance, in order.
    pub(crate) drafts: Vec<Draft>,
    pub(crate) prints: Prints,
    /// Resolved values of the instances that refer to others.
    resolved: HashMap<u32, Resolved>,
    identities: Identities<'a>,
    /// Records that go on under another name.
    taken: HashSet<Instance>,
    pub(crate) found: Vec<Diagnostic>,
    /// What goes on record where it is there as it is declared.
    pub(crate) adopts: HashSet<crate::ResourceId>,
}

impl<'a> Differ<'a> {
    pub(crate) fn new(expanded: &'a Expanded<'a>, world: &'a World, schemas: &'a Schemas) -> Self {
        let schemas: Vec<_> = expanded
            .declared
            .iter()
            .map(|one| schemas.find(&one.resource.kind).expect("expanding has refused unknown types"))
            .collect();
        let identities = Identities::new(expanded, world, &schemas);
        Self {
            expanded,
            world,
            schemas,
            drafts: Vec::with_capacity(expanded.instances.len()),
            prints: Prints::default(),
            resolved: HashMap::new(),
            identities,
            taken: HashSet::new(),
            found: Vec::new(),
            adopts: HashSet::new(),
        }
    }

    pub(crate) fn schema_of(&self, at: u32) -> (&'a str, &'a TypeSchema) {
        self.schemas[self.expanded.instances[at as usize].resource as usize]
    }

    /// Compares every declared instance. What is not among `only` stays as it is, unless that is empty.
    pub(crate) fn declared(&mut self, only: &[Instance]) {
        let only: HashSet<&Instance> = only.iter().collect();
        for at in 0..u32::try_from(self.expanded.instances.len()).unwrap_or(u32::MAX) {
            let mut draft = self.instance(at);
            if !only.is_empty() && !only.contains(&self.expanded.name_of(at)) {
                draft = Draft { basis: draft.basis, ..Draft::default() };
            }
            self.drafts.push(draft);
        }
    }

    /// What is no longer declared and was applied, in order of names.
    pub(crate) fn removed(&mut self, focus: &[crate::ResourceId]) -> Vec<(Instance, &'a Applied, Draft)> {
        let world = self.world;
        // what was to be absent is nobody's business any more, whether it is there or not
        let mut gone: Vec<(&Instance, &Applied)> = world
            .applied
            .iter()
            .chain(&world.absent)
            .filter(|(instance, _)| self.expanded.find(instance).is_none() && !self.taken.contains(*instance))
            .filter(|(instance, _)| focus.is_empty() || focus.contains(&instance.resource))
            .collect();
        gone.sort_by_key(|(instance, _)| *instance);
        gone.into_iter()
            .map(|(instance, applied)| {
                let observed = world.observed.get(instance);
                let mut draft = match world.absent.get(instance) {
                    Some(_) => Draft::new(Operation::Forget, Reason::Removed),
                    None => self.gone(instance, observed),
                };
                draft.basis = Some(self.prints.of_removed(instance, observed, applied, &world.key));
                (instance.clone(), applied, draft)
            })
            .collect()
    }

    fn gone(&self, instance: &Instance, observed: Option<&Observed>) -> Draft {
        match observed {
            _ if !self.expanded.host_known(&instance.host) => {
                Draft::new(Operation::Forget, Reason::HostRemoved)
            }
            Some(Observed::Absent) => Draft::new(Operation::Forget, Reason::AlreadyGone),
            Some(Observed::Present(_)) => Draft::new(Operation::Delete, Reason::Removed),
            Some(Observed::Unreadable(problem)) => {
                Draft::new(Operation::Blocked, Reason::Unreadable { problem: problem.clone() })
            }
            Some(Observed::NotYet { missing }) => {
                Draft::new(Operation::Blocked, Reason::NotYet { missing: missing.clone() })
            }
            None => Draft::new(Operation::Blocked, Reason::NotRead),
        }
    }

    fn instance(&mut self, at: u32) -> Draft {
        let expanded = self.expanded;
        let declared = expanded.resource_of(at);
        let (_, schema) = self.schema_of(at);
        let instance = expanded.name_of(at);
        self.resolve(at, declared, &instance);
        self.identities.claim(declared.resource, schema, &instance, &mut self.found);
        let (applied, moved_from) = self.applied_of(declared.resource, schema, &instance);
        let world = self.world;
        let observed = world
            .observed
            .get(&instance)
            .or_else(|| moved_from.as_ref().and_then(|from| world.observed.get(from)));
        if let Some(applied) = applied
            && applied.kind != declared.resource.kind
        {
            self.changes_type(declared.resource, &applied.kind);
        }
        let mut draft = self.compare(at, declared, schema, observed, applied);
        if let Some(from) = moved_from {
            draft.operation.get_or_insert(Operation::Move);
            draft.reasons.push(Reason::Moved { from: from.clone() });
            self.taken.insert(from.clone());
            draft.moved_from = Some(from);
        }
        let destroys = matches!(draft.operation, Some(Operation::Replace | Operation::Delete));
        if destroys && declared.resource.keep {
            draft.operation = Some(Operation::Blocked);
            draft.create_first = false;
            draft.reasons.insert(0, Reason::Kept);
        }
        let sides = (observed, applied);
        let print = self.prints.of_declared(&instance, declared.resource, schema, sides, &world.key);
        draft.basis = Some(print);
        draft
    }

    fn changes_type(&mut self, resource: &Resource, was: &crate::TypeName) {
        let message = format!("`{}` was a `{was}` and cannot become a `{}`", resource.id, resource.kind);
        let hint = "give the new resource another id";
        self.found.push(Diagnostic::error(code::BAD_RESOURCE, message, resource.location()).with_hint(hint));
    }

    /// What was applied before, under this name, a former one, or with the same identity.
    fn applied_of(
        &mut self,
        resource: &Resource,
        schema: &TypeSchema,
        instance: &Instance,
    ) -> (Option<&'a Applied>, Option<Instance>) {
        let world = self.world;
        if let Some(applied) = world.applied.get(instance) {
            return (Some(applied), None);
        }
        for old in &resource.moved_from {
            if self.expanded.index_of(old).is_some() {
                let message = format!("`{}` was moved from `{old}`, which is still declared", resource.id);
                self.found.push(Diagnostic::error(code::DUPLICATE, message, resource.location()));
                continue;
            }
            let from = Instance::new(instance.host.clone(), old.clone());
            if let Some(applied) = world.applied.get(&from)
                && !self.taken.contains(&from)
            {
                return (Some(applied), Some(from));
            }
        }
        match self.identities.orphan(resource, schema, instance) {
            Some((from, applied)) if !self.taken.contains(from) => (Some(applied), Some(from.clone())),
            _ => (None, None),
        }
    }

    fn compare(
        &mut self,
        at: u32,
        declared: &Declared<'a>,
        schema: &'a TypeSchema,
        observed: Option<&'a Observed>,
        applied: Option<&'a Applied>,
    ) -> Draft {
        let resource = declared.resource;
        let absence = schema.presence.as_ref().filter(|presence| {
            let value = resource.attributes.get(&presence.attribute).map(|attribute| &*attribute.value);
            value.is_some_and(|value| same(&[crate::schema::Normaliser::Case], value, &presence.absent))
        });
        match observed {
            None => Draft::new(Operation::Blocked, Reason::NotRead),
            Some(Observed::Unreadable(problem)) => {
                Draft::new(Operation::Blocked, Reason::Unreadable { problem: problem.clone() })
            }
            Some(Observed::NotYet { missing }) => {
                let reason = Reason::NotYet { missing: missing.clone() };
                let comes = self.expanded.find(missing).is_some_and(|at| self.comes(at));
                Draft::new(if comes { Operation::Create } else { Operation::Blocked }, reason)
            }
            Some(Observed::Absent) if absence.is_some() => Draft::default(),
            Some(Observed::Absent) => {
                let forcing = applied.map(|applied| self.forcing(at, declared, schema, applied));
                match forcing {
                    None => Draft::new(Operation::Create, Reason::New),
                    Some(fields) if fields.is_empty() => {
                        let mut draft = Draft::new(Operation::Create, Reason::Missing);
                        // what is gone comes back as it is declared, which may not be as it was
                        let attributes = self.redeclared(at, declared, schema, applied);
                        if !attributes.is_empty() {
                            draft.reasons.push(Reason::Configuration { attributes });
                        }
                        draft
                    }
                    Some(fields) => Self::replacing(resource, schema, fields),
                }
            }
            Some(Observed::Present(there)) => match absence {
                Some(presence) => self.unwanted(at, resource, presence, there),
                None => self.present(at, declared, schema, there, applied),
            },
        }
    }

    /// What is declared absent and there: somebody brought it back, or nobody has deleted it yet.
    fn unwanted(
        &self,
        at: u32,
        resource: &Resource,
        presence: &Presence,
        there: &BTreeMap<Name, Held>,
    ) -> Draft {
        let deleted = self.world.absent.get(&self.expanded.name_of(at));
        if deleted.is_none_or(|deleted| deleted.kind != resource.kind) {
            return Draft::new(Operation::Delete, Reason::DeclaredAbsent);
        }
        let field = Field {
            name: presence.attribute.clone(),
            before: there.get(&presence.attribute).map_or(Term::Absent, Into::into),
            after: Term::Known { value: Arc::new(presence.absent.clone()) },
            cause: FieldCause::Drift,
            forces_replacement: false,
        };
        Draft { fields: vec![field], ..Draft::new(Operation::Delete, Reason::Returned) }
    }

    /// Whether an instance is going to be there: it is not blocked. One that comes later in order may be.
    fn comes(&self, at: u32) -> bool {
        self.drafts.get(at as usize).is_none_or(|draft| draft.operation != Some(Operation::Blocked))
    }

    fn present(
        &self,
        at: u32,
        declared: &Declared<'a>,
        schema: &'a TypeSchema,
        there: &'a BTreeMap<Name, Held>,
        applied: Option<&'a Applied>,
    ) -> Draft {
        let mut fields = Vec::new();
        let mut depends: Vec<(Instance, Name)> = Vec::new();
        for (name, attribute) in &schema.attributes {
            let unowned = match attribute.ownership {
                Ownership::Declared => false,
                Ownership::Initial => !(attribute.forces_replacement),
                Ownership::Foreign => true,
            };
            if unowned || declared.resource.ignore.contains(name) {
                continue;
            }
            let Some(desired) = self.desired(at, declared, schema, name) else { continue };
            // a default was applied without being declared
            let default = || {
                let declared = declared.resource.attributes.contains_key(name);
                let value = attribute.default.clone().filter(|_| applied.is_some() && !declared)?;
                Some(Held::Plain { value })
            };
            let default = default();
            let held = applied.and_then(|applied| applied.attributes.get(name)).or(default.as_ref());
            let sides = Sides {
                schema: attribute,
                desired: &desired.value,
                predicted: desired.predicted,
                missing: desired.missing,
                observed: there.get(name),
                applied: held,
                managed: applied.is_some(),
            };
            let Compared::Different { before, after, cause } = sides.compare(self.world) else { continue };
            depends.extend(desired.from.iter().map(|from| (from.clone(), name.clone())));
            let forces = attribute.forces_replacement || schema.identity.contains(name);
            fields.push(Field { name: name.clone(), before, after, cause, forces_replacement: forces });
        }
        if fields.is_empty() {
            let adopted = applied.is_none() && self.adopts.contains(&declared.resource.id);
            return if adopted { Draft::new(Operation::Adopt, Reason::AsDeclared) } else { Draft::default() };
        }
        if fields.iter().any(|field| field.forces_replacement) {
            return Self::replacing(declared.resource, schema, fields);
        }
        let reasons = reasons(&fields, depends);
        Draft { operation: Some(Operation::Update), reasons, fields, ..Draft::default() }
    }

    /// What is declared differently from what was applied, among the attributes that force replacement.
    fn forcing(
        &self,
        at: u32,
        declared: &Declared<'a>,
        schema: &'a TypeSchema,
        applied: &'a Applied,
    ) -> Vec<Field> {
        let mut fields = Vec::new();
        for name in &schema.identity {
            let (Some(attribute), Some(Held::Plain { value: was })) =
                (schema.attributes.get(name), applied.attributes.get(name))
            else {
                continue;
            };
            let Some(desired) = self.desired(at, declared, schema, name) else { continue };
            if !desired.missing.is_empty() || same(&attribute.normalisers, &desired.value, was) {
                continue;
            }
            fields.push(Field {
                name: name.clone(),
                before: Term::Known { value: was.clone() },
                after: Term::Known { value: desired.value.clone() },
                cause: FieldCause::Configuration,
                forces_replacement: true,
            });
        }
        fields
    }

    /// The attributes that are declared otherwise than they were applied.
    fn redeclared(
        &self,
        at: u32,
        declared: &Declared<'a>,
        schema: &'a TypeSchema,
        applied: Option<&'a Applied>,
    ) -> Vec<Name> {
        let Some(applied) = applied else { return Vec::new() };
        let other = |name: &Name, attribute: &'a AttributeSchema| {
            let Some(desired) = self.desired(at, declared, schema, name) else { return false };
            let held = applied.attributes.get(name);
            let sides = Sides {
                schema: attribute,
                desired: &desired.value,
                predicted: desired.predicted,
                missing: desired.missing,
                observed: held,
                applied: held,
                managed: true,
            };
            matches!(sides.compare(self.world), Compared::Different { .. })
        };
        let owned = schema.attributes.iter().filter(|(name, attribute)| {
            let resource = declared.resource;
            let told = resource.attributes.contains_key(*name) && !resource.ignore.contains(*name);
            told && attribute.ownership != Ownership::Foreign
        });
        owned.filter(|(name, attribute)| other(name, attribute)).map(|(name, _)| name.clone()).collect()
    }

    fn replacing(resource: &Resource, schema: &TypeSchema, fields: Vec<Field>) -> Draft {
        let forced: Vec<Name> =
            fields.iter().filter(|field| field.forces_replacement).map(|field| field.name.clone()).collect();
        // two things of one identity cannot be there at once
        let apart = schema.identity.is_empty() || schema.identity.iter().any(|name| forced.contains(name));
        let create_first = apart && resource.replace.unwrap_or(schema.replace) == ReplaceOrder::CreateFirst;
        let mut reasons = vec![Reason::Replaced { attributes: forced }];
        reasons.extend(self::reasons(&fields, Vec::new()));
        Draft { operation: Some(Operation::Replace), reasons, fields, create_first, ..Draft::default() }
    }

    /// The value that an attribute is to have.
    fn desired(
        &self,
        at: u32,
        declared: &Declared<'a>,
        schema: &'a TypeSchema,
        name: &Name,
    ) -> Option<Desired<'_>> {
        let Some(attribute) = declared.resource.attributes.get(name) else {
            let value = schema.attributes.get(name)?.default.clone()?;
            return Some(Desired { value, predicted: false, missing: &[], from: &[] });
        };
        if declared.refers
            && let Some(one) = self.resolved.get(&at).and_then(|resolved| resolved.attributes.get(name))
        {
            return Some(Desired {
                value: one.value.clone(),
                predicted: one.predicted,
                missing: &one.missing,
                from: &one.from,
            });
        }
        Some(Desired { value: attribute.value.clone(), predicted: false, missing: &[], from: &[] })
    }

    /// The declared values of an instance for the plan: what is known is filled in.
    pub(crate) fn values(&self, at: u32) -> crate::Values {
        let declared = self.expanded.resource_of(at);
        let (_, schema) = self.schema_of(at);
        let names = schema.attributes.keys();
        let value = |name: &Name| Some((name.clone(), self.desired(at, declared, schema, name)?.value));
        names.filter_map(value).collect()
    }
}

/// The value an attribute is to have, and how much of it is known.
struct Desired<'d> {
    value: Arc<Value>,
    predicted: bool,
    missing: &'d [crate::OutputRef],
    /// The instances that the missing values come from.
    from: &'d [Instance],
}

/// One reason for each cause there is, and one for each instance that values come from.
fn reasons(fields: &[Field], depends: Vec<(Instance, Name)>) -> Vec<Reason> {
    let of = |cause: FieldCause| -> Option<Vec<Name>> {
        let names: Vec<Name> =
            fields.iter().filter(|field| field.cause == cause).map(|field| field.name.clone()).collect();
        (!names.is_empty()).then_some(names)
    };
    let mut reasons = Vec::new();
    reasons.extend(of(FieldCause::Conflict).map(|attributes| Reason::Conflict { attributes }));
    reasons.extend(of(FieldCause::Drift).map(|attributes| Reason::Drift { attributes }));
    reasons.extend(of(FieldCause::Configuration).map(|attributes| Reason::Configuration { attributes }));
    reasons.extend(of(FieldCause::Adopted).map(|attributes| Reason::Adopted { attributes }));
    let mut by_instance: BTreeMap<Instance, Vec<Name>> = BTreeMap::new();
    for (on, name) in depends {
        by_instance.entry(on).or_default().push(name);
    }
    reasons.extend(by_instance.into_iter().map(|(on, attributes)| Reason::DependsOn { on, attributes }));
    reasons
}

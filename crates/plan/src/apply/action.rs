//! From a step of the plan to an action.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::canonical::CanonicalError;
use model::{Action, Capability, Digest, EffectClass, Json, Problem, Reversibility};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Apply, Role};
use crate::change::{Change, Handler, Operation, PlannedCheck, Reason};
use crate::file::Plan;
use crate::name::{Host, Instance, Name, ResourceId, TypeName};
use crate::value::{OutputRef, Term, Values, has_reference, substitute};

/// What every action of a plan begins with; the operation follows (`resource.create`).
pub const KIND_PREFIX: &str = "resource.";
/// Runs a handler.
pub const KIND_HANDLE: &str = "resource.handle";
/// Tests a host.
pub const KIND_CHECK: &str = "resource.check";

/// The input of every action of a plan. A performer answers with `{"changed": bool, "attributes": {..}}`: whether anything
/// was changed (`true` when left out), and the attributes as they are now, from which references are filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceInput {
    /// Digest of the plan.
    pub plan: Digest,
    /// Where.
    pub host: Host,
    /// What.
    pub resource: ResourceId,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: TypeName,
    /// Exact version of its provider.
    pub provider: String,
    /// What it is to be; secrets as references, everything else filled in.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub desired: Values,
    /// What was applied last, for what is deleted or replaced; what was there, for the attributes that are updated.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prior: BTreeMap<Name, Term>,
    /// The attributes to change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Name>,
    /// The handler to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handler: Option<Name>,
    /// The name its record had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<Instance>,
    /// Whether only the new one is made now; the old one goes with a later `resource.dispose`.
    #[serde(default, skip_serializing_if = "crate::change::is_false")]
    pub create_first: bool,
    /// Whether it is deleted because it is declared absent: that it comes back is drift.
    #[serde(default, skip_serializing_if = "crate::change::is_false")]
    pub absent: bool,
    /// What it depends on, for the record that a later deletion is ordered by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends: Vec<Instance>,
}

/// What a step of a plan acts on.
#[derive(Clone, Copy)]
enum Part<'p> {
    Change(&'p Change),
    Handler(&'p Handler),
    Check(&'p PlannedCheck),
}

impl Part<'_> {
    fn instance(&self) -> &Instance {
        match self {
            Self::Change(change) => &change.instance,
            Self::Handler(handler) => &handler.instance,
            Self::Check(check) => &check.instance,
        }
    }

    /// Its input; references as they are declared.
    fn input(&self, plan: &Plan) -> ResourceInput {
        let (kind, desired) = match self {
            Self::Change(change) => (&change.kind, &change.desired),
            Self::Handler(handler) => (&handler.kind, &handler.desired),
            Self::Check(check) => (&check.kind, &check.desired),
        };
        let mut input = ResourceInput {
            plan: plan.digest(),
            host: self.instance().host.clone(),
            resource: self.instance().resource.clone(),
            kind: kind.clone(),
            provider: plan.types.get(kind).map(|used| used.version.clone()).unwrap_or_default(),
            desired: desired.clone(),
            prior: BTreeMap::new(),
            fields: Vec::new(),
            handler: None,
            moved_from: None,
            create_first: false,
            absent: false,
            depends: Vec::new(),
        };
        match self {
            Self::Change(change) => {
                input.prior.clone_from(&change.prior);
                for field in &change.fields {
                    input.prior.entry(field.name.clone()).or_insert_with(|| field.before.clone());
                }
                input.fields = change.fields.iter().map(|field| field.name.clone()).collect();
                input.moved_from.clone_from(&change.moved_from);
                input.create_first = change.create_first;
                let declared = |reason: &Reason| matches!(reason, Reason::DeclaredAbsent | Reason::Returned);
                input.absent = change.operation == Operation::Delete && change.reasons.iter().any(declared);
                input.depends.clone_from(&change.depends);
            }
            Self::Handler(handler) => input.handler = Some(handler.name.clone()),
            Self::Check(_) => {}
        }
        input
    }

    /// The action with this input, as far as the plan says what it is.
    fn action(&self, input: &ResourceInput) -> Result<Action, CanonicalError> {
        let (kind, uses, effect, reversibility) = match self {
            Self::Change(change) => {
                let kind = format!("{KIND_PREFIX}{}", change.operation);
                (kind, &change.uses, change.effect, change.reversibility)
            }
            Self::Handler(handler) => {
                (KIND_HANDLE.to_owned(), &handler.uses, handler.effect, handler.reversibility)
            }
            Self::Check(check) => {
                (KIND_CHECK.to_owned(), &check.uses, EffectClass::Read, Reversibility::NoChange)
            }
        };
        Ok(Action {
            kind,
            target: self.instance().to_string(),
            input: Json::of(input)?,
            effect,
            reversibility,
            wants: uses.iter().cloned().map(Capability).collect(),
            idempotency_key: String::new(),
        })
    }
}

/// Every action that applying `plan` may come to, as far as that is known before: references are as they are declared, and
/// no run has given them a key. For foretelling what policy will say.
pub fn actions(plan: &Plan) -> impl Iterator<Item = Action> {
    let changes = plan.changes.iter().map(Part::Change);
    let handlers = plan.handlers.iter().map(Part::Handler);
    let checks = plan.checks.iter().map(Part::Check);
    changes.chain(handlers).chain(checks).filter_map(|part| part.action(&part.input(plan)).ok())
}

impl Apply {
    /// The action of a unit, its references filled in.
    pub(super) fn action(&self, unit: u32) -> Result<Action, Problem> {
        let plan = Arc::clone(&self.plan);
        let part = match self.units[unit as usize].role {
            Role::Change(at) => Part::Change(&plan.changes[at as usize]),
            Role::Handler(at) => Part::Handler(&plan.handlers[at as usize]),
            Role::Check(at) => Part::Check(&plan.checks[at as usize]),
            Role::Junction(_) => return Err(Problem::runtime("nothing is done at a junction")),
        };
        let instance = part.instance();
        let mut input = part.input(&plan);
        input.desired = self.filled(instance, &input.desired)?;
        let unwritable = |error: CanonicalError| {
            Problem::runtime(format!("the input of {instance} cannot be written: {error}"))
        };
        let mut action = part.action(&input).map_err(unwritable)?;
        action.wants = self.filled_uses(instance, action.wants);
        action.idempotency_key = self.idempotency_key(unit);
        Ok(action)
    }

    fn idempotency_key(&self, unit: u32) -> String {
        let digest = Digest::of(self.units[unit as usize].step.id.as_str().as_bytes()).to_string();
        format!("{}.{}", self.run, &digest["sha256:".len()..][..16])
    }

    /// What an action may touch, its references filled in; one that cannot be stays, and nothing grants that.
    fn filled_uses(&self, instance: &Instance, wants: Vec<Capability>) -> Vec<Capability> {
        let fill = |text: String| {
            let value = Value::String(text);
            if !has_reference(&value) {
                return value;
            }
            substitute(&value, &mut |reference: &OutputRef| self.output(instance, reference), &mut Vec::new())
        };
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        wants.into_iter().map(|one| Capability(text(fill(one.0)))).collect()
    }

    /// Values with every reference filled in from what was applied before.
    fn filled(&self, instance: &Instance, values: &Values) -> Result<Values, Problem> {
        let mut filled = Values::new();
        for (name, value) in values {
            if !has_reference(value) {
                filled.insert(name.clone(), value.clone());
                continue;
            }
            let mut missing = Vec::new();
            let mut lookup = |reference: &OutputRef| self.output(instance, reference);
            let value = substitute(value, &mut lookup, &mut missing);
            if let Some(missing) = missing.first() {
                let detail = format!("`{name}` needs {missing}, and applying that did not yield it");
                return Err(Problem::configuration(detail).with_code(model::code::plan::NOT_APPLIED));
            }
            filled.insert(name.clone(), Arc::new(value));
        }
        Ok(filled)
    }

    /// What applying another resource yielded: on the same host, or where it is only on one.
    fn output(&self, instance: &Instance, reference: &OutputRef) -> Option<Arc<Value>> {
        let same_host = Instance::new(instance.host.clone(), reference.resource.clone());
        let unit = self.by_instance.get(&same_host).or_else(|| {
            let all = self.by_resource.get(&reference.resource)?;
            if let [only] = all.as_slice() { Some(only) } else { None }
        })?;
        let yielded = self.units[*unit as usize].output.as_ref()?;
        let value = yielded.get("attributes").and_then(|all| all.get(reference.attribute.as_str()));
        value.cloned().map(Arc::new).or_else(|| {
            let Role::Change(at) = self.units[*unit as usize].role else { return None };
            let declared = self.plan.changes[at as usize].desired.get(&reference.attribute)?;
            (!has_reference(declared)).then(|| declared.clone())
        })
    }

    /// Whether a change does nothing because it must not.
    pub(super) fn is_blocked(&self, unit: u32) -> bool {
        match self.units[unit as usize].role {
            Role::Change(at) => self.plan.changes[at as usize].operation == Operation::Blocked,
            _ => false,
        }
    }
}

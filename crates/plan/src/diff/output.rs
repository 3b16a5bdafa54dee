//! Values that come from other resources.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Diagnostic, code::plan as code};
use serde_json::Value;

use super::Differ;
use crate::change::Operation;
use crate::expand::Declared;
use crate::name::{Instance, Name, did_you_mean};
use crate::observed::Observed;
use crate::schema::Computed;
use crate::value::{self, Held, OutputRef};

/// The values of an instance that refers to others.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) attributes: BTreeMap<Name, ResolvedValue>,
}

#[derive(Debug)]
pub(super) struct ResolvedValue {
    pub(super) value: Arc<Value>,
    pub(super) predicted: bool,
    pub(super) missing: Vec<OutputRef>,
    pub(super) from: Vec<Instance>,
}

/// What is known of an output before anything is applied.
enum Output {
    Known(Arc<Value>),
    Predicted(Arc<Value>),
    Unknown,
}

impl<'a> Differ<'a> {
    /// Fills in what is known of an instance's references.
    pub(super) fn resolve(&mut self, at: u32, declared: &Declared<'a>, instance: &Instance) {
        if !declared.refers {
            return;
        }
        let mut resolved = Resolved::default();
        for (name, attribute) in &declared.resource.attributes {
            if !value::has_reference(&attribute.value) {
                continue;
            }
            let mut predicted = false;
            let mut from = Vec::new();
            let mut problems = Vec::new();
            let mut lookup = |reference: &OutputRef| match self.target(at, reference) {
                Ok(target) => match self.output(target, &reference.attribute) {
                    Ok(Output::Known(value)) => Some(value),
                    Ok(Output::Predicted(value)) => {
                        predicted = true;
                        Some(value)
                    }
                    Ok(Output::Unknown) => {
                        from.push(self.expanded.name_of(target));
                        None
                    }
                    Err(problem) => {
                        problems.push(problem);
                        None
                    }
                },
                Err(problem) => {
                    problems.push((problem, None));
                    None
                }
            };
            let mut missing = Vec::new();
            let value = Arc::new(value::substitute(&attribute.value, &mut lookup, &mut missing));
            for (problem, hint) in problems {
                let message = format!("`{instance}`, attribute `{name}`: {problem}");
                let place = declared.resource.location_of(name.as_str(), attribute);
                self.found.push(Diagnostic { hint, ..Diagnostic::error(code::UNKNOWN_NAME, message, place) });
            }
            resolved.attributes.insert(name.clone(), ResolvedValue { value, predicted, missing, from });
        }
        self.resolved.insert(at, resolved);
    }

    /// The instance that a reference means.
    fn target(&self, from: u32, reference: &OutputRef) -> Result<u32, String> {
        let host = self.expanded.instances[from as usize].host;
        let unknown = || format!("`{}` is not declared", reference.resource);
        let resource = self.expanded.index_of(&reference.resource).ok_or_else(unknown)?;
        if let Some(same_host) = self.expanded.on_host(resource, host) {
            return Ok(same_host);
        }
        let one = &self.expanded.declared[resource as usize];
        match one.count {
            1 => Ok(one.first),
            count => Err(format!(
                "`{reference}` could be that of {count} hosts, and `{}` is not on this one",
                reference.resource
            )),
        }
    }

    fn output(&self, at: u32, name: &Name) -> Result<Output, (String, Option<String>)> {
        let declared = self.expanded.resource_of(at);
        let (_, schema) = self.schema_of(at);
        let Some(attribute) = schema.attributes.get(name) else {
            let hint = did_you_mean(name.as_str(), schema.attributes.keys().map(Name::as_str));
            return Err((format!("`{}` has no attribute `{name}`", declared.resource.kind), hint));
        };
        if let Some(desired) = self.desired(at, declared, schema, name) {
            return Ok(if desired.missing.is_empty() {
                Output::Known(desired.value)
            } else {
                Output::Unknown
            });
        }
        let instance = self.expanded.name_of(at);
        let draft = self.drafts.get(at as usize);
        let kept = match draft.and_then(|draft| draft.operation) {
            None | Some(Operation::Move | Operation::Adopt) => true,
            Some(Operation::Update) => attribute.computed != Computed::Always,
            Some(_) => false,
        };
        let there = match self.world.observed.get(&instance) {
            Some(Observed::Present(attributes)) if kept => attributes.get(name),
            _ => None,
        };
        Ok(match there {
            Some(Held::Plain { value }) if !attribute.sensitive => Output::Known(value.clone()),
            _ => match self.world.predicted.get(&instance).and_then(|values| values.get(name)) {
                Some(value) if !attribute.sensitive => Output::Predicted(value.clone()),
                _ => Output::Unknown,
            },
        })
    }
}

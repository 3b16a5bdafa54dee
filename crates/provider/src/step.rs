//! From a step of a plan to what a provider is asked.

use std::collections::BTreeMap;

use plan::{Name, Operation as Planned, Term, Values};
use serde_json::Value;

use crate::exchange::{Attributes, Change, Operation};

/// Attributes as providers get them.
pub fn attributes(values: &Values) -> Attributes {
    values.iter().map(|(name, value)| (name.as_str().to_owned(), Value::clone(value))).collect()
}

/// The changes that one step of a plan is: none where the target is not touched, two for a replacement. They are made one
/// after the other.
///
/// `desired` has its secrets filled in; of `prior`, what is not known is left out.
pub fn changes(
    operation: Planned,
    desired: &Values,
    prior: &BTreeMap<Name, Term>,
    fields: &[Name],
    create_first: bool,
) -> Vec<Change> {
    let known = prior.iter().filter_map(|(name, term)| match term {
        Term::Known { value } | Term::Predicted { value } => {
            Some((name.as_str().to_owned(), Value::clone(value)))
        }
        Term::Absent | Term::Unknown { .. } | Term::Secret { .. } => None,
    });
    let prior: Attributes = known.collect();
    let change = |operation| Change {
        operation,
        desired: attributes(desired),
        prior: prior.clone(),
        fields: fields.iter().map(|name| name.as_str().to_owned()).collect(),
        asked: Vec::new(),
    };
    // what is deleted is what was there: where identity changes, that is not what is declared
    let delete = || {
        let mut old = attributes(desired);
        old.extend(prior.clone());
        Change { desired: old, ..change(Operation::Delete) }
    };
    match operation {
        Planned::Create => vec![change(Operation::Create)],
        Planned::Update => vec![change(Operation::Update)],
        Planned::Replace if create_first => vec![change(Operation::Create)],
        Planned::Replace => vec![delete(), change(Operation::Create)],
        Planned::Delete | Planned::Dispose => vec![delete()],
        Planned::Move | Planned::Forget | Planned::Adopt | Planned::Blocked => Vec::new(),
    }
}

/// The change that runs a handler.
pub fn handler(name: &Name, desired: &Values) -> Change {
    Change {
        operation: Operation::Handle(name.as_str().to_owned()),
        desired: attributes(desired),
        prior: Attributes::new(),
        fields: Vec::new(),
        asked: Vec::new(),
    }
}

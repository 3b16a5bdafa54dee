//! The way back: a plan that takes back what another one did, to be reviewed and approved like every other plan.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use model::{Coded, Digest, Reversibility, code::plan as code};

use crate::build::Header;
use crate::build::assemble::nature_of;
use crate::build::sums::{count, reach, types};
use crate::change::{Change, Edge, Field, FieldCause, Fingerprint, Handler, Junction, Operation, Reason};
use crate::desired::DependencyKind;
use crate::document::{Basis, Body, Counts};
use crate::file::Plan;
use crate::graph::Graph;
use crate::name::{Instance, Name};
use crate::schema::Schemas;
use crate::value::{Term, Values, outline};

/// A plan that takes back another one, and what it cannot take back.
#[derive(Debug, Clone, PartialEq)]
pub struct Undo {
    /// The plan; its parent is the one that is undone.
    pub plan: Plan,
    /// What was done and stays, with why.
    pub left_out: Vec<(Instance, String)>,
}

/// There is nothing that can be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUndoable {
    /// What was done and cannot be taken back, with why; empty when nothing was done.
    pub left_out: Vec<(Instance, String)>,
}

impl fmt::Display for NotUndoable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.left_out.first() {
            None => f.write_str("nothing of the plan was done"),
            Some((instance, because)) => write!(
                f,
                "nothing that was done can be taken back; the first of {}: {instance}: {because}",
                self.left_out.len()
            ),
        }
    }
}

impl std::error::Error for NotUndoable {}

impl Coded for NotUndoable {
    fn code(&self) -> &'static model::Code {
        code::NOT_UNDOABLE
    }

    fn hint(&self) -> Option<String> {
        Some("aedile plan".to_owned())
    }
}

/// Plans to take back what `plan` did, as far as `done` says that it did it, in reverse order. Nothing is read: it brings
/// back what the plan found or what had been applied before it, so it is meant for right after the plan, before anything else
/// is applied. Take the caller's word for that by its parent; [`Plan::check_fresh`] is for plans made by comparing.
pub fn undo(
    plan: &Plan,
    done: impl Fn(&Change) -> bool,
    schemas: &Schemas,
    header: &Header,
) -> Result<Undo, NotUndoable> {
    let mut left_out = Vec::new();
    let back: Vec<Option<Change>> = plan
        .changes
        .iter()
        .map(|change| {
            if !done(change) || change.operation == Operation::Blocked {
                return None;
            }
            match reversed(change, schemas) {
                Ok(back) => Some(back),
                Err(because) => {
                    left_out.push((change.instance.clone(), because));
                    None
                }
            }
        })
        .collect();
    if back.iter().all(Option::is_none) {
        return Err(NotUndoable { left_out });
    }
    let (changes, junctions, numbers) = ordered(plan, back);
    let handlers = handlers(plan, &numbers, changes.len());
    let mut counts = Counts::default();
    for change in &changes {
        count(&mut counts, change.operation);
    }
    let body = Body {
        id: header.id,
        created: model::time::rfc3339(header.created),
        environment: header.environment.clone(),
        variables: header.variables.clone(),
        focus: header.focus.clone(),
        only: header.only.clone(),
        destroy: false,
        parent: Some(plan.digest()),
        basis: Basis {
            position: header.position,
            configuration: header.configuration,
            policy: header.policy,
            facts: header.facts,
            observed: Digest::ZERO,
            applied: Digest::ZERO,
        },
        counts,
        reach: reach(&changes, plan.reach.resources_known, plan.reach.hosts_known),
        types: types(&changes, &handlers, &plan.checks, schemas),
        handlers,
        changes,
        junctions,
        checks: plan.checks.clone(),
        unchanged: BTreeMap::new(),
    };
    Ok(Undo { plan: Plan::seal(body), left_out })
}

/// The change that takes `change` back, or why there is none.
fn reversed(change: &Change, schemas: &Schemas) -> Result<Change, String> {
    if change.reversibility == Reversibility::Irreversible {
        return Err(format!("its {} cannot be taken back", change.operation));
    }
    let as_terms = |values: &Values| -> BTreeMap<Name, Term> {
        values.iter().map(|(name, value)| (name.clone(), Term::Known { value: value.clone() })).collect()
    };
    let (operation, fields, desired, prior) = match change.operation {
        Operation::Create => (Operation::Delete, Vec::new(), Values::new(), as_terms(&change.desired)),
        Operation::Update => (Operation::Update, swapped(&change.fields), before(change)?, BTreeMap::new()),
        Operation::Delete => (Operation::Create, Vec::new(), values(&change.prior)?, BTreeMap::new()),
        Operation::Replace if change.create_first => {
            return Err("both the old and the new one were there; plan the earlier configuration".to_owned());
        }
        Operation::Replace => {
            let fields = swapped(&change.fields);
            (Operation::Replace, fields, values(&change.prior)?, as_terms(&change.desired))
        }
        Operation::Move => (Operation::Move, Vec::new(), change.desired.clone(), BTreeMap::new()),
        Operation::Adopt => (Operation::Forget, Vec::new(), Values::new(), as_terms(&change.desired)),
        Operation::Forget => return Err("only its record was removed".to_owned()),
        Operation::Dispose | Operation::Blocked => return Err("it is gone".to_owned()),
    };
    let nature = nature_of(schemas.find(&change.kind).map(|(_, schema)| schema), operation);
    let (instance, moved_from) = match &change.moved_from {
        Some(from) => (from.clone(), Some(change.instance.clone())),
        None => (change.instance.clone(), None),
    };
    Ok(Change {
        instance,
        kind: change.kind.clone(),
        operation,
        reasons: vec![Reason::Undo { operation: change.operation }],
        fields,
        desired,
        prior,
        moved_from,
        create_first: false,
        effect: nature.effect,
        reversibility: nature.reversibility,
        after: Vec::new(),
        depends: change.depends.clone(),
        uses: change.uses.clone(),
        labels: change.labels.clone(),
        drift: change.drift,
        basis: Fingerprint { observed: String::new(), applied: String::new() },
        place: None,
    })
}

fn swapped(fields: &[Field]) -> Vec<Field> {
    let swap = |field: &Field| Field {
        name: field.name.clone(),
        before: field.after.clone(),
        after: field.before.clone(),
        cause: FieldCause::Undo,
        forces_replacement: field.forces_replacement,
    };
    fields.iter().map(swap).collect()
}

/// The declared values with what was there before in place of what was changed.
fn before(change: &Change) -> Result<Values, String> {
    let mut desired = change.desired.clone();
    for field in &change.fields {
        match value(&field.name, &field.before)? {
            Some(value) => desired.insert(field.name.clone(), value),
            None => desired.remove(&field.name),
        };
    }
    Ok(desired)
}

fn values(terms: &BTreeMap<Name, Term>) -> Result<Values, String> {
    if terms.is_empty() {
        return Err("what it was before is not known".to_owned());
    }
    let mut values = Values::new();
    for (name, term) in terms {
        if let Some(value) = value(name, term)? {
            values.insert(name.clone(), value);
        }
    }
    Ok(values)
}

fn value(name: &Name, term: &Term) -> Result<Option<Arc<serde_json::Value>>, String> {
    match term {
        Term::Absent => Ok(None),
        Term::Known { value } | Term::Predicted { value } if outline(value).is_some() => {
            Err(format!("what `{name}` was before is known in outline only"))
        }
        Term::Known { value } | Term::Predicted { value } => Ok(Some(value.clone())),
        Term::Secret { reference: Some(reference), .. } => Ok(Some(reference.clone())),
        Term::Secret { reference: None, .. } | Term::Unknown { .. } => {
            Err(format!("what `{name}` was before is not known"))
        }
    }
}

/// Changes in reverse order; what is left out becomes a point that order still goes through. Answers each old step's new
/// number, too.
fn ordered(plan: &Plan, mut back: Vec<Option<Change>>) -> (Vec<Change>, Vec<Junction>, Vec<u32>) {
    let forward = plan.graph();
    let mut graph = Graph::with_vertices(forward.len());
    for (vertex, edges) in (0..).zip(&forward.after) {
        for edge in edges {
            graph.add(edge.step, vertex, DependencyKind::Require);
        }
    }
    let order = graph.sort();
    let is_change = |vertex: &u32| back.get(*vertex as usize).is_some_and(Option::is_some);
    let (in_order, between): (Vec<u32>, Vec<u32>) = order.into_iter().partition(is_change);
    let mut numbers = vec![u32::MAX; graph.len()];
    for (number, vertex) in (0..).zip(in_order.iter().chain(&between)) {
        numbers[*vertex as usize] = number;
    }
    let after = |vertex: u32| -> Vec<Edge> {
        let edges = graph.after[vertex as usize].iter();
        edges.map(|edge| Edge { step: numbers[edge.step as usize], kind: edge.kind }).collect()
    };
    let label = |vertex: u32| match plan.changes.get(vertex as usize) {
        Some(change) => format!("{}, left as it is", change.instance),
        None => plan.junctions[vertex as usize - plan.changes.len()].label.clone(),
    };
    let junctions =
        between.iter().map(|vertex| Junction { label: label(*vertex), after: after(*vertex) }).collect();
    let changes = in_order
        .iter()
        .filter_map(|vertex| {
            let mut change = back.get_mut(*vertex as usize)?.take()?;
            change.after = after(*vertex);
            Some(change)
        })
        .collect();
    (changes, junctions, numbers)
}

/// What was notified of a change is notified when it is taken back.
fn handlers(plan: &Plan, numbers: &[u32], changes: usize) -> Vec<Handler> {
    let taken_back = |step: &u32| {
        let number = numbers[*step as usize];
        // a meeting point of many instances still stands for them
        ((number as usize) < changes || (*step as usize) >= plan.changes.len()).then_some(number)
    };
    let again = |handler: &Handler| {
        let triggers: Vec<u32> = handler.triggers.iter().filter_map(taken_back).collect();
        let own = handler.own.as_ref().and_then(taken_back);
        let gone = handler.own.is_some_and(|own| {
            plan.changes.get(own as usize).is_some_and(|change| change.operation == Operation::Create)
        });
        (!triggers.is_empty() && !gone).then(|| Handler { triggers, own, ..handler.clone() })
    };
    plan.handlers.iter().filter_map(again).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_in_outline_only_is_not_brought_back() {
        let content: Name = "content".parse().unwrap();
        let before = |value: serde_json::Value| value_of(&content, value);
        assert!(before(serde_json::json!({"shown": "(81920 bytes)"})).is_err());
        assert!(before("a text".into()).is_ok_and(|value| value.is_some()));
    }

    fn value_of(name: &Name, value: serde_json::Value) -> Result<Option<Arc<serde_json::Value>>, String> {
        super::value(name, &Term::Known { value: Arc::new(value) })
    }
}

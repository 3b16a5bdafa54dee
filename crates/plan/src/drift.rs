//! What of a plan is drift: what somebody else did, as opposed to what the configuration says and nobody applied yet.

use model::{Digest, DriftClass, Problem, Reversibility};
use serde_json::json;

use crate::change::{Change, FieldCause, Operation, Reason};
use crate::file::Plan;

/// A resource on a host that is not as it was applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift<'p> {
    /// What would put it right.
    pub change: &'p Change,
    /// In which way it is not as it was applied.
    pub class: DriftClass,
    /// Why a person has to be asked before it is put right, if that is so.
    pub ask: Option<&'static str>,
}

impl Drift<'_> {
    /// Digest of what was found: the same as long as it stays so, whatever is not managed.
    pub fn state(&self) -> Digest {
        let fields = self.change.fields.iter().map(|field| json!([field.name, field.before]));
        Digest::of_json(&json!({
            "instance": self.change.instance,
            "class": self.class,
            "fields": fields.collect::<Vec<_>>(),
            "applied": self.change.basis.applied,
            "problem": self.problem().and_then(|problem| problem.code.as_ref()),
        }))
    }

    /// Why it cannot be read.
    pub fn problem(&self) -> Option<&Problem> {
        self.change.reasons.iter().find_map(|reason| match reason {
            Reason::Unreadable { problem } => Some(problem),
            _ => None,
        })
    }
}

impl Plan {
    /// What of it is drift, in the plan's order. Every other change comes from the configuration.
    pub fn drift(&self) -> Vec<Drift<'_>> {
        self.changes.iter().filter_map(drift).collect()
    }
}

/// Whether a change puts right what somebody else did, or would if that could be known.
fn drift(change: &Change) -> Option<Drift<'_>> {
    let cause = |wanted: &[FieldCause]| change.fields.iter().any(|field| wanted.contains(&field.cause));
    let reason = |wanted: fn(&Reason) -> bool| change.reasons.iter().any(wanted);
    let drifted = cause(&[FieldCause::Drift, FieldCause::Conflict]);
    let planned =
        cause(&[
            FieldCause::Configuration,
            FieldCause::Conflict,
            FieldCause::Adopted,
            FieldCause::Dependency,
            FieldCause::Undo,
        ]) || reason(|reason| matches!(reason, Reason::Moved { .. } | Reason::Configuration { .. }));
    let class = match change.operation {
        Operation::Dispose => return None,
        // what is to be kept stays, and nobody can put it right
        Operation::Blocked if drifted => DriftClass::Conflict,
        Operation::Blocked if reason(|reason| matches!(reason, Reason::Kept)) => return None,
        Operation::Blocked => DriftClass::Unreadable,
        _ if reason(|reason| matches!(reason, Reason::Missing)) && !planned => DriftClass::Missing,
        _ if reason(|reason| matches!(reason, Reason::Missing)) => DriftClass::Conflict,
        _ if drifted && planned => DriftClass::Conflict,
        _ if drifted => DriftClass::Changed,
        _ => return None,
    };
    let ask = match change.operation {
        Operation::Replace => Some("it would be replaced"),
        _ if change.reversibility == Reversibility::Irreversible => Some("that cannot be taken back"),
        _ => None,
    };
    Some(Drift { change, class, ask })
}

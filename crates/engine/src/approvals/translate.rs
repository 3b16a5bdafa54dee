//! Between the journal's events and policy's changes.

use journal::events::{ApprovalEvent, Asked, Decided, Escalated, Refused, Vote};
use model::{Chain, Digest, Level, Principal, Timestamp};
use policy::{ApprovalChange, Approver, Question};

use super::Persons;

/// The question as policy's state machine takes it.
pub(super) fn question(asked: &Asked, at: Timestamp, persons: Persons) -> Question {
    Question {
        chain: Chain { name: asked.chain.clone(), levels: asked.levels.iter().map(Level::from).collect() },
        requester: asked.requester.clone(),
        requester_via: asked.via.clone().filter(|_| persons == Persons::ByUser),
        binding: asked.binding,
        at,
    }
}

/// The change an event of the stream stands for; `None` for the request itself.
pub(super) fn change(event: &ApprovalEvent, at: Timestamp, persons: Persons) -> Option<ApprovalChange> {
    Some(match event.clone() {
        ApprovalEvent::Requested(_) => return None,
        ApprovalEvent::Voted(Vote { level, by, via, expires, reason, .. }) => {
            let via = via.filter(|_| persons == Persons::ByUser);
            ApprovalChange::Voted { level, by, via, at, expires, reason }
        }
        ApprovalEvent::Escalated(Escalated { from, to, due, expires, .. }) => {
            ApprovalChange::Escalated { from, to, at: due, expires }
        }
        ApprovalEvent::Granted(Decided { level, by, via, reason, .. }) => {
            ApprovalChange::Granted { level, by, via, at, reason }
        }
        ApprovalEvent::Denied(Refused { level, by, via, reason }) => {
            ApprovalChange::Denied { level, by, via, at, reason }
        }
        ApprovalEvent::Expired(Refused { level, .. }) => ApprovalChange::Expired { level, at },
        ApprovalEvent::Overridden(Refused { level, by, via, reason }) => {
            ApprovalChange::Overridden { level, by, via, at, reason: reason.unwrap_or_default() }
        }
        ApprovalEvent::Withdrawn(Refused { level, by, reason, .. }) => {
            ApprovalChange::Withdrawn { level, by, at, reason: reason.unwrap_or_default() }
        }
    })
}

/// The event that records a change, and who acted. `by` is who decided; the journal keeps the user behind them always.
pub(super) fn event(
    change: &ApprovalChange,
    by: Option<&Approver>,
    binding: Digest,
) -> (Principal, ApprovalEvent) {
    let via = by.and_then(|by| by.via.clone());
    match change.clone() {
        ApprovalChange::Voted { level, by, expires, reason, .. } => {
            (by.clone(), ApprovalEvent::Voted(Vote { level, by, via, binding, expires, reason }))
        }
        ApprovalChange::Escalated { from, to, at, expires } => {
            let reason = "timeout".to_owned();
            (Principal::system(), ApprovalEvent::Escalated(Escalated { from, to, reason, due: at, expires }))
        }
        ApprovalChange::Granted { level, by, reason, .. } => {
            let actor = by.last().cloned().unwrap_or_else(Principal::system);
            (actor, ApprovalEvent::Granted(Decided { level, by, via, binding, reason }))
        }
        ApprovalChange::Denied { level, by, reason, .. } => {
            (by.clone(), ApprovalEvent::Denied(Refused { level, by, via, reason }))
        }
        ApprovalChange::Expired { level, .. } => {
            let (by, reason) = (Principal::system(), Some("expired".to_owned()));
            (by.clone(), ApprovalEvent::Expired(Refused { level, by, via: None, reason }))
        }
        ApprovalChange::Overridden { level, by, reason, .. } => {
            (by.clone(), ApprovalEvent::Overridden(Refused { level, by, via, reason: Some(reason) }))
        }
        ApprovalChange::Withdrawn { level, by, reason, .. } => {
            (by.clone(), ApprovalEvent::Withdrawn(Refused { level, by, via, reason: Some(reason) }))
        }
    }
}

//! Rows and records as they go over the wire.

mod steps;

use engine::approvals::Decided;
use engine::control::Command;
use journal::Record;
use journal::events::LevelRecord;
use model::time::rfc3339;
use model::{ApprovalId, Principal, Role, RunId};
use serde_json::Value;
use store::{ApprovalRow, CheckpointRow, RunRow, WaitingOn};

use project::Access;

pub use steps::steps;

/// A run.
pub fn run(row: &RunRow) -> api::Run {
    api::Run {
        run: row.run.to_string(),
        kind: row.kind.clone(),
        workflow: row.name.clone(),
        version: row.version.clone(),
        definition: row.digest.to_string(),
        environment: row.environment.to_string(),
        requester: row.requester.to_string(),
        parent: row.parent.map(|parent| parent.to_string()),
        status: row.status.as_str().to_owned(),
        waiting_on: row.waiting_on.as_ref().map(waiting_on),
        submitted_at: rfc3339(row.submitted_at),
        started_at: row.started_at.map(rfc3339),
        ended_at: row.ended_at.map(rfc3339),
        problem: row.problem.clone(),
        position: row.submitted,
        last: row.last,
    }
}

fn waiting_on(waiting: &WaitingOn) -> api::WaitingOn {
    let (kind, what) = match waiting {
        WaitingOn::Approval(id) => ("approval", id.to_string()),
        WaitingOn::Window(at) => ("window", rfc3339(*at)),
        WaitingOn::Timer(at) => ("timer", rfc3339(*at)),
        WaitingOn::Run(id) => ("run", id.to_string()),
        WaitingOn::Event(step) => ("event", step.to_string()),
    };
    api::WaitingOn { kind: kind.to_owned(), what }
}

/// An approval, with those who may decide it.
pub fn approval(row: &ApprovalRow, access: &Access) -> api::Approval {
    api::Approval {
        approval: row.approval.to_string(),
        run: row.run.to_string(),
        step: row.step.to_string(),
        title: row.title.clone(),
        status: row.status.as_str().to_owned(),
        chain: row.chain.clone(),
        level: row.level,
        levels: row.levels.iter().map(|level| self::level(level, access)).collect(),
        votes: row.votes.iter().map(ToString::to_string).collect(),
        requester: row.requester.to_string(),
        binding: row.binding.to_string(),
        asked_at: rfc3339(row.asked_at),
        expires_at: row.expires.map(rfc3339),
        ended_at: row.ended_at.map(rfc3339),
        ended_by: row.ended_by.as_ref().map(ToString::to_string),
        reason: row.reason.clone(),
        position: row.asked,
    }
}

fn level(level: &LevelRecord, access: &Access) -> api::Level {
    api::Level {
        level: level.level,
        roles: level.roles.iter().map(Role::to_string).collect(),
        quorum: level.quorum,
        within_ms: level.within_ms,
        on_timeout: level.on_timeout.clone(),
        emergency_override: level.emergency_override,
        holders: access.holders(&level.roles).iter().map(ToString::to_string).collect(),
    }
}

/// What a decision led to.
pub fn decided(approval: ApprovalId, by: &Principal, decided: Decided) -> api::Decided {
    let answer = |status: &str| api::Decided {
        approval: approval.to_string(),
        by: by.to_string(),
        status: status.to_owned(),
        reason: None,
        level: None,
        missing: None,
    };
    match decided {
        Decided::Ended { outcome } => answer(outcome),
        Decided::Counted { level, missing } => {
            api::Decided { level: Some(level), missing: Some(missing), ..answer("waiting") }
        }
        Decided::Already { message } => api::Decided { reason: Some(message), ..answer("noop") },
    }
}

/// What was done to a run.
pub fn steered(run: RunId, by: &Principal, command: &Command) -> api::Steered {
    api::Steered { run: run.to_string(), by: by.to_string(), done: command.participle().to_owned() }
}

/// A record.
pub fn record(record: &Record) -> api::Record {
    api::Record {
        position: record.position,
        stream: record.stream.to_string(),
        sequence: record.sequence,
        kind: record.event.kind().to_owned(),
        at: rfc3339(record.at),
        actor: record.actor.to_string(),
        record: serde_json::from_slice(&record.bytes).unwrap_or(Value::Null),
        digest: journal::record::digest(&record.bytes).to_string(),
    }
}

/// A checkpoint.
pub fn checkpoint(row: &CheckpointRow) -> api::Checkpoint {
    api::Checkpoint {
        checkpoint: row.checkpoint.to_string(),
        size: row.size,
        root: row.root.clone(),
        at: rfc3339(row.at),
        position: row.position,
        note: row.note.clone(),
    }
}

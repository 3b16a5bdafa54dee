//! Approvals: questions to people, each a journal stream of its own.
//!
//! Everybody decides by the same few lines, [`decide`]: read the stream, ask [`policy::Approval`] what the decision changes, append
//! that on the condition that nobody wrote meanwhile. So exactly one decision ends an approval, from whichever process it comes,
//! and a decision that comes too late is told who was first.

mod question;
mod translate;

use journal::events::ApprovalEvent;
use journal::{Append, Event, Expect, Journal, JournalError, NewEvent, StreamId};
use model::{ApprovalId, RunId, Timestamp};
use policy::{Approval, ApprovalChange, Approver, Choice, Refusal, Ruling};

use crate::{EngineError, control, limits};

pub use journal::events::Asked;
pub(crate) use question::{Owned, Question, compose};

/// An approval as its stream has it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What was asked.
    pub asked: Asked,
    /// Where it stands.
    pub approval: Approval,
    /// The event that ended it.
    pub ended: Option<ApprovalEvent>,
    /// When time alone changes it next.
    pub due: Option<Timestamp>,
    sequence: u64,
}

/// How people are told apart where one operating system's user may act as several principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Persons {
    /// By the operating system's user: whoever they act as, one user is one person. The only safe choice where it matters.
    #[default]
    ByUser,
    /// By the principal they act as: for demonstrations and tests on a machine with one user.
    ByPrincipal,
}

impl Persons {
    /// Somebody as they are counted: without whoever is behind them where every principal is a person of its own.
    pub fn counted(self, by: &Approver) -> Approver {
        match self {
            Self::ByUser => by.clone(),
            Self::ByPrincipal => Approver { via: None, ..by.clone() },
        }
    }
}

/// What a decision led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It ended the approval.
    Ended {
        /// `granted`, `denied`, `overridden` or `withdrawn`.
        outcome: &'static str,
    },
    /// It was counted, and more is needed.
    Counted {
        /// The level that is current now.
        level: u32,
        /// How many more must grant at that level.
        missing: u32,
    },
    /// It changes nothing: the same was decided before.
    Already {
        /// What to tell.
        message: String,
    },
}

/// Reads an approval; `None` when there is none by that id.
pub fn load(journal: &dyn Journal, id: ApprovalId, persons: Persons) -> Result<Option<Loaded>, EngineError> {
    let records = journal.read_stream(&id.to_string(), 0, limits::READ_MAX)?;
    let mut records = records.into_iter();
    let Some(first) = records.next() else { return Ok(None) };
    let Event::Approval(ApprovalEvent::Requested(asked)) = first.event else {
        return Err(EngineError::Policy(format!("{id} does not begin with approval.requested")));
    };
    let question = translate::question(&asked, first.at, persons);
    let approval = Approval::requested(question).map_err(|error| EngineError::Policy(error.to_string()))?;
    let mut loaded = Loaded { asked: *asked, approval, ended: None, due: None, sequence: first.sequence };
    for record in records {
        loaded.sequence = record.sequence;
        let Event::Approval(event) = record.event else { continue };
        let Some(change) = translate::change(&event, record.at, persons) else { continue };
        loaded.approval.apply(&change);
        if change.is_terminal() {
            loaded.ended.get_or_insert(event);
        }
    }
    loaded.due = loaded.approval.due();
    Ok(Some(loaded))
}

/// Decides. `seen` is the binding digest of what the decider was shown; [`Asked::binding`] when they were shown the approval itself.
pub async fn decide(
    journal: &dyn Journal,
    id: ApprovalId,
    choice: &Choice,
    by: &Approver,
    seen: Option<model::Digest>,
    (persons, now): (Persons, Timestamp),
) -> Result<Decided, EngineError> {
    for _ in 0..limits::CONFLICTS_MAX {
        let mut loaded = expire(journal, id, now, persons).await?;
        let binding = seen.unwrap_or(loaded.asked.binding);
        let ruling = loaded
            .approval
            .decide(choice, &persons.counted(by), binding, now)
            .map_err(|refusal| told(id, &refusal))?;
        let changes = match ruling {
            Ruling::Noop { message } => return Ok(Decided::Already { message }),
            Ruling::Changes(changes) => changes,
        };
        match append(journal, &loaded, &changes, Some(by), now).await {
            Ok(()) => {
                for change in &changes {
                    loaded.approval.apply(change);
                }
                return Ok(outcome(&loaded.approval, &changes));
            }
            Err(JournalError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(busy(id))
}

/// Lets time run out where it has, and reads the approval as it then stands.
pub(crate) async fn expire(
    journal: &dyn Journal,
    id: ApprovalId,
    now: Timestamp,
    persons: Persons,
) -> Result<Loaded, EngineError> {
    for _ in 0..limits::CONFLICTS_MAX {
        let loaded =
            load(journal, id, persons)?.ok_or_else(|| EngineError::NotFound { what: id.to_string() })?;
        let changes = loaded.approval.tick(now);
        if changes.is_empty() {
            return Ok(loaded);
        }
        match append(journal, &loaded, &changes, None, now).await {
            Ok(()) | Err(JournalError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(busy(id))
}

/// Takes a question back because nobody waits for it any more. Does nothing if it has ended.
pub(crate) async fn withdraw(
    journal: &dyn Journal,
    id: ApprovalId,
    reason: &str,
    now: Timestamp,
) -> Result<(), EngineError> {
    for _ in 0..limits::CONFLICTS_MAX {
        let loaded = expire(journal, id, now, Persons::default()).await?;
        let changes = loaded.approval.void(reason, now);
        if changes.is_empty() {
            return Ok(());
        }
        match append(journal, &loaded, &changes, None, now).await {
            Ok(()) => return Ok(()),
            Err(JournalError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(busy(id))
}

/// Whether the run that asked still waits. A decision on a question of a run that has ended would be heard by nobody.
pub fn is_waited_for(journal: &dyn Journal, run: RunId) -> Result<bool, EngineError> {
    Ok(control::outline(journal, run)?.is_some_and(|outline| !outline.status.is_final()))
}

async fn append(
    journal: &dyn Journal,
    loaded: &Loaded,
    changes: &[ApprovalChange],
    by: Option<&Approver>,
    now: Timestamp,
) -> Result<(), JournalError> {
    let stream: StreamId = loaded.asked.approval.to_string().into();
    let events = changes.iter().map(|change| {
        let (actor, event) = translate::event(change, by, loaded.asked.binding);
        NewEvent { stream: stream.clone(), actor, event: event.into() }
    });
    let append = Append {
        expect: vec![Expect { stream: stream.clone(), sequence: loaded.sequence }],
        events: events.collect(),
        at: Some(model::time::to_millisecond(now)),
    };
    journal.append(append).await.map(|_| ())
}

fn outcome(approval: &Approval, changes: &[ApprovalChange]) -> Decided {
    let ended = changes.last().filter(|change| change.is_terminal());
    match ended {
        Some(ApprovalChange::Granted { .. }) => Decided::Ended { outcome: "granted" },
        Some(ApprovalChange::Overridden { .. }) => Decided::Ended { outcome: "overridden" },
        Some(ApprovalChange::Withdrawn { .. }) => Decided::Ended { outcome: "withdrawn" },
        Some(_) => Decided::Ended { outcome: "denied" },
        None => {
            let votes = u32::try_from(approval.votes().count()).unwrap_or(u32::MAX);
            let level = approval.level();
            Decided::Counted { level: level.number, missing: level.quorum.saturating_sub(votes) }
        }
    }
}

fn told(id: ApprovalId, refusal: &Refusal) -> EngineError {
    use model::Coded as _;
    let hint = refusal.hint().or_else(|| Some(format!("aedile approvals show {id}")));
    EngineError::Refused { code: refusal.code(), why: refusal.to_string(), hint }
}

fn busy(id: ApprovalId) -> EngineError {
    EngineError::Limit { what: format!("attempts to write to {id}"), limit: u64::from(limits::CONFLICTS_MAX) }
}

//! The way back from a run that applied a plan: what it did is read from its records, and taken back by another plan.

use std::collections::{BTreeMap, BTreeSet};

use engine::limits::READ_MAX;
use journal::events::StepEvent;
use journal::{Event, Journal, JournalError};
use model::{Coded, RunId, StepId, code};
use plan::apply::{KIND_CHECK, KIND_HANDLE, KIND_PREFIX};
use plan::{NotUndoable, Operation, Undo};
use serde_json::Value;

use super::planning::Wanted;
use super::program::{PLAN_PROGRAM, plan_of};
use super::site::Site;
use crate::ProjectError;

/// Why a run cannot be taken back.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// It did not apply a plan.
    #[error("{run} applied no plan: it is of {name}")]
    NoPlan {
        /// The run.
        run: RunId,
        /// Its program.
        name: String,
    },
    /// It has not ended.
    #[error("{run} has not ended: it is {status}")]
    UnderWay {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: store::RunStatus,
    },
    /// Something was changed since, on which what it did may not be put back.
    #[error("{by} has changed {target} since")]
    Overtaken {
        /// By which run.
        by: String,
        /// What.
        target: String,
    },
    /// There is nothing to take back.
    #[error(transparent)]
    Nothing(#[from] NotUndoable),
    /// Because of the project.
    #[error(transparent)]
    Project(#[from] ProjectError),
}

impl From<JournalError> for UndoError {
    fn from(error: JournalError) -> Self {
        ProjectError::Journal(Box::new(error)).into()
    }
}

impl Coded for UndoError {
    fn code(&self) -> &'static model::Code {
        match self {
            Self::NoPlan { .. } | Self::UnderWay { .. } => code::plan::NOT_UNDOABLE,
            Self::Overtaken { .. } => code::plan::STALE,
            Self::Nothing(error) => error.code(),
            Self::Project(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoPlan { run, .. } => Some(format!("aedile runs show {run}")),
            Self::UnderWay { run, .. } => Some(format!("aedile runs cancel {run}")),
            // what was there before the two of them is what the configuration of that day says
            Self::Overtaken { .. } => Some("aedile plan".to_owned()),
            Self::Nothing(error) => error.hint(),
            Self::Project(error) => error.hint(),
        }
    }
}

/// Whether an action of this kind changes a resource, or the record of one.
fn is_change(kind: &str) -> bool {
    kind.starts_with(KIND_PREFIX) && kind != KIND_HANDLE && kind != KIND_CHECK
}

/// The first change that another run began after a position of the journal: by which, and of what.
pub(super) fn changed_since(
    journal: &dyn Journal,
    position: u64,
    except: RunId,
) -> Result<Option<(String, String)>, JournalError> {
    let (mut after, except) = (position, except.to_string());
    loop {
        let records = journal.read(after, READ_MAX)?;
        let Some(last) = records.last() else { return Ok(None) };
        after = last.position;
        for record in &records {
            if let Event::Step(StepEvent::Scheduled(step)) = &record.event
                && is_change(&step.action.kind)
                && *record.stream != except
            {
                return Ok(Some((record.stream.to_string(), step.action.target.clone())));
            }
        }
    }
}

/// What a run did: each change that was begun, and whether it is known to have changed something.
struct Did {
    steps: BTreeMap<StepId, Option<bool>>,
    /// The position of its last record.
    last: u64,
}

fn did(journal: &dyn Journal, run: RunId) -> Result<Did, JournalError> {
    let stream = run.to_string();
    let (mut did, mut sequence) = (Did { steps: BTreeMap::new(), last: 0 }, 0);
    let mut again = BTreeSet::new();
    loop {
        let records = journal.read_stream(&stream, sequence, READ_MAX)?;
        let Some(last) = records.last() else { return Ok(did) };
        (sequence, did.last) = (last.sequence, last.position);
        for record in &records {
            match &record.event {
                Event::Step(StepEvent::Scheduled(step)) if is_change(&step.action.kind) => {
                    if did.steps.contains_key(&step.step) {
                        again.insert(step.step.clone());
                    }
                    did.steps.entry(step.step.clone()).or_default();
                }
                Event::Step(StepEvent::Completed(result)) => {
                    if let Some(known) = did.steps.get_mut(&result.step) {
                        let changed = result.output.get("changed").and_then(Value::as_bool).unwrap_or(true);
                        // done again after a retry: it is this run's change all the same; and what an attempt before it did
                        // that nobody heard of is found in place by the next one
                        let changed = changed || *known == Some(true);
                        *known = (changed || !again.contains(&result.step)).then_some(changed);
                    }
                }
                _ => {}
            }
        }
    }
}

/// A plan that takes back what a run did, and what stays.
#[derive(Debug)]
pub struct Undoing {
    /// The plan, and what was done and cannot be taken back.
    pub undo: Undo,
    /// What may or may not have been done, and so is left as it is.
    pub uncertain: Vec<String>,
}

impl Site {
    /// Plans to take back what a run did, in reverse order, as far as its records say that it did it. Reads the journal and no
    /// host: what comes back is what the run's plan found, so nothing may have been applied since.
    ///
    /// # Errors
    /// The run applied no plan, has not ended, did nothing that can be taken back, or was followed by another change.
    pub async fn undo(&self, run: RunId) -> Result<Undoing, UndoError> {
        let journal = self
            .parts
            .journal
            .as_deref()
            .ok_or_else(|| ProjectError::NothingYet { name: self.parts.place.environment.to_string() })?;
        let row = journal.run(run)?.ok_or_else(|| ProjectError::NothingYet { name: run.to_string() })?;
        if row.kind != PLAN_PROGRAM {
            return Err(UndoError::NoPlan { run, name: row.name });
        }
        if !row.status.is_ended() {
            return Err(UndoError::UnderWay { run, status: row.status });
        }
        let plan = plan_of(journal, row.digest)?;
        let did = did(journal, run)?;
        if let Some((by, target)) = changed_since(journal, did.last, run)? {
            return Err(UndoError::Overtaken { by, target });
        }
        let wanted = Wanted { variables: plan.variables.clone(), ..Wanted::default() };
        // so that the providers are those that the configuration asks for
        self.configuration(&wanted.variables)?;
        let schemas = self.providers().await?.schemas();
        let (position, _) = self.applied()?;
        let header = self.header(&wanted, position, plan.basis.configuration);
        let step_of = |change: &plan::Change| match change.operation {
            Operation::Dispose => StepId::new(format!("{}#dispose", change.instance)),
            _ => StepId::new(change.instance.to_string()),
        };
        let done = |change: &plan::Change| did.steps.get(&step_of(change)) == Some(&Some(true));
        let undo = plan::undo(&plan, done, schemas, &header)?;
        let uncertain = did.steps.iter().filter(|(_, changed)| changed.is_none());
        Ok(Undoing { undo, uncertain: uncertain.map(|(step, _)| step.to_string()).collect() })
    }
}

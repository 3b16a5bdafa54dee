//! Why the engine could not do as asked.

use journal::JournalError;
use model::{Code, Coded, Problem, RunId, code};

/// Why the engine could not do as asked. Nothing was changed unless the variant says so.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The journal could not do as asked.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no such run, approval or step.
    #[error("{what} is not known")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The run is not in a state that allows it.
    #[error("{run} is {status}, so it cannot be {wanted}")]
    WrongState {
        /// The run.
        run: RunId,
        /// Its state.
        status: String,
        /// What was wanted: `paused`, `cancelled`, ...
        wanted: &'static str,
    },
    /// The journal of the run and its definition do not belong together.
    #[error(transparent)]
    Diverged(#[from] model::program::Diverged),
    /// A program could not be made from its definition.
    #[error("the definition of {run} cannot be used: {why}")]
    Definition {
        /// The run.
        run: RunId,
        /// Why.
        why: String,
    },
    /// A limit of the engine or the journal was reached.
    #[error("{what} is over the limit of {limit}")]
    Limit {
        /// What.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// A decision on an approval was refused. The approval is as it was.
    #[error("{why}")]
    Refused {
        /// The stable code, of the policy's area.
        code: &'static Code,
        /// Why.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
    /// What is on the hosts cannot be told, or nothing can be planned for them.
    #[error(transparent)]
    Look(#[from] crate::drift::LookError),
    /// Policy cannot be evaluated.
    #[error("the policy cannot be evaluated: {0}")]
    Policy(String),
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    Stopping,
}

impl Coded for EngineError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Journal(error) => error.code(),
            Self::NotFound { .. } => code::general::NOT_FOUND,
            Self::WrongState { .. } => code::run::NOT_RUNNING,
            Self::Diverged(error) => error.code(),
            Self::Definition { .. } => code::run::DEFINITION_CHANGED,
            Self::Limit { .. } => code::run::LIMIT,
            Self::Refused { code, .. } => code,
            Self::Look(error) => error.code,
            Self::Policy(_) => code::policy::UNEVALUABLE,
            Self::Stopping => code::run::OWNED_ELSEWHERE,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Journal(error) => error.hint(),
            Self::NotFound { .. } => Some("aedile runs list".to_owned()),
            Self::WrongState { run, .. } => Some(format!("aedile runs show {run}")),
            Self::Refused { hint, .. } => hint.clone(),
            Self::Look(error) => error.hint.clone(),
            Self::Diverged(_) | Self::Definition { .. } => Some("aedile journal verify".to_owned()),
            _ => None,
        }
    }
}

/// A problem with Aedile's own code, for a step that policy or people did not let through.
pub(crate) fn refused(code: &'static Code, detail: String) -> Problem {
    Problem::authorization(detail).with_code(code)
}

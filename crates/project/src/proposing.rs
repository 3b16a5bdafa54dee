//! Proposing a run of a workflow: what is checked before anything is written, the same for every surface.

use engine::{EngineError, Submission};
use model::{Code, Coded, Diagnostic, Location, RunId, code};
use serde_json::Value;

use crate::{Actor, Document, Workshop};

/// Why a run was not proposed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// The input does not match the workflow's schema.
    #[error("the input does not match the workflow's schema")]
    Input {
        /// Where and how.
        findings: Vec<Diagnostic>,
    },
    /// A secret that the workflow uses is not there.
    #[error("{0}")]
    Secret(engine::ports::SecretError),
    /// The workflow's document cannot be used.
    #[error(transparent)]
    Project(#[from] crate::ProjectError),
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Coded for ProposeError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Input { .. } => code::workflow::INPUT_REFUSED,
            Self::Secret(_) => code::workflow::MISSING_SECRET,
            Self::Project(error) => error.code(),
            Self::Engine(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Project(error) => error.hint(),
            Self::Engine(error) => error.hint(),
            _ => None,
        }
    }

    fn findings(&self) -> &[Diagnostic] {
        match self {
            Self::Input { findings } => findings,
            Self::Project(error) => error.findings(),
            _ => &[],
        }
    }
}

/// Refuses an input that does not match the workflow's schema.
pub fn check_input(document: &Document, input: &Value) -> Result<(), ProposeError> {
    let Err(errors) = document.workflow.check_input(input) else { return Ok(()) };
    let location = Location { file: "input".to_owned(), ..Location::default() };
    let findings = errors
        .into_iter()
        .map(|error| Diagnostic::error(code::workflow::INPUT_REFUSED, error, location.clone()))
        .collect();
    Err(ProposeError::Input { findings })
}

impl Workshop {
    /// Refuses a workflow whose secrets are not there.
    pub fn check_secrets(&self, document: &Document) -> Result<(), ProposeError> {
        for name in &document.workflow.uses.secrets {
            self.secrets.reveal(name).map_err(ProposeError::Secret)?;
        }
        Ok(())
    }

    /// Submits a run of a workflow, with what was checked.
    pub async fn propose(
        &self,
        document: &Document,
        input: Value,
        actor: Actor,
        idempotency_key: Option<String>,
    ) -> Result<RunId, ProposeError> {
        check_input(document, &input)?;
        self.check_secrets(document)?;
        let submission = Submission {
            definition: document.definition.clone(),
            input,
            requester: actor.principal,
            via: actor.via,
            idempotency_key,
        };
        Ok(self.engine.submit(submission).await?)
    }
}

//! Plans as programs of runs.

use std::sync::Arc;

use engine::ports::{Definition, Programs};
use journal::events::{self, ProgramRecord, Submitted};
use journal::{Journal, JournalError};
use model::{Digest, Origin, Program, Timestamp};
use plan::{Apply, Plan, apply::Options};
use serde::{Deserialize, Serialize};

use super::site::Site;
use crate::{InForce, ProjectError};

/// The word of a plan in the journal.
pub const PLAN_PROGRAM: &str = "plan";

/// The input of a run that applies a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApplyInput {
    /// How it is applied.
    pub options: Options,
}

/// What a run that applies a plan is made of.
pub fn definition(plan: &Plan) -> Definition {
    Definition {
        program: record(plan, Digest::of(plan.file().as_bytes())),
        text: Arc::clone(plan.file()),
        actions: std::collections::BTreeMap::new(),
    }
}

/// The plan that a run applies, from the journal alone. `digest` is that of the run's definition.
///
/// # Errors
/// The journal cannot be read, or the definition is no plan or not whole.
pub fn plan_of(journal: &dyn Journal, digest: Digest) -> Result<Plan, ProjectError> {
    let unreadable = |error: JournalError| ProjectError::Journal(Box::new(error));
    // what is not whole is no plan file, either
    let text = events::Definition::read(journal, &digest).map_err(unreadable)?.unwrap_or_default();
    Plan::from_file(text.as_bytes()).map_err(|error| {
        let source = std::io::Error::other(error.to_string());
        ProjectError::Unreadable { what: format!("{digest} of the journal"), source }
    })
}

/// A plan as runs refer to it; `digest` is that of its file.
pub(super) fn record(plan: &Plan, digest: Digest) -> ProgramRecord {
    ProgramRecord {
        kind: PLAN_PROGRAM.to_owned(),
        name: format!("infrastructure/{}", plan.environment),
        version: plan.id.to_string(),
        digest,
        source: None,
        origin: Origin::Project,
    }
}

/// Makes the programs of a project's runs: workflows and, where the project has hosts, plans.
pub struct ProjectPrograms {
    rules: Arc<InForce>,
    site: Option<Arc<Site>>,
}

impl ProjectPrograms {
    /// Programs of a project.
    pub fn new(rules: Arc<InForce>, site: Option<Arc<Site>>) -> Self {
        Self { rules, site }
    }
}

impl Programs for ProjectPrograms {
    fn build(&self, submitted: &Submitted, text: &str, at: Timestamp) -> Result<Box<dyn Program>, String> {
        if submitted.program.kind != PLAN_PROGRAM {
            return self.rules.now().programs.build(submitted, text, at);
        }
        let site = self.site.as_ref().ok_or("this project has no hosts any more")?;
        let plan = if let Some(plan) = site.kept(text) {
            plan
        } else {
            let plan = Arc::new(Plan::from_file(text.as_bytes()).map_err(|error| error.to_string())?);
            site.keep(&plan);
            plan
        };
        let input: ApplyInput =
            serde_json::from_value(submitted.input.clone()).map_err(|error| error.to_string())?;
        Ok(Box::new(Apply::new(plan, submitted.run, input.options).checked_first()))
    }

    fn find(&self, name: &str, version: Option<&str>) -> Result<Definition, String> {
        self.rules.now().programs.find(name, version)
    }
}

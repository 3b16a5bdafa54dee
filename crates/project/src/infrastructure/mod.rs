//! What a project says about hosts: read from its CUE, reached by SSH, learnt from the hosts themselves.

mod batch;
pub mod drift;
mod facts;
mod files;
mod fleet;
mod freshness;
mod guards;
mod hosts;
mod import;
mod look;
mod outlook;
mod perform;
mod planning;
mod prepare;
mod program;
mod providers;
mod record;
mod secrets;
mod sessions;
mod site;
mod undo;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Options, Sources};
use model::Environment;

use crate::cue_module::{CueModule, cue_files};
use crate::layout::INFRASTRUCTURE;
use crate::{Project, ProjectError, limits, text};

pub use facts::{Collected, FactStore, Known, collect};
pub(crate) use freshness::Freshness;
pub use hosts::{Login, target};
pub use import::{Found, ImportError, Imported, Importing};
pub use outlook::{Outlook, outlook};
pub(crate) use perform::Resources;
pub use planning::{Made, Wanted};
pub use program::{ApplyInput, PLAN_PROGRAM, ProjectPrograms, definition, plan_of};
pub use providers::Providers;
pub use record::RecordingError;
pub use secrets::{Declared, Identities, declared, sealing_key, seals, secrets};
pub use site::{Site, SiteParts};
pub use undo::{UndoError, Undoing};

/// The CUE files of a project's infrastructure, sorted, relative to its directory; none where it has none.
pub fn files(project: &Project) -> Result<Vec<PathBuf>, ProjectError> {
    let directory = project.root.join(INFRASTRUCTURE);
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let unreadable = |source| ProjectError::Unreadable { what: INFRASTRUCTURE.to_owned(), source };
    let found = cue_files(&directory).map_err(unreadable)?;
    if found.len() > limits::FILES_MAX {
        let what = format!("the number of files in {INFRASTRUCTURE}");
        return Err(ProjectError::TooLarge { what, limit: limits::FILES_MAX as u64 });
    }
    Ok(found
        .iter()
        .filter_map(|file| file.file_name())
        .filter(|name| !name.to_string_lossy().ends_with("_test.cue"))
        .map(|name| Path::new(INFRASTRUCTURE).join(name))
        .collect())
}

/// Reads a project's infrastructure for one of its environments, with variables as `--var NAME=TEXT` gives them. Opens
/// files and nothing else.
///
/// # Errors
/// [`ProjectError::NoInfrastructure`] where there is none, [`ProjectError::Bad`] with every mistake in it.
pub fn read(
    project: &Project,
    environment: &Environment,
    variables: &[(String, String)],
) -> Result<config::Project, ProjectError> {
    let files = files(project)?;
    if files.is_empty() {
        return Err(ProjectError::NoInfrastructure);
    }
    let mut sources =
        Sources::default().importing(Arc::new(CueModule::around(&project.root.join(INFRASTRUCTURE))));
    for file in &files {
        sources = sources.with(file.display().to_string(), project.read(file)?);
    }
    let mut options = Options::of_environment(environment.as_str());
    for (name, value) in variables {
        options = options.with_variable(name, value);
    }
    config::load(&sources, &options).map_err(|findings| ProjectError::Bad { findings })
}

/// The texts of a project's infrastructure by the names that findings use; for showing the lines they are about.
pub fn texts(project: &Project) -> Vec<(String, String)> {
    let files = files(project).unwrap_or_default();
    let text = |file: &PathBuf| {
        let shown = file.display().to_string();
        text::read(&project.root.join(file), &shown, limits::FILE_BYTES_MAX).ok().map(|text| (shown, text))
    };
    files.iter().filter_map(text).collect()
}

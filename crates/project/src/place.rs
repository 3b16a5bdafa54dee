//! Where a command works: an environment of a project, or one outside any project.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::ports::Clock;
use model::Environment;
use store::{Options, SqliteJournal};

use crate::layout::{self, MANIFEST, StateDir};
use crate::{Manifest, ProjectError, limits, text};

/// A project on disk.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its directory.
    pub root: PathBuf,
    /// Its `aedile.yaml`.
    pub manifest: Manifest,
}

impl Project {
    /// Opens the project that `start` is in.
    pub fn find(start: &Path) -> Result<Self, ProjectError> {
        Self::open(&layout::discover(start)?)
    }

    /// Opens the project whose directory `root` is.
    pub fn open(root: &Path) -> Result<Self, ProjectError> {
        let path = root.join(MANIFEST);
        if !path.is_file() {
            return Err(ProjectError::NoProject { start: root.to_owned() });
        }
        let manifest = Manifest::parse(&text::read(&path, MANIFEST, limits::FILE_BYTES_MAX)?, MANIFEST)?;
        Ok(Self { root: root.to_owned(), manifest })
    }

    /// The project's workflow files, sorted, relative to its directory.
    pub fn workflow_files(&self) -> Result<Vec<PathBuf>, ProjectError> {
        layout::WORKFLOW_TEXTS.listed(&self.root)
    }

    /// The files of the project's policy, sorted, relative to its directory.
    pub fn policy_files(&self) -> Result<Vec<PathBuf>, ProjectError> {
        layout::POLICY_TEXTS.listed(&self.root)
    }

    /// Reads one of the project's files, relative to its directory.
    pub fn read(&self, file: &Path) -> Result<String, ProjectError> {
        text::read(&self.root.join(file), &file.display().to_string(), limits::FILE_BYTES_MAX)
    }
}

/// One environment and where its state is.
#[derive(Debug, Clone)]
pub struct Place {
    /// The project; none for a workflow file outside any.
    pub project: Option<Project>,
    /// The environment.
    pub environment: Environment,
    /// Its state.
    pub state: StateDir,
}

impl Place {
    /// An environment of a project; the default one when none is named.
    pub fn in_project(project: Project, environment: Option<&str>) -> Result<Self, ProjectError> {
        let environment = project.manifest.environment(environment)?;
        let state = StateDir::of(&project.root, &environment);
        Ok(Self { project: Some(project), environment, state })
    }

    /// An environment outside any project, in `directory`, with the safe default policy.
    pub fn outside(directory: &Path, environment: Option<&str>) -> Result<Self, ProjectError> {
        let environment = match environment {
            Some(name) => name.parse()?,
            None => layout::default_environment(),
        };
        let state = StateDir::at(directory.join(environment.as_str()));
        Ok(Self { project: None, environment, state })
    }

    /// What records of this environment carry as their source.
    pub fn source(&self) -> String {
        let name = self.project.as_ref().map_or("aedile", |project| project.manifest.name.as_str());
        format!("{name}/{}", self.environment)
    }

    /// Opens the environment's journal, which has to be there. What is appended to it carries the time of `clock`.
    pub fn open_existing(&self, clock: &Arc<dyn Clock>) -> Result<SqliteJournal, PlaceError> {
        if !self.state.exists() {
            return Err(ProjectError::NothingYet { name: self.environment.to_string() }.into());
        }
        let clock = Arc::clone(clock);
        let options =
            Options { source: self.source(), clock: Arc::new(move || clock.now()), ..Options::default() };
        Ok(SqliteJournal::open(self.state.journal(), &options)?)
    }
}

/// Why an environment cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Because of the project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Because of its journal.
    #[error(transparent)]
    Journal(#[from] journal::JournalError),
}

impl model::Coded for PlaceError {
    fn code(&self) -> &'static model::Code {
        match self {
            Self::Project(error) => error.code(),
            Self::Journal(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Project(error) => error.hint(),
            Self::Journal(error) => error.hint(),
        }
    }

    fn findings(&self) -> &[model::Diagnostic] {
        match self {
            Self::Project(error) => error.findings(),
            Self::Journal(_) => &[],
        }
    }
}

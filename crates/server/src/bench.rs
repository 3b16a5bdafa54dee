//! Environments at work, each with its engine and what happens in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Environment, Permission};
use project::{Access, Document, Machine, Place, Project, Workshop, scheduling};

use crate::app::Log;
use crate::feed::Feed;
use crate::identity::{Caller, IdentityError};
use crate::{ServerError, limits};

/// One environment of a project at work.
pub struct Bench {
    /// The project's name.
    pub project: String,
    /// Where it is.
    pub place: Place,
    /// Its engine, journal and rules.
    pub workshop: Workshop,
    /// What happens, for whoever listens.
    pub feed: Feed,
    /// The machine, to sign and to tell the time with.
    pub machine: Machine,
}

impl Bench {
    /// Opens an environment and starts its engine. Must be called within a tokio runtime.
    fn open(project: &Project, environment: &str, machine: &Machine) -> Result<Self, ServerError> {
        let place = Place::in_project(project.clone(), Some(environment))?;
        let workshop = Workshop::open(&place, machine)?;
        let feed = Feed::start(Arc::clone(&workshop.journal))?;
        let project = project.manifest.name.clone();
        Ok(Self { project, place, workshop, feed, machine: machine.clone() })
    }

    /// Its name.
    pub fn environment(&self) -> &Environment {
        &self.place.environment
    }

    /// Who may do what here.
    pub fn access(&self) -> &Access {
        &self.workshop.rules.access
    }

    /// Whether somebody may do something here.
    ///
    /// # Errors
    /// They may not: no role of theirs gives it, or what they came with is limited to less.
    pub fn may(&self, caller: &Caller, permission: Permission) -> Result<(), IdentityError> {
        caller.may(self.access(), &self.project, self.environment(), permission)
    }

    /// The project's environment where none is named.
    pub fn default_environment(&self) -> Option<String> {
        self.place.project.as_ref().map(|project| project.manifest.default_environment.to_string())
    }

    /// Path of its part of the interface.
    pub fn path(&self) -> String {
        format!("/api/v1/projects/{}/environments/{}", self.project, self.environment())
    }

    /// Whether a mistake here is felt outside: by its name, as people use names.
    pub fn is_production(&self) -> bool {
        let name = self.environment().as_str().to_ascii_lowercase();
        ["prod", "production", "live"]
            .iter()
            .any(|word| name.split(['-', '_', '.']).any(|part| part == *word))
    }
}

/// Keeps the schedules of an environment's workflows for as long as it is polled. What goes wrong with one is said, and keeps
/// nobody else's from being kept.
pub(crate) async fn keep_schedules(bench: Arc<Bench>, log: Log) {
    let rules = &bench.workshop.rules;
    let name = format!("{}/{}", bench.project, bench.environment());
    let (documents, broken) = match scheduling::with_schedule(&bench.place, rules) {
        Ok(found) => found,
        Err(error) => return log(&format!("{name}: no schedule is kept: {error}")),
    };
    for (file, error) in broken {
        log(&format!("{name}: {} is left out: {error}", file.display()));
    }
    let kept = documents.iter().map(|document| keep_one(&bench, document, &name, &log));
    futures_util::future::join_all(kept).await;
}

async fn keep_one(bench: &Bench, document: &Document, name: &str, log: &Log) {
    let workflow = &document.definition.program.name;
    let input = serde_json::Value::Object(serde_json::Map::new());
    let kept = match scheduling::scheduled(&bench.workshop.rules, document, &input) {
        Ok(scheduled) => {
            log(&format!("{name}: keeping the schedule of {workflow}"));
            let started = |run| log(&format!("{name}: {workflow} started {run} by its schedule"));
            bench.workshop.engine.keep(&scheduled, started).await.map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    match kept {
        Ok(()) => log(&format!("{name}: {workflow} has no further start")),
        Err(why) => log(&format!("{name}: the schedule of {workflow} is not kept: {why}")),
    }
}

/// Every environment that the server serves: by project, then by name.
pub type Benches = BTreeMap<String, BTreeMap<String, Arc<Bench>>>;

/// Opens every environment of the projects.
pub fn open(projects: &[Project], machine: &Machine) -> Result<Benches, ServerError> {
    if projects.len() > limits::PROJECTS_MAX {
        let count = projects.len();
        return Err(ServerError::TooManyProjects { count });
    }
    let mut benches = Benches::new();
    for project in projects {
        let manifest = &project.manifest;
        let mut environments = BTreeMap::new();
        for name in manifest.environment_names() {
            let bench = Bench::open(project, &name, machine)?;
            environments.insert(name, Arc::new(bench));
        }
        if benches.insert(manifest.name.clone(), environments).is_some() {
            return Err(ServerError::SameName { name: manifest.name.clone() });
        }
    }
    Ok(benches)
}

//! Environments at work, each with its engine and what happens in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::drift::Standing;
use journal::{Journal as _, JournalError};
use model::{Environment, Permission};
use project::{Access, Machine, Place, Project, Workshop};

use crate::feed::Feed;
use crate::identity::{Caller, IdentityError};
use crate::problem::Answer;
use crate::{ServerError, limits, routes};

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
    /// What is known of drift, as far as it was asked: every page does, and nobody folds it anew for one.
    drift: Mutex<Standing>,
    /// How all stood when it was asked last, and by which access rules.
    glance: Mutex<Option<(Arc<Access>, api::Status)>>,
}

impl Bench {
    /// Opens an environment and starts its engine. Must be called within a tokio runtime.
    fn open(project: &Project, environment: &str, machine: &Machine) -> Result<Self, ServerError> {
        let place = Place::in_project(project.clone(), Some(environment))?;
        let workshop = Workshop::open(&place, machine)?;
        workshop.rules.ask();
        let feed = Feed::start(Arc::clone(&workshop.journal))?;
        let project = project.manifest.name.clone();
        Ok(Self {
            project,
            place,
            workshop,
            feed,
            machine: machine.clone(),
            drift: Mutex::default(),
            glance: Mutex::default(),
        })
    }

    /// What drifted, and what is done about it.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn drift(&self) -> Result<MutexGuard<'_, Standing>, JournalError> {
        // what a panic left is a fold of fewer records
        let mut standing = self.drift.lock().unwrap_or_else(PoisonError::into_inner);
        standing.catch_up(&*self.workshop.journal)?;
        Ok(standing)
    }

    /// How all stands: as `look` answers, which is asked where a record or other access rules came since the last time. Views are
    /// folded with the records, so that without a new one all stands as it stood.
    ///
    /// # Errors
    /// The journal cannot be read, or what `look` says.
    pub(crate) fn glance(
        &self,
        look: impl FnOnce(&Access, &Standing) -> Answer<api::Status>,
    ) -> Answer<api::Status> {
        let access = self.access();
        let position = self.workshop.journal.head()?.position;
        // what a panic left is what was known before
        let mut last = self.glance.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((rules, status)) = &*last
            && status.journal.position == position
            && Arc::ptr_eq(rules, &access)
        {
            return Ok(status.clone());
        }
        let status = look(&access, &*self.drift()?)?;
        *last = Some((access, status.clone()));
        Ok(status)
    }

    /// Its name.
    pub fn environment(&self) -> &Environment {
        &self.place.environment
    }

    /// Who may do what here.
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.workshop.rules.now().access)
    }

    /// Whether somebody may do something here.
    ///
    /// # Errors
    /// They may not: no role of theirs gives it, or what they came with is limited to less.
    pub fn may(&self, caller: &Caller, permission: Permission) -> Result<(), IdentityError> {
        caller.may(&self.access(), &self.project, self.environment(), permission)
    }

    /// The project's environment where none is named.
    pub fn default_environment(&self) -> Option<String> {
        self.place.project.as_ref().map(|project| project.manifest.default_environment.to_string())
    }

    /// Bytes that can be written where its journal is; `None`: the system does not say.
    pub(crate) fn room(&self) -> Option<u64> {
        let found = rustix::fs::statvfs(self.place.state.root()).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// Whether there is no room left to write down what happens.
    pub(crate) fn is_full(&self) -> bool {
        self.room().is_some_and(|room| room < limits::ROOM_MIN)
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
        if !routes::is_reachable(&manifest.name) {
            return Err(ServerError::BadName { name: manifest.name.clone() });
        }
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

//! One environment's hosts at work: what planning and performing share.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use calls::Client;
use engine::ports::{Clock, Entropy, Secrets};
use host::PlacedSecrets;
use model::{Digest, Principal};
use plan::{Plan, SealingKey, Seals};
use store::SqliteJournal;
use tokio::sync::OnceCell;

use super::files::ByDigest;
use super::fleet::Fleet;
use super::guards::Guards;
use super::hosts::Login;
use super::look::Looking;
use super::providers::Providers;
use super::secrets::Identities;
use crate::{Actor, InForce, Place, Project, ProjectError, limits};

/// What a site is made of.
pub struct SiteParts {
    /// The environment of a project.
    pub place: Place,
    /// The project.
    pub project: Project,
    /// Who logs in to hosts.
    pub login: Login,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where the keys for encrypted secrets are.
    pub identities: Identities,
    /// Sends probes.
    pub client: Client,
    /// The rules in force.
    pub rules: Arc<InForce>,
    /// What was applied is a view of it; where there is none, nothing was.
    pub journal: Option<Arc<SqliteJournal>>,
}

/// One environment's hosts. Nothing is read or connected before it is needed.
pub struct Site {
    pub(super) parts: SiteParts,
    pub(super) fleet: Fleet,
    pub(super) files: ByDigest,
    providers: OnceCell<Providers>,
    key: OnceCell<SealingKey>,
    secrets: Mutex<Option<Arc<PlacedSecrets>>>,
    /// The versions of providers that the configuration asks for.
    wanted: Mutex<BTreeMap<String, String>>,
    /// Plans by digest, as long as somebody may need them.
    plans: Mutex<HashMap<Digest, Arc<Plan>>>,
    /// When a plan was made here.
    made: Mutex<HashMap<Digest, Instant>>,
    pub(super) sessions: super::sessions::Sessions,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("environment", &self.parts.place.environment).finish_non_exhaustive()
    }
}

impl Site {
    /// The hosts of an environment.
    pub fn new(parts: SiteParts) -> Self {
        let fleet = Fleet::new(parts.login.clone(), parts.project.root.clone(), parts.place.state.clone());
        let files = ByDigest::new(parts.project.root.clone());
        Self {
            parts,
            fleet,
            files,
            providers: OnceCell::new(),
            key: OnceCell::new(),
            secrets: Mutex::default(),
            wanted: Mutex::default(),
            plans: Mutex::default(),
            made: Mutex::default(),
            sessions: super::sessions::Sessions::default(),
        }
    }

    /// The providers, loaded once: of each the newest that the configuration asks for.
    ///
    /// # Errors
    /// A provider cannot be used, or none has the version that is asked for.
    pub async fn providers(&self) -> Result<&Providers, ProjectError> {
        let load = || async {
            let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Providers::load(&self.parts.project, &self.parts.place.state, &wanted).await
        };
        self.providers.get_or_try_init(load).await
    }

    /// Looks at things here. Probes are not made: what they reach is asked when they are performed.
    pub(super) fn looking<'a>(
        &'a self,
        providers: &'a Providers,
        secrets: &'a dyn Secrets,
        seals: Seals<'a>,
    ) -> Looking<'a> {
        Looking {
            providers,
            fleet: &self.fleet,
            secrets,
            files: &self.files,
            probes: &provider::Nothing,
            seals,
            guards: self.guards(),
            revealed: Mutex::default(),
            before_changes: false,
        }
    }

    /// What looking may run, for the user of the operating system.
    fn guards(&self) -> Guards {
        let parts = &self.parts;
        let rules = parts.rules.now();
        let actor = rules.access.actor(&parts.place.environment, &parts.login.user, None);
        let actor = actor.unwrap_or_else(|_| Actor { principal: Principal::system(), via: None });
        Guards::new((Arc::clone(&rules.policy), &rules.access), &parts.place, &actor, parts.clock.now())
    }

    pub(super) async fn key(&self) -> Result<&SealingKey, ProjectError> {
        let made = || async {
            let key = super::sealing_key(&self.parts.place, Some(&*self.parts.entropy))?;
            // with entropy there is always one
            key.ok_or(ProjectError::NoInfrastructure)
        };
        self.key.get_or_try_init(made).await
    }

    /// Reads the configuration as it is now, and learns the hosts from it.
    ///
    /// # Errors
    /// As for [`super::read`].
    pub fn configuration(
        &self,
        variables: &BTreeMap<String, String>,
    ) -> Result<config::Project, ProjectError> {
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let config = super::read(&self.parts.project, &self.parts.place.environment, &variables)?;
        let identity = self.parts.identities.of(&self.parts.place);
        let secrets = super::secrets(&config, &self.parts.place, identity);
        *self.secrets.lock().unwrap_or_else(PoisonError::into_inner) = Some(secrets);
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&config.providers);
        self.fleet.set(config.hosts.clone());
        Ok(config)
    }

    /// The secrets that the configuration declares, and no others.
    pub(super) fn secrets(&self) -> Option<Arc<PlacedSecrets>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the hosts that a plan changes ready to be changed, for who applies it at once. Nothing can be done there before the
    /// run that applies it may; nothing is waited for. Must be called within a tokio runtime.
    pub fn prepare(&self, plan: &Plan) {
        self.fleet.prepare(&plan.reach.hosts);
    }

    /// Keeps a plan, so that whoever performs its changes need not read it again.
    pub fn keep(&self, plan: &Arc<Plan>) {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= limits::PLANS_MAX {
            // a run that lives holds its plan itself
            plans.retain(|_, plan| Arc::strong_count(plan) > 1);
        }
        plans.insert(plan.digest(), Arc::clone(plan));
    }

    pub(super) fn plan_of(&self, digest: &Digest) -> Option<Arc<Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// The plan with this file, if it is kept.
    pub(super) fn kept(&self, file: &str) -> Option<Arc<Plan>> {
        let plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.values().find(|plan| **plan.file() == *file).cloned()
    }

    /// Remembers that a plan was made a moment ago.
    pub(super) fn made(&self, plan: &Plan) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|_, at| at.elapsed() < limits::PLAN_IS_NEW);
        made.insert(plan.digest(), Instant::now());
    }

    /// Whether a plan was made here so short a time ago that looking again would tell nothing else.
    pub(super) fn is_new(&self, digest: &Digest) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(digest).is_some_and(|at| at.elapsed() < limits::PLAN_IS_NEW)
    }
}

//! What every handler shares.

use std::sync::Arc;

use model::Timestamp;
use project::Machine;
use tokio::sync::{Semaphore, watch};

use crate::bench::{Bench, Benches};
use crate::config::Settings;
use crate::guard::Rates;
use crate::identity::Identity;
use crate::limits;
use crate::metrics::Metrics;

/// Where lines for the people who run the server go: one for each change that is asked for and each failure.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// What every handler shares.
pub struct App {
    /// The environments.
    pub benches: Benches,
    /// Who may sign in.
    pub identity: Identity,
    /// The machine.
    pub machine: Machine,
    /// Whether what is sent is encrypted, here or by what stands in front.
    pub secure: bool,
    pub(crate) metrics: Metrics,
    pub(crate) rates: Rates,
    pub(crate) at_a_time: Semaphore,
    pub(crate) signing_in: Semaphore,
    /// Turns to read a journal from its beginning.
    pub(crate) whole_journals: Arc<Semaphore>,
    /// Whether schedules are kept.
    pub(crate) schedules: bool,
    pub(crate) log: Log,
    /// Whether the server stops: streams end then.
    pub(crate) stopping: watch::Sender<bool>,
}

impl App {
    /// Puts it together.
    pub(crate) fn new(
        (benches, identity): (Benches, Identity),
        (machine, log): (Machine, Log),
        secure: bool,
        settings: &Settings,
    ) -> Self {
        Self {
            benches,
            identity,
            machine,
            secure,
            metrics: Metrics::default(),
            rates: Rates::new(settings.requests_per_second),
            at_a_time: Semaphore::new(limits::REQUESTS_MAX),
            signing_in: Semaphore::new(limits::SIGNING_IN_MAX),
            whole_journals: Arc::new(Semaphore::new(limits::WHOLE_JOURNALS_MAX)),
            schedules: settings.schedules,
            log,
            stopping: watch::Sender::new(false),
        }
    }

    /// An environment by its names, for whoever may know of it: see [`crate::at::At`].
    pub(crate) fn bench(&self, project: &str, environment: &str) -> Option<&Arc<Bench>> {
        self.benches.get(project)?.get(environment)
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.machine.clock.now()
    }

    /// Every environment.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Bench>> {
        self.benches.values().flat_map(std::collections::BTreeMap::values)
    }
}

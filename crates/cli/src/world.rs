//! What the commands know of the machine they run on, as values that tests can choose.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use engine::ports::{Clock, Entropy};
use project::Lines;
use project::infrastructure::{Identities, Login};

/// The machine as commands see it.
///
/// The program `aedile` always gets [`World::of_this_machine`]; there is no variable, flag or feature that changes it. Tests
/// build another program around the same commands with a clock, entropy and user of their own.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Name of the operating system's user, and so of the principal.
    pub user: String,
    /// What runs tell the people at the terminal.
    pub told: Told,
    /// Where state outside any project may be kept.
    pub loose_state: Option<PathBuf>,
    /// Who logs in to hosts, and with what.
    pub login: Login,
    /// Where the keys for encrypted secrets are.
    pub identities: Identities,
    /// Directory of what the user has set up: logins to servers.
    pub settings: Option<PathBuf>,
}

impl World {
    /// The real clock, randomness and user.
    pub fn of_this_machine() -> Self {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let home = variable("HOME");
        Self {
            clock: Arc::new(project::machine::SystemClock),
            entropy: Arc::new(project::machine::SystemEntropy),
            login: Login {
                user: project::machine::user_name(),
                home: home.clone(),
                agent: variable("SSH_AUTH_SOCK"),
                project: PathBuf::new(),
            },
            user: project::machine::user_name(),
            told: Told::default(),
            identities: Identities::new(
                variable("AEDILE_IDENTITY"),
                variable("XDG_CONFIG_HOME").as_deref(),
                home.as_deref(),
            ),
            settings: variable("XDG_CONFIG_HOME")
                .filter(|directory| directory.is_absolute())
                .or_else(|| home.as_ref().map(|home| home.join(".config")))
                .map(|directory| directory.join("aedile")),
            loose_state: project::layout::loose_state(variable("XDG_STATE_HOME").as_deref(), home.as_deref()),
        }
    }
}

/// Lines that are kept until somebody shows them; the oldest go first.
const TOLD_MAX: usize = 1_000;

/// What runs tell the people at the terminal (`call: notify`, channels of the kind `log`), until it is shown between the
/// lines that are drawn again.
#[derive(Debug, Clone, Default)]
pub struct Told(Arc<Mutex<VecDeque<String>>>);

impl Told {
    /// Where to put lines.
    pub fn lines(&self) -> Lines {
        let told = self.clone();
        Arc::new(move |line| {
            let mut lines = told.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push_back(line.to_owned());
            if lines.len() > TOLD_MAX {
                lines.pop_front();
            }
        })
    }

    /// Takes what has not been shown.
    pub fn take(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

//! What the commands know of the machine they run on, as values that tests can choose.

use std::path::PathBuf;
use std::sync::Arc;

use engine::ports::{Clock, Entropy};

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
    /// Where state outside any project may be kept.
    pub loose_state: Option<PathBuf>,
}

impl World {
    /// The real clock, randomness and user.
    pub fn of_this_machine() -> Self {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let home = variable("HOME");
        Self {
            clock: Arc::new(project::machine::SystemClock),
            entropy: Arc::new(project::machine::SystemEntropy),
            user: project::machine::user_name(),
            loose_state: project::layout::loose_state(variable("XDG_STATE_HOME").as_deref(), home.as_deref()),
        }
    }
}

//! What the engine needs from the world, as traits. Each has a production and a simulator implementation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use journal::JournalError;
use model::{Action, ApprovalId, Json, Principal, Problem, Program, RunId, StepId, Timestamp};
use tokio::sync::watch;

/// A boxed future, as object-safe asynchronous traits need.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Time. The only clock the engine knows.
pub trait Clock: Send + Sync {
    /// Now, by the wall clock. It may go backwards; the engine copes.
    fn now(&self) -> Timestamp;

    /// Resolves at or after `due` by the wall clock, also when the machine slept meanwhile.
    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()>;
}

/// Randomness.
pub trait Entropy: Send + Sync {
    /// 128 unpredictable bits.
    fn draw(&self) -> u128;
}

/// Values of secrets, by name.
pub trait Secrets: Send + Sync {
    /// The value, or a failure that never contains it. Called right before an effect, never stored.
    fn reveal(&self, name: &str) -> Result<Secret, SecretError>;
}

/// A secret's value. Not printable.
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value. The caller must not let it reach journal, logs, arguments or errors.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(...)")
    }
}

/// A secret that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("secret {name} cannot be found: {why}")]
pub struct SecretError {
    /// Its name.
    pub name: String,
    /// Why, without any part of a value.
    pub why: String,
}

/// Whether work in flight is still wanted.
#[derive(Debug, Clone)]
pub struct Cancellation(watch::Receiver<bool>);

/// The other end of a [`Cancellation`]. Dropping it cancels.
#[derive(Debug)]
pub struct Canceller(watch::Sender<bool>);

impl Cancellation {
    /// A pair.
    pub fn new() -> (Canceller, Self) {
        let (sender, receiver) = watch::channel(false);
        (Canceller(sender), Self(receiver))
    }

    /// Whether the work is unwanted by now.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Resolves once the work is unwanted.
    pub async fn cancelled(&mut self) {
        // an error means that the canceller is gone, which cancels too
        drop(self.0.wait_for(|cancelled| *cancelled).await);
    }
}

impl Canceller {
    /// Makes the work unwanted.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

/// What a performer may know about what it performs.
#[derive(Clone)]
pub struct Context {
    /// The run.
    pub run: RunId,
    /// Its step.
    pub step: StepId,
    /// From 1.
    pub attempt: u32,
    /// On whose behalf.
    pub principal: Principal,
    /// Digests of the actions that the run may use, by `name@version`, pinned when it was submitted.
    pub actions: Arc<std::collections::BTreeMap<String, model::Digest>>,
    /// What policy lets the action reach. The performer holds the action to it where the world can move under it.
    pub granted: Arc<policy::Granted>,
    /// Where secrets come from.
    pub secrets: Arc<dyn Secrets>,
    /// Whether the result is still wanted. A performer stops soon after it is not.
    pub cancellation: Cancellation,
}

/// What may be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// It may work the next time.
    Transient,
    /// It will work later.
    Throttled {
        /// Not before this long from now, if the other side said.
        retry_after: Option<Duration>,
    },
    /// Somebody else changed the thing.
    Conflict,
    /// It will not work, however often it is tried.
    Permanent,
}

/// Why an action was not performed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What the workflow sees and may catch. Free of secrets.
    pub problem: Problem,
    /// What may be done about it.
    pub class: FailureClass,
    /// Whether the effect may have happened all the same (a timeout after the request was sent).
    pub maybe_happened: bool,
}

/// What looking at the world told about an effect of class `verifiable` that was interrupted.
#[derive(Debug, Clone, PartialEq)]
pub enum Checked {
    /// It happened, and this is its output.
    Happened(Json),
    /// It did not happen.
    NotHappened,
    /// It cannot be told; a person must say.
    Unknown,
}

/// Carries out one kind of action.
///
/// **Contract.** Called only after `step.scheduled` is durable. Uses the action's idempotency key where the other side knows
/// such a thing. Ends soon after its cancellation. Never panics for bad input. Output and failures are free of secrets.
pub trait Performer: Send + Sync {
    /// Performs.
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>>;

    /// Finds out whether an interrupted effect happened. Changes nothing.
    fn check<'a>(&'a self, context: &'a Context, action: &'a Action) -> BoxFuture<'a, Checked> {
        let _ = (context, action);
        Box::pin(async { Checked::Unknown })
    }
}

/// Tells people that something needs them. Delivery is best effort; the journal is what counts.
pub trait Notifier: Send + Sync {
    /// An approval waits.
    fn approval_requested(&self, approval: &journal::events::Asked);

    /// Something that was applied is not as it was, somebody fights over it, it keeps changing, or nobody could look. Nobody is told by
    /// default.
    fn drifted(&self, event: &journal::events::DriftEvent) {
        let _ = event;
    }

    /// Whoever was to be told has been, or cannot be: what a process waits for before it ends.
    fn told(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A notifier that tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NobodyNotified;

impl Notifier for NobodyNotified {
    fn approval_requested(&self, _: &journal::events::Asked) {}
}

/// Questions about the journal that would take too long to answer from it. Caches, every one of them.
pub trait Views: Send + Sync {
    /// Runs that have not ended.
    fn unfinished_runs(&self) -> Result<Vec<RunId>, JournalError>;

    /// Approvals that wait although the run that asked has ended, so that nobody would hear the answer; some of them, where there
    /// are many.
    fn orphaned_approvals(&self) -> Result<Vec<ApprovalId>, JournalError>;

    /// Uses of a quota's counter since a moment (reserved and not refunded), oldest first, and the last sequence of its stream.
    fn quota_uses(&self, key: &str, since: Timestamp) -> Result<(Vec<(Timestamp, u64)>, u64), JournalError>;
}

/// A definition that runs can be made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// What it is.
    pub program: journal::events::ProgramRecord,
    /// Its text, exactly. Its digest is `program.digest`.
    pub text: Arc<str>,
    /// Digests of the actions it names, by `name@version`, pinned for the life of the run.
    pub actions: std::collections::BTreeMap<String, model::Digest>,
}

/// Makes programs from definitions. One implementation per kind of program.
pub trait Programs: Send + Sync {
    /// Makes the program of a run from the text it was submitted with. The same arguments make the same program, whatever
    /// the project has become meanwhile.
    fn build(
        &self,
        submitted: &journal::events::Submitted,
        text: &str,
        at: Timestamp,
    ) -> Result<Box<dyn Program>, String>;

    /// Finds a definition of the project by `namespace/name` and version; the newest when no version is given.
    fn find(&self, name: &str, version: Option<&str>) -> Result<Definition, String>;
}

/// Which engines live, so that runs of dead ones can be adopted.
pub trait Presence: Send + Sync {
    /// Whether the engine with this id is alive. Must never say no for one that is.
    fn alive(&self, engine: &str) -> bool;
}

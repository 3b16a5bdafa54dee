//! A server's directory, a clock that stands until it is moved, and randomness from a seed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use engine::ports::{BoxFuture, Clock, Entropy};
use model::time::SignedDuration;
use model::{Coded, Principal, Timestamp};
use server::identity::{Caller, Identity, IdentityError, NewSession, Presented, Secret};

pub(crate) struct StandingClock(AtomicI64);

impl StandingClock {
    pub(crate) fn set(&self, to: Timestamp) {
        self.0.store(to.as_millisecond(), Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

pub(crate) struct SeededEntropy(AtomicU64);

impl Entropy for SeededEntropy {
    fn draw(&self) -> u128 {
        let mut random = fastrand::Rng::with_seed(self.0.fetch_add(1, Ordering::SeqCst));
        random.u128(..)
    }
}

/// A server's directory.
pub(crate) struct Site {
    directory: tempfile::TempDir,
    pub(crate) clock: Arc<StandingClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            clock: Arc::new(StandingClock(AtomicI64::new(1_760_000_000_000))),
            entropy: Arc::new(SeededEntropy(AtomicU64::new(1))),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("server")
    }

    /// Opens it, as one more process would.
    pub(crate) fn open(&self) -> Identity {
        Identity::open(&self.path(), self.clock.clone(), self.entropy.clone()).unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Every record of its journal.
    pub(crate) fn records(&self) -> Vec<journal::Record> {
        let options = store::Options::default();
        let journal = store::SqliteJournal::open(self.path().join("journal.db"), &options).unwrap();
        journal::Journal::read(&journal, 0, 10_000).unwrap()
    }

    /// Every byte of every file there.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.path()).unwrap() {
            all.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
        all
    }
}

pub(crate) fn user(name: &str) -> Principal {
    Principal::user(name).unwrap()
}

pub(crate) fn code<T: std::fmt::Debug>(answer: Result<T, IdentityError>) -> &'static str {
    answer.unwrap_err().code().id
}

/// The first administrator, signed in.
pub(crate) async fn first(identity: &Identity, name: &str) -> NewSession {
    let link = identity.setup().await.unwrap().unwrap();
    identity.use_setup(&link, name, None).await.unwrap()
}

/// A person with an account, signed in by a link that `administrator` made.
pub(crate) async fn person(identity: &Identity, administrator: &Caller, name: &str) -> NewSession {
    identity.add_account(&administrator.principal, &user(name), false).await.unwrap();
    let link = identity.issue_link(administrator, &user(name)).await.unwrap();
    identity.use_link(&link.secret, None).await.unwrap()
}

pub(crate) fn cookie(session: &NewSession) -> Presented {
    Presented::Cookie(session.cookie.clone())
}

pub(crate) fn token(secret: &Secret) -> Presented {
    Presented::Token(secret.clone())
}

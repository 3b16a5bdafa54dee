//! Time that passes only when everybody waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use engine::ports::{BoxFuture, Clock};
use model::Timestamp;

/// The wall clock of a world. Within one life it follows the runtime's paused clock; between lives it stands still, or is
/// moved by [`WorldClock::pass`].
#[derive(Debug, Clone)]
pub struct WorldClock {
    base_us: Arc<AtomicI64>,
    started: Option<tokio::time::Instant>,
}

impl WorldClock {
    /// A clock that shows `at`.
    pub fn at(at: Timestamp) -> Self {
        Self { base_us: Arc::new(AtomicI64::new(at.as_microsecond())), started: None }
    }

    /// The same clock for one life, to be called inside its runtime.
    #[must_use]
    pub fn alive(&self) -> Self {
        Self { base_us: Arc::clone(&self.base_us), started: Some(tokio::time::Instant::now()) }
    }

    /// Lets time pass between lives.
    pub fn pass(&self, time: Duration) {
        self.base_us.fetch_add(micros(time), Ordering::SeqCst);
    }

    /// Microseconds of the life that has just ended count from now on.
    pub fn stop(&self) {
        self.base_us.fetch_add(micros(self.elapsed()), Ordering::SeqCst);
    }

    fn elapsed(&self) -> Duration {
        self.started.map(|started| started.elapsed()).unwrap_or_default()
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        let now = self.base_us.load(Ordering::SeqCst).saturating_add(micros(self.elapsed()));
        Timestamp::from_microsecond(now).unwrap_or(Timestamp::MAX)
    }

    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        let left = due.as_microsecond().saturating_sub(self.now().as_microsecond());
        let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
        Box::pin(tokio::time::sleep(left))
    }
}

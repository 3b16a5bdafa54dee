//! Seeded worlds for the engine: the clock, the disk, the outside, the people and the crashes are simulated; the engine is
//! the real one.
//!
//! A world draws programs from its seed, submits runs of them, and kills the process at drawn moments: before or after an
//! append became durable, before or after an effect happened. Each life gets a fresh engine (sometimes two on one
//! journal) on what the disk holds. People decide approvals at the same time as each other and as timers, cancel, pause
//! and retry. In the last life nothing is killed, and every run must end. Then the whole journal is checked.

pub mod clock;
pub mod disk;
pub mod effects;
pub mod invariants;
pub mod ledger;
pub mod limits;
pub mod people;
pub mod power;
pub mod program;
pub mod script;
pub mod world;

pub use world::{Report, live};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic elsewhere, so that the first failure is the one that is reported.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

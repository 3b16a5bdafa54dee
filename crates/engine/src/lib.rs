//! The loop: append, fold, perform through traits.
//!
//! The engine carries out runs: it asks a run's program what is next, has policy judge it, asks people, makes the intent durable,
//! performs through a [`ports::Performer`], makes the result durable, and feeds it back. It never names a database, a WASM runtime,
//! a transport or a web framework: everything it needs of the world is a trait in [`ports`] or [`journal::Journal`].

mod adopt;
pub mod approvals;
pub mod control;
pub mod drift;
mod driver;
mod engine;
pub mod error;
mod follow;
pub mod judge;
pub mod limits;
pub mod ports;
mod quotas;
pub mod schedules;
pub mod state;

pub use engine::{Engine, Parts, Performers, Submission};
pub use error::EngineError;

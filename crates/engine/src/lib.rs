//! The loop.
pub mod error;
pub mod limits;
pub mod ports;
pub mod state;
pub use error::EngineError;

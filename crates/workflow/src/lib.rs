//! The CNCF Serverless Workflow DSL 1.0: documents, expressions, and the step function of a run.
//!
//! [`load`] turns YAML or JSON into a checked, compiled [`Workflow`] and names every mistake at its place;
//! [`Execution`] is a run of one, a [`model::Program`] that says which steps are ready and takes notice of what
//! happened. What the steps ask for is described in [`action_input`]. The older dialect with `states` is translated
//! into the same model at load.
//!
//! This crate never performs a step, opens a file, reads a clock, touches the network or draws randomness: the same
//! document and the same events give the same steps on every machine.
//!
//! ```
//! let text = "\
//! document: {dsl: '1.0.3', namespace: demo, name: hello, version: '1.0.0'}
//! do:
//! - greet:
//!     set: {text: '${ \"hello \\(.name)\" }'}
//! ";
//! let (workflow, diagnostics) = workflow::load("hello.yaml", text);
//! assert!(diagnostics.is_empty());
//! assert_eq!(workflow.unwrap().header.name, "hello");
//! ```

pub mod action_input;
pub mod catalog;
pub mod document;
mod duration;
pub mod execution;
pub mod expression;
mod format;
pub mod limits;
mod ritual;
pub mod schedule;

pub use catalog::Resolver;
pub use document::{Workflow, load, load_with};
pub use execution::{Execution, RunFacts};
pub use format::format;

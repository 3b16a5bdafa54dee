//! Test suites that others wrote, run on our code.

#[cfg(feature = "workflow-conformance")]
pub(crate) mod workflow;

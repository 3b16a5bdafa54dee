//! Calls against real servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod behaviour;
mod conformance;
mod digest;
mod probes;
mod reach;
mod support;
mod tokens;

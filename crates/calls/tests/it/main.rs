//! Calls against real servers.

mod conformance;
mod support;

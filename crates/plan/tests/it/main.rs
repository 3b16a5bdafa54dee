//! Plans and their application, fact by fact.

#![allow(clippy::unwrap_used, reason = "tests")]

mod diff;
mod file;
mod graph;
mod schema;
mod secrets;
mod support;

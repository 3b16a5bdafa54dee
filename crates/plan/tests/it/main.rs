//! Plans and their application, fact by fact.

#![allow(clippy::unwrap_used, reason = "tests")]

mod apply;
mod diff;
mod drift;
mod driver;
mod file;
mod graph;
mod schema;
mod secrets;
mod support;
mod undo;

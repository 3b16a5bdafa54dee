//! The server as its clients see it: real sockets, real journals, real engines.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "every line of this program is a test")]

mod acceptance;
mod definitions;
mod full_disk;
mod hostile;
mod identity;
mod operate;
mod permissions;
#[path = "../identity/provider.rs"]
mod provider;
mod rules;
mod strangers;
mod streams;
mod support;
mod workings;

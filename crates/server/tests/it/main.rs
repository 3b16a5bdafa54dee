//! The server as its clients see it: real sockets, real journals, real engines.

#![allow(clippy::unwrap_used, reason = "what cannot fail in a test's helper fails the test")]

mod acceptance;
mod hostile;
mod permissions;
mod streams;
mod support;
mod workings;

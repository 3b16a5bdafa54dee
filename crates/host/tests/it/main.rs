//! Real programs, real files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod containers;
mod notifications;
mod programs;
mod secrets;
mod support;

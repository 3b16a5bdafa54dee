//! The real program `aedile`, in processes of its own: killed, doubled, raced, interrupted, and on machines in a bad state.
//!
//! Nothing here runs in a fixed world: clock, randomness and user are this machine's. What a run did outside is counted by a
//! listener in the test's process, which outlives every kill.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    reason = "every line of this program is a test"
)]

mod applying;
mod away;
mod configuring;
mod crash;
mod debian;
mod doubles;
mod drifting;
mod facts;
mod guest;
mod hosts;
mod keeping;
mod machine;
mod onboard;
mod outside;
mod records;
mod rituals;
mod rolling;
mod rough;
mod secrets;
#[path = "../../../remote/tests/support/mod.rs"]
mod sshd;
mod terminal;

//! Onboarding: from a host somebody can log in to as root to one that Aedile works on with a user and a key of its own.
//!
//! Every step looks first, changes only what differs, says whether it changed anything, and can be taken back. What there
//! was before is for the caller to keep. Nothing here decides what is done or in which order, apart from [`sshd::lock_down`],
//! which is one step on purpose: it does not end before a login with the key has succeeded under the new rules, or the old
//! ones are back.
//!
//! No password is an argument, part of a frame or part of an error.

pub mod account;
mod admin;
mod error;
pub mod sshd;
pub mod sudoers;

use runner::protocol::Grants;

pub use admin::Admin;
pub use error::OnboardError;
pub use sudoers::SudoRule;

use crate::error::RemoteError;
use crate::host::Host;
use crate::upload::{Runner, Sudo};

/// Logs in on a connection of its own, without root, and says with which number. Leaves nothing behind.
///
/// # Errors
/// The host cannot be reached or does not accept the login.
pub async fn prove(host: &Host, runner: &Runner) -> Result<u32, RemoteError> {
    let (session, _remote) = admin::passing(host, runner, &Sudo::No, &Grants::default()).await?;
    let uid = session.ready().uid;
    session.close().await;
    Ok(uid)
}

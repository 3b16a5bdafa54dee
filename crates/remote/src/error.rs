//! What can go wrong on the way to a target.

use std::path::PathBuf;

use model::code::{self, Code, Coded};
use runner::protocol::Fault;

/// Why a target could not be reached or did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No connection.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// `address:port`.
        host: String,
        /// What the network said.
        why: String,
    },
    /// Something took too long.
    #[error("{what} on {host} took longer than {limit_s} s")]
    Timeout {
        /// `address:port`.
        host: String,
        /// What.
        what: &'static str,
        /// The limit in seconds.
        limit_s: u64,
    },
    /// The host shows another key than the one on record.
    #[error(
        "the host key of {host} has changed: {known_in} has {known}, the host shows {shown}; nothing was sent to it"
    )]
    HostKeyChanged {
        /// `address:port`.
        host: String,
        /// Where the known key is written: a file with its line, or the pin.
        known_in: String,
        /// Fingerprints on record.
        known: String,
        /// The fingerprint shown.
        shown: String,
    },
    /// The host's key is not on record.
    #[error("the host key of {host} is not known: it shows {shown}")]
    HostKeyUnknown {
        /// `address:port`.
        host: String,
        /// The fingerprint shown.
        shown: String,
    },
    /// None of what was offered was accepted.
    #[error("{host} did not accept {user}: tried {tried}")]
    NotAccepted {
        /// `address:port`.
        host: String,
        /// The user.
        user: String,
        /// What was tried, and what became of it.
        tried: String,
    },
    /// A key file cannot be used.
    #[error("the key {} cannot be used: {why}", path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The connection ended while something was under way.
    #[error("the connection to {host} was cut{during}")]
    Cut {
        /// The host.
        host: String,
        /// What was under way, with a leading space, or empty.
        during: String,
    },
    /// sudo said no.
    #[error("{host} did not grant sudo: {why}")]
    SudoRefused {
        /// The host.
        host: String,
        /// What it said.
        why: String,
    },
    /// There is no runner for the target.
    #[error("there is no runner for {host}, which is {arch}")]
    NoRunner {
        /// The host.
        host: String,
        /// The target's architecture.
        arch: String,
    },
    /// The runner's file is not here.
    #[error("the runner's file cannot be used: {why}")]
    RunnerFile {
        /// Where it was looked for.
        why: String,
    },
    /// The runner did not get there, or not unchanged.
    #[error("the runner cannot be put on {host}: {why}")]
    Upload {
        /// The host.
        host: String,
        /// What the target said.
        why: String,
    },
    /// The other side does not speak the protocol.
    #[error("the runner on {host} cannot be talked with: {why}")]
    Protocol {
        /// The host.
        host: String,
        /// Why.
        why: String,
    },
    /// The description of a host cannot be used.
    #[error("{what}")]
    BadHost {
        /// What is wrong with it.
        what: String,
    },
    /// A command was not carried out.
    #[error("{host}: {fault}")]
    Command {
        /// The host.
        host: String,
        /// Why.
        fault: Fault,
    },
}

impl Coded for RemoteError {
    fn code(&self) -> &'static Code {
        use code::remote as c;
        match self {
            Self::Unreachable { .. } => c::UNREACHABLE,
            Self::Timeout { .. } => c::TIMEOUT,
            Self::HostKeyChanged { .. } => c::HOST_KEY_CHANGED,
            Self::HostKeyUnknown { .. } => c::HOST_KEY_UNKNOWN,
            Self::NotAccepted { .. } => c::NOT_ACCEPTED,
            Self::BadKey { .. } => c::BAD_KEY,
            Self::Cut { .. } => c::CUT,
            Self::SudoRefused { .. } => c::SUDO_REFUSED,
            Self::NoRunner { .. } => c::NO_RUNNER,
            Self::RunnerFile { .. } => c::RUNNER_FILE,
            Self::Upload { .. } => c::UPLOAD,
            Self::Protocol { .. } => c::PROTOCOL,
            Self::BadHost { .. } => c::BAD_HOST,
            Self::Command { .. } => c::COMMAND,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::HostKeyChanged { host, .. } => Some(format!(
                "if the host was reinstalled, compare fingerprints on its console, then: ssh-keygen -R '{host}'"
            )),
            Self::HostKeyUnknown { host, .. } => Some(format!(
                "compare the fingerprint on the host's console, then record it: ssh-keyscan {host}"
            )),
            Self::SudoRefused { .. } => Some("sudo -n true".to_owned()),
            Self::BadKey { path, .. } => Some(format!("ssh-keygen -y -f {}", path.display())),
            _ => None,
        }
    }
}

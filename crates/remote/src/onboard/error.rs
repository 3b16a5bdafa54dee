//! Why a host was not onboarded.

use model::code::{self, Code, Coded};

use crate::error::RemoteError;

/// Why a step of an onboarding was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OnboardError {
    /// The host, the login or the connection.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Who logged in is not root and did not become root.
    #[error(
        "{user} on {host} is not root (its number is {uid}), and onboarding changes users, sudo and sshd"
    )]
    NotRoot {
        /// The host.
        host: String,
        /// Who logged in.
        user: String,
        /// Its number.
        uid: u32,
    },
    /// A program that is needed is not there.
    #[error("{host} has no {program}, which is needed {purpose}")]
    Missing {
        /// The host.
        host: String,
        /// The program.
        program: &'static str,
        /// For what.
        purpose: &'static str,
    },
    /// Something on the host is not as it has to be, or a program said no.
    #[error("{host}: {why}")]
    Refused {
        /// The host.
        host: String,
        /// What it said.
        why: String,
    },
    /// The rights asked for are not one rule, or visudo refuses them.
    #[error("the sudo rights `{text}` cannot be written: {why}")]
    BadSudo {
        /// As they were asked for.
        text: String,
        /// Why.
        why: String,
    },
    /// The name cannot be that of a service user.
    #[error("`{name}` cannot be the service user: {why}")]
    BadAccount {
        /// The name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// sshd is as it was before.
    #[error("sshd on {host} was not locked down and is as it was before: {why}")]
    RolledBack {
        /// The host.
        host: String,
        /// Why.
        why: String,
    },
    /// sshd was changed, and could not be put back.
    #[error("sshd on {host} was changed and could not be put back: {why}; putting it back: {then}")]
    Stuck {
        /// The host.
        host: String,
        /// Why it had to be put back.
        why: String,
        /// Why it could not.
        then: String,
    },
}

impl Coded for OnboardError {
    fn code(&self) -> &'static Code {
        use code::remote as c;
        match self {
            Self::Remote(error) => error.code(),
            Self::NotRoot { .. } | Self::Missing { .. } | Self::Refused { .. } => c::ONBOARD,
            Self::BadSudo { .. } | Self::BadAccount { .. } => c::ONBOARD_ASKED,
            Self::RolledBack { .. } => c::LOCK_DOWN,
            Self::Stuck { .. } => c::LOCK_DOWN_STUCK,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Remote(error) => error.hint(),
            Self::NotRoot { .. } => Some("aedile onboard HOST --user root".to_owned()),
            Self::BadSudo { .. } => {
                Some("aedile onboard HOST --sudo 'NOPASSWD: /usr/bin/systemctl'".to_owned())
            }
            Self::BadAccount { .. } => Some("aedile onboard HOST --account deploy".to_owned()),
            Self::Stuck { .. } => Some("sshd -t".to_owned()),
            _ => None,
        }
    }
}

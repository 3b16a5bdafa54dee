//! Why somebody is not let in, or does not get what they asked for.

use journal::JournalError;
use model::{Code, Coded, Environment, Permission, Principal, TokenId, code};
use policy::Forbidden;

use super::limits;

/// Why somebody is not let in, or does not get what they asked for. No part of a secret is in any of them.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Nothing was presented that says who asks, or nothing that is good.
    #[error("there is no token or session, or none that is good any more")]
    NotSignedIn,
    /// The account is disabled.
    #[error("the account {0} is disabled")]
    Disabled(Principal),
    /// Their roles do not give it.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// What they came with is limited, and this is beyond it.
    #[error("what you signed in with is not for `{permission}` in {environment} of {project}")]
    OutOfScope {
        /// The project.
        project: String,
        /// The environment.
        environment: Environment,
        /// What they wanted.
        permission: Permission,
    },
    /// Only administrators of the server do that.
    #[error("only an administrator of this server may {0}")]
    NotAdministrator(&'static str),
    /// Too many failures.
    #[error("too many failed attempts to sign in; the next one is looked at in {seconds} s")]
    TooManyLogins {
        /// How long to wait.
        seconds: u64,
    },
    /// The link opens nothing.
    #[error("this link opens nothing")]
    LinkSpent,
    /// It was not meant by the person whose browser sent it.
    #[error("the request did not come from a page of this server: {0}")]
    Forged(&'static str),
    /// No account can have the name.
    #[error("`{name}` cannot be an account: {why}")]
    BadAccount {
        /// What was given.
        name: String,
        /// Why not.
        why: String,
    },
    /// The account exists.
    #[error("there is an account {0} already")]
    AccountExists(Principal),
    /// There is no such thing, or the caller may not know that there is.
    #[error("there is no {what} {name}")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Nobody would administer any more.
    #[error("{0} is the last administrator")]
    LastAdministrator(Principal),
    /// More than its maker may do.
    #[error("the token would be for more than you may do: {0}")]
    TooWide(&'static str),
    /// It cannot be a token.
    #[error("{0}")]
    BadToken(String),
    /// There are as many as there may be.
    #[error("there are {limit} {what} already")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The provider of identities failed.
    #[error("the identity provider cannot be used: {what}")]
    ProviderFailed {
        /// What was asked of it.
        what: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What the provider of identities said is not accepted.
    #[error("what the identity provider said is not accepted: {0}")]
    ProviderRefused(String),
    /// There is no provider of identities.
    #[error("this server has no identity provider")]
    NoProvider,
    /// The account is somebody else's.
    #[error("{0} is the account of somebody else than whom the identity provider sent")]
    WrongPerson(Principal),
    /// Others write the same all the time.
    #[error("others change {0} at the same time, again and again")]
    Busy(String),
    /// The server's journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The server's own directory.
    #[error("the server's directory {path} cannot be used")]
    Directory {
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Coded for IdentityError {
    fn code(&self) -> &'static Code {
        match self {
            Self::NotSignedIn => code::server::NOT_SIGNED_IN,
            Self::Disabled(_) => code::server::DISABLED,
            Self::Forbidden(error) => error.code(),
            Self::OutOfScope { .. } | Self::NotAdministrator(_) => code::server::FORBIDDEN,
            Self::TooManyLogins { .. } => code::server::TOO_MANY_LOGINS,
            Self::LinkSpent => code::server::LINK_SPENT,
            Self::Forged(_) => code::server::FORGED,
            Self::BadAccount { .. } => code::server::BAD_ACCOUNT,
            Self::AccountExists(_) => code::server::ACCOUNT_EXISTS,
            Self::NotFound { .. } | Self::NoProvider => code::general::NOT_FOUND,
            Self::LastAdministrator(_) => code::server::LAST_ADMINISTRATOR,
            Self::TooWide(_) => code::server::TOO_WIDE,
            Self::BadToken(_) => code::server::BAD_TOKEN_REQUEST,
            Self::Limit { .. } => code::server::IDENTITY_LIMIT,
            Self::ProviderFailed { .. } => code::server::PROVIDER_FAILED,
            Self::ProviderRefused(_) => code::server::PROVIDER_REFUSED,
            Self::WrongPerson(_) => code::server::WRONG_PERSON,
            Self::Busy(_) => code::journal::OVERLOADED,
            Self::Journal(error) => error.code(),
            Self::Directory { .. } => code::general::UNWRITABLE,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotSignedIn => Some("aedile login".to_owned()),
            Self::LinkSpent => Some("aedile ui".to_owned()),
            Self::Journal(error) => error.hint(),
            Self::Limit { what: "tokens", .. } => {
                Some(format!("revoke some; an account has at most {}", limits::TOKENS_PER_ACCOUNT_MAX))
            }
            _ => None,
        }
    }
}

/// That there is no such token.
pub(crate) fn no_token(id: TokenId) -> IdentityError {
    IdentityError::NotFound { what: "token", name: id.to_string() }
}

/// That there is no such account.
pub(crate) fn no_account(account: &Principal) -> IdentityError {
    IdentityError::NotFound { what: "account", name: account.to_string() }
}

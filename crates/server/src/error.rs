//! Why the server cannot serve.

use model::{Code, Coded, code};

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Because of an environment.
    #[error(transparent)]
    Workshop(#[from] project::WorkshopError),
    /// Because of a project.
    #[error(transparent)]
    Project(#[from] project::ProjectError),
    /// Because of a journal.
    #[error(transparent)]
    Journal(#[from] journal::JournalError),
    /// Because of who may sign in.
    #[error(transparent)]
    Identity(#[from] crate::identity::IdentityError),
    /// Another server serves from the same directory.
    #[error("the directory is served already, at {url}")]
    AlreadyServed {
        /// Where.
        url: String,
    },
    /// It is no address.
    #[error("`{url}` is not an address that browsers could use: {why}")]
    BadUrl {
        /// What was given.
        url: String,
        /// Why not.
        why: String,
    },
    /// Two projects have the same name, and names are how they are told apart.
    #[error("two of the projects are called {name}")]
    SameName {
        /// The name.
        name: String,
    },
    /// A project's pages could not be reached: their addresses begin with its name, and those of the server's own with this.
    #[error(
        "a project cannot be served as {}: addresses of the server's own begin with that, or none can",
        name.escape_debug()
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// More projects than one server serves.
    #[error("{count} projects are more than {}", crate::limits::PROJECTS_MAX)]
    TooManyProjects {
        /// How many.
        count: usize,
    },
    /// It cannot listen.
    #[error("the server cannot listen at {address}")]
    Listen {
        /// Where.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others could read what is sent.
    #[error("{address} can be reached from other machines, and nothing encrypts what is sent there")]
    Unencrypted {
        /// Where.
        address: std::net::SocketAddr,
    },
    /// A certificate or its key cannot be used.
    #[error("{what} cannot be used: {why}")]
    Certificate {
        /// Which file.
        what: String,
        /// Why.
        why: String,
    },
}

impl Coded for ServerError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Workshop(error) => error.code(),
            Self::Project(error) => error.code(),
            Self::Journal(error) => error.code(),
            Self::Identity(error) => error.code(),
            Self::SameName { .. }
            | Self::BadName { .. }
            | Self::TooManyProjects { .. }
            | Self::BadUrl { .. } => code::server::BAD_CONFIG,
            Self::Listen { .. } | Self::AlreadyServed { .. } => code::server::CANNOT_SERVE,
            Self::Unencrypted { .. } => code::server::UNENCRYPTED,
            Self::Certificate { .. } => code::server::BAD_CERTIFICATE,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Workshop(error) => error.hint(),
            Self::Project(error) => error.hint(),
            Self::Journal(error) => error.hint(),
            Self::Identity(error) => error.hint(),
            Self::AlreadyServed { .. } => Some("aedile ui".to_owned()),
            Self::BadName { .. } => Some("give it another `name` in aedile.yaml".to_owned()),
            Self::Unencrypted { address } => Some(format!("aedile server --listen {address} --tls self")),
            Self::Listen { .. } => Some("aedile server --listen 127.0.0.1:0".to_owned()),
            _ => None,
        }
    }

    fn findings(&self) -> &[model::Diagnostic] {
        match self {
            Self::Workshop(error) => error.findings(),
            Self::Project(error) => error.findings(),
            _ => &[],
        }
    }
}

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
    /// Two projects have the same name, and names are how they are told apart.
    #[error("two of the projects are called {name}")]
    SameName {
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
    /// It stopped by itself.
    #[error("the server stopped")]
    Stopped(#[source] std::io::Error),
}

impl Coded for ServerError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Workshop(error) => error.code(),
            Self::Project(error) => error.code(),
            Self::Journal(error) => error.code(),
            Self::SameName { .. } | Self::TooManyProjects { .. } => code::server::BAD_CONFIG,
            Self::Listen { .. } | Self::Stopped(_) => code::server::CANNOT_SERVE,
            Self::Unencrypted { .. } => code::server::UNENCRYPTED,
            Self::Certificate { .. } => code::server::BAD_CERTIFICATE,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Workshop(error) => error.hint(),
            Self::Project(error) => error.hint(),
            Self::Journal(error) => error.hint(),
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

//! The server's settings.

use std::net::SocketAddr;

use url::Url;

use crate::{ServerError, Tls, limits};

/// The server's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens.
    pub listen: Option<SocketAddr>,
    /// How it encrypts.
    pub tls: Option<Tls>,
    /// Whether something in front of it encrypts.
    pub behind_proxy: bool,
    /// Where browsers reach it.
    pub public_url: Option<Url>,
    /// Most requests of one caller within a second.
    pub requests_per_second: u32,
    /// Whether it keeps the schedules of workflows.
    pub schedules: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: None,
            tls: None,
            behind_proxy: false,
            public_url: None,
            requests_per_second: limits::REQUESTS_PER_SECOND,
            schedules: false,
        }
    }
}

impl Settings {
    /// Says where browsers reach the server.
    pub fn set_public_url(&mut self, url: &str) -> Result<(), ServerError> {
        self.public_url = Some(url.parse().map_err(|error: url::ParseError| ServerError::BadUrl {
            url: url.to_owned(),
            why: error.to_string(),
        })?);
        Ok(())
    }
}

//! What there was on a host before it was onboarded: what taking it back goes back to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plan::Host;
use serde::{Deserialize, Serialize};

use super::Order;
use crate::layout::create_private;
use crate::{ProjectError, StateDir, limits, text};

/// What there was before. Every value is the first that was seen: onboarding again does not overwrite it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Before {
    /// The host.
    pub host: Host,
    /// Name or number in the network.
    pub address: String,
    /// Port of its sshd.
    pub port: u16,
    /// Hosts to go through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jump: Vec<Host>,
    /// Its key.
    pub host_key: String,
    /// Whether each service user was there.
    #[serde(default)]
    pub accounts: BTreeMap<String, bool>,
    /// Whether each public key was there, by service user.
    #[serde(default)]
    pub keys: BTreeMap<String, BTreeMap<String, bool>>,
    /// The text of each service user's own file of sudo rights; `None`: there was none.
    #[serde(default)]
    pub sudo: BTreeMap<String, Option<String>>,
    /// The text of the lock-down's file, if sshd was locked down.
    #[serde(default)]
    pub lock_down: Option<Prior>,
    /// The record of the host, if it was recorded.
    #[serde(default)]
    pub record: Option<Prior>,
}

/// What a file was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prior {
    /// Its text; `None`: there was no file.
    pub text: Option<String>,
}

impl Before {
    /// Nothing is known yet.
    pub fn new(order: &Order) -> Self {
        Self {
            host: order.host.clone(),
            address: order.address.clone(),
            port: order.port,
            jump: order.jump.clone(),
            host_key: order.host_key.clone(),
            accounts: BTreeMap::new(),
            keys: BTreeMap::new(),
            sudo: BTreeMap::new(),
            lock_down: None,
            record: None,
        }
    }

    fn file(state: &StateDir, host: &Host) -> PathBuf {
        state.onboarded().join(format!("{host}.json"))
    }

    /// What is known of a host.
    ///
    /// # Errors
    /// The file cannot be read, or is not one of these.
    pub fn load(state: &StateDir, host: &Host) -> Result<Option<Self>, ProjectError> {
        let path = Self::file(state, host);
        if !path.exists() {
            return Ok(None);
        }
        let shown = path.display().to_string();
        let text = text::read(&path, &shown, limits::FILE_BYTES_MAX)?;
        let damaged = |error: serde_json::Error| ProjectError::Unreadable {
            what: shown.clone(),
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string()),
        };
        serde_json::from_str(&text).map(Some).map_err(damaged)
    }

    /// Every host that was onboarded here.
    ///
    /// # Errors
    /// As [`Before::load`].
    pub fn all(state: &StateDir) -> Result<Vec<Self>, ProjectError> {
        let directory = state.onboarded();
        if !directory.is_dir() {
            return Ok(Vec::new());
        }
        let unreadable = |source| ProjectError::Unreadable { what: directory.display().to_string(), source };
        let mut all = Vec::new();
        for entry in fs_err::read_dir(&directory).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let host = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
            if let Some(host) = host {
                all.extend(Self::load(state, &host)?);
            }
        }
        all.sort_by(|a, b| a.host.cmp(&b.host));
        Ok(all)
    }

    /// Keeps it, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, state: &StateDir) -> Result<(), ProjectError> {
        create_private(&state.onboarded())?;
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        text::write(&Self::file(state, &self.host), &text, true)
    }

    /// Forgets a host.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn forget(state: &StateDir, host: &Host) -> Result<(), ProjectError> {
        remove(&Self::file(state, host))
    }
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &std::path::Path) -> Result<(), ProjectError> {
    match fs_err::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(ProjectError::Unwritable { what: path.display().to_string(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onboarding::example;

    #[test]
    fn what_there_was_is_kept_and_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::at(directory.path().to_owned());
        let order = example();
        assert_eq!(Before::load(&state, &order.host).unwrap(), None);
        assert!(Before::all(&state).unwrap().is_empty());
        let mut before = Before::new(&order);
        before.sudo.insert("froyo".to_owned(), None);
        before.save(&state).unwrap();
        before.lock_down = Some(Prior { text: None });
        before.save(&state).unwrap();
        assert_eq!(Before::all(&state).unwrap(), [before]);
        std::fs::write(state.onboarded().join("web-1.json"), "{").unwrap();
        assert!(Before::load(&state, &order.host).is_err(), "a damaged file is not nothing");
        Before::forget(&state, &order.host).unwrap();
        Before::forget(&state, &order.host).unwrap();
        assert_eq!(Before::load(&state, &order.host).unwrap(), None);
    }
}

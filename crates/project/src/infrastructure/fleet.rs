//! The hosts of a configuration, each with one connection that is kept and shared.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use config::HostConfig;
use plan::Host;
use provider::Rights;
use remote::{Remote, RemoteError, Runner, Session, Target as _, grants};

use super::hosts::{Login, target};
use crate::{StateDir, limits};

/// The hosts.
pub(super) struct Fleet {
    login: Login,
    state: StateDir,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    hosts: Arc<BTreeMap<Host, HostConfig>>,
    remotes: HashMap<Host, Arc<Remote>>,
    runner: Option<Runner>,
}

impl Fleet {
    pub(super) fn new(login: Login, project: PathBuf, state: StateDir) -> Self {
        Self { login: Login { project, ..login }, state, known: Mutex::default() }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hosts as a configuration has them. Connections to hosts that are reached in another way now are given up.
    pub(super) fn set(&self, hosts: BTreeMap<Host, HostConfig>) {
        let mut known = self.known();
        let before = std::mem::replace(&mut known.hosts, Arc::new(hosts));
        if before != known.hosts {
            known.remotes.clear();
        }
    }

    fn remote(&self, host: &Host) -> Result<Arc<Remote>, RemoteError> {
        let mut known = self.known();
        if let Some(remote) = known.remotes.get(host) {
            return Ok(Arc::clone(remote));
        }
        let runner = match &known.runner {
            Some(runner) => runner.clone(),
            None => known.runner.insert(Runner::find()?).clone(),
        };
        let remote = Arc::new(target(host, &known.hosts, &self.login, &self.state, runner)?);
        known.remotes.insert(host.clone(), Arc::clone(&remote));
        Ok(remote)
    }

    /// Connects to hosts while something else is done. Nothing is waited for: who opens a session hears what went wrong.
    pub(super) fn connect<'h>(&self, hosts: impl IntoIterator<Item = &'h Host>) {
        for host in hosts.into_iter().take(limits::HOSTS_AT_ONCE) {
            // what is wrong with it is said when it is needed
            if let Ok(remote) = self.remote(host) {
                tokio::spawn(async move { remote.connect().await });
            }
        }
    }

    /// Makes hosts ready for sessions that are opened soon, while something else is done. Nothing is waited for.
    pub(super) fn prepare<'h>(&self, hosts: impl IntoIterator<Item = &'h Host>) {
        for host in hosts.into_iter().take(limits::HOSTS_AT_ONCE) {
            if let Ok(remote) = self.remote(host) {
                remote.prepare();
            }
        }
    }

    /// Opens a session with these rights and no others.
    pub(super) async fn open(&self, host: &Host, rights: Rights) -> Result<Session, RemoteError> {
        self.remote(host)?.open(grants(narrow(rights))).await
    }
}

/// Rights that fit into one frame: where there are very many paths, their directories stand for them.
fn narrow(mut rights: Rights) -> Rights {
    let bytes: usize = rights.read.iter().map(|path| path.len() + 4).sum();
    if bytes > limits::GRANTS_BYTES_MAX {
        let parent = |path: &String| match path.rsplit_once('/') {
            Some(("", _)) | None => "/".to_owned(),
            Some((parent, _)) => parent.to_owned(),
        };
        rights.read = rights.read.iter().map(parent).collect();
    }
    rights
}

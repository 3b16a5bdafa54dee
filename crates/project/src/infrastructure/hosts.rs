//! From a host of the configuration to one that can be reached.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{HostConfig, Sudo};
use plan::Host;
use remote::{Credential, NewKeys, Remote, RemoteError, Runner, Start, Transport};

use crate::StateDir;

/// Keys in `~/.ssh` that are tried when a host names none, as `ssh` does.
const USUAL_KEYS: [&str; 2] = ["id_ed25519", "id_rsa"];

/// Who logs in, and with what.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// The user where a host names none.
    pub user: String,
    /// For `~/.ssh`.
    pub home: Option<PathBuf>,
    /// The socket of an ssh-agent.
    pub agent: Option<PathBuf>,
    /// Where keys that are written as relative paths are.
    pub project: PathBuf,
}

impl Login {
    fn credentials(&self, config: &HostConfig) -> Vec<Credential> {
        if let Some(key) = &config.key {
            return vec![Credential::Key(self.path(key))];
        }
        let agent = self.agent.iter().cloned().map(Credential::Agent);
        let home = self.home.iter();
        let keys = home.flat_map(|home| USUAL_KEYS.map(|name| home.join(".ssh").join(name)));
        agent.chain(keys.filter(|key| key.is_file()).map(Credential::Key)).collect()
    }

    fn path(&self, written: &str) -> PathBuf {
        match (written.strip_prefix("~/"), &self.home) {
            (Some(below), Some(home)) => home.join(below),
            _ => self.project.join(written),
        }
    }

    /// How a host of the configuration is reached: as it says, else as this says. `known` is the first file of known hosts.
    ///
    /// # Errors
    /// There is no such host, or one to go through cannot be used.
    pub fn host(
        &self,
        name: &Host,
        hosts: &BTreeMap<Host, HostConfig>,
        known: &Path,
    ) -> Result<remote::Host, RemoteError> {
        let bad = |what: String| RemoteError::BadHost { what };
        let config = hosts.get(name).ok_or_else(|| bad(format!("{name}: there is no such host")))?;
        let mut jumps = Vec::with_capacity(config.jump.len());
        for jump in &config.jump {
            let through = hosts.get(jump).ok_or_else(|| bad(format!("{name}: there is no host {jump}")))?;
            if !through.jump.is_empty() {
                let what =
                    format!("{name}: {jump} is itself reached through other hosts; name all of them here");
                return Err(bad(what));
            }
            jumps.push(self.host(jump, hosts, known)?);
        }
        let own = self.home.iter().map(|home| home.join(".ssh/known_hosts"));
        Ok(remote::Host {
            name: name.to_string(),
            address: config.address.clone(),
            port: config.port,
            user: config.user.clone().unwrap_or_else(|| self.user.clone()),
            credentials: self.credentials(config),
            known_hosts: std::iter::once(known.to_owned()).chain(own).collect(),
            pin: config.host_key.clone(),
            new_keys: NewKeys::Refuse,
            jumps,
        })
    }
}

/// A host of the configuration as a target. Nothing is connected yet.
///
/// A host key has to be pinned or on record, in the environment's own file or in `~/.ssh/known_hosts`.
pub fn target(
    name: &Host,
    hosts: &BTreeMap<Host, HostConfig>,
    login: &Login,
    state: &StateDir,
    runner: Runner,
) -> Result<Remote, RemoteError> {
    let host = login.host(name, hosts, &state.known_hosts())?;
    host.check()?;
    let sudo = match hosts.get(name).map(|config| config.sudo) {
        Some(Sudo::Yes) => remote::Sudo::WithoutPassword,
        _ => remote::Sudo::No,
    };
    Ok(Remote::new(host, Transport::BuiltIn, runner, Start { sudo, ..Start::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = r#"
        workspace: name: "shop"
        hosts: {
            gate: {address: "192.0.2.1", user: "door", key: "keys/gate"}
            web: {address: "10.0.0.1", port: 2222, jump: "gate", key: "~/.ssh/web"}
            far: {address: "10.0.0.2", jump: ["web"]}
        }
    "#;

    #[test]
    fn a_host_is_reached_as_the_configuration_says() {
        let hosts = config::load(&config::Sources::of("hosts.cue", HOSTS), &config::Options::default())
            .unwrap()
            .hosts;
        let login = Login {
            user: "maria".to_owned(),
            home: Some("/home/maria".into()),
            agent: Some("/run/agent".into()),
            project: "/srv/shop".into(),
        };
        let web = login.host(&"web".parse().unwrap(), &hosts, Path::new("/state/known_hosts")).unwrap();
        assert_eq!((web.endpoint().as_str(), web.user.as_str()), ("[10.0.0.1]:2222", "maria"));
        assert_eq!(web.credentials, [Credential::Key("/home/maria/.ssh/web".into())]);
        assert_eq!(web.known_hosts[0], Path::new("/state/known_hosts"));
        assert_eq!((web.jumps[0].user.as_str(), web.jumps.len()), ("door", 1));
        assert_eq!(web.jumps[0].credentials, [Credential::Key("/srv/shop/keys/gate".into())]);
        let far = login.host(&"far".parse().unwrap(), &hosts, Path::new("/state/known_hosts")).unwrap_err();
        assert!(far.to_string().contains("name all of them"), "{far}");
    }
}

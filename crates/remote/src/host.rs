//! What must be known to reach a host, also from `ssh_config(5)`.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use ssh2_config::{ParseRule, SshConfig};
use zeroize::Zeroizing;

use crate::error::RemoteError;
use crate::limits::{FILE_MAX, JUMPS_MAX};

/// What to do about a host key that is not on record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NewKeys {
    /// Refuse.
    #[default]
    Refuse,
    /// Record it in the first file of known hosts. A key that has changed is refused all the same.
    Accept,
}

/// How a person or a program proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A private key in a file; `FILE-cert.pub` beside it is used when it is there.
    Key(PathBuf),
    /// An ssh-agent, by its socket.
    Agent(PathBuf),
    /// For onboarding only: from a prompt or standard input, wiped when dropped.
    Password(Zeroizing<String>),
}

/// A host and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// What people call it.
    pub name: String,
    /// Name or number in the network.
    pub address: String,
    /// 22 unless told otherwise.
    pub port: u16,
    /// Whom to log in as.
    pub user: String,
    /// Tried in this order.
    pub credentials: Vec<Credential>,
    /// Files with known keys, the first of which takes new ones.
    pub known_hosts: Vec<PathBuf>,
    /// The only key accepted, as `SHA256:...`. Files are not looked at then.
    pub pin: Option<String>,
    /// What to do about a key that is not on record.
    pub new_keys: NewKeys,
    /// Hosts to go through, the first is reached directly.
    pub jumps: Vec<Host>,
}

impl Host {
    /// A host with the usual port and nothing to prove who asks.
    pub fn new(address: &str, user: &str) -> Self {
        Self {
            name: address.to_owned(),
            address: address.to_owned(),
            port: 22,
            user: user.to_owned(),
            credentials: Vec::new(),
            known_hosts: Vec::new(),
            pin: None,
            new_keys: NewKeys::Refuse,
            jumps: Vec::new(),
        }
    }

    /// `address:port`, for messages.
    pub fn endpoint(&self) -> String {
        if self.port == 22 { self.address.clone() } else { format!("[{}]:{}", self.address, self.port) }
    }

    /// Refuses what can never work, before anything is sent.
    pub fn check(&self) -> Result<(), RemoteError> {
        let bad = |what: String| Err(RemoteError::BadHost { what });
        // Both may end up among the arguments of the system's ssh, where a leading dash would be an option.
        if self.address.is_empty()
            || self.address.starts_with('-')
            || self.address.contains(char::is_whitespace)
        {
            return bad(format!("{:?} is not an address", self.address));
        }
        if self.port == 0 {
            return bad(format!("{}: 0 is not a port", self.name));
        }
        if self.user.is_empty() || self.user.starts_with('-') || self.user.contains(char::is_whitespace) {
            return bad(format!("{}: {:?} is not a user", self.name, self.user));
        }
        let empty = |credential: &Credential| match credential {
            Credential::Key(path) | Credential::Agent(path) => path.as_os_str().is_empty(),
            Credential::Password(password) => password.is_empty(),
        };
        if self.credentials.is_empty() {
            return bad(format!("{}: there is no key, agent or password to log in with", self.name));
        }
        if self.credentials.iter().any(empty) {
            return bad(format!("{}: an empty key, agent or password cannot be logged in with", self.name));
        }
        if self.jumps.len() > JUMPS_MAX {
            return bad(format!("{}: more than {JUMPS_MAX} hosts to go through", self.name));
        }
        self.jumps.iter().try_for_each(Self::check)
    }

    /// A host as `ssh NAME` would reach it: Host, `HostName`, Port, User, `IdentityFile`, `ProxyJump`,
    /// `UserKnownHostsFile` and Include of a configuration file. `user` is used where the file names none.
    ///
    /// A host that `ProxyCommand` reaches is an error: the system's ssh can be used for it.
    pub fn from_ssh_config(name: &str, file: &Path, home: &Path, user: &str) -> Result<Self, RemoteError> {
        let bad = |what: String| RemoteError::BadHost { what: format!("{}: {what}", file.display()) };
        let opened = std::fs::File::open(file).map_err(|why| bad(why.to_string()))?;
        if opened.metadata().map_err(|why| bad(why.to_string()))?.len() > FILE_MAX {
            return Err(bad(format!("larger than {FILE_MAX} bytes")));
        }
        let config = SshConfig::default()
            .home_dir(home)
            .parse(
                &mut BufReader::new(opened),
                ParseRule::ALLOW_UNKNOWN_FIELDS | ParseRule::ALLOW_UNSUPPORTED_FIELDS,
            )
            .map_err(|why| bad(why.to_string()))?;
        resolve(&config, name, home, user, &mut BTreeSet::new()).map_err(bad)
    }
}

fn resolve(
    config: &SshConfig,
    name: &str,
    home: &Path,
    user: &str,
    above: &mut BTreeSet<String>,
) -> Result<Host, String> {
    if !above.insert(name.to_owned()) || above.len() > JUMPS_MAX {
        return Err(format!("ProxyJump goes in a circle at {name}"));
    }
    let params = config.query(name);
    let other = |field: &str| {
        let all = params.unsupported_fields.iter().chain(&params.ignored_fields);
        all.filter(|(key, _)| key.eq_ignore_ascii_case(field))
            .flat_map(|(_, values)| values.clone())
            .collect::<Vec<_>>()
    };
    if other("proxycommand").first().is_some_and(|command| command != "none") {
        return Err(format!("{name} is reached by ProxyCommand, which only the system's ssh can do"));
    }
    let expand = |path: &str| match path.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => PathBuf::from(path),
    };
    let mut host =
        Host::new(params.host_name.as_deref().unwrap_or(name), params.user.as_deref().unwrap_or(user));
    name.clone_into(&mut host.name);
    host.port = params.port.unwrap_or(22);
    let files = params.identity_file.clone().unwrap_or_default();
    host.credentials = files.iter().map(|file| Credential::Key(expand(&file.to_string_lossy()))).collect();
    host.known_hosts = other("userknownhostsfile").iter().map(|file| expand(file)).collect();
    if host.known_hosts.is_empty() {
        host.known_hosts = vec![home.join(".ssh/known_hosts")];
    }
    for jump in params.proxy_jump.iter().flatten().filter(|jump| *jump != "none") {
        let (login, at) =
            jump.rsplit_once('@').map_or((None, jump.as_str()), |(login, at)| (Some(login), at));
        let (alias, port) = match at.rsplit_once(':') {
            Some((alias, port)) => {
                (alias, Some(port.parse().map_err(|_| format!("{jump:?} has no valid port"))?))
            }
            None => (at, None),
        };
        let mut through = resolve(config, alias, home, user, &mut above.clone())?;
        through.port = port.unwrap_or(through.port);
        if let Some(login) = login {
            login.clone_into(&mut through.user);
        }
        host.jumps.append(&mut through.jumps.clone());
        through.jumps.clear();
        host.jumps.push(through);
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infrastructure_39_what_can_never_work_is_refused_before_anything_is_sent() {
        let good = Host { credentials: vec![Credential::Key("/k".into())], ..Host::new("a", "u") };
        assert!(good.check().is_ok());
        let bad = [
            Host { address: String::new(), ..good.clone() },
            Host { address: "-oProxyCommand=x".into(), ..good.clone() },
            Host { port: 0, ..good.clone() },
            Host { user: String::new(), ..good.clone() },
            Host { credentials: vec![], ..good.clone() },
            Host { credentials: vec![Credential::Key(PathBuf::new())], ..good.clone() },
            Host { credentials: vec![Credential::Password(String::new().into())], ..good.clone() },
            Host { jumps: vec![Host { port: 0, ..good.clone() }], ..good.clone() },
        ];
        for host in bad {
            assert!(matches!(host.check(), Err(RemoteError::BadHost { .. })), "{host:?}");
        }
    }

    fn config(text: &str, name: &str) -> Result<Host, RemoteError> {
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join("config");
        std::fs::write(&file, text).expect("written");
        Host::from_ssh_config(name, &file, Path::new("/home/u"), "me")
    }

    #[test]
    fn the_basics_of_ssh_config_are_read() {
        let text = "Host web\n  HostName 10.0.0.1\n  Port 2222\n  User deploy\n  IdentityFile ~/.ssh/id\n  ProxyJump ops@gate:2022\n  UserKnownHostsFile ~/kh\nHost gate\n  HostName gate.example\n  IdentityFile /keys/gate\n";
        let host = config(text, "web").expect("read");
        assert_eq!((host.address.as_str(), host.port, host.user.as_str()), ("10.0.0.1", 2222, "deploy"));
        assert_eq!(host.credentials, [Credential::Key("/home/u/.ssh/id".into())]);
        assert_eq!(host.known_hosts, [PathBuf::from("/home/u/kh")]);
        let [jump] = host.jumps.as_slice() else { panic!("{host:?}") };
        assert_eq!((jump.address.as_str(), jump.port, jump.user.as_str()), ("gate.example", 2022, "ops"));
        let bare = config(text, "other").expect("read");
        assert_eq!((bare.address.as_str(), bare.port, bare.user.as_str()), ("other", 22, "me"));
    }

    #[test]
    fn a_circle_of_jumps_and_a_proxy_command_are_errors() {
        let circle = "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n";
        assert!(config(circle, "a").is_err_and(|why| why.to_string().contains("circle")));
        let command = "Host a\n  ProxyCommand nc %h %p\n";
        assert!(config(command, "a").is_err_and(|why| why.to_string().contains("ProxyCommand")));
    }
}

//! SSH by the system's own `ssh`, for hosts that need what only it can do: `ProxyCommand`, hardware keys, GSSAPI.

use futures_util::future::BoxFuture;
use tokio::process::Command;

use crate::error::RemoteError;
use crate::host::{Credential, Host, NewKeys};
use crate::limits::{CONNECT, KEEPALIVE, KEEPALIVE_MAX};
use crate::link::{Link, Process, child};

/// Starts one `ssh` for each program.
pub(crate) struct System {
    host: Host,
}

impl System {
    pub(crate) fn new(host: &Host) -> Result<Self, RemoteError> {
        host.check()?;
        let bad = |what: &str| RemoteError::BadHost { what: format!("{}: {what}", host.name) };
        if host.pin.is_some() {
            return Err(bad(
                "a pinned host key cannot be handed to the system's ssh; use a file of known hosts",
            ));
        }
        if host.credentials.iter().any(|one| matches!(one, Credential::Password(_))) {
            return Err(bad("a password cannot be handed to the system's ssh"));
        }
        Ok(Self { host: host.clone() })
    }

    fn command(&self, script: &str) -> Command {
        let host = &self.host;
        let mut ssh = Command::new("ssh");
        let mut option = |text: String| {
            ssh.arg("-o").arg(text);
        };
        option("BatchMode=yes".to_owned());
        let checking = if host.new_keys == NewKeys::Accept { "accept-new" } else { "yes" };
        option(format!("StrictHostKeyChecking={checking}"));
        option(format!("ConnectTimeout={}", CONNECT.as_secs()));
        option(format!("ServerAliveInterval={}", KEEPALIVE.as_secs()));
        option(format!("ServerAliveCountMax={KEEPALIVE_MAX}"));
        if !host.known_hosts.is_empty() {
            let files: Vec<String> =
                host.known_hosts.iter().map(|file| format!("\"{}\"", file.display())).collect();
            option(format!("UserKnownHostsFile={}", files.join(" ")));
        }
        for credential in &host.credentials {
            match credential {
                Credential::Key(path) => option(format!("IdentityFile=\"{}\"", path.display())),
                Credential::Agent(socket) => option(format!("IdentityAgent=\"{}\"", socket.display())),
                Credential::Password(_) => {}
            }
        }
        let jumps: Vec<String> =
            host.jumps.iter().map(|jump| format!("{}@{}:{}", jump.user, jump.address, jump.port)).collect();
        if !jumps.is_empty() {
            ssh.args(["-J", &jumps.join(",")]);
        }
        ssh.args(["-T", "-p", &host.port.to_string(), "-l", &host.user, "--", &host.address, script]);
        ssh
    }
}

impl Link for System {
    fn host(&self) -> String {
        self.host.endpoint()
    }

    fn is_closed(&self) -> bool {
        false
    }

    fn start<'a>(&'a self, script: &'a str) -> BoxFuture<'a, Result<Process, RemoteError>> {
        Box::pin(std::future::ready(child(self.command(script), &self.host.endpoint())))
    }
}

//! Logging in for the first time: is it the host that was meant, and who may?

use std::collections::BTreeMap;

use config::HostConfig;
use model::code;
use plan::Host;
use project::Project;
use project::onboarding::Way;
use remote::onboard::{Admin, OnboardError};
use remote::{Credential, RemoteError, Runner, Sudo};

use super::super::here::Here;
use super::super::password::{self, Password};
use super::asked::Asked;
use crate::World;
use crate::args::OnboardArgs;
use crate::report::{INTERRUPTED, Report};
use crate::ui::{STRONG, Ui, WARN};

/// Everything that is needed to reach the host.
pub(super) struct Login {
    /// As who logs in first; without a password.
    host: remote::Host,
    runner: Runner,
    agent: Option<std::path::PathBuf>,
}

impl Login {
    pub(super) fn new(
        world: &World,
        project: &Project,
        here: &Here,
        args: &OnboardArgs,
        asked: &Asked,
        hosts: &BTreeMap<Host, HostConfig>,
    ) -> Result<Self, Report> {
        let login = project::infrastructure::Login { project: project.root.clone(), ..world.login.clone() };
        let mut host = login.host(&asked.order.host, hosts, &here.place.state.known_hosts())?;
        if let Some(key) = &args.login_key {
            let file = super::super::here::current_directory()?.join(key);
            remote::identity::check(&file)?;
            host.credentials = vec![Credential::Key(file)];
        } else {
            // one of the usual keys that cannot be used is no reason not to ask for a password
            host.credentials.retain(|credential| match credential {
                Credential::Key(file) => remote::identity::check(file).is_ok(),
                _ => true,
            });
        }
        Ok(Self { host, runner: Runner::find()?, agent: world.login.agent.clone() })
    }

    /// Makes sure that it is the host that was meant, and answers its key. Nobody has logged in yet.
    pub(super) async fn host_key(
        &self,
        ui: &mut Ui,
        asked: &Asked,
        args: &OnboardArgs,
    ) -> Result<String, Report> {
        let shown = remote::host_key(&self.host).await.map_err(|error| {
            let changed = matches!(error, RemoteError::HostKeyChanged { .. });
            let report = Report::from(error);
            if !changed {
                return report;
            }
            let file = project::onboarding::recorded_file(&asked.order.host);
            report.with_hint(format!(
                "if the host was reinstalled, compare fingerprints on its console and remove host_key from {}",
                file.display()
            ))
        })?;
        let (endpoint, key) = (asked.endpoint(), &shown.fingerprint);
        if shown.known {
            ui.note(format_args!("{endpoint} shows the host key that is known: {} {key}", shown.algorithm));
            return Ok(shown.fingerprint);
        }
        if !ui.interactive {
            let what = format!("the host key of {endpoint} is not known: it shows {} {key}", shown.algorithm);
            let report = Report::new(code::remote::HOST_KEY_UNKNOWN, what);
            let hint = format!("aedile onboard {} --host-key {key}", args.host);
            return Err(report
                .caused_by("compare it with what `ssh-keygen -lf` says on the console of the host")
                .with_hint(hint));
        }
        ui.note(format_args!("{endpoint} shows the host key {} {STRONG}{key}{STRONG:#}", shown.algorithm));
        ui.note("Compare it with what this says on the console of the host:");
        ui.note("  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
        if confirmed(ui) {
            return Ok(shown.fingerprint);
        }
        let report =
            Report::new(code::remote::HOST_KEY_UNKNOWN, format!("{endpoint} is not the host that was meant"));
        Err(report.with_exit(INTERRUPTED))
    }

    /// Logs in and becomes root. Where that takes a password and none was given, asks for it if somebody is there.
    pub(super) async fn open(
        mut self,
        ui: &mut Ui,
        args: &OnboardArgs,
        asked: &Asked,
    ) -> Result<(Way, Admin), Report> {
        self.host.pin = Some(asked.order.host_key.clone());
        let question = format!("Password of {} on {}:", args.user, asked.endpoint());
        let mut given = match (args.password_stdin, &args.password_env, args.ask_password) {
            (true, ..) => Some(password::from_stdin()?),
            (_, Some(variable), _) => Some(password::from_env(variable)?),
            (.., true) if ui.interactive => Some(password::ask(ui, &question)?),
            (.., true) => return Err(Report::usage("there is no terminal to ask for a password at")),
            _ => None,
        };
        let mut for_sudo = false;
        loop {
            let host = self.login(args, given.as_ref().filter(|_| !for_sudo));
            let sudo = sudo(&args.user, given.as_ref());
            let opened = Admin::open(&host, &self.runner, &sudo).await;
            let error = match opened {
                Ok(admin) => {
                    if args.lock_down && given.is_some() && !for_sudo {
                        ui.note(format_args!(
                            "{WARN}{} will not be able to log in with this password any more{WARN:#}; make sure that \
                             somebody who can become root has a key",
                            args.user
                        ));
                    }
                    return Ok((self.way(host, sudo, asked), admin));
                }
                Err(error) => error,
            };
            let why = match &error {
                OnboardError::Remote(RemoteError::NotAccepted { .. }) => Some(false),
                OnboardError::Remote(RemoteError::BadHost { .. }) if host.credentials.is_empty() => {
                    Some(false)
                }
                OnboardError::Remote(RemoteError::SudoRefused { .. }) => Some(true),
                _ => None,
            };
            match why {
                Some(sudo) if given.is_none() && ui.interactive => {
                    for_sudo = sudo;
                    given = Some(password::ask(ui, &question)?);
                }
                Some(_) if given.is_none() => {
                    let hint = format!("aedile onboard {} --user {} --password-stdin", args.host, args.user);
                    return Err(Report::from(error).with_hint(hint));
                }
                _ => return Err(error.into()),
            }
        }
    }

    fn login(&self, args: &OnboardArgs, password: Option<&Password>) -> remote::Host {
        let mut host = self.host.clone();
        if let Some(password) = password {
            // who gives a password means it, and a server counts the keys that are tried before it; a key that was named is
            // meant more, and the password is for sudo
            let at = if args.login_key.is_some() { host.credentials.len() } else { 0 };
            host.credentials.insert(at, Credential::Password(password.clone()));
        }
        host
    }

    fn way(self, login: remote::Host, sudo: Sudo, asked: &Asked) -> Way {
        let key = asked.key.clone().map(Credential::Key);
        let credentials = key.or_else(|| self.agent.map(Credential::Agent)).into_iter().collect();
        let account = remote::Host { user: asked.order.account.clone(), credentials, ..login.clone() };
        Way { login, sudo, account, runner: self.runner }
    }
}

fn sudo(user: &str, password: Option<&Password>) -> Sudo {
    match password {
        _ if user == "root" => Sudo::No,
        Some(password) => Sudo::Password(password.clone()),
        None => Sudo::WithoutPassword,
    }
}

fn confirmed(ui: &mut Ui) -> bool {
    ui.prompt("Is it the same? [yes/no]");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && answer.trim().eq_ignore_ascii_case("yes")
}

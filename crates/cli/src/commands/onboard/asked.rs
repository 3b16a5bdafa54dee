//! From arguments, the configuration and what is known of earlier times to an order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::HostConfig;
use model::code;
use plan::Host;
use project::infrastructure;
use project::onboarding::{self, Order};
use project::{Project, ProjectError};

use super::super::here::{Here, current_directory};
use super::remembered;
use crate::World;
use crate::args::OnboardArgs;
use crate::report::Report;
use crate::ui::Ui;
use crate::views::table::plain;

/// An order, and how the service user's key is used from here.
pub(super) struct Asked {
    pub(super) order: Order,
    /// The host key that was recorded or given before.
    pub(super) pin: Option<String>,
    /// The file of the service user's private key; without one, an agent has it.
    pub(super) key: Option<PathBuf>,
}

/// What the configuration says of hosts.
pub(super) struct Known {
    hosts: BTreeMap<Host, HostConfig>,
}

/// Variables of the configuration, as they were typed.
pub(super) fn variables(args: &OnboardArgs) -> Result<Vec<(String, String)>, Report> {
    args.variables.iter().map(|text| super::super::facts::pair("--var", text)).collect()
}

/// A mistake in the configuration, with the lines it is about.
pub(super) fn shown(error: ProjectError, project: &Project) -> Report {
    let mut report = Report::from(error);
    for (file, text) in infrastructure::texts(project) {
        report = report.with_source(file, text);
    }
    report
}

impl Known {
    pub(super) fn read(here: &Here, project: &Project, args: &OnboardArgs) -> Result<Self, Report> {
        let variables = variables(args)?;
        let read = onboarding::configuration(project, &here.place.environment, &variables, &BTreeMap::new());
        let hosts = read.map_err(|error| shown(error, project))?.map(|it| it.hosts).unwrap_or_default();
        Ok(Self { hosts })
    }

    fn find(&self, typed: &str, port: Option<u16>) -> Option<(&Host, &HostConfig)> {
        let by_name = self.hosts.iter().find(|(host, _)| host.as_str() == typed);
        by_name.or_else(|| onboarding::find(&self.hosts, typed, port.unwrap_or(22)))
    }

    /// The hosts, with the one that is onboarded as the first login sees it.
    pub(super) fn with(&self, asked: &Asked) -> BTreeMap<Host, HostConfig> {
        let order = &asked.order;
        let mut hosts = self.hosts.clone();
        let config = HostConfig {
            address: order.address.clone(),
            port: order.port,
            user: Some(order.login.clone()),
            labels: BTreeMap::new(),
            jump: order.jump.clone(),
            key: None,
            host_key: asked.pin.clone(),
            sudo: config::Sudo::No,
            place: plan::Place::default(),
        };
        hosts.insert(order.host.clone(), config);
        hosts
    }
}

fn name(text: &str) -> Result<Host, Report> {
    text.parse().map_err(|_| {
        Report::usage(format!("`{}` cannot be the name of a host", plain(text)))
            .with_hint("aedile onboard HOST --as web-1")
    })
}

fn changed(pin: &str, given: &str, host: &str, whence: &str) -> Report {
    let what = format!(
        "the host key of {host} is on record as {pin}, and --host-key says {given}; nothing was sent"
    );
    Report::new(code::remote::HOST_KEY_CHANGED, what)
        .with_hint(format!("if the host was reinstalled, remove host_key from {whence} first"))
}

/// What is asked for.
pub(super) fn forward(
    ui: &mut Ui,
    world: &World,
    here: &Here,
    project: &Project,
    known: &Known,
    args: &OnboardArgs,
) -> Result<Asked, Report> {
    remote::onboard::account::check_account(&args.account)?;
    let found = known.find(&args.host, args.port);
    let address = found.map_or(args.host.as_str(), |(_, config)| &config.address).to_owned();
    let port = args.port.or_else(|| found.map(|(_, config)| config.port)).unwrap_or(22);
    let host = match (&args.name, found) {
        (Some(typed), _) => name(typed)?,
        (None, Some((host, _))) => host.clone(),
        (None, None) => name(&args.host)?,
    };
    let before = remembered(here, host.as_str(), Some(port))?.filter(|one| one.address == address);
    let recorded = found.and_then(|(_, config)| config.host_key.clone());
    let recorded = recorded.or_else(|| before.map(|before| before.host_key));
    if let (Some(pin), Some(given)) = (&recorded, &args.host_key)
        && pin != given
    {
        let file = onboarding::recorded_file(&host).display().to_string();
        return Err(changed(pin, given, &address, &file));
    }
    let jump = match args.jump.as_slice() {
        [] => found.map(|(_, config)| config.jump.clone()).unwrap_or_default(),
        typed => typed.iter().map(|typed| name(typed)).collect::<Result<_, _>>()?,
    };
    let labels = labels(args, found.map(|(_, config)| config))?;
    for text in &args.sudo {
        remote::onboard::SudoRule::parse(text)?;
    }
    let recorded_key = found.and_then(|(_, config)| config.key.as_deref());
    let key = key(ui, world, here, project, args, (&host, recorded_key))?;
    let order = Order {
        host,
        address,
        port,
        jump,
        login: args.user.clone(),
        host_key: String::new(),
        account: args.account.clone(),
        public_key: key.public,
        key: key.file.as_deref().map(|file| written(file, world, project)),
        sudo: args.sudo.iter().map(|text| text.trim().to_owned()).collect(),
        lock_down: args.lock_down,
        labels,
        undo: false,
    };
    Ok(Asked { order, pin: recorded.or_else(|| args.host_key.clone()), key: key.file })
}

fn labels(args: &OnboardArgs, found: Option<&HostConfig>) -> Result<BTreeMap<String, String>, Report> {
    if args.labels.is_empty() {
        return Ok(found.map(|config| config.labels.clone()).unwrap_or_default());
    }
    args.labels.iter().map(|text| super::super::facts::pair("--label", text)).collect()
}

/// The service user's key: its public half, and the file of the private half.
struct Key {
    public: String,
    file: Option<PathBuf>,
}

fn key(
    ui: &mut Ui,
    world: &World,
    here: &Here,
    project: &Project,
    args: &OnboardArgs,
    (host, recorded): (&Host, Option<&str>),
) -> Result<Key, Report> {
    // the key it has stays, unless another is named
    let recorded = recorded.map(|key| meant(key, world, project)).filter(|key| key.is_file());
    let Some(typed) = args.key.as_ref().or(recorded.as_ref()) else {
        let (file, public, made) = onboarding::ensure_key(&here.place.state, host, &args.account)?;
        if made {
            ui.note(format_args!("made the key {}", written(&file, world, project)));
        }
        return Ok(Key { public, file: Some(file) });
    };
    let file = current_directory()?.join(typed);
    let public = remote::identity::public_key(&file)?;
    match (remote::identity::check(&file), &world.login.agent) {
        (Ok(()), _) => Ok(Key { public, file: Some(file) }),
        // one with a passphrase: the agent that has it logs in
        (Err(_), Some(_)) => Ok(Key { public, file: None }),
        (Err(error), None) => Err(error.into()),
    }
}

/// The file that a record means.
fn meant(key: &str, world: &World, project: &Project) -> PathBuf {
    match (key.strip_prefix("~/"), &world.login.home) {
        (Some(below), Some(home)) => home.join(below),
        _ => project.root.join(key),
    }
}

/// A path as the record has it: from the project, from home, or whole.
fn written(file: &Path, world: &World, project: &Project) -> String {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let file = whole(file);
    if let Ok(below) = file.strip_prefix(whole(&project.root)) {
        return below.display().to_string();
    }
    let home = world.login.home.as_deref().map(whole);
    match home.and_then(|home| file.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(below) => format!("~/{}", below.display()),
        None => file.display().to_string(),
    }
}

/// Everything that was done to a host, to be taken back.
pub(super) fn undo(here: &Here, known: &Known, args: &OnboardArgs) -> Result<Asked, Report> {
    let before = remembered(here, &args.host, args.port)?.ok_or_else(|| {
        let environment = &here.place.environment;
        let what = format!("{} was not onboarded in environment {environment}", plain(&args.host));
        Report::new(code::general::NOT_FOUND, what).with_hint("aedile facts list")
    })?;
    let recorded = known.hosts.get(&before.host).and_then(|config| config.key.clone());
    let made = format!("{}/{}/ssh/{}", project::layout::STATE, here.place.environment, before.host);
    let order = Order {
        host: before.host,
        address: before.address,
        port: before.port,
        jump: before.jump,
        login: args.user.clone(),
        host_key: before.host_key.clone(),
        account: before.accounts.keys().next().cloned().unwrap_or_default(),
        public_key: String::new(),
        key: Some(recorded.unwrap_or(made)),
        sudo: Vec::new(),
        lock_down: false,
        labels: BTreeMap::new(),
        undo: true,
    };
    let pin = args.host_key.clone().unwrap_or_else(|| before.host_key.clone());
    if pin != before.host_key {
        return Err(changed(&before.host_key, &pin, &order.address, "the host's file in .aedile"));
    }
    Ok(Asked { order, pin: Some(pin), key: None })
}

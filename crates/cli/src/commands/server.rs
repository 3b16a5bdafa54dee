//! `server` and `ui`: the project behind HTTP, and a way in.

use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::Principal;
use project::{Actor, Project, ProjectError};
use server::config::Settings;
use server::identity::Identity;
use server::{Listening, Options, Server, Tls};

use super::decide::access;
use super::here::{Here, current_directory};
use super::machine;
use super::schedules::Signals;
use crate::World;
use crate::args::{Global, ServerArgs, ServingArgs, TlsHow, UiArgs};
use crate::memory;
use crate::report::{Answer, Report};
use crate::ui::{COMMAND, DIM, GOOD, STRONG, Ui};

/// Where a server listens when nobody says where.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8420);
/// How often lines of the log are shown.
const LOOK: Duration = Duration::from_millis(250);

/// Serves projects until it is told to stop.
pub(super) fn server(ui: &mut Ui, world: &World, global: &Global, args: &ServerArgs) -> Answer {
    let projects = projects(world, global, &args.projects)?;
    let serving = serving(&projects, &args.serving)?;
    super::runtime()?.block_on(async {
        let listening = listen(world, projects, serving).await?;
        told(ui, &listening);
        if let Some(link) = listening.app().identity.setup().await? {
            let url = listening.public_url();
            ui.answer(format_args!("\nNobody administers this server yet. Who opens this link will:"));
            ui.answer(format_args!("  {COMMAND}{url}/setup/{}{COMMAND:#}", link.expose()));
            ui.note(format_args!("{DIM}it is good for one hour, and once{DIM:#}"));
        }
        serve(ui, world, listening).await
    })
}

/// Prints, and opens, a link that signs in; serves the project if nobody does.
pub(super) fn ui(ui: &mut Ui, world: &World, global: &Global, args: &UiArgs) -> Answer {
    let here = Here::find(world, global)?;
    let Some(project) = here.place.project.clone() else {
        return Err(ProjectError::NoProject { start: current_directory()? }.into());
    };
    let actor = access(&here.place)?.actor(&here.place.environment, &world.user, args.act_as.as_deref())?;
    let projects = vec![project];
    let serving = serving(&projects, &args.serving)?;
    super::runtime()?.block_on(async {
        if let Some(url) = server::served_at(&serving.state) {
            let identity =
                Identity::open(&serving.state, Arc::clone(&world.clock), Arc::clone(&world.entropy))?;
            return welcome(ui, &identity, (&url, &actor), args.print).await;
        }
        let listening = listen(world, projects, serving).await?;
        told(ui, &listening);
        let url = listening.public_url();
        welcome(ui, &listening.app().identity, (url, &actor), args.print).await?;
        serve(ui, world, listening).await
    })
}

/// The projects that are named, or the one that is found from here.
fn projects(world: &World, global: &Global, named: &[PathBuf]) -> Result<Vec<Project>, Report> {
    if named.is_empty() {
        let here = Here::find(world, global)?;
        return match here.place.project {
            Some(project) => Ok(vec![project]),
            None => Err(ProjectError::NoProject { start: current_directory()? }.into()),
        };
    }
    let directory = current_directory()?;
    named.iter().map(|one| Ok(Project::open(&directory.join(one))?)).collect()
}

/// How it is served: what `server.yaml` says, and what is typed over it.
struct Serving {
    state: PathBuf,
    settings: Settings,
    address: SocketAddr,
}

fn serving(projects: &[Project], args: &ServingArgs) -> Result<Serving, Report> {
    let state = match &args.state {
        Some(state) => current_directory()?.join(state),
        None => server::default_state(projects),
    };
    let mut settings = match &args.config {
        Some(file) => Settings::read(&current_directory()?.join(file))?,
        None => Settings::in_directory(&state)?,
    };
    match args.tls {
        Some(TlsHow::SelfMade) => settings.tls = Some(Tls::SelfMade { names: Vec::new() }),
        Some(TlsHow::Off) => settings.tls = None,
        None => {}
    }
    settings.behind_proxy |= args.behind_proxy;
    settings.schedules |= args.schedules;
    if let Some(url) = &args.public_url {
        settings.set_public_url(url)?;
    }
    let address = args.listen.or(settings.listen).unwrap_or(LISTEN);
    Ok(Serving { state, settings, address })
}

async fn listen(world: &World, projects: Vec<Project>, serving: Serving) -> Result<Listening, Report> {
    let told = world.told.lines();
    let options = Options {
        state: serving.state,
        settings: serving.settings,
        log: Arc::new(move |line| told(line)),
        ..Options::new(projects, machine(world))
    };
    Ok(Server::open(options, serving.address)?.listen().await?)
}

/// Says where it is.
fn told(ui: &mut Ui, listening: &Listening) {
    for bench in listening.app().all() {
        ui.note(format_args!(
            "{DIM}serving{DIM:#}  {STRONG}{}{STRONG:#} {}",
            bench.project,
            bench.environment()
        ));
    }
    ui.note(format_args!("{GOOD}listening{GOOD:#}  {}", listening.url()));
    if let Some(fingerprint) = listening.fingerprint() {
        ui.note(format_args!("{DIM}certificate, SHA-256{DIM:#}  {fingerprint}"));
    }
}

/// Makes a link for somebody, and opens it.
async fn welcome(ui: &mut Ui, identity: &Identity, (url, actor): (&str, &Actor), print: bool) -> Answer {
    let link = identity.admit_local(&actor.principal, actor.via.as_ref()).await?;
    let address = format!("{}/login/link/{}", url.trim_end_matches('/'), link.secret.expose());
    ui.answer(format_args!("{address}"));
    let who: &Principal = &actor.principal;
    ui.note(format_args!("{DIM}signs in {who}, once, within a quarter of an hour{DIM:#}"));
    if !print && std::io::stdout().is_terminal() {
        open_browser(&address);
    }
    Ok(0)
}

/// Has the desktop open an address, where there is a desktop.
fn open_browser(address: &str) {
    let desktop = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    let opener = Path::new("/usr/bin/xdg-open");
    if desktop && opener.exists() {
        // the link is printed as well: what cannot be opened can be copied
        let mut command = std::process::Command::new(opener);
        command.arg(address).stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        drop(command.spawn());
    }
}

/// Answers until Ctrl-C or SIGTERM, and shows the log meanwhile.
async fn serve(ui: &mut Ui, world: &World, listening: Listening) -> Answer {
    let mut signals = Signals::new()?;
    ui.note(format_args!("{DIM}Ctrl-C ends it{DIM:#}"));
    ui.flush();
    let mut sweep = tokio::time::interval(memory::SWEEP);
    let serving = listening.serve(async move { signals.one().await });
    tokio::pin!(serving);
    loop {
        tokio::select! {
            ended = &mut serving => {
                show(ui, world);
                return ended.map(|()| 0).map_err(Report::from);
            }
            () = tokio::time::sleep(LOOK) => show(ui, world),
            _ = sweep.tick() => memory::forget_pages_of_the_program(),
        }
    }
}

fn show(ui: &mut Ui, world: &World) {
    for line in world.told.take() {
        ui.note(crate::views::table::plain(&line));
    }
    ui.flush();
}

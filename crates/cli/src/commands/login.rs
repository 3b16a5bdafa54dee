//! `login`, `logout` and `whoami`: who somebody is on a server.

use std::io::{BufRead as _, IsTerminal as _};

use api::Me;
use api::client::{Client, Fingerprint, Login, Token};
use api::{Project, Projects};
use model::code;
use serde_json::json;

use super::{password, runtime};
use crate::World;
use crate::args::{Global, LoginArgs, LogoutArgs};
use crate::logins::Logins;
use crate::report::{Answer, Report};
use crate::ui::{DIM, GOOD, STRONG, Ui, WARN};
use crate::views::table::plain;

/// Longest answer to a question.
const ANSWER_BYTES_MAX: u64 = 64;

/// Checks a token with a server, and keeps both.
pub(super) fn login(ui: &mut Ui, world: &World, global: &Global, args: &LoginArgs) -> Answer {
    let mut logins = Logins::open(world)?;
    let address = Login::at(&args.url)?;
    let given = args.fingerprint.as_deref().map(str::parse::<Fingerprint>).transpose()?;
    let runtime = runtime()?;
    // before the token is asked for: it is for nobody whose certificate is not believed
    let pin = match given {
        Some(pin) => Some(pin),
        None => believed(ui, &runtime, &address)?,
    };
    let token = Token::new(token(ui, global)?)?;
    let login = address.with_token(token.clone());
    let login = match pin {
        Some(pin) => login.with_pin(pin),
        None => login,
    };
    let url = login.url().to_owned();
    let client = Client::new(login)?;
    let (me, projects) = runtime.block_on(who(&client))?;
    logins.add(&url, &token, pin)?;
    show(ui, &url, &me, &projects);
    ui.note(format_args!("{GOOD}logged in{GOOD:#}"));
    if !ui.quiet && !ui.json {
        ui.next(format_args!("aedile status --server {url}"), "says what is broken and what waits");
    }
    Ok(0)
}

async fn who(client: &Client) -> Result<(Me, Projects), Report> {
    Ok((client.me().await?, client.projects().await?))
}

/// The certificate that is to be believed, where nobody vouches for it and the person does.
fn believed(
    ui: &mut Ui,
    runtime: &tokio::runtime::Runtime,
    address: &Login,
) -> Result<Option<Fingerprint>, Report> {
    let Err(error) = runtime.block_on(Client::new(address.clone())?.me()) else { return Ok(None) };
    let Some(found) = error.untrusted() else {
        // whether the server knows us is the next question; that it is one is known now
        return if error.status() == Some(401) { Ok(None) } else { Err(error.into()) };
    };
    if !ui.interactive {
        let hint =
            format!("compare it, then: aedile login {} --fingerprint {found} < token-file", address.url());
        return Err(Report::from(error).caused_by(format!("its fingerprint is {found}")).with_hint(hint));
    }
    ui.complain(format_args!("{WARN}nobody vouches for the certificate of {}{WARN:#}", address.url()));
    ui.complain(format_args!("SHA-256  {STRONG}{found}{STRONG:#}"));
    ui.prompt("Is it the fingerprint that the server shows when it starts? [y/N]");
    let mut answer = String::new();
    let read = std::io::Read::take(std::io::stdin().lock(), ANSWER_BYTES_MAX).read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(Some(found));
    }
    Err(Report::new(code::general::DECLINED, "nothing was sent and nothing was kept"))
}

/// The token: from the keyboard without an echo, or the first line of standard input.
fn token(ui: &mut Ui, global: &Global) -> Result<password::Password, Report> {
    if !std::io::stdin().is_terminal() {
        return password::from_stdin();
    }
    if global.no_input || !ui.interactive {
        return Err(Report::new(code::general::NO_PROMPT, "nobody can be asked for the token")
            .with_hint("aedile login URL < token-file"));
    }
    password::ask(ui, "API token (it is not shown):")
}

/// Forgets a server.
pub(super) fn logout(ui: &mut Ui, world: &World, global: &Global, args: &LogoutArgs) -> Answer {
    let mut logins = Logins::open(world)?;
    let url = meant(&logins, args.url.as_ref().or(global.server.as_ref()))?;
    let known = logins.remove(&url)?;
    if ui.json {
        ui.answer_json(&json!({ "server": url, "loggedOut": known }));
    } else if known {
        ui.answer(format_args!("{GOOD}logged out{GOOD:#}  {url}"));
        ui.note(format_args!(
            "{DIM}the token still is one: revoke it under settings if it is not needed{DIM:#}"
        ));
    } else {
        ui.answer(format_args!("noop  you were not logged in to {url}"));
    }
    Ok(0)
}

/// The server that is named, or the only one there is.
fn meant(logins: &Logins, named: Option<&String>) -> Result<String, Report> {
    if let Some(named) = named {
        return Ok(Login::at(named)?.url().to_owned());
    }
    match logins.urls().as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Report::new(code::server::NOT_SIGNED_IN, "you are not logged in to any server")
            .with_hint("aedile login URL")),
        many => Err(Report::usage("you are logged in to more than one server")
            .caused_by(many.join(", "))
            .with_hint("name one with --server URL")),
    }
}

/// Says who somebody is, and what they may do.
pub(super) fn whoami(ui: &mut Ui, world: &World, global: &Global) -> Answer {
    let logins = Logins::open(world)?;
    let url = meant(&logins, global.server.as_ref())?;
    let client = Client::new(logins.login(&url)?)?;
    let (me, projects) = runtime()?.block_on(who(&client))?;
    show(ui, &url, &me, &projects);
    Ok(0)
}

fn show(ui: &mut Ui, url: &str, me: &Me, projects: &Projects) {
    if ui.json {
        ui.answer_json(&json!({ "server": url, "principal": me.principal, "projects": projects.items }));
        return;
    }
    ui.answer(format_args!("{STRONG}{}{STRONG:#} on {url}", plain(&me.principal)));
    if projects.items.is_empty() {
        ui.answer("  may see no project");
    }
    for Project { name, environments, default_environment } in &projects.items {
        for environment in environments {
            let default =
                if default_environment.as_ref() == Some(&environment.name) { "  (default)" } else { "" };
            let (name, shown) = (plain(name), plain(&environment.name));
            ui.answer(format_args!("  {name} {shown}  may {}{default}", plain(&environment.may.join(", "))));
        }
    }
}

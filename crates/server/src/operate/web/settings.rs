//! Settings: tokens, accounts, keys, appearance.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::Markup;
use model::time::{SignedDuration, rfc3339};
use model::{Permission, Principal, TokenId};

use super::super::settings::{self, Tab};
use super::super::text;
use super::fields::Fields;
use super::{around, done, refused};
use crate::Problem;
use crate::app::App;
use crate::at::Known;
use crate::handlers::journal as handled;
use crate::identity::{AccountView, Caller, Scope, TokenView, TokenWish};
use crate::problem::Answer;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/settings", get(async || Redirect::to("/settings/tokens")))
        .route("/settings/tokens", get(tokens).post(issue))
        .route("/settings/tokens/{token}/revoke", post(revoke))
        .route("/settings/accounts", get(accounts).post(add))
        .route("/settings/accounts/{account}/{verb}", post(change))
        .route("/settings/keys", get(keys))
        .route("/settings/appearance", get(appearance))
}

/// The settings as somebody sees them.
fn view(app: &App, caller: &Caller, tab: Tab) -> Answer<settings::View> {
    let administers = caller.may_administer_server("see accounts").is_ok();
    let tokens = match tab {
        Tab::Tokens => app.identity.tokens(Some(&caller.principal)),
        _ => Vec::new(),
    };
    let accounts = match tab {
        Tab::Accounts if administers => app.identity.accounts(),
        _ => Vec::new(),
    };
    Ok(settings::View {
        tab,
        tokens: tokens.iter().rev().map(|one| token(app, one)).collect(),
        issued: None,
        link: None,
        accounts: accounts.iter().map(account).collect(),
        keys: if tab == Tab::Keys { readable(app, caller)? } else { Vec::new() },
        problem: None,
    })
}

fn token(app: &App, token: &TokenView) -> settings::Token {
    settings::Token {
        id: token.token.to_string(),
        name: token.name.clone(),
        scope: scope(&token.scope),
        created_at: rfc3339(token.issued),
        expires_at: Some(rfc3339(token.expires)),
        used_at: token.used.map(rfc3339),
        ended: token.expires <= app.now(),
    }
}

/// What a token is limited to, in words.
fn scope(scope: &Scope) -> String {
    let words = |all: Vec<String>| text::enumerate(&all, "and");
    let mut out = match &scope.permissions {
        None => "do what you may".to_owned(),
        Some(these) => words(these.iter().map(|one| one.as_str().to_owned()).collect()),
    };
    if let Some(projects) = &scope.projects {
        out.push_str(" in ");
        out.push_str(&words(projects.iter().cloned().collect()));
    }
    if let Some(environments) = &scope.environments {
        out.push_str(if scope.projects.is_some() { " / " } else { " in " });
        out.push_str(&words(environments.iter().map(ToString::to_string).collect()));
    }
    out
}

fn account(account: &AccountView) -> settings::Account {
    settings::Account {
        principal: account.account.to_string(),
        administers: account.administrator,
        active: account.enabled,
        created_at: rfc3339(account.since),
    }
}

/// Keys of the journals that somebody may read.
fn readable(app: &App, caller: &Caller) -> Answer<Vec<settings::Keys>> {
    let mut all = Vec::new();
    for bench in app.all().filter(|bench| bench.may(caller, Permission::Read).is_ok()) {
        all.push(settings::Keys {
            project: bench.project.clone(),
            environment: bench.environment().to_string(),
            verifiers: handled::verifiers(bench)?,
        });
    }
    Ok(all)
}

fn shown(app: &App, caller: &Caller, tab: Tab) -> Answer<Markup> {
    Ok(settings::page(&around(app, caller), &view(app, caller, tab)?))
}

async fn tokens(State(app): State<Arc<App>>, Known(caller): Known) -> Answer<Markup> {
    shown(&app, &caller, Tab::Tokens)
}

async fn accounts(State(app): State<Arc<App>>, Known(caller): Known) -> Answer<Markup> {
    shown(&app, &caller, Tab::Accounts)
}

async fn keys(State(app): State<Arc<App>>, Known(caller): Known) -> Answer<Markup> {
    shown(&app, &caller, Tab::Keys)
}

async fn appearance(State(app): State<Arc<App>>, Known(caller): Known) -> Answer<Markup> {
    shown(&app, &caller, Tab::Look)
}

/// The settings again, with why it was not done.
fn not_done(app: &App, caller: &Caller, tab: Tab, problem: &Problem) -> Answer<Response> {
    let mut view = view(app, caller, tab)?;
    view.problem = Some(problem.body().clone());
    Ok(refused(problem, settings::page(&around(app, caller), &view)))
}

/// What a form wants a token to be.
fn wish(fields: &Fields) -> Answer<TokenWish> {
    let permission = |word: &str| {
        let known = Permission::ALL.iter().find(|one| one.as_str() == word).copied();
        known.ok_or_else(|| Problem::unprocessable(format!("{word} is no permission")))
    };
    let permissions = fields.all("may").map(permission).collect::<Answer<BTreeSet<Permission>>>()?;
    let mut scope = Scope { permissions: Some(permissions), ..Scope::default() };
    if let Some(place) = fields.get("environment") {
        let (project, environment) =
            place.split_once('/').ok_or_else(|| Problem::unprocessable("the environment is PROJECT/NAME"))?;
        let environment = environment
            .parse()
            .map_err(|error| Problem::unprocessable(format!("the environment: {error}")))?;
        scope.projects = Some(BTreeSet::from([project.to_owned()]));
        scope.environments = Some(BTreeSet::from([environment]));
    }
    let days = fields.need("days", "when it ends")?;
    let days: i64 = days
        .parse()
        .ok()
        .filter(|days| (1..=3_650).contains(days))
        .ok_or_else(|| Problem::unprocessable("it ends after 1 to 3650 days"))?;
    Ok(TokenWish {
        name: fields.need("name", "a name")?,
        account: None,
        scope,
        lifetime: Some(SignedDuration::from_hours(24 * days)),
    })
}

async fn issue(State(app): State<Arc<App>>, Known(caller): Known, fields: Fields) -> Answer<Response> {
    let issued = match wish(&fields) {
        Ok(wish) => app.identity.issue_token(&caller, wish).await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    match issued {
        Ok(token) => {
            let mut view = view(&app, &caller, Tab::Tokens)?;
            view.issued = Some(token.secret.expose().to_owned());
            Ok(settings::page(&around(&app, &caller), &view).into_response())
        }
        Err(problem) => not_done(&app, &caller, Tab::Tokens, &problem),
    }
}

async fn revoke(
    State(app): State<Arc<App>>,
    Known(caller): Known,
    Path(id): Path<String>,
) -> Answer<Response> {
    let id: TokenId = id.parse().map_err(|_| Problem::not_found(format!("there is no token {id}")))?;
    match app.identity.revoke_token(&caller, id, None).await {
        Ok(()) => Ok(done("/settings/tokens")),
        Err(error) => not_done(&app, &caller, Tab::Tokens, &error.into()),
    }
}

async fn add(State(app): State<Arc<App>>, Known(caller): Known, fields: Fields) -> Answer<Response> {
    match added(&app, &caller, &fields).await {
        Ok(account) => linked(&app, &caller, &account).await,
        Err(problem) => not_done(&app, &caller, Tab::Accounts, &problem),
    }
}

async fn added(app: &App, caller: &Caller, fields: &Fields) -> Answer<Principal> {
    caller.may_administer_server("add accounts")?;
    let name = fields.need("name", "a name")?;
    let account =
        Principal::user(&name).map_err(|error| Problem::unprocessable(format!("the name: {error}")))?;
    app.identity.add_account(&caller.principal, &account, false).await?;
    if fields.get("administers").is_some() {
        app.identity.set_administrator(&caller.principal, &account, true, None).await?;
    }
    Ok(account)
}

/// Makes a link to sign in, and shows it once.
async fn linked(app: &App, caller: &Caller, account: &Principal) -> Answer<Response> {
    match app.identity.issue_link(caller, account).await {
        Ok(link) => {
            let mut view = view(app, caller, Tab::Accounts)?;
            view.link = Some(format!("/login/link/{}", link.secret.expose()));
            Ok(settings::page(&around(app, caller), &view).into_response())
        }
        Err(error) => not_done(app, caller, Tab::Accounts, &error.into()),
    }
}

async fn change(
    State(app): State<Arc<App>>,
    Known(caller): Known,
    Path((account, verb)): Path<(String, String)>,
) -> Answer<Response> {
    let account: Principal =
        account.parse().map_err(|_| Problem::not_found(format!("there is no account {account}")))?;
    if verb == "link" {
        return linked(&app, &caller, &account).await;
    }
    let enabled = match verb.as_str() {
        "enable" => true,
        "disable" => false,
        other => return Err(Problem::not_found(format!("nothing called {other} can be done to an account"))),
    };
    caller.may_administer_server("enable and disable accounts")?;
    match app.identity.set_enabled(&caller.principal, &account, enabled, None).await {
        Ok(()) => Ok(done("/settings/accounts")),
        Err(error) => not_done(&app, &caller, Tab::Accounts, &error.into()),
    }
}

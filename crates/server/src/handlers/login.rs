//! Signing in and out with a browser.
//!
//! No link is used up by looking at it, and no secret is in the address of a request that changes something: addresses are
//! written into logs. A form of a page that nobody is signed in on is taken from this server's own pages only.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::Markup;
use model::{Coded as _, code};
use serde::Deserialize;

use crate::app::App;
use crate::at::Known;
use crate::body::Query;
use crate::identity::oidc::{Callback, Oidc, local};
use crate::identity::pages::{self, Login, Setup};
use crate::identity::{Identity, IdentityError, LinkFor, NewSession, Secret};
use crate::{Problem, operate};

/// Where somebody wanted to go before they had to sign in.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Next {
    next: Option<String>,
}

/// What the login page and a link's page send.
#[derive(Deserialize)]
pub(crate) struct LoginForm {
    token: Option<String>,
    link: Option<String>,
    next: Option<String>,
}

/// What the setup page sends.
#[derive(Deserialize)]
pub(crate) struct SetupForm {
    link: String,
    name: String,
}

type Sent<T> = Result<Form<T>, FormRejection>;

/// The login page.
pub(crate) async fn page(State(app): State<Arc<App>>, Query(next): Query<Next>) -> Response {
    answer(StatusCode::OK, "Sign in", &pages::login(&login(&app, next.next.as_deref(), None)))
}

fn login(app: &App, next: Option<&str>, problem: Option<api::Problem>) -> Login {
    Login {
        provider: app.identity.provider().map(Oidc::name),
        next: next.and_then(local).map(str::to_owned),
        problem,
    }
}

/// Signs in with a token or a link.
pub(crate) async fn sign_in(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    form: Sent<LoginForm>,
) -> Response {
    let form = match received(&app, &headers, form) {
        Ok(form) => form,
        Err(problem) => return again(&app, None, problem),
    };
    let next = form.next.as_deref().and_then(local);
    let from = Some(peer.ip());
    let secret = |text: &Option<String>| text.as_deref().and_then(Secret::presented);
    let opened = match (&form.token, &form.link) {
        (Some(_), None) => match secret(&form.token) {
            Some(token) => app.identity.use_token(&token, from).await,
            None => Err(IdentityError::NotSignedIn),
        },
        (None, Some(_)) => match secret(&form.link) {
            Some(link) => app.identity.use_link(&link, from).await,
            None => Err(IdentityError::LinkSpent),
        },
        _ => return again(&app, next, Problem::bad("the form has either a token or a link")),
    };
    match opened {
        Ok(session) => welcome(&app, &session, next),
        Err(error) if form.link.is_some() => spent(error),
        Err(error) => again(&app, next, problem(error)),
    }
}

/// Shows what a link is for. It is not used: programs that look at every address in a message must not use it up.
pub(crate) async fn link(State(app): State<Arc<App>>, Path(secret): Path<String>) -> Response {
    let found =
        Secret::presented(&secret).and_then(|secret| app.identity.link(&secret).map(|what| (secret, what)));
    match found {
        Some((secret, LinkFor::Account(account))) => {
            answer(StatusCode::OK, "Sign in", &pages::link(account.as_str(), secret.expose()))
        }
        _ => spent(IdentityError::LinkSpent),
    }
}

/// Shows the page of the first administrator.
pub(crate) async fn setup(State(app): State<Arc<App>>, Path(secret): Path<String>) -> Response {
    let found = Secret::presented(&secret).filter(|secret| app.identity.link(secret) == Some(LinkFor::Setup));
    match found {
        Some(secret) => {
            let view = Setup { secret: secret.expose().to_owned(), name: String::new(), problem: None };
            answer(StatusCode::OK, "Set up", &pages::setup(&view))
        }
        None => spent(IdentityError::LinkSpent),
    }
}

/// Makes somebody the first administrator.
pub(crate) async fn set_up(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    form: Sent<SetupForm>,
) -> Response {
    let form = match received(&app, &headers, form) {
        Ok(form) => form,
        Err(problem) => return again(&app, None, problem),
    };
    let Some(secret) = Secret::presented(&form.link) else { return spent(IdentityError::LinkSpent) };
    match app.identity.use_setup(&secret, form.name.trim(), Some(peer.ip())).await {
        Ok(session) => welcome(&app, &session, None),
        Err(error @ (IdentityError::BadAccount { .. } | IdentityError::AccountExists(_))) => {
            let problem = problem(error);
            let (status, shown) = (problem.status(), problem.body().clone());
            let view = Setup { secret: form.link, name: form.name, problem: Some(shown) };
            answer(status, "Set up", &pages::setup(&view))
        }
        Err(error) => spent(error),
    }
}

/// Sends somebody to the provider of identities.
pub(crate) async fn to_provider(State(app): State<Arc<App>>, Query(next): Query<Next>) -> Response {
    let Some(provider) = app.identity.provider() else {
        return again(&app, None, problem(IdentityError::NoProvider));
    };
    match provider.begin(next.next.as_deref(), app.secure).await {
        Ok(begun) => {
            let mut response = Redirect::to(begun.url.as_str()).into_response();
            response.headers_mut().append(header::SET_COOKIE, begun.cookie);
            response
        }
        Err(error) => again(&app, next.next.as_deref(), problem(error)),
    }
}

/// Receives somebody back from the provider of identities.
pub(crate) async fn from_provider(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Query(callback): Query<Callback>,
) -> Response {
    let Some(provider) = app.identity.provider() else {
        return again(&app, None, problem(IdentityError::NoProvider));
    };
    let from = Some(peer.ip());
    let mut response = match provider.finish(&headers, &callback, app.secure).await {
        Ok(person) => {
            let next = person.next.clone();
            match app.identity.use_person(person, from).await {
                Ok(session) => welcome(&app, &session, next.as_deref()),
                Err(error) => again(&app, next.as_deref(), problem(error)),
            }
        }
        Err(error) => again(&app, None, problem(app.identity.refused_by_provider(error, from).await)),
    };
    response.headers_mut().extend(Oidc::end_cookie(app.secure).map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

/// Signs somebody out.
pub(crate) async fn sign_out(State(app): State<Arc<App>>, Known(caller): Known) -> Result<Response, Problem> {
    app.identity.sign_out(&caller).await?;
    let mut response = Redirect::to("/login").into_response();
    response
        .headers_mut()
        .extend(Identity::end_cookie(app.secure).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// A form from one of our own pages: nobody is signed in yet, so there is no session's token to ask for.
fn received<T>(app: &App, headers: &HeaderMap, form: Sent<T>) -> Result<T, Problem> {
    app.identity.check_origin(headers)?;
    form.map(|form| form.0).map_err(|rejection| Problem::bad(format!("the form is wrong: {rejection}")))
}

fn welcome(app: &App, session: &NewSession, next: Option<&str>) -> Response {
    let mut response = Redirect::to(next.and_then(local).unwrap_or("/")).into_response();
    response.headers_mut().extend(session.set_cookie(app.secure).map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

fn problem(error: IdentityError) -> Problem {
    let seconds = match &error {
        IdentityError::TooManyLogins { seconds } => *seconds,
        _ => return error.into(),
    };
    Problem::of(error.code(), error.to_string()).after(seconds)
}

/// The login page once more, with what went wrong.
fn again(app: &App, next: Option<&str>, problem: Problem) -> Response {
    let view = login(app, next, Some(problem.body().clone()));
    refused(problem, "Sign in", &pages::login(&view))
}

fn spent(error: IdentityError) -> Response {
    let problem = problem(error);
    let content = pages::spent(problem.body());
    refused(problem, "This link opens nothing", &content)
}

/// A page that stands for a problem, with the problem's status and headers.
fn refused(problem: Problem, title: &str, content: &Markup) -> Response {
    let unauthorized = problem.body().code.as_deref() == Some(code::server::NOT_SIGNED_IN.id);
    let status = problem.status();
    let mut response = answer(status, title, content);
    let theirs = problem.into_response();
    for name in [header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
        // a browser would ask for a name and a password by itself
        if !(unauthorized && name == header::WWW_AUTHENTICATE)
            && let Some(value) = theirs.headers().get(&name)
        {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// A page for somebody who is not signed in. Its address may hold a secret, so nobody is told more of it than the server's own
/// name; that has to be told, because a browser that may not say where a form came from says `Origin: null`.
fn answer(status: StatusCode, title: &str, content: &Markup) -> Response {
    let mut response = (status, operate::outside(title, content)).into_response();
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    response
}

//! Who asks, and who may sign in: the interface for programs. [`super::login`] has the pages.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use model::time::{SignedDuration, rfc3339};
use model::{Environment, Permission, Principal, Timestamp, TokenId};

use super::{Refusals, projects};
use crate::Problem;
use crate::app::App;
use crate::at::Known;
use crate::body::Json;
use crate::identity::{AccountView, Means, Scope, TokenView, TokenWish};
use crate::problem::Answer;

/// Say who asks
#[utoipa::path(get, path = "/api/v1/me", tag = "identity", operation_id = "me",
    responses((status = 200, body = api::Me), Refusals))]
pub(crate) async fn me(State(app): State<Arc<App>>, Known(caller): Known) -> Json<api::Me> {
    let (means, id, csrf) = match &caller.means {
        Means::Token(id) => ("token", id.to_string(), None),
        Means::Session { id, csrf } => ("session", id.to_string(), Some(csrf.text())),
    };
    Json(api::Me {
        principal: caller.principal.to_string(),
        via: caller.via.as_ref().map(Principal::to_string),
        groups: caller.groups.clone(),
        means: means.to_owned(),
        id,
        expires_at: rfc3339(caller.expires),
        administrator: caller.administrator,
        scope: told(&caller.scope),
        csrf,
        projects: projects::visible(&app, &caller),
    })
}

/// List your tokens; all of them, if you administer the server
#[utoipa::path(get, path = "/api/v1/tokens", tag = "identity", operation_id = "listTokens",
    responses((status = 200, body = api::Tokens), Refusals))]
pub(crate) async fn tokens(State(app): State<Arc<App>>, Known(caller): Known) -> Json<api::Tokens> {
    let everybody = caller.may_administer_server("see everybody's tokens").is_ok();
    let of = (!everybody).then_some(&caller.principal);
    let now = app.now();
    Json(api::Tokens { items: app.identity.tokens(of).iter().map(|one| token(one, now)).collect() })
}

/// Make a token
///
/// For yourself, within your own limits; or, as an administrator, for a program's account. A token makes no tokens.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "identity", operation_id = "issueToken",
    request_body = api::NewToken, responses((status = 201, body = api::IssuedToken), Refusals))]
pub(crate) async fn issue_token(
    State(app): State<Arc<App>>,
    Known(caller): Known,
    Json(wish): Json<api::NewToken>,
) -> Answer<(StatusCode, Json<api::IssuedToken>)> {
    let lifetime =
        wish.lifetime_ms.map(|ms| i64::try_from(ms).map_or(SignedDuration::MAX, SignedDuration::from_millis));
    let wish = TokenWish {
        account: wish.account.as_deref().map(principal).transpose()?,
        scope: scope(&wish.scope)?,
        name: wish.name,
        lifetime,
    };
    let issued = app.identity.issue_token(&caller, wish).await?;
    let answer = api::IssuedToken {
        token: issued.token.to_string(),
        secret: issued.secret.expose().to_owned(),
        account: issued.account.to_string(),
        expires_at: rfc3339(issued.expires),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Revoke a token
///
/// Yours; or anybody's, as an administrator. It is good for nothing from this moment on, and neither are sessions that were
/// opened with it.
#[utoipa::path(delete, path = "/api/v1/tokens/{token}", tag = "identity", operation_id = "revokeToken",
    params(("token" = String, Path, description = "The token's id")),
    responses((status = 204), Refusals))]
pub(crate) async fn revoke_token(
    State(app): State<Arc<App>>,
    Known(caller): Known,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let token: TokenId = id.parse().map_err(|_| Problem::not_found("there is no such token"))?;
    app.identity.revoke_token(&caller, token, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List accounts
#[utoipa::path(get, path = "/api/v1/accounts", tag = "identity", operation_id = "listAccounts",
    responses((status = 200, body = api::Accounts), Refusals))]
pub(crate) async fn accounts(
    State(app): State<Arc<App>>,
    Known(caller): Known,
) -> Answer<Json<api::Accounts>> {
    caller.may_administer_server("see accounts")?;
    Ok(Json(api::Accounts { items: app.identity.accounts().iter().map(account).collect() }))
}

/// Add an account
#[utoipa::path(post, path = "/api/v1/accounts", tag = "identity", operation_id = "addAccount",
    request_body = api::NewAccount, responses((status = 201, body = api::Account), Refusals))]
pub(crate) async fn add_account(
    State(app): State<Arc<App>>,
    Known(caller): Known,
    Json(wanted): Json<api::NewAccount>,
) -> Answer<(StatusCode, Json<api::Account>)> {
    caller.may_administer_server("add accounts")?;
    let name = principal(&wanted.account)?;
    app.identity.add_account(&caller.principal, &name, wanted.provided).await?;
    Ok((StatusCode::CREATED, shown(&app, &name)?))
}

/// Disable an account
///
/// Its sessions and links end at once, its tokens are refused until it is enabled, and it administers the server no more.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/disable", tag = "identity",
    operation_id = "disableAccount", params(("account" = String, Path, description = "Whose account")),
    request_body = api::AccountChange, responses((status = 200, body = api::Account), Refusals))]
pub(crate) async fn disable_account(
    State(app): State<Arc<App>>,
    Known(caller): Known,
    Path(name): Path<String>,
    Json(change): Json<api::AccountChange>,
) -> Answer<Json<api::Account>> {
    caller.may_administer_server("disable accounts")?;
    let name = principal(&name)?;
    app.identity.set_enabled(&caller.principal, &name, false, change.reason).await?;
    shown(&app, &name)
}

/// Enable an account again
#[utoipa::path(post, path = "/api/v1/accounts/{account}/enable", tag = "identity",
    operation_id = "enableAccount", params(("account" = String, Path, description = "Whose account")),
    request_body = api::AccountChange, responses((status = 200, body = api::Account), Refusals))]
pub(crate) async fn enable_account(
    State(app): State<Arc<App>>,
    Known(caller): Known,
    Path(name): Path<String>,
    Json(change): Json<api::AccountChange>,
) -> Answer<Json<api::Account>> {
    caller.may_administer_server("enable accounts")?;
    let name = principal(&name)?;
    app.identity.set_enabled(&caller.principal, &name, true, change.reason).await?;
    shown(&app, &name)
}

/// Say whether an account administers the server
#[utoipa::path(post, path = "/api/v1/accounts/{account}/administrator", tag = "identity",
    operation_id = "setAdministrator", params(("account" = String, Path, description = "Whose account")),
    request_body = api::AdministratorChange, responses((status = 200, body = api::Account), Refusals))]
pub(crate) async fn set_administrator(
    State(app): State<Arc<App>>,
    Known(caller): Known,
    Path(name): Path<String>,
    Json(change): Json<api::AdministratorChange>,
) -> Answer<Json<api::Account>> {
    caller.may_administer_server("say who administers it")?;
    let name = principal(&name)?;
    app.identity.set_administrator(&caller.principal, &name, change.administrator, change.reason).await?;
    shown(&app, &name)
}

/// Make a link to sign in
///
/// For somebody's account, as an administrator; or for your own, for another browser. It is good once, for 15 minutes.
#[utoipa::path(post, path = "/api/v1/links", tag = "identity", operation_id = "issueLink",
    request_body = api::NewLink, responses((status = 201, body = api::IssuedLink), Refusals))]
pub(crate) async fn issue_link(
    State(app): State<Arc<App>>,
    Known(caller): Known,
    Json(wanted): Json<api::NewLink>,
) -> Answer<(StatusCode, Json<api::IssuedLink>)> {
    let name = principal(&wanted.account)?;
    let link = app.identity.issue_link(&caller, &name).await?;
    let answer = api::IssuedLink {
        path: format!("/login/link/{}", link.secret.expose()),
        account: link.account.to_string(),
        expires_at: rfc3339(link.expires),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// `maria` is `user:maria`; `token:ci` is what it is.
fn principal(text: &str) -> Answer<Principal> {
    project::access::principal(text).map_err(|error| Problem::unprocessable(error.to_string()))
}

/// An account that was changed just now.
fn shown(app: &App, name: &Principal) -> Answer<Json<api::Account>> {
    let found = app.identity.account(name).ok_or_else(|| Problem::not_found("there is no such account"))?;
    Ok(Json(account(&found)))
}

pub(crate) fn account(view: &AccountView) -> api::Account {
    api::Account {
        account: view.account.to_string(),
        provided: view.provided,
        issuer: view.issuer.clone(),
        enabled: view.enabled,
        administrator: view.administrator,
        since: rfc3339(view.since),
        sessions: view.sessions as u64,
        tokens: view.tokens as u64,
    }
}

pub(crate) fn token(view: &TokenView, now: Timestamp) -> api::Token {
    api::Token {
        token: view.token.to_string(),
        name: view.name.clone(),
        account: view.account.to_string(),
        via: view.via.as_ref().map(Principal::to_string),
        scope: told(&view.scope),
        issued_at: rfc3339(view.issued),
        issued_by: view.by.to_string(),
        expires_at: rfc3339(view.expires),
        expired: view.expires <= now,
        used_at: view.used.map(rfc3339),
    }
}

fn told(scope: &Scope) -> api::Scope {
    fn texts<T: ToString>(set: Option<&BTreeSet<T>>) -> Option<Vec<String>> {
        set.map(|set| set.iter().map(ToString::to_string).collect())
    }
    api::Scope {
        permissions: texts(scope.permissions.as_ref()),
        projects: scope.projects.as_ref().map(|set| set.iter().cloned().collect()),
        environments: texts(scope.environments.as_ref()),
    }
}

fn scope(wanted: &api::Scope) -> Answer<Scope> {
    let permission = |word: &String| {
        Permission::from_word(word).ok_or_else(|| {
            Problem::unprocessable(format!("`{word}` is none of {}", Permission::WORDS.join(", ")))
        })
    };
    let environment = |name: &String| {
        name.parse::<Environment>().map_err(|error| Problem::unprocessable(error.to_string()))
    };
    let permissions = wanted.permissions.as_ref().map(|words| words.iter().map(permission).collect());
    let environments = wanted.environments.as_ref().map(|names| names.iter().map(environment).collect());
    Ok(Scope {
        permissions: permissions.transpose()?,
        projects: wanted.projects.as_ref().map(|names| names.iter().cloned().collect()),
        environments: environments.transpose()?,
    })
}

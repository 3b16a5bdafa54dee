//! Every route, and the document that describes them.

use std::sync::{Arc, LazyLock};

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, http::Uri};
use model::code;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::handlers::{about, approvals, identity, journal, login, policy, projects, runs, workflows};
use crate::{Problem, guard, limits, operate, stream};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Aedile",
        description = "Changes to running systems: proposed, judged, approved, performed, verified, recorded. Errors are problem \
            details (RFC 9457) with a stable code; lists have cursors; streams are server-sent events whose ids are positions \
            of the journal. A caller who may not see an environment is told that there is none.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    security(("token" = []), ("session" = [])),
    components(schemas(api::Finding, api::Problem)),
    modifiers(&Schemes),
    tags(
        (name = "projects", description = "Projects and environments"),
        (name = "workflows", description = "Workflows of a project"),
        (name = "runs", description = "Executions"),
        (name = "approvals", description = "Questions to people"),
        (name = "policy", description = "What may be done"),
        (name = "journal", description = "What happened, provably"),
        (name = "identity", description = "Who may sign in"),
        (name = "server", description = "The server itself")
    )
)]
struct Description;

/// How callers say who they are.
struct Schemes;

impl utoipa::Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let token =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API token")).build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let cookie = ApiKeyValue::with_description(
            "__Host-aedile",
            "The session of a browser; changes need `x-csrf-token` too",
        );
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// What needs nobody to be signed in.
fn open_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(about::health)).routes(routes!(about::ready))
}

/// What needs somebody to be signed in.
fn closed_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(about::version))
        .routes(routes!(about::openapi))
        .routes(routes!(about::metrics))
        .routes(routes!(identity::me))
        .routes(routes!(identity::tokens, identity::issue_token))
        .routes(routes!(identity::revoke_token))
        .routes(routes!(identity::accounts, identity::add_account))
        .routes(routes!(identity::disable_account))
        .routes(routes!(identity::enable_account))
        .routes(routes!(identity::set_administrator))
        .routes(routes!(identity::issue_link))
        .routes(routes!(projects::list))
        .routes(routes!(projects::show))
        .routes(routes!(projects::status))
        .routes(routes!(workflows::list))
        .routes(routes!(workflows::validate))
        .routes(routes!(workflows::show))
        .routes(routes!(workflows::schedules))
        .routes(routes!(runs::list, runs::submit))
        .routes(routes!(runs::show))
        .routes(routes!(runs::steps))
        .routes(routes!(runs::events))
        .routes(routes!(stream::run))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::pause))
        .routes(routes!(runs::resume))
        .routes(routes!(runs::retry))
        .routes(routes!(runs::signal))
        .routes(routes!(runs::resolve))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::show))
        .routes(routes!(approvals::grant))
        .routes(routes!(approvals::deny))
        .routes(routes!(approvals::override_))
        .routes(routes!(approvals::withdraw))
        .routes(routes!(policy::list))
        .routes(routes!(policy::explain))
        .routes(routes!(policy::evaluate))
        .routes(routes!(journal::records))
        .routes(routes!(journal::record))
        .routes(routes!(journal::proof))
        .routes(routes!(journal::checkpoints, journal::checkpoint))
        .routes(routes!(journal::consistency))
        .routes(routes!(journal::verification))
        .routes(routes!(journal::export))
        .routes(routes!(journal::keys, journal::rotate))
        .routes(routes!(journal::replay))
        .routes(routes!(stream::journal))
}

/// What the addresses of pages begin with that have a secret in them.
pub(crate) const SECRETS: &[&str] = &["/login/link/", "/setup/"];

/// Pages that somebody signs in with, and so cannot be signed in for.
fn login_pages(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/login", get(login::page).post(login::sign_in))
        .route("/login/link/{secret}", get(login::link))
        .route("/login/oidc", get(login::to_provider))
        .route(crate::identity::oidc::CALLBACK, get(login::from_provider))
        .route("/setup", post(login::set_up))
        .route("/setup/{secret}", get(login::setup))
        .route_layer(from_fn_with_state(Arc::clone(app), guard::signing_in))
}

/// What addresses of the server's own begin with. A project's pages begin with its name, so none can have one of these.
pub(crate) const OWN: &[&str] =
    &["api", "health", "login", "logout", "metrics", "ready", "settings", "setup", "static"];

/// Whether pages of a project of this name can be reached.
pub(crate) fn is_reachable(project: &str) -> bool {
    let plain = !project.contains(['/', '\\']) && !project.chars().any(char::is_control);
    plain && !project.starts_with('.') && !OWN.contains(&project)
}

/// The description of the interface, `openapi/aedile.json`.
pub fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
        let mut router = OpenApiRouter::<Arc<App>>::with_openapi(Description::openapi());
        router = router.merge(open_routes()).merge(closed_routes());
        let mut text = router.into_openapi().to_pretty_json().unwrap_or_default();
        text.push('\n');
        text
    });
    &DOCUMENT
}

/// Everything the server answers.
pub(crate) fn router(app: Arc<App>) -> Router {
    let compressed = SizeAbove::new(1_024).and(NotForContentType::SSE);
    let (open, _) = open_routes().split_for_parts();
    let (closed, _) = closed_routes().split_for_parts();
    let closed = closed.merge(operate::web::pages(&app));
    let closed = closed.route("/logout", post(login::sign_out));
    // a layer goes around the routes that are there already: what is closed is closed whatever is added to the open ones
    let closed = closed.route_layer(from_fn(guard::tagged)).route_layer(from_fn(guard::version));
    let closed = closed.route_layer(from_fn_with_state(Arc::clone(&app), guard::known));
    open.merge(operate::web::files())
        .merge(login_pages(&app))
        .merge(closed)
        .fallback(nothing)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&app), guard::limited))
        .layer(CompressionLayer::new().compress_when(compressed))
        .layer(from_fn_with_state(Arc::clone(&app), guard::outermost))
        .with_state(app)
}

async fn nothing(headers: HeaderMap, uri: Uri) -> Response {
    let problem = Problem::not_found(format!("there is nothing at {}", uri.path()));
    if guard::is_page(&uri, &headers) {
        return (problem.status(), operate::errors::nowhere(problem.body())).into_response();
    }
    problem.into_response()
}

async fn no_method(method: axum::http::Method, uri: Uri) -> Problem {
    let what = format!("{} cannot be asked to {method}", uri.path());
    Problem::with_status(StatusCode::METHOD_NOT_ALLOWED, code::server::NO_METHOD, what)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// What the addresses of routes begin with, as they are written in a directory of sources.
    fn written(directory: &Path, found: &mut BTreeSet<String>) {
        for entry in fs_err::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                written(&path, found);
                continue;
            }
            let text = fs_err::read_to_string(&path).unwrap();
            for mark in [concat!(".rou", "te(\"/"), concat!("path = ", "\"/")] {
                for rest in text.split(mark).skip(1) {
                    let first = rest.split(['/', '"']).next().unwrap_or_default();
                    found.insert(first.to_owned());
                }
            }
        }
    }

    #[test]
    fn every_page_with_a_secret_in_its_address_is_known() {
        let text =
            fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/routes.rs")).unwrap();
        let mark = concat!("{sec", "ret}");
        let pages = text.lines().filter_map(|line| line.split_once(mark)?.0.split_once('"'));
        assert_eq!(pages.map(|(_, page)| page).collect::<Vec<_>>(), SECRETS);
    }

    #[test]
    fn no_project_has_a_name_that_addresses_of_the_server_s_own_begin_with() {
        let mut found = BTreeSet::new();
        written(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        found.insert(crate::identity::oidc::CALLBACK.split('/').nth(1).unwrap().to_owned());
        // the beginning, and what projects are found by
        assert!(found.remove("") && found.remove("{project}"), "{found:?}");
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), OWN);
        assert!(OWN.iter().all(|name| !is_reachable(name)));
        assert!(is_reachable("shop") && is_reachable("Loginshop") && is_reachable("a b"));
        assert!(!is_reachable("a/b") && !is_reachable("..") && !is_reachable("a\nb"));
    }
}

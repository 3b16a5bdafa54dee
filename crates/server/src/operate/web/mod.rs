//! Addresses of pages, and what they are made of: the same functions that answer programs.
//!
//! Whatever changes something is a form that is posted, answered with a redirect to the page that shows it (303), or with the
//! page and the reason why it was not done.

mod approvals;
mod fields;
mod journal;
mod overview;
mod policy;
mod runs;
mod settings;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::Markup;
use model::Permission;
use store::{ApprovalFilter, ApprovalRow, ApprovalStatus};

use super::{Frame, Place, Viewer, assets, errors};
use crate::Problem;
use crate::app::App;
use crate::at::{At, Known, Power};
use crate::bench::Bench;
use crate::guard::RequestId;
use crate::handlers::projects::visible;
use crate::identity::{Caller, Means};
use crate::problem::{Answer, Failed};

/// Approvals that are looked through for those that wait for somebody.
const WAITING_MAX: usize = 200;

/// Files, which need nobody to be signed in: they are the same for all.
pub(crate) fn files() -> Router<Arc<App>> {
    Router::new().route("/static/{hash}/{name}", get(file))
}

/// Pages, which are for whoever is signed in.
pub(crate) fn pages(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/", get(beginning))
        .route("/{project}/{environment}", get(overview::enter))
        .route("/{project}/{environment}/overview", get(overview::show))
        .merge(runs::routes())
        .merge(approvals::routes())
        .merge(policy::routes())
        .route("/{project}/{environment}/journal", get(journal::list))
        .route("/{project}/{environment}/journal/{position}", get(journal::record))
        .route("/{project}/{environment}/journal/checkpoint", post(journal::checkpoint))
        .merge(settings::routes())
        .route_layer(from_fn_with_state(Arc::clone(app), explained))
}

/// A file of ours, at the address that names its digest: it never changes there.
async fn file(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some(asset) = assets::find(&hash, &name) else {
        return Problem::not_found(format!("there is no file {name} of this version")).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, asset.bytes).into_response()
}

/// Where everybody begins: the only environment they may see, or the choice.
async fn beginning(State(app): State<Arc<App>>, Known(caller): Known) -> Response {
    let frame = around(&app, &caller);
    let one = match &frame.projects[..] {
        [project] => match &project.environments[..] {
            [environment] => Some(format!("/{}/{}/overview", project.name, environment.name)),
            _ => None,
        },
        _ => None,
    };
    one.map_or_else(|| errors::choose(&frame).into_response(), |path| Redirect::to(&path).into_response())
}

/// What is around a page that is in no environment.
fn around(app: &App, caller: &Caller) -> Frame {
    let csrf = match &caller.means {
        Means::Session { csrf, .. } => Some(csrf.text()),
        Means::Token(_) => None,
    };
    Frame {
        place: None,
        projects: visible(app, caller),
        viewer: Some(Viewer {
            principal: caller.principal.to_string(),
            csrf,
            may: Vec::new(),
            administers: caller.may_administer_server("see accounts").is_ok(),
        }),
        now: app.now(),
    }
}

/// What is around a page of an environment.
fn frame<P: Power>(app: &App, at: &At<P>) -> Answer<Frame> {
    let bench = &at.bench;
    let mut frame = around(app, &at.caller);
    let permitted = |one: &&Permission| bench.may(&at.caller, **one).is_ok();
    let may = Permission::ALL.iter().filter(permitted).map(|one| one.as_str().to_owned()).collect();
    if let Some(viewer) = &mut frame.viewer {
        viewer.may = may;
    }
    let journal = &bench.workshop.journal;
    frame.place = Some(Place {
        project: bench.project.clone(),
        environment: bench.environment().to_string(),
        production: bench.is_production(),
        position: ::journal::Journal::head(journal.as_ref())?.position,
        checkpointed: journal.checkpoints(1)?.first().map(|checkpoint| checkpoint.size),
        waiting: yours(bench, &at.caller)?.len() as u64,
    });
    Ok(frame)
}

/// Approvals that wait for somebody: they hold a role of the current level, did not ask, and have not decided yet. What they may
/// do exactly is asked of the engine where they do it.
fn yours(bench: &Bench, caller: &Caller) -> Answer<Vec<ApprovalRow>> {
    if bench.may(caller, Permission::Approve).is_err() {
        return Ok(Vec::new());
    }
    let waiting = ApprovalFilter { status: vec![ApprovalStatus::Waiting], ..ApprovalFilter::default() };
    let mut rows = bench.workshop.journal.approvals(&waiting, WAITING_MAX)?.items;
    let roles = caller.roles(&bench.access());
    rows.retain(|row| {
        let level = row.levels.iter().find(|level| level.level == row.level);
        let holds = level.is_some_and(|level| {
            let held = |wanted: &model::Role| {
                roles.iter().any(|one| one.as_str().eq_ignore_ascii_case(wanted.as_str()))
            };
            level.roles.iter().any(held)
        });
        holds && row.requester != caller.principal && !row.votes.contains(&caller.principal)
    });
    // what runs out first is first
    rows.sort_by_key(|row| (row.expires.is_none(), row.expires));
    Ok(rows)
}

/// Shows the problem of a page as a page. What it was stays with the answer, for the log.
async fn explained(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Arc<Caller>>().cloned();
    let path = request.uri().path().to_owned();
    let id = request.extensions().get::<RequestId>().map(|RequestId(id)| id.clone());
    let mut response = next.run(request).await;
    let Some(Failed(mut problem)) = response.extensions().get::<Failed>().cloned() else { return response };
    if problem.code.as_deref() == Some(model::code::general::INTERNAL.id) {
        // what it was is in the log, under the id that the answer carries
        problem.detail = None;
    }
    problem.request = id;
    let Some(caller) = caller else { return response };
    let mut frame = around(&app, &caller);
    frame.place = place(&app, &caller, &path);
    let page = errors::page(&frame, &problem);
    *response.body_mut() = page.into_string().into();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}

/// The environment that an address names, for somebody who may read there.
fn place(app: &App, caller: &Caller, path: &str) -> Option<Place> {
    let mut parts = path.split('/').skip(1);
    let bench = crate::at::find(app, caller, parts.next()?, parts.next()?).ok()?;
    Some(Place {
        project: bench.project.clone(),
        environment: bench.environment().to_string(),
        production: bench.is_production(),
        position: ::journal::Journal::head(bench.workshop.journal.as_ref()).ok()?.position,
        checkpointed: None,
        waiting: 0,
    })
}

/// A page that says why something was not done, with the status of the problem.
fn refused(problem: &Problem, page: Markup) -> Response {
    (problem.status(), page).into_response()
}

/// The page that shows what was done.
fn done(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}

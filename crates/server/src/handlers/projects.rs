//! Projects and environments.

use std::sync::Arc;

use axum::extract::State;
use model::Permission;

use super::{InEnvironment, Refusals};
use crate::app::App;
use crate::at::{At, Known, Read};
use crate::bench::Bench;
use crate::body::{Json, Path};
use crate::identity::Caller;
use crate::problem::Answer;
use crate::{Problem, reads};

/// List the projects and environments that the caller may see
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects", operation_id = "listProjects",
    responses((status = 200, body = api::Projects), Refusals))]
pub(crate) async fn list(State(app): State<Arc<App>>, Known(caller): Known) -> Json<api::Projects> {
    Json(api::Projects { items: visible(&app, &caller) })
}

/// Show one project
#[utoipa::path(get, path = "/api/v1/projects/{project}", tag = "projects", operation_id = "showProject",
    params(("project" = String, Path, description = "Name of the project")),
    responses((status = 200, body = api::Project), Refusals))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Known(caller): Known,
    Path(name): Path<String>,
) -> Answer<Json<api::Project>> {
    let found = visible(&app, &caller).into_iter().find(|project| project.name == name);
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no project {name} that you may see")))
}

/// Projects with the environments in which somebody may do anything at all.
pub(crate) fn visible(app: &App, caller: &Caller) -> Vec<api::Project> {
    let mut projects = Vec::new();
    for (name, benches) in &app.benches {
        let environments: Vec<_> = benches.values().filter_map(|bench| named(bench, caller)).collect();
        let default = benches.values().next().and_then(|bench| bench.default_environment());
        let default = default.filter(|name| environments.iter().any(|one| one.name == *name));
        if !environments.is_empty() {
            projects.push(api::Project { name: name.clone(), environments, default_environment: default });
        }
    }
    projects
}

fn named(bench: &Bench, caller: &Caller) -> Option<api::EnvironmentName> {
    let permitted = |one: &&Permission| bench.may(caller, **one).is_ok();
    let may: Vec<String> =
        Permission::ALL.iter().filter(permitted).map(|one| one.as_str().to_owned()).collect();
    let seen = may.iter().any(|word| word == Permission::Read.as_str());
    seen.then(|| api::EnvironmentName {
        name: bench.environment().to_string(),
        production: bench.is_production(),
        may,
    })
}

/// Show an environment at a glance
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}", tag = "projects",
    operation_id = "showEnvironment", params(InEnvironment),
    responses((status = 200, body = api::Status), Refusals))]
pub(crate) async fn status(at: At<Read>) -> Answer<Json<api::Status>> {
    glance(&at.bench).map(Json)
}

/// Whether anything is broken, whether anything waits, and what is under way.
pub(crate) fn glance(bench: &Bench) -> Answer<api::Status> {
    let status = bench.glance(|access, drift| {
        let names = (bench.project.as_str(), bench.environment().as_str());
        reads::status(&bench.workshop.journal, access, drift, names)
    })?;
    let rules = bench.workshop.rules.trouble().map(|why| why.to_string());
    Ok(api::Status { rules, ..status })
}

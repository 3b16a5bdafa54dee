//! Projects and environments.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use model::Permission;
use store::{ApprovalFilter, ApprovalStatus, RunFilter, RunStatus};

use super::{InEnvironment, Refusals};
use crate::app::App;
use crate::at::{At, Known, Read};
use crate::bench::Bench;
use crate::body::Json;
use crate::identity::Caller;
use crate::problem::Answer;
use crate::{Problem, limits, view};

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
    axum::extract::Path(name): axum::extract::Path<String>,
) -> Answer<Json<api::Project>> {
    let found = visible(&app, &caller).into_iter().find(|project| project.name == name);
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no project {name} that you may see")))
}

/// Projects with the environments in which somebody may do anything at all.
pub(crate) fn visible(app: &App, caller: &Caller) -> Vec<api::Project> {
    let mut projects = Vec::new();
    for (name, benches) in &app.benches {
        let environments: Vec<_> = benches.values().filter_map(|bench| named(bench, caller)).collect();
        if !environments.is_empty() {
            projects.push(api::Project { name: name.clone(), environments });
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
    let journal = &bench.workshop.journal;
    let status = journal.status()?;
    let waiting = ApprovalFilter { status: vec![ApprovalStatus::Waiting], ..ApprovalFilter::default() };
    let approvals = journal.approvals(&waiting, limits::GLANCE)?.items;
    let open: Vec<RunStatus> = RunStatus::ALL.into_iter().filter(|status| !status.is_ended()).collect();
    let runs = |status: Vec<RunStatus>| {
        let page = journal.runs(&RunFilter { status, ..RunFilter::default() }, limits::GLANCE)?;
        Ok::<_, Problem>(page.items.iter().map(view::run).collect::<Vec<_>>())
    };
    let drift = engine::drift::standing(journal.as_ref())?;
    Ok(api::Status {
        project: bench.project.clone(),
        environment: bench.environment().to_string(),
        journal: api::JournalStatus {
            position: status.head.position,
            digest: status.head.digest.to_string(),
            bytes: status.bytes,
            checkpointed_to: status.checkpoint.as_ref().map(|checkpoint| checkpoint.size),
        },
        runs: status.runs.iter().map(|(word, count)| (word.to_string(), *count)).collect::<BTreeMap<_, _>>(),
        timers: status.timers,
        approvals_waiting: status.approvals_waiting,
        approvals: approvals.iter().map(|row| view::approval(row, bench.access())).collect(),
        open: runs(open)?,
        failed: runs(vec![RunStatus::Failed])?,
        drifted: drift.found.keys().cloned().collect(),
        fights: drift.fights.keys().cloned().collect(),
    })
}

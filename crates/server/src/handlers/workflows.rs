//! Workflows: listed, shown, checked.

use std::sync::Arc;

use axum::extract::State;
use model::Severity;
use project::{Document, ProjectError};
use serde_json::Value;

use super::{InEnvironment, Refusals, aside};
use crate::app::App;
use crate::at::{At, Read};
use crate::bench::Bench;
use crate::body::{Json, Path};
use crate::problem::{Answer, finding};
use crate::timetable;

/// List the project's workflows
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/workflows", tag = "workflows",
    operation_id = "listWorkflows", params(InEnvironment),
    responses((status = 200, body = api::Workflows), Refusals))]
pub(crate) async fn list(at: At<Read>) -> Answer<Json<api::Workflows>> {
    aside(move || all(&at.bench).map(Json)).await
}

/// Every workflow of the project, and what is wrong with files that are none.
pub(crate) fn all(bench: &Bench) -> Answer<api::Workflows> {
    let mut workflows = api::Workflows { items: Vec::new(), findings: Vec::new() };
    let Some(project) = &bench.place.project else { return Ok(workflows) };
    for file in project.workflow_files()? {
        match bench.workshop.rules.now().programs.read_file(project, &file) {
            Ok(document) => workflows.items.push(brief(&document)),
            Err(ProjectError::Bad { findings }) => workflows.findings.extend(findings.iter().map(finding)),
            Err(error) => return Err(error.into()),
        }
    }
    workflows.items.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    Ok(workflows)
}

fn brief(document: &Document) -> api::Workflow {
    let program = &document.definition.program;
    let header = &document.workflow.header;
    api::Workflow {
        name: program.name.clone(),
        version: program.version.clone(),
        title: header.title.clone().or_else(|| header.summary.clone()),
        file: program.source.clone().unwrap_or_default(),
        digest: program.digest.to_string(),
    }
}

/// Show a workflow in its newest version
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/workflows/{namespace}/{name}",
    tag = "workflows", operation_id = "showWorkflow",
    params(InEnvironment, ("namespace" = String, Path, description = "Its namespace"), ("name" = String, Path, description = "Its name")),
    responses((status = 200, body = api::WorkflowDetail), Refusals))]
pub(crate) async fn show(
    at: At<Read>,
    Path((_, _, namespace, name)): Path<(String, String, String, String)>,
) -> Answer<Json<api::WorkflowDetail>> {
    aside(move || {
        let document =
            at.bench.workshop.rules.now().programs.find_document(&format!("{namespace}/{name}"), None)?;
        Ok(Json(api::WorkflowDetail {
            workflow: brief(&document),
            text: document.definition.text.to_string(),
            input: schema(&document)?,
        }))
    })
    .await
}

/// The JSON Schema of the input, where the workflow has one of its own.
fn schema(document: &Document) -> Answer<Option<Value>> {
    let shown = document.definition.program.source.as_deref().unwrap_or_default();
    let written = project::text::value(&document.definition.text, shown)?;
    Ok(written.pointer("/input/schema/document").cloned())
}

/// Check a workflow document; nothing is kept
#[utoipa::path(post, path = "/api/v1/projects/{project}/environments/{environment}/workflows/validate", tag = "workflows",
    operation_id = "validateWorkflow", params(InEnvironment), request_body = api::ValidateWorkflow,
    responses((status = 200, body = api::Validation), Refusals))]
pub(crate) async fn validate(
    at: At<Read>,
    Json(wanted): Json<api::ValidateWorkflow>,
) -> Answer<Json<api::Validation>> {
    let bench = Arc::clone(&at.bench);
    aside(move || {
        let findings = match bench.workshop.rules.now().programs.read(&wanted.file, &wanted.text) {
            Ok(document) => document.warnings,
            Err(ProjectError::Bad { findings }) => findings,
            Err(error) => return Err(error.into()),
        };
        let valid = findings.iter().all(|finding| finding.severity != Severity::Error);
        Ok(Json(api::Validation { valid, findings: findings.iter().map(finding).collect() }))
    })
    .await
}

/// List workflows that start by themselves
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/schedules", tag = "workflows",
    operation_id = "listSchedules", params(InEnvironment),
    responses((status = 200, body = api::Schedules), Refusals))]
pub(crate) async fn schedules(State(app): State<Arc<App>>, at: At<Read>) -> Answer<Json<api::Schedules>> {
    aside(move || {
        let (bench, now) = (&at.bench, app.now());
        let journal = Some(&*bench.workshop.journal);
        let found = timetable::of(journal, &bench.place, &bench.workshop.rules.now(), now)?;
        Ok(Json(api::Schedules { kept: Some(app.schedules), ..found }))
    })
    .await
}

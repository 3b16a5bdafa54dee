//! Runs: submitted, listed, shown, steered.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::control::{self, Command};
use journal::Record;
use journal::events::Submitted;
use model::{Diagnostic, Origin, RunId, StepId, code};
use project::{Actor, Document};
use serde_json::{Map, Value};
use store::RunRow;

use super::{InEnvironment, Refusals, aside, page_size};
use crate::at::{At, Operate, Read};
use crate::bench::Bench;
use crate::body::{Json, Path, Query};
use crate::problem::{Answer, finding};
use crate::{Problem, limits, reads, view};

/// `{project}`, `{environment}` and `{run}` of a path.
pub(crate) type RunPath = Path<(String, String, String)>;

/// List runs, newest first
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/runs", tag = "runs",
    operation_id = "listRuns", params(InEnvironment, api::RunQuery),
    responses((status = 200, body = api::Page<api::Run>), Refusals))]
pub(crate) async fn list(
    at: At<Read>,
    Query(query): Query<api::RunQuery>,
) -> Answer<Json<api::Page<api::Run>>> {
    page(&at.bench, &query).map(Json)
}

/// One page of runs.
pub(crate) fn page(bench: &Bench, query: &api::RunQuery) -> Answer<api::Page<api::Run>> {
    reads::runs(&bench.workshop.journal, query)
}

/// Submit a run of a workflow
///
/// Of one of the project's by its name, or of a definition that is sent along: policy has to allow such (`origin: caller`), and it
/// cannot use secrets. A definition is checked as a file of the project is; what is wrong with it is in `findings`.
///
/// The answer comes when the run is durable, not when it has ended. With the header `idempotency-key` the same key answers the
/// same run.
#[utoipa::path(post, path = "/api/v1/projects/{project}/environments/{environment}/runs", tag = "runs",
    operation_id = "submitRun",
    params(InEnvironment, ("idempotency-key" = Option<String>, Header, description = "The submitter's own key, 1 to 255 visible characters")),
    request_body = api::SubmitRun,
    responses((status = 200, description = "Only a check was asked for, and it found nothing", body = api::SubmittedRun),
        (status = 202, body = api::SubmittedRun, headers(("location" = String, description = "Path of the run"))), Refusals))]
pub(crate) async fn submit(
    at: At<Operate>,
    headers: HeaderMap,
    Json(wanted): Json<api::SubmitRun>,
) -> Answer<Response> {
    let key = headers.get(api::IDEMPOTENCY_HEADER).map(key_of).transpose()?;
    let Proposed { run, warnings } = propose(&at, wanted, key).await?;
    let findings = warnings.iter().map(finding).collect();
    let Some(run) = run else {
        return Ok(Json(api::SubmittedRun { run: None, links: None, findings }).into_response());
    };
    let links = links(&at.bench, &run.to_string());
    let location =
        HeaderValue::from_str(&links.itself).map_err(|error| Problem::internal(error.to_string()))?;
    let submitted = api::SubmittedRun { run: Some(run.to_string()), links: Some(links), findings };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(submitted)).into_response())
}

fn key_of(value: &HeaderValue) -> Answer<String> {
    let text = value.to_str().ok().filter(|text| (1..=255).contains(&text.len()));
    text.map(str::to_owned)
        .ok_or_else(|| Problem::bad("idempotency-key has to be 1 to 255 visible characters of ASCII"))
}

/// What came of a submission.
pub(crate) struct Proposed {
    /// The run; absent where only a check was asked for.
    pub(crate) run: Option<RunId>,
    /// Warnings about a definition that was sent along.
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Submits what is wanted.
async fn propose(at: &At<Operate>, wanted: api::SubmitRun, key: Option<String>) -> Answer<Proposed> {
    let (bench, workshop) = (Arc::clone(&at.bench), &at.bench.workshop);
    let api::SubmitRun { workflow, definition, version, input, check_only } = wanted;
    // reads and parses files, or what was sent
    let document = aside(move || match (workflow, definition) {
        (Some(name), None) => {
            Ok(bench.workshop.rules.now().programs.find_document(&name, version.as_deref())?)
        }
        (None, Some(definition)) if version.is_none() => sent(&bench, &definition),
        _ => Err(Problem::unprocessable(
            "either `workflow`, with or without `version`, or `definition` has to be given",
        )),
    })
    .await?;
    let mut input = input.unwrap_or_else(|| Value::Object(Map::new()));
    let program = &document.definition.program;
    let warnings = if program.origin.is_project() { Vec::new() } else { document.warnings.clone() };
    if check_only {
        project::proposing::check_input(&document, &input)?;
        workshop.check_secrets(&document)?;
        return Ok(Proposed { run: None, warnings });
    }
    let actor = Actor { principal: at.caller.principal.clone(), via: at.caller.via.clone() };
    let run = workshop.propose(&document, input.clone(), actor, key.clone()).await?;
    if let Some(key) = key {
        // as the journal keeps it
        model::canonical::normalize(&mut input);
        let same = submitted(&at.bench, run)?.is_some_and(|submitted| {
            let before = &submitted.program;
            (before.digest, before.origin) == (program.digest, program.origin) && submitted.input == input
        });
        if !same {
            let what = format!("the key {key} submitted another workflow or input, as {run}");
            return Err(Problem::with_status(
                StatusCode::UNPROCESSABLE_ENTITY,
                code::server::KEY_REUSED,
                what,
            ));
        }
    }
    Ok(Proposed { run: Some(run), warnings })
}

/// A definition that came with a request: read as a file of the project would be. It is the caller's, unless the project has
/// the very same text.
fn sent(bench: &Bench, definition: &api::Definition) -> Answer<Document> {
    let (text, file) = (definition.text.as_str(), definition.file.as_str());
    if text.len() > limits::DEFINITION_BYTES_MAX || file.len() > limits::DEFINITION_NAME_MAX {
        let most = (limits::DEFINITION_BYTES_MAX, limits::DEFINITION_NAME_MAX);
        return Err(Problem::of(code::general::TOO_LARGE, "the definition is larger than the limit")
            .with_hint(format!("at most {} bytes, and {} of its name", most.0, most.1)));
    }
    let rules = bench.workshop.rules.now();
    let programs = &rules.programs;
    let mut document = programs.read(file, text)?;
    let program = &document.definition.program;
    if let Ok(known) = programs.find_document(&program.name, Some(&program.version))
        && known.definition.program.digest == program.digest
    {
        return Ok(known);
    }
    let secrets = &document.workflow.uses.secrets;
    if !secrets.is_empty() {
        let what = "a definition that comes with a request cannot use secrets, and this one does";
        let names: Vec<&str> = secrets.iter().map(AsRef::as_ref).collect();
        return Err(Problem::of(code::server::FORBIDDEN, format!("{what}: {}", names.join(", ")))
            .with_hint("have it added to the project; then: aedile run NAMESPACE/NAME"));
    }
    document.definition.program.origin = Origin::Caller;
    Ok(document)
}

/// With what a run was submitted.
pub(crate) fn submitted(bench: &Bench, run: RunId) -> Answer<Option<Submitted>> {
    reads::submitted(&bench.workshop.journal, run)
}

pub(crate) fn links(bench: &Bench, run: &str) -> api::RunLinks {
    reads::links(&bench.path(), run)
}

/// Show a run
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/runs/{run}", tag = "runs",
    operation_id = "showRun", params(InEnvironment, ("run" = String, Path, description = "Id of the run")),
    responses((status = 200, body = api::RunDetail), Refusals))]
pub(crate) async fn show(at: At<Read>, Path((_, _, run)): RunPath) -> Answer<Json<api::RunDetail>> {
    let row = super::run(&at.bench, &run)?;
    detail(&at.bench, &row).map(Json)
}

/// Everything about a run but its steps and events.
pub(crate) fn detail(bench: &Bench, row: &RunRow) -> Answer<api::RunDetail> {
    reads::run(&bench.workshop.journal, &bench.path(), row)
}

/// List the steps of a run, as its events have left them
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/runs/{run}/steps", tag = "runs",
    operation_id = "listSteps", params(InEnvironment, ("run" = String, Path, description = "Id of the run")),
    responses((status = 200, body = Vec<api::Step>), Refusals))]
pub(crate) async fn steps(at: At<Read>, Path((_, _, run)): RunPath) -> Answer<Json<Vec<api::Step>>> {
    let row = super::run(&at.bench, &run)?;
    aside(move || Ok(Json(crate::view::steps(&records(&at.bench, row.run)?)))).await
}

/// Every record of a run.
pub(crate) fn records(bench: &Bench, run: RunId) -> Answer<Vec<Record>> {
    Ok(reads::records(&*bench.workshop.journal, run, limits::RUN_RECORDS_MAX)?)
}

/// List the events of a run, oldest first
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/runs/{run}/events", tag = "runs",
    operation_id = "listEvents",
    params(InEnvironment, ("run" = String, Path, description = "Id of the run"), api::EventQuery),
    responses((status = 200, body = api::Records), Refusals))]
pub(crate) async fn events(
    at: At<Read>,
    Path((_, _, run)): RunPath,
    Query(query): Query<api::EventQuery>,
) -> Answer<Json<api::Records>> {
    let row = super::run(&at.bench, &run)?;
    let limit = page_size(query.limit, limits::RECORDS_DEFAULT)?;
    super::journal::part(&at.bench, Some(&row.run.to_string()), query.after.unwrap_or(0), limit).map(Json)
}

/// Has something done to a run.
pub(crate) async fn steer(at: &At<Operate>, run: &str, command: &Command) -> Answer<api::Steered> {
    let row = super::run(&at.bench, run)?;
    let journal = at.bench.workshop.journal.as_ref();
    match control::command(journal, row.run, &at.caller.principal, command).await {
        Ok(()) => Ok(view::steered(row.run, &at.caller.principal, command)),
        Err(error @ engine::EngineError::WrongState { .. }) => {
            let now = journal.run(row.run)?.map_or(row.status, |row| row.status);
            Err(Problem::from(error).with_state(now.as_str()))
        }
        Err(error) => Err(error.into()),
    }
}

macro_rules! steering {
    ($($(#[doc = $doc:literal])* $name:ident ($path:literal, $id:literal, $body:ty) = $command:expr;)*) => {$(
        $(#[doc = $doc])*
        #[utoipa::path(post, path = $path, tag = "runs", operation_id = $id,
            params(InEnvironment, ("run" = String, Path, description = "Id of the run")),
            request_body = $body, responses((status = 200, body = api::Steered), Refusals))]
        pub(crate) async fn $name(
            at: At<Operate>,
            Path((_, _, run)): RunPath,
            Json(body): Json<$body>,
        ) -> Answer<Json<api::Steered>> {
            let command: fn($body) -> Command = $command;
            steer(&at, &run, &command(body)).await.map(Json)
        }
    )*};
}

steering! {
    /// Stop a run: what is in flight is abandoned, compensations are run
    cancel("/api/v1/projects/{project}/environments/{environment}/runs/{run}/cancel", "cancelRun", api::Reason) =
        |body| Command::Cancel { reason: body.reason };
    /// Schedule nothing new of a run
    pause("/api/v1/projects/{project}/environments/{environment}/runs/{run}/pause", "pauseRun", api::Reason) =
        |body| Command::Pause { reason: body.reason };
    /// Go on with a run that was paused
    resume("/api/v1/projects/{project}/environments/{environment}/runs/{run}/resume", "resumeRun", api::Reason) =
        |_| Command::Resume;
    /// Go on with a run that failed
    retry("/api/v1/projects/{project}/environments/{environment}/runs/{run}/retry", "retryRun", api::RetryRun) =
        |body| Command::Retry { from: body.from.map(StepId::new) };
    /// Send data to a run
    signal("/api/v1/projects/{project}/environments/{environment}/runs/{run}/signal", "signalRun", api::SignalRun) =
        |body| Command::Signal { name: body.name, data: body.data };
    /// Say whether the effect of a step in doubt happened
    resolve("/api/v1/projects/{project}/environments/{environment}/runs/{run}/resolve", "resolveRun", api::ResolveRun) =
        |body| Command::Resolve {
            step: StepId::new(body.step),
            doubt: body.doubt,
            happened: body.happened,
            output: body.output,
            reason: body.reason,
        };
}

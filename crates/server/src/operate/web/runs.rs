//! Runs: listed, shown through a lens, steered.

use std::sync::Arc;

use ::journal::events::{Definition, RunEvent};
use ::journal::{Event, Record};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use engine::control::Command;
use maud::Markup;
use model::StepId;
use project::infrastructure::PLAN_PROGRAM;
use store::RunRow;

use super::super::{run, runs};
use super::fields::Fields;
use super::{done, frame, refused};
use crate::app::App;
use crate::at::{At, Operate, Power, Read};
use crate::bench::Bench;
use crate::body::Query;
use crate::handlers::{self, aside, runs as handled};
use crate::problem::Answer;
use crate::{Problem, limits, view};

/// Largest definition that is drawn as a graph or shown change by change, in bytes.
const SHOWN_BYTES_MAX: usize = 8 << 20;

type RunPath = Path<(String, String, String)>;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/{project}/{environment}/runs", get(list))
        .route("/{project}/{environment}/runs/{run}", get(timeline))
        .route("/{project}/{environment}/runs/{run}/steps", get(steps))
        .route("/{project}/{environment}/runs/{run}/graph", get(graph))
        .route("/{project}/{environment}/runs/{run}/events", get(events))
        .route("/{project}/{environment}/runs/{run}/json", get(json))
        .route("/{project}/{environment}/runs/{run}/{verb}", post(steer))
}

/// A form sends fields that were left empty, too.
fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A bare name is a user's.
fn principal(text: String) -> String {
    if text.contains(':') { text } else { format!("user:{text}") }
}

async fn list(
    State(app): State<Arc<App>>,
    at: At<Read>,
    Query(query): Query<api::RunQuery>,
) -> Answer<Markup> {
    aside(move || {
        let query = api::RunQuery {
            status: given(query.status),
            workflow: given(query.workflow),
            kind: given(query.kind),
            requester: given(query.requester).map(principal),
            since: given(query.since),
            id: given(query.id),
            limit: query.limit,
            cursor: given(query.cursor),
        };
        let page = handled::page(&at.bench, &query)?;
        let status = at.bench.workshop.journal.status()?;
        let view = runs::View {
            query,
            runs: page,
            counts: status.runs.iter().map(|(status, count)| (status.to_string(), *count)).collect(),
            workflows: workflows(&at.bench),
        };
        Ok(runs::page(&frame(&app, &at)?, &view))
    })
    .await
}

/// Names of the project's workflows. Files that cannot be read keep nobody from looking at runs.
fn workflows(bench: &Bench) -> Vec<String> {
    let all = handlers::workflows::all(bench).map(|all| all.items).unwrap_or_default();
    let mut names: Vec<String> = all.into_iter().map(|one| one.name).collect();
    names.dedup();
    names
}

async fn timeline(State(app): State<Arc<App>>, at: At<Read>, Path((_, _, id)): RunPath) -> Answer<Markup> {
    show(app, at, id, run::Lens::Timeline, 0).await
}

async fn steps(State(app): State<Arc<App>>, at: At<Read>, Path((_, _, id)): RunPath) -> Answer<Markup> {
    show(app, at, id, run::Lens::Steps, 0).await
}

async fn graph(State(app): State<Arc<App>>, at: At<Read>, Path((_, _, id)): RunPath) -> Answer<Markup> {
    show(app, at, id, run::Lens::Graph, 0).await
}

async fn json(State(app): State<Arc<App>>, at: At<Read>, Path((_, _, id)): RunPath) -> Answer<Markup> {
    show(app, at, id, run::Lens::Json, 0).await
}

async fn events(
    State(app): State<Arc<App>>,
    at: At<Read>,
    Path((_, _, id)): RunPath,
    Query(query): Query<api::EventQuery>,
) -> Answer<Markup> {
    show(app, at, id, run::Lens::Events, query.after.unwrap_or(0)).await
}

async fn show(app: Arc<App>, at: At<Read>, id: String, lens: run::Lens, after: u64) -> Answer<Markup> {
    aside(move || {
        let row = handlers::run(&at.bench, &id)?;
        let view = seen(&at.bench, &row, lens, after)?;
        Ok(run::page(&frame(&app, &at)?, &view))
    })
    .await
}

/// A run through a lens.
fn seen(bench: &Bench, row: &RunRow, lens: run::Lens, after: u64) -> Answer<run::View> {
    let records = handled::records(bench, row.run)?;
    let mut view = run::View {
        detail: handled::detail(bench, row)?,
        steps: view::steps(&records),
        events: Vec::new(),
        next: None,
        graph: None,
        cancelling: is_cancelling(&records),
        problem: None,
        lens,
    };
    match lens {
        run::Lens::Events => {
            let limit = limits::RECORDS_DEFAULT as usize;
            let part = handlers::journal::part(bench, Some(&row.run.to_string()), after, limit)?;
            (view.events, view.next) = (part.items, part.next);
        }
        run::Lens::Graph => view.graph = drawn(bench, row)?,
        run::Lens::Timeline | run::Lens::Steps | run::Lens::Json => {}
    }
    Ok(view)
}

/// Whether somebody wants it to stop, and nobody since wants it to go on.
fn is_cancelling(records: &[Record]) -> bool {
    records.iter().rev().find_map(|record| match &record.event {
        Event::Run(RunEvent::CancelRequested(_)) => Some(true),
        Event::Run(RunEvent::RetryRequested(_)) => Some(false),
        _ => None,
    }) == Some(true)
}

/// The definition of a run, where it is not too large to be shown.
pub(super) fn text_of(bench: &Bench, row: &RunRow) -> Answer<Option<String>> {
    let text = Definition::read(bench.workshop.journal.as_ref(), &row.digest)?;
    Ok(text.filter(|text| text.len() <= SHOWN_BYTES_MAX))
}

/// The graph of a run's definition, where it is one that can be drawn.
fn drawn(bench: &Bench, row: &RunRow) -> Answer<Option<run::Graph>> {
    let Some(text) = text_of(bench, row)? else { return Ok(None) };
    let graph = match row.kind.as_str() {
        PLAN_PROGRAM => plan::Plan::from_file(text.as_bytes()).ok().map(|plan| run::Graph::of_plan(&plan)),
        _ => serde_saphyr::from_str(&text).ok().map(|document| run::Graph::of_workflow(&document)),
    };
    Ok(graph)
}

/// What the fields of a form ask a run to do.
fn command(verb: &str, fields: &Fields) -> Answer<Command> {
    let reason = fields.get("reason");
    Ok(match verb {
        "cancel" => Command::Cancel { reason },
        "pause" => Command::Pause { reason },
        "resume" => Command::Resume,
        "retry" => Command::Retry { from: fields.get("from").map(StepId::new) },
        "signal" => {
            Command::Signal { name: fields.need("name", "a name")?, data: fields.json("data", "the data")? }
        }
        "resolve" => {
            let happened = fields.need("happened", "whether it happened")? == "true";
            let output = fields.json("output", "the output")?;
            let doubt = fields.get("doubt").map(|text| text.parse::<u64>());
            Command::Resolve {
                step: StepId::new(fields.need("step", "a step")?),
                doubt: doubt.transpose().map_err(|_| Problem::unprocessable("the doubt is a number"))?,
                happened,
                output: Some(output).filter(|output| happened && !output.is_null()),
                reason: Some(fields.need("reason", "how you know")?),
            }
        }
        other => return Err(Problem::not_found(format!("nothing called {other} can be done to a run"))),
    })
}

async fn steer(
    State(app): State<Arc<App>>,
    at: At<Operate>,
    Path((_, _, id, verb)): Path<(String, String, String, String)>,
    fields: Fields,
) -> Answer<Response> {
    let steered = match command(&verb, &fields) {
        Ok(command) => handled::steer(&at, &id, &command).await.map(drop),
        Err(problem) => Err(problem),
    };
    match steered {
        Ok(()) => Ok(done(&frame(&app, &at)?.path(&format!("runs/{id}")))),
        Err(problem) => unsteered(app, at, id, problem).await,
    }
}

/// The run again, with why it was not done.
async fn unsteered<P: Power>(app: Arc<App>, at: At<P>, id: String, problem: Problem) -> Answer<Response> {
    aside(move || {
        let row = handlers::run(&at.bench, &id)?;
        let mut view = seen(&at.bench, &row, run::Lens::Timeline, 0)?;
        view.problem = Some(problem.body().clone());
        Ok(refused(&problem, run::page(&frame(&app, &at)?, &view)))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_a_user() {
        assert_eq!(principal("lea".to_owned()), "user:lea");
        assert_eq!(principal("token:ci".to_owned()), "token:ci");
        assert_eq!(given(Some("  ".to_owned())), None);
    }
}

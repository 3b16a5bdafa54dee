//! Approvals: the inbox, the review, the decision.

use std::sync::Arc;

use ::journal::events::{StepEvent, VerdictRecord};
use ::journal::{Event, Journal};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use maud::Markup;
use model::code;
use policy::Choice;
use project::infrastructure::PLAN_PROGRAM;
use serde::Deserialize;
use store::ApprovalRow;

use super::super::approvals::{self, Show};
use super::super::review;
use super::fields::Fields;
use super::{done, frame, refused, runs, yours};
use crate::app::App;
use crate::at::{Approve, At, Operate, Power, Read};
use crate::bench::Bench;
use crate::body::Query;
use crate::handlers::{approvals as handled, aside};
use crate::identity::Caller;
use crate::problem::Answer;
use crate::{Problem, view};

/// How near to a question the record stands that says which step asks: they are written at once.
const NEAR: u64 = 16;

/// What the answer to a decision says that changed nothing.
const NOTHING: &str = "noop";

type ApprovalPath = Path<(String, String, String)>;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/{project}/{environment}/approvals", get(inbox))
        .route("/{project}/{environment}/approvals/{approval}", get(show))
        .route("/{project}/{environment}/approvals/{approval}/grant", post(grant))
        .route("/{project}/{environment}/approvals/{approval}/deny", post(deny))
        .route("/{project}/{environment}/approvals/{approval}/override", post(override_))
        .route("/{project}/{environment}/approvals/{approval}/withdraw", post(withdraw))
}

#[derive(Deserialize)]
struct Wanted {
    show: Option<String>,
    cursor: Option<String>,
}

async fn inbox(State(app): State<Arc<App>>, at: At<Read>, Query(wanted): Query<Wanted>) -> Answer<Markup> {
    aside(move || {
        let (bench, show) = (&at.bench, Show::of(wanted.show.as_deref()));
        let mine = yours(bench, &at.caller)?;
        let waiting = bench.workshop.journal.status()?;
        let later = wanted.cursor.is_some();
        let status = match show {
            Show::Waiting => "waiting",
            Show::Yours | Show::Decided => "granted,denied,expired,overridden,withdrawn",
        };
        let approvals = if show == Show::Yours {
            let access = bench.access();
            let items = mine.iter().map(|row| view::approval(row, &access)).collect();
            api::Page { items, next: None, position: waiting.head.position }
        } else {
            let query = api::ApprovalQuery {
                status: Some(status.to_owned()),
                cursor: wanted.cursor,
                ..api::ApprovalQuery::default()
            };
            handled::page(bench, &query)?
        };
        let (yours, waiting) = (mine.len() as u64, waiting.approvals_waiting);
        Ok(approvals::page(&frame(&app, &at)?, &approvals::View { show, approvals, yours, waiting, later }))
    })
    .await
}

#[derive(Deserialize)]
struct After {
    done: Option<String>,
}

async fn show(
    State(app): State<Arc<App>>,
    at: At<Read>,
    Path((_, _, id)): ApprovalPath,
    Query(after): Query<After>,
) -> Answer<Markup> {
    aside(move || {
        let row = handled::row(&at.bench, &id)?;
        let mut view = seen(&at.bench, &at.caller, &row)?;
        view.done = after.done.is_some();
        Ok(review::page(&frame(&app, &at)?, &view))
    })
    .await
}

fn seen(bench: &Bench, caller: &Caller, row: &ApprovalRow) -> Answer<review::View> {
    Ok(review::View {
        detail: handled::detail(bench, caller, row)?,
        changes: changes(bench, row)?,
        verdict: verdict(bench, row)?.and_then(|verdict| serde_json::to_value(verdict).ok()),
        problem: None,
        late: false,
        done: false,
    })
}

/// The changes of the plan that a whole run is about.
fn changes(bench: &Bench, row: &ApprovalRow) -> Answer<Option<Vec<plan::Change>>> {
    let journal = &bench.workshop.journal;
    let run = journal.run(row.run)?.filter(|run| run.kind == PLAN_PROGRAM);
    let plan = run.map(|run| runs::text_of(bench, &run)).transpose()?.flatten();
    // what cannot be read is not shown here; the run itself says what is the matter with it
    let plan = plan.and_then(|text| plan::Plan::from_file(text.as_bytes()).ok());
    Ok(plan.map(plan::Plan::into_changes))
}

/// The verdict that demands an approval; none where the workflow itself asks.
fn verdict(bench: &Bench, row: &ApprovalRow) -> Answer<Option<VerdictRecord>> {
    let after = row.asked.saturating_sub(NEAR);
    let records = bench.workshop.journal.read(after, usize::try_from(2 * NEAR).unwrap_or(usize::MAX))?;
    Ok(records.into_iter().find_map(|record| match record.event {
        Event::Step(StepEvent::Asked(asked)) if asked.approval == row.approval => asked.verdict,
        _ => None,
    }))
}

/// Has a decision taken, and shows what became of it: also that somebody was faster.
async fn decided<P: Power>(
    app: Arc<App>,
    at: At<P>,
    id: String,
    decision: Answer<(Choice, Option<String>)>,
) -> Answer<Response> {
    let taken = match decision {
        Ok(decision) => handled::take((&at.bench, &at.caller), &id, decision).await,
        Err(problem) => Err(problem),
    };
    let problem = match taken {
        // somebody decided the same before: nothing of this decision is on record
        Ok(decided) if decided.status == NOTHING => {
            Problem::of(code::policy::ALREADY_DECIDED, "it is decided already")
        }
        Ok(_) => return Ok(done(&frame(&app, &at)?.path(&format!("approvals/{id}?done=1")))),
        Err(problem) => problem,
    };
    aside(move || {
        let row = handled::row(&at.bench, &id)?;
        let mut view = seen(&at.bench, &at.caller, &row)?;
        if problem.body().code.as_deref() == Some(code::policy::ALREADY_DECIDED.id) && row.ended_by.is_some()
        {
            view.late = true;
        } else {
            view.problem = Some(problem.body().clone());
        }
        Ok(refused(&problem, review::page(&frame(&app, &at)?, &view)))
    })
    .await
}

/// What a form decides on: exactly what was shown.
fn binding(fields: &Fields) -> Answer<Option<String>> {
    fields.need("binding", "what the decision is about").map(Some)
}

async fn grant(
    State(app): State<Arc<App>>,
    at: At<Approve>,
    Path((_, _, id)): ApprovalPath,
    fields: Fields,
) -> Answer<Response> {
    let decision = binding(&fields).map(|binding| (Choice::Grant { reason: fields.get("comment") }, binding));
    decided(app, at, id, decision).await
}

async fn deny(
    State(app): State<Arc<App>>,
    at: At<Approve>,
    Path((_, _, id)): ApprovalPath,
    fields: Fields,
) -> Answer<Response> {
    // a person who says no says why: whoever asked has to know what to change
    let reason = fields.need("reason", "why not");
    let decision = reason.and_then(|reason| Ok((Choice::Deny { reason: Some(reason) }, binding(&fields)?)));
    decided(app, at, id, decision).await
}

async fn override_(
    State(app): State<Arc<App>>,
    at: At<Approve>,
    Path((_, _, id)): ApprovalPath,
    fields: Fields,
) -> Answer<Response> {
    let reason = fields.need("reason", "what the emergency is");
    let decision = reason.and_then(|reason| Ok((Choice::Override { reason }, binding(&fields)?)));
    decided(app, at, id, decision).await
}

async fn withdraw(
    State(app): State<Arc<App>>,
    at: At<Operate>,
    Path((_, _, id)): ApprovalPath,
    fields: Fields,
) -> Answer<Response> {
    let reason = fields.need("reason", "why");
    let decision = reason.and_then(|reason| Ok((Choice::Withdraw { reason }, binding(&fields)?)));
    decided(app, at, id, decision).await
}

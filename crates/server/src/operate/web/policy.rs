//! Policy: the rules, and the playground.

use std::sync::Arc;

use ::journal::Journal;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::Markup;
use project::decisions;
use serde::Deserialize;

use super::super::policy;
use super::fields::Fields;
use super::{frame, refused};
use crate::app::App;
use crate::at::{At, Read};
use crate::bench::Bench;
use crate::body::Query;
use crate::handlers::{aside, policy as handled};
use crate::problem::Answer;

/// Records that are looked through for decisions.
const LOOKED_MAX: u64 = 1_000;

/// What texts of policy are called that a person typed.
const TYPED: &str = "policy/policy.yaml";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/{project}/{environment}/policy", get(rules))
        .route("/{project}/{environment}/policy/playground", get(playground).post(ask))
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

async fn rules(State(app): State<Arc<App>>, at: At<Read>, Query(wanted): Query<Kind>) -> Answer<Markup> {
    let view = policy::View { policy: handled::in_force(&at.bench)?, kind: wanted.kind };
    Ok(policy::page(&frame(&app, &at)?, &view))
}

#[derive(Deserialize)]
struct Chosen {
    position: Option<String>,
}

async fn playground(
    State(app): State<Arc<App>>,
    at: At<Read>,
    Query(chosen): Query<Chosen>,
) -> Answer<Markup> {
    aside(move || {
        let position = chosen.position.as_deref().and_then(|text| text.parse().ok());
        let mut view =
            policy::Playground { past: past(&at.bench)?, position, ..policy::Playground::default() };
        if let Some(position) = position {
            match request(&at.bench, position) {
                Ok(request) => view.request = request,
                Err(problem) => view.problem = Some(problem.body().clone()),
            }
        }
        Ok(policy::playground(&frame(&app, &at)?, &view))
    })
    .await
}

/// The request of a decision on record, to be read and changed.
fn request(bench: &Bench, position: u64) -> Answer<String> {
    let asked = api::Evaluate { position: Some(position), request: None, sources: None };
    let answer = handled::tried(bench, &asked)?;
    Ok(serde_json::to_string_pretty(&answer.request).unwrap_or_default())
}

/// The last decisions, newest first.
fn past(bench: &Bench) -> Answer<Vec<policy::PastDecision>> {
    let journal = bench.workshop.journal.as_ref();
    let after = journal.head()?.position.saturating_sub(LOOKED_MAX);
    let records = journal.read(after, usize::try_from(LOOKED_MAX).unwrap_or(usize::MAX))?;
    let found = records.iter().rev().filter_map(decisions::verdict_of).take(policy::PAST_MAX);
    Ok(found
        .map(|found| policy::PastDecision {
            position: found.position,
            what: found.about,
            verdict: found.verdict.verdict,
        })
        .collect())
}

async fn ask(State(app): State<Arc<App>>, at: At<Read>, fields: Fields) -> Answer<Response> {
    aside(move || {
        let position = fields.get("position").and_then(|text| text.parse().ok());
        let mut view = policy::Playground {
            past: past(&at.bench)?,
            position,
            request: fields.get("request").unwrap_or_default(),
            policy: fields.get("policy").unwrap_or_default(),
            answer: None,
            problem: None,
        };
        let problem = match asked(&at.bench, &view, &fields) {
            Ok(answer) => {
                view.answer = Some(answer);
                None
            }
            Err(problem) => {
                view.problem = Some(problem.body().clone());
                Some(problem)
            }
        };
        let page = policy::playground(&frame(&app, &at)?, &view);
        Ok(match problem {
            Some(problem) => refused(&problem, page),
            None => page.into_response(),
        })
    })
    .await
}

/// Asks what was chosen again, or what was typed.
fn asked(bench: &Bench, view: &policy::Playground, fields: &Fields) -> Answer<api::Evaluated> {
    // the request of a decision as it was: asked by its position, what is on record is told beside it
    let unchanged = match view.position {
        Some(position) => view.request.is_empty() || request(bench, position)?.trim() == view.request,
        None => false,
    };
    let sources = (!view.policy.is_empty())
        .then(|| vec![api::PolicySource { name: TYPED.to_owned(), text: view.policy.clone() }]);
    let wanted = if unchanged {
        api::Evaluate { position: view.position, request: None, sources }
    } else {
        api::Evaluate { position: None, request: Some(fields.json("request", "the request")?), sources }
    };
    handled::tried(bench, &wanted)
}

//! Policy: listed, explained, asked what it would say.

use policy::{Decision, PolicySet, Source};
use project::decisions;
use serde_json::Value;

use super::{InEnvironment, Refusals, aside};
use crate::at::{At, Read};
use crate::bench::Bench;
use crate::body::{Json, Path};
use crate::problem::Answer;
use crate::reads::{self, value};
use crate::{Problem, limits};

/// List the rules of the policy in force
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/policy", tag = "policy",
    operation_id = "showPolicy", params(InEnvironment), responses((status = 200, body = api::Policy), Refusals))]
pub(crate) async fn list(at: At<Read>) -> Answer<Json<api::Policy>> {
    in_force(&at.bench).map(Json)
}

/// The policy in force.
pub(crate) fn in_force(bench: &Bench) -> Answer<api::Policy> {
    reads::policy(&bench.workshop.rules.now().policy, bench.place.project.as_ref())
}

/// Explain what policy said about the record at a position
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/policy/decisions/{position}",
    tag = "policy", operation_id = "explainDecision",
    params(InEnvironment, ("position" = u64, Path, description = "Position of the record", minimum = 1)),
    responses((status = 200, body = api::ExplainedDecision), Refusals))]
pub(crate) async fn explain(
    at: At<Read>,
    Path((_, _, position)): Path<(String, String, u64)>,
) -> Answer<Json<api::ExplainedDecision>> {
    let record = super::journal::one(&at.bench, position)?;
    let found = decisions::verdict_of(&record).ok_or_else(|| no_verdict(position))?;
    let explanation = policy::explain(&decisions::judgement(&found.verdict));
    Ok(Json(api::ExplainedDecision {
        position,
        run: record.stream.to_string(),
        about: found.about,
        decision: value(&found.verdict)?,
        explanation: value(&explanation)?,
    }))
}

fn no_verdict(position: u64) -> Problem {
    Problem::not_found(format!("record {position} holds no verdict of policy"))
        .with_hint("aedile journal log")
}

/// Ask a policy what it would say; nothing is done and nothing is counted
///
/// About a decision on record, or about a document as decisions are made on; by the policy in force, or by other texts.
#[utoipa::path(post, path = "/api/v1/projects/{project}/environments/{environment}/policy/evaluate", tag = "policy",
    operation_id = "evaluatePolicy", params(InEnvironment), request_body = api::Evaluate,
    responses((status = 200, body = api::Evaluated), Refusals))]
pub(crate) async fn evaluate(
    at: At<Read>,
    Json(wanted): Json<api::Evaluate>,
) -> Answer<Json<api::Evaluated>> {
    aside(move || tried(&at.bench, &wanted).map(Json)).await
}

/// What a policy would say.
pub(crate) fn tried(bench: &Bench, wanted: &api::Evaluate) -> Answer<api::Evaluated> {
    let other = wanted.sources.as_deref().map(compiled).transpose()?;
    let rules = bench.workshop.rules.now();
    let set = other.as_ref().unwrap_or(&rules.policy);
    let (decision, recorded) = match (&wanted.position, &wanted.request) {
        (Some(position), None) => {
            let record = super::journal::one(bench, *position)?;
            let found = decisions::verdict_of(&record).ok_or_else(|| no_verdict(*position))?;
            let asked = decisions::asked(&*bench.workshop.journal, &bench.access(), &record)?;
            let asked = asked.ok_or_else(|| no_verdict(*position))?;
            (asked.again(set), Some(value(&found.verdict)?))
        }
        (None, Some(request)) => {
            let decided = set.replay(request);
            (decided.map_err(|error| Problem::unprocessable(format!("request: {error}")))?, None)
        }
        _ => return Err(Problem::unprocessable("either `position` or `request` has to be given")),
    };
    answer(decision, recorded)
}

fn answer(decision: Decision, recorded: Option<Value>) -> Answer<api::Evaluated> {
    let explanation = policy::explain(&decision.judgement);
    Ok(api::Evaluated {
        decision: value(&decision.record())?,
        explanation: value(&explanation)?,
        warnings: decision.warnings,
        request: decision.document,
        recorded,
    })
}

fn compiled(sources: &[api::PolicySource]) -> Answer<PolicySet> {
    if sources.len() > limits::SOURCES_MAX {
        return Err(Problem::unprocessable(format!(
            "{} texts are more than {}",
            sources.len(),
            limits::SOURCES_MAX
        )));
    }
    let sources: Vec<Source> =
        sources.iter().map(|source| Source::new(source.name.clone(), source.text.clone())).collect();
    let (set, findings) = PolicySet::compile(&sources);
    set.ok_or_else(|| {
        Problem::of(model::code::policy::BAD_POLICY, "the policy does not compile").with_findings(&findings)
    })
}

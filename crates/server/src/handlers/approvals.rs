//! Approvals: listed, shown, decided.

use engine::EngineError;
use engine::approvals;
use model::{ApprovalId, code};
use policy::{Approver, Choice};
use store::ApprovalRow;

use super::{InEnvironment, Refusals};
use crate::at::{Approve, At, Operate, Read};
use crate::bench::Bench;
use crate::body::{Json, Path, Query};
use crate::identity::Caller;
use crate::problem::Answer;
use crate::reads::{self, Decider};
use crate::{Problem, view};

type ApprovalPath = Path<(String, String, String)>;

/// List approvals, newest first
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/approvals", tag = "approvals",
    operation_id = "listApprovals", params(InEnvironment, api::ApprovalQuery),
    responses((status = 200, body = api::Page<api::Approval>), Refusals))]
pub(crate) async fn list(
    at: At<Read>,
    Query(query): Query<api::ApprovalQuery>,
) -> Answer<Json<api::Page<api::Approval>>> {
    page(&at.bench, &query).map(Json)
}

/// One page of approvals.
pub(crate) fn page(bench: &Bench, query: &api::ApprovalQuery) -> Answer<api::Page<api::Approval>> {
    reads::approvals(&bench.workshop.journal, &bench.access(), query)
}

/// An approval by its whole id.
pub(crate) fn row(bench: &Bench, id: &str) -> Answer<ApprovalRow> {
    let unknown =
        || Problem::not_found(format!("there is no approval {id}")).with_hint("aedile approvals list --all");
    let approval: ApprovalId = id.parse().map_err(|_| unknown())?;
    bench.workshop.journal.approval(approval)?.ok_or_else(unknown)
}

/// Show an approval, what exactly is asked, and what the caller may do about it
#[utoipa::path(get, path = "/api/v1/projects/{project}/environments/{environment}/approvals/{approval}", tag = "approvals",
    operation_id = "showApproval",
    params(InEnvironment, ("approval" = String, Path, description = "Id of the approval")),
    responses((status = 200, body = api::ApprovalDetail), Refusals))]
pub(crate) async fn show(
    at: At<Read>,
    Path((_, _, approval)): ApprovalPath,
) -> Answer<Json<api::ApprovalDetail>> {
    let row = row(&at.bench, &approval)?;
    detail(&at.bench, &at.caller, &row).map(Json)
}

/// Everything about one approval.
pub(crate) fn detail(bench: &Bench, caller: &Caller, row: &ApprovalRow) -> Answer<api::ApprovalDetail> {
    let who = Decider {
        by: approver(bench, caller),
        forbidden: bench.may(caller, model::Permission::Approve).err().map(|error| error.to_string()),
        operates: bench.may(caller, model::Permission::Operate).is_ok(),
        persons: bench.access().persons(bench.environment()),
    };
    reads::approval(&bench.workshop.journal, &bench.access(), row, (&who, bench.machine.clock.now()))
}

/// Who decides, with the roles they hold here.
fn approver(bench: &Bench, caller: &Caller) -> Approver {
    let roles = bench.access().roles_with(&caller.principal, &caller.groups);
    Approver { principal: caller.principal.clone(), via: caller.via.clone(), roles }
}

/// Takes one decision.
pub(crate) async fn take(
    (bench, caller): (&Bench, &Caller),
    approval: &str,
    (choice, seen): (Choice, Option<String>),
) -> Answer<api::Decided> {
    let row = row(bench, approval)?;
    let seen = seen
        .map(|text| {
            text.parse().map_err(|_| Problem::unprocessable(format!("binding `{text}` is no digest")))
        })
        .transpose()?;
    let journal = bench.workshop.journal.as_ref();
    let persons = bench.access().persons(bench.environment());
    let (by, now) = (approver(bench, caller), bench.machine.clock.now());
    let decided = approvals::decide(journal, row.approval, &choice, &by, seen, (persons, now)).await;
    decided
        .map(|decided| view::decided(row.approval, &by.principal, decided))
        .map_err(|error| refused(bench, &row, error))
}

/// A refusal that says where the approval stands now.
fn refused(bench: &Bench, row: &ApprovalRow, error: EngineError) -> Problem {
    let decided =
        matches!(&error, EngineError::Refused { code, .. } if *code == code::policy::ALREADY_DECIDED);
    let problem = Problem::from(error);
    match bench.workshop.journal.approval(row.approval) {
        Ok(Some(now)) if decided => problem.with_state(now.status.as_str()),
        _ => problem,
    }
}

/// A reason that has to be there.
fn reason(decision: &api::Decision, what: &str) -> Answer<String> {
    let given = decision.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    given
        .map(str::to_owned)
        .ok_or_else(|| Problem::unprocessable(format!("{what} needs a reason, which is kept in the journal")))
}

/// Grant an approval at its current level
#[utoipa::path(post, path = "/api/v1/projects/{project}/environments/{environment}/approvals/{approval}/grant",
    tag = "approvals", operation_id = "grantApproval",
    params(InEnvironment, ("approval" = String, Path, description = "Id of the approval")),
    request_body = api::Decision, responses((status = 200, body = api::Decided), Refusals))]
pub(crate) async fn grant(
    at: At<Approve>,
    Path((_, _, approval)): ApprovalPath,
    Json(decision): Json<api::Decision>,
) -> Answer<Json<api::Decided>> {
    let choice = Choice::Grant { reason: decision.reason };
    take((&at.bench, &at.caller), &approval, (choice, decision.binding)).await.map(Json)
}

/// Deny an approval
#[utoipa::path(post, path = "/api/v1/projects/{project}/environments/{environment}/approvals/{approval}/deny",
    tag = "approvals", operation_id = "denyApproval",
    params(InEnvironment, ("approval" = String, Path, description = "Id of the approval")),
    request_body = api::Decision, responses((status = 200, body = api::Decided), Refusals))]
pub(crate) async fn deny(
    at: At<Approve>,
    Path((_, _, approval)): ApprovalPath,
    Json(decision): Json<api::Decision>,
) -> Answer<Json<api::Decided>> {
    let choice = Choice::Deny { reason: decision.reason };
    take((&at.bench, &at.caller), &approval, (choice, decision.binding)).await.map(Json)
}

/// Grant all remaining levels of an approval in an emergency, where the current level allows that
#[utoipa::path(post, path = "/api/v1/projects/{project}/environments/{environment}/approvals/{approval}/override",
    tag = "approvals", operation_id = "overrideApproval",
    params(InEnvironment, ("approval" = String, Path, description = "Id of the approval")),
    request_body = api::Decision, responses((status = 200, body = api::Decided), Refusals))]
pub(crate) async fn override_(
    at: At<Approve>,
    Path((_, _, approval)): ApprovalPath,
    Json(decision): Json<api::Decision>,
) -> Answer<Json<api::Decided>> {
    let choice = Choice::Override { reason: reason(&decision, "an emergency override")? };
    take((&at.bench, &at.caller), &approval, (choice, decision.binding)).await.map(Json)
}

/// Take a question back, which only who asked can
#[utoipa::path(post, path = "/api/v1/projects/{project}/environments/{environment}/approvals/{approval}/withdraw",
    tag = "approvals", operation_id = "withdrawApproval",
    params(InEnvironment, ("approval" = String, Path, description = "Id of the approval")),
    request_body = api::Decision, responses((status = 200, body = api::Decided), Refusals))]
pub(crate) async fn withdraw(
    at: At<Operate>,
    Path((_, _, approval)): ApprovalPath,
    Json(decision): Json<api::Decision>,
) -> Answer<Json<api::Decided>> {
    let choice = Choice::Withdraw { reason: reason(&decision, "a withdrawal")? };
    take((&at.bench, &at.caller), &approval, (choice, decision.binding)).await.map(Json)
}

//! `approve` and `deny`: and what to type, so that somebody can.

use engine::approvals::{self, Decided};
use journal::events::Asked;
use model::{ApprovalId, Principal, Role};
use policy::{Approver, Choice};
use project::{Access, Actor, Place};
use store::SqliteJournal;

use super::desk::Desk;
use crate::World;
use crate::args::{DecideArgs, Global};
use crate::report::{Answer, Report};
use crate::ui::{GOOD, Ui, WARN};
use crate::views::approvals::WAITING;
use crate::views::json;
use crate::views::table::plain;

/// Grants an approval, or denies it.
pub(super) fn decide(ui: &mut Ui, desk: &Desk, args: &DecideArgs, yes: bool) -> Answer {
    let approval = desk.the_approval(&args.approval)?;
    let reason = args.reason.clone();
    let choice = match (yes, args.emergency) {
        (true, true) => Choice::Override {
            reason: reason.filter(|reason| !reason.trim().is_empty()).ok_or_else(|| {
                Report::usage("an emergency override needs a reason")
                    .with_hint(format!("aedile approve {approval} --override -m REASON"))
            })?,
        },
        (true, false) => Choice::Grant { reason },
        (false, true) => return Err(Report::usage("--override only goes with `approve`")),
        (false, false) => Choice::Deny { reason },
    };
    let decided = desk.decide(approval, &choice, args.act_as.as_deref())?;
    show(ui, &decided)?;
    if let Desk::Here(local) = desk
        && !matches!(decided.status.as_str(), WAITING | "noop")
        && local.is_idle()
    {
        let run = desk.approval(approval)?.approval.run;
        ui.next(format_args!("aedile run --resume {run}"), "carries the run on, which no engine does now");
    }
    Ok(0)
}

/// Takes one decision as an actor.
pub(super) async fn take(
    journal: &SqliteJournal,
    place: &Place,
    world: &World,
    access: &Access,
    (approval, actor): (ApprovalId, &Actor),
    choice: &Choice,
) -> Result<Decided, Report> {
    use engine::judge::Roles;
    let by = Approver {
        principal: actor.principal.clone(),
        via: actor.via.clone(),
        roles: access.roles(&actor.principal),
    };
    let persons = access.persons(&place.environment);
    let now = world.clock.now();
    Ok(approvals::decide(journal, approval, choice, &by, None, (persons, now)).await?)
}

fn show(ui: &mut Ui, decided: &api::Decided) -> Result<(), Report> {
    if ui.json {
        ui.answer_json(&json(decided)?);
        return Ok(());
    }
    let (approval, by) = (plain(&decided.approval), plain(&decided.by));
    match decided.status.as_str() {
        WAITING => {
            let missing = decided.missing.unwrap_or(0);
            let more = if missing == 0 { String::new() } else { format!(", {missing} more needed") };
            ui.answer(format_args!("{GOOD}counted{GOOD:#}  {approval} by {by}"));
            let level = decided.level.unwrap_or(0);
            ui.note(format_args!("{WARN}waiting{WARN:#} at level {level}{more}"));
        }
        "noop" => {
            ui.answer(format_args!("noop  {}", plain(decided.reason.as_deref().unwrap_or_default())));
        }
        outcome => ui.answer(format_args!("{GOOD}{}{GOOD:#}  {approval} by {by}", plain(outcome))),
    }
    Ok(())
}

/// The access rules of a place.
pub(super) fn access(place: &Place) -> Result<Access, Report> {
    Ok(match &place.project {
        Some(project) => project::rules::access(project)?,
        None => Access::nobody(),
    })
}

/// What has to be typed to give an approval at a level: a command if the user can give it, else whom to ask.
pub(super) fn how(
    (asked, level): (&Asked, u32),
    place: &Place,
    (access, user): (&Access, &str),
    global: &Global,
) -> Result<String, String> {
    let roles: &[Role] =
        asked.levels.iter().find(|one| one.level == level).map_or(&[], |level| level.roles.as_slice());
    let by_user = access.persons(&place.environment) == approvals::Persons::ByUser;
    let own = Principal::user(user).ok();
    let asker = &asked.requester;
    let holders: Vec<Principal> =
        access.holders(roles).into_iter().filter(|holder| holder != asker).collect();
    let asked_by_user = asked.via.as_ref().or(Some(asker)) == own.as_ref();
    let mut command = format!("aedile approve {}", asked.approval);
    if let Some(environment) = &global.env {
        command.extend([format!(" --env {environment}")]);
    }
    if let Some(project) = &global.project {
        command.extend([format!(" --project {}", project.display())]);
    }
    let can_at_all = !(by_user && asked_by_user);
    if can_at_all && own.as_ref().is_some_and(|own| holders.contains(own)) {
        return Ok(command);
    }
    let other = holders.iter().find(|holder| access.may_act_as(&place.environment, user, holder));
    if let (true, Some(other)) = (can_at_all, other) {
        let name = if other.kind() == "user" { other.name() } else { other.as_str() };
        return Ok(format!("{command} --as {name}"));
    }
    if holders.is_empty() {
        let roles: Vec<&str> = roles.iter().map(Role::as_str).collect();
        return Err(format!("nobody who may holds the role {}; see access.yaml", roles.join(" or ")));
    }
    let names: Vec<&str> = holders.iter().map(Principal::as_str).collect();
    Err(format!("ask {}: {command}", names.join(" or ")))
}

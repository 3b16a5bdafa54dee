//! `apply` and `destroy`: a plan as a run.

use std::sync::Arc;

use engine::Submission;
use engine::ports::Definition;
use model::{RunId, code};
use plan::apply::Options;
use plan::{Plan, Stale};
use project::infrastructure::{ApplyInput, Site, Wanted, definition};
use project::{ProjectError, Workshop};
use serde_json::{Map, Value};
use store::RunFilter;
use workflow::document::Dialect;

use super::facts::project;
use super::follow::{Ending, Follow, follow};
use super::here::Here;
use super::machine;
use super::plan::{blocked, make, plan_json, read, show, wanted};
use crate::World;
use crate::args::{ApplyArgs, ApplyPlanArgs, CarryArgs, Global};
use crate::report::{Answer, Report};
use crate::ui::{COMMAND, DIM, STRONG, Ui};
use crate::views::table::count;

/// Where the plan comes from.
enum From {
    Made(Wanted),
    File(Box<Plan>),
}

/// Applies a plan.
pub(super) fn apply(
    ui: &mut Ui,
    world: &World,
    global: &Global,
    here: &Here,
    args: &ApplyPlanArgs,
) -> Answer {
    let from = match &args.plan {
        Some(file) => From::File(Box::new(read(file)?)),
        None => From::Made(self::made(&args.how, false)?),
    };
    carry_out(ui, world, global, here, (from, &args.how))
}

/// Deletes everything that was applied.
pub(super) fn destroy(ui: &mut Ui, world: &World, global: &Global, here: &Here, args: &ApplyArgs) -> Answer {
    carry_out(ui, world, global, here, (From::Made(made(args, true)?), args))
}

/// What the plan is to be about. It is carried out at once where nobody is asked; what is missing is made, and not destroyed.
fn made(args: &ApplyArgs, destroy: bool) -> Result<Wanted, Report> {
    Ok(Wanted { at_once: args.carry.yes && !destroy, ..wanted(&args.wanted, destroy)? })
}

fn carry_out(
    ui: &mut Ui,
    world: &World,
    global: &Global,
    here: &Here,
    (from, args): (From, &ApplyArgs),
) -> Answer {
    project(here)?;
    let command = if matches!(&from, From::Made(wanted) if wanted.destroy) { "destroy" } else { "apply" };
    let change = Change { command, carry: &args.carry, options: options(args), next: NEXT };
    change.make(ui, world, global, here, async |_, site| match from {
        From::Made(wanted) => Ok(make(here, site, &wanted).await?.plan.into()),
        From::File(plan) => Ok((*plan).into()),
    })
}

/// What is typed after a plan was applied.
const NEXT: (&str, &str) = ("aedile drift", "says whether it stays so");

/// A plan that is to be carried out.
pub(super) struct Proposed {
    /// The plan.
    pub(super) plan: Plan,
    /// What there is to say of it beside that, for `--json`.
    pub(super) beside: Map<String, Value>,
}

impl std::convert::From<Plan> for Proposed {
    fn from(plan: Plan) -> Self {
        Self { plan, beside: Map::new() }
    }
}

/// A plan as a run: asked about, submitted, followed.
pub(super) struct Change<'a> {
    /// The words of the command after `aedile`.
    pub(super) command: &'static str,
    /// How the run is begun and followed.
    pub(super) carry: &'a CarryArgs,
    /// How the plan is applied.
    pub(super) options: Options,
    /// The next likely command and why.
    pub(super) next: (&'static str, &'static str),
}

impl Change<'_> {
    /// Makes a plan, shows it, asks whether to go on, and carries it out.
    pub(super) fn make(
        &self,
        ui: &mut Ui,
        world: &World,
        global: &Global,
        here: &Here,
        propose: impl AsyncFnOnce(&mut Ui, &Site) -> Result<Proposed, Report>,
    ) -> Answer {
        let timeout = super::run::timeout(self.carry.timeout.as_deref())?;
        // with --json the plan is not shown, and nobody agrees to what they have not seen
        if !self.carry.yes && (!ui.interactive || ui.json) {
            let report = Report::new(code::general::NO_PROMPT, "nobody can be asked whether to go on");
            return Err(
                report.with_hint(format!("aedile {} --yes, with the rest as you typed it", self.command))
            );
        }
        let ending = super::runtime()?.block_on(async {
            let workshop = Workshop::open(&here.place, &machine(world))?;
            let site = workshop.site.clone().ok_or_else(|| Report::from(ProjectError::NoInfrastructure))?;
            let Proposed { plan, beside } = propose(ui, &site).await?;
            if self.carry.yes {
                site.prepare(&plan);
            }
            let definition = definition(&plan);
            if let Some(report) = refused(&workshop, here, &plan, &definition)? {
                return Err(report);
            }
            if plan.is_empty() {
                if ui.json {
                    ui.answer_json(&plan_json(&plan));
                } else {
                    show(ui, &plan);
                }
                return Ok(None);
            }
            let plan = Arc::new(plan);
            site.keep(&plan);
            let run = self.agreed(ui, world, here, &workshop, (&plan, definition)).await?;
            let options = Follow {
                run,
                dialect: Dialect::Standard,
                approve_as: self.carry.approve_as.clone(),
                detach: self.carry.detach,
                timeout,
            };
            let ending = follow(ui, world, global, &here.place, &workshop, &options).await?;
            Ok(Some((ending, beside)))
        })?;
        match ending {
            Some((ending, beside)) => conclude(ui, ending, beside, self.next),
            None => Ok(0),
        }
    }

    /// Shows the plan and submits it: after somebody has agreed to what they saw, or at the same time where nobody is asked.
    async fn agreed(
        &self,
        ui: &mut Ui,
        world: &World,
        here: &Here,
        workshop: &Workshop,
        (plan, definition): (&Arc<Plan>, Definition),
    ) -> Result<RunId, Report> {
        if !self.carry.yes {
            show(ui, plan);
            if !confirmed(ui, plan)? {
                return Err(Report::new(code::general::DECLINED, "nothing was changed"));
            }
        }
        let submitted = self.submit(world, here, workshop, (plan, definition));
        let shown = async {
            if self.carry.yes && !ui.json {
                show(ui, plan);
            }
        };
        // what is shown takes as long as what is judged and recorded, and that is done elsewhere
        let (run, ()) = tokio::join!(submitted, shown);
        run
    }

    async fn submit(
        &self,
        world: &World,
        here: &Here,
        workshop: &Workshop,
        (plan, definition): (&Plan, Definition),
    ) -> Result<RunId, Report> {
        let access = Arc::clone(&workshop.rules.now().access);
        let actor = access.actor(&here.place.environment, &world.user, self.carry.act_as.as_deref())?;
        let input = ApplyInput { options: self.options.clone() };
        let submission = Submission {
            definition,
            input: serde_json::to_value(&input).unwrap_or_default(),
            requester: actor.principal.clone(),
            via: actor.via.clone(),
            // a plan is applied once, whoever tries it at the same moment
            idempotency_key: Some(format!("plan/{}", plan.digest())),
        };
        Ok(workshop.engine.submit(submission).await?)
    }
}

fn options(args: &ApplyArgs) -> Options {
    Options {
        concurrency: args.concurrency,
        per_host: args.per_host,
        max_retries: args.max_retries,
        canary: args.canary,
        batch: args.batch,
        max_failures: args.max_failures,
        ..Options::default()
    }
}

/// Why a plan cannot be applied, as far as that is known before anybody is asked.
fn refused(
    workshop: &Workshop,
    here: &Here,
    plan: &Plan,
    definition: &Definition,
) -> Result<Option<Report>, Report> {
    if plan.environment != here.place.environment {
        let what = format!(
            "the plan is for environment {}, and this is {}",
            plan.environment, here.place.environment
        );
        let hint = format!("aedile apply --env {} FILE", plan.environment);
        return Ok(Some(Report::new(code::plan::STALE, what).with_hint(hint)));
    }
    if definition.text.len() > journal::limits::DEFINITION_BYTES_MAX {
        let what = format!("the plan of {} is too large for one run", count(plan.changes.len(), "change"));
        let report = Report::new(code::plan::LIMIT, what);
        return Ok(Some(
            report.with_hint("aedile apply --target RESOURCE, which may be given more than once"),
        ));
    }
    let filter = RunFilter { digest: Some(definition.program.digest), ..RunFilter::default() };
    if let Some(used) = workshop.journal.runs(&filter, 1)?.items.first() {
        let stale = Stale { moved: vec![plan::Moved::Used { by: used.run }], more: 0 };
        // its run was denied, cancelled or refused before it did anything, or waits
        let what = match used.status {
            store::RunStatus::Completed => stale.to_string(),
            status => format!("the plan belongs to {}, which is {status}; a plan has one run", used.run),
        };
        let hint = match used.status {
            store::RunStatus::Failed => format!("aedile runs retry {}", used.run),
            _ => format!("aedile runs show {}", used.run),
        };
        return Ok(Some(Report::new(code::plan::STALE, what).with_hint(hint)));
    }
    let blocked = blocked(plan);
    if blocked > 0 {
        let first = plan.changes.iter().find(|change| change.operation == plan::Operation::Blocked);
        let mut report =
            Report::new(code::plan::BLOCKED, format!("{} cannot be planned", count(blocked, "resource")));
        if let Some(change) = first {
            let reasons = change.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            report = report.caused_by(format!("{}: {reasons}", change.instance));
        }
        return Ok(Some(report.with_hint("aedile plan")));
    }
    Ok(None)
}

/// Asks whether to go on.
fn confirmed(ui: &mut Ui, plan: &Plan) -> Result<bool, Report> {
    let question = match plan.reach.hosts.len() {
        0 => "Change the record, and no host?".to_owned(),
        hosts => format!("Apply this to {}?", count(hosts, "host")),
    };
    ui.complain(format_args!("\n{DIM}{}{DIM:#}", plan.digest()));
    ui.prompt(&format!("{STRONG}{question}{STRONG:#} Type {COMMAND}yes{COMMAND:#}:"));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| {
        Report::new(code::general::UNREADABLE, "the answer cannot be read").caused_by(error.to_string())
    })?;
    Ok(answer.trim() == "yes")
}

fn conclude(ui: &mut Ui, ending: Ending, beside: Map<String, Value>, next: (&str, &str)) -> Answer {
    if ui.json {
        let mut shown = ending.json();
        if let Some(members) = shown.as_object_mut() {
            members.extend(beside);
        }
        ui.answer_json(&shown);
    } else if ending.report.is_none() {
        let number = |name: &str| ending.output.get(name).and_then(Value::as_u64).unwrap_or(0);
        let done = number("succeeded");
        // runs of earlier versions only name them
        let named = || ending.output.get("done").and_then(Value::as_array).map_or(0, Vec::len) as u64;
        let changed = ending.output.get("changed").and_then(Value::as_u64).unwrap_or_else(named);
        ui.answer(format_args!("{done} done, {changed} of them changed something"));
        ui.next(next.0, next.1);
    }
    ending.report.map_or(Ok(0), Err)
}

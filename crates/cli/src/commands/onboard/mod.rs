//! `onboard`: from a host somebody can log in to to one of the configuration, and back.

mod asked;
mod login;
mod told;

use std::sync::Arc;

use engine::Submission;
use model::RunId;
use project::onboarding::{self, Before, Order, Steps, Way};
use project::{Project, Rules, Workshop};
use store::{RunFilter, RunStatus};
use workflow::document::Dialect;

use super::follow::{Ending, Follow, follow};
use super::here::Here;
use super::machine;
use crate::World;
use crate::args::{Global, OnboardArgs};
use crate::report::{Answer, Report};
use crate::ui::Ui;

use asked::{Asked, Known};

/// Runs that have not ended and could be this one.
const OPEN_MAX: usize = 20;

/// Onboards a host, or takes it back.
pub(super) fn onboard(
    ui: &mut Ui,
    world: &World,
    global: &Global,
    here: &Here,
    args: &OnboardArgs,
) -> Answer {
    let project = super::facts::project(here)?;
    let runtime = super::runtime()?;
    let known = Known::read(here, project, args)?;
    let (order, way, admin) = runtime.block_on(async {
        let mut asked = if args.undo {
            asked::undo(here, &known, args)?
        } else {
            asked::forward(ui, world, here, project, &known, args)?
        };
        if !args.undo {
            onboarding::check(&asked.order)?;
        }
        let hosts = known.with(&asked);
        let login = login::Login::new(world, project, here, args, &asked, &hosts)?;
        asked.order.host_key = login.host_key(ui, &asked, args).await?;
        let (way, admin) = login.open(ui, args, &asked).await?;
        Ok::<_, Report>((asked.order, way, admin))
    })?;
    let ending = runtime.block_on(carry_out(ui, world, global, here, project, args, (order, way, admin)));
    let (order, ending, steps) = ending?;
    told::tell(ui, &order, &ending, &steps);
    ending.report.map_or(Ok(0), |report| Err(told::advised(report, ending.status, args)))
}

type Made = (Order, Way, remote::onboard::Admin);

async fn carry_out(
    ui: &mut Ui,
    world: &World,
    global: &Global,
    here: &Here,
    project: &Project,
    args: &OnboardArgs,
    (order, way, admin): Made,
) -> Result<(Order, Ending, Vec<told::Told>), Report> {
    let place = (project, &here.place.environment, &here.place.state);
    let variables = asked::variables(args)?;
    let made = Steps::new(order.clone(), way, Some(admin), place, variables);
    let steps = Arc::new(made.map_err(|error| asked::shown(error, project))?);
    let access = Rules::read(&here.place)?.access;
    let actor = access.actor(&here.place.environment, &world.user, None)?;
    let own = vec![(onboarding::ACTIONS, Arc::clone(&steps) as Arc<dyn engine::ports::Performer>)];
    let workshop = Workshop::open_with(&here.place, &machine(world), own)?;
    let run = if let Some(run) = unfinished(&workshop, &order)? {
        run
    } else {
        let submission = Submission {
            definition: order.definition(),
            input: serde_json::json!({}),
            requester: actor.principal.clone(),
            via: actor.via.clone(),
            idempotency_key: None,
        };
        workshop.engine.submit(submission).await?
    };
    let options = Follow {
        run,
        dialect: Dialect::Standard,
        approve_as: args.approve_as.clone(),
        detach: !ui.interactive && args.approve_as.is_empty(),
        timeout: None,
    };
    let ending = follow(ui, world, global, &here.place, &workshop, &options).await?;
    steps.close().await;
    let steps = told::read(&workshop.journal, run, &order)?;
    Ok((order, ending, steps))
}

/// A run of the same order that has not ended: an approval that was waited for, or a command that was killed.
fn unfinished(workshop: &Workshop, order: &Order) -> Result<Option<RunId>, Report> {
    let program = order.definition().program;
    let open = RunStatus::ALL.into_iter().filter(|status| !status.is_ended()).collect::<Vec<RunStatus>>();
    let filter = RunFilter { status: open, name: Some(program.name), ..RunFilter::default() };
    let page = workshop.journal.runs(&filter, OPEN_MAX)?;
    Ok(page.items.iter().find(|row| row.digest == program.digest).map(|row| row.run))
}

/// What was onboarded here under a name, or at an address.
fn remembered(here: &Here, named: &str, port: Option<u16>) -> Result<Option<Before>, Report> {
    let all = Before::all(&here.place.state)?;
    let by_name = all.iter().position(|one| one.host.as_str() == named);
    let by_address = || {
        let fits = |one: &Before| {
            one.address.eq_ignore_ascii_case(named) && port.is_none_or(|port| port == one.port)
        };
        all.iter().position(fits)
    };
    let found = by_name.or_else(by_address);
    Ok(found.map(|at| all[at].clone()))
}

impl Asked {
    /// `[address]:port`, for questions.
    fn endpoint(&self) -> String {
        match self.order.port {
            22 => self.order.address.clone(),
            port => format!("[{}]:{port}", self.order.address),
        }
    }
}

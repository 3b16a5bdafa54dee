//! `plan` and `graph`: what would have to change, and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use model::{Coded as _, code};
use plan::{Operation, Plan, ResourceId};
use project::infrastructure::{Made, PLAN_PROGRAM, Site, Wanted, outlook, plan_of};
use project::{ProjectError, Rules, workshop};
use serde_json::{Value, json};

use super::desk::Desk;
use super::facts::{pair, project, sources};
use super::here::Here;
use super::machine;
use crate::World;
use crate::args::{Global, GraphArgs, PlanArgs, WantedArgs};
use crate::report::{Answer, Report};
use crate::ui::{BAD, DIM, GOOD, Ui, WARN};
use crate::views::table::plain;

/// The exit code of a plan with changes, where that is asked for.
const HAS_CHANGES: u8 = 3;

/// What is meant by the arguments.
pub(super) fn wanted(args: &WantedArgs, destroy: bool) -> Result<Wanted, Report> {
    let variables =
        args.variables.iter().map(|text| pair("--var", text)).collect::<Result<BTreeMap<_, _>, _>>()?;
    let focus = args.targets.iter().map(|text| {
        text.parse::<ResourceId>()
            .map_err(|error| Report::usage(format!("--target {}: {error}", plain(text))))
    });
    let focus = focus.collect::<Result<_, _>>()?;
    Ok(Wanted { variables, focus, destroy, ..Wanted::default() })
}

pub(super) fn rules(here: &Here) -> Result<Rules, Report> {
    project(here)?;
    Ok(Rules::read(&here.place)?)
}

/// What policy will say, for people.
pub(super) fn foretell(
    ui: &mut Ui,
    world: &World,
    here: &Here,
    rules: &Rules,
    plan: &Plan,
) -> Result<(), Report> {
    let actor = rules.access.actor(&here.place.environment, &world.user, None)?;
    let outlook = outlook(plan, (&rules.policy, &rules.access), &actor, world.clock.now());
    for reason in &outlook.denied {
        ui.note(format_args!("{BAD}will be denied{BAD:#}  {}", plain(reason)));
    }
    for reason in &outlook.deferred {
        ui.note(format_args!("{WARN}will wait{WARN:#}       {}", plain(reason)));
    }
    for warning in &outlook.warned {
        ui.note(format_args!("{WARN}warning{WARN:#}         {}", plain(warning)));
    }
    for chain in &outlook.chains {
        ui.note(format_args!("{WARN}needs approval{WARN:#}  by the chain {}", plain(chain)));
    }
    if outlook.beyond > 0 {
        let more = crate::views::table::count(outlook.beyond, "change");
        ui.note(format_args!("{DIM}{more} more will be judged when they are applied{DIM:#}"));
    }
    Ok(())
}

/// The hosts of the place, to look at them. Makes no journal.
pub(super) fn site(world: &World, here: &Here, rules: &Rules) -> Result<Arc<Site>, Report> {
    let journal = here.journal_if_any()?.map(Arc::new);
    let site = workshop::site(&here.place, &machine(world), rules, journal.as_ref())?;
    site.ok_or_else(|| ProjectError::NoInfrastructure.into())
}

/// Makes a plan; what is wrong with the configuration is shown with the lines it is about.
pub(super) async fn make(here: &Here, site: &Site, wanted: &Wanted) -> Result<Made, Report> {
    match site.plan(wanted).await {
        Ok(made) => Ok(made),
        Err(error) => Err(sources(project(here)?, Report::from(error))),
    }
}

/// Makes a plan, and shows what is worth knowing about the configuration.
pub(super) fn made(
    ui: &mut Ui,
    world: &World,
    here: &Here,
    rules: &Rules,
    wanted: &Wanted,
) -> Result<Plan, Report> {
    let site = site(world, here, rules)?;
    let made = super::runtime()?.block_on(make(here, &site, wanted))?;
    for warning in &made.configuration.warnings {
        ui.note(crate::report::finding_text(warning, None).trim_end());
    }
    Ok(made.plan)
}

/// Reads the plan in a file.
pub(super) fn read(file: &Path) -> Result<Plan, Report> {
    let shown = file.display();
    let unreadable = |error: std::io::Error| {
        Report::new(code::general::UNREADABLE, format!("{shown} cannot be read")).caused_by(error.to_string())
    };
    let size = std::fs::metadata(file).map_err(unreadable)?.len();
    let limit = plan::limits::FILE_BYTES_MAX as u64;
    if size > limit {
        return Err(ProjectError::TooLarge { what: shown.to_string(), limit }.into());
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    Plan::from_file(&bytes).map_err(|error| {
        let report = Report::new(error.code(), error.to_string()).caused_by(format!("in {shown}"));
        match error.hint() {
            Some(hint) => report.with_hint(hint),
            None => report,
        }
    })
}

/// The plan in a file, or the one that a run applies: read from the journal, here or on a server.
fn made_before(world: &World, global: &Global, named: &str) -> Result<Plan, Report> {
    let file = Path::new(named);
    if file.is_file() || !is_run(named) {
        return read(file);
    }
    let desk = Desk::find(world, global)?;
    let run = desk.run(desk.the_run(named)?)?.run;
    if run.kind != PLAN_PROGRAM {
        let what = format!("{} applies no plan: it is of {}", run.run, plain(&run.workflow));
        return Err(Report::new(code::general::NOT_FOUND, what)
            .with_hint(format!("aedile runs list --workflow infrastructure/{}", desk.environment())));
    }
    let digest = run.definition.parse().map_err(|_| Report::internal("a run has no definition"))?;
    Ok(plan_of(&*desk.journal()?, digest)?)
}

/// Whether a word means a run, where no file has that name.
fn is_run(word: &str) -> bool {
    word == "latest" || word.starts_with("run_")
}

/// The plan as `--json` shows it.
pub(super) fn plan_json(plan: &Plan) -> Value {
    json!({ "digest": plan.digest(), "plan": plan.body() })
}

/// Shows a plan, or changes of one, to people: at once, for a line of its own each costs a large plan more than making it.
pub(super) fn show(ui: &mut Ui, plan: impl std::fmt::Display) {
    let plan = plan.to_string();
    let mut out = String::with_capacity(plan.len() + plan.len() / 8);
    for line in plan.lines() {
        let mark = line.trim_start().split(' ').next().unwrap_or_default();
        let style = match mark {
            "+" | ">" => Some(GOOD),
            "~" | "-/+" | "*" => Some(WARN),
            "-" | "x" | "!" => Some(BAD),
            _ => None,
        };
        // the lines of a change begin with its mark within the first four columns, those of a text after eight
        let compared = line.strip_prefix("        ").is_some_and(|line| line.starts_with(['+', '-']));
        let style = style.filter(|_| compared || !line.starts_with("    ")).unwrap_or_default();
        // writing to a text does not fail
        let _written = writeln!(out, "{style}{}{style:#}", plain(line));
    }
    ui.answer_bytes(out.as_bytes());
}

pub(super) fn blocked(plan: &Plan) -> usize {
    plan.changes.iter().filter(|change| change.operation == Operation::Blocked).count()
}

/// Makes and shows a plan, or shows one that was made.
pub(super) fn plan(ui: &mut Ui, world: &World, global: &Global, args: &PlanArgs) -> Answer {
    let (plan, judged) = if let Some(named) = &args.show {
        (made_before(world, global, named)?, None)
    } else {
        let here = Here::find(world, global)?;
        let rules = rules(&here)?;
        let plan = made(ui, world, &here, &rules, &wanted(&args.wanted, args.destroy)?)?;
        (plan, Some((here, rules)))
    };
    if let Some(file) = &args.out {
        project::text::write(file, plan.file(), true)?;
    }
    if args.dot {
        ui.answer(plan.to_dot().trim_end());
    } else if ui.json {
        ui.answer_json(&plan_json(&plan));
    } else {
        show(ui, &plan);
        ui.note(format_args!("\n{DIM}{} {}{DIM:#}", plan.id, plan.digest()));
        if let Some((here, rules)) = judged.filter(|_| !plan.is_empty()) {
            foretell(ui, world, &here, &rules, &plan)?;
        }
    }
    let blocked = blocked(&plan);
    if blocked == 0 && !ui.json && !args.dot && !plan.is_empty() {
        match &args.out {
            Some(file) if args.show.is_none() => {
                ui.next(format_args!("aedile apply {}", file.display()), "applies exactly this plan");
            }
            None if args.show.is_none() => ui.next("aedile apply", "plans again, asks, and applies"),
            _ => {}
        }
    }
    if blocked > 0 {
        return Ok(1);
    }
    Ok(if args.detailed_exit_code && !plan.is_empty() { HAS_CHANGES } else { 0 })
}

/// Prints the graph of changes.
pub(super) fn graph(ui: &mut Ui, world: &World, here: &Here, args: &GraphArgs) -> Answer {
    let plan = made(ui, world, here, &rules(here)?, &wanted(&args.wanted, false)?)?;
    if ui.json {
        ui.answer_json(&json!({ "dot": plan.to_dot(), "levels": plan.levels() }));
    } else {
        ui.answer(plan.to_dot().trim_end());
    }
    Ok(0)
}

//! `resources`: what was applied, and changes of that record.

use model::code;
use model::time::rfc3339;
use plan::apply::Options;
use plan::{Held, Instance, Operation, RecordChange, nearest};
use project::infrastructure::Wanted;
use serde_json::{Value, json};
use store::ResourceRow;

use super::apply::Change;
use super::here::Here;
use super::plan::{make, wanted};
use crate::World;
use crate::args::{AdoptArgs, CarryArgs, Global, MoveArgs, ResourcesCommand, WantedArgs};
use crate::report::{Answer, Report};
use crate::ui::{DIM, STRONG, Ui};
use crate::views::table::{Table, plain};
use crate::views::time::relative;

/// Carries out a command about what was applied.
pub(super) fn resources(
    ui: &mut Ui,
    world: &World,
    global: &Global,
    here: &Here,
    command: &ResourcesCommand,
) -> Answer {
    let rows = match here.journal_if_any()? {
        Some(journal) => journal.resources()?,
        None => Vec::new(),
    };
    match command {
        ResourcesCommand::List => list(ui, world, &rows),
        ResourcesCommand::Show { resource } => show(ui, find(&rows, resource, "show")?),
        ResourcesCommand::Forget(args) => {
            let forget =
                |typed: &String| Ok(RecordChange::Forget(find(&rows, typed, "forget")?.instance.clone()));
            let wanted: Vec<RecordChange> =
                args.resources.iter().map(forget).collect::<Result<_, Report>>()?;
            return record(ui, world, global, here, (&wanted, &args.carry, "resources forget"));
        }
        ResourcesCommand::Move(args) => {
            let from = find(&rows, &args.from, "move")?.instance.clone();
            let to = new_name(&from, args)?;
            let wanted = [RecordChange::Move { from, to }];
            return record(ui, world, global, here, (&wanted, &args.carry, "resources move"));
        }
        ResourcesCommand::Adopt(args) => return adopt(ui, world, global, here, args),
    }
    Ok(0)
}

/// Puts on record what is there as it is declared.
fn adopt(ui: &mut Ui, world: &World, global: &Global, here: &Here, args: &AdoptArgs) -> Answer {
    let given = WantedArgs { variables: args.variables.clone(), targets: args.resources.clone() };
    let wanted = Wanted { adopt: true, ..wanted(&given, false)? };
    let next = ("aedile plan", "says what that means for the hosts");
    let change = Change { command: "resources adopt", carry: &args.carry, options: Options::default(), next };
    change.make(ui, world, global, here, async |_, site| {
        let plan = make(here, site, &wanted).await?.plan;
        let other = |change: &&plan::Change| change.operation != Operation::Adopt;
        match plan.changes.iter().find(other) {
            None => Ok(plan.into()),
            Some(change) => {
                let what = format!("{} is not there as it is declared", change.instance);
                let reasons = change.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                let report = Report::new(code::plan::BLOCKED, what).caused_by(reasons);
                Err(report.with_hint(format!("aedile plan --target {}", change.instance.resource)))
            }
        }
    })
}

/// Has the record changed: by a run of a plan, as everything is.
fn record(
    ui: &mut Ui,
    world: &World,
    global: &Global,
    here: &Here,
    (wanted, carry, command): (&[RecordChange], &CarryArgs, &'static str),
) -> Answer {
    let next = ("aedile plan", "says what that means for the hosts");
    let change = Change { command, carry, options: Options::default(), next };
    change.make(ui, world, global, here, async |_, site| Ok(site.record(wanted)?.into()))
}

/// The name that something on record gets: on the same host, where none is named.
fn new_name(from: &Instance, args: &MoveArgs) -> Result<Instance, Report> {
    let usage = |typed: &str, error: plan::NameError| Report::usage(format!("{}: {error}", plain(typed)));
    let host = match &args.host {
        Some(host) => host.parse().map_err(|error| usage(host, error))?,
        None => from.host.clone(),
    };
    // a resource's id may have a slash, too: what stands before it is a host only where it is that one
    let below = args.to.strip_prefix(host.as_str()).and_then(|rest| rest.strip_prefix('/'));
    let resource = below.unwrap_or(&args.to);
    Ok(Instance::new(host, resource.parse().map_err(|error| usage(&args.to, error))?))
}

fn list(ui: &mut Ui, world: &World, rows: &[ResourceRow]) {
    if ui.json {
        ui.answer_json(&json!({ "resources": rows.iter().map(row_json).collect::<Vec<_>>() }));
        return;
    }
    if rows.is_empty() {
        ui.note("nothing was applied yet");
        ui.next("aedile plan", "says what would be done");
        return;
    }
    let now = world.clock.now();
    let mut table = Table::new(&["HOST", "RESOURCE", "TYPE", "APPLIED", "RUN"]);
    for row in rows {
        table.row([
            row.instance.host.to_string(),
            row.instance.resource.to_string(),
            row.applied.kind.to_string(),
            relative(row.at, now),
            row.run.to_string(),
        ]);
    }
    for line in table.lines(ui.width) {
        ui.answer(line);
    }
}

fn find<'r>(rows: &'r [ResourceRow], typed: &str, verb: &str) -> Result<&'r ResourceRow, Report> {
    let whole = rows.iter().find(|row| row.instance.to_string() == typed);
    let named: Vec<&ResourceRow> =
        rows.iter().filter(|row| row.instance.resource.as_str() == typed).collect();
    match (whole, named.as_slice()) {
        (Some(row), _) => Ok(row),
        (None, [row]) => Ok(row),
        (None, []) => {
            let names: Vec<String> = rows.iter().map(|row| row.instance.to_string()).collect();
            let short = rows.iter().map(|row| row.instance.resource.as_str());
            let near = nearest(typed, names.iter().map(String::as_str).chain(short));
            let hint = near.map_or_else(
                || "aedile resources list".to_owned(),
                |near| format!("aedile resources {verb} {near}"),
            );
            let what = format!("nothing called {} was applied", plain(typed));
            Err(Report::new(code::general::NOT_FOUND, what).with_hint(hint))
        }
        (None, many) => {
            let what = format!("{} is on {} hosts", plain(typed), many.len());
            let hint = format!("aedile resources {verb} {}", many[0].instance);
            Err(Report::new(code::general::AMBIGUOUS, what).with_hint(hint))
        }
    }
}

fn row_json(row: &ResourceRow) -> Value {
    json!({
        "host": row.instance.host, "resource": row.instance.resource, "type": row.applied.kind,
        "provider": row.applied.provider, "attributes": row.applied.attributes,
        "depends": row.applied.depends, "run": row.run, "at": rfc3339(row.at),
    })
}

fn show(ui: &mut Ui, row: &ResourceRow) {
    if ui.json {
        ui.answer_json(&row_json(row));
        return;
    }
    ui.answer(format_args!("{STRONG}{}{STRONG:#}  {}", row.instance, row.applied.kind));
    ui.answer(format_args!("{DIM}applied{DIM:#}   {} by {}", rfc3339(row.at), row.run));
    ui.answer(format_args!("{DIM}provider{DIM:#}  {}", row.applied.provider));
    for (name, held) in &row.applied.attributes {
        let value = match held {
            Held::Plain { value } => plain(&value.to_string()),
            Held::Secret { .. } => "(secret)".to_owned(),
        };
        ui.answer(format_args!("  {name}: {value}"));
    }
    for on in &row.applied.depends {
        ui.answer(format_args!("  after {on}"));
    }
}

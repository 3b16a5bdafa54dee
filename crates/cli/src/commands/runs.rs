//! `runs list`, `runs show` and `runs logs`: what there is and what happened.

use engine::limits::READ_MAX;
use journal::{Event, Journal, Record};
use model::RunId;
use model::time::clock;
use serde_json::json;

use super::desk::Desk;
use crate::World;
use crate::args::{ListRunsArgs, RunLogsArgs};
use crate::report::{Answer, Report};
use crate::ui::{DIM, STRONG, Ui, escaped};
use crate::views::events::{narration, record_json};
use crate::views::json;
use crate::views::runs::{run_head, runs_table};

/// Lists runs, latest first.
pub(super) fn list(ui: &mut Ui, world: &World, desk: &Desk, args: &ListRunsArgs) -> Answer {
    let query = api::RunQuery {
        status: args.status.clone(),
        workflow: args.workflow.clone(),
        limit: Some(args.limit),
        ..api::RunQuery::default()
    };
    let rows = desk.runs(&query)?.items;
    if ui.json {
        ui.answer_json(&json!({ "environment": desk.environment(), "runs": json(&rows)? }));
        return Ok(0);
    }
    if rows.is_empty() {
        ui.note(format_args!("no runs in environment {}", desk.environment()));
        return Ok(0);
    }
    for line in runs_table(&rows, world.clock.now(), ui.width) {
        ui.answer(line);
    }
    Ok(0)
}

/// Shows one run.
pub(super) fn show(ui: &mut Ui, world: &World, desk: &Desk, typed: &str) -> Answer {
    let run = desk.the_run(typed)?;
    let detail = desk.run(run)?;
    let records = records_of(desk.journal()?.as_ref(), run)?;
    if ui.json {
        let mut value = json(&detail)?;
        if let Some(value) = value.as_object_mut() {
            value.insert("steps".to_owned(), json(&server::view::steps(&records))?);
        }
        ui.answer_json(&value);
        return Ok(0);
    }
    for line in run_head(&detail.run, world.clock.now()) {
        ui.answer(line);
    }
    ui.answer(format_args!("\n{STRONG}what happened{STRONG:#}"));
    for line in records.iter().filter_map(log_line) {
        ui.answer(format_args!("  {line}"));
    }
    if let Some(output) = detail.output {
        ui.answer(format_args!("\n{STRONG}output{STRONG:#}\n{}", escaped(&format!("{output:#}"))));
    }
    Ok(0)
}

/// Prints what happened to a run, and goes on until it ends where that is wanted.
pub(super) fn logs(ui: &mut Ui, desk: &Desk, args: &RunLogsArgs) -> Answer {
    let run = desk.the_run(&args.run)?;
    let stream = run.to_string();
    let journal = desk.journal()?;
    if args.follow {
        desk.listen(Some(&stream), 0)?;
    }
    let mut after = 0;
    loop {
        let mark = desk.mark()?;
        let records = journal.read_stream(&stream, after, READ_MAX)?;
        for record in &records {
            after = record.sequence;
            if ui.json {
                ui.answer_json_line(&record_json(record));
            } else if let Some(line) = log_line(record) {
                ui.answer(line);
            }
        }
        if ui.is_closed() || records.last().is_some_and(|record| ends(&record.event)) {
            return Ok(0);
        }
        if records.is_empty() {
            if !args.follow {
                return Ok(0);
            }
            ui.flush();
            desk.wait(journal.changed(mark))??;
        }
    }
}

/// All records of a run, in order.
pub(super) fn records_of(journal: &dyn Journal, run: RunId) -> Result<Vec<Record>, Report> {
    Ok(server::reads::records(journal, run, usize::MAX)?)
}

fn ends(event: &Event) -> bool {
    matches!(event, Event::Run(event) if event.is_end())
}

fn log_line(record: &Record) -> Option<String> {
    let (style, mark, text) = narration(&record.event)?;
    let time = clock(record.at);
    Some(format!("{DIM}{time}{DIM:#}  {style}{mark:<10}{style:#} {text}").trim_end().to_owned())
}

//! `runs list`, `runs show` and `runs logs`: what there is and what happened.

use engine::limits::READ_MAX;
use journal::events::{RunEvent, StepEvent};
use journal::{Event, Journal, Record};
use model::RunId;
use model::time::rfc3339;
use serde_json::{Value, json};
use store::{RunFilter, RunStatus, SqliteJournal};

use super::here::{Here, the_run};
use crate::World;
use crate::args::{ListRunsArgs, RunLogsArgs};
use crate::report::{Answer, Report};
use crate::ui::{DIM, STRONG, Ui, escaped};
use crate::views::events::{clock, narration, record_json};
use crate::views::runs::{run_head, run_json, runs_table};

/// Lists runs, latest first.
pub(super) fn list(ui: &mut Ui, world: &World, here: &Here, args: &ListRunsArgs) -> Answer {
    let status: Vec<RunStatus> = match &args.status {
        Some(word) => {
            let status = word.parse::<RunStatus>();
            vec![status.map_err(|error| Report::usage(error.to_string()))?]
        }
        None => Vec::new(),
    };
    let filter = RunFilter { status, name: args.workflow.clone(), ..RunFilter::default() };
    let rows = match here.journal_if_any()? {
        Some(journal) => journal.runs(&filter, args.limit as usize)?.items,
        None => Vec::new(),
    };
    if ui.json {
        let runs: Vec<Value> = rows.iter().map(run_json).collect();
        ui.answer_json(&json!({ "environment": here.place.environment, "runs": runs }));
        return Ok(0);
    }
    if rows.is_empty() {
        ui.note(format_args!("no runs in environment {}", here.place.environment));
        return Ok(0);
    }
    for line in runs_table(&rows, world.clock.now(), ui.width) {
        ui.answer(line);
    }
    Ok(0)
}

/// Shows one run.
pub(super) fn show(ui: &mut Ui, world: &World, here: &Here, typed: &str) -> Answer {
    let journal = here.journal()?;
    let run = the_run(&journal, typed)?;
    let row = journal.run(run)?.ok_or_else(|| Report::internal(format!("{run} is in no view")))?;
    let records = records_of(&journal, run)?;
    let output = records.iter().rev().find_map(|record| match &record.event {
        Event::Run(RunEvent::Completed(ended)) => Some(ended.output.clone()),
        _ => None,
    });
    if ui.json {
        let mut value = run_json(&row);
        if let Some(value) = value.as_object_mut() {
            value.insert("steps".to_owned(), Value::Array(steps_json(&records)));
            value.insert("output".to_owned(), json!(output));
        }
        ui.answer_json(&value);
        return Ok(0);
    }
    for line in run_head(&row, world.clock.now()) {
        ui.answer(line);
    }
    ui.answer(format_args!("\n{STRONG}what happened{STRONG:#}"));
    for line in records.iter().filter_map(log_line) {
        ui.answer(format_args!("  {line}"));
    }
    if let Some(output) = output {
        ui.answer(format_args!("\n{STRONG}output{STRONG:#}\n{}", escaped(&format!("{output:#}"))));
    }
    Ok(0)
}

/// Prints what happened to a run, and goes on until it ends where that is wanted.
pub(super) fn logs(ui: &mut Ui, here: &Here, args: &RunLogsArgs) -> Answer {
    let journal = here.journal()?;
    let run = the_run(&journal, &args.run)?;
    let stream = run.to_string();
    let mut after = 0;
    loop {
        let head = journal.head()?.position;
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
            super::runtime()?.block_on(journal.changed(head))?;
        }
    }
}

/// All records of a run, in order.
pub(super) fn records_of(journal: &SqliteJournal, run: RunId) -> Result<Vec<Record>, Report> {
    let stream = run.to_string();
    let mut records: Vec<Record> = Vec::new();
    loop {
        let after = records.last().map_or(0, |record| record.sequence);
        let more = journal.read_stream(&stream, after, READ_MAX)?;
        if more.is_empty() {
            return Ok(records);
        }
        records.extend(more);
    }
}

fn ends(event: &Event) -> bool {
    matches!(event, Event::Run(RunEvent::Completed(_) | RunEvent::Failed(_) | RunEvent::Cancelled(_)))
}

fn log_line(record: &Record) -> Option<String> {
    let (style, mark, text) = narration(&record.event)?;
    let time = clock(record.at);
    Some(format!("{DIM}{time}{DIM:#}  {style}{mark:<10}{style:#} {text}").trim_end().to_owned())
}

fn steps_json(records: &[Record]) -> Vec<Value> {
    records
        .iter()
        .filter_map(|record| {
            let (step, what) = match &record.event {
                Event::Step(event) => (step_of(event), event.kind()),
                _ => return None,
            };
            Some(
                json!({ "step": step, "event": what, "at": rfc3339(record.at), "position": record.position }),
            )
        })
        .collect()
}

fn step_of(event: &StepEvent) -> &str {
    match event {
        StepEvent::Scheduled(scheduled) => scheduled.step.as_str(),
        StepEvent::Completed(result) => result.step.as_str(),
        StepEvent::Failed(fault) => fault.step.as_str(),
        StepEvent::Asked(asked) => asked.step.as_str(),
        StepEvent::Answered(answered) => answered.step.as_str(),
        StepEvent::Deferred(deferred) => deferred.step.as_str(),
        StepEvent::InDoubt(doubt) => doubt.step.as_str(),
        StepEvent::Resolved(resolved) => resolved.step.as_str(),
        StepEvent::Abandoned(stopped) => stopped.step.as_str(),
        StepEvent::ChildStarted(child) => child.step.as_str(),
    }
}

//! What an onboarding came to, step by step: also of one that failed part of the way.

use engine::limits::READ_MAX;
use journal::events::StepEvent;
use journal::{Event, Journal as _};
use model::RunId;
use project::onboarding::Order;
use serde_json::{Value, json};
use store::SqliteJournal;

use super::super::follow::Ending;
use crate::args::OnboardArgs;
use crate::report::Report;
use crate::ui::Ui;
use crate::views::table::{Table, plain};

/// What became of a step.
pub(super) struct Told {
    step: &'static str,
    state: &'static str,
    detail: String,
    output: Value,
}

/// Reads from the run's records what became of each step.
pub(super) fn read(journal: &SqliteJournal, run: RunId, order: &Order) -> Result<Vec<Told>, Report> {
    let none = |step| Told { step, state: "not done", detail: String::new(), output: Value::Null };
    let mut all: Vec<Told> = order.steps().into_iter().map(none).collect();
    let (stream, mut after) = (run.to_string(), 0);
    loop {
        let records = journal.read_stream(&stream, after, READ_MAX)?;
        let Some(last) = records.last() else { return Ok(all) };
        after = last.sequence;
        for record in &records {
            let Event::Step(event) = &record.event else { continue };
            let (name, state, detail, output) = match event {
                StepEvent::Completed(result) => {
                    let changed = result.output["changed"] == true;
                    let state = match (result.name.as_str(), changed) {
                        ("prove", _) => "proved",
                        (_, true) => "done",
                        _ => "as it was",
                    };
                    let output = Value::clone(&result.output);
                    (&result.name, state, detail(&result.name, &output), output)
                }
                StepEvent::Failed(fault) => {
                    (&fault.name, "failed", plain(&fault.problem.to_string()), Value::Null)
                }
                _ => continue,
            };
            if let Some(told) = all.iter_mut().find(|told| told.step == name) {
                *told = Told { step: told.step, state, detail, output };
            }
        }
    }
}

fn detail(step: &str, output: &Value) -> String {
    let text = |name: &str| plain(output[name].as_str().unwrap_or_default());
    let list = |name: &str| {
        let values = output[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        plain(&values.collect::<Vec<_>>().join("; "))
    };
    match step {
        "user" => format!("{} in {}", text("account"), text("home")),
        "key" => format!("{}'s authorized_keys", text("account")),
        "sudo" if output["rules"].as_array().is_some_and(Vec::is_empty) => "no rights".to_owned(),
        "sudo" => list("rules"),
        "prove" => format!("{} logs in with the key", text("account")),
        "lock-down" => "no passwords, for root neither".to_owned(),
        "record" => text("file"),
        "undo-user" if output["changed"] == true => format!("kept: {}", list("homesKept")),
        _ => String::new(),
    }
}

/// Tells it.
pub(super) fn tell(ui: &mut Ui, order: &Order, ending: &Ending, steps: &[Told]) {
    if ui.json {
        let steps: Vec<Value> = steps
            .iter()
            .map(|told| json!({ "step": told.step, "state": told.state, "output": told.output, "detail": told.detail }))
            .collect();
        ui.answer_json(&json!({
            "host": order.host, "address": order.address, "port": order.port, "hostKey": order.host_key,
            "account": order.account, "run": ending.run, "status": ending.status, "undo": order.undo,
            "steps": steps, "approvals": ending.approvals,
        }));
        return;
    }
    let mut table = Table::new(&["STEP", "STATE", "WHAT"]);
    for told in steps {
        table.row([told.step.to_owned(), told.state.to_owned(), told.detail.clone()]);
    }
    for line in table.lines(ui.width) {
        ui.answer(line);
    }
    if ending.status == "completed" && !order.undo {
        ui.next(format_args!("aedile facts collect {}", order.host), "asks it what it is");
    }
}

/// What to do about an onboarding that has not been done.
pub(super) fn advised(report: Report, status: &str, args: &OnboardArgs) -> Report {
    let report = report.caused_by("the same command again finishes what is not done");
    match status {
        // where it would be resumed without a login
        "waiting" | "interrupted" => report.with_hint(format!("aedile onboard {}", args.host)),
        _ => report,
    }
}

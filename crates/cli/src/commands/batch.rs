//! `run --batch`: many inputs, one run each, in order, until one fails.

use std::path::Path;

use model::code;
use serde_json::Value;

use super::follow::Ending;
use super::run::{document, results};
use crate::World;
use crate::args::RunArgs;
use crate::report::{Answer, Report};
use crate::ui::{GOOD, Ui};

/// Inputs in one batch.
const INPUTS_MAX: usize = 1_000;

/// Runs every input of a file in order. Each result goes to `batch-NNN.result.json`; the first that is not a success ends it.
pub(super) fn batch(
    ui: &mut Ui,
    _: &World,
    args: &RunArgs,
    file: &Path,
    start: &mut dyn FnMut(&mut Ui, Value) -> Result<Ending, Report>,
) -> Answer {
    let inputs = inputs(file)?;
    let directory = results(args);
    let count = inputs.len();
    for (index, input) in inputs.into_iter().enumerate() {
        let name = format!("batch-{:03}.result.json", index + 1);
        ui.note(format_args!("{}/{count}", index + 1));
        let ending = start(ui, input)?;
        write(&directory.join(&name), &ending.json())?;
        if ui.json {
            let value = ending.json();
            ui.answer_json_line(&value);
        } else {
            ui.answer(format_args!("{name}  {}  {}", ending.run, ending.status));
        }
        if let Some(report) = ending.report {
            return Err(report.caused_by(format!("input {} of {count}; the rest was not run", index + 1)));
        }
    }
    ui.note(format_args!("{GOOD}completed{GOOD:#}  {}", crate::views::table::count(count, "run")));
    Ok(0)
}

fn inputs(file: &Path) -> Result<Vec<Value>, Report> {
    let inputs = match document(file)? {
        Value::Array(inputs) => inputs,
        one => vec![one],
    };
    if inputs.is_empty() {
        return Err(Report::usage("the batch has no inputs"));
    }
    if inputs.len() > INPUTS_MAX {
        let what = format!("the batch has {} inputs; at most {INPUTS_MAX} are run", inputs.len());
        return Err(Report::new(code::general::TOO_LARGE, what));
    }
    Ok(inputs)
}

fn write(path: &Path, value: &Value) -> Result<(), Report> {
    let unwritable = |error: std::io::Error| {
        Report::new(code::general::UNWRITABLE, format!("{} cannot be written", path.display()))
            .caused_by(error.to_string())
    };
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent).map_err(unwritable)?;
    }
    fs_err::write(path, format!("{value:#}\n")).map_err(unwritable)
}

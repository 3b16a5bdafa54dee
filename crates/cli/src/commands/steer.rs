//! `runs signal|pause|resume|cancel|retry|resolve`: what people do to runs. Each works whether or not an engine lives.

use engine::control::Command;
use model::StepId;
use serde_json::Value;

use super::desk::Desk;
use crate::args::RunsCommand;
use crate::report::{Answer, Report};
use crate::ui::{GOOD, Ui};
use crate::views::json;

/// Carries out a command on a run. The new event is durable when this returns.
pub(super) fn steer(ui: &mut Ui, desk: &Desk, command: &RunsCommand) -> Answer {
    let (typed, act_as, command) = match command {
        RunsCommand::Signal(args) => {
            let data = args.data.as_deref().map_or(Ok(Value::Null), |text| json_of("--data", text))?;
            (&args.run, None, Command::Signal { name: args.name.clone(), data })
        }
        RunsCommand::Pause(args) => {
            (&args.run, args.act_as.as_deref(), Command::Pause { reason: args.reason.clone() })
        }
        RunsCommand::Resume(args) => (&args.run, None, Command::Resume),
        RunsCommand::Cancel(args) => {
            (&args.run, args.act_as.as_deref(), Command::Cancel { reason: args.reason.clone() })
        }
        RunsCommand::Retry(args) => {
            (&args.run, None, Command::Retry { from: args.from.as_deref().map(StepId::new) })
        }
        RunsCommand::Resolve(args) => {
            let output = args.output.as_deref().map(|text| json_of("--output", text)).transpose()?;
            let step = StepId::new(args.step.as_str());
            let reason = args.reason.clone();
            (
                &args.run,
                None,
                Command::Resolve { step, doubt: args.doubt, happened: args.happened, output, reason },
            )
        }
        RunsCommand::List(_) | RunsCommand::Show(_) | RunsCommand::Logs(_) => {
            return Err(Report::internal("this command looks and does not steer"));
        }
    };
    let run = desk.the_run(typed)?;
    let steered = desk.steer(run, &command, act_as)?;
    if ui.json {
        ui.answer_json(&json(&steered)?);
        return Ok(0);
    }
    let done = command.participle();
    ui.answer(format_args!("{GOOD}{done}{GOOD:#}  {run}"));
    if matches!(command, Command::Retry { .. } | Command::Resolve { .. } | Command::Resume) {
        ui.next(format_args!("aedile run --resume {run}"), desk.carries_on());
    }
    Ok(0)
}

fn json_of(option: &str, text: &str) -> Result<Value, Report> {
    serde_json::from_str(text).map_err(|error| Report::usage(format!("{option} is not JSON: {error}")))
}

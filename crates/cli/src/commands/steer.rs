//! `runs signal|pause|resume|cancel|retry|resolve`: what people do to runs. Each works whether or not an engine lives.

use engine::control::{self, Command};
use model::{Principal, RunId, StepId};
use serde_json::{Value, json};

use super::decide::access;
use super::here::{Here, the_run};
use crate::World;
use crate::args::RunsCommand;
use crate::report::{Answer, Report};
use crate::ui::{GOOD, Ui};

/// Carries out a command on a run. The new event is durable when this returns.
pub(super) fn steer(ui: &mut Ui, world: &World, here: &Here, command: &RunsCommand) -> Answer {
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
    let journal = here.journal()?;
    let run = the_run(&journal, typed)?;
    let actor = access(&here.place)?.actor(&here.place.environment, &world.user, act_as)?;
    super::runtime()?.block_on(control::command(&journal, run, &actor.principal, &command))?;
    told(ui, run, &actor.principal, &command);
    Ok(0)
}

fn json_of(option: &str, text: &str) -> Result<Value, Report> {
    serde_json::from_str(text).map_err(|error| Report::usage(format!("{option} is not JSON: {error}")))
}

fn told(ui: &mut Ui, run: RunId, actor: &Principal, command: &Command) {
    let done = command.participle();
    if ui.json {
        ui.answer_json(&json!({ "run": run, "by": actor, "done": done }));
        return;
    }
    ui.answer(format_args!("{GOOD}{done}{GOOD:#}  {run}"));
    if matches!(command, Command::Retry { .. } | Command::Resolve { .. } | Command::Resume) {
        ui.next(
            format_args!("aedile run --resume {run}"),
            "watches it, and carries it on if nobody else does",
        );
    }
}

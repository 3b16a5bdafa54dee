//! One module per command: from arguments to an answer.

mod about;
mod explain;
mod init;

use crate::World;
use crate::args::{Cli, Command};
use crate::report::{Answer, Report};
use crate::ui::Ui;

/// Carries out a command.
pub(crate) fn run(ui: &mut Ui, world: &World, cli: &Cli) -> Answer {
    match &cli.command {
        Command::Init(args) => init::init(ui, world, args),
        Command::Explain { code } => explain::explain(ui, code.as_deref()),
        Command::Completion { shell } => {
            about::completion(ui, *shell);
            Ok(0)
        }
        Command::Version => {
            about::version(ui);
            Ok(0)
        }
        _ => Err(Report::internal("the command is not there yet")),
    }
}

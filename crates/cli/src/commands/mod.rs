//! One module per command: from arguments to an answer.

mod about;
mod apply;
mod approvals;
mod backup;
mod batch;
mod cue;
mod decide;
mod doctor;
mod drift;
mod explain;
mod facts;
mod follow;
mod here;
mod import;
mod init;
mod journal;
mod onboard;
mod password;
mod plan;
mod policy;
mod proof;
mod provider;
mod questions;
mod resources;
mod run;
mod runs;
mod schedules;
mod secrets;
mod server;
mod status;
mod steer;
mod undo;
mod validate;

use std::sync::Arc;

use project::Machine;

use crate::World;
use crate::args::{
    ApprovalsCommand, Cli, Command, JournalCommand, PolicyCommand, RunsCommand, SchemaCommand,
};
use crate::report::{Answer, Report};
use crate::ui::Ui;

use here::Here;

/// Carries out a command.
pub(crate) fn run(ui: &mut Ui, world: &World, cli: &Cli) -> Answer {
    let here = || Here::find(world, &cli.global);
    match &cli.command {
        Command::Init(args) => init::init(ui, world, args),
        Command::Validate(args) => validate::validate(ui, world, &cli.global, args),
        Command::Fmt(args) => validate::fmt(ui, world, &cli.global, args),
        Command::Run(args) => run::run(ui, world, &cli.global, args),
        Command::Runs(command) => runs_command(ui, world, &here()?, command),
        Command::Schedules => schedules::list(ui, world, &here()?),
        Command::Approve(args) => decide::decide(ui, world, &here()?, args, true),
        Command::Deny(args) => decide::decide(ui, world, &here()?, args, false),
        Command::Approvals(ApprovalsCommand::List { all }) => approvals::list(ui, world, &here()?, *all),
        Command::Approvals(ApprovalsCommand::Show { approval }) => {
            approvals::show(ui, world, &here()?, approval)
        }
        Command::Policy(PolicyCommand::Test(args)) => policy::test(ui, &here()?, args),
        Command::Policy(PolicyCommand::Explain(args)) => policy::explain(ui, &here()?, args),
        Command::Policy(PolicyCommand::List) => policy::list(ui, &here()?),
        Command::Journal(JournalCommand::Verify(args)) => proof::check(ui, world, &cli.global, args),
        Command::Journal(command) => journal_command(ui, world, &here()?, command),
        Command::Cue(command) => cue::cue(ui, world, command),
        Command::Server(args) => server::server(ui, world, &cli.global, args),
        Command::Ui(args) => server::ui(ui, world, &cli.global, args),
        Command::Status => status::status(ui, world, &here()?),
        Command::Doctor(args) => doctor::doctor(ui, &here()?, args),
        Command::Plan(args) => plan::plan(ui, world, &here()?, args),
        Command::Graph(args) => plan::graph(ui, world, &here()?, args),
        Command::Drift(args) => drift::drift(ui, world, &here()?, args),
        Command::Apply(args) => apply::apply(ui, world, &cli.global, &here()?, args),
        Command::Destroy(args) => apply::destroy(ui, world, &cli.global, &here()?, args),
        Command::Undo(args) => undo::undo(ui, world, &cli.global, &here()?, args),
        Command::Import(args) => import::import(ui, world, &here()?, args),
        Command::Resources(command) => resources::resources(ui, world, &cli.global, &here()?, command),
        Command::Facts(command) => facts::facts(ui, world, &here()?, command),
        Command::Provider(command) => provider::provider(ui, &here()?, command),
        Command::Secrets(command) => secrets::secrets(ui, world, &here()?, command),
        Command::Onboard(args) => onboard::onboard(ui, world, &cli.global, &here()?, args),
        Command::Backup(args) => backup::backup(ui, world, &here()?, args),
        Command::Restore(args) => backup::restore(ui, world, &here()?, args),
        Command::Schema(SchemaCommand::Show) => {
            ui.answer(config::schema().trim_end());
            Ok(0)
        }
        Command::Explain { code, path } => match (code.as_deref(), path) {
            (Some("value"), Some(path)) => facts::explain_value(ui, &here()?, path),
            (Some("value"), None) => Err(Report::usage("the path of a value is missing")),
            (_, Some(path)) => Err(Report::usage(format!("`{path}` is one argument too many"))),
            (code, None) => explain::explain(ui, code),
        },
        Command::Completion { shell } => {
            about::completion(ui, *shell);
            Ok(0)
        }
        Command::Version => {
            about::version(ui);
            Ok(0)
        }
    }
}

fn runs_command(ui: &mut Ui, world: &World, here: &Here, command: &RunsCommand) -> Answer {
    match command {
        RunsCommand::List(args) => runs::list(ui, world, here, args),
        RunsCommand::Show(args) => runs::show(ui, world, here, &args.run),
        RunsCommand::Logs(args) => runs::logs(ui, here, args),
        command => steer::steer(ui, world, here, command),
    }
}

fn journal_command(ui: &mut Ui, world: &World, here: &Here, command: &JournalCommand) -> Answer {
    match command {
        JournalCommand::Log(args) => journal::log(ui, here, args),
        JournalCommand::Show(args) => journal::show(ui, here, args.position),
        JournalCommand::Verify(_) => Err(Report::internal("verification needs no place")),
        JournalCommand::Checkpoint(args) => proof::checkpoint(ui, world, here, args),
        JournalCommand::Prove(args) => proof::prove(ui, here, args),
        JournalCommand::Export(args) => journal::export(ui, here, args),
        JournalCommand::Replay => journal::replay(ui, here),
        JournalCommand::Keys(command) => proof::keys_command(ui, world, here, *command),
    }
}

/// The machine as an engine needs it.
fn machine(world: &World) -> Machine {
    Machine {
        clock: Arc::clone(&world.clock),
        entropy: Arc::clone(&world.entropy),
        lines: world.told.lines(),
        login: world.login.clone(),
        identities: world.identities.clone(),
    }
}

/// A runtime for runs and for waiting.
fn runtime() -> Result<tokio::runtime::Runtime, Report> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .map_err(|error| Report::internal("the runtime cannot be started").caused_by(error.to_string()))
}

/// Stack of a thread that evaluates expressions: twice what one evaluation may use.
const STACK_BYTES: usize = 2 * workflow::limits::EVALUATION_STACK + (1 << 20);

//! One module per command: from arguments to an answer.

mod about;
mod apply;
mod approvals;
mod backup;
mod batch;
mod consistency;
mod cue;
mod decide;
mod desk;
mod doctor;
mod drift;
mod explain;
mod export;
mod facts;
mod follow;
mod here;
mod here_only;
mod import;
mod init;
mod journal;
mod login;
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
mod watch;

use std::sync::Arc;

use project::Machine;

use crate::World;
use crate::args::{
    ApprovalsCommand, Cli, Command, Global, JournalCommand, PolicyCommand, RunsCommand, SchemaCommand,
};
use crate::report::{Answer, Report};
use crate::ui::Ui;

use desk::Desk;
use here::Here;

/// Carries out a command.
pub(crate) fn run(ui: &mut Ui, world: &World, cli: &Cli) -> Answer {
    here_only::refuse(cli)?;
    let here = || Here::find(world, &cli.global);
    let desk = || Desk::find(world, &cli.global);
    match &cli.command {
        Command::Init(args) => init::init(ui, world, args),
        Command::Validate(args) => validate::validate(ui, world, &cli.global, args),
        Command::Fmt(args) => validate::fmt(ui, world, &cli.global, args),
        Command::Run(args) => run::run(ui, world, &cli.global, args),
        Command::Runs(command) => runs_command(ui, world, &desk()?, command),
        Command::Schedules => schedules::list(ui, world, &desk()?),
        Command::Approve(args) => decide::decide(ui, &desk()?, args, true),
        Command::Deny(args) => decide::decide(ui, &desk()?, args, false),
        Command::Approvals(ApprovalsCommand::List { all }) => approvals::list(ui, world, &desk()?, *all),
        Command::Approvals(ApprovalsCommand::Show { approval }) => {
            approvals::show(ui, world, &desk()?, approval)
        }
        Command::Policy(PolicyCommand::Test(args)) => policy::test(ui, world, &cli.global, args),
        Command::Policy(PolicyCommand::Explain(args)) => policy::explain(ui, &desk()?, args),
        Command::Policy(PolicyCommand::List) => policy::list(ui, &desk()?),
        Command::Journal(command) => journal_command(ui, world, &cli.global, command),
        Command::Cue(command) => cue::cue(ui, world, command),
        Command::Server(args) => server::server(ui, world, &cli.global, args),
        Command::Ui(args) => server::ui(ui, world, &cli.global, args),
        Command::Status => status::status(ui, world, &desk()?),
        Command::Login(args) => login::login(ui, world, &cli.global, args),
        Command::Logout(args) => login::logout(ui, world, &cli.global, args),
        Command::Whoami => login::whoami(ui, world, &cli.global),
        Command::Doctor(args) => doctor::doctor(ui, &here()?, args),
        Command::Plan(args) => plan::plan(ui, world, &cli.global, args),
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

fn runs_command(ui: &mut Ui, world: &World, desk: &Desk, command: &RunsCommand) -> Answer {
    match command {
        RunsCommand::List(args) => runs::list(ui, world, desk, args),
        RunsCommand::Show(args) => runs::show(ui, world, desk, &args.run),
        RunsCommand::Logs(args) => runs::logs(ui, desk, args),
        command => steer::steer(ui, desk, command),
    }
}

fn journal_command(ui: &mut Ui, world: &World, global: &Global, command: &JournalCommand) -> Answer {
    let desk = || Desk::find(world, global);
    match command {
        JournalCommand::Log(args) => journal::log(ui, &desk()?, args),
        JournalCommand::Show(args) => journal::show(ui, &desk()?, args.position),
        JournalCommand::Verify(args) => proof::check(ui, world, global, args),
        JournalCommand::Checkpoint(args) => proof::checkpoint(ui, &desk()?, args),
        JournalCommand::Prove(args) => proof::prove(ui, &desk()?, args),
        JournalCommand::Export(args) => export::export(ui, &desk()?, args),
        JournalCommand::Replay => journal::replay(ui, &desk()?),
        JournalCommand::Keys(command) => proof::keys_command(ui, &desk()?, *command),
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

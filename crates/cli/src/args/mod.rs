//! What can be typed: argument types only, no behaviour. Help texts are the reference documentation's source.

mod approvals;
mod bring;
mod cue;
mod infrastructure;
mod journal;
mod keeping;
mod login;
mod onboard;
mod policy;
mod project;
mod provider;
mod run;
mod runs;
mod secrets;
mod server;

pub use approvals::{ApprovalsCommand, DecideArgs};
pub use bring::BringArgs;
pub use cue::{CueCommand, DefArgs, EvalArgs, ExportCueArgs, FmtCueArgs, ImportArgs, InputArgs, VetArgs};
pub use infrastructure::{
    AdoptArgs, AgeArgs, ApplyArgs, ApplyPlanArgs, CarryArgs, CollectArgs, DriftArgs, FactsCommand,
    ForgetArgs, GraphArgs, MoveArgs, PlanArgs, ResourcesCommand, SchemaCommand, ShowFactsArgs, UndoArgs,
    WantedArgs,
};
pub use journal::{
    CheckpointArgs, ExportArgs, JournalCommand, KeysCommand, LogArgs, ProveArgs, ShowRecordArgs, VerifyArgs,
};
pub use keeping::{BackupArgs, RestoreArgs};
pub use login::{LoginArgs, LogoutArgs};
pub use onboard::OnboardArgs;
pub use policy::{ExplainPolicyArgs, PolicyCommand, PolicyTestArgs};
pub use project::{DoctorArgs, DoctorCommand, FmtArgs, InitArgs, ValidateArgs};
pub use provider::{CheckProviderArgs, ProviderCommand, ShowProviderArgs};
pub use run::RunArgs;
pub use runs::{
    ListRunsArgs, ReasonArgs, ResolveArgs, RetryArgs, RunIdArgs, RunLogsArgs, RunsCommand, SignalArgs,
};
pub use secrets::{EncryptArgs, KeygenArgs, ListSecretsArgs, SecretsCommand};
pub use server::{ServerArgs, ServingArgs, TlsHow, UiArgs};

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Carry out changes to running systems on one path: proposed, judged, approved, performed, verified, recorded
///
/// Aedile runs workflows under policy and people's approval and keeps a journal from which everything can be proved.
#[derive(Debug, Parser)]
#[command(
    name = "aedile",
    version,
    bin_name = "aedile",
    max_term_width = 100,
    disable_help_subcommand = true,
    before_help = "Examples:\n  aedile init                      start a project here\n  aedile run workflows/hello.yaml  run a workflow and watch it\n  aedile status                    what is broken, what waits for me",
    after_help = "`aedile COMMAND --help` says more about a command, `aedile explain E0301` about an error."
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Environment to work in; the project's default when left out
    #[arg(long, global = true, value_name = "NAME", env = "AEDILE_ENV", hide_env_values = true)]
    pub env: Option<String>,
    /// Directory of the project; found from the current directory upwards when left out. With --server its name there
    #[arg(long, global = true, value_name = "DIR", env = "AEDILE_PROJECT", hide_env_values = true)]
    pub project: Option<PathBuf>,
    /// Work on a server that you are logged in to, and not on what is here
    #[arg(long, global = true, value_name = "URL", env = "AEDILE_SERVER", hide_env_values = true)]
    pub server: Option<String>,
    /// Answer in JSON on standard output, errors in JSON on standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more; twice for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    pub color: Color,
    /// Never ask; refuse where a question would be needed
    #[arg(long, global = true)]
    pub no_input: bool,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a project in a directory
    Init(InitArgs),
    /// Check workflows, policy and the project's own files; changes nothing
    Validate(ValidateArgs),
    /// Write workflow files in their one form
    Fmt(FmtArgs),
    /// Run a workflow and watch it
    Run(Box<RunArgs>),
    /// List, show and steer runs
    #[command(subcommand)]
    Runs(RunsCommand),
    /// List the workflows that start by themselves, and when
    Schedules,
    /// Say yes to what waits for approval
    Approve(DecideArgs),
    /// Say no to what waits for approval
    Deny(DecideArgs),
    /// List and show approvals
    #[command(subcommand)]
    Approvals(ApprovalsCommand),
    /// Test, list and explain policy
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Read, verify and prove the journal
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Evaluate, export, check and format CUE
    #[command(subcommand)]
    Cue(CueCommand),
    /// Plan what makes the hosts as they are declared; changes nothing
    Plan(PlanArgs),
    /// Apply a plan: the one in a file, or one that is made now
    Apply(Box<ApplyPlanArgs>),
    /// Plan to delete everything that was applied, and apply that
    Destroy(Box<ApplyArgs>),
    /// Take back what a run of a plan did, by another plan
    Undo(Box<UndoArgs>),
    /// Write the configuration that declares what is on a host already
    Import(BringArgs),
    /// Say what on the hosts is not as it was applied
    Drift(DriftArgs),
    /// Print what would change, and in which order, in the DOT language of Graphviz
    Graph(GraphArgs),
    /// List and show what was applied; forget it, rename it, adopt what is there
    #[command(subcommand)]
    Resources(ResourcesCommand),
    /// Ask hosts what they are, and keep it
    #[command(subcommand)]
    Facts(FactsCommand),
    /// List, show and check what knows types of resources
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// List the secrets that the configuration declares, and encrypt them
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Give a host a service user, its key, sudo rights and a record; or take it back
    Onboard(Box<OnboardArgs>),
    /// Print what a configuration may say
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Serve projects over HTTP: the interface for programs, and Operate for people
    Server(Box<ServerArgs>),
    /// Sign in to Operate, the web interface; serves the project if nobody does
    Ui(Box<UiArgs>),
    /// What is broken, what waits for me, what happened last
    Status,
    /// Log in to a server with an API token
    Login(LoginArgs),
    /// Forget a server and its token
    Logout(LogoutArgs),
    /// Say who you are on a server, and what you may do there
    Whoami,
    /// Look for what is wrong with this installation and environment
    Doctor(DoctorArgs),
    /// Write the environment's whole state to one file, while others may go on
    Backup(BackupArgs),
    /// Verify a backup and put it in place
    Restore(RestoreArgs),
    /// Explain an error code, for example E0301, or where a value of the configuration comes from
    Explain {
        /// The code, or the word `value`; every code when left out
        code: Option<String>,
        /// After `value`: the path of a value, for example hosts.web.port
        path: Option<String>,
    },
    /// Print completions for a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the version
    Version,
}

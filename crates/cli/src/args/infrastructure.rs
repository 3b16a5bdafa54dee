//! Arguments of the commands about hosts and what they should be.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What can be done with facts.
#[derive(Debug, Subcommand)]
pub enum FactsCommand {
    /// Ask hosts what they are, where that is not known or has expired
    Collect(CollectArgs),
    /// List what is known of which host, and how old it is
    List(AgeArgs),
    /// Show what is known of a host
    Show(ShowFactsArgs),
}

/// How old facts may be.
#[derive(Debug, Args)]
pub struct AgeArgs {
    /// Facts older than this have expired, for example 10m or PT1H; an hour when left out
    #[arg(long, value_name = "DURATION")]
    pub max_age: Option<String>,
    /// Set a variable of the configuration
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
}

/// Arguments of `facts collect`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 every host is known, 1 a host could not be asked.")]
pub struct CollectArgs {
    /// Hosts of the configuration; all of them when left out
    pub hosts: Vec<String>,
    /// Only hosts with this label
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub labels: Vec<String>,
    /// Ask also where the facts have not expired
    #[arg(long)]
    pub refresh: bool,
    /// How old facts may be.
    #[command(flatten)]
    pub age: AgeArgs,
}

/// Arguments of `facts show`.
#[derive(Debug, Args)]
pub struct ShowFactsArgs {
    /// The host
    pub host: String,
    /// Only this part: os, kernel, cpu, memory, disks, network, packages, services, users, groups, time
    #[arg(long, value_name = "NAME")]
    pub part: Option<String>,
}

/// What can be done with the schema of configurations.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum SchemaCommand {
    /// Print what a configuration may say, as CUE definitions
    Show,
}

/// What a plan is about.
#[derive(Debug, Clone, Args)]
pub struct WantedArgs {
    /// Set a variable of the configuration
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// Only this resource and what it depends on; may be given more than once
    #[arg(long = "target", value_name = "RESOURCE")]
    pub targets: Vec<String>,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the plan is made, 1 something is blocked, 3 there are changes (--detailed-exit-code)."
)]
pub struct PlanArgs {
    /// What it is about.
    #[command(flatten)]
    pub wanted: WantedArgs,
    /// Plan to delete everything that was applied
    #[arg(long)]
    pub destroy: bool,
    /// Write the plan to a file, to be reviewed and applied as it is
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Show the plan in a file, or the one that a run applies (its id, or `latest`), instead of making one
    #[arg(long, value_name = "FILE|RUN", conflicts_with_all = ["variables", "targets", "destroy"])]
    pub show: Option<String>,
    /// Print the graph of changes in the DOT language of Graphviz
    #[arg(long)]
    pub dot: bool,
    /// Exit with 3 when there are changes
    #[arg(long)]
    pub detailed_exit_code: bool,
}

/// Arguments of `graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// What it is about.
    #[command(flatten)]
    pub wanted: WantedArgs,
}

/// Arguments of `drift`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 everything is as it was applied, 1 it is not or cannot be read; with --every 0 when it is ended."
)]
pub struct DriftArgs {
    /// What it is about.
    #[command(flatten)]
    pub wanted: WantedArgs,
    /// Look again every so often until Ctrl-C, and do what each resource's `drift` says; as aedile.yaml says without a value
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "", conflicts_with = "targets")]
    pub every: Option<String>,
    /// Look once, do what each resource's `drift` says, and wait for what is repaired
    #[arg(long, conflicts_with_all = ["targets", "every"])]
    pub reconcile: bool,
    /// Take notice of a fight or a refusal, so that what is declared about drift is done again: HOST/RESOURCE or RESOURCE; of
    /// all without a name
    #[arg(long, value_name = "RESOURCE", num_args = 0.., conflicts_with_all = ["targets", "every", "reconcile", "variables"])]
    pub acknowledge: Option<Vec<String>>,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT", requires = "acknowledge")]
    pub reason: Option<String>,
}

/// How a run that changes something is begun and followed.
#[derive(Debug, Args)]
pub struct CarryArgs {
    /// Do not ask whether to go on; policy and approvals are asked all the same
    #[arg(short, long)]
    pub yes: bool,
    /// Act as another principal, where access.yaml lets you
    #[arg(long = "as", value_name = "NAME")]
    pub act_as: Option<String>,
    /// Answer the approvals this run waits for with yes, as these principals, where access.yaml lets you
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub approve_as: Vec<String>,
    /// Return once the run is durable; exit 4 if it waits for approval by then
    #[arg(long, conflicts_with_all = ["approve_as", "timeout"])]
    pub detach: bool,
    /// Stop waiting after this long, for example 30s; the run itself goes on where it can
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
}

/// Arguments of `apply` and `destroy`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 everything was done, 1 something was not, 4 waiting for approval (--detach, --timeout), 5 denied."
)]
pub struct ApplyArgs {
    /// What it is about.
    #[command(flatten)]
    pub wanted: WantedArgs,
    /// How the run is begun and followed.
    #[command(flatten)]
    pub carry: CarryArgs,
    /// Most changes at the same time, 512 when left out
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub concurrency: u32,
    /// Most changes of one host at the same time; as many as at all when left out
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub per_host: u32,
    /// This many hosts go first, alone; a failure there ends the run
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub canary: u32,
    /// This many hosts go at the same time after that; all when left out
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub batch: u32,
    /// Begin nothing more once something failed on more hosts than this
    #[arg(long, value_name = "N")]
    pub max_failures: Option<u32>,
    /// How often a change is tried again after a failure that may pass, 3 when left out
    #[arg(long, value_name = "N", default_value_t = 3, hide_default_value = true)]
    pub max_retries: u32,
}

/// Arguments of `apply`: a plan that was made before, or one that is made now.
#[derive(Debug, Args)]
pub struct ApplyPlanArgs {
    /// File of a plan; a plan is made now when left out
    #[arg(conflicts_with_all = ["variables", "targets"])]
    pub plan: Option<PathBuf>,
    /// How it is applied.
    #[command(flatten)]
    pub how: ApplyArgs,
}

/// What can be done with what is on record of resources.
#[derive(Debug, Subcommand)]
pub enum ResourcesCommand {
    /// List what was applied, to which hosts, and by which run
    List,
    /// Show what was applied to a resource
    Show {
        /// HOST/RESOURCE, or RESOURCE where it is on one host only
        resource: String,
    },
    /// Forget what was applied: the host is not touched, and nothing deletes it later
    Forget(Box<ForgetArgs>),
    /// Give what was applied another name: the host is not touched
    Move(Box<MoveArgs>),
    /// Put on record what is declared and there already: the host is not touched
    Adopt(Box<AdoptArgs>),
}

/// Arguments of `resources forget`.
#[derive(Debug, Args)]
#[command(
    after_help = "It is a change like any other: judged, approved where policy says so, and in the journal. What is declared still is planned anew: as there already, or to be made.\n\nExit codes: 0 it is forgotten, 1 it is not, 4 waiting for approval (--detach, --timeout), 5 denied."
)]
pub struct ForgetArgs {
    /// HOST/RESOURCE, or RESOURCE where it is on one host only
    #[arg(required = true, value_name = "RESOURCE")]
    pub resources: Vec<String>,
    /// How the run is begun and followed.
    #[command(flatten)]
    pub carry: CarryArgs,
}

/// Arguments of `resources move`.
#[derive(Debug, Args)]
#[command(
    after_help = "It is a change like any other: judged, approved where policy says so, and in the journal. A configuration can say the same with `moved_from`.\n\nExit codes: 0 it has the new name, 1 it has not, 4 waiting for approval (--detach, --timeout), 5 denied."
)]
pub struct MoveArgs {
    /// HOST/RESOURCE, or RESOURCE where it is on one host only
    pub from: String,
    /// The new name; nothing may be on record under it
    pub to: String,
    /// The host that it is on under the new name; the same one when left out
    #[arg(long)]
    pub host: Option<String>,
    /// How the run is begun and followed.
    #[command(flatten)]
    pub carry: CarryArgs,
}

/// Arguments of `resources adopt`.
#[derive(Debug, Args)]
#[command(
    after_help = "What is declared and there already is as it should be, so no plan changes it, and nothing is on record: it stays when it is taken out of the configuration. On record it is deleted then. What is there and differs is none of this: `aedile apply` changes it, and that puts it on record.\n\nExit codes: 0 it is on record, 1 it is not, 4 waiting for approval (--detach, --timeout), 5 denied."
)]
pub struct AdoptArgs {
    /// Resources of the configuration, on every host that they are for
    #[arg(required = true, value_name = "RESOURCE")]
    pub resources: Vec<String>,
    /// Set a variable of the configuration
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// How the run is begun and followed.
    #[command(flatten)]
    pub carry: CarryArgs,
}

/// Arguments of `undo`.
#[derive(Debug, Args)]
#[command(
    after_help = "The way back is a plan like any other: shown, judged, approved where policy says so, and in the journal. It brings back what the run found, as far as its records say that it changed it; what cannot be taken back is named and stays. It is refused when anything was changed since. The configuration stays as it is: put it back, too, or the next plan does it again.\n\nExit codes: 0 everything that can be is taken back, 1 something is not, 4 waiting for approval (--detach, --timeout), 5 denied."
)]
pub struct UndoArgs {
    /// The run that applied a plan, or the beginning of its id; `latest` for the last one
    pub run: String,
    /// How the run is begun and followed.
    #[command(flatten)]
    pub carry: CarryArgs,
}

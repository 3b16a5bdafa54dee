//! Arguments of the commands about hosts and what they should be.

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

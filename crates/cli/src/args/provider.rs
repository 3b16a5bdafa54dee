//! Arguments of the commands about providers.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What can be done with providers.
#[derive(Debug, Subcommand)]
pub enum ProviderCommand {
    /// List the providers that come with Aedile and those of the project
    List,
    /// Show the types of a provider, and what each may touch
    Show(ShowProviderArgs),
    /// Try whether a provider keeps its word: plan equals apply, a second apply is a no-op, import round-trips
    Check(CheckProviderArgs),
}

/// Arguments of `provider show`.
#[derive(Debug, Args)]
pub struct ShowProviderArgs {
    /// Its name, or a manifest, a directory with one, or a component
    #[arg(value_name = "NAME|FILE")]
    pub provider: String,
    /// Which version, for example 1.2.0, ~1.2 or latest
    #[arg(long, value_name = "REQUIREMENT", default_value = "", hide_default_value = true)]
    pub version: String,
}

/// Arguments of `provider check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Resources are made in a scratch directory of this machine, which is all the provider can see and change.\n\nExit codes: 0 it keeps its word, 6 it does not."
)]
pub struct CheckProviderArgs {
    /// Which provider.
    #[command(flatten)]
    pub which: ShowProviderArgs,
    /// The cases; cases.json beside the provider when left out
    #[arg(long, value_name = "FILE")]
    pub cases: Option<PathBuf>,
    /// Let it run this program, on this machine and as you
    #[arg(long = "exec", value_name = "PROGRAM")]
    pub programs: Vec<String>,
}

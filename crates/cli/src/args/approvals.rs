//! Arguments of `approve`, `deny` and `approvals`.

use clap::{Args, Subcommand};

/// Arguments of `approve` and `deny`.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The approval; any unique beginning of its id will do
    pub approval: String,
    /// Why, for the journal
    #[arg(short = 'm', long = "reason", value_name = "TEXT")]
    pub reason: Option<String>,
    /// Act as another principal, where access.yaml lets you
    #[arg(long = "as", value_name = "NAME")]
    pub act_as: Option<String>,
    /// Decide for all remaining levels at once, in an emergency, where the level allows it
    #[arg(long = "override")]
    pub emergency: bool,
}

/// What can be done with approvals.
#[derive(Debug, Subcommand)]
pub enum ApprovalsCommand {
    /// List approvals that wait, oldest first
    List {
        /// Those that are decided, too
        #[arg(long)]
        all: bool,
    },
    /// Show one approval: what is asked, of whom, who decided
    Show {
        /// The approval; any unique beginning of its id will do
        approval: String,
    },
}

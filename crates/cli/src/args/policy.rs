//! Arguments of `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What can be done with policy.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Run the policy's tests
    Test(PolicyTestArgs),
    /// Say why something was allowed, denied or asked about
    Explain(ExplainPolicyArgs),
    /// List the rules in force
    List,
}

/// Arguments of `policy test`.
#[derive(Debug, Args)]
pub struct PolicyTestArgs {
    /// Directory of the policy; the project's when left out
    pub directory: Option<PathBuf>,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
}

/// Arguments of `policy explain`.
#[derive(Debug, Args)]
pub struct ExplainPolicyArgs {
    /// A position in the journal, a run, or an approval
    pub event: String,
}

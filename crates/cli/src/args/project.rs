//! Arguments of `init`, `validate`, `fmt` and `doctor`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Directory of the new project
    #[arg(default_value = ".", hide_default_value = true)]
    pub directory: PathBuf,
    /// Its name; the directory's when left out
    #[arg(long)]
    pub name: Option<String>,
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Workflow files; everything of the project when left out
    pub files: Vec<PathBuf>,
    /// Set a variable of the infrastructure's configuration
    #[arg(long = "var", value_name = "NAME=VALUE", conflicts_with = "files")]
    pub variables: Vec<String>,
}

/// Arguments of `fmt`.
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// Workflow files; all of the project when left out
    pub files: Vec<PathBuf>,
    /// Change nothing; exit 1 if a file is not in its one form
    #[arg(long)]
    pub check: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// What to do; look only when left out
    #[command(subcommand)]
    pub command: Option<DoctorCommand>,
}

/// What `doctor` can do.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum DoctorCommand {
    /// Drop every view of the journal and make it again
    Rebuild,
}

//! Arguments of `import`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(
    after_help = "What is printed declares what is there, as it is: it is read with the rest of the project before. Nothing is changed, and no value of a secret is printed. What an ID is, `aedile provider show` says for each type.\n\nIt is on record, and so is deleted once it is not declared any more, after `aedile resources adopt`.\n\nExit codes: 0 the configuration is there, 1 what was named is not on the host or cannot be looked at, 2 a name stands for nothing, or the configuration would be wrong with it.\n\nExample: aedile import web-1 linux.file::file /etc/motd --as motd --out infrastructure/motd.cue"
)]
pub struct BringArgs {
    /// The host
    pub host: String,
    /// The type; `aedile provider list` names them
    #[arg(value_name = "TYPE")]
    pub kind: String,
    /// What is imported, as its type names things: a path, a package, a user
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    /// The resource's name; made of type and id when left out
    #[arg(long = "as", value_name = "RESOURCE")]
    pub name: Option<String>,
    /// New file to write to, for example infrastructure/motd.cue; standard output when left out
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Set a variable of the configuration
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
}

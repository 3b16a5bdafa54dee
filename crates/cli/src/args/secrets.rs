//! Arguments of the commands about secrets.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// List the secrets that the configuration declares, where they are, and whether they can be had; never their values
    List(ListSecretsArgs),
    /// Encrypt a secret, so that the project can keep it
    Encrypt(EncryptArgs),
    /// Make a key for encrypted secrets, and print its public half
    Keygen(KeygenArgs),
}

/// Arguments of `secrets list`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 every secret can be had, 1 one cannot.")]
pub struct ListSecretsArgs {
    /// Set a variable of the configuration
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
}

/// Arguments of `secrets encrypt`.
#[derive(Debug, Args)]
#[command(
    after_help = "The secret is read from a file or a pipe: it never is an argument.\n\nExample: pass show db | aedile secrets encrypt - --output secrets/db.age"
)]
pub struct EncryptArgs {
    /// The file with the secret; `-` reads standard input
    pub input: String,
    /// Where to write it; standard output when left out
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over the file that is there
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Who can read it (age1...), instead of the recipients in aedile.yaml
    #[arg(long = "to", value_name = "KEY")]
    pub recipients: Vec<String>,
}

/// Arguments of `secrets keygen`.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// Where to write the key; outside of the project, in your own configuration, when left out
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

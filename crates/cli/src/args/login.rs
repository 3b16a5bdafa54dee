//! Arguments of `login` and `logout`.

use clap::Args;

/// Arguments of `login`.
#[derive(Debug, Args)]
#[command(
    after_help = "The token is asked for at the terminal, or is the first line of standard input.\n\nExamples:\n  aedile login https://aedile.example.com\n  aedile login https://10.0.0.7:8420 --fingerprint SHA256 < token-file"
)]
pub struct LoginArgs {
    /// The server's address, as it shows it when it starts
    pub url: String,
    /// SHA-256 of the certificate that the server has to have, where nobody else vouches for it
    #[arg(long, value_name = "SHA256")]
    pub fingerprint: Option<String>,
}

/// Arguments of `logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// The server; the one of --server when left out, or the only one there is
    pub url: Option<String>,
}

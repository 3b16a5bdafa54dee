//! Arguments of `backup` and `restore`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `backup`.
#[derive(Debug, Args)]
#[command(
    after_help = "The file holds the journal, what actions keep, accepted host keys, and the environment's PRIVATE KEYS AND SECRETS: keep it as safely as those, or encrypt it with --recipient. It is a tar archive, its owner's only, and appears whole or not at all. The journal is verified first; others may go on writing meanwhile.\n\nExit codes: 0 the file is there and can be restored, 1 it could not be written, 6 the journal does not verify.\n\nExample: aedile backup ~/shop-dev.backup --recipient age1..."
)]
pub struct BackupArgs {
    /// The file to write
    pub file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    pub force: bool,
    /// Encrypt it for whoever has the private half of this key (age1...)
    #[arg(long = "recipient", value_name = "KEY")]
    pub recipients: Vec<String>,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
#[command(
    after_help = "Everything is verified before anything is replaced: the archive against its manifest, then the whole journal in it, chain and signatures. The runs that were under way when the backup was made are so again, and the next engine carries them on: look at `aedile runs list` before you start one.\n\nExit codes: 0 the backup was verified and is in place, 1 there is state already or an engine is at work, 2 it is of another environment, 6 it does not verify. Unless it is 0, nothing was replaced."
)]
pub struct RestoreArgs {
    /// The backup
    pub file: PathBuf,
    /// Put it in place of the state that is there, which is kept beside it
    #[arg(long)]
    pub replace: bool,
    /// Restore the backup of another project or environment here
    #[arg(long, value_name = "PROJECT/ENVIRONMENT")]
    pub from: Option<String>,
    /// File with the private key of an encrypted backup; the one for the environment's secrets when left out
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// File with the public key (C2SP verifier key) that must have signed its journal; those in the backup when left out
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

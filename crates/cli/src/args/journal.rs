//! Arguments of `journal`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What can be done with the journal.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Print records, latest last
    Log(LogArgs),
    /// Show one record whole
    Show(ShowRecordArgs),
    /// Check that nothing was edited, deleted, reordered or cut off
    Verify(VerifyArgs),
    /// Sign the journal's head
    Checkpoint(CheckpointArgs),
    /// Prove that a record is in the journal, or that one checkpoint continues another
    Prove(ProveArgs),
    /// Write records as JSON Lines
    Export(ExportArgs),
    /// Fold the journal again and compare with the views
    Replay,
    /// Show and change the keys that sign checkpoints
    #[command(subcommand)]
    Keys(KeysCommand),
}

/// Arguments of `journal log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// At most this many records, the latest ones
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Only records of this stream, for example a run
    #[arg(long)]
    pub stream: Option<String>,
    /// Go on with new records as they come
    #[arg(short, long)]
    pub follow: bool,
}

/// Arguments of `journal show`.
#[derive(Debug, Args)]
pub struct ShowRecordArgs {
    /// Its position
    pub position: u64,
}

/// Arguments of `journal verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A journal's file, for example a copy; the environment's when left out
    pub file: Option<PathBuf>,
    /// File with the public key (C2SP verifier key) that must have signed; the keys named in the journal itself when left out
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// Arguments of `journal checkpoint`.
#[derive(Debug, Args)]
pub struct CheckpointArgs {
    /// File to write the signed note to, as well
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Arguments of `journal prove`.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// Position of the record
    #[arg(required_unless_present = "from")]
    pub position: Option<u64>,
    /// Size of an earlier checkpoint that the journal must continue
    #[arg(long, value_name = "SIZE", conflicts_with = "position")]
    pub from: Option<u64>,
    /// File with that earlier checkpoint as it was kept; without it, what the journal remembers of it is taken
    #[arg(long, value_name = "FILE", requires = "from")]
    pub checkpoint: Option<PathBuf>,
    /// File with a public key (C2SP verifier key) one of which must have signed; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// Size of the checkpoint to prove against; the latest one's when left out
    #[arg(long, value_name = "SIZE")]
    pub size: Option<u64>,
}

/// Arguments of `journal export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// File to write to; standard output when left out
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// File with a public key (C2SP verifier key) that must have signed: what is written is verified with it on the way
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// What can be done with keys.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum KeysCommand {
    /// List keys, the one in use last
    List,
    /// Make a new key and retire the one in use
    Rotate,
}

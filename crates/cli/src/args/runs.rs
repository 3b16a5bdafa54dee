//! Arguments of `runs`.

use clap::{Args, Subcommand};

/// What can be done with runs.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List runs, latest first
    List(ListRunsArgs),
    /// Show one run: its steps, what it waits for, its output
    Show(RunIdArgs),
    /// Print what happened to a run, in order
    Logs(RunLogsArgs),
    /// Send data to a run
    Signal(SignalArgs),
    /// Hold a run: nothing new is started
    Pause(ReasonArgs),
    /// Let a held run go on
    Resume(RunIdArgs),
    /// Stop a run and run its compensations
    Cancel(ReasonArgs),
    /// Let a failed run go on from a step
    Retry(RetryArgs),
    /// Say whether the effect of a step in doubt happened
    Resolve(ResolveArgs),
}

/// Arguments of `runs list`.
#[derive(Debug, Args)]
pub struct ListRunsArgs {
    /// Only runs in this state
    #[arg(long, value_parser = ["submitted", "running", "waiting", "paused", "completed", "failed", "cancelled"])]
    pub status: Option<String>,
    /// Only runs of this workflow
    #[arg(long, value_name = "NAME")]
    pub workflow: Option<String>,
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
}

/// One run.
#[derive(Debug, Args)]
pub struct RunIdArgs {
    /// The run; any unique beginning of its id will do
    pub run: String,
}

/// Arguments of `runs logs`.
#[derive(Debug, Args)]
pub struct RunLogsArgs {
    /// The run; any unique beginning of its id will do
    pub run: String,
    /// Go on until the run ends
    #[arg(short, long)]
    pub follow: bool,
}

/// One run and why.
#[derive(Debug, Args)]
pub struct ReasonArgs {
    /// The run; any unique beginning of its id will do
    pub run: String,
    /// Why, for the journal
    #[arg(short = 'm', long = "reason", value_name = "TEXT")]
    pub reason: Option<String>,
    /// Act as another principal, where access.yaml lets you
    #[arg(long = "as", value_name = "NAME")]
    pub act_as: Option<String>,
}

/// Arguments of `runs signal`.
#[derive(Debug, Args)]
pub struct SignalArgs {
    /// The run; any unique beginning of its id will do
    pub run: String,
    /// The signal's name
    pub name: String,
    /// Its data in JSON; null when left out
    #[arg(long, value_name = "JSON")]
    pub data: Option<String>,
}

/// Arguments of `runs retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// The run; any unique beginning of its id will do
    pub run: String,
    /// From this step; the one that failed when left out
    #[arg(long, value_name = "STEP")]
    pub from: Option<String>,
}

/// Arguments of `runs resolve`.
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// The run; any unique beginning of its id will do
    pub run: String,
    /// The step in doubt
    pub step: String,
    /// Which doubt is meant, as the run's narration shows it; needed once the step has been in doubt more than once
    #[arg(long, value_name = "RECORD")]
    pub doubt: Option<u64>,
    /// The effect happened; the step is complete
    #[arg(long, required_unless_present = "not_happened")]
    pub happened: bool,
    /// The effect did not happen; the step is performed again
    #[arg(long, conflicts_with_all = ["happened", "output"])]
    pub not_happened: bool,
    /// The step's output in JSON, if it happened
    #[arg(long, value_name = "JSON")]
    pub output: Option<String>,
    /// Why you think so, for the journal
    #[arg(short = 'm', long = "reason", value_name = "TEXT")]
    pub reason: Option<String>,
}

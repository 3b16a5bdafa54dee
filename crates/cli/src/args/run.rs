//! Arguments of `run`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 completed, 1 failed, 4 waiting for approval (--detach, --timeout), 5 denied."
)]
pub struct RunArgs {
    /// File of a workflow, or the name of one of the project's
    #[arg(required_unless_present_any = ["resume", "scheduled"])]
    pub workflow: Option<String>,
    /// A member of the input; the value is JSON where it parses as such, and a text otherwise
    #[arg(short, long = "set", value_name = "KEY=VALUE", conflicts_with_all = ["input", "resume", "batch"])]
    pub input_values: Vec<String>,
    /// File with the input in JSON or YAML; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["resume", "batch"])]
    pub input: Option<PathBuf>,
    /// File with many inputs, one run each, in order: a JSON or YAML list, or one JSON a line. Stops at the first that fails
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub batch: Option<PathBuf>,
    /// Directory for the batch's results (`batch-001.result.json`, ...)
    #[arg(long, value_name = "DIR", requires = "batch")]
    pub results: Option<PathBuf>,
    /// Act as another principal, where access.yaml lets you
    #[arg(long = "as", value_name = "NAME")]
    pub act_as: Option<String>,
    /// Return once the run is durable; exit 4 if it waits for approval by then
    #[arg(long, conflicts_with_all = ["approve_as", "timeout"])]
    pub detach: bool,
    /// Answer the approvals this run waits for with yes, as these principals, where access.yaml lets you
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub approve_as: Vec<String>,
    /// Go on with a run that was interrupted; the latest one when no run is named
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "")]
    pub resume: Option<String>,
    /// Stop waiting after this long, for example 30s; the run itself goes on where it can
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// A key of your own: the same key names the same run, however often it is submitted
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Keep the workflow's own schedule until Ctrl-C: start a run whenever it says so; all of the project's when none is named
    #[arg(long, conflicts_with_all = ["resume", "batch", "detach", "timeout", "approve_as", "act_as", "idempotency_key"])]
    pub scheduled: bool,
}

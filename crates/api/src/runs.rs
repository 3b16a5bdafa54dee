//! Runs.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::Finding;

/// One execution of a program, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its id.
    pub run: String,
    /// What kind of program: `workflow`, `plan`.
    pub kind: String,
    /// Name of the program, `namespace/name` of a workflow.
    pub workflow: String,
    /// Version of the program.
    pub version: String,
    /// Digest of the program's definition.
    pub definition: String,
    /// The environment.
    pub environment: String,
    /// On whose behalf.
    pub requester: String,
    /// The run that started it.
    pub parent: Option<String>,
    /// `submitted`, `running`, `waiting`, `paused`, `in_doubt`, `completed`, `failed` or `cancelled`.
    pub status: String,
    /// What it waits for.
    pub waiting_on: Option<WaitingOn>,
    /// When it was submitted.
    pub submitted_at: String,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// What went wrong, one line.
    pub problem: Option<String>,
    /// Position of the record that submitted it.
    pub position: u64,
    /// Position of its last record.
    pub last: u64,
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingOn {
    /// `approval`, `window`, `timer`, `run` or `event`.
    pub kind: String,
    /// The approval, the run, the step; or the moment.
    pub what: String,
}

/// Everything about one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunDetail {
    /// As in the list.
    #[serde(flatten)]
    pub run: Run,
    /// Its input. Secrets are references in it.
    pub input: Value,
    /// Where its definition came from: `project`, or `caller` where whoever asked for the run sent it along.
    #[serde(default = "project")]
    pub origin: String,
    /// Its output, once it has completed.
    pub output: Option<Value>,
    /// Why it stands where it stands, for people: one sentence each, the most important first.
    pub why: Vec<String>,
    /// Where to go from here.
    pub links: RunLinks,
}

fn project() -> String {
    "project".to_owned()
}

/// Where to go from a run. Paths on the same server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunLinks {
    /// The run.
    #[serde(rename = "self")]
    pub itself: String,
    /// Its steps.
    pub steps: String,
    /// Its events.
    pub events: String,
    /// Its events as they happen.
    pub stream: String,
}

/// One step of a run, folded from its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its id, a JSON pointer into the definition with counters for loops.
    pub step: String,
    /// Its name in the definition.
    pub name: String,
    /// What kind of action or task; `none` for a step that only waits or asks.
    pub kind: String,
    /// What it acts on.
    pub target: Option<String>,
    /// `scheduled`, `completed`, `failed`, `asking`, `deferred`, `in_doubt`, `abandoned` or `waiting`; after an approval how that
    /// ended.
    pub status: String,
    /// How often it was attempted.
    pub attempts: u32,
    /// When it was scheduled first.
    pub started_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Policy's verdict, and the rules that matched.
    pub verdict: Option<Value>,
    /// The approval that was asked for.
    pub approval: Option<String>,
    /// Its input.
    pub input: Option<Value>,
    /// Its output.
    pub output: Option<Value>,
    /// Why it failed or is in doubt, one line.
    pub problem: Option<String>,
    /// Which doubt it is in: what an answer names.
    pub doubt: Option<u64>,
    /// Position of its first record.
    pub position: u64,
}

/// Which runs. Every member narrows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Only with one of these, separated by commas: `submitted`, `running`, `waiting`, `paused`, `in_doubt`, `completed`, `failed`, `cancelled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Only of the program with this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Only of programs of this kind: `workflow`, `plan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only on behalf of this principal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
    /// Only submitted at or after this moment, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Only whose id begins so, with or without `run_`; at most 100 of these, without a next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How many at most; 50 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Part of a stream of records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Only after this sequence of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How many at most; 200 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

/// A workflow's document that is sent along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// What to call it in findings and in the journal.
    #[schema(max_length = 1024)]
    pub file: String,
    /// Its text, YAML or JSON; 1 MiB at most.
    pub text: String,
}

/// What is to be run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubmitRun {
    /// `namespace/name` of a workflow of the project; left out where a definition is sent along.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workflow: Option<String>,
    /// What to run instead of a workflow of the project. Policy has to allow it (`origin: caller`), unless the project has the very
    /// same text, and it cannot use secrets.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub definition: Option<Definition>,
    /// Version of the workflow; the newest when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// Its input; an empty object when left out.
    #[serde(default)]
    pub input: Option<Value>,
    /// Check policy, schema and secrets, and run nothing.
    #[serde(default)]
    pub check_only: bool,
}

/// A run that was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubmittedRun {
    /// Its id; absent where only a check was asked for.
    pub run: Option<String>,
    /// Where to go from here.
    pub links: Option<RunLinks>,
    /// Warnings about a definition that was sent along.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub findings: Vec<Finding>,
}

/// Why somebody does something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Reason {
    /// Why; kept in the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// From where a run is to go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RetryRun {
    /// The step; the one that failed when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Data for a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignalRun {
    /// The signal's name.
    pub name: String,
    /// Its data.
    #[serde(default)]
    pub data: Value,
}

/// What is known of a step in doubt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolveRun {
    /// The step.
    pub step: String,
    /// Which doubt: the sequence of its `step.in_doubt`; may be left out while there has been one only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub doubt: Option<u64>,
    /// Whether the effect happened. If not, it is performed again.
    pub happened: bool,
    /// The step's output, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<Value>,
    /// How the person knows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// What was done to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Steered {
    /// The run.
    pub run: String,
    /// Who did it.
    pub by: String,
    /// `cancelled`, `paused`, `resumed`, `retried`, `signalled` or `resolved`.
    pub done: String,
}

//! Schedules: workflows that start by themselves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Schedules of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedules {
    /// The environment.
    pub environment: String,
    /// Whether the server keeps them; absent where no server is asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kept: Option<bool>,
    /// The schedules.
    pub schedules: Vec<Schedule>,
    /// Files of the project that cannot be read, and so are left out.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub left_out: Vec<LeftOut>,
}

/// A workflow that starts by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// `namespace/name`.
    pub workflow: String,
    /// What starts it: `cron`, `every`, `after` (its last run), `on` (events).
    pub kind: String,
    /// When, as the document has it.
    pub when: String,
    /// The run it started last.
    pub last_run: Option<String>,
    /// When that was.
    pub last_start: Option<String>,
    /// The next start by time, as far as it is known; counted from now where nobody ever kept the schedule.
    pub next_start: Option<String>,
}

/// A file that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// The file.
    pub file: String,
    /// Why.
    pub why: String,
}

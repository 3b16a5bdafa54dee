//! Projects and environments.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Approval, Run};

/// A project that the caller may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Its name.
    pub name: String,
    /// Environments that the caller may see.
    pub environments: Vec<EnvironmentName>,
    /// The environment that is meant where none is named, if the caller may see it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub default_environment: Option<String>,
}

/// An environment in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentName {
    /// Its name.
    pub name: String,
    /// Whether a mistake here is felt by customers: `production` of `aedile.yaml`, or a name that says so.
    pub production: bool,
    /// What the caller may do: `read`, `operate`, `approve`, `administer`.
    pub may: Vec<String>,
}

/// Projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Projects {
    /// The projects, by name.
    pub items: Vec<Project>,
}

/// An environment at a glance: is anything broken, does anything wait, what changed?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// The journal.
    pub journal: JournalStatus,
    /// How many runs have each status; statuses without a run are left out.
    pub runs: std::collections::BTreeMap<String, u64>,
    /// How many timers have not fired.
    pub timers: u64,
    /// How many approvals wait.
    pub approvals_waiting: u64,
    /// Some of them, newest first.
    pub approvals: Vec<Approval>,
    /// Some runs under way, newest first.
    pub open: Vec<Run>,
    /// Runs that failed last.
    pub failed: Vec<Run>,
    /// Resources that are not as they were applied.
    pub drifted: Vec<String>,
    /// The same, with what is the matter with each.
    #[serde(default)]
    pub drift: Vec<Drifted>,
    /// Resources that somebody fights over.
    pub fights: Vec<String>,
    /// Resources that keep changing, which is told once a day.
    #[serde(default)]
    pub flapping: Vec<String>,
    /// Since when rounds that look for drift come to nothing, and why, where that is so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub skipped: Option<Skipped>,
    /// Why the rules in the project's files are not in force, where they are not; those read before are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rules: Option<String>,
}

/// Rounds that were to look for drift and did not, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// When the first was skipped.
    pub since: String,
    /// How many were, at least: it is recorded whenever it has gone on twice as long.
    pub rounds: u64,
    /// Why the last of them was.
    pub why: String,
    /// The run that is in the way, if one is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<String>,
}

/// A resource that is not as it was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drifted {
    /// Its name.
    pub resource: String,
    /// In which way, in one word: `changed`, `missing`, ...
    pub class: String,
}

/// Where a journal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JournalStatus {
    /// Position of the last record.
    pub position: u64,
    /// Its digest.
    pub digest: String,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// How many records signed checkpoints cover.
    pub checkpointed_to: Option<u64>,
}

/// What the server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Version of the program.
    pub version: String,
    /// Version of this interface.
    pub api: String,
}

/// Whether the server lives, and can work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`, or what keeps it from working, in one word.
    pub status: String,
    /// That the rules in a project's files are not in force, where that is so; the project's overview says why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rules: Option<String>,
}

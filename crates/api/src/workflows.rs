//! Workflows.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::Finding;

/// A workflow of the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workflow {
    /// `namespace/name`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its title or summary, where it has one.
    pub title: Option<String>,
    /// Its file.
    pub file: String,
    /// Digest of its text.
    pub digest: String,
}

/// Workflows, and files that are not any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workflows {
    /// The workflows, by name and version.
    pub items: Vec<Workflow>,
    /// What is wrong with the project's files.
    pub findings: Vec<Finding>,
}

/// Everything about one workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowDetail {
    /// As in the list.
    #[serde(flatten)]
    pub workflow: Workflow,
    /// Its text.
    pub text: String,
    /// JSON Schema of its input, where it has one.
    pub input: Option<Value>,
}

/// A document to be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidateWorkflow {
    /// What to call it in findings.
    #[serde(default = "unnamed")]
    pub file: String,
    /// Its text, YAML or JSON.
    pub text: String,
}

fn unnamed() -> String {
    "workflow.yaml".to_owned()
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// Whether it can be run.
    pub valid: bool,
    /// Errors and warnings.
    pub findings: Vec<Finding>,
}

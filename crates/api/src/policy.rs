//! Policy.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The policy of a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Digest of its texts: what approvals bind to.
    pub digest: String,
    /// Its rules, in the order in which they are asked.
    pub rules: Vec<Value>,
    /// The files it is made of.
    #[serde(default)]
    pub files: Vec<String>,
}

/// A recorded decision, and what it was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedDecision {
    /// Position of the record.
    pub position: u64,
    /// The run.
    pub run: String,
    /// What was decided on: the run, or a step and what it would do.
    pub about: String,
    /// The decision as it was recorded.
    pub decision: Value,
    /// The decision in words: `verdict`, `summary`, `decisive` and `others` (rules), `policy`, `input`.
    pub explanation: Value,
}

/// A question to a policy: what would it say?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evaluate {
    /// Position of a recorded decision whose request is asked again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub position: Option<u64>,
    /// Or a request document.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<Value>,
    /// Texts of another policy, by file name; the project's own when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sources: Option<Vec<PolicySource>>,
}

/// A file of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySource {
    /// `policy/policy.yaml`, `policy/NAME.rego`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evaluated {
    /// The decision.
    pub decision: Value,
    /// The decision in words: `verdict`, `summary`, `decisive` and `others` (rules), `policy`, `input`.
    pub explanation: Value,
    /// What is unusual and changes nothing.
    pub warnings: Vec<String>,
    /// The request that was asked.
    pub request: Value,
    /// The decision on record, where a recorded one was asked again.
    pub recorded: Option<Value>,
}

//! Errors: RFC 9457 problem details with Aedile's members.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of errors.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was not answered as asked: RFC 9457, with the members that every error of Aedile has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// URI of the kind of problem: `urn:aedile:error:E0008`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it means, the same for all problems with this code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// Aedile's stable code. `aedile explain CODE` has a page about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// Why, the outermost cause first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub causes: Vec<String>,
    /// What to do about it, a command where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// What is wrong in documents, each at its place.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub findings: Vec<Finding>,
    /// Where the thing stands that the request was about, if that is why: `granted`, `completed`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<String>,
    /// The request's id, also in the header `x-request-id` and in the server's log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
}

/// One thing that is wrong in a document, at its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `error` or `warning`.
    pub severity: String,
    /// Aedile's stable code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// The document.
    pub file: String,
    /// Line, from 1; 0: unknown.
    pub line: u32,
    /// Column in characters, from 1; 0: unknown.
    pub column: u32,
    /// JSON pointer into the document; empty: the whole of it.
    pub path: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

//! RFC 9457 problem details, which are also the error object of the Serverless Workflow DSL.

use serde::{Deserialize, Serialize};

/// The base of the standard error types of the Serverless Workflow specification (DSL reference, "Error").
pub const STANDARD_BASE: &str = "https://serverlessworkflow.io/spec/1.0.0/errors/";

/// What went wrong, in the form a workflow can catch and an API can answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// URI that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// HTTP-like status code.
    pub status: u16,
    /// One line that is the same for all problems of the kind.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// JSON pointer of the task that raised it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instance: Option<String>,
    /// Aedile's stable code, where the problem has one (`E0401`); an extension member in RFC 9457's terms.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// How long the other side asked to be left alone, in milliseconds; an extension member, too.
    #[serde(rename = "retryAfterMs", skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
}

macro_rules! standard {
    ($($(#[$doc:meta])* $function:ident = $name:literal, $status:literal, $title:literal;)*) => {$(
        $(#[$doc])*
        pub fn $function(detail: impl Into<String>) -> Self {
            Self {
                kind: format!("{STANDARD_BASE}{}", $name),
                status: $status,
                title: Some($title.to_owned()),
                detail: Some(detail.into()),
                instance: None,
                code: None,
                retry_after_ms: None,
            }
        }
    )*};
}

impl Problem {
    standard! {
        /// The workflow's configuration is wrong (400).
        configuration = "configuration", 400, "Configuration Error";
        /// Input, output or context does not match its schema (400).
        validation = "validation", 400, "Validation Error";
        /// A runtime expression could not be evaluated (400).
        expression = "expression", 400, "Expression Error";
        /// A called service could not be authenticated with (401).
        authentication = "authentication", 401, "Authentication Error";
        /// A called service, or policy, refused (403).
        authorization = "authorization", 403, "Authorization Error";
        /// A workflow or task took longer than its timeout (408).
        timeout = "timeout", 408, "Timeout Error";
        /// A called service failed (500 unless it said otherwise).
        communication = "communication", 500, "Communication Error";
        /// The runtime failed (500).
        runtime = "runtime", 500, "Runtime Error";
    }

    /// The same problem at a place in the workflow, unless it already names one.
    #[must_use]
    pub fn at(mut self, instance: impl Into<String>) -> Self {
        self.instance.get_or_insert_with(|| instance.into());
        self
    }

    /// The same problem with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same problem with Aedile's stable code.
    #[must_use]
    pub fn with_code(mut self, code: &crate::Code) -> Self {
        self.code = Some(code.id.to_owned());
        self
    }

    /// Whether this is the standard kind `name` (`timeout`, `validation`, ...).
    pub fn is_standard(&self, name: &str) -> bool {
        self.kind.strip_prefix(STANDARD_BASE) == Some(name)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.title.as_deref().unwrap_or(&self.kind))?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

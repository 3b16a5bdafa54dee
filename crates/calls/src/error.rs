//! Why a call failed: [`CallError`].

use std::time::Duration;

use engine::ports::{Failure, FailureClass};
use model::{Code, Coded, Problem, code};

/// Why a call failed. Texts never hold credentials: URIs are shown without query and user information.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The call cannot be made as asked.
    #[error("{0}")]
    BadCall(String),
    /// The host may not be called.
    #[error("calls to {target} are not allowed: {why}")]
    Forbidden {
        /// Host and port.
        target: String,
        /// By what.
        why: String,
    },
    /// No connection, so nothing was sent.
    #[error("{target} cannot be reached: {why}")]
    Unreachable {
        /// Host and port.
        target: String,
        /// What the network said.
        why: String,
    },
    /// It took too long.
    #[error("{target} did not answer within {after:?}")]
    Timeout {
        /// Method and URI.
        target: String,
        /// The limit.
        after: Duration,
        /// Whether a request that may change something was sent.
        sent: bool,
    },
    /// The connection broke after the request was sent.
    #[error("the connection to {target} broke: {why}")]
    Broken {
        /// Method and URI.
        target: String,
        /// What the network said.
        why: String,
        /// Whether a request that may change something was sent.
        sent: bool,
    },
    /// The service answered with a status that is an error.
    #[error("{target} answered {status}{}", quoted(.excerpt))]
    Refused {
        /// Method and URI.
        target: String,
        /// The status.
        status: u16,
        /// How the body begins.
        excerpt: String,
        /// How long to wait, if it said.
        retry_after: Option<Duration>,
        /// Whether a request that may change something was sent.
        sent: bool,
    },
    /// The response breaks the protocol or is not what its media type says.
    #[error("the response of {target} cannot be understood: {why}")]
    BadResponse {
        /// Method and URI.
        target: String,
        /// What is wrong.
        why: String,
        /// Whether a request that may change something was sent.
        sent: bool,
    },
    /// The response is larger than a limit.
    #[error("the response of {target} is larger than {limit} bytes")]
    TooLarge {
        /// Method and URI.
        target: String,
        /// The limit.
        limit: usize,
        /// Whether a request that may change something was sent.
        sent: bool,
    },
    /// No credentials could be had.
    #[error("cannot authenticate: {why}")]
    Unauthenticated {
        /// Why.
        why: String,
        /// Whether trying again may help (the authorization server could not be reached).
        transient: bool,
    },
    /// A secret is not there or not of the right form.
    #[error("{0}")]
    NoSecret(String),
    /// The OpenAPI document or the operation cannot be used.
    #[error("{0}")]
    BadOpenApi(String),
    /// A parameter of an operation is missing or wrong.
    #[error("{0}")]
    BadParameter(String),
    /// The call is not wanted any more.
    #[error("the call was cancelled")]
    Cancelled {
        /// Whether a request that may change something may have been sent.
        sent: bool,
    },
}

fn quoted(excerpt: &str) -> String {
    if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") }
}

impl CallError {
    /// Whether the effect may have happened although the call failed.
    pub fn maybe_happened(&self) -> bool {
        match self {
            Self::Timeout { sent, .. }
            | Self::Broken { sent, .. }
            | Self::BadResponse { sent, .. }
            | Self::TooLarge { sent, .. }
            | Self::Cancelled { sent } => *sent,
            // a gateway that lost the answer cannot know; every other status is the service's own word
            Self::Refused { sent, status, .. } => *sent && matches!(status, 502 | 504),
            Self::BadCall(_)
            | Self::Forbidden { .. }
            | Self::Unreachable { .. }
            | Self::Unauthenticated { .. }
            | Self::NoSecret(_)
            | Self::BadOpenApi(_)
            | Self::BadParameter(_) => false,
        }
    }

    /// What may be done about it.
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Refused { status: 429, retry_after, .. } => {
                FailureClass::Throttled { retry_after: *retry_after }
            }
            Self::Refused { status: 503, retry_after: Some(after), .. } => {
                FailureClass::Throttled { retry_after: Some(*after) }
            }
            Self::Refused { status: 409 | 412, .. } => FailureClass::Conflict,
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::Unauthenticated { transient: true, .. }
            | Self::Refused { status: 408 | 425 | 500.., .. } => FailureClass::Transient,
            _ => FailureClass::Permanent,
        }
    }

    /// What a workflow can catch.
    pub fn problem(&self) -> Problem {
        let detail = self.to_string();
        let problem = match self {
            Self::BadCall(_) | Self::BadParameter(_) => Problem::validation(detail),
            Self::Forbidden { .. } => Problem::authorization(detail),
            Self::NoSecret(_) | Self::BadOpenApi(_) => Problem::configuration(detail),
            Self::Unauthenticated { .. } => Problem::authentication(detail),
            Self::Refused { status, .. } => Problem::communication(detail).with_status(*status),
            Self::Timeout { .. } => Problem::communication(detail).with_status(504),
            Self::BadResponse { .. } | Self::TooLarge { .. } => {
                Problem::communication(detail).with_status(502)
            }
            Self::Unreachable { .. } | Self::Broken { .. } => Problem::communication(detail).with_status(503),
            Self::Cancelled { .. } => Problem::runtime(detail),
        };
        problem.with_code(self.code())
    }
}

impl Coded for CallError {
    fn code(&self) -> &'static Code {
        match self {
            Self::BadCall(_) | Self::BadParameter(_) => code::host::BAD_CALL,
            Self::Forbidden { .. } => code::host::FORBIDDEN_HOST,
            Self::Unreachable { .. } | Self::Broken { .. } => code::host::UNREACHABLE,
            Self::Timeout { .. } => code::host::CALL_TIMEOUT,
            Self::Refused { status: 401 | 407, .. } | Self::Unauthenticated { .. } => {
                code::host::UNAUTHENTICATED
            }
            Self::Refused { .. } => code::host::REFUSED,
            Self::BadResponse { .. } => code::host::BAD_RESPONSE,
            Self::TooLarge { .. } => code::host::RESPONSE_TOO_LARGE,
            Self::NoSecret(_) => code::host::NO_SECRET,
            Self::BadOpenApi(_) => code::host::BAD_OPENAPI,
            Self::Cancelled { .. } => code::run::CANCELLED,
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self { problem: error.problem(), class: error.class(), maybe_happened: error.maybe_happened() }
    }
}

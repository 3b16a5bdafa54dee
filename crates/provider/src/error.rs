//! [`ProviderError`]: what can go wrong between the host, a provider and a target.

use model::{Code, Coded, Problem, code};

use crate::exchange::{Failure, FailureClass};

/// What can go wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProviderError {
    /// The provider's schema cannot be used.
    #[error("the schema of provider `{provider}` cannot be used: {why}")]
    BadSchema {
        /// Its name, as far as it is known.
        provider: String,
        /// What is wrong.
        why: String,
    },
    /// The provider did not answer, or its sandbox stopped it.
    #[error("provider `{provider}` did not answer: {why}")]
    Stopped {
        /// Its name.
        provider: String,
        /// Why.
        why: String,
        /// The sandbox's code.
        code: &'static Code,
        /// The same call may succeed later.
        transient: bool,
    },
    /// The provider's answer is not what it promised.
    #[error("provider `{provider}` broke its contract: {why}")]
    BadAnswer {
        /// Its name.
        provider: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// The provider asked for something its type does not declare, so nobody approved it.
    #[error("provider `{provider}` wants to {what}, which `{kind}` does not declare")]
    NotDeclared {
        /// Its name.
        provider: String,
        /// The type.
        kind: String,
        /// What it wants.
        what: String,
    },
    /// The provider says that the change cannot be made.
    #[error("{}", .0.problem)]
    Failed(Failure),
    /// The target cannot be reached, or was lost.
    #[error("{why}")]
    Target {
        /// Why.
        why: String,
        /// The target's code.
        code: &'static Code,
        /// What was under way may have happened.
        uncertain: bool,
    },
}

impl Coded for ProviderError {
    fn code(&self) -> &'static Code {
        match self {
            Self::BadSchema { .. } => code::provider::BAD_SCHEMA,
            Self::Stopped { code, .. } | Self::Target { code, .. } => code,
            Self::BadAnswer { .. } => code::provider::BAD_ANSWER,
            Self::NotDeclared { .. } => code::provider::NOT_DECLARED,
            Self::Failed(_) => code::provider::CHANGE_FAILED,
        }
    }
}

impl ProviderError {
    /// Whether the same change is worth another try.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Failed(failure) => failure.class == FailureClass::Transient,
            Self::Stopped { transient, .. } => *transient,
            Self::Target { uncertain, .. } => !uncertain,
            _ => false,
        }
    }

    /// The problem a run records: a standard type, a status that says how a retry stands, and the stable code.
    pub fn problem(&self) -> Problem {
        let detail = self.to_string();
        let problem = match self {
            Self::NotDeclared { .. } => Problem::authorization(detail),
            Self::Failed(failure) => match failure.class {
                FailureClass::Transient => Problem::communication(detail).with_status(503),
                FailureClass::Conflict => Problem::communication(detail).with_status(409),
                // it was answered, and trying again would be answered the same
                FailureClass::Permanent => Problem::runtime(detail),
            },
            Self::Target { uncertain: false, .. } => Problem::communication(detail).with_status(503),
            Self::Target { .. } => Problem::communication(detail),
            Self::Stopped { transient: true, .. } => Problem::runtime(detail).with_status(503),
            _ => Problem::runtime(detail),
        };
        problem.with_code(self.code())
    }
}

//! Why a program did not do what it should: [`ProgramError`].

use std::time::Duration;

use engine::ports::{Failure, FailureClass};
use model::{Code, Coded, Problem, code};

/// Why a program did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// The action's input cannot be used.
    #[error("{0}")]
    BadInput(String),
    /// A secret would be visible to every user of the machine.
    #[error("the secret {secret} is used in {place}, which every user of the machine can read")]
    SecretExposed {
        /// Its name.
        secret: String,
        /// Where.
        place: &'static str,
    },
    /// There is no such program, or it cannot be run.
    #[error("{program} cannot be started: {why}")]
    Missing {
        /// What was to be started.
        program: String,
        /// Why not.
        why: String,
    },
    /// The container engine failed before the container ran.
    #[error("{engine} could not run the container: {said}")]
    Engine {
        /// `docker` or `podman`.
        engine: String,
        /// What it wrote.
        said: String,
    },
    /// Too many programs are going on after their steps.
    #[error("{0} programs are still going on after their steps; no more are started")]
    TooMany(usize),
    /// It ended with an exit code other than 0, or by a signal.
    #[error("{program} {how}{}", quoted(.said))]
    Exited {
        /// What ran.
        program: String,
        /// `exited with code 3`, `was ended by signal 9`.
        how: String,
        /// The end of standard error.
        said: String,
    },
    /// It ran too long.
    #[error("{program} ran longer than {limit:?} and was stopped")]
    Timeout {
        /// What ran.
        program: String,
        /// The limit.
        limit: Duration,
    },
    /// It wrote too much.
    #[error("{program} wrote more than {limit} bytes to {stream} and was stopped")]
    TooMuchOutput {
        /// What ran.
        program: String,
        /// `standard output` or `standard error`.
        stream: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Nobody wants it any more.
    #[error("{program} was stopped because its result is not wanted any more")]
    Cancelled {
        /// What ran.
        program: String,
    },
}

fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// The Debian package that brings a program which workflows name only by their language or as a container.
fn package(program: &str) -> Option<&'static str> {
    [("podman", "podman"), ("node", "nodejs"), ("python3", "python3")]
        .into_iter()
        .find_map(|(name, package)| program.ends_with(name).then_some(package))
}

impl Coded for ProgramError {
    fn code(&self) -> &'static Code {
        match self {
            Self::BadInput(_) => code::host::BAD_CALL,
            Self::SecretExposed { .. } => code::host::SECRET_EXPOSED,
            Self::Missing { .. } | Self::Engine { .. } => code::host::PROGRAM_MISSING,
            Self::TooMany(_) | Self::Timeout { .. } => code::host::PROGRAM_LIMIT,
            Self::Exited { .. } => code::host::PROGRAM_FAILED,
            Self::TooMuchOutput { .. } => code::host::RESPONSE_TOO_LARGE,
            Self::Cancelled { .. } => code::run::CANCELLED,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::SecretExposed { secret, .. } => {
                Some(format!("pass it as a variable: environment: {{ VALUE: \"${{ $secrets.{secret} }}\" }}"))
            }
            Self::Missing { program, .. } => package(program)
                .map(|package| format!("install it, on Debian with `apt-get install {package}`")),
            _ => None,
        }
    }
}

impl From<ProgramError> for Failure {
    fn from(error: ProgramError) -> Self {
        let mut detail = error.to_string();
        if let Some(hint) = error.hint() {
            detail = format!("{detail}; {hint}");
        }
        let problem = match &error {
            ProgramError::BadInput(_) | ProgramError::SecretExposed { .. } => Problem::validation(detail),
            ProgramError::Missing { .. } => Problem::configuration(detail),
            ProgramError::Timeout { .. } => Problem::timeout(detail),
            _ => Problem::runtime(detail),
        };
        let class = match &error {
            ProgramError::Engine { .. } | ProgramError::TooMany(_) | ProgramError::Timeout { .. } => {
                FailureClass::Transient
            }
            _ => FailureClass::Permanent,
        };
        // a program that ended on its own has said so; one that was stopped may have got anywhere
        let maybe_happened = matches!(
            error,
            ProgramError::Timeout { .. }
                | ProgramError::TooMuchOutput { .. }
                | ProgramError::Cancelled { .. }
        );
        Self { problem: problem.with_code(error.code()), class, maybe_happened }
    }
}

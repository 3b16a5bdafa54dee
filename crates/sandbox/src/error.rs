//! [`SandboxError`]: everything that can go wrong, each with its code.

use std::path::PathBuf;
use std::time::Duration;

use model::{Code, Coded, Digest, Problem, code};

use crate::Capability;

/// Whether and when the same call is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same call would fail the same way.
    Never,
    /// It may succeed later.
    Later,
    /// It may succeed after this long, which the other side asked for.
    After(Duration),
}

/// Why an action says it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// May succeed later.
    Transient,
    /// The other side asks for patience, for this long if it said.
    Throttled(Option<Duration>),
    /// The world is not in the state the input assumes.
    Conflict,
    /// Cannot succeed.
    Permanent,
}

/// A failure the action reported about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// One line.
    pub title: String,
    /// The rest; may be empty.
    pub detail: String,
}

/// Why a component was not loaded or a call gave no output. The sandbox is as good as new after each of them.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The bytes are not a component this sandbox can run.
    #[error("component {digest} cannot be loaded: {why}")]
    BadComponent {
        /// Which.
        digest: Digest,
        /// What is wrong with it.
        why: String,
    },
    /// The component imports something outside `aedile:action`.
    #[error("component {digest} imports `{import}`, which the sandbox does not have")]
    UnknownImport {
        /// Which.
        digest: Digest,
        /// The first such import.
        import: String,
    },
    /// A provider imports something, and so could see or do something by itself.
    #[error("provider {digest} imports `{import}`; a provider must import nothing")]
    ProviderImports {
        /// Which.
        digest: Digest,
        /// The first import.
        import: String,
    },
    /// The bytes are not those that were pinned.
    #[error("the component's digest is {actual}, but {expected} is pinned")]
    DigestMismatch {
        /// What was pinned.
        expected: Digest,
        /// What the bytes are.
        actual: Digest,
    },
    /// The component imports an interface that the project does not grant.
    #[error(
        "the action imports `aedile:action/{capability}`, and the project does not grant `{capability}` to it"
    )]
    MissingCapability {
        /// Which.
        capability: Capability,
    },
    /// The action sent a request outside its grants.
    #[error("the action wants {method} {origin}, which its grants do not include")]
    HostNotGranted {
        /// Method of the request.
        method: String,
        /// Scheme, host and port; the rest of the URL may hold secrets.
        origin: String,
    },
    /// A grant's text is not valid.
    #[error("`{grant}` is not a grant: {why}")]
    BadGrant {
        /// The text.
        grant: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A limit that this sandbox cannot enforce.
    #[error("the limits are not valid: {why}")]
    BadLimit {
        /// Which and why.
        why: String,
    },
    /// The input is not JSON, or too large.
    #[error("the input is refused: {why}")]
    BadInput {
        /// What is wrong.
        why: String,
    },
    /// The call took longer than its limit.
    #[error("the action ran longer than {limit:?}")]
    OutOfTime {
        /// The limit.
        limit: Duration,
    },
    /// The call wanted more memory than its limit.
    #[error("the action wanted {wanted} bytes of memory; its limit is {limit}")]
    OutOfMemory {
        /// What it would have held.
        wanted: usize,
        /// The limit.
        limit: usize,
    },
    /// Another budget of the call is used up.
    #[error("the action used up its budget of {limit} {what}")]
    OutOfBudget {
        /// Of what: `HTTP requests`, `units of fuel`, ...
        what: &'static str,
        /// How many it had.
        limit: u64,
    },
    /// The action crashed.
    #[error("the action crashed: {why}{}", frames(.trace))]
    Trapped {
        /// How.
        why: String,
        /// Where, innermost first, as far as the component has names.
        trace: Vec<String>,
    },
    /// The output is larger than the limit.
    #[error("the action's output is larger than {limit} bytes")]
    OutputTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The output is not JSON text.
    #[error("the action's output is not valid: {why}")]
    BadOutput {
        /// What is wrong.
        why: String,
    },
    /// The action ran and reported a failure.
    #[error("{}{}", .0.title, colon(&.0.detail))]
    Failed(Failure),
    /// A service the action needs is not offered or did not answer.
    #[error("the action needs `{capability}`: {why}")]
    Service {
        /// Which.
        capability: Capability,
        /// Why.
        why: String,
    },
    /// All slots stayed taken.
    #[error("no place in the sandbox became free within {waited:?}")]
    Busy {
        /// How long the call waited.
        waited: Duration,
    },
    /// The catalog has no such action.
    #[error("no action `{name}` with version `{version}` in the catalog{}", colon(.known))]
    UnknownAction {
        /// The name.
        name: String,
        /// The version.
        version: String,
        /// The versions there are of it, in words.
        known: String,
    },
    /// A component's file cannot be read.
    #[error("cannot read the component {path}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The sandbox cannot be set up.
    #[error("the sandbox cannot be set up: {why}")]
    Setup {
        /// Why.
        why: String,
    },
}

fn frames(trace: &[String]) -> String {
    if trace.is_empty() { String::new() } else { format!(" (in {})", trace.join(" < ")) }
}

fn colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl Coded for SandboxError {
    fn code(&self) -> &'static Code {
        use code::sandbox as c;
        match self {
            Self::BadComponent { .. }
            | Self::UnknownImport { .. }
            | Self::ProviderImports { .. }
            | Self::Unreadable { .. } => c::BAD_COMPONENT,
            Self::DigestMismatch { .. } => c::DIGEST_MISMATCH,
            Self::MissingCapability { .. } => c::MISSING_CAPABILITY,
            Self::HostNotGranted { .. } => c::HOST_NOT_GRANTED,
            Self::BadGrant { .. } | Self::BadLimit { .. } => c::BAD_GRANT,
            Self::BadInput { .. } => c::BAD_INPUT,
            Self::OutOfTime { .. } => c::OUT_OF_TIME,
            Self::OutOfMemory { .. } => c::OUT_OF_MEMORY,
            Self::OutOfBudget { .. } => c::OUT_OF_BUDGET,
            Self::Trapped { .. } => c::TRAPPED,
            Self::OutputTooLarge { .. } => c::OUTPUT_TOO_LARGE,
            Self::BadOutput { .. } => c::BAD_OUTPUT,
            Self::Failed(_) => c::ACTION_FAILED,
            Self::Service { .. } => c::SERVICE_FAILED,
            Self::Busy { .. } => c::SANDBOX_BUSY,
            Self::UnknownAction { .. } => c::UNKNOWN_ACTION,
            Self::Setup { .. } => c::SANDBOX_SETUP,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::MissingCapability { capability } => {
                format!(
                    "add the grant `{}` to this action in the project, if you trust it with that",
                    capability.grant()
                )
            }
            Self::HostNotGranted { method, origin } => {
                let host = origin.split_once("://").map_or(origin.as_str(), |(_, host)| host);
                format!(
                    "add the grant `http:{host} {method}` to this action in the project, if you trust it with that"
                )
            }
            Self::UnknownImport { import, .. } if import.starts_with("wasi") => {
                "build it against wit/action without WASI; docs/guides/write-an-action.md shows how"
                    .to_owned()
            }
            Self::ProviderImports { .. } => {
                "build it against world `provider` of wit/provider, for wasm32-unknown-unknown; \
                 docs/guides/write-a-provider.md shows how"
                    .to_owned()
            }
            Self::DigestMismatch { actual, .. } => format!("if the change is meant, pin {actual}"),
            Self::OutOfTime { .. } => "raise the action's time limit, or give it less to do".to_owned(),
            Self::OutOfMemory { .. } => "raise the action's memory limit, or give it less to do".to_owned(),
            Self::OutputTooLarge { .. } => {
                "raise the action's output limit, or let it answer less".to_owned()
            }
            Self::OutOfBudget { .. } => "raise that limit for this action, or give it less to do".to_owned(),
            _ => return None,
        })
    }
}

impl SandboxError {
    /// Whether the same call is worth another try.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Failed(Failure { kind: FailureKind::Transient, .. })
            | Self::OutOfTime { .. }
            | Self::Service { .. }
            | Self::Busy { .. } => Retry::Later,
            Self::Failed(Failure { kind: FailureKind::Throttled(wait), .. }) => {
                wait.map_or(Retry::Later, Retry::After)
            }
            _ => Retry::Never,
        }
    }

    /// The problem a workflow can catch: a standard type, a status that says how a retry stands, and the stable code.
    pub fn problem(&self) -> Problem {
        let detail = self.to_string();
        let problem = match self {
            Self::OutOfTime { .. } => Problem::timeout(detail),
            Self::MissingCapability { .. } | Self::HostNotGranted { .. } => Problem::authorization(detail),
            Self::BadInput { .. } => Problem::validation(detail),
            Self::BadGrant { .. } | Self::BadLimit { .. } | Self::UnknownAction { .. } => {
                Problem::configuration(detail)
            }
            Self::Busy { .. } | Self::Service { .. } => Problem::communication(detail).with_status(503),
            Self::Failed(failure) => {
                let status = match failure.kind {
                    FailureKind::Transient => 503,
                    FailureKind::Throttled(_) => 429,
                    FailureKind::Conflict => 409,
                    FailureKind::Permanent => 500,
                };
                Problem::communication(detail).with_status(status)
            }
            _ => Problem::runtime(detail),
        };
        problem.with_code(self.code())
    }
}

//! Why a project cannot be used.

use std::path::PathBuf;

use model::{Code, Coded, Diagnostic, code};

/// Why a project cannot be used. Nothing was changed unless the variant says so.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// There is no `aedile.yaml` here or above.
    #[error("there is no aedile.yaml in {} or any directory above it", start.display())]
    NoProject {
        /// Where the search began.
        start: PathBuf,
    },
    /// There is a project already.
    #[error("{} is a project already", root.display())]
    Exists {
        /// The project.
        root: PathBuf,
    },
    /// A file cannot be read.
    #[error("{what} cannot be read")]
    Unreadable {
        /// Which file, as the person named it.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or directory cannot be written.
    #[error("{what} cannot be written")]
    Unwritable {
        /// Which.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is larger than the limit.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// Which.
        what: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// Documents of the project are wrong. Never empty; each finding names its place.
    #[error("{}", summary(findings))]
    Bad {
        /// What is wrong.
        findings: Vec<Diagnostic>,
    },
    /// A file of the rules in force has no text any more, which its writer may be about to give it.
    #[error("{} is empty and was not; remove it if nothing is to be said there", file.display())]
    Emptied {
        /// Which.
        file: PathBuf,
    },
    /// A path that leads out of the project's directory.
    #[error("{} is not below the project's directory", path.display())]
    Outside {
        /// As it was written.
        path: PathBuf,
    },
    /// A channel of `aedile.yaml` that cannot be.
    #[error("the channel {name} cannot be used: {why}")]
    BadChannel {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// What is said about drift cannot be.
    #[error("what is said about drift cannot be: {why}")]
    BadDrift {
        /// Why.
        why: String,
    },
    /// The project knows no such environment.
    #[error("the project has no environment {name}")]
    NoEnvironment {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The project says nothing about hosts.
    #[error("the project has no infrastructure: there is no CUE file in {}/", crate::layout::INFRASTRUCTURE)]
    NoInfrastructure,
    /// The environment has never been used, so there is nothing to look at.
    #[error("environment {name} has no journal yet")]
    NothingYet {
        /// The environment.
        name: String,
    },
    /// The project has no such workflow among those that can be read.
    #[error("there is no workflow {name}{}{}", named(.known), unread(.broken))]
    NoWorkflow {
        /// What was asked for, a path or a name.
        name: String,
        /// Names there are.
        known: Vec<String>,
        /// Files of workflows that cannot be read, and so might have been it.
        broken: Vec<String>,
    },
    /// The operating system's user has a name that no principal can have.
    #[error("the user name `{name}` cannot be the name of a principal (letters, digits and ._@+-)")]
    NoUser {
        /// The name.
        name: String,
    },
    /// The operating system's user may not act as the principal.
    #[error("{via} may not act as {principal} in environment {environment}")]
    NotAllowed {
        /// Where.
        environment: model::Environment,
        /// The operating system's user.
        via: model::Principal,
        /// Whom they wanted to act as.
        principal: model::Principal,
    },
    /// A key file cannot be used.
    #[error("{} cannot be used: {why}", path.display())]
    BadKey {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(Box<journal::JournalError>),
    /// A provider of the project cannot be used.
    #[error("the provider in {at} cannot be used: {why}")]
    BadProvider {
        /// Its manifest or component.
        at: String,
        /// Why.
        why: String,
    },
    /// No provider has this name, or none of them this version.
    #[error("there is no provider {name}{}{}", version_of(requirement), named(.known))]
    NoProvider {
        /// What was asked for.
        name: String,
        /// Which version was asked for; empty for any.
        requirement: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A provider wants more than its manifest says.
    #[error("capability {capability} not granted: {why}")]
    NotGranted {
        /// What it wants.
        capability: String,
        /// Who wants it, and why it does not get it.
        why: String,
    },
    /// A provider did not say what it is.
    #[error(transparent)]
    Provider(#[from] Box<provider::ProviderError>),
    /// The project's WASM components cannot be used.
    #[error(transparent)]
    Sandbox(#[from] sandbox::SandboxError),
    /// The name is not that of a principal, an environment, a role.
    #[error(transparent)]
    Name(#[from] model::principal::NameError),
}

fn named(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; there is {}", known.join(", ")) }
}

fn version_of(requirement: &str) -> String {
    if requirement.is_empty() { String::new() } else { format!(" of version {requirement}") }
}

fn unread(broken: &[String]) -> String {
    if broken.is_empty() { String::new() } else { format!("; {} cannot be read", broken.join(", ")) }
}

fn summary(findings: &[Diagnostic]) -> String {
    match findings {
        [one] => one.message.clone(),
        many => format!("{} problems were found", many.len()),
    }
}

impl Coded for ProjectError {
    fn code(&self) -> &'static Code {
        match self {
            Self::NoProject { .. } => code::general::NO_PROJECT,
            Self::Exists { .. } => code::general::PROJECT_EXISTS,
            Self::Unreadable { .. } => code::general::UNREADABLE,
            Self::Unwritable { .. } => code::general::UNWRITABLE,
            Self::TooLarge { .. } => code::general::TOO_LARGE,
            Self::Outside { .. } | Self::BadChannel { .. } | Self::BadDrift { .. } | Self::Emptied { .. } => {
                code::general::BAD_PROJECT
            }
            Self::Bad { findings } => {
                findings.first().map_or(code::general::BAD_PROJECT, |finding| finding.code)
            }
            Self::NoEnvironment { .. }
            | Self::NoWorkflow { .. }
            | Self::NoInfrastructure
            | Self::NothingYet { .. } => code::general::NOT_FOUND,
            Self::NotAllowed { .. } => code::policy::DENIED,
            Self::BadKey { .. } => code::journal::BAD_KEY,
            Self::BadProvider { .. } => code::provider::BAD_MANIFEST,
            Self::NoProvider { .. } => code::provider::NO_PROVIDER,
            Self::NotGranted { .. } => code::provider::NOT_GRANTED,
            Self::Journal(error) => error.code(),
            Self::Provider(error) => error.code(),
            Self::Sandbox(error) => error.code(),
            Self::Name(_) | Self::NoUser { .. } => code::general::USAGE,
        }
    }

    fn hint(&self) -> Option<String> {
        let listed = |known: &[String]| match known {
            [] => None,
            known => Some(format!("there is {}", known.join(", "))),
        };
        match self {
            Self::NoProject { .. } => Some("aedile init".to_owned()),
            Self::Exists { .. } | Self::NoWorkflow { .. } => Some("aedile validate".to_owned()),
            Self::NoEnvironment { known, .. } => listed(known),
            Self::NoProvider { name, known, .. } => {
                Some(plan::nearest(name, known.iter().map(String::as_str)).map_or_else(
                    || "aedile provider list".to_owned(),
                    |near| format!("aedile provider show {near}"),
                ))
            }
            Self::Provider(error) => error.hint(),
            Self::NoInfrastructure => Some("aedile schema show".to_owned()),
            Self::NothingYet { .. } => Some("aedile run WORKFLOW".to_owned()),
            Self::NotAllowed { via, principal, environment } => Some(format!(
                "let them in access.yaml: `actAs: {{{environment}: {{{}: [{principal}]}}}}`",
                via.name()
            )),
            Self::Journal(error) => error.hint(),
            Self::Sandbox(error) => error.hint(),
            Self::Bad { findings } => findings.first().and_then(|finding| finding.hint.clone()),
            _ => None,
        }
    }

    fn findings(&self) -> &[model::Diagnostic] {
        match self {
            Self::Bad { findings } => findings,
            _ => &[],
        }
    }
}

//! Why a server did not do as asked, in the words it would have been said in here.

use std::sync::{Mutex, PoisonError};

use model::{Code, Coded, Diagnostic, Exit, Location, Severity, code};

use super::limits;
use super::login::Fingerprint;
use crate::{Finding, Problem};

/// Why a server did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No server can be there.
    #[error("{typed} is no address of a server: {why}")]
    Address {
        /// What was given.
        typed: String,
        /// What is wrong with it.
        why: String,
    },
    /// Credentials would travel unencrypted.
    #[error("{url} is another machine, and nothing would encrypt what is sent there")]
    Unencrypted {
        /// The address.
        url: String,
    },
    /// No token looks like this.
    #[error("that is no token: a token is up to {} visible characters", limits::TOKEN_BYTES_MAX)]
    Token,
    /// No fingerprint looks like this.
    #[error("`{text}` is no SHA-256 fingerprint: 32 bytes in hexadecimal, with or without colons")]
    Fingerprint {
        /// What was given.
        text: String,
    },
    /// The client cannot be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(String),
    /// No connection, or it broke before there was an answer.
    #[error("the server at {url} cannot be reached")]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        source: Cause,
    },
    /// Nobody vouches for the server's certificate.
    #[error("nobody vouches for the certificate of {url}")]
    Untrusted {
        /// The address.
        url: String,
        /// The certificate's fingerprint.
        found: Fingerprint,
        /// Why it is not believed.
        source: Cause,
    },
    /// The server shows another certificate than the one that was agreed to.
    #[error("{url} shows another certificate than the one that was agreed to")]
    WrongCertificate {
        /// The address.
        url: String,
        /// Both fingerprints.
        source: Cause,
    },
    /// What answered is not an Aedile server.
    #[error("what answers at {url} is not an Aedile server")]
    NotAServer {
        /// The address.
        url: String,
        /// What is wrong with the answer.
        source: Cause,
    },
    /// The server says why.
    #[error(transparent)]
    Refused(Box<Refusal>),
}

/// What a server says about a request that it did not carry out.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Where the thing stands that the request was about.
    pub state: Option<String>,
    code: &'static Code,
    what: String,
    #[source]
    cause: Option<Cause>,
    hint: Option<String>,
    findings: Vec<Diagnostic>,
}

/// One cause, with those below it.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Cause {
    what: String,
    source: Option<Box<Self>>,
}

impl Cause {
    /// One cause.
    pub(super) fn of(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// Causes, the outermost first.
    pub(super) fn chain(all: impl DoubleEndedIterator<Item = String>) -> Option<Self> {
        all.rev().fold(None, |source, what| Some(Self { what, source: source.map(Box::new) }))
    }

    /// What an error of the transport says, without addresses that are in the message around it already.
    pub(super) fn transport(error: reqwest::Error) -> Self {
        use std::error::Error as _;
        let error = error.without_url();
        let mut texts: Vec<String> = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
            source = cause.source();
        }
        // what is outermost only says that it was a request
        Self::chain(texts.into_iter()).unwrap_or_else(|| Self::of(error.to_string()))
    }
}

impl ClientError {
    /// What a server at `url` answered with an error status.
    pub fn refused(url: &str, problem: Problem) -> Self {
        let status = problem.status;
        let known = problem.code.as_deref();
        let code = known.map_or_else(|| by_status(status), |id| code_of(id, &problem.title, status));
        let mut causes = problem.causes;
        causes.truncate(limits::CAUSES_MAX);
        if let Some(request) = problem.request.filter(|_| status >= 500) {
            causes.push(format!("the server's log has it under {request}"));
        }
        let hint = if status == 401 { Some(format!("aedile login {url}")) } else { problem.hint };
        Self::Refused(Box::new(Refusal {
            status,
            state: problem.state,
            code,
            what: problem.detail.unwrap_or(problem.title),
            cause: Cause::chain(causes.into_iter()),
            hint,
            findings: diagnostics(&problem.findings),
        }))
    }

    /// The certificate's fingerprint, where nobody vouches for it.
    pub fn untrusted(&self) -> Option<Fingerprint> {
        match self {
            Self::Untrusted { found, .. } => Some(*found),
            _ => None,
        }
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            _ => None,
        }
    }
}

impl ClientError {
    /// Why, for errors that are told in one line.
    pub fn whole(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text.extend([": ", &cause.to_string()]);
            source = cause.source();
        }
        text
    }
}

impl Coded for ClientError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Address { .. } | Self::Fingerprint { .. } => code::server::BAD_ADDRESS,
            Self::Unencrypted { .. } => code::server::UNENCRYPTED,
            Self::Token => code::server::BAD_TOKEN,
            Self::Setup(_) => code::general::INTERNAL,
            Self::Unreachable { .. } => code::server::UNREACHABLE,
            Self::Untrusted { .. } => code::server::UNTRUSTED,
            Self::WrongCertificate { .. } => code::server::WRONG_CERTIFICATE,
            Self::NotAServer { .. } => code::server::NOT_A_SERVER,
            Self::Refused(refusal) => refusal.code,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => refusal.hint.clone(),
            Self::Untrusted { url, .. } => Some(format!("aedile login {url}")),
            Self::WrongCertificate { url, .. } => {
                Some(format!("ask who runs it; if they changed it: aedile login {url}"))
            }
            _ => None,
        }
    }

    fn findings(&self) -> &[Diagnostic] {
        match self {
            Self::Refused(refusal) => &refusal.findings,
            _ => &[],
        }
    }
}

/// Findings as they are shown here.
pub fn diagnostics(findings: &[Finding]) -> Vec<Diagnostic> {
    findings.iter().take(limits::CAUSES_MAX).map(diagnostic).collect()
}

fn diagnostic(finding: &Finding) -> Diagnostic {
    let severity = if finding.severity == "warning" { Severity::Warning } else { Severity::Error };
    Diagnostic {
        code: code_of(&finding.code, &finding.message, 422),
        severity,
        message: finding.message.clone(),
        location: Location {
            file: finding.file.clone(),
            line: finding.line,
            column: finding.column,
            path: finding.path.clone(),
        },
        related: Vec::new(),
        hint: finding.hint.clone(),
    }
}

fn by_status(status: u16) -> &'static Code {
    match status {
        401 => code::server::NOT_SIGNED_IN,
        403 => code::server::FORBIDDEN,
        404 => code::general::NOT_FOUND,
        413 => code::general::TOO_LARGE,
        429 | 503 => code::server::BUSY,
        400..=499 => code::server::BAD_REQUEST,
        _ => code::server::NOT_A_SERVER,
    }
}

/// A code by its id. One that only a newer server knows stays as it is, so that people can look it up there.
fn code_of(id: &str, title: &str, status: u16) -> &'static Code {
    static FOREIGN: Mutex<Vec<&'static Code>> = Mutex::new(Vec::new());
    if let Some(known) = code::all().find(|code| code.id == id) {
        return known;
    }
    let well_formed = id.len() == 5 && id.starts_with('E') && id[1..].bytes().all(|b| b.is_ascii_digit());
    let mut foreign = FOREIGN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = foreign.iter().find(|code| code.id == id) {
        return known;
    }
    if !well_formed || foreign.len() >= limits::FOREIGN_CODES_MAX {
        return by_status(status);
    }
    let exit = match status {
        403 => Exit::Denied,
        400 | 422 => Exit::Usage,
        _ => Exit::Failed,
    };
    // codes are for ever, and there are at most as many of these as the limit says
    let code: &'static Code = Box::leak(Box::new(Code {
        id: Box::leak(id.to_owned().into_boxed_str()),
        title: Box::leak(title.to_owned().into_boxed_str()),
        exit,
    }));
    foreign.push(code);
    code
}

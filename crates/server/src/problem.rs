//! How a request fails: one form for every error, RFC 9457.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Code, Coded, Diagnostic, Exit, code};

/// An error on its way to the client.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    body: Box<api::Problem>,
    retry_after: Option<u64>,
}

/// What a handler answers.
pub type Answer<T> = Result<T, Problem>;

impl<E: Coded + 'static> From<E> for Problem {
    fn from(error: E) -> Self {
        let mut problem = Self::of(error.code(), error.to_string()).with_findings(error.findings());
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // a transparent error says the same twice
            if Some(&text) != problem.body.detail.as_ref() && problem.body.causes.last() != Some(&text) {
                problem.body.causes.push(text);
            }
            source = cause.source();
        }
        problem.body.hint = error.hint();
        problem
    }
}

impl Problem {
    /// A problem with one of Aedile's codes. The status follows from the code.
    pub fn of(code: &'static Code, what: impl Into<String>) -> Self {
        Self::with_status(status_of(code), code, what)
    }

    /// The same with a status of its own.
    pub fn with_status(status: StatusCode, code: &'static Code, what: impl Into<String>) -> Self {
        let body = api::Problem {
            kind: format!("urn:aedile:error:{code}"),
            title: code.title.to_owned(),
            status: status.as_u16(),
            detail: Some(what.into()),
            code: Some(code.id.to_owned()),
            causes: Vec::new(),
            hint: None,
            findings: Vec::new(),
            state: None,
            request: None,
        };
        Self { status, body: Box::new(body), retry_after: None }
    }

    /// There is no such thing, or the caller may not know that there is.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::of(code::general::NOT_FOUND, what)
    }

    /// A parameter is wrong.
    pub fn bad(what: impl Into<String>) -> Self {
        Self::with_status(StatusCode::BAD_REQUEST, code::server::BAD_REQUEST, what)
    }

    /// The body has the wrong shape.
    pub fn unprocessable(what: impl Into<String>) -> Self {
        Self::with_status(StatusCode::UNPROCESSABLE_ENTITY, code::server::BAD_REQUEST, what)
    }

    /// Something that never should have happened. What exactly is for the log, not for the client.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::of(code::general::INTERNAL, what)
    }

    /// Too much at once: come back in some seconds.
    pub fn busy(status: StatusCode, what: impl Into<String>, seconds: u64) -> Self {
        let mut problem = Self::with_status(status, code::server::BUSY, what);
        problem.retry_after = Some(seconds);
        problem
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.body.hint = Some(hint.into());
        self
    }

    /// The same with where the thing stands that the request was about.
    #[must_use]
    pub fn with_state(mut self, state: impl Into<String>) -> Self {
        self.body.state = Some(state.into());
        self
    }

    /// The same with what is wrong in documents.
    #[must_use]
    pub fn with_findings(mut self, findings: &[Diagnostic]) -> Self {
        self.body.findings = findings.iter().map(finding).collect();
        self
    }

    /// The same, to come back after some seconds.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is sent, for pages that show it.
    pub fn body(&self) -> &api::Problem {
        &self.body
    }
}

/// One finding, as it goes over the wire.
pub fn finding(finding: &Diagnostic) -> api::Finding {
    api::Finding {
        severity: match finding.severity {
            model::Severity::Error => "error",
            model::Severity::Warning => "warning",
        }
        .to_owned(),
        code: finding.code.id.to_owned(),
        message: finding.message.clone(),
        file: finding.location.file.clone(),
        line: finding.location.line,
        column: finding.location.column,
        path: finding.location.path.clone(),
        hint: finding.hint.clone(),
    }
}

/// The status that goes with a code: what is wrong with the request is 4xx, what is wrong here is 5xx.
fn status_of(code: &'static Code) -> StatusCode {
    use code::{general, journal, policy, run, server};
    let conflicts = [
        policy::ALREADY_DECIDED,
        policy::ALREADY_VOTED,
        policy::VOID,
        run::NOT_RUNNING,
        run::OWNED_ELSEWHERE,
        journal::CONFLICT,
        general::AMBIGUOUS,
    ];
    let forbidden = [
        policy::NOT_APPROVER,
        policy::OWN_REQUEST,
        policy::NO_OVERRIDE,
        server::FORBIDDEN,
        server::FORGED,
        server::TOO_WIDE,
        server::DISABLED,
        server::WRONG_PERSON,
        server::PROVIDER_REFUSED,
    ];
    let later = [journal::OVERLOADED, journal::LOCKED, journal::FULL, journal::STORE_IO, run::LIMIT];
    let here = [
        general::UNREADABLE,
        general::UNWRITABLE,
        journal::BROKEN,
        journal::CORRUPT,
        journal::NEWER,
        journal::UNREADABLE_RECORD,
        journal::TRUNCATED,
    ];
    if code == general::NOT_FOUND || code == general::NO_PROJECT {
        StatusCode::NOT_FOUND
    } else if conflicts.contains(&code) {
        StatusCode::CONFLICT
    } else if forbidden.contains(&code) {
        StatusCode::FORBIDDEN
    } else if code == general::TOO_LARGE {
        StatusCode::PAYLOAD_TOO_LARGE
    } else if code == server::NOT_SIGNED_IN {
        StatusCode::UNAUTHORIZED
    } else if code == server::LINK_SPENT {
        StatusCode::GONE
    } else if code == server::TOO_MANY_LOGINS {
        StatusCode::TOO_MANY_REQUESTS
    } else if code == server::PROVIDER_FAILED {
        StatusCode::BAD_GATEWAY
    } else if later.contains(&code) {
        StatusCode::SERVICE_UNAVAILABLE
    } else if here.contains(&code) {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        match code.exit {
            Exit::Usage => StatusCode::UNPROCESSABLE_ENTITY,
            Exit::Denied => StatusCode::FORBIDDEN,
            Exit::Waiting | Exit::Unverified | Exit::Failed => StatusCode::CONFLICT,
            Exit::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Lets the layer that knows the request put its id into the body.
#[derive(Debug, Clone)]
pub(crate) struct Failed(pub(crate) api::Problem);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = body(&self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"aedile\""));
        }
        let soon = (self.status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        if let Some(seconds) = self.retry_after.or(soon) {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(Failed(*self.body));
        response
    }
}

/// The body of a problem, without its status.
pub(crate) fn body(problem: &api::Problem) -> Response {
    let text = serde_json::to_string(problem).unwrap_or_default();
    let mut response = Response::new(axum::body::Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(api::MEDIA_TYPE));
    response
}

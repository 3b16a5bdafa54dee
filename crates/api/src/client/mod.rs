//! A client of the interface, for programs.
//!
//! It never follows redirects, never sends a token unencrypted to another machine, and never shows one. Everything has a limit:
//! see [`limits`]. What may be sent twice without harm is sent again when the way there fails.
//!
//! ```no_run
//! use api::client::{Client, Login};
//!
//! # async fn ask(token: api::client::Token) -> Result<(), api::client::ClientError> {
//! let client = Client::new(Login::at("https://aedile.example.com")?.with_token(token))?;
//! let status = client.environment("shop", "prod").status().await?;
//! println!("{} approvals wait", status.approvals_waiting);
//! # Ok(())
//! # }
//! ```

mod error;
mod export;
pub mod limits;
mod login;
mod operations;
mod sse;
mod stream;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{self, HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

pub use error::{Cause, ClientError, Refusal, diagnostics};
pub use export::Export;
pub use login::{Fingerprint, Login, Token};
pub use operations::At;
pub use stream::Events;

use crate::{MEDIA_TYPE, Problem};

/// A client of one server. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    login: Login,
    refused: tls::Refused,
}

/// One request, and whether it may be sent again.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: Method,
    url: Url,
    body: Option<Vec<u8>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether sending it twice does what sending it once does.
    repeatable: bool,
}

/// Why one try came to nothing.
struct Failure {
    error: ClientError,
    /// Whether the request may have been carried out all the same.
    maybe_done: bool,
    /// Whether another try may go better.
    passing: bool,
    /// Whether something was there, and went away without a word.
    cut: bool,
    /// What the server says about when.
    after: Option<Duration>,
}

impl Client {
    /// A client. Nothing is resolved or connected before the first request.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(login: Login) -> Result<Self, ClientError> {
        let refused = tls::Refused::default();
        let config =
            tls::config(login.pin, &refused).map_err(|error| ClientError::Setup(error.to_string()))?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .http1_max_headers(limits::HEADERS_MAX)
            .connect_timeout(limits::CONNECT_TIME_MAX)
            .user_agent(concat!("aedile/", env!("CARGO_PKG_VERSION")));
        if login.is_loopback() {
            // what is unencrypted stays on this machine, whatever a resolver or a proxy would make of the name
            let here = [(std::net::Ipv4Addr::LOCALHOST, 0).into(), (std::net::Ipv6Addr::LOCALHOST, 0).into()];
            builder = builder.no_proxy().resolve_to_addrs("localhost", &here);
        }
        let http = builder.build().map_err(|error| ClientError::Setup(error.to_string()))?;
        Ok(Self { inner: Arc::new(Inner { http, login, refused }) })
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        self.inner.login.url()
    }

    /// A request of a path below `/api/v1`.
    pub(crate) fn request(&self, method: Method, path: &[&str]) -> Request {
        let mut url = self.inner.login.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        let repeatable = method.is_safe();
        Request { method, url, body: None, headers: Vec::new(), repeatable }
    }

    /// Sends a request, again if it has to be, and reads the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ClientError> {
        self.persist(request, || self.in_time(self.whole(request))).await
    }

    async fn whole<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Failure> {
        let response = self.once(request).await?;
        let bytes = self.read(response, limits::ANSWER_BYTES_MAX).await?;
        let decoded = serde_json::from_slice(&bytes);
        decoded.map_err(|error| {
            Failure::lasting(self.not_a_server(format!("the answer is not what is expected: {error}")))
        })
    }

    /// Sends a request, again if it has to be, and leaves the answer to be read by the caller.
    pub(crate) async fn open(&self, request: &Request) -> Result<Response, ClientError> {
        self.persist(request, || self.in_time(self.once(request))).await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let late = |_| Err(Failure::passing(self.late(limits::ANSWER_TIME_MAX)));
        tokio::time::timeout(limits::ANSWER_TIME_MAX, work).await.unwrap_or_else(late)
    }

    /// Tries until it works, cannot work, or was tried often enough. When the last connection merely broke, the failure is what an
    /// earlier one brought that was no answer of a server: what speaks before it is asked may close before that is heard.
    async fn persist<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        request: &Request,
        attempt: impl Fn() -> F,
    ) -> Result<T, ClientError> {
        let mut tries = 1;
        let mut garbled = None;
        loop {
            let failure = match attempt().await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let safe = request.repeatable || !failure.maybe_done;
            if !failure.passing || !safe || tries >= limits::TRIES_MAX {
                let told = garbled.filter(|_| failure.cut);
                return Err(told.unwrap_or(failure.error));
            }
            tokio::time::sleep(failure.after.unwrap_or_else(|| pause(tries))).await;
            tries += 1;
            garbled = match failure.error {
                error @ ClientError::NotAServer { .. } => Some(error),
                _ => garbled.filter(|_| failure.cut),
            };
        }
    }

    /// Sends a request once. Any answer that is not what was asked for is a failure.
    async fn once(&self, request: &Request) -> Result<Response, Failure> {
        let mut prepared = reqwest::Request::new(request.method.clone(), request.url.clone());
        let headers = prepared.headers_mut();
        headers.insert(crate::VERSION_HEADER, HeaderValue::from_static(crate::VERSION));
        if let Some(token) = &self.inner.login.token {
            headers.insert(header::AUTHORIZATION, token.header());
        }
        for (name, value) in &request.headers {
            headers.insert(name.clone(), value.clone());
        }
        *prepared.body_mut() = request.body.clone().map(reqwest::Body::from);
        // what was refused before says nothing about this connection
        self.inner.refused.take();
        let response = self.inner.http.execute(prepared).await.map_err(|error| self.broken(error))?;
        let status = response.status();
        let ours = response.headers().contains_key(crate::VERSION_HEADER);
        if status.is_success() && ours {
            return Ok(response);
        }
        Err(self.refusal(status, ours, response).await)
    }

    /// Why an answer is none.
    async fn refusal(&self, status: StatusCode, ours: bool, response: Response) -> Failure {
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or("nothing").to_owned();
        let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
        if ours && kind.starts_with(MEDIA_TYPE) {
            let read = self.read(response, limits::PROBLEM_BYTES_MAX).await;
            let problem = read.map(|bytes| serde_json::from_slice::<Problem>(&bytes));
            let mut problem = match problem {
                Ok(Ok(problem)) => problem,
                Ok(Err(error)) => return Failure::lasting(self.not_a_server(error.to_string())),
                Err(failure) => return failure,
            };
            problem.status = status.as_u16();
            let later = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            return Failure {
                error: ClientError::refused(self.url(), problem),
                // too many requests are refused before anything is done
                maybe_done: status != StatusCode::TOO_MANY_REQUESTS,
                passing: later,
                cut: false,
                after: after.map(|after| after.min(limits::PAUSE_MAX)),
            };
        }
        let why = if status.is_redirection() {
            format!("it answers {status}, and redirects are not followed")
        } else {
            format!("it answers {status} with {}", kind.escape_debug())
        };
        let gateway = matches!(
            status,
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
        );
        Failure { error: self.not_a_server(why), maybe_done: true, passing: gateway, cut: false, after: None }
    }

    /// Reads an answer whole.
    async fn read(&self, mut response: Response, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + chunk.len() > limit {
                let why = format!("the answer is larger than {limit} bytes");
                return Err(Failure::lasting(self.not_a_server(why)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// A connection that did not come about, or that broke.
    fn broken(&self, error: reqwest::Error) -> Failure {
        let url = self.url().to_owned();
        let connecting = error.is_connect();
        let garbled = is_garbled(&error);
        let source = Cause::transport(error);
        let error = match (self.inner.refused.take(), self.inner.login.pin) {
            (Some(found), None) if connecting => ClientError::Untrusted { url, found, source },
            (Some(found), Some(pin)) if connecting => {
                let source = Cause::of(format!("agreed to was {pin}, now there is {found}"));
                ClientError::WrongCertificate { url, source }
            }
            _ => {
                let error = if garbled {
                    ClientError::NotAServer { url, source }
                } else {
                    ClientError::Unreachable { url, source }
                };
                let cut = !connecting && !garbled;
                return Failure { error, maybe_done: !connecting, passing: true, cut, after: None };
            }
        };
        Failure::lasting(error)
    }

    fn not_a_server(&self, why: impl Into<String>) -> ClientError {
        ClientError::NotAServer { url: self.url().to_owned(), source: Cause::of(why) }
    }

    fn late(&self, after: Duration) -> ClientError {
        let why = format!("it did not answer within {} seconds", after.as_secs());
        ClientError::Unreachable { url: self.url().to_owned(), source: Cause::of(why) }
    }
}

/// Whether what came was not HTTP.
fn is_garbled(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let text = cause.to_string();
        // what cannot be read, or what comes before anything was asked
        if text.contains("invalid HTTP") || text.contains("unexpected message") {
            return true;
        }
        source = cause.source();
    }
    false
}

impl Failure {
    /// It will not go better next time.
    fn lasting(error: ClientError) -> Self {
        Self { error, maybe_done: true, passing: false, cut: false, after: None }
    }

    /// It may go better next time.
    fn passing(error: ClientError) -> Self {
        Self { error, maybe_done: true, passing: true, cut: false, after: None }
    }
}

impl Request {
    /// The same with a body in JSON.
    fn with_json(mut self, body: &impl Serialize) -> Result<Self, ClientError> {
        let bytes = serde_json::to_vec(body).map_err(|error| ClientError::Setup(error.to_string()))?;
        self.body = Some(bytes);
        self.with_header(header::CONTENT_TYPE, "application/json")
    }

    /// The same with a key under which it may be sent again.
    fn with_key(mut self, key: &str) -> Result<Self, ClientError> {
        self.repeatable = true;
        self.with_header(HeaderName::from_static(crate::IDEMPOTENCY_HEADER), key)
    }

    fn with_header(mut self, name: HeaderName, value: &str) -> Result<Self, ClientError> {
        let value = HeaderValue::from_str(value)
            .map_err(|_| ClientError::Setup(format!("{name} cannot be {}", value.escape_debug())))?;
        self.headers.push((name, value));
        Ok(self)
    }

    /// The same with the members of a query; what is null is left out.
    fn with_query(mut self, query: &impl Serialize) -> Result<Self, ClientError> {
        let value = serde_json::to_value(query).map_err(|error| ClientError::Setup(error.to_string()))?;
        for (name, value) in value.as_object().into_iter().flatten() {
            match value {
                Value::Null => {}
                Value::String(text) => drop(self.url.query_pairs_mut().append_pair(name, text)),
                other => drop(self.url.query_pairs_mut().append_pair(name, &other.to_string())),
            }
        }
        Ok(self)
    }
}

/// How long to wait before the next try: full jitter, so that many clients do not come back together.
pub(crate) fn pause(tries: u32) -> Duration {
    let most = limits::PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)));
    most.min(limits::PAUSE_MAX).mul_f64(fastrand::f64())
}

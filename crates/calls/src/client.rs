//! One exchange after another: limits, redirects, authentication, and what a failure means. See [`Client`].

use std::collections::BTreeMap;
use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::ports::{Cancellation, Secrets};
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Body, Method};
use tokio::time::Instant;
use url::Url;

use crate::access::{Access, Reach, shown};
use crate::auth::{Scheme, digest};
use crate::oauth::Tokens;
use crate::openapi::Documents;
use crate::resolve::{AddressForbidden, Resolver};
use crate::{CallError, limits};

/// How calls are made.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where they may go. Default: only to hosts granted to the single call.
    pub access: Access,
    /// Certificates, PEM, that are trusted in addition to the operating system's.
    pub extra_roots: Vec<Vec<u8>>,
    /// Hosts that are reached at an address of ours, without TLS, whatever port and scheme a URI says: for tests.
    pub host_map: BTreeMap<String, SocketAddr>,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time for a call that does not say.
    pub call_timeout: Duration,
    /// Bytes of a response's body.
    pub response_bytes_max: usize,
    /// Redirects followed in one call.
    pub redirects_max: usize,
    /// What calls say they come from.
    pub user_agent: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            access: Access::default(),
            extra_roots: Vec::new(),
            host_map: BTreeMap::new(),
            connect_timeout: limits::CONNECT_TIMEOUT,
            call_timeout: limits::CALL_TIMEOUT,
            response_bytes_max: limits::RESPONSE_BYTES_MAX,
            redirects_max: limits::REDIRECTS_MAX,
            user_agent: concat!("aedile/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl Config {
    /// Reaches `host` at `address` over plain HTTP, whatever port and scheme a URI says.
    #[must_use]
    pub fn map_host(mut self, host: &str, address: SocketAddr) -> Self {
        self.host_map.insert(host.to_ascii_lowercase(), address);
        self
    }
}

/// What belongs to one call rather than to all.
pub struct Scope<'a> {
    /// How far it reaches.
    pub reach: Reach,
    /// Sent as `Idempotency-Key` with methods that may change something.
    pub idempotency_key: Option<String>,
    /// Where `use: SECRET` finds credentials.
    pub secrets: &'a dyn Secrets,
    /// Whether the result is still wanted.
    pub cancellation: Cancellation,
}

/// Makes calls. Cheap to clone; clones share connections, tokens and documents.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    transport: OnceLock<Result<reqwest::Client, String>>,
    tokens: Tokens,
    documents: Documents,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

/// One request, ready but for its credentials.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) follow: bool,
    pub(crate) bytes_max: usize,
    /// Whether a longer body is cut there, and not an error.
    pub(crate) cut: bool,
}

/// One response, whole, with the request it answers.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) request_headers: HeaderMap,
    pub(crate) sent: bool,
}

/// The time a call has, and whether something that may change the world has left already.
pub(crate) struct Progress {
    pub(crate) total: Duration,
    ends: Instant,
    pub(crate) sent: bool,
}

impl Progress {
    pub(crate) fn new(total: Duration) -> Self {
        Self { total, ends: Instant::now() + total, sent: false }
    }

    /// For a request on the side (a token), which is no part of the effect but of its time.
    pub(crate) fn aside(&self) -> Self {
        Self { total: self.total, ends: self.ends, sent: false }
    }
}

pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

impl Response {
    pub(crate) fn target(&self) -> String {
        format!("{} {}", self.method, shown(&self.url))
    }
}

impl Request {
    fn target(&self) -> String {
        format!("{} {}", self.method, shown(&self.url))
    }
}

impl Client {
    /// A client. Nothing is read, resolved or connected before the first call.
    pub fn new(config: Config) -> Self {
        let inner = Inner {
            config,
            transport: OnceLock::new(),
            tokens: Tokens::default(),
            documents: Documents::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.inner.tokens
    }

    pub(crate) fn documents(&self) -> &Documents {
        &self.inner.documents
    }

    /// Sends a request, follows redirects if it asks for that, and reads the response. Any status is a response.
    pub(crate) async fn send(
        &self,
        mut request: Request,
        scope: &Scope<'_>,
        progress: &mut Progress,
    ) -> Result<Response, CallError> {
        for _ in 0..=self.config().redirects_max {
            let response = self.exchange(&request, scope, progress).await?;
            match redirected(&request, &response)? {
                Some(next) => request = next,
                None => return Ok(response),
            }
        }
        Err(CallError::BadResponse {
            target: request.target(),
            why: format!("there are more than {} redirects", self.config().redirects_max),
            sent: progress.sent,
        })
    }

    /// One request with its credentials; again, once, if the service wants others.
    async fn exchange(
        &self,
        request: &Request,
        scope: &Scope<'_>,
        progress: &mut Progress,
    ) -> Result<Response, CallError> {
        // before credentials are fetched for it, and before its name is resolved
        self.config().access.admit(request.method.as_str(), &request.url, &scope.reach)?;
        let first = match &request.scheme {
            None | Some(Scheme::Digest(_)) => None,
            Some(Scheme::Basic(login)) => Some(login.basic()?),
            Some(Scheme::Bearer(token)) => Some(token.header()?),
            Some(Scheme::OAuth2(grant)) => Some(self.access_token(grant, scope, progress, None).await?),
        };
        let response = self.once(request, first.as_ref(), scope, progress).await?;
        if response.status != 401 {
            return Ok(response);
        }
        let second = match (&request.scheme, first) {
            (Some(Scheme::Digest(login)), _) => digest::answer(login, &response, request)?,
            // a cached token may have been revoked
            (Some(Scheme::OAuth2(grant)), Some(stale)) => {
                let fresh = self.access_token(grant, scope, progress, Some(&stale)).await?;
                if fresh == stale {
                    return Ok(response);
                }
                fresh
            }
            _ => return Ok(response),
        };
        let response = self.once(request, Some(&second), scope, progress).await?;
        match &request.scheme {
            // the nonce ran out between the challenge and the answer (RFC 7616, 3.3)
            Some(Scheme::Digest(login)) if response.status == 401 && digest::is_stale(&response) => {
                let third = digest::answer(login, &response, request)?;
                self.once(request, Some(&third), scope, progress).await
            }
            _ => Ok(response),
        }
    }

    pub(crate) async fn once(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
        scope: &Scope<'_>,
        progress: &mut Progress,
    ) -> Result<Response, CallError> {
        let prepared = self.prepare(request, authorization);
        let transport = self.transport()?;
        let changes = !is_safe(&request.method);
        let sent = progress.sent || changes;
        let mut cancellation = scope.cancellation.clone();
        let work = async {
            let mut response =
                transport.execute(prepared).await.map_err(|error| failed(&error, request, sent))?;
            let status = response.status().as_u16();
            let headers = std::mem::take(response.headers_mut());
            check_headers(&headers, request, sent)?;
            let body = read(&mut response, request, sent).await?;
            let (headers, body) = match authorization {
                Some(credential) if matches!(request.scheme, Some(Scheme::OAuth2(_))) => {
                    redact(credential, headers, body)
                }
                _ => (headers, body),
            };
            Ok(Response {
                status,
                headers,
                body,
                method: request.method.clone(),
                url: request.url.clone(),
                request_headers: request.headers.clone(),
                sent,
            })
        };
        let outcome = tokio::select! {
            biased;
            () = cancellation.cancelled() => Err(CallError::Cancelled { sent }),
            outcome = tokio::time::timeout_at(progress.ends, work) => outcome.unwrap_or_else(|_| {
                Err(CallError::Timeout { target: request.target(), after: progress.total, sent })
            }),
        };
        // refused credentials and failed connections change nothing
        let nothing_happened = match &outcome {
            Ok(response) => response.status == 401,
            Err(error) => !error.maybe_happened(),
        };
        progress.sent |= changes && !nothing_happened;
        outcome
    }

    fn prepare(&self, request: &Request, authorization: Option<&HeaderValue>) -> reqwest::Request {
        let mut url = request.url.clone();
        let mut headers = request.headers.clone();
        if let Some(address) = url.host_str().and_then(|host| self.config().host_map.get(host)) {
            // the service is to see the name that was asked for
            if let Some(Ok(host)) = url.host_str().map(HeaderValue::from_str) {
                headers.insert(header::HOST, host);
            }
            let mapped = url.set_scheme("http").is_ok() && url.set_port(Some(address.port())).is_ok();
            debug_assert!(mapped, "http and https are both special schemes with a host");
        }
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.clone());
        }
        let mut prepared = reqwest::Request::new(request.method.clone(), url);
        *prepared.headers_mut() = headers;
        *prepared.body_mut() = request.body.clone().map(Body::from);
        prepared
    }

    fn transport(&self) -> Result<&reqwest::Client, CallError> {
        self.inner
            .transport
            .get_or_init(|| connect(&self.inner.config).map_err(|error| chain(&error)))
            .as_ref()
            .map_err(|why| CallError::BadCall(format!("the HTTP client cannot be set up: {why}")))
    }
}

fn connect(config: &Config) -> Result<reqwest::Client, reqwest::Error> {
    // an error means that somebody else chose a provider first, which then is the one to use
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut roots = Vec::new();
    for bundle in &config.extra_roots {
        roots.extend(reqwest::Certificate::from_pem_bundle(bundle)?);
    }
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .referer(false)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(config.connect_timeout)
        .pool_max_idle_per_host(limits::IDLE_CONNECTIONS_MAX)
        .http1_only()
        .http1_max_headers(limits::HEADERS_MAX)
        .user_agent(config.user_agent.as_str())
        .dns_resolver(Resolver { mapped: config.host_map.clone(), rule: config.access.address_rule() });
    if !roots.is_empty() {
        builder = builder.tls_certs_merge(roots);
    }
    builder.build()
}

async fn read(response: &mut reqwest::Response, request: &Request, sent: bool) -> Result<Vec<u8>, CallError> {
    let limit = request.bytes_max;
    let too_large = || CallError::TooLarge { target: request.target(), limit, sent };
    if !request.cut
        && request.method != Method::HEAD
        && response.content_length().is_some_and(|length| length > limit as u64)
    {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error, request, sent))? {
        if body.len() + chunk.len() > limit {
            if !request.cut {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk[..limit - body.len()]);
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Takes an access token out of the answer of a service that repeats what it was sent. Nobody else can: unlike other
/// credentials, it is no secret of the project's.
fn redact(credential: &HeaderValue, mut headers: HeaderMap, mut body: Vec<u8>) -> (HeaderMap, Vec<u8>) {
    const INSTEAD: &[u8] = b"[access token]";
    let token = credential.as_bytes().strip_prefix(b"Bearer ").unwrap_or_default();
    if token.len() < limits::REDACTED_BYTES_MIN {
        return (headers, body);
    }
    let clean = |text: &[u8]| {
        let mut clean = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = memchr::memmem::find(rest, token) {
            clean.extend_from_slice(&rest[..at]);
            clean.extend_from_slice(INSTEAD);
            rest = &rest[at + token.len()..];
        }
        clean.extend_from_slice(rest);
        clean
    };
    for value in headers.values_mut() {
        if memchr::memmem::find(value.as_bytes(), token).is_some() {
            *value =
                HeaderValue::from_bytes(&clean(value.as_bytes())).unwrap_or(HeaderValue::from_static(""));
        }
    }
    if memchr::memmem::find(&body, token).is_some() {
        body = clean(&body);
    }
    (headers, body)
}

fn check_headers(headers: &HeaderMap, request: &Request, sent: bool) -> Result<(), CallError> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits::HEADER_BYTES_MAX {
        return Err(CallError::TooLarge { target: request.target(), limit: limits::HEADER_BYTES_MAX, sent });
    }
    Ok(())
}

/// What a transport error means.
fn failed(error: &reqwest::Error, request: &Request, sent: bool) -> CallError {
    let host = request.url.host_str().unwrap_or_default();
    let port = request.url.port_or_known_default().unwrap_or(0);
    let place = format!("{host}:{port}");
    let mut cause = error.source();
    let mut garbled = false;
    while let Some(at) = cause {
        if let Some(forbidden) = at.downcast_ref::<AddressForbidden>() {
            return CallError::Forbidden { target: place, why: forbidden.to_string() };
        }
        garbled |= at.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
        cause = at.source();
    }
    let why = chain(error);
    if error.is_connect() {
        CallError::Unreachable { target: place, why }
    } else if error.is_builder() {
        CallError::BadCall(format!("{} cannot be sent: {why}", request.target()))
    } else if garbled {
        CallError::BadResponse { target: request.target(), why, sent }
    } else {
        CallError::Broken { target: request.target(), why, sent }
    }
}

/// The causes of an error, outermost last-known first, without the URI that the outermost one repeats.
fn chain(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(at) = cause {
        let text = at.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        cause = at.source();
    }
    if parts.is_empty() { "no more is known".to_owned() } else { parts.join(": ") }
}

/// Headers that another origin may see after a redirect. Everything else may be a credential.
const KEPT_ACROSS_ORIGINS: [header::HeaderName; 5] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_LANGUAGE,
    header::CONTENT_TYPE,
    header::USER_AGENT,
];

/// The request a redirect asks for (RFC 9110, 15.4), if it is one that is to be followed.
fn redirected(request: &Request, response: &Response) -> Result<Option<Request>, CallError> {
    if !request.follow || !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers.get(header::LOCATION) else { return Ok(None) };
    let garbled = |why: &str| CallError::BadResponse {
        target: response.target(),
        why: why.to_owned(),
        sent: response.sent,
    };
    let location = location.to_str().map_err(|_| garbled("its Location is not text"))?;
    let url = request.url.join(location).map_err(|_| garbled("its Location is not a URI"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(garbled("its Location is not a plain http or https URI"));
    }
    if request.url.scheme() == "https" && url.scheme() == "http" {
        return Err(garbled("it redirects from https to http"));
    }
    let mut next = Request { url, ..request.clone() };
    let to_get = match response.status {
        303 => next.method != Method::HEAD,
        301 | 302 => next.method == Method::POST,
        _ => false,
    };
    if to_get {
        next.method = Method::GET;
        next.body = None;
        next.headers.remove(header::CONTENT_TYPE);
        next.headers.remove(crate::request::IDEMPOTENCY_KEY);
    }
    if next.url.origin() != request.url.origin() {
        next.scheme = None;
        let kept = KEPT_ACROSS_ORIGINS
            .iter()
            .filter_map(|name| Some((name.clone(), next.headers.get(name)?.clone())));
        next.headers = kept.collect();
    }
    Ok(Some(next))
}

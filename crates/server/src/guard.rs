//! What every request passes before a handler sees it, from the outside in: an id and a line in the log, limits, who asks, and
//! whether it was they who asked.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use model::code;
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::identity::{Caller, Presented};
use crate::problem::Failed;
use crate::{Problem, limits, routes};

/// How often callers and strangers may ask.
pub(crate) struct Rates {
    callers: DefaultKeyedRateLimiter<String>,
    strangers: DefaultKeyedRateLimiter<std::net::IpAddr>,
}

impl Rates {
    pub(crate) fn new(per_second: u32) -> Self {
        let quota =
            |per_second: u32| Quota::per_second(NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN));
        Self {
            callers: RateLimiter::keyed(quota(per_second)),
            strangers: RateLimiter::keyed(quota(limits::STRANGERS_PER_SECOND)),
        }
    }

    fn caller(&self, name: &str) -> Result<(), Problem> {
        if self.callers.len() > limits::CALLERS_MAX {
            self.callers.retain_recent();
        }
        self.callers.check_key(&name.to_owned()).map_err(|_| too_often())
    }

    fn stranger(&self, address: std::net::IpAddr) -> Result<(), Problem> {
        if self.strangers.len() > limits::CALLERS_MAX {
            self.strangers.retain_recent();
        }
        self.strangers.check_key(&address).map_err(|_| too_often())
    }
}

fn too_often() -> Problem {
    Problem::busy(StatusCode::TOO_MANY_REQUESTS, "more requests came than one caller may make", 1)
}

/// The request's id, for pages that name it.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Gives the request an id, writes down what came of it, counts it, and dresses the answer in what every answer wears.
pub(crate) async fn outermost(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let began = std::time::Instant::now();
    let given = request.headers().get(api::REQUEST_ID_HEADER).and_then(|id| id.to_str().ok());
    let id = given
        .filter(|id| is_id(id))
        .map_or_else(|| format!("{:032x}", app.machine.entropy.draw()), str::to_owned);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let is_api = path.starts_with("/api/");
    // a path would be as many series of metrics as there are runs
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    app.metrics.answered(method.as_str(), &route, response.status().as_u16(), began.elapsed());
    if let Some(Failed(mut problem)) = response.extensions_mut().remove::<Failed>() {
        if response.status().is_server_error() || !method.is_safe() {
            let shown = shown(&path);
            let why = problem.detail.as_deref().unwrap_or_default().replace(&path, &shown);
            (app.log)(&format!("{id} {method} {shown} {} {why}", response.status().as_u16()));
        }
        if problem.code.as_deref() == Some(code::general::INTERNAL.id) {
            // what it was is in the log under this id
            problem.detail = None;
        }
        let is_page =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| contains(kind, "text/html"));
        if !is_page {
            problem.request = Some(id.clone());
            let (parts, _) = response.into_parts();
            let (_, body) = crate::problem::body(&problem).into_parts();
            response = Response::from_parts(parts, body);
            response.headers_mut().remove(header::CONTENT_LENGTH);
        }
    } else if !method.is_safe() {
        (app.log)(&format!("{id} {method} {} {}", shown(&path), response.status().as_u16()));
    }
    dress(response.headers_mut(), &id, is_api, app.secure);
    response
}

/// A path as it may be written down: what is in the address of a page that signs somebody in is a secret until it was used.
fn shown(path: &str) -> String {
    let secret = routes::SECRETS.iter().find(|page| path.starts_with(*page));
    secret.map_or_else(|| path.to_owned(), |page| format!("{page}{{secret}}"))
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Nothing inline, nothing from elsewhere, in nobody's frame.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

fn dress(headers: &mut HeaderMap, id: &str, is_api: bool, secure: bool) {
    let mut put = |name: &'static str, value: &'static str| {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    };
    put("content-security-policy", CONTENT_POLICY);
    put("x-content-type-options", "nosniff");
    put("referrer-policy", "same-origin");
    put("cross-origin-opener-policy", "same-origin");
    put("cross-origin-resource-policy", "same-origin");
    put("x-frame-options", "DENY");
    put("cache-control", "no-store");
    if secure {
        put("strict-transport-security", "max-age=31536000");
    }
    if is_api {
        put(api::VERSION_HEADER, api::VERSION);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static(api::REQUEST_ID_HEADER), id);
    }
}

/// Limits what is done at a time, and how long an answer may take.
pub(crate) async fn limited(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Ok(_permit) = app.at_a_time.try_acquire() else {
        let what = "as many requests as may be are being answered";
        return Problem::busy(StatusCode::SERVICE_UNAVAILABLE, what, 1).into_response();
    };
    tokio::time::timeout(limits::ANSWER_TIME_MAX, next.run(request)).await.unwrap_or_else(|_| {
        let what = "the answer took longer than the limit";
        Problem::busy(StatusCode::SERVICE_UNAVAILABLE, what, 1).into_response()
    })
}

/// Limits how many requests of people who are not known yet are answered at a time.
pub(crate) async fn signing_in(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Ok(_permit) = app.signing_in.try_acquire() else {
        let what = "as many people as may be are signing in";
        return Problem::busy(StatusCode::SERVICE_UNAVAILABLE, what, 1).into_response();
    };
    next.run(request).await
}

/// Refuses versions of the interface that are not spoken here.
pub(crate) async fn version(request: Request, next: Next) -> Result<Response, Problem> {
    if let Some(wanted) = request.headers().get(api::VERSION_HEADER)
        && wanted.as_bytes() != api::VERSION.as_bytes()
    {
        let wanted = String::from_utf8_lossy(wanted.as_bytes()).into_owned();
        let what = format!("version {wanted} of the interface is not spoken here");
        return Err(Problem::with_status(StatusCode::NOT_ACCEPTABLE, code::server::NO_VERSION, what)
            .with_hint(format!("{}: {}", api::VERSION_HEADER, api::VERSION)));
    }
    Ok(next.run(request).await)
}

/// Finds out who asks, and lets nobody through of whom that is not known.
pub(crate) async fn known(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match admit(&app, peer, request).await {
        Ok(request) => next.run(request).await,
        Err((problem, uri)) => match uri {
            Some(uri) if problem.status() == StatusCode::UNAUTHORIZED => to_login(&uri),
            _ => problem.into_response(),
        },
    }
}

/// A person who opens a page signs in first, and comes back to it.
fn to_login(uri: &str) -> Response {
    let next = percent_encoding::utf8_percent_encode(uri, percent_encoding::NON_ALPHANUMERIC);
    Redirect::to(&format!("/login?next={next}")).into_response()
}

async fn admit(app: &App, peer: SocketAddr, request: Request) -> Result<Request, (Problem, Option<String>)> {
    let page = request.method() == Method::GET && is_page(request.uri(), request.headers());
    let uri = page.then(|| request.uri().path_and_query().map_or("/", |it| it.as_str()).to_owned());
    let refused = |problem: Problem| (problem, uri.clone());
    let presented = Presented::from_headers(request.headers(), app.secure);
    let caller = match app.identity.authenticate(&presented, app.now()) {
        Ok(caller) => caller,
        Err(error) => {
            app.rates.stranger(peer.ip()).map_err(&refused)?;
            return Err(refused(error.into()));
        }
    };
    app.rates.caller(caller.principal.as_str()).map_err(&refused)?;
    let mut request = meant(app, &caller, request).await.map_err(&refused)?;
    request.extensions_mut().insert(Arc::new(caller));
    Ok(request)
}

/// Whether a person asks, who wants to read the answer in a browser.
pub(crate) fn is_page(uri: &axum::http::Uri, headers: &HeaderMap) -> bool {
    !uri.path().starts_with("/api/")
        && headers.get(header::ACCEPT).is_some_and(|accept| contains(accept, "text/html"))
}

fn contains(value: &HeaderValue, word: &str) -> bool {
    value.to_str().is_ok_and(|text| text.contains(word))
}

/// Whether a request that changes something was meant by the person whose browser sent it: a cookie goes along with whatever
/// any page makes the browser send.
async fn meant(app: &App, caller: &Caller, request: Request) -> Result<Request, Problem> {
    if request.method().is_safe() || !caller.is_session() {
        return Ok(request);
    }
    app.identity.check_origin(request.headers())?;
    if let Some(token) = request.headers().get("x-csrf-token").and_then(|token| token.to_str().ok()) {
        caller.check_csrf(token)?;
        return Ok(request);
    }
    let form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if !form {
        caller.check_csrf("")?;
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, limits::FORM_BYTES_MAX)
        .await
        .map_err(|_| Problem::of(code::general::TOO_LARGE, "the form is larger than the limit"))?;
    let token = url::form_urlencoded::parse(&bytes).find(|(name, _)| name == "csrf").map(|(_, value)| value);
    caller.check_csrf(token.as_deref().unwrap_or_default())?;
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// Gives answers in JSON and pages an entity tag, and says `304` to whoever has them already (RFC 9110, section 13).
pub(crate) async fn tagged(request: Request, next: Next) -> Response {
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let read = request.method() == Method::GET;
    let response = next.run(request).await;
    let known_kind = |kind: &HeaderValue| contains(kind, "application/json") || contains(kind, "text/html");
    let fits = response.headers().get(header::CONTENT_TYPE).is_some_and(known_kind);
    // what is longer goes as it is: to keep it for its tag is not worth the memory
    let short =
        response.body().size_hint().exact().is_some_and(|bytes| bytes <= limits::TAGGED_BYTES_MAX as u64);
    if !read || response.status() != StatusCode::OK || !fits || !short {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, limits::TAGGED_BYTES_MAX).await else {
        return Problem::internal("an answer is larger than the limit").into_response();
    };
    let tag = tag_of(&bytes);
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    // it may be kept, and has to be asked for again each time
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if known.is_some_and(|known| contains(&known, &tag)) {
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.status = StatusCode::NOT_MODIFIED;
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn tag_of(bytes: &Bytes) -> String {
    let digest = Sha256::digest(bytes);
    format!("\"{}\"", hex::encode(&digest[..16]))
}

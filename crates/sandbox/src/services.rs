//! [`Services`]: what the embedding program does for actions. The sandbox itself opens no socket and reads no clock
//! on their behalf.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use url::Url;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How bad a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For whoever writes the action.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// What it does.
    Info,
    /// It may go wrong.
    Warn,
    /// It went wrong.
    Error,
}

impl Level {
    /// The word used in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A request that has passed the sandbox's checks and the grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// HTTP token in capitals.
    pub method: String,
    /// Exactly what was checked: send to this, do not parse another text.
    pub url: Url,
    /// Field names are tokens, values hold no line breaks; never `host`, `content-length` or hop-by-hop fields.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one.
    pub body: Option<Vec<u8>>,
    /// Give up after this long.
    pub timeout: Duration,
    /// Stop reading the answer's body after this many bytes and answer [`HttpError::TooLarge`].
    pub max_body_bytes: usize,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// Decoded body.
    pub body: Vec<u8>,
    /// The URL that answered. If it is not the one asked, somebody followed a redirect and the answer is refused.
    pub url: Url,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Nothing came in time.
    #[error("no answer in time")]
    Timeout,
    /// No connection, or it broke.
    #[error("{0}")]
    Connection(String),
    /// The body is longer than `max_body_bytes`.
    #[error("the answer is too large")]
    TooLarge,
}

/// A service that the embedding program does not offer, or that did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ServiceError(pub String);

impl ServiceError {
    fn absent(what: &str) -> Self {
        Self(format!("{what} is not offered here"))
    }
}

/// What the embedding program does for an action during one call.
///
/// Contract: every method may be called from any thread, none is called for a capability that is not granted, and
/// none may panic. What the action passes has been checked against its grants and limits. The sandbox drops a future
/// when the call's time is up or the call is cancelled, so each must be safe to drop at any await.
///
/// Every method answers "not offered" unless it is overridden, so a program implements what it has.
pub trait Services: Send + Sync {
    /// Sends one request. Must not follow redirects.
    fn http(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        drop(request);
        Box::pin(async { Err(HttpError::Connection("HTTP is not offered here".to_owned())) })
    }

    /// The value of `key`, if there is one.
    fn kv_get<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, ServiceError>> {
        let _ = (namespace, key);
        Box::pin(async { Err(ServiceError::absent("a key-value store")) })
    }

    /// Sets `key`.
    fn kv_set<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        value: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), ServiceError>> {
        let _ = (namespace, key);
        drop(value);
        Box::pin(async { Err(ServiceError::absent("a key-value store")) })
    }

    /// Deletes `key`; that it was not there is no error.
    fn kv_delete<'a>(&'a self, namespace: &'a str, key: &'a str) -> BoxFuture<'a, Result<(), ServiceError>> {
        let _ = (namespace, key);
        Box::pin(async { Err(ServiceError::absent("a key-value store")) })
    }

    /// The keys that begin with `prefix`, sorted, at most `limit`.
    fn kv_keys<'a>(
        &'a self,
        namespace: &'a str,
        prefix: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, ServiceError>> {
        let _ = (namespace, prefix, limit);
        Box::pin(async { Err(ServiceError::absent("a key-value store")) })
    }

    /// Takes one log line: no control characters, at most [`LOG_LINE_BYTES`](crate::limits::LOG_LINE_BYTES).
    fn log(&self, level: Level, line: &str) {
        let _ = (level, line);
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> Result<u64, ServiceError> {
        Err(ServiceError::absent("a clock"))
    }

    /// Fills `bytes` with randomness fit for keys.
    fn random(&self, bytes: &mut [u8]) -> Result<(), ServiceError> {
        let _ = bytes;
        Err(ServiceError::absent("randomness"))
    }
}

/// Offers nothing: for actions that only compute.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoServices;

impl Services for NoServices {}

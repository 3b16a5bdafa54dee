//! Requests whose body is bytes and whose every answer is a response: for callers that speak HTTP themselves.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::client::{Client, Progress, Request, Scope};
use crate::{CallError, limits};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRequest {
    /// Method.
    pub method: String,
    /// Where to.
    pub url: Url,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// The time it has.
    pub timeout: Duration,
    /// Most bytes of the response's body.
    pub bytes_max: usize,
}

/// The answer to a [`RawRequest`], whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawResponse {
    /// Status code.
    pub status: u16,
    /// Header fields whose values are text.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What answered.
    pub url: Url,
}

impl Client {
    /// Sends one request to a granted host. Follows no redirect and adds no credentials.
    pub async fn raw(&self, request: RawRequest, scope: &Scope<'_>) -> Result<RawResponse, CallError> {
        self.raw_body(request, scope, false).await
    }

    /// The same, where a body that is longer is `cut` if that is wanted.
    pub(crate) async fn raw_body(
        &self,
        request: RawRequest,
        scope: &Scope<'_>,
        cut: bool,
    ) -> Result<RawResponse, CallError> {
        let bad = |what: &str| CallError::BadCall(format!("{what} of the request is malformed"));
        if request.timeout.is_zero() || request.timeout > limits::CALL_TIMEOUT_MAX {
            return Err(bad("the timeout"));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("a header's name"))?;
            headers.append(name, HeaderValue::from_str(value).map_err(|_| bad("a header's value"))?);
        }
        let mut progress = Progress::new(request.timeout);
        let prepared = Request {
            method: Method::from_bytes(request.method.as_bytes()).map_err(|_| bad("the method"))?,
            url: request.url,
            headers,
            body: request.body,
            scheme: None,
            follow: false,
            bytes_max: request.bytes_max.min(self.config().response_bytes_max),
            cut,
        };
        let response = self.send(prepared, scope, &mut progress).await?;
        let headers = response
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        Ok(RawResponse { status: response.status, headers, body: response.body, url: response.url })
    }
}

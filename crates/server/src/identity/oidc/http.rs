//! How a provider is asked: over TLS, without redirects, for a limited time and a limited answer.

use std::future::Future;
use std::pin::Pin;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use url::{Host, Url};

use super::{ANSWER_BYTES_MAX, ANSWER_TIME};

/// Asks.
pub(super) struct Http(reqwest::Client);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// The address is not one to send a secret to.
    #[error("{0} is neither https:// nor on this machine")]
    Unsafe(String),
    /// The request failed.
    #[error("the request failed")]
    Failed(#[source] reqwest::Error),
    /// The answer is too long.
    #[error("the answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
}

impl Http {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        // an error means that somebody else chose a provider first, which then is the one to use
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .http1_only()
            .connect_timeout(ANSWER_TIME)
            .timeout(ANSWER_TIME)
            .user_agent(concat!("aedile/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self(client))
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = reqwest::Request::try_from(request).map_err(HttpError::Failed)?;
        // addresses come from the provider's own description: one bad entry must not send the client's secret in the clear
        if !is_safe(request.url()) {
            return Err(HttpError::Unsafe(request.url().origin().ascii_serialization()));
        }
        let mut response =
            self.0.execute(request).await.map_err(|error| HttpError::Failed(error.without_url()))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| HttpError::Failed(error.without_url()))?
        {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(HttpError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

/// Whether nobody on the way can read what is sent there.
pub(crate) fn is_safe(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && local)
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

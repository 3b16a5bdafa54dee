//! Bodies and queries, read strictly: what is wrong is named, with the place.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::code;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Problem;

/// A body in JSON, in requests and answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let plain = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| too_large(&rejection))?;
        // a request that says nothing asks for the defaults
        if bytes.is_empty() {
            return decode(b"{}").map(Self);
        }
        if plain.as_deref() != Some("application/json") {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            let what = "the body has to be JSON, with `content-type: application/json`";
            return Err(Problem::with_status(status, code::server::BAD_REQUEST, what));
        }
        decode(&bytes).map(Self)
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let reader = &mut serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let inner = error.inner();
        if inner.is_data() {
            let path = error.path().to_string();
            let at = if path == "." { String::new() } else { format!("{path}: ") };
            Problem::unprocessable(format!("the body is not what is expected: {at}{inner}"))
        } else {
            Problem::bad(format!("the body is not JSON: {inner}"))
        }
    })
}

fn too_large(rejection: &axum::extract::rejection::BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::of(code::general::TOO_LARGE, "the body is larger than the limit")
                .with_hint(format!("at most {} bytes", crate::limits::BODY_BYTES_MAX))
        }
        _ => Problem::bad(format!("the body cannot be read: {rejection}")),
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        // whole at once: a writer of small pieces takes several times as long
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
            Err(error) => Problem::internal(error.to_string()).into_response(),
        }
    }
}

/// The query of a URL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|query| Self(query.0))
            .map_err(|rejection| Problem::bad(format!("the query is wrong: {}", rejection.body_text())))
    }
}

/// What is in braces in a route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|path| Self(path.0))
            .map_err(|rejection| Problem::bad(format!("the path is wrong: {}", rejection.body_text())))
    }
}

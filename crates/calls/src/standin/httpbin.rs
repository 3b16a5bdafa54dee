//! Endpoints of httpbin that say what they were asked, and that want credentials.

use axum::extract::{Path, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

pub(super) fn routes() -> Router {
    Router::new()
        .route("/basic-auth/{user}/{password}", get(basic))
        .route("/bearer", get(bearer))
        .route("/status/{code}", any(status))
        .route("/get", get(echo))
        .route("/{method}", any(echo))
        .route("/anything/{*rest}", any(echo))
}

async fn basic(Path((user, password)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let expected = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    match headers.get(header::AUTHORIZATION) {
        Some(given) if given == expected.as_str() => {
            Json(json!({"authenticated": true, "user": user})).into_response()
        }
        _ => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"Fake Realm\"")])
            .into_response(),
    }
}

async fn bearer(headers: HeaderMap) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match given.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(token) => Json(json!({"authenticated": true, "token": token})).into_response(),
        None => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response(),
    }
}

async fn status(Path(code): Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST)
}

async fn echo(request: Request) -> Json<Value> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, crate::limits::REQUEST_BYTES_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let headers: Map<String, Value> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes()))))
        .collect();
    let query = parts.uri.query().unwrap_or_default();
    let arguments: Map<String, Value> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect();
    Json(json!({
        "method": parts.method.as_str(),
        "args": arguments,
        "headers": headers,
        "data": text,
        "json": serde_json::from_str::<Value>(&text).ok(),
    }))
}

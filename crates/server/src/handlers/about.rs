//! The server itself.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Refusals;
use crate::app::App;
use crate::at::Known;
use crate::body::Json;
use crate::problem::Answer;

/// Say whether the server lives
#[utoipa::path(get, path = "/health", tag = "server", operation_id = "health", security(()),
    responses((status = 200, body = api::Health)))]
pub(crate) async fn health() -> Json<api::Health> {
    Json(api::Health { status: "ok".to_owned(), rules: None })
}

/// Say whether the server can work: every journal can be read, and no engine is in trouble with its own
#[utoipa::path(get, path = "/ready", tag = "server", operation_id = "ready", security(()),
    responses((status = 200, body = api::Health), (status = 503, body = api::Health)))]
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    let troubled = app.all().any(|bench| {
        bench.workshop.engine.trouble().borrow().is_some()
            || journal::Journal::head(&*bench.workshop.journal).is_err()
    });
    let (status, word) = if app.all().any(|bench| bench.is_full()) {
        (StatusCode::SERVICE_UNAVAILABLE, "disk")
    } else if troubled {
        (StatusCode::SERVICE_UNAVAILABLE, "journal")
    } else {
        (StatusCode::OK, "ok")
    };
    // the rules before are in force: to be taken out of service for somebody's typing error would help nobody
    let broken = app.all().filter(|bench| bench.workshop.rules.trouble().is_some()).count();
    let rules = (broken > 0).then(|| {
        format!("changed rules of {broken} environments cannot be read; those before are in force there")
    });
    (status, Json(api::Health { status: word.to_owned(), rules })).into_response()
}

/// Say which version this is
#[utoipa::path(get, path = "/api/v1/version", tag = "server", operation_id = "version",
    responses((status = 200, body = api::Version), Refusals))]
pub(crate) async fn version(Known(_): Known) -> Json<api::Version> {
    Json(api::Version { version: env!("CARGO_PKG_VERSION").to_owned(), api: api::VERSION.to_owned() })
}

/// Describe this interface
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "server", operation_id = "openapi",
    responses((status = 200, body = serde_json::Value, content_type = "application/json"), Refusals))]
pub(crate) async fn openapi(Known(_): Known) -> Response {
    let text = crate::routes::document();
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

/// Count what happens, as Prometheus reads it
#[utoipa::path(get, path = "/metrics", tag = "server", operation_id = "metrics",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"), Refusals))]
pub(crate) async fn metrics(State(app): State<Arc<App>>, Known(caller): Known) -> Answer<Response> {
    let visible = |bench: &&Arc<crate::bench::Bench>| bench.may(&caller, model::Permission::Read).is_ok();
    let text = app.metrics.text(app.all().filter(visible))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response())
}

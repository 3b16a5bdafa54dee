//! What a call does with good, bad, broken and silent servers.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use engine::ports::FailureClass;
use serde_json::{Value, json};

use crate::support::{Caller, serve, serve_bytes};

async fn headers(headers: HeaderMap) -> axum::Json<Value> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    axum::Json(json!({"authorization": text("authorization"), "key": text("idempotency-key")}))
}

#[tokio::test]
async fn a_secret_is_sent_and_a_change_carries_its_idempotency_key() {
    let address = serve(Router::new().route("/", any(headers))).await;
    let caller = Caller::free().secret("token", "s3cret");
    let login = json!({"bearer": {"use": "token"}});
    let call =
        json!({"method": "POST", "uri": format!("http://{address}/"), "body": {}, "authentication": login});
    let seen = caller.http(call).await.unwrap();
    assert_eq!(seen, json!({"authorization": "Bearer s3cret", "key": "key-1"}));
    let seen = caller.get(&format!("http://{address}/")).await.unwrap();
    assert_eq!(seen["key"], Value::Null, "a read needs no key");
}

#[tokio::test]
async fn answers_are_classed_by_their_status() {
    let throttled = any(async || (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")], ""));
    let routes = Router::new()
        .route("/throttled", throttled)
        .route("/conflict", any(async || StatusCode::CONFLICT))
        .route("/broken", any(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route("/gone", any(async || StatusCode::GONE));
    let address = serve(routes).await;
    let later = FailureClass::Throttled { retry_after: Some(Duration::from_secs(7)) };
    for (path, class) in [
        ("throttled", later),
        ("conflict", FailureClass::Conflict),
        ("broken", FailureClass::Transient),
        ("gone", FailureClass::Permanent),
    ] {
        let error = Caller::free().get(&format!("http://{address}/{path}")).await.unwrap_err();
        assert_eq!(error.class(), class, "{path}");
    }
}

#[tokio::test]
async fn garbage_and_silence_end_in_errors() {
    let garbage = serve_bytes(b"this is not HTTP\r\n\r\n", false).await;
    Caller::free().get(&format!("http://{garbage}/")).await.unwrap_err();
    let silent = serve_bytes(b"", true).await;
    let call = json!({"method": "GET", "uri": format!("http://{silent}/"), "timeoutMs": 200});
    let error = Caller::free().http(call).await.unwrap_err();
    assert_eq!(error.problem().status, 504);
    let caller = Caller::free();
    caller.canceller.cancel();
    caller.get(&format!("http://{silent}/")).await.unwrap_err();
}

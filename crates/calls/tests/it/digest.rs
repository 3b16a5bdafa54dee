//! Digest, basic and bearer authentication against servers that check what they are given. The server computes digests
//! itself, from RFC 7616, so that both sides cannot be wrong in the same way by sharing code.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Caller, serve_counted};

/// A server with one user and a nonce that can run out.
struct Guard {
    nonce: Mutex<u32>,
    /// How many good answers are called stale before one is believed.
    stale: Mutex<u32>,
    qop: &'static str,
    requests: Mutex<u32>,
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn fields(header: &str) -> BTreeMap<String, String> {
    let fields = header.strip_prefix("Digest ").unwrap().split(", ");
    fields
        .map(|field| {
            let (name, value) = field.split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('"').to_owned())
        })
        .collect()
}

async fn guarded(State(guard): State<Arc<Guard>>, request: Request) -> Response {
    *guard.requests.lock().unwrap() += 1;
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let mut nonce = guard.nonce.lock().unwrap();
    let refuse = |nonce: u32, stale: bool| {
        let challenge = format!(
            "Digest realm=\"the realm\", nonce=\"nonce-{nonce}\", qop=\"{}\", algorithm=SHA-256, stale={stale}",
            guard.qop
        );
        (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
    };
    let Some(given) = parts.headers.get(header::AUTHORIZATION) else { return refuse(*nonce, false) };
    let given = fields(given.to_str().unwrap());
    let target = parts.uri.path_and_query().unwrap().as_str();
    assert_eq!(given["uri"], target);
    let subject = match guard.qop {
        "auth-int" => hash(&format!("{}:{target}:{}", parts.method, hex::encode(Sha256::digest(&body)))),
        _ => hash(&format!("{}:{target}", parts.method)),
    };
    let user = hash("maria:the realm:open sesame");
    let good =
        hash(&format!("{user}:nonce-{nonce}:{}:{}:{}:{subject}", given["nc"], given["cnonce"], given["qop"]));
    if given["response"] != good || given["username"] != "maria" || given["qop"] != guard.qop {
        return refuse(*nonce, false);
    }
    let mut stale = guard.stale.lock().unwrap();
    if *stale > 0 {
        *stale -= 1;
        *nonce += 1;
        return refuse(*nonce, true);
    }
    "come in".into_response()
}

/// What came of it, and how many requests it took.
async fn knock(qop: &'static str, stale: u32, password: &str, method: &str) -> (Result<Value, u16>, u32) {
    let guard =
        Arc::new(Guard { nonce: Mutex::new(1), stale: Mutex::new(stale), qop, requests: Mutex::new(0) });
    let server = serve_counted(Router::new().fallback(any(guarded)).with_state(Arc::clone(&guard))).await;
    let call = json!({
        "method": method, "uri": format!("http://{}/door?number=7&x=a%20b", server.address),
        "body": {"hello": "there"},
        "authentication": {"digest": {"username": "maria", "password": password}}
    });
    let answer = Caller::free().http(call).await;
    let requests = *guard.requests.lock().unwrap();
    let answer = answer.map_err(|error| {
        let said = format!("{error} {error:?} {:?}", error.problem());
        assert!(!said.contains(password), "{said}");
        error.problem().status
    });
    (answer, requests)
}

#[tokio::test]
async fn digest_answers_the_challenge_with_and_without_the_body() {
    for (qop, method) in [("auth", "GET"), ("auth", "POST"), ("auth-int", "PUT")] {
        let (answer, requests) = knock(qop, 0, "open sesame", method).await;
        assert_eq!((answer, requests), (Ok(json!("come in")), 2), "{qop} {method}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    assert_eq!(knock("auth", 0, "open barley", "GET").await, (Err(401), 2));
}

#[tokio::test]
async fn a_nonce_that_ran_out_is_replaced_once() {
    assert_eq!(knock("auth", 1, "open sesame", "POST").await, (Ok(json!("come in")), 3));
    // and a server that calls every nonce stale is not asked for ever
    assert_eq!(knock("auth", 99, "open sesame", "POST").await, (Err(401), 3));
}

async fn whoami(headers: HeaderMap) -> String {
    headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_origin() {
    let other = serve_counted(Router::new().fallback(any(whoami))).await;
    let away = format!("http://{}/", other.address);
    let routes = Router::new()
        .route("/away", any(async move || (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, away)])))
        .route("/here", any(async || (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/me")])))
        .route("/me", any(whoami));
    let server = serve_counted(routes).await;
    for (login, sent) in [
        (json!({"basic": {"username": "maria", "password": "pw"}}), "Basic bWFyaWE6cHc="),
        (json!({"bearer": {"token": "tok"}}), "Bearer tok"),
    ] {
        for (path, expected) in [("me", json!(sent)), ("here", json!(sent)), ("away", Value::Null)] {
            let call = json!({
                "method": "GET", "uri": format!("http://{}/{path}", server.address), "redirect": true,
                "headers": {"x-api-key": "also secret"}, "authentication": login
            });
            assert_eq!(Caller::free().http(call).await.unwrap(), expected, "{path}");
        }
    }
    assert!(other.connections() > 0);
}

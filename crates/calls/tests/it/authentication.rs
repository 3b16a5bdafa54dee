//! Every way to authenticate, against real servers that check it; and how far a call reaches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use calls::CallError;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::support::{Caller, serve};

/// What the servers have seen.
#[derive(Clone, Default)]
struct Seen {
    tokens: Arc<AtomicU32>,
    calls: Arc<AtomicU32>,
    /// Tokens up to this one have been withdrawn.
    withdrawn: Arc<AtomicU32>,
}

fn form(body: &Bytes) -> Value {
    url::form_urlencoded::parse(body)
        .map(|(key, value)| (key.into_owned(), Value::from(value.into_owned())))
        .collect()
}

/// A token endpoint that knows one client, by each way to say so.
async fn token(State(seen): State<Seen>, headers: HeaderMap, body: Bytes) -> Response {
    let json_body = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let asked = if json_body { serde_json::from_slice(&body).unwrap() } else { form(&body) };
    let basic = format!("Basic {}", STANDARD.encode("shop:s%26cret"));
    let by_header = headers.get(header::AUTHORIZATION).is_some_and(|sent| *sent == basic);
    let by_body = asked["client_id"] == "shop" && asked["client_secret"] == "s&cret";
    let by_assertion = asked["client_assertion"] == "signed.by.shop"
        && asked["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    if !(by_header || by_body || by_assertion) || asked["grant_type"] != "client_credentials" {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": "invalid_client"}))).into_response();
    }
    let number = seen.tokens.fetch_add(1, Ordering::SeqCst) + 1;
    let scope = asked["scope"].as_str().unwrap_or("none");
    Json(json!({"access_token": format!("token-{number}-{scope}"), "token_type": "Bearer", "expires_in": 3600}))
        .into_response()
}

/// A service that wants a token which has not been withdrawn, and says which it was given.
async fn service(State(seen): State<Seen>, headers: HeaderMap) -> Response {
    seen.calls.fetch_add(1, Ordering::SeqCst);
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let number =
        sent.strip_prefix("Bearer token-").and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
    match number {
        Some(number) if number > seen.withdrawn.load(Ordering::SeqCst) => Json(json!(sent)).into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn servers() -> (Seen, String) {
    let seen = Seen::default();
    let routes = Router::new()
        .route("/oauth2/token", post(token))
        .route("/other/token", post(token))
        .route("/service", any(service))
        .with_state(seen.clone());
    let address = serve(routes).await;
    (seen, format!("http://{address}"))
}

fn oauth2(base: &str, client: &Value) -> Value {
    json!({
        "method": "GET", "uri": format!("{base}/service"),
        "authentication": {"oauth2": {
            "authority": base, "grant": "client_credentials", "client": client, "scopes": ["read", "write"],
        }},
    })
}

#[tokio::test]
async fn a_client_says_who_it_is_in_each_way_of_the_language() {
    let (seen, base) = servers().await;
    for client in [
        json!({"id": "shop", "secret": "s&cret"}),
        json!({"id": "shop", "secret": "s&cret", "authentication": "client_secret_post"}),
        json!({"id": "shop", "secret": "s&cret", "authentication": "client_secret_basic"}),
        json!({"id": "shop", "assertion": "signed.by.shop", "authentication": "client_secret_jwt"}),
        json!({"assertion": "signed.by.shop", "authentication": "private_key_jwt"}),
    ] {
        let answer = Caller::free().http(oauth2(&base, &client)).await.unwrap();
        assert!(answer.as_str().unwrap().ends_with("-read write"), "{client}: {answer}");
    }
    assert_eq!(seen.tokens.load(Ordering::SeqCst), 5);
    let mut elsewhere = oauth2(&base, &json!({"id": "shop", "secret": "s&cret"}));
    elsewhere["authentication"]["oauth2"]["endpoints"] = json!({"token": "/other/token"});
    elsewhere["authentication"]["oauth2"]["request"] = json!({"encoding": "application/json"});
    Caller::free().http(elsewhere).await.unwrap();
}

#[tokio::test]
async fn a_token_is_kept_and_asked_for_anew_when_the_service_refuses_it() {
    let (seen, base) = servers().await;
    let caller = Caller::free();
    let call = oauth2(&base, &json!({"id": "shop", "secret": "s&cret"}));
    for _ in 0..3 {
        assert_eq!(caller.http(call.clone()).await.unwrap(), "Bearer token-1-read write");
    }
    assert_eq!(seen.tokens.load(Ordering::SeqCst), 1, "one token for three calls");
    seen.withdrawn.store(1, Ordering::SeqCst);
    assert_eq!(caller.http(call.clone()).await.unwrap(), "Bearer token-2-read write");
    seen.withdrawn.store(u32::MAX, Ordering::SeqCst);
    let calls = seen.calls.load(Ordering::SeqCst);
    let error = caller.http(call).await.unwrap_err();
    assert_eq!(error.problem().status, 401);
    assert!(seen.calls.load(Ordering::SeqCst) - calls <= 2, "no loop of tokens");
}

#[tokio::test]
async fn a_wrong_client_is_refused_and_its_secret_stays_out_of_the_error() {
    let (seen, base) = servers().await;
    let error =
        Caller::free().http(oauth2(&base, &json!({"id": "shop", "secret": "canary"}))).await.unwrap_err();
    assert!(!format!("{error} {error:?} {:?}", error.problem()).contains("canary"), "{error:?}");
    assert_eq!(seen.calls.load(Ordering::SeqCst), 0, "the service was not asked without a token");
}

#[tokio::test]
async fn oidc_finds_the_token_endpoint_and_an_issuer_that_speaks_for_another_is_refused() {
    let seen = Seen::default();
    let base: Arc<std::sync::OnceLock<String>> = Arc::default();
    let discovered = Arc::clone(&base);
    let discovery = move |issuer: &'static str| {
        let base = Arc::clone(&discovered);
        get(async move || {
            let base = base.get().unwrap();
            Json(
                json!({"issuer": format!("{base}{issuer}"), "token_endpoint": format!("{base}/other/token")}),
            )
        })
    };
    let routes = Router::new()
        .route("/.well-known/openid-configuration", discovery(""))
        .route("/liar/.well-known/openid-configuration", discovery("/somebody-else"))
        .route("/other/token", post(token))
        .route("/service", any(service))
        .with_state(seen.clone());
    let address = serve(routes).await;
    let base = base.get_or_init(|| format!("http://{address}"));
    let oidc = |authority: String| {
        json!({
            "method": "GET", "uri": format!("{base}/service"),
            "authentication": {"oidc": {
                "authority": authority, "grant": "client_credentials", "client": {"id": "shop", "secret": "s&cret"},
            }},
        })
    };
    Caller::free().http(oidc(base.clone())).await.unwrap();
    let error = Caller::free().http(oidc(format!("{base}/liar"))).await.unwrap_err();
    assert!(error.to_string().contains("speaks for the issuer"), "{error}");
    assert_eq!(seen.tokens.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn basic_is_sent_as_rfc_7617_says() {
    let check = any(async |headers: HeaderMap| {
        let wanted = format!("Basic {}", STANDARD.encode("maria:pa:ss"));
        if headers.get(header::AUTHORIZATION).is_some_and(|sent| *sent == wanted) {
            StatusCode::NO_CONTENT
        } else {
            StatusCode::UNAUTHORIZED
        }
    });
    let address = serve(Router::new().route("/", check)).await;
    let call = |password: &str| {
        json!({
            "method": "GET", "uri": format!("http://{address}/"),
            "authentication": {"basic": {"username": "maria", "password": password}},
        })
    };
    Caller::free().http(call("pa:ss")).await.unwrap();
    assert_eq!(Caller::free().http(call("wrong")).await.unwrap_err().problem().status, 401);
}

fn md5(text: &str) -> String {
    hex::encode(Md5::digest(text.as_bytes()))
}

/// One part of a `Digest` header.
fn part(header: &str, name: &str) -> String {
    let parts = header.trim_start_matches("Digest ").split(", ");
    let found = parts.filter_map(|part| part.split_once('=')).find(|(key, _)| *key == name);
    found.map(|(_, value)| value.trim_matches('"').to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn digest_answers_the_challenge_also_when_its_nonce_has_become_stale() {
    let nonces = Arc::new(AtomicU32::new(1));
    let fresh = Arc::clone(&nonces);
    let check = any(async move |headers: HeaderMap| {
        let nonce = format!("nonce-{}", fresh.load(Ordering::SeqCst));
        let sent =
            headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let challenge = |stale: bool| {
            let text = format!(
                "Digest realm=\"shop\", qop=\"auth\", algorithm=MD5, nonce=\"{nonce}\", stale={stale}"
            );
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, text)]).into_response()
        };
        if !sent.starts_with("Digest ") {
            return challenge(false);
        }
        if part(sent, "nonce") != nonce {
            return challenge(true);
        }
        let (ha1, ha2) = (md5("maria:shop:s3cret"), md5(&format!("GET:{}", part(sent, "uri"))));
        let wanted = md5(&format!("{ha1}:{nonce}:{}:{}:auth:{ha2}", part(sent, "nc"), part(sent, "cnonce")));
        if part(sent, "response") == wanted {
            StatusCode::NO_CONTENT.into_response()
        } else {
            challenge(false)
        }
    });
    let address = serve(Router::new().route("/", check)).await;
    let call = |password: &str| {
        json!({
            "method": "GET", "uri": format!("http://{address}/"),
            "authentication": {"digest": {"username": "maria", "password": password}},
        })
    };
    let caller = Caller::free();
    caller.http(call("s3cret")).await.unwrap();
    nonces.store(2, Ordering::SeqCst);
    caller.http(call("s3cret")).await.unwrap();
    assert_eq!(Caller::free().http(call("wrong")).await.unwrap_err().problem().status, 401);
}

#[tokio::test]
async fn a_call_reaches_what_was_granted_and_nothing_else_is_even_connected_to() {
    let hits = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&hits);
    let other = serve(Router::new().fallback(any(async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        StatusCode::NO_CONTENT
    })))
    .await;
    let away = format!("http://{other}/away");
    let routes = Router::new().route("/away", any(async move || Redirect::temporary(&away)));
    let granted = serve(routes.route("/", any(async || "here"))).await;
    let reach = |text: &str| {
        let mut caller = Caller::new(calls::Config::default());
        let capabilities = vec![text.to_owned()];
        caller.policy = Some(Arc::new(policy::Granted { capabilities, ..policy::Granted::default() }));
        caller
    };
    let caller = reach(&format!("http:{granted} GET"));
    caller.get(&format!("http://{granted}/")).await.unwrap();
    let redirected = json!({"method": "GET", "uri": format!("http://{granted}/away"), "redirect": true});
    let port = other.port();
    let mut refused = vec![caller.http(redirected).await];
    refused
        .push(caller.http(json!({"method": "POST", "uri": format!("http://{granted}/"), "body": {}})).await);
    for uri in [
        format!("http://{other}/"),
        format!("http://{granted}@{other}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f000001:{port}/"),
        format!("http://LOCALHOST:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
    ] {
        refused.push(caller.get(&uri).await);
    }
    for result in refused {
        let error = result.unwrap_err();
        assert!(matches!(error, CallError::Forbidden { .. } | CallError::BadCall(_)), "{error:?}");
    }
    // nor does a call that is granted its service ask for a token elsewhere
    let mut call = oauth2(&format!("http://{other}"), &json!({"id": "shop", "secret": "s&cret"}));
    call["uri"] = json!(format!("http://{granted}/"));
    let error = caller.http(call).await.unwrap_err();
    assert!(matches!(error, CallError::Forbidden { .. }), "{error:?}");
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

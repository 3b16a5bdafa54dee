//! OAuth 2.0 and `OpenID` Connect against a real authorization server and a real service that believes only it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{Caller, Counted, serve_counted};

/// One token request as the server saw it.
#[derive(Debug, Clone, Default)]
struct Asked {
    kind: String,
    authorization: Option<String>,
    members: BTreeMap<String, Value>,
}

/// What the authorization server answers to its nth token request.
type Answer = fn(usize, &Asked) -> Response;

/// What the authorization server knows, and how it behaves.
struct Issuer {
    asked: Mutex<Vec<Asked>>,
    valid: Mutex<Vec<String>>,
    served: Mutex<usize>,
    answer: Answer,
}

type Shared = Arc<Issuer>;

impl Issuer {
    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn revoke_all(&self) {
        self.valid.lock().unwrap().clear();
    }

    fn served(&self) -> usize {
        *self.served.lock().unwrap()
    }
}

async fn token(State(issuer): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    let members = if kind == "application/json" {
        serde_json::from_str(&body).unwrap()
    } else {
        let pairs = url::form_urlencoded::parse(body.as_bytes());
        pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect()
    };
    let asked = Asked { kind, authorization: text(header::AUTHORIZATION), members };
    let number = {
        let mut all = issuer.asked.lock().unwrap();
        all.push(asked.clone());
        all.len()
    };
    issuer.valid.lock().unwrap().push(format!("Bearer {}", token_number(number)));
    (issuer.answer)(number, &asked)
}

async fn protected(State(issuer): State<Shared>, headers: HeaderMap) -> Response {
    *issuer.served.lock().unwrap() += 1;
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if issuer.valid.lock().unwrap().iter().any(|valid| valid == given) {
        Json(json!({"welcome": true})).into_response()
    } else {
        (StatusCode::UNAUTHORIZED, format!("{given} is not known")).into_response()
    }
}

async fn echo(headers: HeaderMap) -> Response {
    let given = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
    (StatusCode::INTERNAL_SERVER_ERROR, [("x-echo", given.clone())], given).into_response()
}

async fn echo_gladly(headers: HeaderMap) -> Response {
    let given = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
    ([("x-echo", given.clone())], Json(json!({"sent": [given]}))).into_response()
}

async fn discovery(headers: HeaderMap) -> Json<Value> {
    let host = headers[header::HOST].to_str().unwrap();
    Json(json!({"issuer": format!("http://{host}"), "token_endpoint": format!("http://{host}/oauth2/token")}))
}

fn token_number(number: usize) -> String {
    format!("access-token-number-{number}")
}

fn an_hour(number: usize, _asked: &Asked) -> Response {
    let body = json!({"access_token": token_number(number), "token_type": "bearer", "expires_in": 3600});
    Json(body).into_response()
}

async fn start(answer: Answer) -> (Counted, Shared) {
    let issuer = Arc::new(Issuer {
        asked: Mutex::default(),
        valid: Mutex::default(),
        served: Mutex::default(),
        answer,
    });
    let routes = Router::new()
        .route("/oauth2/token", post(token))
        .route("/given/token", post(token))
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/lying/.well-known/openid-configuration", get(discovery))
        .route("/protected", get(protected))
        .route("/echo", get(echo))
        .route("/echo-gladly", get(echo_gladly))
        .with_state(Arc::clone(&issuer));
    (serve_counted(routes).await, issuer)
}

fn settings(server: &Counted, more: &Value) -> Value {
    let mut settings = json!({
        "authority": format!("http://{}", server.address),
        "grant": "client_credentials",
        "client": {"id": "the-client", "secret": "the-client-secret"},
    });
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    settings
}

fn call(server: &Counted, path: &str, scheme: &str, settings: &Value) -> Value {
    json!({
        "method": "GET", "uri": format!("http://{}{path}", server.address),
        "authentication": {scheme: settings}, "output": "content"
    })
}

#[tokio::test]
async fn clients_authenticate_in_every_way_the_dsl_lists() {
    let (server, issuer) = start(an_hour).await;
    // RFC 6749, 2.3.1: both parts are form-encoded before they are joined
    let basic = format!("Basic {}", STANDARD.encode("a+client%3A1:s%26cr%2Bt"));
    let jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    for (client, header, members) in [
        (json!({"id": "c", "secret": "s"}), None, json!({"client_id": "c", "client_secret": "s"})),
        (
            json!({"id": "c", "secret": "s", "authentication": "client_secret_post"}),
            None,
            json!({"client_id": "c", "client_secret": "s"}),
        ),
        (
            json!({"id": "a client:1", "secret": "s&cr+t", "authentication": "client_secret_basic"}),
            Some(basic),
            json!({}),
        ),
        (
            json!({"id": "c", "assertion": "h.p.s", "authentication": "client_secret_jwt"}),
            None,
            json!({"client_id": "c", "client_assertion": "h.p.s", "client_assertion_type": jwt}),
        ),
        (
            json!({"assertion": "h.p.s", "authentication": "private_key_jwt"}),
            None,
            json!({"client_assertion": "h.p.s", "client_assertion_type": jwt}),
        ),
        (json!({"id": "c", "authentication": "none"}), None, json!({"client_id": "c"})),
    ] {
        for scheme in ["oauth2", "oidc"] {
            let settings = settings(&server, &json!({"client": client}));
            let answer = Caller::free().http(call(&server, "/protected", scheme, &settings)).await;
            assert_eq!(answer.unwrap(), json!({"welcome": true}), "{scheme} {client}");
            let mut asked = issuer.asked().pop().unwrap();
            assert_eq!(asked.authorization, header, "{client}");
            assert_eq!(asked.kind, "application/x-www-form-urlencoded");
            assert_eq!(asked.members.remove("grant_type").unwrap(), "client_credentials");
            assert_eq!(json!(asked.members), members, "{client}");
        }
    }
    for (client, missing) in [
        (json!({"id": "c"}), "client.secret"),
        (json!({"secret": "s", "authentication": "client_secret_basic"}), "client.id"),
        (json!({"id": "c", "authentication": "private_key_jwt"}), "client.assertion"),
        (json!({"id": "c", "authentication": "tls_client_auth"}), "tls_client_auth"),
    ] {
        let before = server.connections();
        let settings = settings(&server, &json!({"client": client}));
        let error = Caller::free().http(call(&server, "/protected", "oauth2", &settings)).await.unwrap_err();
        assert!(error.to_string().contains(missing), "{error}");
        assert_eq!(server.connections(), before, "{client}");
    }
}

#[tokio::test]
async fn the_token_request_is_what_the_settings_say() {
    let (server, issuer) = start(an_hour).await;
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let kind = "urn:ietf:params:oauth:token-type:jwt";
    for (more, expected) in [
        (json!({"scopes": ["a", "b"], "audiences": ["x"]}), json!({"scope": "a b", "audience": "x"})),
        (
            json!({"request": {"encoding": "application/json"}, "audiences": ["x", "y"]}),
            json!({"audience": ["x", "y"]}),
        ),
        (
            json!({"endpoints": {"token": "/given/token", "revocation": "/r", "introspection": "/i"}}),
            json!({}),
        ),
        (
            json!({"grant": "password", "username": "u", "password": "p"}),
            json!({"grant_type": "password", "username": "u", "password": "p"}),
        ),
        (
            json!({"grant": exchange, "subject": {"token": "st", "type": kind}, "actor": {"token": "at", "type": kind}}),
            json!({
                "grant_type": exchange, "subject_token": "st", "subject_token_type": kind,
                "actor_token": "at", "actor_token_type": kind
            }),
        ),
    ] {
        let settings = settings(&server, &more);
        Caller::free().http(call(&server, "/protected", "oauth2", &settings)).await.unwrap();
        let asked = issuer.asked().pop().unwrap();
        let mut wanted = json!({
            "grant_type": "client_credentials", "client_id": "the-client", "client_secret": "the-client-secret"
        });
        for (name, value) in expected.as_object().unwrap() {
            wanted[name] = value.clone();
        }
        assert_eq!(json!(asked.members), wanted, "{more}");
    }
    let settings = settings(&server, &json!({"grant": "authorization_code"}));
    let error = Caller::free().http(call(&server, "/protected", "oauth2", &settings)).await.unwrap_err();
    assert!(error.to_string().contains("client_credentials"), "{error}");
}

/// Lets time pass at once. Not for longer than this: with time standing still, every wait for the network would end
/// in a time-out.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_it_ends() {
    let (server, issuer) = start(an_hour).await;
    let caller = Caller::free();
    let asks = call(&server, "/protected", "oauth2", &settings(&server, &json!({})));
    for _ in 0..3 {
        caller.http(asks.clone()).await.unwrap();
    }
    assert_eq!(issuer.asked().len(), 1);
    pass(3600 - 60).await;
    caller.http(asks.clone()).await.unwrap();
    assert_eq!(issuer.asked().len(), 1, "a minute is left");
    pass(45).await;
    caller.http(asks.clone()).await.unwrap();
    assert_eq!(issuer.asked().len(), 2, "15 seconds are too few");
    // other settings, other tokens
    let other = settings(&server, &json!({"scopes": ["other"]}));
    caller.http(call(&server, "/protected", "oauth2", &other)).await.unwrap();
    assert_eq!(issuer.asked().len(), 3);
}

#[tokio::test]
async fn many_calls_at_once_ask_for_one_token() {
    let (server, issuer) = start(an_hour).await;
    let caller = Caller::free();
    let asks = call(&server, "/protected", "oauth2", &settings(&server, &json!({})));
    let calls = (0..16).map(|_| caller.http(asks.clone()));
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }
    assert_eq!(issuer.asked().len(), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let (server, issuer) = start(an_hour).await;
    let caller = Caller::free();
    let asks = call(&server, "/protected", "oauth2", &settings(&server, &json!({})));
    caller.http(asks.clone()).await.unwrap();
    issuer.revoke_all();
    caller.http(asks.clone()).await.unwrap();
    assert_eq!((issuer.asked().len(), issuer.served()), (2, 3), "refused, replaced, served");

    // a service that refuses every token is asked twice, and no more
    fn useless(_number: usize, _asked: &Asked) -> Response {
        Json(json!({"access_token": "nobody-knows-this", "token_type": "Bearer"})).into_response()
    }
    let (server, issuer) = start(useless).await;
    let asks = call(&server, "/protected", "oauth2", &settings(&server, &json!({})));
    let error = Caller::free().http(asks).await.unwrap_err();
    assert_eq!((error.problem().status, error.problem().code.as_deref()), (401, Some("E0603")));
    assert_eq!(issuer.asked().len(), 2);
    // the second token is the same as the first, so there is nothing to try again
    assert_eq!(issuer.served(), 1);
}

#[tokio::test]
async fn a_refresh_token_is_used_until_it_is_refused() {
    fn refreshable(number: usize, asked: &Asked) -> Response {
        let refresh = asked.members.get("refresh_token").and_then(Value::as_str);
        let token = json!({"access_token": token_number(number), "token_type": "Bearer", "expires_in": 60});
        match (number, refresh) {
            (1, None) => {
                let mut token = token;
                token["refresh_token"] = json!("refresh-me");
                Json(token).into_response()
            }
            // no new one: the old one stays good
            (2 | 3, Some("refresh-me")) | (5, None) => Json(token).into_response(),
            (4, Some("refresh-me")) => {
                (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response()
            }
            _ => StatusCode::IM_A_TEAPOT.into_response(),
        }
    }
    let (server, issuer) = start(refreshable).await;
    let caller = Caller::free();
    let asks = call(&server, "/protected", "oauth2", &settings(&server, &json!({})));
    for _ in 0..4 {
        caller.http(asks.clone()).await.unwrap();
        pass(31).await;
    }
    let grants: Vec<Value> = issuer.asked().iter().map(|asked| asked.members["grant_type"].clone()).collect();
    let expected =
        ["client_credentials", "refresh_token", "refresh_token", "refresh_token", "client_credentials"];
    assert_eq!(grants, expected);
}

#[tokio::test]
async fn an_authority_speaks_for_itself_only() {
    let (server, issuer) = start(an_hour).await;
    let lying = settings(&server, &json!({"authority": format!("http://{}/lying", server.address)}));
    let asks = call(&server, "/protected", "oidc", &lying);
    let error = Caller::free().http(asks).await.unwrap_err();
    assert!(error.to_string().contains("speaks for the issuer"), "{error}");
    assert!(issuer.asked().is_empty());

    fn signed(_number: usize, asked: &Asked) -> Response {
        let issuer = asked.members["scope"].as_str().unwrap();
        let claims = URL_SAFE_NO_PAD.encode(json!({"iss": issuer}).to_string());
        Json(json!({"access_token": format!("e30.{claims}.e30"), "token_type": "Bearer"})).into_response()
    }
    let (server, issuer) = start(signed).await;
    for (scope, trusted) in [("https://a.example", true), ("https://b.example", false)] {
        let settings = settings(
            &server,
            &json!({"issuers": ["https://a.example"], "scopes": [scope], "client": {"id": "c", "secret": "s"}}),
        );
        let result = Caller::free().http(call(&server, "/echo-gladly", "oauth2", &settings)).await;
        assert_eq!(result.is_ok(), trusted, "{scope}: {result:?}");
    }
    assert_eq!(issuer.asked().len(), 2);
}

#[tokio::test]
async fn what_an_authorization_server_says_badly_is_an_error_without_secrets() {
    fn repeat(asked: &Asked) -> String {
        format!("{} {}", asked.members["client_secret"].as_str().unwrap(), asked.members["client_id"])
    }
    let answers: [(Answer, bool); 8] = [
        (|_, asked| (StatusCode::BAD_REQUEST, Json(json!({"error": repeat(asked)}))).into_response(), false),
        (|_, asked| (StatusCode::UNAUTHORIZED, repeat(asked)).into_response(), false),
        (|_, asked| (StatusCode::INTERNAL_SERVER_ERROR, repeat(asked)).into_response(), true),
        (|_, _| StatusCode::TOO_MANY_REQUESTS.into_response(), true),
        (|_, asked| repeat(asked).into_response(), false),
        (|_, asked| Json(json!({"access_token": [repeat(asked)]})).into_response(), false),
        (|_, asked| Json(json!({"access_token": "x", "token_type": repeat(asked)})).into_response(), false),
        (
            |_, asked| {
                let location =
                    format!("https://elsewhere.example/?leak={}", repeat(asked).replace([' ', '"'], ""));
                (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
            },
            false,
        ),
    ];
    for (number, (answer, transient)) in answers.into_iter().enumerate() {
        let (server, issuer) = start(answer).await;
        let asks = call(&server, "/protected", "oauth2", &settings(&server, &json!({})));
        let error = Caller::free().http(asks).await.unwrap_err();
        let failure = engine::ports::Failure::from(error.clone());
        let said = format!("{error} {error:?} {failure:?}");
        assert!(!said.contains("the-client-secret"), "{number}: {said}");
        assert_eq!(failure.problem.code.as_deref(), Some("E0603"), "{number}: {said}");
        assert_eq!(failure.class == engine::ports::FailureClass::Transient, transient, "{number}: {said}");
        assert_eq!((issuer.asked().len(), issuer.served()), (1, 0), "{number}");
    }
    fn known(_number: usize, _asked: &Asked) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_client"}))).into_response()
    }
    let (server, _issuer) = start(known).await;
    let asks = call(&server, "/protected", "oauth2", &settings(&server, &json!({})));
    let error = Caller::free().http(asks).await.unwrap_err();
    assert!(error.to_string().contains("(invalid_client)"), "{error}");
}

#[tokio::test]
async fn a_service_that_repeats_its_access_token_gives_nothing_away() {
    let (server, _issuer) = start(an_hour).await;
    let token = token_number(1);
    let caller = Caller::free();
    let error =
        caller.http(call(&server, "/echo", "oauth2", &settings(&server, &json!({})))).await.unwrap_err();
    let said = format!("{error} {error:?} {:?}", error.problem());
    assert!(said.contains("500") && !said.contains(&token), "{said}");
    for output in ["content", "response", "raw"] {
        let mut asks = call(&server, "/echo-gladly", "oauth2", &settings(&server, &json!({})));
        asks["output"] = json!(output);
        let answer = caller.http(asks).await.unwrap().to_string();
        assert!(!answer.contains(&token), "{answer}");
        assert!(!answer.contains(&STANDARD.encode(&token)[..20]), "{answer}");
    }
}

#[tokio::test]
async fn settings_in_a_secret_stay_there() {
    let (server, issuer) = start(an_hour).await;
    let inside = settings(&server, &json!({})).to_string();
    for scheme in ["oauth2", "oidc"] {
        let caller = Caller::free().secret("login", &inside);
        caller.http(call(&server, "/protected", scheme, &json!({"use": "login"}))).await.unwrap();
    }
    assert_eq!(issuer.asked().len(), 2);
    let broken = Caller::free().secret("login", &inside.replace(':', "="));
    let error =
        broken.http(call(&server, "/protected", "oauth2", &json!({"use": "login"}))).await.unwrap_err();
    assert!(!format!("{error:?}").contains("the-client"), "{error:?}");
    let none = Caller::free();
    let error = none.http(call(&server, "/protected", "oauth2", &json!({"use": "login"}))).await.unwrap_err();
    assert!(error.to_string().contains("login"), "{error}");
    assert_eq!(issuer.asked().len(), 2);
}

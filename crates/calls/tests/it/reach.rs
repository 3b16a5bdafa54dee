//! Calls go where policy granted, whatever the document, a redirect, an OpenAPI document or an authorization server
//! says; and where they may not go, nothing is sent: listeners count.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use calls::{Client, Config};
use engine::ports::Failure;
use serde_json::{Value, json};

use crate::support::{Counted, perform, serve_counted};

fn get_call(uri: &str) -> Value {
    json!({"method": "GET", "uri": uri})
}

/// Refused because it was not granted, and before anything was sent.
#[track_caller]
fn assert_forbidden(result: Result<Value, Failure>, what: &str) {
    let failure = result.expect_err(what);
    assert_eq!(failure.problem.code, Some("E0612".to_owned()), "{what}: {:?}", failure.problem);
    assert_eq!(failure.problem.status, 403, "{what}");
    assert!(!failure.maybe_happened, "{what}");
}

async fn hello() -> Counted {
    serve_counted(Router::new().fallback(any(async || "hello"))).await
}

fn redirect(status: StatusCode, to: String) -> Router {
    Router::new().fallback(any(move || async move { (status, [(header::LOCATION, to)]).into_response() }))
}

#[tokio::test]
async fn a_call_goes_where_policy_granted_and_nowhere_else() {
    let server = hello().await;
    let port = server.port();
    let client = Client::new(Config::default());
    let fill = |text: &str| text.replace("PORT", &port.to_string());
    for (grants, method, uri) in [
        (["http:127.0.0.1:PORT GET"], "GET", "http://127.0.0.1:PORT/"),
        (["http:127.0.0.1:*"], "POST", "http://127.0.0.1:PORT/"),
        (["http:localhost:PORT"], "GET", "http://LocalHost:PORT/"),
        // other notations of what is granted
        (["http:127.0.0.1:PORT"], "GET", "http://2130706433:PORT/"),
        (["http:127.0.0.1:PORT"], "GET", "http://0x7f.1:PORT/"),
        (["http:localhost:PORT"], "GET", "http://ｌｏｃａｌｈｏｓｔ:PORT/"),
    ] {
        let grant = fill(grants[0]);
        let call = json!({"method": method, "uri": fill(uri)});
        let answer = perform(&client, &[&grant], "http.call", call).await;
        assert_eq!(answer.unwrap(), "hello", "{grant} {uri}");
    }
    let reached = server.connections();
    assert!(reached > 0);
    let fresh = || Client::new(Config::default());
    for (grants, method, uri) in [
        (&[][..], "GET", "http://127.0.0.1:PORT/"),
        (&["http:127.0.0.1:PORT GET"], "POST", "http://127.0.0.1:PORT/"),
        (&["http:127.0.0.1"], "GET", "http://127.0.0.1:PORT/"),
        (&["http:127.0.0.1:1"], "GET", "http://127.0.0.1:PORT/"),
        // a name and its address are two things
        (&["http:localhost:PORT"], "GET", "http://127.0.0.1:PORT/"),
        (&["http:127.0.0.1:PORT"], "GET", "http://localhost:PORT/"),
        (&["http:localhost:PORT"], "GET", "http://localhost.:PORT/"),
        (&["http:localhost:PORT"], "GET", "http://localhost.example.org:PORT/"),
        (&["http:example.org:PORT"], "GET", "http://127.0.0.1:PORT/#@example.org"),
        (&["http:example.org:PORT"], "GET", "http://127.0.0.1:PORT\\@example.org:PORT/"),
        (&["http:127.0.0.1:PORT"], "GET", "http://[::ffff:127.0.0.1]:PORT/"),
        // a Cyrillic letter
        (&["http:localhost:PORT"], "GET", "http://l\u{43e}calhost:PORT/"),
        // what is granted to other kinds of action
        (&["run:shell", "log", "kv:localhost"], "GET", "http://localhost:PORT/"),
        // granted, and still never called
        (&["http:*:*"], "GET", "http://169.254.169.254:PORT/latest/meta-data"),
    ] {
        let grants: Vec<String> = grants.iter().map(|grant| fill(grant)).collect();
        let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
        let call = json!({"method": method, "uri": fill(uri)});
        assert_forbidden(perform(&fresh(), &grants, "http.call", call).await, uri);
    }
    // user information is no host, whatever it looks like
    let call = get_call(&fill("http://localhost:PORT@127.0.0.1:PORT/"));
    let grants = fill("http:127.0.0.1:PORT");
    let failure = perform(&fresh(), &[&grants], "http.call", call).await.unwrap_err();
    assert_eq!(failure.problem.status, 400);
    assert_eq!(server.connections(), reached, "nothing may have been sent");
}

#[tokio::test]
async fn a_host_is_the_same_in_every_script() {
    let server = hello().await;
    let names = ["xn--bcher-kva.example", "sub.xn--bcher-kva.example", "bucher.example"];
    let map = |config: Config, name: &&str| config.map_host(name, server.address);
    let client = Client::new(names.iter().fold(Config::default(), map));
    for (grant, uri, granted) in [
        ("http:bücher.example", "http://BÜCHER.example/", true),
        ("http:BÜCHER.example", "http://xn--bcher-kva.example/", true),
        ("http:xn--bcher-kva.example", "http://bücher.example/", true),
        ("http:*.bücher.example", "http://sub.bücher.example/", true),
        ("http:*.bücher.example", "http://bücher.example/", false),
        ("http:bücher.example", "http://bucher.example/", false),
    ] {
        let answer = perform(&client, &[grant], "http.call", get_call(uri)).await;
        if granted {
            assert_eq!(answer.unwrap(), "hello", "{grant} {uri}");
        } else {
            assert_forbidden(answer, uri);
        }
    }
}

#[tokio::test]
async fn a_name_may_not_stand_for_an_address_that_is_not_called() {
    let server = hello().await;
    let access = calls::Access::default().addresses(calls::Addresses::PublicOnly);
    let client = Client::new(Config { access, ..Config::default() });
    let uri = format!("http://localhost:{}/", server.port());
    assert_forbidden(perform(&client, &["http:localhost:*"], "http.call", get_call(&uri)).await, &uri);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn every_redirect_is_held_to_the_grant() {
    let target = hello().await;
    let away = format!("http://localhost:{}/", target.port());
    let here = "http:127.0.0.1:*";
    let client = Client::new(Config::default());
    for status in [301, 302, 303, 307, 308] {
        let status = StatusCode::from_u16(status).unwrap();
        let server = serve_counted(redirect(status, away.clone())).await;
        let call = json!({"method": "GET", "uri": format!("http://{}/", server.address), "redirect": true});
        assert_forbidden(perform(&client, &[here], "http.call", call.clone()).await, "not granted");
        assert_eq!((server.connections(), target.connections()), (1, 0), "{status}");
        // the host is granted, the method is not
        let grants = [here, "http:localhost:* POST"];
        assert_forbidden(perform(&client, &grants, "http.call", call).await, "another method");
        assert_eq!(target.connections(), 0, "{status}");
    }
    // a redirect may change the method into one that is not granted, even at the same host
    let posted = Router::new()
        .route("/", post(async || (StatusCode::SEE_OTHER, [(header::LOCATION, "/made")])))
        .route("/made", get(async || "made"));
    let server = serve_counted(posted).await;
    let call = json!({"method": "POST", "uri": format!("http://{}/", server.address), "redirect": true});
    let only_post = "http:127.0.0.1:* POST";
    assert_forbidden(perform(&client, &[only_post], "http.call", call.clone()).await, "303");
    let answer = perform(&client, &[only_post, "http:127.0.0.1:* GET"], "http.call", call).await;
    assert_eq!(answer.unwrap(), "made");
    // to an address that is never called, everything being granted
    let metadata = "http://169.254.169.254/latest/meta-data".to_owned();
    let server = serve_counted(redirect(StatusCode::FOUND, metadata)).await;
    let call = json!({"method": "GET", "uri": format!("http://{}/", server.address), "redirect": true});
    assert_forbidden(perform(&client, &["http:*:*"], "http.call", call).await, "metadata");
    // and where it is granted it goes through
    let server = serve_counted(redirect(StatusCode::FOUND, away)).await;
    let call = json!({"method": "GET", "uri": format!("http://{}/", server.address), "redirect": true});
    let answer = perform(&client, &[here, "http:localhost:* GET"], "http.call", call).await;
    assert_eq!(answer.unwrap(), "hello");
}

#[tokio::test]
async fn an_openapi_document_and_the_servers_it_names_are_held_to_the_grant() {
    let api = hello().await;
    let document = json!({
        "openapi": "3.0.3",
        "info": {"title": "t", "version": "1"},
        "servers": [{"url": format!("http://localhost:{}", api.port())}],
        "paths": {"/x": {"get": {"operationId": "x", "responses": {}}, "post": {"operationId": "y", "responses": {}}}},
    });
    let routes = Router::new().route("/api.json", get(async move || axum::Json(document)));
    let documents = serve_counted(routes).await;
    let client = Client::new(Config::default());
    let call = |operation: &str| {
        json!({
            "document": {"uri": format!("http://{}/api.json", documents.address)}, "operationId": operation
        })
    };
    let (there, both) = (["http:127.0.0.1:*"], ["http:127.0.0.1:*", "http:localhost:* GET"]);
    assert_forbidden(perform(&client, &[], "openapi.call", call("x")).await, "the document");
    assert_eq!(documents.connections(), 0);
    assert_forbidden(perform(&client, &there, "openapi.call", call("x")).await, "the server");
    assert_eq!((documents.connections(), api.connections()), (1, 0));
    assert_forbidden(perform(&client, &both, "openapi.call", call("y")).await, "the method");
    assert_eq!(api.connections(), 0);
    assert_eq!(perform(&client, &both, "openapi.call", call("x")).await.unwrap(), "hello");
    // the document is in memory by now, which opens no way
    let server_only = ["http:localhost:*"];
    assert_forbidden(perform(&client, &server_only, "openapi.call", call("x")).await, "the document again");
}

fn token_routes() -> Router {
    let token = || async {
        axum::Json(json!({"access_token": "at-0123456789", "token_type": "Bearer", "expires_in": 3600}))
    };
    Router::new().route("/oauth2/token", post(token)).route("/token", post(token))
}

#[tokio::test]
async fn token_endpoints_are_held_to_the_grant_also_when_the_token_is_in_memory() {
    let (api, issuer) = (hello().await, serve_counted(token_routes()).await);
    let client = Client::new(Config::default());
    let call = json!({
        "method": "GET", "uri": format!("http://{}/", api.address),
        "authentication": {"oauth2": {
            "authority": format!("http://localhost:{}", issuer.port()), "grant": "client_credentials",
            "client": {"id": "me", "secret": "s"}
        }}
    });
    let here = "http:127.0.0.1:*";
    for grants in [&[here][..], &[here, "http:localhost:* GET"], &["http:localhost:*"]] {
        assert_forbidden(perform(&client, grants, "http.call", call.clone()).await, "no token");
        assert_eq!((api.connections(), issuer.connections()), (0, 0), "{grants:?}");
    }
    let all = [here, "http:localhost:* POST"];
    assert_eq!(perform(&client, &all, "http.call", call.clone()).await.unwrap(), "hello");
    assert_forbidden(perform(&client, &[here], "http.call", call).await, "the token in memory");
}

#[tokio::test]
async fn discovery_and_the_endpoint_it_names_are_held_to_the_grant() {
    let (api, issuer) = (hello().await, serve_counted(token_routes()).await);
    let token_endpoint = format!("http://127.0.0.1:{}/token", issuer.port());
    let discovery = get(async move |headers: axum::http::HeaderMap| {
        let host = headers[header::HOST].to_str().unwrap().to_owned();
        axum::Json(json!({"issuer": format!("http://{host}"), "token_endpoint": token_endpoint}))
    });
    let routes = Router::new().route("/.well-known/openid-configuration", discovery);
    let provider = serve_counted(routes).await;
    let client = Client::new(Config::default());
    let call = json!({
        "method": "GET", "uri": format!("http://{}/", api.address),
        "authentication": {"oidc": {
            "authority": format!("http://localhost:{}", provider.port()), "grant": "client_credentials",
            "client": {"id": "me", "secret": "s"}
        }}
    });
    let at_api = format!("http:127.0.0.1:{}", api.port());
    let at_issuer = format!("http:127.0.0.1:{} POST", issuer.port());
    let at_provider = format!("http:localhost:{} GET", provider.port());
    assert_forbidden(perform(&client, &[&at_api, &at_issuer], "http.call", call.clone()).await, "discovery");
    assert_eq!(provider.connections(), 0);
    assert_forbidden(perform(&client, &[&at_api, &at_provider], "http.call", call.clone()).await, "endpoint");
    assert_eq!((provider.connections(), issuer.connections(), api.connections()), (1, 0, 0));
    let all: [&str; 3] = [&at_api, &at_issuer, &at_provider];
    assert_eq!(perform(&client, &all, "http.call", call.clone()).await.unwrap(), "hello");
    // both are in memory by now
    assert_forbidden(perform(&client, &[&at_api, &at_issuer], "http.call", call.clone()).await, "discovery");
    assert_forbidden(perform(&client, &[&at_api, &at_provider], "http.call", call).await, "endpoint");
}

//! Probes: what answers, what does not, and what is not granted.

use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{any, get};
use calls::{Client, ClientProbes, Config};
use provider::Probes as _;
use provider::exchange::{Answer, Query};

use crate::support::{Counted, serve_counted};

const SECOND: Duration = Duration::from_secs(5);

fn probes(capabilities: &[String]) -> ClientProbes {
    ClientProbes::new(Client::new(Config::default()), capabilities.iter().map(String::as_str))
}

fn get_of(url: &str, body_max: u32) -> Query {
    Query::Http { method: "GET".into(), url: url.into(), headers: Vec::new(), timeout_ms: 5_000, body_max }
}

async fn server() -> Counted {
    let large = || async { "x".repeat(100_000) };
    let away = || async { (StatusCode::FOUND, [(header::LOCATION, "/large")]).into_response() };
    serve_counted(
        Router::new()
            .route("/large", get(large))
            .route("/away", get(away))
            .route("/broken", any(async || StatusCode::SERVICE_UNAVAILABLE)),
    )
    .await
}

#[track_caller]
fn code(answer: &Answer) -> &str {
    match answer {
        Answer::Fault(fault) => &fault.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_page_is_read_to_its_limit_and_no_redirect_is_followed() {
    let server = server().await;
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", server.port());
    let probes = probes(&[format!("http:{}", url("/"))]);
    for (path, status, bytes) in [("/large", 200, 64), ("/away", 302, 0), ("/broken", 503, 0)] {
        match probes.http(&get_of(&url(path), 64)).await {
            Answer::Responded { status: answered, body, .. } => {
                assert_eq!((answered, body.len()), (status, bytes), "{path}");
            }
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_was_not_granted_is_not_connected_to() {
    let server = server().await;
    let port = server.port();
    let url = format!("http://127.0.0.1:{port}/large");
    for capabilities in
        [vec![], vec![format!("tcp:127.0.0.2:{port}")], vec![format!("tcp:127.0.0.1:{}", port ^ 1)]]
    {
        let probes = probes(&capabilities);
        assert_eq!(code(&probes.tcp("127.0.0.1", port, SECOND).await), "not_granted");
        assert_eq!(code(&probes.http(&get_of(&url, 64)).await), "not_granted");
    }
    let granted = probes(&[format!("http:{url}"), "tcp:169.254.169.254:80".to_owned()]);
    let mut post = get_of(&url, 64);
    if let Query::Http { method, .. } = &mut post {
        "POST".clone_into(method);
    }
    assert_eq!(code(&granted.http(&post).await), "not_granted");
    assert_eq!(code(&granted.tcp("169.254.169.254", 80, SECOND).await), "not_granted", "link-local");
    assert_eq!(server.connections(), 0);
    let declared = ClientProbes::as_declared(Client::new(Config::default()));
    assert_eq!(code(&declared.http(&post).await), "not_granted");
    assert_eq!(code(&declared.tcp("169.254.169.254", 80, SECOND).await), "not_granted", "link-local");
    assert_eq!(server.connections(), 0);
    assert!(matches!(declared.http(&get_of(&url, 64)).await, Answer::Responded { status: 200, .. }));
    assert!(matches!(granted.tcp("127.0.0.1", port, SECOND).await, Answer::Connected(_)));
}

#[tokio::test]
async fn nobody_there_and_nobody_who_answers_are_told_apart() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let probes = probes(&[format!("tcp:127.0.0.1:{port}"), "tcp:no-such-host.invalid:1".to_owned()]);
    assert_eq!(code(&probes.tcp("127.0.0.1", port, SECOND).await), "unreachable");
    assert_eq!(code(&probes.http(&get_of(&format!("http://127.0.0.1:{port}/"), 64)).await), "unreachable");
    assert_eq!(code(&probes.tcp("no-such-host.invalid", 1, SECOND).await), "unreachable");
    assert_eq!(code(&probes.tcp("127.0.0.1", port, Duration::ZERO).await), "invalid");
    // it takes connections and says nothing
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let silent_probes = ClientProbes::new(
        Client::new(Config::default()),
        [format!("tcp:127.0.0.1:{port}")].iter().map(String::as_str),
    );
    let mut query = get_of(&format!("http://127.0.0.1:{port}/"), 64);
    if let Query::Http { timeout_ms, .. } = &mut query {
        *timeout_ms = 50;
    }
    assert_eq!(code(&silent_probes.http(&query).await), "timeout");
}

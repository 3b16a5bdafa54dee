//! Clients that mean harm, or are merely broken.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{World, read};

async fn raw(world: &World, text: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    // the server may have had enough before everything is sent
    drop(stream.write_all(text).await);
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    drop(tokio::time::timeout(Duration::from_secs(30), reading).await.expect("it is answered"));
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_heads_and_bodies_are_refused() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let long = "x".repeat(64 << 10);
    let answer =
        raw(&world, format!("GET /health HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many = "x: y\r\n".repeat(200);
    let answer = raw(&world, format!("GET /health HTTP/1.1\r\nhost: a\r\n{many}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let body = json!({ "workflow": "test/plain", "input": { "x": "y".repeat(3 << 20) } });
    let answer = olga.post(&World::dev("/runs"), &body).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (413, &json!("E0006")), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_no_head_is_let_go_and_keeps_nobody_waiting() {
    let world = World::new().await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nhost").await.unwrap();
        idle.push(stream);
    }
    assert_eq!(world.stranger().get("/health").await.status, 200);
    let mut first = idle.swap_remove(0);
    let mut answer = Vec::new();
    let over = first.read_to_end(&mut answer);
    drop(tokio::time::timeout(server::limits::HEAD_TIME_MAX * 3, over).await.expect("it is let go"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_what_they_should_be_are_refused_with_why() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let deep = format!("{{\"workflow\": \"a/b\", \"input\": {}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    for (kind, body, status) in [
        ("application/json", "{", 400),
        ("application/json", "{\"workflow\": 7}", 422),
        ("application/json", "{\"workflow\": \"a/b\", \"extra\": 1}", 422),
        ("application/json", "[]", 422),
        ("application/json", "\u{0}", 400),
        ("application/json", deep.as_str(), 400),
        ("text/plain", "{}", 415),
        ("application/x-www-form-urlencoded", "workflow=a", 415),
    ] {
        let request = olga.request(Method::POST, &World::dev("/runs")).header("content-type", kind);
        let answer = read(request.body(body.to_owned()).send().await.unwrap()).await;
        assert_eq!(answer.status, status, "{kind} {}: {answer:?}", &body[..body.len().min(80)]);
        assert!(answer.body["code"].is_string() && answer.body["request"].is_string(), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_problems_too() {
    let world = World::new().await;
    let ann = world.user("ann").await;
    let nothing = ann.get("/api/v1/nothing").await;
    assert_eq!((nothing.status.as_u16(), &nothing.body["code"]), (404, &json!("E0008")));
    let method = ann.request(Method::DELETE, &World::dev("/runs")).send().await.unwrap();
    let method = read(method).await;
    assert_eq!((method.status.as_u16(), &method.body["code"]), (405, &json!("E1222")), "{method:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let world = World::new().await;
    let stranger = world.stranger();
    let asked = (0..200).map(|_| stranger.get("/api/v1/projects"));
    let answers = futures_util::future::join_all(asked).await;
    let limited = answers.iter().find(|answer| answer.status == 429).expect("somebody is");
    assert_eq!(
        (&limited.body["code"], &limited.headers["retry-after"]),
        (&json!("E1221"), &"1".parse().unwrap())
    );
}

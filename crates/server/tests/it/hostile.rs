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
async fn who_says_nothing_at_all_is_let_go_too() {
    let world = World::new().await;
    let mut silent = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    // and who asked once and then says nothing more
    let mut asked = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    asked.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    for stream in [&mut silent, &mut asked] {
        let mut answer = Vec::new();
        let over = stream.read_to_end(&mut answer);
        drop(tokio::time::timeout(server::limits::HEAD_TIME_MAX * 3, over).await.expect("it is let go"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_never_come_leave_room_for_those_who_are_known() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let head = "POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\ntoken=";
    let (mut waiting, mut refused) = (Vec::new(), 0);
    for _ in 0..server::limits::REQUESTS_MAX + 50 {
        let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    for stream in &mut waiting {
        let mut status = [0; 12];
        let answered = stream.read_exact(&mut status);
        if tokio::time::timeout(Duration::from_millis(20), answered).await.is_ok_and(|read| read.is_ok()) {
            assert_eq!(&status, b"HTTP/1.1 503");
            refused += 1;
        }
    }
    assert!(refused > 0, "there is an end to it");
    let run = olga.run("test/plain").await;
    olga.until(&run, "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_s_secret_is_not_written_down_when_its_page_fails() {
    let world = World::new().await;
    let mut waiting = Vec::new();
    let head = "POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\ntoken=";
    for _ in 0..server::limits::SIGNING_IN_MAX {
        let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    for path in ["/login/link/", "/setup/"] {
        // until there is no room for one more
        for _ in 0..2_000 {
            let answer = world.stranger().get(&format!("{path}verysecret")).await;
            if answer.status == 503 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    world.logged("GET /login/link/{secret} 503").await;
    world.logged("GET /setup/{secret} 503").await;
    // neither by asking for what cannot be done, and at what is not there
    for path in ["/setup/verysecret", "/login/link/verysecret/more"] {
        let answer = world.stranger().post(path, &json!({})).await;
        assert!([404, 405, 503].contains(&answer.status.as_u16()), "{answer:?}");
    }
    world.logged("POST /login/link/{secret} 404").await;
    assert!(world.log.lock().unwrap().iter().all(|line| !line.contains("verysecret")));
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

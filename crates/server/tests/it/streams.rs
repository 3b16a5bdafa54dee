//! Streams of events: whole, in order, from any point, and over when they should be.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{User, World};

/// One event as a browser would read it.
#[derive(Debug, Clone, PartialEq)]
struct Heard {
    id: u64,
    kind: String,
    data: Value,
}

/// Reads a stream until it ends, or `enough` says so.
async fn hear(
    user: &User<'_>,
    path: &str,
    last: Option<u64>,
    enough: impl Fn(&[Heard]) -> bool,
) -> Vec<Heard> {
    let mut request = user.request(Method::GET, path);
    if let Some(last) = last {
        request = request.header("last-event-id", last.to_string());
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let (mut bytes, mut text, mut heard) = (response.bytes_stream(), String::new(), Vec::new());
    while !enough(&heard) {
        let next =
            tokio::time::timeout(Duration::from_mins(1), bytes.next()).await.expect("it says something");
        let Some(chunk) = next else { break };
        text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            if !event.starts_with(':') {
                heard.push(event_of(event));
            }
            text = rest.to_owned();
        }
    }
    heard
}

fn event_of(text: &str) -> Heard {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
    };
    Heard {
        id: field("id: ").parse().unwrap(),
        kind: field("event: "),
        data: serde_json::from_str(&field("data: ")).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_44_the_stream_of_a_run_tells_everything_and_ends_with_it() {
    let world = World::new().await;
    let (olga, lea) = (world.user("olga").await, world.user("lea").await);
    let run = olga.run("test/gated").await;
    let path = World::dev(&format!("/runs/{run}/stream"));
    let approving = async {
        let approval = olga.approval(&run).await;
        lea.post(&World::dev(&format!("/approvals/{approval}/grant")), &json!({})).await
    };
    let (live, granted) = tokio::join!(hear(&olga, &path, None, |_| false), approving);
    assert_eq!(granted.status, 200);
    let kinds: Vec<&str> = live.iter().map(|heard| heard.kind.as_str()).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("run.submitted", "run.completed"));
    // the same again from the past, and the rest of it from any point
    assert_eq!(hear(&olga, &path, None, |_| false).await, live);
    for (index, heard) in live.iter().enumerate() {
        assert_eq!(hear(&olga, &path, Some(heard.id), |_| false).await, live[index + 1..]);
    }
    let events = olga.get(&World::dev(&format!("/runs/{run}/events?limit=1000"))).await;
    let listed: Vec<&Value> = events.body["items"].as_array().unwrap().iter().collect();
    assert_eq!(listed, live.iter().map(|heard| &heard.data).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listener_hears_every_record_once_and_in_order() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let from = olga.get(&World::dev("")).await.body["journal"]["position"].as_u64().unwrap();
    let submitting = async {
        for _ in 0..40 {
            olga.run("test/plain").await;
        }
    };
    let path = World::dev("/journal/stream");
    let ends = |heard: &[Heard]| heard.iter().filter(|heard| heard.kind == "run.completed").count() == 40;
    let listeners = (0..20).map(|_| hear(&olga, &path, Some(from), ends));
    let (heard, ()) = tokio::join!(futures_util::future::join_all(listeners), submitting);
    for one in heard {
        let ids: Vec<u64> = one.iter().map(|heard| heard.id).collect();
        assert_eq!(ids, (from + 1..from + 1 + ids.len() as u64).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_token_is_revoked_hears_no_more() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let answer = olga.request(Method::GET, &World::dev("/journal/stream")).send().await.unwrap();
    let mut bytes = answer.bytes_stream();
    assert!(bytes.next().await.unwrap().is_ok());
    let account = model::Principal::user("olga").unwrap();
    for token in world.app.identity.tokens(Some(&account)) {
        world.app.identity.revoke_token_as(&account, token.token, None).await.unwrap();
    }
    let over = async { while bytes.next().await.is_some() {} };
    tokio::time::timeout(server::limits::HEARTBEAT * 3, over).await.expect("it ends");
    assert_eq!(olga.get(&World::dev("/runs")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_server_stops() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let answer = olga.request(Method::GET, &World::dev("/journal/stream")).send().await.unwrap();
    let mut bytes = answer.bytes_stream();
    assert!(bytes.next().await.unwrap().is_ok());
    let over = tokio::spawn(async move { while bytes.next().await.is_some() {} });
    drop(olga);
    tokio::time::timeout(server::limits::DRAIN_TIME_MAX, world.stop()).await.expect("nothing holds it up");
    over.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_last_event_id_is_refused() {
    let world = World::new().await;
    let ann = world.user("ann").await;
    for id in ["x", "-1", "99999999999999999999", "18446744073709551615"] {
        let request = ann.request(Method::GET, &World::dev("/journal/stream")).header("last-event-id", id);
        assert_eq!(request.send().await.unwrap().status(), 400, "{id}");
    }
}

//! Definitions that come with a request: whose they are, and what that lets them do.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, User, World, read};

const TEXT: &str = "document: {dsl: 1.0.1, namespace: test, name: hot, version: 1.0.0}
do:
  - only: {set: {answer: 7}}
";

async fn send(user: &User<'_>, text: &str) -> Answer {
    user.post(&World::dev("/runs"), &json!({ "definition": { "file": "hot.yaml", "text": text } })).await
}

/// A server whose policy has these rules from its start.
async fn world(rules: &str) -> World {
    let rules = rules.to_owned();
    let world = World::set_up(&[("shop", crate::support::ACCESS)], |options| {
        let path = options.projects[0].root.join("policy/policy.yaml");
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, format!("{text}\n{rules}\n")).unwrap();
    });
    world.await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_runs_where_policy_allows_it_and_is_recorded_as_the_callers() {
    let refusing = World::new().await;
    let olga = refusing.user("olga").await;
    let run = send(&olga, TEXT).await.body["run"].as_str().unwrap().to_owned();
    let failed = olga.until(&run, "failed").await;
    assert!(failed["problem"].as_str().unwrap().contains("origin: caller"), "{failed}");

    let world = world("allow: [{match: {origin: caller}}]").await;
    let olga = world.user("olga").await;
    let answer = send(&olga, TEXT).await;
    let run = answer.body["run"].as_str().unwrap();
    let ended = olga.until(run, "completed").await;
    assert_eq!((&ended["output"]["answer"], &ended["origin"]), (&json!(7), &json!("caller")), "{ended}");
    let events = olga.get(&World::dev(&format!("/runs/{run}/events"))).await.body;
    let program = &events["items"][0]["record"]["data"]["program"];
    assert_eq!((&program["origin"], &program["source"]), (&json!("caller"), &json!("hot.yaml")), "{program}");
    // who only reads sends nothing
    let ann = world.user("ann").await;
    assert_eq!(send(&ann, TEXT).await.body["code"], "E1203");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projects_own_text_is_the_projects_whoever_sends_it() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let text = fs_err::read_to_string(world.directory.path().join("shop/workflows/plain.yaml")).unwrap();
    let run = send(&olga, &text).await.body["run"].as_str().unwrap().to_owned();
    let ended = olga.until(&run, "completed").await;
    assert_eq!(ended["origin"], "project", "{ended}");
    let changed = text.replace("42", "43");
    let run = send(&olga, &changed).await.body["run"].as_str().unwrap().to_owned();
    assert_eq!(olga.until(&run, "failed").await["origin"], "caller");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_definition_is_said_and_nothing_is_written() {
    let world = world("allow: [{match: {origin: caller}}]").await;
    let olga = world.user("olga").await;
    let wrong = send(&olga, &TEXT.replace("set:", "sett:")).await;
    let finding = &wrong.body["findings"][0];
    assert_eq!(
        (wrong.status.as_u16(), &finding["file"], &finding["line"]),
        (422, &json!("hot.yaml"), &json!(3))
    );
    let secret = TEXT.replace("do:", "use: {secrets: [token]}\ndo:");
    let refused = send(&olga, &secret).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (403, &json!("E1203")), "{refused:?}");
    assert!(refused.body["detail"].as_str().unwrap().contains("token"), "{refused:?}");
    let large = format!("{TEXT}# {}", "x".repeat(1 << 20));
    assert_eq!(send(&olga, &large).await.status, 413);
    for both_or_neither in [
        json!({}),
        json!({ "workflow": "test/plain", "definition": { "file": "a.yaml", "text": TEXT } }),
        json!({ "version": "1.0.0", "definition": { "file": "a.yaml", "text": TEXT } }),
    ] {
        let answer = olga.post(&World::dev("/runs"), &both_or_neither).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (422, &json!("E1220")), "{answer:?}");
    }
    assert_eq!(olga.get(&World::dev("/runs")).await.body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_for_one_text() {
    let world = world("allow: [{match: {origin: caller}}]").await;
    let olga = world.user("olga").await;
    let submit = async |text: &str| {
        let request = olga.request(Method::POST, &World::dev("/runs")).header("idempotency-key", "one");
        let body = json!({ "definition": { "file": "hot.yaml", "text": text } });
        read(request.json(&body).send().await.unwrap()).await
    };
    let (one, same) = (submit(TEXT).await, submit(TEXT).await);
    assert_eq!((one.status.as_u16(), &one.body), (202, &same.body));
    let other = submit(&TEXT.replace('7', "8")).await;
    assert_eq!((other.status.as_u16(), &other.body["code"]), (422, &Value::from("E1224")), "{other:?}");
}

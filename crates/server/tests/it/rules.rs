//! Rules that are changed while the server runs.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{ACCESS, POLICY, World};

/// What a record says of the rules.
async fn changes(world: &World) -> Vec<serde_json::Value> {
    let records = world.user("ann").await.get(&World::dev("/journal/records?limit=1000")).await;
    let items = records.body["items"].as_array().unwrap_or_else(|| panic!("{records:?}"));
    let of_rules = items.iter().filter(|it| it["type"] == "rules.changed");
    of_rules.map(|it| it["record"]["data"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_taken_away_is_gone_with_the_next_request() {
    let world = World::new().await;
    let (olga, lea) = (world.user("olga").await, world.user("lea").await);
    let (one, other) = (olga.run("test/gated").await, olga.run("test/gated").await);
    let (one, other) = (olga.approval(&one).await, olga.approval(&other).await);
    let grant = |approval: &str| World::dev(&format!("/approvals/{approval}/grant"));
    assert_eq!(lea.post(&grant(&one), &json!({})).await.status, StatusCode::OK);
    world.write("access.yaml", &ACCESS.replace("[user:lea, user:omar]", "[user:omar]"));
    // she can not even read any more
    let refused = lea.post(&grant(&other), &json!({})).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{refused:?}");
    world.write("access.yaml", ACCESS);
    assert_eq!(lea.post(&grant(&other), &json!({})).await.status, StatusCode::OK);
    let changes = changes(&world).await;
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert_ne!(changes[0]["access_before"], changes[0]["access"]);
    assert_eq!(changes[0]["access_before"], changes[1]["access"]);
    assert_eq!(changes[0]["policy"], changes[1]["policy_before"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_policy_judges_what_comes_and_what_was_judged_stays() {
    let world = World::new().await;
    let (olga, lea) = (world.user("olga").await, world.user("lea").await);
    let verdict = async |run: &str| {
        let events = olga.get(&World::dev(&format!("/runs/{run}/events"))).await;
        let items = events.body["items"].as_array().unwrap().clone();
        items.into_iter().find(|it| it["type"] == "run.judged").unwrap()["record"]["data"].clone()
    };
    let before = olga.run("test/gated").await;
    let approval = olga.approval(&before).await;
    let denying = format!("{POLICY}\ndeny: [{{match: {{action: workflow.run}}, reason: not today}}]\n");
    world.write("policy/policy.yaml", &denying);
    let denied = olga.run("test/plain").await;
    let failed = olga.until(&denied, "failed").await;
    assert!(failed["problem"].as_str().unwrap().contains("not today"), "{failed}");
    let (old, new) = (verdict(&before).await, verdict(&denied).await);
    assert_eq!((&old["verdict"], &new["verdict"]), (&json!("allow"), &json!("deny")));
    let changes = changes(&world).await;
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!((&changes[0]["policy_before"], &changes[0]["policy"]), (&old["policy"], &new["policy"]));
    // what was under way goes on: its run was judged already
    let granted = lea.post(&World::dev(&format!("/approvals/{approval}/grant")), &json!({})).await;
    assert_eq!(granted.status, StatusCode::OK, "{granted:?}");
    olga.until(&before, "completed").await;
    assert_eq!(verdict(&before).await, old);
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_rules_are_not_in_force_and_everybody_is_told() {
    let world = World::new().await;
    let (olga, ann) = (world.user("olga").await, world.user("ann").await);
    assert!(world.stranger().get("/ready").await.body["rules"].is_null());
    world.write("policy/policy.yaml", "deny:\n  - {match: {action: workflow.run}, raeson: not today}\n");
    let run = olga.run("test/plain").await;
    olga.until(&run, "completed").await;
    let line = world.logged("shop/dev: new rules are not in force").await;
    assert!(line.contains("policy/policy.yaml:2:"), "{line}");
    let ready = world.stranger().get("/ready").await;
    assert_eq!((ready.status, &ready.body["status"]), (StatusCode::OK, &json!("ok")));
    let told = ready.body["rules"].as_str().unwrap();
    assert!(told.contains("cannot be read") && !told.contains("shop"), "strangers learn no names: {told}");
    let status = ann.get(&World::dev("")).await;
    let why = status.body["rules"].as_str().unwrap();
    assert!(why.starts_with("policy/policy.yaml:2:") && !why.contains('\n'), "{why}");
    let page = ann.request(reqwest::Method::GET, "/shop/dev/overview").header("accept", "text/html");
    let page = page.send().await.unwrap().text().await.unwrap();
    assert!(
        page.contains("Changed rules are not in force") && page.contains("policy/policy.yaml:2:"),
        "{page}"
    );
    assert!(changes(&world).await.is_empty());
    // an access.yaml that is right does not take effect beside a policy that is not
    world.write("access.yaml", &ACCESS.replace("operator: [user:olga]", "operator: []"));
    olga.run("test/plain").await;
    world.write("policy/policy.yaml", POLICY);
    let refused = olga.post(&World::dev("/runs"), &json!({ "workflow": "test/plain" })).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{refused:?}");
    assert!(ann.get(&World::dev("")).await.body["rules"].is_null());
    // nobody asked the other environments, which look when the kernel tells them to
    while !world.stranger().get("/ready").await.body["rules"].is_null() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(changes(&world).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_lost_its_text_does_not_take_the_rules_away() {
    let world = World::new().await;
    let (olga, ann) = (world.user("olga").await, world.user("ann").await);
    let run = olga.run("test/gated").await;
    let path = world.directory.path().join("shop/policy/policy.yaml");
    fs_err::write(&path, "").unwrap();
    olga.approval(&run).await;
    let status = ann.get(&World::dev("")).await;
    assert!(status.body["rules"].as_str().unwrap().contains("policy/policy.yaml is empty"), "{status:?}");
    fs_err::write(&path, POLICY).unwrap();
    assert!(ann.get(&World::dev("")).await.body["rules"].is_null());
    assert!(changes(&world).await.is_empty(), "the same policy came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_to_ask_for_changed_rules_to_be_in_force() {
    let world = World::new().await;
    world.write("access.yaml", &ACCESS.replace("[user:olga]", "[user:olga, user:otto]"));
    let line = world.logged("shop/prod: new rules are in force").await;
    assert!(line.contains("policy sha256:") && line.contains("access.yaml sha256:"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_of_changed_workflows_are_kept_anew_and_each_start_is_made_once() {
    const EVERY: &str = "
document: {dsl: '1.0.0', namespace: test, name: often, version: '1.0.0'}
schedule: {every: {hours: 1}}
do:
  - only: {set: {answer: 1}}
";
    let world = World::set_up(&[("shop", ACCESS)], |options| {
        options.settings.schedules = true;
        let file = options.projects[0].root.join("workflows/often.yaml");
        fs_err::write(file, EVERY).unwrap();
    })
    .await;
    world.logged("shop/dev: keeping the schedule of test/often").await;
    let ann = world.user("ann").await;
    let started = async || {
        let runs = ann.get(&World::dev("/runs?workflow=test/often")).await;
        let items = runs.body["items"].as_array().unwrap_or_else(|| panic!("{runs:?}")).clone();
        items.iter().map(|run| run["version"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert!(started().await.is_empty(), "an hour is not over");
    // now every hundredth of a second: starts are counted from where the schedule stands
    let soon = EVERY.replace("hours: 1", "milliseconds: 20").replace("version: '1.0.0'", "version: '2.0.0'");
    world.write("workflows/often.yaml", &soon);
    world.logged("shop/dev: test/often started").await;
    // a file that is broken leaves the schedule as it was
    world.write("workflows/often.yaml", "document: [");
    world.logged("workflows/often.yaml is kept as it was").await;
    fs_err::remove_file(world.directory.path().join("shop/workflows/often.yaml")).unwrap();
    world.logged("the schedule of test/often is not kept any more").await;
    let (logged, made): (usize, usize) = {
        let log = world.log.lock().unwrap();
        let of_dev = log.iter().filter(|line| line.starts_with("shop/dev: test/often started"));
        let mut runs: Vec<&String> = of_dev.collect();
        let all = runs.len();
        runs.sort();
        runs.dedup();
        (all, runs.len())
    };
    assert!(logged > 0 && logged == made, "no run is started twice");
}

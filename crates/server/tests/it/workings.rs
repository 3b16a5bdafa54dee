//! What does not belong to a fact of its own.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{World, read};

#[tokio::test(flavor = "multi_thread")]
async fn the_description_that_is_checked_in_is_what_is_served() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/aedile.json");
    let made = server::routes::document();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs_err::write(&path, made).unwrap();
    }
    let kept = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "openapi/aedile.json is not what the code makes; UPDATE_OPENAPI=1 writes it");
    let world = World::new().await;
    let served = world.user("ann").await.get("/api/v1/openapi.json").await;
    assert_eq!(served.body, serde_json::from_str::<Value>(made).unwrap());
    assert_eq!(served.body["openapi"], "3.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_submits_the_same_run_and_nothing_else() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let submit = async |key: &str, body: Value| {
        let request = olga.request(Method::POST, &World::dev("/runs")).header("idempotency-key", key);
        read(request.json(&body).send().await.unwrap()).await
    };
    let body = json!({ "workflow": "test/plain", "input": { "n": 1.0 } });
    let (one, same) = (submit("a", body.clone()).await, submit("a", body.clone()).await);
    assert_eq!((one.status.as_u16(), &one.body), (202, &same.body));
    let other = submit("a", json!({ "workflow": "test/plain", "input": { "n": 2 } })).await;
    assert_eq!((other.status.as_u16(), &other.body["code"]), (422, &json!("E1224")), "{other:?}");
    assert_ne!(submit("b", body.clone()).await.body["run"], one.body["run"]);
    assert_eq!(submit("", body).await.status, 400);
    assert_eq!(olga.get(&World::dev("/runs")).await.body["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn checking_a_submission_runs_nothing() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let answer =
        olga.post(&World::dev("/runs"), &json!({ "workflow": "test/plain", "checkOnly": true })).await;
    assert_eq!((answer.status.as_u16(), &answer.body["run"]), (200, &json!(null)), "{answer:?}");
    assert_eq!(olga.get(&World::dev("/runs")).await.body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_known_already_are_not_sent_again() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    olga.run("test/waiting").await;
    let path = World::dev("/policy");
    let tag = olga.get(&path).await.headers["etag"].clone();
    let again = olga.request(Method::GET, &path).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag));
    assert_eq!(again.text().await.unwrap(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_proved_and_the_journal_verified() {
    let world = World::new().await;
    let (ada, ann) = (world.user("ada").await, world.user("ann").await);
    let run = ada.run("test/plain").await;
    ada.until(&run, "completed").await;
    let early = ann.get(&World::dev("/journal/records/3/proof")).await;
    assert_eq!((early.status.as_u16(), &early.body["code"]), (409, &json!("E0113")), "{early:?}");
    let signed = ada.post(&World::dev("/journal/checkpoints"), &json!({})).await;
    assert_eq!(signed.status, 200, "{signed:?}");
    let proof = ann.get(&World::dev("/journal/records/3/proof")).await;
    assert_eq!(proof.status, 200, "{proof:?}");
    let file: journal::proof::Proof = proof.body["file"].as_str().unwrap().parse().unwrap();
    assert_eq!(file.index, 2);
    let bytes = model::canonical::to_vec(&proof.body["record"]["record"]);
    assert_eq!(proof.body["record"]["digest"], journal::record::digest(&bytes).to_string());
    let verified = ann.get(&World::dev("/journal/verify")).await;
    assert_eq!(verified.body["valid"], true, "{verified:?}");
    let export = ann.request(Method::GET, &World::dev("/journal/export")).send().await.unwrap();
    let lines = export.text().await.unwrap().lines().count() as u64;
    assert_eq!(lines, ann.get(&World::dev("")).await.body["journal"]["position"].as_u64().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_explains_a_decision_and_is_tried_on_it() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let run = olga.run("test/plain").await;
    olga.until(&run, "completed").await;
    let events = olga.get(&World::dev(&format!("/runs/{run}/events"))).await;
    let judged =
        events.body["items"].as_array().unwrap().iter().find(|it| it["type"] == "run.judged").unwrap();
    let position = judged["position"].as_u64().unwrap();
    let explained = olga.get(&World::dev(&format!("/policy/decisions/{position}"))).await;
    assert_eq!(explained.body["explanation"]["verdict"], "allow", "{explained:?}");
    let other = json!({ "position": position, "sources": [
        { "name": "policy/policy.yaml", "text": "deny: [{match: {action: workflow.run}, reason: not today}]" },
    ] });
    let tried = olga.post(&World::dev("/policy/evaluate"), &other).await;
    assert_eq!(tried.body["explanation"]["verdict"], "deny", "{tried:?}");
    assert_eq!(tried.body["recorded"]["verdict"], "allow");
    // what was asked can be asked again, changed
    let again =
        olga.post(&World::dev("/policy/evaluate"), &json!({ "request": tried.body["request"] })).await;
    assert_eq!(again.body["explanation"]["verdict"], "allow", "{again:?}");
    let broken =
        json!({ "position": position, "sources": [{ "name": "policy/policy.yaml", "text": "denyy: []" }] });
    let refused = olga.post(&World::dev("/policy/evaluate"), &broken).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (422, &json!("E0202")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_say_what_was_done_and_why_it_waits() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let run = olga.run("test/gated").await;
    let approval = olga.approval(&run).await;
    let steps = olga.get(&World::dev(&format!("/runs/{run}/steps"))).await;
    let steps: Vec<(&str, &str)> = steps
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["name"].as_str().unwrap(), step["status"].as_str().unwrap()))
        .collect();
    assert_eq!(steps, [("before", "completed"), ("ask", "asking")]);
    let detail = olga.get(&World::dev(&format!("/runs/{run}"))).await;
    let why = format!("It waits for somebody with the role team-lead to decide {approval}.");
    assert_eq!(detail.body["why"], json!([why]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_finds_the_first() {
    let world = World::new().await;
    let state = world.directory.path().join("shop/.aedile/.server");
    assert_eq!(server::served_at(&state).as_deref(), Some(world.url.as_str()));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_and_changes_are_logged_with_the_request_and_without_secrets() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    olga.run("test/plain").await;
    let refused = olga.post(&World::dev("/journal/checkpoints"), &json!({})).await;
    let id = refused.body["request"].as_str().unwrap().to_owned();
    assert_eq!(refused.headers["x-request-id"], id);
    let log = world.log.lock().unwrap().join("\n");
    assert!(log.contains(&id) && log.contains("403"), "{log}");
    assert!(!log.contains(olga.token.as_deref().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_whose_pages_could_not_be_reached_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let project = crate::support::project(directory.path(), "settings", "roles: {}");
    let options = server::Options::new(vec![project], crate::support::machine());
    let refused = server::Server::open(options, "127.0.0.1:0".parse().unwrap()).err().unwrap();
    assert_eq!(model::Coded::code(&refused).id, "E1201");
    assert!(refused.to_string().contains("settings"), "{refused}");
    assert!(model::Coded::hint(&refused).unwrap().contains("aedile.yaml"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_and_a_new_one_signs_what_the_old_one_vouched_for() {
    let world = World::new().await;
    let (ada, ann) = (world.user("ada").await, world.user("ann").await);
    let before = ann.get(&World::dev("/journal/keys")).await.body["keys"].clone();
    let made = ada.post(&World::dev("/journal/keys"), &json!({})).await.body["verifier"].clone();
    let after = ann.get(&World::dev("/journal/keys")).await.body["keys"].clone();
    let signing = |keys: &Value| {
        let signs = keys.as_array().unwrap().iter().find(|key| key["signs"] == true);
        signs.map(|key| key["verifier"].clone())
    };
    assert_eq!(signing(&after), Some(made));
    assert_ne!(signing(&before), signing(&after));
    assert_eq!(after.as_array().unwrap().len(), before.as_array().unwrap().len() + 1);
    assert!(!after.to_string().contains("PRIVATE"), "{after}");
    let verified = ann.get(&World::dev("/journal/verify")).await;
    assert_eq!(verified.body["valid"], true, "{verified:?}");
    let events = ann.get(&World::dev("/journal/records?stream=environment")).await.body;
    let added = events["items"].as_array().unwrap().iter().rfind(|one| one["type"] == "key.added").unwrap();
    assert_eq!(added["actor"], "user:ada", "{added}");
}

#[tokio::test(flavor = "multi_thread")]
async fn journals_are_verified_and_folded_again_one_at_a_time() {
    let world = World::new().await;
    let ann = world.user("ann").await;
    world.user("olga").await.run("test/plain").await;
    let answer = ann.get(&World::dev("/journal/replay")).await;
    assert_eq!((answer.status.as_u16(), &answer.body["same"]), (200, &json!(true)), "{answer:?}");
    assert!(answer.body["records"].as_u64().unwrap() > 1, "{answer:?}");
    let path =
        |at: usize| World::dev(if at.is_multiple_of(2) { "/journal/replay" } else { "/journal/verify" });
    let ask = |at| {
        let (ann, path) = (&ann, path(at));
        async move { ann.get(&path).await }
    };
    let many = futures_util::future::join_all((0..32).map(ask)).await;
    for (at, answer) in many.into_iter().enumerate() {
        if answer.status == 503 {
            assert_eq!(
                (&answer.body["code"], &answer.headers["retry-after"]),
                (&json!("E1221"), &"2".parse().unwrap())
            );
        } else {
            let said = if at.is_multiple_of(2) { "same" } else { "valid" };
            assert_eq!(answer.body[said], true, "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_listed_with_whether_they_are_kept() {
    let world = World::set_up(&[("shop", crate::support::ACCESS)], |options| {
        let nightly = "document: {dsl: 1.0.1, namespace: test, name: nightly, version: 1.0.0}
schedule: {cron: '0 3 * * *'}
do: [{only: {set: {a: 1}}}]
";
        let root = &options.projects[0].root;
        fs_err::write(root.join("workflows/nightly.yaml"), nightly).unwrap();
        fs_err::write(root.join("workflows/broken.yaml"), "do: [").unwrap();
    })
    .await;
    let said = world.user("ann").await.get(&World::dev("/schedules")).await.body;
    let one = &said["schedules"][0];
    assert_eq!(
        (&one["workflow"], &one["kind"], &one["when"], &one["lastRun"]),
        (&json!("test/nightly"), &json!("cron"), &json!("cron 0 3 * * *"), &Value::Null),
        "{said}"
    );
    assert!(one["nextStart"].as_str().unwrap().contains("T03:00:00"), "{said}");
    assert_eq!(
        (&said["kept"], &said["leftOut"][0]["file"]),
        (&json!(false), &json!("workflows/broken.yaml"))
    );
}

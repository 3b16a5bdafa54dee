//! Facts of `acceptance/workflows.md` that are about HTTP.

use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn workflows_11_deciding_again_is_a_noop_and_deciding_otherwise_a_conflict() {
    let world = World::new().await;
    let (olga, lea) = (world.user("olga").await, world.user("lea").await);
    for (first, other, ended) in [("grant", "deny", "granted"), ("deny", "grant", "denied")] {
        let run = olga.run("test/gated").await;
        let approval = olga.approval(&run).await;
        let path = |verb: &str| World::dev(&format!("/approvals/{approval}/{verb}"));
        let answer = lea.post(&path(first), &json!({})).await;
        assert_eq!((answer.status.as_u16(), &answer.body["status"]), (200, &json!(ended)), "{answer:?}");
        let again = lea.post(&path(first), &json!({})).await;
        assert_eq!((again.status.as_u16(), &again.body["status"]), (200, &json!("noop")), "{again:?}");
        assert!(again.body["reason"].as_str().unwrap().contains(&format!("already {ended}")), "{again:?}");
        let otherwise = lea.post(&path(other), &json!({})).await;
        assert_eq!(
            (otherwise.status.as_u16(), &otherwise.body["state"]),
            (409, &json!(ended)),
            "{otherwise:?}"
        );
        assert_eq!(otherwise.body["code"], "E0206");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_12_a_grant_lets_the_run_go_on_once_and_a_denial_ends_it() {
    let world = World::new().await;
    let (olga, lea) = (world.user("olga").await, world.user("lea").await);
    for (verb, status) in [("grant", "completed"), ("deny", "failed")] {
        let run = olga.run("test/gated").await;
        let approval = olga.approval(&run).await;
        lea.post(&World::dev(&format!("/approvals/{approval}/{verb}")), &json!({ "reason": "so be it" }))
            .await;
        olga.until(&run, status).await;
        let events = olga.get(&World::dev(&format!("/journal/records?stream={approval}"))).await;
        let kinds: Vec<&str> =
            events.body["items"].as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap()).collect();
        let ended = if verb == "grant" { "approval.granted" } else { "approval.denied" };
        assert_eq!(kinds, ["approval.requested", ended]);
        let events = olga.get(&World::dev(&format!("/runs/{run}/events"))).await;
        let answered =
            events.body["items"].as_array().unwrap().iter().filter(|it| it["type"] == "step.answered");
        assert_eq!(answered.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_13_of_twenty_who_decide_at_once_one_ends_it() {
    let world = World::new().await;
    let (olga, lea) = (world.user("olga").await, world.user("lea").await);
    let run = olga.run("test/gated").await;
    let approval = olga.approval(&run).await;
    let all = (0..20).map(|index| {
        let verb = if index % 2 == 0 { "grant" } else { "deny" };
        let (path, lea) = (World::dev(&format!("/approvals/{approval}/{verb}")), &lea);
        async move { lea.post(&path, &json!({ "reason": format!("number {index}") })).await }
    });
    let answers = futures_util::future::join_all(all).await;
    let first = |status: &&str| answers.iter().filter(|answer| answer.body["status"] == **status).count();
    assert_eq!(["granted", "denied"].iter().map(first).sum::<usize>(), 1, "{answers:?}");
    let events = olga.get(&World::dev(&format!("/journal/records?stream={approval}"))).await;
    assert_eq!(events.body["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_14_and_22_who_lacks_the_level_s_role_is_forbidden() {
    let access = "roles: {operator: [user:olga], approver: [user:omar, user:lea], release-manager: [user:omar], Team-Lead: [user:lea]}";
    let world = World::with(&[("shop", access)]).await;
    let (olga, omar, lea) = (world.user("olga").await, world.user("omar").await, world.user("lea").await);
    let run = olga.run("test/gated").await;
    let approval = olga.approval(&run).await;
    let path = World::dev(&format!("/approvals/{approval}/grant"));
    let refused = omar.post(&path, &json!({})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (403, &json!("E0204")), "{refused:?}");
    // who may not approve at all is told so before anything is looked at
    let operator = olga.post(&path, &json!({})).await;
    assert_eq!((operator.status.as_u16(), &operator.body["code"]), (403, &json!("E1203")), "{operator:?}");
    let detail = omar.get(&World::dev(&format!("/approvals/{approval}"))).await;
    assert_eq!(detail.body["you"]["decide"], false);
    assert!(detail.body["you"]["whyNot"].as_str().unwrap().contains("team-lead"), "{detail:?}");
    // names of roles compare without regard to case
    assert_eq!(lea.post(&path, &json!({})).await.status, 200);
    // nobody holds the role: forbidden for everyone
    let world = World::with(&[("shop", "roles: {operator: [user:olga], approver: [user:lea]}")]).await;
    let (olga, lea) = (world.user("olga").await, world.user("lea").await);
    let run = olga.run("test/gated").await;
    let approval = olga.approval(&run).await;
    assert_eq!(lea.post(&World::dev(&format!("/approvals/{approval}/grant")), &json!({})).await.status, 403);
    let never = World::dev("/approvals/apr_00000000000000000000000000/grant");
    assert_eq!(lea.post(&never, &json!({})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_15_unknown_runs_are_not_found() {
    let world = World::new().await;
    let ann = world.user("ann").await;
    for id in ["run_00000000000000000000000000", "run_x", "x", "..%2F..%2Fetc%2Fpasswd"] {
        for part in ["", "/steps", "/events", "/stream"] {
            let answer = ann.get(&World::dev(&format!("/runs/{id}{part}"))).await;
            assert_eq!((answer.status.as_u16(), &answer.body["code"]), (404, &json!("E0008")), "{id}{part}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_43_a_run_is_accepted_listed_and_shown() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let answer =
        olga.post(&World::dev("/runs"), &json!({ "workflow": "test/plain", "input": { "n": 7 } })).await;
    assert_eq!(answer.status, 202);
    let (run, itself) =
        (answer.body["run"].as_str().unwrap(), answer.body["links"]["self"].as_str().unwrap());
    assert_eq!(answer.headers["location"], itself);
    let detail = olga.until(run, "completed").await;
    assert_eq!((&detail["output"], &detail["input"]), (&json!({ "answer": 7 }), &json!({ "n": 7 })));
    for link in detail["links"].as_object().unwrap().values().take(3) {
        assert_eq!(olga.get(link.as_str().unwrap()).await.status, 200, "{link}");
    }
    olga.run("test/waiting").await;
    let completed = olga.get(&World::dev("/runs?status=completed")).await;
    assert_eq!(completed.body["items"].as_array().unwrap().len(), 1);
    let one = olga.get(&World::dev("/runs?limit=1")).await;
    assert_eq!(one.body["items"][0]["workflow"], "test/waiting");
    let next = one.body["next"].as_str().unwrap();
    let second = olga.get(&World::dev(&format!("/runs?limit=1&cursor={next}"))).await;
    assert_eq!((&second.body["items"][0]["run"], &second.body["next"]), (&json!(run), &json!(null)));
    let unknown = olga.post(&World::dev("/runs"), &json!({ "workflow": "test/nothing" })).await;
    assert_eq!((unknown.status.as_u16(), &unknown.body["code"]), (404, &json!("E0008")));
    let none = olga.post(&World::dev("/runs"), &json!({ "input": {} })).await;
    assert_eq!(none.status, 422, "{none:?}");
    let wrong =
        olga.post(&World::dev("/runs"), &json!({ "workflow": "test/plain", "input": { "n": "x" } })).await;
    assert_eq!((wrong.status.as_u16(), &wrong.body["code"]), (422, &json!("E0313")), "{wrong:?}");
    assert_eq!(wrong.body["findings"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_44_a_run_is_cancelled_once() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    let run = olga.run("test/waiting").await;
    olga.until(&run, "waiting").await;
    let path = World::dev(&format!("/runs/{run}/cancel"));
    let answer = olga.post(&path, &json!({ "reason": "changed my mind" })).await;
    assert_eq!((answer.status.as_u16(), &answer.body["done"]), (200, &json!("cancelled")), "{answer:?}");
    olga.until(&run, "cancelled").await;
    let again = olga.post(&path, &json!({})).await;
    assert_eq!((again.status.as_u16(), &again.body["state"]), (409, &json!("cancelled")), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_45_wrong_filters_are_refused_with_what_is_right() {
    let world = World::new().await;
    let ann = world.user("ann").await;
    for (query, says) in [
        ("status=bogus", "submitted, running, waiting"),
        ("limit=0", "from 1 to 1000"),
        ("limit=1001", "from 1 to 1000"),
        ("limit=-1", "query"),
        ("cursor=x", "cursor `x`"),
        ("since=yesterday", "RFC 3339"),
        ("requester=rob%20ot", "requester"),
    ] {
        let answer = ann.get(&World::dev(&format!("/runs?{query}"))).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains(says), "{query}: {answer:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_46_every_answer_says_its_version_and_others_are_refused() {
    let world = World::new().await;
    let ann = world.user("ann").await;
    for (user, path) in
        [(&ann, "/api/v1/version"), (&ann, "/api/v1/nothing"), (&world.stranger(), "/api/v1/projects")]
    {
        assert_eq!(user.get(path).await.headers["aedile-api-version"], "1", "{path}");
    }
    let asked = ann.request(reqwest::Method::GET, "/api/v1/version").header("aedile-api-version", "2");
    let answer = crate::support::read(asked.send().await.unwrap()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (406, &json!("E1223")));
    let asked = ann.request(reqwest::Method::GET, "/api/v1/version").header("aedile-api-version", "1");
    assert_eq!(asked.send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_48_paths_lead_nowhere_but_into_the_project() {
    let world = World::new().await;
    let olga = world.user("olga").await;
    for name in ["../../etc/passwd", "/etc/passwd", "..", "test/../../x", "workflows/plain.yaml", ""] {
        let answer = olga.post(&World::dev("/runs"), &json!({ "workflow": name })).await;
        assert_eq!(answer.status, 404, "{name}: {answer:?}");
    }
    let answer = olga.get(&World::dev("/workflows/..%2F../etc%2Fpasswd")).await;
    assert_eq!(answer.status, 404, "{answer:?}");
}

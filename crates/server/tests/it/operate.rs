//! Operate's pages as browsers ask for them: with forms, links and redirects, and without a script.

use reqwest::{Method, Response, header};

use crate::support::{User, World};

/// Every page of an environment that can be asked for, with a run and an approval in it.
fn pages(run: &str, approval: &str) -> Vec<String> {
    let lenses = ["", "/steps", "/graph", "/events", "/json"];
    let mut pages: Vec<String> = lenses.iter().map(|lens| format!("runs/{run}{lens}")).collect();
    let rest = [
        "overview",
        "runs",
        "runs?status=failed&workflow=test%2Fgated&requester=olga",
        "approvals",
        "approvals?show=waiting",
        "approvals?show=decided",
        "policy",
        "policy?kind=chain",
        "policy/playground",
        "journal",
        "journal?type=run.&actor=olga",
        "journal?stream=environment",
        "journal/1",
    ];
    pages.extend(rest.map(str::to_owned));
    pages.push(format!("journal?stream={run}"));
    pages.push(format!("approvals/{approval}"));
    pages.iter().map(|page| format!("/shop/dev/{page}")).collect()
}

const SETTINGS: &[&str] =
    &["/settings/tokens", "/settings/accounts", "/settings/keys", "/settings/appearance"];

async fn page(user: &User<'_>, path: &str) -> Response {
    user.request(Method::GET, path).header(header::ACCEPT, "text/html").send().await.unwrap()
}

/// Sends a form as a browser does.
async fn send(user: &User<'_>, path: &str, fields: &[(&str, &str)]) -> Response {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    user.request(Method::POST, path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "text/html")
        .body(body)
        .send()
        .await
        .unwrap()
}

fn is_page(response: &Response) -> bool {
    response.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html")
}

fn location(response: &Response) -> String {
    response.headers()[header::LOCATION].to_str().unwrap().to_owned()
}

/// What a decision has to name: taken from the page, as a browser does.
async fn binding(user: &User<'_>, approval: &str) -> String {
    let text = page(user, &format!("/shop/dev/approvals/{approval}")).await.text().await.unwrap();
    let field = text.split("name=\"binding\" value=\"").nth(1).expect("the page has a form that decides");
    field.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_shown_to_who_may_read_and_to_nobody_else() {
    let world = World::new().await;
    let (olga, ann, nobody) = (world.user("olga").await, world.user("ann").await, world.user("nobody").await);
    let run = olga.run("test/gated").await;
    let approval = olga.approval(&run).await;
    for path in pages(&run, &approval) {
        let shown = page(&ann, &path).await;
        assert_eq!((shown.status().as_u16(), is_page(&shown)), (200, true), "{path}");
        let hidden = page(&nobody, &path).await;
        assert_eq!((hidden.status().as_u16(), is_page(&hidden)), (404, true), "{path}");
        assert!(!hidden.text().await.unwrap().contains("test/gated"), "{path}");
        let stranger = page(&world.stranger(), &path).await;
        assert_eq!(stranger.status(), 303, "{path}");
        assert!(location(&stranger).starts_with("/login?next=%2Fshop"), "{path}");
    }
    for path in SETTINGS {
        assert_eq!(page(&nobody, path).await.status(), 200, "{path}");
        assert_eq!(page(&world.stranger(), path).await.status(), 303, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_never_change_at_their_address() {
    let world = World::new().await;
    let ann = world.user("ann").await;
    let text = page(&ann, "/settings/tokens").await.text().await.unwrap();
    let files: Vec<&str> =
        text.split("\"/static/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let answer = world.stranger().request(Method::GET, &format!("/static/{file}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{file}");
        assert!(answer.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"), "{file}");
    }
    let gone =
        world.stranger().request(Method::GET, "/static/000000000000/operate.css").send().await.unwrap();
    assert_eq!(gone.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_granted_by_a_form_and_the_run_goes_on() {
    let world = World::new().await;
    let (olga, lea) = (world.user("olga").await, world.user("lea").await);
    let run = olga.run("test/gated").await;
    let approval = olga.approval(&run).await;
    let inbox = page(&lea, "/shop/dev/approvals").await.text().await.unwrap();
    assert!(inbox.contains(&approval), "it waits for her");
    let shown = binding(&lea, &approval).await;
    let granted = send(&lea, &format!("/shop/dev/approvals/{approval}/grant"), &[("binding", &shown)]).await;
    assert_eq!(granted.status(), 303);
    let after = page(&lea, &location(&granted)).await.text().await.unwrap();
    assert!(after.contains("Your decision is on record."));
    olga.until(&run, "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_needs_a_reason_and_who_comes_second_is_told_who_was_faster() {
    let world = World::new().await;
    let (olga, lea, ann) = (world.user("olga").await, world.user("lea").await, world.user("ann").await);
    let run = olga.run("test/gated").await;
    let approval = olga.approval(&run).await;
    let shown = binding(&lea, &approval).await;
    let deny = format!("/shop/dev/approvals/{approval}/deny");
    let silent = send(&lea, &deny, &[("binding", &shown), ("reason", "  ")]).await;
    assert_eq!((silent.status().as_u16(), is_page(&silent)), (422, true));
    let denied = send(&lea, &deny, &[("binding", &shown), ("reason", "not <b>today</b>")]).await;
    assert_eq!(denied.status(), 303);
    let page = page(&ann, &format!("/shop/dev/approvals/{approval}")).await.text().await.unwrap();
    assert!(page.contains("not &lt;b&gt;today&lt;/b&gt;"), "what she wrote is shown as it was written");
    for verb in ["grant", "deny"] {
        let path = format!("/shop/dev/approvals/{approval}/{verb}");
        let late = send(&lea, &path, &[("binding", &shown), ("reason", "too late")]).await;
        assert_eq!(late.status(), 409, "{verb}");
        let text = late.text().await.unwrap();
        assert!(text.contains("somebody was faster") && text.contains("lea"), "{verb}: {text}");
    }
    let forbidden = send(&ann, &deny, &[("binding", &shown), ("reason", "x")]).await;
    assert_eq!((forbidden.status().as_u16(), is_page(&forbidden)), (403, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_steered_by_forms_and_what_cannot_be_done_is_said_on_the_page() {
    let world = World::new().await;
    let (olga, ann) = (world.user("olga").await, world.user("ann").await);
    let run = olga.run("test/waiting").await;
    olga.until(&run, "waiting").await;
    let at = |verb: &str| format!("/shop/dev/runs/{run}/{verb}");
    let paused = send(&olga, &at("pause"), &[("reason", "look first")]).await;
    assert_eq!((paused.status().as_u16(), location(&paused)), (303, format!("/shop/dev/runs/{run}")));
    olga.until(&run, "paused").await;
    let again = send(&olga, &at("retry"), &[]).await;
    assert_eq!((again.status().as_u16(), is_page(&again)), (409, true));
    assert!(again.text().await.unwrap().contains("role=\"alert\""));
    assert_eq!(send(&ann, &at("cancel"), &[]).await.status(), 403);
    assert_eq!(send(&olga, &at("explode"), &[]).await.status(), 404);
    assert_eq!(send(&olga, &at("signal"), &[("name", "go"), ("data", "{")]).await.status(), 422);
    assert_eq!(send(&olga, &at("cancel"), &[("reason", "enough")]).await.status(), 303);
    olga.until(&run, "cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_playground_asks_and_records_nothing() {
    let world = World::new().await;
    let (olga, ann) = (world.user("olga").await, world.user("ann").await);
    let run = olga.run("test/plain").await;
    olga.until(&run, "completed").await;
    let records =
        |text: &str| text.split("id=\"position\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let first = page(&ann, "/shop/dev/policy/playground").await.text().await.unwrap();
    let chosen = first.split("<option value=\"").skip(2).find_map(|rest| rest.split('"').next()).unwrap();
    let taken =
        page(&ann, &format!("/shop/dev/policy/playground?position={chosen}")).await.text().await.unwrap();
    assert!(taken.contains("&quot;environment&quot;: &quot;dev&quot;"), "{taken}");
    let path = "/shop/dev/policy/playground";
    let denying = "default: deny";
    let answer = send(&ann, path, &[("position", chosen), ("policy", denying)]).await;
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    assert!(text.contains("the answer would be another today"), "{text}");
    assert_eq!(records(&text), records(&first), "nothing is recorded");
    let bad = send(&ann, path, &[("position", chosen), ("policy", "default: [")]).await;
    assert_eq!(bad.status(), 422);
    assert!(bad.text().await.unwrap().contains("role=\"alert\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_shows_its_proof_once_a_checkpoint_covers_it() {
    let world = World::new().await;
    let (ada, ann) = (world.user("ada").await, world.user("ann").await);
    let run = ada.run("test/plain").await;
    ada.until(&run, "completed").await;
    let before = page(&ann, "/shop/dev/journal/2").await.text().await.unwrap();
    assert!(before.contains("No checkpoint covers this record yet."));
    assert_eq!(send(&ann, "/shop/dev/journal/checkpoint", &[]).await.status(), 403);
    assert_eq!(send(&ada, "/shop/dev/journal/checkpoint", &[]).await.status(), 303);
    let after = page(&ann, "/shop/dev/journal/2").await.text().await.unwrap();
    assert!(after.contains("data-verifier") && after.contains("id=\"verify\""));
    let list = page(&ann, "/shop/dev/journal").await.text().await.unwrap();
    assert!(list.contains("Checkpoint over"));
}

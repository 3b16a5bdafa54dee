//! Nobody gets anywhere they may not.

use std::collections::BTreeMap;

use model::Permission;
use reqwest::Method;
use serde_json::{Value, json};
use server::identity::Scope;

use crate::support::{User, World, read};

/// Every path and method of the interface, with values for what is in braces.
fn operations(run: &str, approval: &str) -> Vec<(Method, String, String)> {
    let document: Value = serde_json::from_str(server::routes::document()).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let filled = path
            .replace("{project}", "shop")
            .replace("{environment}", "dev")
            .replace("{run}", run)
            .replace("{approval}", approval)
            .replace("{position}", "1")
            .replace("{namespace}", "test")
            .replace("{name}", "plain");
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            operations.push((method, path.clone(), filled.clone()));
        }
    }
    assert!(operations.len() > 30);
    operations
}

const OPEN: [&str; 2] = ["/health", "/ready"];

async fn status(user: &User<'_>, method: &Method, path: &str) -> (u16, Value) {
    let mut request = user.request(method.clone(), path);
    if *method == Method::POST {
        request = request.json(&json!({}));
    }
    let response = request.send().await.unwrap();
    if response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
        return (response.status().as_u16(), Value::Null);
    }
    let answer = read(response).await;
    (answer.status.as_u16(), answer.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_47_strangers_get_health_and_nothing_else() {
    let world = World::new().await;
    let wrong =
        User { world: &world, token: Some("aedile_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned()) };
    for (method, route, path) in operations("run_x", "apr_x") {
        for user in [&world.stranger(), &wrong] {
            // the rate of strangers is limited, which is not what this is about
            let (status, body) = loop {
                let (status, body) = status(user, &method, &path).await;
                if status != 429 {
                    break (status, body);
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            };
            if OPEN.contains(&route.as_str()) {
                assert_eq!(status, 200, "{method} {route}");
            } else {
                assert_eq!((status, &body["code"]), (401, &json!("E1202")), "{method} {route}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_another_project_nothing_is_known_at_any_path() {
    let other = "roles: {admin: [user:eve]}";
    let world = World::with(&[("shop", "roles: {admin: [user:ada]}"), ("bank", other)]).await;
    let (ada, eve) = (world.user("ada").await, world.user("eve").await);
    let run = ada.run("test/gated").await;
    let approval = ada.approval(&run).await;
    for (method, route, path) in operations(&run, &approval) {
        if !route.contains("{project}") {
            continue;
        }
        let (got, body) = status(&eve, &method, &path).await;
        assert_eq!((got, &body["code"]), (404, &json!("E0008")), "{method} {route}: {body}");
        // and it reads as if there were none
        let nowhere = path.replace("/shop", "/nothing");
        let (same, nothing) = status(&eve, &method, &nowhere).await;
        assert_eq!(same, 404);
        let plain =
            |body: &Value| body["detail"].as_str().unwrap().replace("shop", "P").replace("nothing", "P");
        assert_eq!(plain(&body), plain(&nothing), "{method} {route}");
    }
    let seen = eve.get("/api/v1/projects").await;
    assert!(!seen.body.to_string().contains("shop"), "{seen:?}");
    let metrics = eve.get("/metrics").await;
    assert!(!metrics.body.to_string().contains("project=\\\"shop"), "{metrics:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_what_it_is_for_and_no_more() {
    let world = World::new().await;
    // what each of the routes that change something is for; everything else is for reading
    let changes: BTreeMap<&str, &str> = [
        ("runs", "operate"),
        ("cancel", "operate"),
        ("pause", "operate"),
        ("resume", "operate"),
        ("retry", "operate"),
        ("signal", "operate"),
        ("resolve", "operate"),
        ("withdraw", "operate"),
        ("grant", "approve"),
        ("deny", "approve"),
        ("override", "approve"),
        ("checkpoints", "administer"),
        ("keys", "administer"),
        ("evaluate", "read"),
        ("validate", "read"),
    ]
    .into();
    let people = [
        ("ann", vec!["read"]),
        ("olga", vec!["read", "operate"]),
        ("lea", vec!["read", "approve"]),
        ("ada", vec!["read", "operate", "approve", "administer"]),
        ("nobody", vec![]),
    ];
    for (name, may) in people {
        let user = world.user(name).await;
        for (method, route, path) in operations("run_x", "apr_x") {
            let Some((_, below)) = route.split_once("{environment}") else { continue };
            let needs =
                if method == Method::GET { "read" } else { changes[below.rsplit('/').next().unwrap()] };
            let (got, body) = status(&user, &method, &path).await;
            if !may.contains(&"read") {
                assert_eq!((got, &body["code"]), (404, &json!("E0008")), "{name} {method} {route}");
            } else if may.contains(&needs) {
                assert!(got != 403 && got != 401, "{name} {method} {route}: {got} {body}");
            } else {
                assert_eq!((got, &body["code"]), (403, &json!("E1203")), "{name} {method} {route}: {body}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_no_more_than_it_was_made_for() {
    let world = World::new().await;
    let reading = Scope { permissions: Some([Permission::Read].into()), ..Scope::default() };
    let token = world.token_for("ada", reading).await;
    let limited = User { world: &world, token: Some(token) };
    assert_eq!(limited.get(&World::dev("/runs")).await.status, 200);
    let answer = limited.post(&World::dev("/runs"), &json!({ "workflow": "test/plain" })).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (403, &json!("E1203")), "{answer:?}");
    let prod = Scope { environments: Some(["prod".parse().unwrap()].into()), ..Scope::default() };
    let token = world.token_for("ada", prod).await;
    let elsewhere = User { world: &world, token: Some(token) };
    assert_eq!(elsewhere.get(&World::dev("/runs")).await.status, 404);
    assert_eq!(elsewhere.get("/api/v1/projects/shop/environments/prod/runs").await.status, 200);
}

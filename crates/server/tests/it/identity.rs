//! Signing in and out over HTTP, and the interface to who may.

use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, ORIGIN, RETRY_AFTER, SET_COOKIE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use server::identity::oidc::{SecretFrom, Settings};
use server::identity::{LinkFor, Presented, Secret};

use crate::provider::{Browser, PUBLIC, Provider};
use crate::support::{Answer, World, read};

/// What a form of a page sends.
fn form(request: RequestBuilder, pairs: &[(&str, &str)]) -> RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
}

fn post(world: &World, path: &str, pairs: &[(&str, &str)]) -> RequestBuilder {
    form(world.stranger().request(Method::POST, path).header(ORIGIN, &world.url), pairs)
}

async fn sign_in(world: &World, pairs: &[(&str, &str)]) -> Answer {
    read(post(world, "/login", pairs).send().await.unwrap()).await
}

/// The cookie that an answer gives to the browser.
fn cookie(headers: &HeaderMap) -> String {
    let text = headers[SET_COOKIE].to_str().unwrap();
    assert!(text.ends_with("; HttpOnly; SameSite=Lax"), "over plain HTTP on this machine: {text}");
    text.split(';').next().unwrap().to_owned()
}

fn with(world: &World, method: Method, path: &str, cookie: &str) -> RequestBuilder {
    world.stranger().request(method, path).header(COOKIE, cookie)
}

async fn me(world: &World, cookie: &str) -> Answer {
    read(with(world, Method::GET, "/api/v1/me", cookie).send().await.unwrap()).await
}

#[tokio::test]
async fn a_session_is_opened_with_a_token_used_with_care_and_closed() {
    let world = World::new().await;
    let token = world.token("ann").await;
    let answer = sign_in(&world, &[("token", &token), ("next", "/shop/dev/runs?status=failed")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    assert_eq!(answer.headers[LOCATION], "/shop/dev/runs?status=failed");
    let cookie = cookie(&answer.headers);
    let mine = me(&world, &cookie).await;
    assert_eq!(
        (mine.body["principal"].as_str(), mine.body["means"].as_str()),
        (Some("user:ann"), Some("session"))
    );
    assert_eq!(mine.body["projects"][0]["environments"][0]["may"], json!(["read"]));
    let csrf = mine.body["csrf"].as_str().unwrap();
    let wish = json!({"name": "laptop"});
    let make = |csrf: &str, origin: &str| {
        with(&world, Method::POST, "/api/v1/tokens", &cookie)
            .header("x-csrf-token", csrf)
            .header(ORIGIN, origin)
            .json(&wish)
            .send()
    };
    for (csrf, origin) in
        [("", world.url.as_str()), ("guessed", &world.url), (csrf, "https://evil.example"), (csrf, "null")]
    {
        let refused = read(make(csrf, origin).await.unwrap()).await;
        assert_eq!(
            (refused.status.as_u16(), refused.body["code"].as_str()),
            (403, Some("E1206")),
            "{csrf} {origin}"
        );
    }
    let made = read(make(csrf, &world.url).await.unwrap()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    // a page of another site makes the browser sign out: it does not
    let forged = with(&world, Method::POST, "/logout", &cookie).header("sec-fetch-site", "cross-site");
    assert_eq!(form(forged, &[("csrf", csrf)]).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let out = form(with(&world, Method::POST, "/logout", &cookie), &[("csrf", csrf)]).send().await.unwrap();
    assert_eq!(out.status(), StatusCode::SEE_OTHER);
    assert!(out.headers()[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(me(&world, &cookie).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_or_signed_in_unawares() {
    let world = World::new().await;
    let token = world.token("ann").await;
    for next in ["https://evil.example", "//evil.example", "/\\evil.example", "runs"] {
        let answer = sign_in(&world, &[("token", &token), ("next", next)]).await;
        assert_eq!(answer.headers[LOCATION], "/", "{next}");
    }
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request = world.stranger().request(Method::POST, "/login").header(name, value);
        let answer = form(request, &[("token", &token)]).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}");
        assert!(answer.headers().get(SET_COOKIE).is_none());
    }
    let both = sign_in(&world, &[("token", &token), ("link", &token)]).await;
    assert_eq!(both.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_link_is_looked_at_often_and_used_once() {
    let world = World::new().await;
    let link = world.app.identity.admit_local(&"user:ann".parse().unwrap(), None).await.unwrap();
    let path = format!("/login/link/{}", link.secret.expose());
    for _ in 0..3 {
        let page = world.stranger().request(Method::GET, &path).send().await.unwrap();
        assert_eq!(page.headers()["referrer-policy"], "strict-origin");
        assert_eq!(page.headers()["cache-control"], "no-store");
        let page = read(page).await;
        let text = page.body.as_str().unwrap();
        assert!(text.contains("user:ann") && text.contains("method=\"post\""), "{text}");
    }
    assert_eq!(world.app.identity.link(&link.secret), Some(LinkFor::Account("user:ann".parse().unwrap())));
    let opened = sign_in(&world, &[("link", link.secret.expose())]).await;
    assert_eq!(opened.status, StatusCode::SEE_OTHER);
    assert_eq!(me(&world, &cookie(&opened.headers)).await.body["principal"], "user:ann");
    let again = sign_in(&world, &[("link", link.secret.expose())]).await;
    assert_eq!(again.status, StatusCode::GONE);
    assert_eq!(world.stranger().get(&path).await.status, StatusCode::GONE);
    assert_eq!(world.stranger().get("/login/link/guessed").await.status, StatusCode::GONE);
    let log = world.log.lock().unwrap().join("\n");
    assert!(log.contains("/login") && !log.contains(link.secret.expose()), "{log}");
}

#[tokio::test]
async fn the_first_link_makes_an_administrator_who_makes_accounts() {
    let world = World::new().await;
    let link = world.app.identity.setup().await.unwrap().unwrap();
    let path = format!("/setup/{}", link.expose());
    assert_eq!(world.stranger().get(&path).await.status, StatusCode::OK);
    let set_up = async |name: &str| {
        read(post(&world, "/setup", &[("link", link.expose()), ("name", name)]).send().await.unwrap()).await
    };
    let bad = set_up("no name").await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bad.body.as_str().unwrap().contains("E1207"));
    let cookie = cookie(&set_up("root").await.headers);
    assert_eq!(set_up("eve").await.status, StatusCode::GONE);
    assert_eq!(world.stranger().get(&path).await.status, StatusCode::GONE);
    let log = world.log.lock().unwrap().join("\n");
    assert!(log.contains("/setup") && !log.contains(link.expose()), "{log}");

    let mine = me(&world, &cookie).await.body;
    assert_eq!(mine["administrator"], true);
    let csrf = mine["csrf"].as_str().unwrap().to_owned();
    let ask = async |method: Method, path: &str, body: Value| {
        let request = with(&world, method, path, &cookie).header("x-csrf-token", &csrf);
        read(request.json(&body).send().await.unwrap()).await
    };
    let added = ask(Method::POST, "/api/v1/accounts", json!({"account": "maria"})).await;
    assert_eq!((added.status, &added.body["account"]), (StatusCode::CREATED, &json!("user:maria")));
    assert_eq!(
        ask(Method::POST, "/api/v1/accounts", json!({"account": "maria"})).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        ask(Method::POST, "/api/v1/accounts", json!({"account": "a b"})).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let link = ask(Method::POST, "/api/v1/links", json!({"account": "maria"})).await;
    let secret = link.body["path"].as_str().unwrap().strip_prefix("/login/link/").unwrap().to_owned();
    let maria = sign_in(&world, &[("link", &secret)]).await;
    let maria = self::cookie(&maria.headers);
    assert_eq!(me(&world, &maria).await.body["projects"], json!([]), "an account alone may nothing");
    let change = |verb: &str| format!("/api/v1/accounts/user:maria/{verb}");
    let made = ask(Method::POST, &change("administrator"), json!({"administrator": true})).await;
    assert_eq!(made.body["administrator"], true, "{made:?}");
    let disabled = ask(Method::POST, &change("disable"), json!({"reason": "left"})).await;
    assert_eq!((&disabled.body["enabled"], &disabled.body["administrator"]), (&json!(false), &json!(false)));
    assert_eq!(me(&world, &maria).await.status, StatusCode::UNAUTHORIZED);
    let own = ask(Method::POST, "/api/v1/accounts/user:root/disable", json!({})).await;
    assert_eq!((own.status, &own.body["code"]), (StatusCode::CONFLICT, &json!("E1209")));
    assert_eq!(ask(Method::POST, &change("enable"), json!({})).await.body["enabled"], true);
    let all = ask(Method::GET, "/api/v1/accounts", json!({})).await;
    assert_eq!(all.body["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn only_administrators_of_the_server_see_and_change_accounts() {
    let world = World::new().await;
    // an administrator of every environment is none of the server
    let ada = world.user("ada").await;
    for (method, path, body) in [
        (Method::GET, "/api/v1/accounts", Value::Null),
        (Method::POST, "/api/v1/accounts", json!({"account": "eve"})),
        (Method::POST, "/api/v1/accounts/user:root/disable", json!({})),
        (Method::POST, "/api/v1/accounts/user:root/enable", json!({})),
        (Method::POST, "/api/v1/accounts/user:ada/administrator", json!({"administrator": true})),
        (Method::POST, "/api/v1/links", json!({"account": "root"})),
    ] {
        let answer = read(ada.request(method, path).json(&body).send().await.unwrap()).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (403, &json!("E1203")), "{path}");
    }
    // a token makes no tokens, and sees its account's only
    let made = ada.post("/api/v1/tokens", &json!({"name": "more"})).await;
    assert_eq!((made.status.as_u16(), &made.body["code"]), (403, &json!("E1210")));
    world.token("lea").await;
    let seen = ada.get("/api/v1/tokens").await;
    let accounts: Vec<&str> =
        seen.body["items"].as_array().unwrap().iter().map(|one| one["account"].as_str().unwrap()).collect();
    assert_eq!(accounts, ["user:ada"]);
    let id = seen.body["items"][0]["token"].as_str().unwrap();
    let revoked = ada.request(Method::DELETE, &format!("/api/v1/tokens/{id}")).send().await.unwrap();
    assert_eq!(revoked.status(), StatusCode::NO_CONTENT);
    assert_eq!(ada.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED, "at once");
}

#[tokio::test]
async fn whoever_guesses_waits_and_is_not_asked_for_a_password_by_the_browser() {
    let world = World::new().await;
    let token = world.token("ann").await;
    let mut last = sign_in(&world, &[("token", "aedile_guessed")]).await;
    assert_eq!(last.status, StatusCode::UNAUTHORIZED);
    assert!(last.headers.get("www-authenticate").is_none());
    assert!(!last.body.as_str().unwrap().contains("aedile_guessed"));
    for _ in 0..20 {
        last = sign_in(&world, &[("token", "aedile_guessed")]).await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(last.headers.contains_key(RETRY_AFTER));
    assert_eq!(sign_in(&world, &[("token", &token)]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(sign_in(&world, &[("token", "")]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&world, &[]).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_person_of_a_provider_comes_in_through_the_browser() {
    assert_eq!(World::new().await.stranger().get("/login/oidc").await.status, StatusCode::NOT_FOUND);
    let Some(provider) = Provider::start() else { return };
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "the client's secret, planted: canary-5f2a").unwrap();
    let access = "roles: {operator: ['group:sre']}";
    let world = World::set_up(&[("shop", access)], |options| {
        options.settings.public_url = Some(PUBLIC.parse().unwrap());
        let usual = Settings::new(provider.issuer.clone(), "aedile".to_owned());
        options.settings.oidc =
            Some(Settings { secret: Some(SecretFrom::File(secret.path().to_owned())), ..usual });
    })
    .await;
    let page = world.stranger().get("/login?next=/shop/dev/runs").await;
    assert!(page.body.as_str().unwrap().contains("/login/oidc?next=%2Fshop%2Fdev%2Fruns"));
    let begun = world.stranger().get("/login/oidc?next=%2Fshop%2Fdev%2Fruns").await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{begun:?}");
    let kept = cookie(&begun.headers);
    let there = begun.headers[LOCATION].to_str().unwrap().parse().unwrap();
    let callback = Browser::new().sign_in(&there, "maria").await;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("code", callback.code.as_deref().unwrap())
        .append_pair("state", callback.state.as_deref().unwrap())
        .append_pair("iss", callback.iss.as_deref().unwrap())
        .finish();
    let path = format!("/login/oidc/callback?{query}");
    let elsewhere = world.stranger().get(&path).await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN, "another browser");
    let back = read(with(&world, Method::GET, &path, &kept).send().await.unwrap()).await;
    assert_eq!(
        (back.status, &back.headers[LOCATION]),
        (StatusCode::SEE_OTHER, &"/shop/dev/runs".parse().unwrap())
    );
    let session = cookie(&back.headers);
    let mine = me(&world, &session).await.body;
    assert_eq!((&mine["principal"], &mine["groups"]), (&json!("user:maria"), &json!(["sre", "on call"])));
    assert_eq!(mine["projects"][0]["environments"][0]["may"], json!(["read", "operate"]));
    let secret = Secret::presented(session.split_once('=').unwrap().1).unwrap();
    let caller = world.app.identity.authenticate(&Presented::Cookie(secret), world.app.now()).unwrap();
    assert!(caller.is_session() && !caller.administrator);
    let log = world.log.lock().unwrap().join("\n");
    assert!(!log.contains("canary-5f2a") && !log.contains(callback.code.as_deref().unwrap()), "{log}");
}

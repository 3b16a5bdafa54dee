//! Signing in by way of a real provider of identities, on this machine.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use model::time::SignedDuration;
use server::identity::oidc::{Begun, Callback, LOGIN_LIFETIME, Oidc, SecretFrom, Settings};
use server::identity::{Identity, IdentityError};

use crate::provider::{Browser, PUBLIC, Provider};
use crate::support::*;

/// What the driver gives the client.
const SECRET: &str = "the client's secret, planted: canary-5f2a";

struct World {
    site: Site,
    provider: Provider,
    secret: tempfile::NamedTempFile,
}

impl World {
    fn new() -> Option<Self> {
        let provider = Provider::start()?;
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), format!("{SECRET}\n")).unwrap();
        let site = Site::new();
        // the provider's clock is the machine's, and its tokens say so
        site.clock.set(model::Timestamp::now());
        Some(Self { site, provider, secret })
    }

    fn settings(&self) -> Settings {
        let usual = Settings::new(self.provider.issuer.clone(), "aedile".to_owned());
        Settings { secret: Some(SecretFrom::File(self.secret.path().to_owned())), ..usual }
    }

    fn oidc(&self, settings: Settings) -> Oidc {
        let public = PUBLIC.parse().unwrap();
        Oidc::new(settings, &public, self.site.clock.clone(), self.site.entropy.clone()).unwrap()
    }

    fn identity(&self) -> Identity {
        self.site.open().with_provider(self.oidc(self.settings()))
    }
}

/// The head of the request that a browser comes back with.
fn back(begun: &Begun) -> HeaderMap {
    let pair = begun.cookie.to_str().unwrap().split(';').next().unwrap();
    HeaderMap::from_iter([(header::COOKIE, pair.parse().unwrap())])
}

async fn sign_in(oidc: &Oidc, name: &str) -> Result<server::identity::oidc::Person, IdentityError> {
    let begun = oidc.begin(Some("/shop/dev/runs"), false).await?;
    let callback = Browser::new().sign_in(&begun.url, name).await;
    oidc.finish(&back(&begun), &callback, false).await
}

#[tokio::test]
async fn a_person_of_the_provider_signs_in_with_their_groups() {
    let Some(world) = World::new() else { return };
    let identity = world.identity();
    let begun = identity.provider().unwrap().begin(Some("/shop/dev/runs"), false).await.unwrap();
    let asked: std::collections::BTreeMap<_, _> = begun.url.query_pairs().into_owned().collect();
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!((asked["response_type"].as_str(), asked["scope"].as_str()), ("code", "openid profile"));
    assert!(asked["state"].len() == 43 && asked["nonce"].len() == 43 && asked["state"] != asked["nonce"]);
    let person = sign_in(identity.provider().unwrap(), "maria").await.unwrap();
    assert_eq!(
        (person.account.as_str(), person.groups.as_slice()),
        ("user:maria", &["sre".to_owned(), "on call".to_owned()][..])
    );
    assert_eq!(person.next.as_deref(), Some("/shop/dev/runs"));
    let session = identity.use_person(person, None).await.unwrap();
    let caller = identity.authenticate(&cookie(&session), world.site.now()).unwrap();
    assert_eq!(caller.groups, ["sre", "on call"]);
    assert!(!caller.administrator);
    let access = project::Access::parse("roles: {operator: ['group:sre']}").unwrap();
    let prod = "prod".parse().unwrap();
    assert!(caller.may(&access, "shop", &prod, model::Permission::Operate).is_ok());
    assert!(caller.may(&access, "shop", &prod, model::Permission::Approve).is_err());
    let account = identity.account(&user("maria")).unwrap();
    assert!(account.provided && account.issuer == Some(world.provider.issuer.clone()));
    // again, and once disabled not any more
    let again = sign_in(identity.provider().unwrap(), "maria").await.unwrap();
    identity.use_person(again.clone(), None).await.unwrap();
    identity.set_enabled(&user("root"), &user("maria"), false, None).await.unwrap();
    assert_eq!(code(identity.use_person(again, None).await), "E1216");
    let bytes = String::from_utf8_lossy(&world.site.bytes()).into_owned();
    assert!(bytes.contains("\"subject\":\"maria\"") && !bytes.contains("canary-5f2a"));
}

#[tokio::test]
async fn what_a_person_s_groups_gave_their_tokens_ends_some_time_after_the_provider_said_it() {
    let Some(world) = World::new() else { return };
    let identity = world.identity();
    let person = sign_in(identity.provider().unwrap(), "maria").await.unwrap();
    let session = identity.use_person(person, None).await.unwrap();
    let caller = identity.authenticate(&cookie(&session), world.site.now()).unwrap();
    let wish = server::identity::TokenWish { name: "x".to_owned(), ..Default::default() };
    let made = identity.issue_token(&caller, wish).await.unwrap();
    let groups = || identity.authenticate(&token(&made.secret), world.site.now()).unwrap().groups;
    assert_eq!(groups(), ["sre", "on call"]);
    world.site.clock.advance(server::identity::limits::GROUPS_LIFETIME);
    assert!(groups().is_empty());
}

#[tokio::test]
async fn an_account_is_never_taken_over_by_a_name() {
    let Some(world) = World::new() else { return };
    let identity = world.identity();
    let root = first(&identity, "omar").await;
    let root = identity.authenticate(&cookie(&root), world.site.now()).unwrap();
    let oidc = identity.provider().unwrap();
    // a local account is not the provider's to sign in to
    let omar = sign_in(oidc, "omar").await.unwrap();
    assert_eq!(code(identity.use_person(omar, None).await), "E1213");
    // a name that was given to somebody else at the provider
    let maria = sign_in(oidc, "maria").await.unwrap();
    identity.use_person(maria, None).await.unwrap();
    let impostor = sign_in(oidc, "impostor").await.unwrap();
    assert_eq!(impostor.account, user("maria"));
    assert_eq!(code(identity.use_person(impostor.clone(), None).await), "E1213");
    // an account that was made for whoever the provider sends first is theirs from then on
    let waiting = server::identity::oidc::Person { account: user("mia"), ..impostor.clone() };
    identity.add_account(&root.principal, &user("mia"), true).await.unwrap();
    identity.use_person(waiting.clone(), None).await.unwrap();
    let other = sign_in(oidc, "omar").await.unwrap();
    let other = server::identity::oidc::Person { account: user("mia"), ..other };
    assert_eq!(code(identity.use_person(other, None).await), "E1213");
    // and one person has one account
    let renamed = server::identity::oidc::Person { account: user("mina"), ..waiting };
    assert_eq!(code(identity.use_person(renamed, None).await), "E1213");
}

#[tokio::test]
async fn names_that_are_none_and_addresses_that_nobody_verified_are_refused() {
    let Some(world) = World::new() else { return };
    let oidc = world.oidc(world.settings());
    assert_eq!(code(sign_in(&oidc, "strange").await), "E1207");
    assert_eq!(code(sign_in(&oidc, "nameless").await), "E1212");
    let by_email = Settings {
        user_claim: "email".to_owned(),
        scopes: vec!["profile".to_owned(), "email".to_owned()],
        ..world.settings()
    };
    let oidc = world.oidc(by_email);
    assert_eq!(sign_in(&oidc, "maria").await.unwrap().account, user("maria@example.org"));
    assert_eq!(code(sign_in(&oidc, "omar").await), "E1212");
}

#[tokio::test]
async fn nobody_finishes_what_another_browser_began() {
    let Some(world) = World::new() else { return };
    let oidc = world.oidc(world.settings());
    let mine = oidc.begin(None, false).await.unwrap();
    let theirs = oidc.begin(None, false).await.unwrap();
    let callback = Browser::new().sign_in(&mine.url, "maria").await;
    let refused =
        async |headers: HeaderMap, callback: Callback| code(oidc.finish(&headers, &callback, false).await);
    assert_eq!(refused(back(&theirs), callback.clone()).await, "E1212", "login by forged request");
    assert_eq!(refused(HeaderMap::new(), callback.clone()).await, "E1212");
    let other = Callback { iss: Some("https://evil.example".to_owned()), ..callback.clone() };
    assert_eq!(refused(back(&mine), other).await, "E1212", "mixed up with another provider");
    let declined = Callback { error: Some("access_denied".to_owned()), ..callback.clone() };
    assert_eq!(refused(back(&mine), declined).await, "E1212");
    assert_eq!(refused(back(&mine), Callback { state: None, ..callback.clone() }).await, "E1212");
    let guessed = Callback { code: Some("guessed".to_owned()), ..callback.clone() };
    assert_eq!(refused(back(&mine), guessed).await, "E1212");
    // a cookie that was changed, and one of another server's start
    let mut changed = mine.cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
    changed.insert(changed.find('=').unwrap() + 3, 'A');
    let changed = HeaderMap::from_iter([(header::COOKIE, changed.parse().unwrap())]);
    assert_eq!(refused(changed, callback.clone()).await, "E1212");
    let restarted = world.oidc(world.settings());
    assert_eq!(code(restarted.finish(&back(&mine), &callback, false).await), "E1212");
    // the right browser, once
    assert_eq!(oidc.finish(&back(&mine), &callback, false).await.unwrap().account, user("maria"));
    assert_eq!(refused(back(&mine), callback).await, "E1212", "a code is good once");
}

#[tokio::test]
async fn a_login_takes_ten_minutes_at_most_and_a_token_of_another_time_is_refused() {
    let Some(world) = World::new() else { return };
    let oidc = world.oidc(world.settings());
    let begun = oidc.begin(None, false).await.unwrap();
    let callback = Browser::new().sign_in(&begun.url, "maria").await;
    world.site.clock.advance(LOGIN_LIFETIME);
    assert_eq!(code(oidc.finish(&back(&begun), &callback, false).await), "E1212");
    // by this clock what the provider signs has run out
    world.site.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(code(sign_in(&oidc, "maria").await), "E1212");
}

#[tokio::test]
async fn a_client_without_a_secret_signs_in_by_pkce_alone_and_a_wrong_secret_not_at_all() {
    let Some(world) = World::new() else { return };
    let public = Settings { client: "public".to_owned(), secret: None, ..world.settings() };
    assert_eq!(sign_in(&world.oidc(public), "maria").await.unwrap().account, user("maria"));
    std::fs::write(world.secret.path(), "another").unwrap();
    let error = sign_in(&world.oidc(world.settings()), "maria").await.unwrap_err();
    assert_eq!(model::Coded::code(&error).id, "E1211");
    std::fs::write(world.secret.path(), "\n").unwrap();
    let public: url::Url = PUBLIC.parse().unwrap();
    let empty = Oidc::new(world.settings(), &public, world.site.clock.clone(), world.site.entropy.clone());
    assert_eq!(code(empty), "E1211");
}

#[tokio::test]
async fn a_provider_that_is_not_there_or_is_another_one_signs_nobody_in() {
    let site = Site::new();
    let oidc = |issuer: &str| {
        let settings = Settings::new(issuer.to_owned(), "aedile".to_owned());
        Oidc::new(settings, &PUBLIC.parse().unwrap(), site.clock.clone(), Arc::clone(&site.entropy) as _)
            .unwrap()
    };
    // the discard port: nobody answers
    let gone = oidc("http://127.0.0.1:9");
    assert_eq!(code(gone.begin(None, false).await), "E1211");
    assert_eq!(code(gone.begin(None, false).await), "E1211", "and is not asked again at once");
    assert_eq!(code(oidc("http://id.example").begin(None, false).await), "E1211", "in the clear");
    let Some(provider) = Provider::start() else { return };
    // the same provider by a name that it does not call itself by
    let alias = provider.issuer.replace("127.0.0.1", "localhost");
    assert_eq!(code(oidc(&alias).begin(None, false).await), "E1211");
}

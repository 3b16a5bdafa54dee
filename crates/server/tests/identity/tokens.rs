//! Tokens: what they are good for, for how long, and what is kept of them.

use std::collections::BTreeSet;

use model::time::SignedDuration;
use model::{Environment, Permission};
use project::Access;
use proptest::prelude::*;
use server::identity::{Caller, Presented, Scope, TokenWish, limits};

use crate::support::*;

fn wish(name: &str) -> TokenWish {
    TokenWish { name: name.to_owned(), ..TokenWish::default() }
}

fn environments(names: &[&str]) -> BTreeSet<Environment> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_token_is_good_until_it_runs_out_or_is_revoked() {
    let site = Site::new();
    let identity = site.open();
    let other = site.open();
    let root = first(&identity, "root").await;
    let root = identity.authenticate(&cookie(&root), site.now()).unwrap();
    let short = TokenWish { lifetime: Some(SignedDuration::from_mins(5)), ..wish("short") };
    let (short, long) = (
        identity.issue_token(&root, short).await.unwrap(),
        identity.issue_token(&root, wish("long")).await.unwrap(),
    );
    // the other process knows at once
    for identity in [&other, &identity] {
        for one in [&short, &long] {
            let caller = identity.authenticate(&token(&one.secret), site.now()).unwrap();
            assert_eq!((caller.principal, caller.expires), (user("root"), one.expires));
        }
    }
    site.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(code(identity.authenticate(&token(&short.secret), site.now())), "E1202");
    // a session that was opened with it is over with it
    let session = identity.use_token(&long.secret, None).await.unwrap();
    assert!(identity.authenticate(&cookie(&session), site.now()).is_ok());
    identity.revoke_token(&root, long.token, Some("lost".to_owned())).await.unwrap();
    assert_eq!(code(identity.authenticate(&token(&long.secret), site.now())), "E1202", "at once");
    assert_eq!(code(identity.authenticate(&cookie(&session), site.now())), "E1202");
    assert_eq!(code(identity.use_token(&long.secret, None).await), "E1202");
    assert_eq!(code(identity.revoke_token(&root, long.token, None).await), "E0008");
    other.catch_up().unwrap();
    assert_eq!(code(other.authenticate(&token(&long.secret), site.now())), "E1202");
    assert_eq!(identity.tokens(None).iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["short"]);
    drop((identity, other));
    assert_eq!(code(site.open().authenticate(&token(&long.secret), site.now())), "E1202", "for ever");
}

#[tokio::test]
async fn no_secret_is_ever_in_the_server_s_files() {
    let site = Site::new();
    let identity = site.open();
    let setup = identity.setup().await.unwrap().unwrap();
    let root = identity.use_setup(&setup, "root", None).await.unwrap();
    let caller = identity.authenticate(&cookie(&root), site.now()).unwrap();
    let made = identity.issue_token(&caller, wish("canary")).await.unwrap();
    let opened = identity.use_token(&made.secret, None).await.unwrap();
    let link = identity.issue_link(&caller, &user("root")).await.unwrap();
    identity.use_link(&link.secret, None).await.unwrap();
    let presented = server::identity::Secret::presented("aedile_planted-canary").unwrap();
    assert!(identity.use_token(&presented, None).await.is_err());
    let csrf = match &caller.means {
        server::identity::Means::Session { csrf, .. } => csrf.text(),
        server::identity::Means::Token(_) => unreachable!("it is a session"),
    };
    let bytes = site.bytes();
    let there = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(there("canary"), "the token's name is there, so the search works");
    for secret in [&setup, &root.cookie, &made.secret, &opened.cookie, &link.secret] {
        assert!(!there(secret.expose()));
        assert!(!there(secret.expose().trim_start_matches("aedile_")));
        assert!(there(&secret.digest().to_string()), "its digest is what is kept");
    }
    assert!(!there("planted-canary") && !there(&csrf));
    let text = format!("{made:?} {opened:?} {link:?} {caller:?}");
    for secret in [&root.cookie, &made.secret, &opened.cookie, &link.secret] {
        assert!(!text.contains(secret.expose()));
    }
}

#[tokio::test]
async fn nobody_makes_a_token_for_more_than_they_have() {
    let site = Site::new();
    let identity = site.open();
    let root = first(&identity, "root").await;
    let root = identity.authenticate(&cookie(&root), site.now()).unwrap();
    let maria = person(&identity, &root, "maria").await;
    let maria = identity.authenticate(&cookie(&maria), site.now()).unwrap();
    let limited = Scope { environments: Some(environments(&["dev"])), ..Scope::default() };
    let made =
        identity.issue_token(&maria, TokenWish { scope: limited.clone(), ..wish("dev") }).await.unwrap();
    // a token makes no tokens, and a session of a limited token is limited
    let by_token = identity.authenticate(&token(&made.secret), site.now()).unwrap();
    assert_eq!(code(identity.issue_token(&by_token, wish("more")).await), "E1210");
    assert_eq!(code(identity.issue_link(&by_token, &user("maria")).await), "E1210");
    let session = identity.use_token(&made.secret, None).await.unwrap();
    let session = identity.authenticate(&cookie(&session), site.now()).unwrap();
    assert_eq!(session.scope, limited);
    assert_eq!(code(identity.issue_token(&session, wish("more")).await), "E1210");
    assert_eq!(code(identity.issue_link(&session, &user("maria")).await), "E1210");
    let within = TokenWish { scope: limited.clone(), ..wish("as much") };
    assert!(identity.issue_token(&session, within).await.is_ok());
    // others' tokens
    let ci = "token:ci".parse().unwrap();
    identity.add_account(&root.principal, &ci, false).await.unwrap();
    let for_ci = || TokenWish { account: Some("token:ci".parse().unwrap()), ..wish("ci") };
    assert_eq!(code(identity.issue_token(&maria, for_ci()).await), "E1203");
    let for_maria = TokenWish { account: Some(user("maria")), ..wish("not hers") };
    assert_eq!(code(identity.issue_token(&root, for_maria).await), "E1210");
    let made_for_ci = identity.issue_token(&root, for_ci()).await.unwrap();
    let caller = identity.authenticate(&token(&made_for_ci.secret), site.now()).unwrap();
    assert_eq!((caller.principal, caller.via), (ci, Some(user("root"))), "whoever made it is behind it");
    assert_eq!(code(identity.revoke_token(&maria, made_for_ci.token, None).await), "E0008");
    identity.revoke_token(&root, made_for_ci.token, None).await.unwrap();
    // a limited token ends itself and nothing else
    let other = identity.issue_token(&maria, wish("other")).await.unwrap();
    assert_eq!(code(identity.revoke_token(&by_token, other.token, None).await), "E0008");
    identity.revoke_token(&by_token, made.token, None).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused() {
    let site = Site::new();
    let identity = site.open();
    let root = first(&identity, "root").await;
    let root = identity.authenticate(&cookie(&root), site.now()).unwrap();
    let scoped = |scope| TokenWish { scope, ..wish("x") };
    let lasting = |lifetime| TokenWish { lifetime: Some(lifetime), ..wish("x") };
    for bad in [
        wish(""),
        wish("  "),
        wish("a\nb"),
        wish(&"x".repeat(limits::TOKEN_NAME_CHARS + 1)),
        lasting(SignedDuration::ZERO),
        lasting(-SignedDuration::from_secs(1)),
        lasting(limits::TOKEN_LIFETIME_MAX + SignedDuration::from_secs(1)),
        scoped(Scope { permissions: Some(BTreeSet::new()), ..Scope::default() }),
        scoped(Scope { environments: Some(BTreeSet::new()), ..Scope::default() }),
        scoped(Scope { projects: Some(BTreeSet::from([String::new()])), ..Scope::default() }),
    ] {
        assert_eq!(code(identity.issue_token(&root, bad.clone()).await), "E1215", "{bad:?}");
    }
    for _ in 0..limits::TOKENS_PER_ACCOUNT_MAX {
        identity.issue_token(&root, lasting(SignedDuration::from_secs(1))).await.unwrap();
    }
    assert_eq!(code(identity.issue_token(&root, wish("one more")).await), "E1214");
    site.clock.advance(SignedDuration::from_secs(1));
    assert!(identity.issue_token(&root, wish("in their place")).await.is_ok());
}

#[tokio::test]
async fn a_cookie_is_no_token_and_a_token_no_cookie() {
    let site = Site::new();
    let identity = site.open();
    let root = first(&identity, "root").await;
    let caller = identity.authenticate(&cookie(&root), site.now()).unwrap();
    let made = identity.issue_token(&caller, wish("x")).await.unwrap();
    assert_eq!(code(identity.authenticate(&Presented::Token(root.cookie.clone()), site.now())), "E1202");
    assert_eq!(code(identity.authenticate(&Presented::Cookie(made.secret), site.now())), "E1202");
    assert_eq!(code(identity.authenticate(&Presented::Nothing, site.now())), "E1202");
}

const ROLES: [&str; 5] = ["viewer", "operator", "approver", "admin", "other"];

fn gives(role: &str) -> &'static [Permission] {
    use Permission::{Administer, Approve, Operate, Read};
    match role {
        "viewer" => &[Read],
        "operator" => &[Read, Operate],
        "approver" => &[Read, Approve],
        "admin" => &[Read, Operate, Approve, Administer],
        _ => &[],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Role x permission x environment x limits: what a token lets do is what the roles give and the limits let through.
    #[test]
    fn a_caller_may_what_roles_give_and_limits_let_through(
        role in 0usize..5,
        permissions in proptest::option::of(proptest::collection::btree_set(0usize..4, 1..4)),
        places in proptest::option::of(proptest::collection::btree_set(0usize..3, 1..3)),
        projects in proptest::option::of(proptest::collection::btree_set(0usize..2, 1..2)),
        by_group in any::<bool>(),
        administrator in any::<bool>(),
    ) {
        let names = ["dev", "stage", "prod"];
        let shops = ["shop", "bank"];
        let member = if by_group { "'group:sre'" } else { "maria" };
        let access = Access::parse(&format!("roles: {{{}: [{member}]}}", ROLES[role])).unwrap();
        let scope = Scope {
            permissions: permissions.as_ref().map(|these| these.iter().map(|one| Permission::ALL[*one]).collect()),
            projects: projects.as_ref().map(|these| these.iter().map(|one| shops[*one].to_owned()).collect()),
            environments: places.as_ref().map(|these| these.iter().map(|one| names[*one].parse().unwrap()).collect()),
        };
        let caller = Caller {
            principal: user("maria"),
            via: None,
            groups: vec!["sre".to_owned()],
            scope,
            means: server::identity::Means::Token(model::TokenId::from_parts(1, 1)),
            administrator,
            expires: model::Timestamp::MAX,
        };
        for (shop, shop_name) in shops.iter().enumerate() {
            for (place, name) in names.iter().enumerate() {
                let environment: Environment = name.parse().unwrap();
                for (index, permission) in Permission::ALL.iter().enumerate() {
                    let given = administrator || gives(ROLES[role]).contains(permission);
                    let let_through = permissions.as_ref().is_none_or(|these| these.contains(&index))
                        && places.as_ref().is_none_or(|these| these.contains(&place))
                        && projects.as_ref().is_none_or(|these| these.contains(&shop));
                    let may = caller.may(&access, shop_name, &environment, *permission).is_ok();
                    prop_assert_eq!(may, given && let_through);
                }
            }
        }
        let open = permissions.is_none_or(|these| these.contains(&3)) && places.is_none() && projects.is_none();
        prop_assert_eq!(caller.may_administer_server("x").is_ok(), administrator && open);
    }
}

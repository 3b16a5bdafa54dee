//! Accounts: added once, disabled at once, never without an administrator.

use std::sync::Arc;

use server::identity::{TokenWish, limits};

use crate::support::*;

#[tokio::test]
async fn a_disabled_account_is_out_at_once_wherever_it_came_in() {
    let site = Site::new();
    let identity = Arc::new(site.open());
    let root = first(&identity, "root").await;
    let root = identity.authenticate(&cookie(&root), site.now()).unwrap();
    let session = person(&identity, &root, "maria").await;
    let maria = identity.authenticate(&cookie(&session), site.now()).unwrap();
    let wish = TokenWish { name: "laptop".to_owned(), ..TokenWish::default() };
    let made = identity.issue_token(&maria, wish.clone()).await.unwrap();
    let link = identity.issue_link(&root, &user("maria")).await.unwrap();
    // by another process: this one follows
    let other = site.open();
    let following = tokio::spawn({
        let identity = Arc::clone(&identity);
        async move { identity.follow().await }
    });
    other.set_enabled(&root.principal, &user("maria"), false, Some("left".to_owned())).await.unwrap();
    while identity.account(&user("maria")).unwrap().enabled {
        tokio::task::yield_now().await;
    }
    following.abort();
    assert_eq!(code(identity.authenticate(&cookie(&session), site.now())), "E1202");
    assert_eq!(code(identity.authenticate(&token(&made.secret), site.now())), "E1216");
    assert_eq!(code(identity.use_token(&made.secret, None).await), "E1216");
    assert_eq!(code(identity.use_link(&link.secret, None).await), "E1205");
    assert_eq!(code(identity.issue_link(&root, &user("maria")).await), "E1216");
    assert_eq!(code(identity.issue_token(&maria, wish).await), "E1216", "a request that was under way");
    assert_eq!(code(identity.admit_local(&user("maria"), None).await), "E1216");
    // what ended does not come back; a token does
    identity.set_enabled(&root.principal, &user("maria"), true, None).await.unwrap();
    assert_eq!(code(identity.authenticate(&cookie(&session), site.now())), "E1202");
    assert_eq!(code(identity.use_link(&link.secret, None).await), "E1205");
    assert!(identity.authenticate(&token(&made.secret), site.now()).is_ok());
}

#[tokio::test]
async fn the_last_administrator_stays_one_whoever_is_quick() {
    let site = Site::new();
    let identity = Arc::new(site.open());
    let root = first(&identity, "root").await;
    let root = identity.authenticate(&cookie(&root), site.now()).unwrap();
    let by = &root.principal;
    assert_eq!(code(identity.set_enabled(by, by, false, None).await), "E1209");
    assert_eq!(code(identity.set_administrator(by, by, false, None).await), "E1209");
    identity.add_account(by, &user("maria"), false).await.unwrap();
    for round in 0..8 {
        for name in ["root", "maria"] {
            identity.set_enabled(by, &user(name), true, None).await.unwrap();
            identity.set_administrator(by, &user(name), true, None).await.unwrap();
        }
        // both at once: each takes it from the other
        let take = |name: &'static str| {
            let identity = Arc::clone(&identity);
            let by = by.clone();
            async move {
                if round % 2 == 0 {
                    identity.set_administrator(&by, &user(name), false, None).await.is_ok()
                } else {
                    identity.set_enabled(&by, &user(name), false, None).await.is_ok()
                }
            }
        };
        let (one, other) = tokio::join!(take("root"), take("maria"));
        assert!(one != other, "round {round}: {one} {other}");
        assert_eq!(identity.accounts().iter().filter(|account| account.administrator).count(), 1);
    }
}

#[tokio::test]
async fn accounts_have_names_that_can_be_principals_and_are_added_once() {
    let site = Site::new();
    let identity = site.open();
    let root = user("root");
    identity.add_account(&root, &user("maria"), false).await.unwrap();
    assert_eq!(code(identity.add_account(&root, &user("maria"), true).await), "E1208");
    for bad in ["system:aedile", "workflow:run_1", "schedule:x", "drift:aedile"] {
        assert_eq!(code(identity.add_account(&root, &bad.parse().unwrap(), false).await), "E1207", "{bad}");
    }
    let long = user(&"m".repeat(limits::ACCOUNT_NAME_BYTES + 1));
    assert_eq!(code(identity.add_account(&root, &long, false).await), "E1207");
    identity.add_account(&root, &user(&"m".repeat(limits::ACCOUNT_NAME_BYTES)), false).await.unwrap();
    assert_eq!(code(identity.add_account(&root, &"token:ci".parse().unwrap(), true).await), "E1207");
    assert_eq!(code(identity.set_enabled(&root, &user("nobody"), false, None).await), "E0008");
    assert_eq!(code(identity.set_administrator(&root, &user("nobody"), true, None).await), "E0008");
}

#[tokio::test]
async fn the_fold_is_the_same_in_every_process_and_after_every_restart() {
    let site = Site::new();
    let identity = site.open();
    let other = site.open();
    let root = first(&identity, "root").await;
    let root = identity.authenticate(&cookie(&root), site.now()).unwrap();
    person(&identity, &root, "maria").await;
    other.catch_up().unwrap();
    let wish = TokenWish { name: "ci".to_owned(), ..TokenWish::default() };
    let made = other.issue_token(&root, wish).await.unwrap();
    other.set_administrator(&root.principal, &user("maria"), true, None).await.unwrap();
    other.set_enabled(&root.principal, &user("maria"), false, None).await.unwrap();
    identity.catch_up().unwrap();
    let third = site.open();
    let seen = |identity: &server::identity::Identity| (identity.accounts(), identity.tokens(None));
    assert_eq!(seen(&identity), seen(&other));
    assert_eq!(seen(&identity), seen(&third));
    let maria = third.account(&user("maria")).unwrap();
    assert!(!maria.enabled && !maria.administrator && maria.sessions == 0);
    assert_eq!(third.tokens(Some(&user("root")))[0].token, made.token);
}

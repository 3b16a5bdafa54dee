//! Links are good once, and not for long.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use model::time::SignedDuration;
use server::identity::{LinkFor, Presented, Secret, limits};

use crate::support::*;

#[tokio::test]
async fn the_first_who_opens_the_setup_link_administers_and_nobody_after_them() {
    let site = Site::new();
    let identity = site.open();
    // started twice: two links are about
    let (one, other) = (identity.setup().await.unwrap().unwrap(), identity.setup().await.unwrap().unwrap());
    assert_eq!(identity.link(&one), Some(LinkFor::Setup));
    for bad in ["", "a b", "../x", &"m".repeat(limits::ACCOUNT_NAME_BYTES + 1)] {
        assert_eq!(code(identity.use_setup(&one, bad, None).await), "E1207", "{bad}");
    }
    assert_eq!(code(identity.use_link(&one, None).await), "E1205", "it is no ordinary link");
    let session = identity.use_setup(&one, "maria", None).await.unwrap();
    let caller = identity.authenticate(&cookie(&session), site.now()).unwrap();
    assert!(caller.administrator && caller.may_administer_server("x").is_ok());
    assert_eq!(identity.setup().await.unwrap().map(|_| ()), None);
    for spent in [&one, &other] {
        assert_eq!(identity.link(spent), None);
        assert_eq!(code(identity.use_setup(spent, "eve", None).await), "E1205");
    }
    assert_eq!(identity.accounts().len(), 1);
}

#[tokio::test]
async fn the_directory_is_its_owner_s_only() {
    let site = Site::new();
    drop(site.open());
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(site.path()), 0o700);
    assert_eq!(mode(site.path().join("journal.db")), 0o600);
    // one that others could look into is closed
    std::fs::set_permissions(site.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    drop(site.open());
    assert_eq!(mode(site.path()), 0o700);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_use_a_link_at_once_one_gets_in() {
    let site = Site::new();
    // two processes serve the same directory
    let identities = [Arc::new(site.open()), Arc::new(site.open())];
    let root = first(&identities[0], "root").await;
    identities[1].catch_up().unwrap();
    let root = identities[0].authenticate(&cookie(&root), site.now()).unwrap();
    identities[0].add_account(&root.principal, &user("maria"), false).await.unwrap();
    for round in 0..5 {
        let link = identities[round % 2].issue_link(&root, &user("maria")).await.unwrap();
        let tries: Vec<_> = (0..16)
            .map(|index| {
                let identity = Arc::clone(&identities[index % 2]);
                let secret = link.secret.clone();
                tokio::spawn(async move { identity.use_link(&secret, None).await })
            })
            .collect();
        let mut opened = Vec::new();
        for one in tries {
            match one.await.unwrap() {
                Ok(session) => opened.push(session),
                // the last of so many failures are told to wait
                Err(error) => assert!(matches!(model::Coded::code(&error).id, "E1205" | "E1204"), "{error}"),
            }
        }
        assert_eq!(opened.len(), 1, "round {round}");
        for identity in &identities {
            identity.catch_up().unwrap();
            let caller = identity.authenticate(&cookie(&opened[0]), site.now()).unwrap();
            assert_eq!(caller.principal, user("maria"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_open_the_setup_link_one_administers() {
    let site = Site::new();
    let identity = Arc::new(site.open());
    let links = [identity.setup().await.unwrap().unwrap(), identity.setup().await.unwrap().unwrap()];
    let tries: Vec<_> = (0..12)
        .map(|index| {
            let (identity, link) = (Arc::clone(&identity), links[index % 2].clone());
            tokio::spawn(async move { identity.use_setup(&link, &format!("m{index}"), None).await.is_ok() })
        })
        .collect();
    let mut opened = 0;
    for one in tries {
        opened += u32::from(one.await.unwrap());
    }
    assert_eq!((opened, identity.accounts().len()), (1, 1));
}

#[tokio::test]
async fn looking_at_a_link_does_not_use_it_and_time_does() {
    let site = Site::new();
    let identity = site.open();
    let link = identity.admit_local(&user("ops"), Some(&user("root"))).await.unwrap();
    for _ in 0..10 {
        assert_eq!(identity.link(&link.secret), Some(LinkFor::Account(user("ops"))));
    }
    site.clock.advance(limits::LINK_LIFETIME - SignedDuration::from_millis(1));
    assert!(identity.link(&link.secret).is_some());
    site.clock.advance(SignedDuration::from_millis(1));
    assert_eq!(identity.link(&link.secret), None);
    assert_eq!(code(identity.use_link(&link.secret, None).await), "E1205");
    let link = identity.admit_local(&user("ops"), Some(&user("root"))).await.unwrap();
    let session = identity.use_link(&link.secret, None).await.unwrap();
    let caller = identity.authenticate(&cookie(&session), site.now()).unwrap();
    assert_eq!(
        (caller.principal, caller.via),
        (user("ops"), Some(user("root"))),
        "who is behind them is kept"
    );
    assert!(caller.administrator, "nobody else was");
}

#[tokio::test]
async fn only_administrators_make_links_for_others_and_a_link_is_no_session() {
    let site = Site::new();
    let identity = site.open();
    let root = first(&identity, "root").await;
    let root = identity.authenticate(&cookie(&root), site.now()).unwrap();
    let maria = person(&identity, &root, "maria").await;
    let maria = identity.authenticate(&cookie(&maria), site.now()).unwrap();
    assert_eq!(code(identity.issue_link(&maria, &user("root")).await), "E1203");
    let own = identity.issue_link(&maria, &user("maria")).await.unwrap();
    for presented in [Presented::Cookie(own.secret.clone()), Presented::Token(own.secret.clone())] {
        assert_eq!(code(identity.authenticate(&presented, site.now())), "E1202");
    }
    assert_eq!(code(identity.issue_link(&root, &user("nobody")).await), "E0008");
    let ci = "token:ci".parse().unwrap();
    identity.add_account(&root.principal, &ci, false).await.unwrap();
    assert_eq!(code(identity.issue_link(&root, &ci).await), "E1207", "a program has no browser");
    identity.add_account(&root.principal, &user("provided"), true).await.unwrap();
    assert_eq!(code(identity.issue_link(&root, &user("provided")).await), "E1207");
}

#[tokio::test]
async fn whoever_guesses_links_waits_and_others_do_not() {
    let site = Site::new();
    let identity = site.open();
    let root = first(&identity, "root").await;
    let root = identity.authenticate(&cookie(&root), site.now()).unwrap();
    let guess = Secret::presented("guessed").unwrap();
    let from = Some("192.0.2.7".parse().unwrap());
    let mut codes = Vec::new();
    for _ in 0..100 {
        codes.push(code(identity.use_link(&guess, from).await));
    }
    assert_eq!(codes[0], "E1205");
    assert!(codes.iter().filter(|code| **code == "E1204").count() >= 80, "{codes:?}");
    // what is right is let in from the same address
    let link = identity.issue_link(&root, &user("root")).await.unwrap();
    identity.use_link(&link.secret, from).await.unwrap();
    let records = site.records();
    let refused = records.iter().filter(|record| record.event.kind() == "login.refused").count();
    assert!((1..=60).contains(&refused), "a flood is not recorded whole: {refused}");
    let bytes = site.bytes();
    assert!(!bytes.windows(7).any(|window| window == b"guessed"));
}

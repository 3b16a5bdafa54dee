//! Sessions end: by themselves, by signing out, with their account.

use model::time::SignedDuration;
use server::identity::{Means, limits};

use crate::support::*;

#[tokio::test]
async fn a_session_ends_after_its_time_and_when_nobody_uses_it() {
    let site = Site::new();
    let identity = site.open();
    let session = first(&identity, "root").await;
    let half = SignedDuration::from_mins(50);
    let mut passed = SignedDuration::ZERO;
    while passed + half < limits::SESSION_LIFETIME {
        site.clock.advance(half);
        passed += half;
        assert!(identity.authenticate(&cookie(&session), site.now()).is_ok(), "used after {passed}");
    }
    site.clock.advance(limits::SESSION_LIFETIME - passed);
    assert_eq!(code(identity.authenticate(&cookie(&session), site.now())), "E1202");

    let link = identity.admit_local(&user("root"), None).await.unwrap();
    let session = identity.use_link(&link.secret, None).await.unwrap();
    site.clock.advance(limits::SESSION_IDLE - SignedDuration::from_millis(1));
    assert!(identity.authenticate(&cookie(&session), site.now()).is_ok());
    site.clock.advance(limits::SESSION_IDLE);
    assert_eq!(code(identity.authenticate(&cookie(&session), site.now())), "E1202");
    drop(identity);
    assert_eq!(
        code(site.open().authenticate(&cookie(&session), site.now())),
        "E1202",
        "also after a restart"
    );
}

#[tokio::test]
async fn signing_out_ends_this_session_and_no_other() {
    let site = Site::new();
    let identity = site.open();
    let one = first(&identity, "root").await;
    let link = identity.admit_local(&user("root"), None).await.unwrap();
    let other = identity.use_link(&link.secret, None).await.unwrap();
    let caller = identity.authenticate(&cookie(&one), site.now()).unwrap();
    identity.sign_out(&caller).await.unwrap();
    identity.sign_out(&caller).await.unwrap();
    assert_eq!(code(identity.authenticate(&cookie(&one), site.now())), "E1202");
    assert!(identity.authenticate(&cookie(&other), site.now()).is_ok());
}

#[tokio::test]
async fn a_session_has_its_own_token_against_forged_requests() {
    let site = Site::new();
    let identity = site.open();
    let one = first(&identity, "root").await;
    let link = identity.admit_local(&user("root"), None).await.unwrap();
    let other = identity.use_link(&link.secret, None).await.unwrap();
    let [one, other] = [one, other].map(|it| identity.authenticate(&cookie(&it), site.now()).unwrap());
    let text = |caller: &server::identity::Caller| match &caller.means {
        Means::Session { csrf, .. } => csrf.text(),
        Means::Token(_) => unreachable!("it is a session"),
    };
    assert!(one.check_csrf(&text(&one)).is_ok());
    assert_eq!(code(one.check_csrf(&text(&other))), "E1206");
    assert_eq!(code(one.check_csrf("")), "E1206");
}

#[tokio::test]
async fn the_oldest_session_ends_when_there_are_too_many() {
    let site = Site::new();
    let identity = site.open();
    let mut sessions = vec![first(&identity, "root").await];
    for _ in 0..limits::SESSIONS_PER_ACCOUNT_MAX {
        site.clock.advance(SignedDuration::from_millis(1));
        let link = identity.admit_local(&user("root"), None).await.unwrap();
        sessions.push(identity.use_link(&link.secret, None).await.unwrap());
    }
    assert_eq!(code(identity.authenticate(&cookie(&sessions[0]), site.now())), "E1202");
    for session in &sessions[1..] {
        assert!(identity.authenticate(&cookie(session), site.now()).is_ok());
    }
    assert_eq!(identity.accounts()[0].sessions, limits::SESSIONS_PER_ACCOUNT_MAX);
}

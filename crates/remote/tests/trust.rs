//! Who is believed: host keys, and what a host is shown.

mod support;

use std::process::{Command, Stdio};

use remote::{Credential, Host, NewKeys, RemoteError, Target as _};
use runner::protocol::Grants;
use support::{Sshd, keygen, printed, remote, sh, text, tool};

async fn works(host: Host) {
    let session = remote(host).open(Grants::everything()).await.expect("it opens");
    assert_eq!(printed(&session.run(sh("echo hello")).await.expect("it runs")), "hello");
    assert!(session.close().await.is_some());
}

async fn fails(host: Host) -> RemoteError {
    match remote(host).open(Grants::everything()).await {
        Ok(_) => panic!("it opened"),
        Err(why) => why,
    }
}

fn fingerprint(key: &std::path::Path) -> String {
    tool("ssh-keygen", &["-lf", text(key)]).split(' ').nth(1).expect("a fingerprint").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn infrastructure_40_a_changed_host_key_is_refused_with_both_fingerprints() {
    let Some(sshd) = Sshd::start("") else { return };
    let host = sshd.host();
    works(host.clone()).await;
    keygen(&sshd.path("other"), "ed25519");
    sshd.write_known_hosts(&sshd.path("other.pub"));
    let accepting = Host { new_keys: NewKeys::Accept, ..host.clone() };
    for host in [host, accepting] {
        let why = fails(host).await;
        assert!(matches!(why, RemoteError::HostKeyChanged { .. }), "{why}");
        for key in ["other.pub", "host_key.pub"] {
            assert!(why.to_string().contains(&fingerprint(&sshd.path(key))), "{why}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn infrastructure_40_an_unknown_key_is_refused_unless_asked_for_and_then_recorded() {
    let Some(sshd) = Sshd::start("") else { return };
    let fresh = Host { known_hosts: vec![sshd.path("fresh")], ..sshd.host() };
    let why = fails(fresh.clone()).await;
    assert!(matches!(why, RemoteError::HostKeyUnknown { .. }), "{why}");
    assert!(!sshd.path("fresh").exists(), "a refused key is not recorded");
    works(Host { new_keys: NewKeys::Accept, ..fresh.clone() }).await;
    works(fresh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hashed_names_pins_and_revoked_keys_count() {
    let Some(sshd) = Sshd::start("") else { return };
    let host = sshd.host();
    tool("ssh-keygen", &["-q", "-H", "-f", text(&sshd.path("known_hosts"))]);
    let hashed = std::fs::read_to_string(sshd.path("known_hosts")).expect("there");
    assert!(hashed.starts_with("|1|"), "{hashed}");
    works(host.clone()).await;
    let pinned = |pin: &str| Host { pin: Some(pin.to_owned()), known_hosts: vec![], ..host.clone() };
    works(pinned(&fingerprint(&sshd.path("host_key.pub")))).await;
    let why = fails(pinned("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")).await;
    assert!(matches!(why, RemoteError::HostKeyChanged { .. }), "{why}");
    let key = std::fs::read_to_string(sshd.path("host_key.pub")).expect("there");
    std::fs::write(sshd.path("known_hosts"), format!("{hashed}@revoked * {key}")).expect("written");
    assert!(matches!(fails(host).await, RemoteError::HostKeyChanged { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_not_accepted_and_the_message_says_what_was_tried() {
    let Some(sshd) = Sshd::start("") else { return };
    keygen(&sshd.path("wrong"), "ed25519");
    let host = Host { credentials: vec![Credential::Key(sshd.path("wrong"))], ..sshd.host() };
    let why = fails(host.clone()).await;
    assert!(matches!(why, RemoteError::NotAccepted { .. }) && why.to_string().contains("/wrong"), "{why}");
    let both = vec![Credential::Key(sshd.path("wrong")), Credential::Key(sshd.path("user_key"))];
    works(Host { credentials: both, ..host.clone() }).await;
    keygen(&sshd.path("rsa"), "rsa");
    let why = fails(Host { credentials: vec![Credential::Key(sshd.path("rsa"))], ..host }).await;
    assert!(matches!(why, RemoteError::BadKey { .. }) && why.to_string().contains("ssh-add"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_signs_also_with_rsa() {
    let Some(sshd) = Sshd::start("") else { return };
    let socket = sshd.path("agent");
    let mut agent = Command::new("ssh-agent")
        .args(["-D", "-a", text(&socket)])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    while !socket.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let add = |key: &str| {
        let added =
            Command::new("ssh-add").arg("-q").arg(sshd.path(key)).env("SSH_AUTH_SOCK", &socket).status();
        assert!(added.expect("it starts").success());
    };
    add("user_key");
    let host = Host { credentials: vec![Credential::Agent(socket.clone())], ..sshd.host() };
    works(host.clone()).await;
    keygen(&sshd.path("rsa"), "rsa");
    std::fs::copy(sshd.path("rsa.pub"), sshd.path("authorized_keys")).expect("copied");
    assert!(matches!(fails(host.clone()).await, RemoteError::NotAccepted { .. }));
    add("rsa");
    works(host).await;
    agent.kill().expect("stopped");
    agent.wait().expect("reaped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_trusted_authority_is_accepted() {
    let Some(sshd) = Sshd::start("TrustedUserCAKeys @/ca.pub") else { return };
    keygen(&sshd.path("ca"), "ed25519");
    keygen(&sshd.path("certified"), "ed25519");
    let host = Host { credentials: vec![Credential::Key(sshd.path("certified"))], ..sshd.host() };
    assert!(matches!(fails(host.clone()).await, RemoteError::NotAccepted { .. }));
    let (ca, public, user) = (sshd.path("ca"), sshd.path("certified.pub"), support::user());
    tool("ssh-keygen", &["-q", "-s", text(&ca), "-I", "test", "-n", &user, "-V", "+1h", text(&public)]);
    works(host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_behind_another_is_reached_and_both_keys_are_judged() {
    let (Some(outer), Some(inner)) = (Sshd::start(""), Sshd::start("")) else { return };
    let host = Host { jumps: vec![outer.host()], ..inner.host() };
    works(host.clone()).await;
    keygen(&outer.path("other"), "ed25519");
    outer.write_known_hosts(&outer.path("other.pub"));
    match fails(host).await {
        RemoteError::HostKeyChanged { host, .. } => assert!(host.contains(&outer.port.to_string()), "{host}"),
        other => panic!("{other}"),
    }
}

//! A server that is gone, comes back, is another one, or does not let somebody in any more.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use super::bench::Served;
use crate::terminal::{Said, finish, narration, wait_for};

#[test]
fn a_login_is_kept_for_its_owner_only_and_the_token_is_shown_nowhere() {
    let served = Served::start();
    let me = served.stranger();
    let refused = me.run(&["status"]);
    assert!(refused.exit == Some(1) && refused.stderr.contains("error[E1202]"), "{refused:?}");
    let token = served.token("lea");
    let wrong = me.type_with(&["login", &served.url], "aedile_notatoken\n");
    assert!(wrong.exit == Some(1) && wrong.stderr.contains("error[E1202]"), "{wrong:?}");
    let file = me.home.path().join(".config/aedile/servers.json");
    assert!(!file.exists(), "what is not accepted is not kept");
    let said = me.type_with(&["login", &served.url], &format!("{token}\n")).good();
    assert!(said.stdout.contains("user:lea") && said.stdout.contains("shop dev"), "{said:?}");
    assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs_err::read_to_string(&file).unwrap().contains(&token));
    let who = me.run(&["whoami"]).good();
    assert!(who.stdout.contains("user:lea"), "{who:?}");
    for said in [&said, &who, &me.run(&["status", "-vv"])] {
        assert!(!format!("{said:?}").contains(&token), "{said:?}");
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = me.run(&["whoami"]);
    assert!(open.exit == Some(2) && open.stderr.contains("E1246"), "{open:?}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    me.run(&["logout"]).good();
    assert!(!fs_err::read_to_string(&file).unwrap().contains(&token));
    assert_eq!(me.run(&["whoami"]).exit, Some(1));
}

#[test]
fn a_revoked_token_and_a_missing_permission_are_told_apart() {
    let served = Served::start();
    let (me, vera) = (served.me(), served.person("vera"));
    vera.run(&["status"]).good();
    let refused = vera.run(&["run", "plain"]);
    assert_eq!(refused.exit, Some(5), "{refused:?}");
    let unseen = me.run(&["status", "--env", "nowhere"]);
    assert!(unseen.exit == Some(1) && unseen.stderr.contains("E0008"), "{unseen:?}");
    served.revoke("vera");
    let revoked = vera.run(&["status"]);
    assert!(revoked.exit == Some(1) && revoked.stderr.contains("error[E1202]"), "{revoked:?}");
    assert!(revoked.stderr.contains("aedile login"), "{revoked:?}");
}

#[test]
fn what_is_about_this_machine_is_refused_with_a_server_each_with_its_reason() {
    let served = Served::start();
    let me = served.me();
    let mut reasons: Vec<String> = Vec::new();
    for args in [
        &["init"][..],
        &["plan"],
        &["apply"],
        &["drift"],
        &["resources", "list"],
        &["facts", "list"],
        &["secrets", "list"],
        &["provider", "list"],
        &["doctor"],
        &["fmt"],
        &["policy", "test"],
        &["backup", "x.tar"],
        &["run", "--scheduled"],
        &["run", "plain", "--as", "lea"],
        &["validate"],
    ] {
        let said = me.run(args);
        assert!(said.exit == Some(2) && said.stderr.contains("error[E1244]"), "{args:?}: {said:?}");
        assert!(said.stderr.contains("hint: "), "{args:?}: {said:?}");
        reasons.push(said.stderr.lines().next().unwrap().to_owned());
    }
    let all = reasons.len();
    reasons.sort();
    reasons.dedup();
    assert_eq!(reasons.len(), all, "{reasons:#?}");
    // what asks no environment is the same wherever one is
    fs_err::create_dir(me.home.path().join("rules")).unwrap();
    let case = "cases: [{name: nothing said, at: 2026-11-21T12:00:00Z, request: {origin: caller}, expect: {verdict: deny}}]";
    fs_err::write(me.home.path().join("rules/policy_test.yaml"), case).unwrap();
    me.run(&["policy", "test", "rules"]).good();
}

#[test]
fn who_only_looks_folds_again_and_changes_neither_keys_nor_brings_definitions() {
    let served = Served::start();
    let vera = served.person("vera");
    vera.run(&["journal", "replay"]).good();
    vera.run(&["journal", "keys", "list"]).good();
    vera.run(&["schedules"]).good();
    fs_err::write(vera.home.path().join("hot.yaml"), super::bench::PLAIN.replace("plain", "hot")).unwrap();
    for args in [&["journal", "keys", "rotate"][..], &["run", "hot.yaml"]] {
        let said = vera.run(args);
        assert!(said.exit == Some(5) && said.stderr.contains("error[E1203]"), "{args:?}: {said:?}");
    }
}

#[test]
fn a_server_that_is_gone_is_said_to_be_and_one_that_comes_back_is_listened_to_again() {
    let mut served = Served::start();
    let home = served.me().home;
    let approver = served.person("lea").home;
    let url = served.url.clone();
    let program = |home: &tempfile::TempDir, args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_aedile"));
        command.args(args).current_dir(home.path()).env_clear();
        command.env("HOME", home.path()).env("AEDILE_SERVER", &url);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
        command
    };
    let type_in = |args: &[&str]| program(&home, args);
    let mut running = type_in(&["run", "gated"]).spawn().unwrap();
    let lines = narration(&mut running);
    let approval = wait_for(&lines, "apr_");
    served.kill();
    let said: Said = type_in(&["status"]).output().unwrap().into();
    assert!(said.exit == Some(1) && said.stderr.contains("error[E1228]"), "{said:?}");
    served.restart();
    let approved: Said = program(&approver, &["approve", &approval]).output().unwrap().into();
    approved.good();
    let said = finish(running);
    let heard: Vec<String> = lines.iter().collect();
    assert_eq!(said.exit, Some(0), "{said:?} {heard:#?}");
    for once in ["done       before", "done       after", "answered"] {
        let times = heard.iter().filter(|line| line.contains(once)).count();
        assert!(times <= 1, "{once}: {heard:#?}");
    }
    assert!(heard.iter().any(|line| line.contains("after")), "{heard:#?}");
}

#[test]
fn a_certificate_nobody_vouches_for_is_compared_once_and_then_kept() {
    let served = Served::with(&["--listen", "127.0.0.1:0", "--tls", "self"]);
    let me = served.stranger();
    let token = served.token("lea");
    let asked = me.type_with(&["login", &served.url], &token);
    assert!(asked.exit == Some(1) && asked.stderr.contains("error[E1242]"), "{asked:?}");
    let found = served.fingerprint.clone().unwrap();
    assert!(asked.stderr.contains(&found), "{asked:?}");
    let other: String = found.chars().rev().collect();
    let wrong = me.type_with(&["login", &served.url, "--fingerprint", &other], &token);
    assert!(wrong.exit == Some(1) && wrong.stderr.contains("error[E1243]"), "{wrong:?}");
    me.type_with(&["login", &served.url, "--fingerprint", &found], &token).good();
    me.run(&["status"]).good();
    // another server takes its place: with another certificate it is not talked to
    let file = me.home.path().join(".config/aedile/servers.json");
    let text = fs_err::read_to_string(&file).unwrap();
    fs_err::write(&file, text.replace(&found, &other)).unwrap();
    let wrong = me.run(&["status"]);
    assert!(wrong.exit == Some(1) && wrong.stderr.contains("error[E1243]"), "{wrong:?}");
}

#[test]
fn a_journal_is_verified_here_with_a_key_of_ones_own() {
    let served = Served::start();
    let me = served.me();
    me.run(&["run", "plain"]).good();
    me.run(&["journal", "checkpoint"]).good();
    let keys = served.terminal.run(&["journal", "keys", "list", "--json"]).good().json();
    let verifier = keys["keys"][0]["verifier"].as_str().unwrap();
    fs_err::write(me.home.path().join("good.key"), format!("{verifier}\n")).unwrap();
    let said = me.run(&["journal", "verify", "--key", "good.key", "--json"]).good().json();
    assert!(said["signed"].as_u64().unwrap() > 0, "{said}");
    let unsigned = me.run(&["journal", "verify"]).good();
    assert!(unsigned.stderr.contains("signatures were not checked"), "{unsigned:?}");
    // a key that never signed here
    let other = super::bench::project();
    other.run(&["run", "plain"]).good();
    other.run(&["journal", "checkpoint"]).good();
    let keys = other.run(&["journal", "keys", "list", "--json"]).good().json();
    let stranger = keys["keys"][0]["verifier"].as_str().unwrap();
    fs_err::write(me.home.path().join("other.key"), format!("{stranger}\n")).unwrap();
    let refused = me.run(&["journal", "verify", "--key", "other.key"]);
    assert_eq!(refused.exit, Some(6), "{refused:?}");
}

//! Onboarding and facts on a Debian as it is installed: a person with a password and sudo, PAM, sshd as a service of systemd.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use super::system::Estate;
use crate::machine::PASSWORD;
use crate::onboard::states;
use crate::terminal::{Said, finish};

fn onboard(estate: &Estate, more: &[&str]) -> Said {
    let (port, key) = (estate.guest.port.to_string(), estate.guest.fingerprint());
    let args =
        ["onboard", "127.0.0.1", "--port", &port, "--host-key", &key, "--user", "maria", "--as", "web-1"];
    let named = ["--account", "froyo", "--password-stdin", "--sudo", "NOPASSWD: ALL", "--json"];
    let mut child =
        estate.command(&[&args[..], &named, more].concat()).stdin(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    finish(child)
}

#[test]
fn infrastructure_41_a_debian_with_systemd_is_onboarded_locked_down_asked_and_let_go() {
    let Some(estate) = Estate::unknown() else { return };
    let before =
        estate.guest.sh("cat /etc/passwd /etc/ssh/sshd_config; ls -A /etc/ssh/sshd_config.d /etc/sudoers.d");
    let said = onboard(&estate, &["--lock-down", "--label", "role=web"]).good();
    assert_eq!(
        states(&said),
        ["user done", "key done", "sudo done", "prove proved", "lock-down done", "record done"]
    );
    assert!(!said.stdout.contains(PASSWORD) && !said.stderr.contains(PASSWORD), "{said:?}");
    estate.guest.sh("visudo -c");
    let (_, found) =
        estate.guest.try_sh(&format!("grep -rl {PASSWORD} /etc /home /root /run/sudo /var/log 2>/dev/null"));
    assert_eq!(found, "", "nothing there has the password, the journal of systemd neither");
    let effective = estate.guest.sh("sshd -T");
    assert!(effective.contains("passwordauthentication no"), "{effective}");
    assert_eq!(estate.guest.sh("systemctl is-active ssh; systemctl is-system-running"), "active\nrunning");
    let locked_out = onboard(&estate, &[]);
    assert!(locked_out.exit == Some(1) && locked_out.stderr.contains("E0905"), "{locked_out:?}");

    let asked = estate.run(&["facts", "collect", "--json"]).good().json();
    let facts = &asked["hosts"][0]["facts"];
    assert!(facts["missing"].as_array().is_none_or(Vec::is_empty), "{}", facts["missing"]);
    assert_eq!(facts["os"]["id"], "debian", "{facts}");
    assert_eq!(facts["kernel"]["release"], *estate.guest.sh("uname -r"), "{facts}");
    let services = &facts["services"];
    assert_eq!(services["manager"], "systemd");
    let named = |list: &Value, name: &str| {
        list.as_array().unwrap().iter().find(|one| one["name"] == name).cloned().unwrap_or_default()
    };
    let ssh = named(&services["known"], "ssh");
    assert_eq!((&ssh["state"], &ssh["enabled"]), (&"active".into(), &"enabled".into()), "{ssh}");
    assert_eq!(named(&services["known"], "e2scrub_reap")["enabled"], "masked");
    assert_eq!(named(&services["known"], "auditd"), Value::Null, "others name it, and it is not there");
    assert_eq!(facts["packages"]["manager"], "dpkg");
    let version = estate.guest.sh("dpkg-query -W -f '${Version}' systemd");
    assert_eq!(named(&facts["packages"]["installed"], "systemd")["version"], *version);

    // by the user that was made, with the rights it was given
    estate.declare(
        "resources: note: {type: \"linux.file::file\", config: {path: \"/etc/note\", content: \"one\"}}\n",
    );
    estate.apply().good();
    assert_eq!(estate.guest.sh("cat /etc/note; stat -c %U /etc/note"), "oneroot");
    estate.run(&["destroy", "--yes"]).good();

    let key = estate.guest.key();
    let undo = ["onboard", "web-1", "--undo", "--user", "root", "--login-key", &key, "--json"];
    let undone = estate.run(&undo).good();
    assert_eq!(
        states(&undone),
        ["undo-lock-down done", "undo-sudo done", "undo-key done", "undo-user done", "undo-record done"]
    );
    let after =
        estate.guest.sh("cat /etc/passwd /etc/ssh/sshd_config; ls -A /etc/ssh/sshd_config.d /etc/sudoers.d");
    assert_eq!(after, before);
}

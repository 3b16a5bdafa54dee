//! `aedile onboard` against a real sshd, sudo, visudo and useradd, on a machine of each test's own.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::machine::{Machine, PASSWORD};
use crate::sshd::{keygen, runner, text};
use crate::terminal::{Said, Terminal, finish};

const RULE: &str = "froyo ALL=(ALL) NOPASSWD: /usr/bin/systemctl";

fn terminal() -> Terminal {
    // the program brings the runner that is beside it
    drop(runner());
    Terminal::project()
}

/// Onboards by root's password.
fn onboard(terminal: &Terminal, machine: &Machine, more: &[&str]) -> Said {
    let (port, key) = (machine.port.to_string(), machine.fingerprint());
    let args = ["onboard", "127.0.0.1", "--port", &port, "--host-key", &key];
    let named = ["--account", "froyo", "--password-stdin", "--json"];
    let name: &[&str] = if more.contains(&"--as") { &[] } else { &["--as", "web-1"] };
    typed(terminal, &[&args[..], &named, name, more].concat(), PASSWORD)
}

/// Runs a command that reads a password.
fn typed(terminal: &Terminal, args: &[&str], password: &str) -> Said {
    let mut child = terminal.command(args).stdin(Stdio::piped()).spawn().unwrap();
    // a command that does not read it is no failure of the test
    drop(child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()));
    finish(child)
}

/// What became of each step.
pub fn states(said: &Said) -> Vec<String> {
    let answer: Value = said.json();
    let steps = answer["steps"].as_array().unwrap().iter();
    steps.map(|one| format!("{} {}", one["step"].as_str().unwrap(), one["state"].as_str().unwrap())).collect()
}

/// Nobody can find the password: not in what was said, not in the project, not on the host.
fn keeps_the_secret(terminal: &Terminal, machine: &Machine, said: &Said) {
    assert!(!said.stdout.contains(PASSWORD) && !said.stderr.contains(PASSWORD), "{said:?}");
    let found = std::process::Command::new("grep").args(["-r", "-l", PASSWORD]).arg(terminal.root()).output();
    assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap(), "", "it is in the project");
    let (_, there) = machine.try_sh(&format!(
        "grep -rl {PASSWORD} /home /root/.ssh /root/.cache /etc /tmp /run/sudo /var/log 2>/dev/null"
    ));
    assert_eq!(there, "", "it is on the host");
}

#[test]
fn infrastructure_41_a_host_gets_a_user_a_key_and_exactly_the_sudo_rights_asked_for() {
    let Some(machine) = Machine::start() else { return };
    let terminal = terminal();
    let asked = ["--sudo", "NOPASSWD: /usr/bin/systemctl", "--label", "role=web"];
    let said = onboard(&terminal, &machine, &asked).good();
    assert_eq!(states(&said), ["user done", "key done", "sudo done", "prove proved", "record done"]);
    keeps_the_secret(&terminal, &machine, &said);
    // the rule, accepted by visudo, and no other right
    let file = machine.sh("cat /etc/sudoers.d/aedile-froyo; stat -c '%a %U %G' /etc/sudoers.d/aedile-froyo");
    let lines: Vec<&str> = file.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, [RULE, "440 root root"]);
    machine.sh("visudo -c");
    let rights = machine.sh("sudo -l -U froyo");
    let rights: Vec<&str> =
        rights.lines().filter(|line| line.trim_start().starts_with('(')).map(str::trim).collect();
    assert_eq!(rights, ["(ALL) NOPASSWD: /usr/bin/systemctl"]);
    assert_eq!(
        machine.sh("ls /etc/sudoers.d | grep -c new || true"),
        "0",
        "nothing that was only checked is left"
    );
    // the user can use no password, and its files are its own
    assert_eq!(machine.sh("getent shadow froyo | cut -d: -f2"), "*");
    let modes = machine.sh("cd ~froyo/.ssh && stat -c '%a %U' . authorized_keys && ls -A /tmp");
    assert_eq!(modes, "700 froyo\n600 froyo", "and the runner has removed itself");
    // what was made here is the owner's only
    let key = terminal.root().join(".aedile/dev/ssh/web-1");
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&key.metadata().unwrap().permissions()) & 0o777,
        0o600
    );
    // and the record is one that every other command works with
    let facts = terminal.run(&["facts", "collect", "--label", "role=web", "--json"]).good().json();
    assert_eq!(facts["hosts"][0]["state"], "collected", "{facts}");
    terminal.run(&["cue", "fmt", "--check", "infrastructure/host-web-1.onboarded.cue"]).good();
}

#[test]
fn infrastructure_42_onboarding_the_same_address_twice_updates_one_record_and_changes_what_differs() {
    let Some(machine) = Machine::start() else { return };
    let terminal = terminal();
    let asked = ["--sudo", "NOPASSWD: /usr/bin/systemctl", "--label", "role=web"];
    onboard(&terminal, &machine, &asked).good();
    let record = || std::fs::read_to_string(terminal.root().join("infrastructure/host-web-1.onboarded.cue"));
    let first = record().unwrap();
    let again = onboard(&terminal, &machine, &asked).good();
    assert_eq!(
        states(&again),
        ["user as it was", "key as it was", "sudo as it was", "prove proved", "record as it was"]
    );
    assert_eq!(record().unwrap(), first);
    // by its name, with the key that is known, other rights, and from a variable instead of standard input
    let mut command = terminal.command(&[
        "onboard",
        "web-1",
        "--account",
        "froyo",
        "--password-env",
        "ONCE",
        "--sudo",
        "NOPASSWD: ALL",
        "--json",
    ]);
    let more = Said::from(command.env("ONCE", PASSWORD).output().unwrap()).good();
    assert_eq!(states(&more)[2..], ["sudo done", "prove proved", "record done"]);
    assert!(record().unwrap().contains("sudo:"), "{}", record().unwrap());
    assert!(record().unwrap().contains("labels: role: \"web\""), "labels that are not mentioned stay");
    let listed = terminal.run(&["facts", "list", "--json"]).good().json();
    assert_eq!(listed["hosts"].as_array().unwrap().len(), 1, "{listed}");
    let keys = machine.sh("grep -c ssh-ed25519 ~froyo/.ssh/authorized_keys");
    assert_eq!(keys, "1");
    // under another name, it is still the one host
    onboard(&terminal, &machine, &["--as", "front"]).good();
    let listed = terminal.run(&["facts", "collect", "--json"]).good().json();
    assert_eq!(listed["hosts"][0]["host"], "front", "{listed}");
    assert_eq!(listed["hosts"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(machine.sh("grep -c ssh-ed25519 ~froyo/.ssh/authorized_keys"), "1", "with the key it had");
    onboard(&terminal, &machine, &["--as", "web-1"]).good();
    // no rights are asked for: none are left
    onboard(&terminal, &machine, &[]).good();
    assert_eq!(machine.try_sh("ls /etc/sudoers.d/aedile-froyo").0, Some(2));
    keeps_the_secret(&terminal, &machine, &more);
}

#[test]
fn infrastructure_41_lock_down_forbids_passwords_and_undo_restores() {
    let Some(machine) = Machine::start() else { return };
    let terminal = terminal();
    let before =
        machine.sh("cat /etc/passwd /etc/shadow; find /etc/ssh /etc/sudoers.d -type f | sort | xargs cat");
    assert!(machine.methods("root").contains("password"), "{}", machine.methods("root"));
    let said =
        onboard(&terminal, &machine, &["--lock-down", "--sudo", "NOPASSWD: /usr/bin/systemctl"]).good();
    assert!(states(&said).contains(&"lock-down done".to_owned()), "{said:?}");
    for user in ["root", "maria", "froyo"] {
        assert_eq!(machine.methods(user), "publickey", "{user}");
    }
    let effective = machine.sh("sshd -T");
    assert!(effective.contains("permitrootlogin without-password"), "{effective}");
    let refused = onboard(&terminal, &machine, &[]);
    assert!(refused.exit == Some(1) && refused.stderr.contains("E0905"), "{refused:?}");
    // root's key still works, and takes it back
    let key = machine.path("root_key");
    let undone = terminal.run(&["onboard", "web-1", "--undo", "--login-key", text(&key), "--json"]).good();
    assert_eq!(
        states(&undone),
        ["undo-lock-down done", "undo-sudo done", "undo-key done", "undo-user done", "undo-record done"]
    );
    assert!(machine.methods("root").contains("password"), "{}", machine.methods("root"));
    let after =
        machine.sh("cat /etc/passwd /etc/shadow; find /etc/ssh /etc/sudoers.d -type f | sort | xargs cat");
    assert_eq!(after, before);
    assert!(!terminal.root().join("infrastructure/host-web-1.onboarded.cue").exists());
    assert!(!terminal.root().join(".aedile/dev/ssh/web-1").exists());
    let again = terminal.run(&["onboard", "web-1", "--undo"]);
    assert!(again.exit == Some(1) && again.stderr.contains("was not onboarded"), "{again:?}");
}

/// An sshd that takes its time whenever it starts anew, as on a machine with better things to do. It starts a process of its
/// own for each connection, and is run to show and check its configuration; neither is slow.
const SLOW: &str = r#"mkdir usr/lib/slow
mv usr/sbin/sshd usr/lib/slow/sshd
cat >usr/sbin/sshd <<'SSHD'
#!/bin/bash
case " $* " in
*" -R "*) ;;
*" -D "*) if [ -e /etc/started ]; then sleep 4; fi; touch /etc/started ;;
esac
exec -a /usr/sbin/sshd /usr/lib/slow/sshd "$@"
SSHD
chmod 755 usr/sbin/sshd
"#;

#[test]
fn infrastructure_41_a_server_that_is_slow_to_start_anew_is_waited_for() {
    let Some(machine) = Machine::with(SLOW, &[]) else { return };
    let said = onboard(&terminal(), &machine, &["--lock-down"]).good();
    assert!(states(&said).contains(&"lock-down done".to_owned()), "{said:?}");
    assert_eq!(machine.methods("root"), "publickey");
}

#[test]
fn infrastructure_41_a_lock_down_that_does_not_hold_is_rolled_back() {
    // what the command line of a server says wins over its files
    let Some(machine) = Machine::with("", &["-o", "PasswordAuthentication=yes"]) else { return };
    let terminal = terminal();
    let before = machine.sh("find /etc/ssh -type f | sort | xargs cat");
    let said = onboard(&terminal, &machine, &["--lock-down"]);
    assert_eq!(said.exit, Some(1), "{said:?}");
    assert!(said.stderr.contains("E0917") && said.stderr.contains("still offers password"), "{said:?}");
    assert_eq!(
        states(&said),
        ["user done", "key done", "sudo as it was", "prove proved", "lock-down failed", "record not done"]
    );
    assert_eq!(machine.sh("find /etc/ssh -type f | sort | xargs cat"), before);
    // without it, the rest is finished
    let rest = onboard(&terminal, &machine, &[]).good();
    assert_eq!(states(&rest)[4], "record done");
}

#[test]
fn infrastructure_41_a_match_block_that_still_allows_passwords_is_found_before_anything_is_reloaded() {
    let more = "printf 'Match User root\\n  PasswordAuthentication yes\\n' >>etc/ssh/sshd_config";
    let Some(machine) = Machine::with(more, &[]) else { return };
    let terminal = terminal();
    let said = onboard(&terminal, &machine, &["--lock-down"]);
    assert!(said.exit == Some(1) && said.stderr.contains("passwordauthentication yes` for root"), "{said:?}");
    assert_eq!(machine.sh("ls -A /etc/ssh/sshd_config.d"), "");
}

#[test]
fn a_server_without_includes_is_locked_down_in_its_main_file() {
    let more = "sed -i '/^Include/d' etc/ssh/sshd_config";
    let Some(machine) = Machine::with(more, &[]) else { return };
    let terminal = terminal();
    let before = machine.sh("cat /etc/ssh/sshd_config");
    onboard(&terminal, &machine, &["--lock-down"]).good();
    assert_eq!(machine.methods("root"), "publickey");
    let key = machine.path("root_key");
    terminal.run(&["onboard", "web-1", "--undo", "--login-key", text(&key)]).good();
    assert_eq!(machine.sh("cat /etc/ssh/sshd_config"), before);
    assert!(machine.methods("root").contains("password"));
}

#[test]
fn infrastructure_40_an_unknown_host_key_is_shown_and_refused_and_a_changed_one_too() {
    let Some(machine) = Machine::start() else { return };
    let terminal = terminal();
    let port = machine.port.to_string();
    let before = terminal.records().len();
    let plain = ["onboard", "127.0.0.1", "--as", "web-1", "--port", &port, "--password-stdin"];
    let unknown = typed(&terminal, &plain, PASSWORD);
    assert_eq!(unknown.exit, Some(5), "{unknown:?}");
    for word in ["E0904", machine.fingerprint().as_str(), "--host-key SHA256:"] {
        assert!(unknown.stderr.contains(word), "{word}: {unknown:?}");
    }
    let other = format!("SHA256:{}", "A".repeat(43));
    let wrong = typed(&terminal, &[&plain[..], &["--host-key", &other]].concat(), PASSWORD);
    assert!(wrong.exit == Some(5) && wrong.stderr.contains("E0903"), "{wrong:?}");
    assert_eq!(machine.try_sh("id aedile").0, Some(1), "nobody logged in");
    assert_eq!(terminal.records().len(), before, "and nothing was recorded");
    onboard(&terminal, &machine, &[]).good();
    let record = std::fs::read_to_string(terminal.root().join("infrastructure/host-web-1.onboarded.cue"));
    assert!(record.unwrap().contains(&machine.fingerprint()), "the first connection records the key");
    // another machine answers at the same address
    keygen(&machine.path("other_key"), "ed25519");
    let key = std::fs::read_to_string(machine.path("other_key")).unwrap();
    machine.write("/etc/ssh/ssh_host_ed25519_key", &key);
    machine.sh("kill -HUP $(cat /run/sshd.pid)");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let changed = typed(&terminal, &["onboard", "web-1", "--account", "froyo", "--password-stdin"], PASSWORD);
    assert!(changed.exit == Some(5) && changed.stderr.contains("E0903"), "{changed:?}");
    let given = onboard(&terminal, &machine, &[]);
    assert!(given.exit == Some(5) && given.stderr.contains("E0903"), "{given:?}");
}

#[test]
fn who_is_not_root_becomes_root_by_sudo_whose_password_goes_over_standard_input_only() {
    let Some(machine) = Machine::start() else { return };
    let terminal = terminal();
    let (port, key) = (machine.port.to_string(), machine.fingerprint());
    let args = ["onboard", "127.0.0.1", "--as", "web-1", "--port", &port, "--host-key", &key];
    let maria = [&args[..], &["--user", "maria", "--password-stdin", "--json"]].concat();
    let wrong = typed(&terminal, &maria, "wrong");
    assert!(wrong.exit == Some(1) && wrong.stderr.contains("E0905"), "{wrong:?}");
    let none = terminal.run(&[&args[..], &["--user", "maria"]].concat());
    assert!(none.stderr.contains("--password-stdin"), "{none:?}");
    // every program that runs there meanwhile is looked at
    machine.write("/run/canary", PASSWORD);
    let watch = machine.spawn(
        "while [ -e /run/canary ]; do grep -alf /run/canary /proc/[0-9]*/cmdline /proc/[0-9]*/environ; done",
    );
    let said = typed(&terminal, &maria, PASSWORD).good();
    machine.sh("rm /run/canary");
    let seen = finish(watch);
    assert_eq!(seen.stdout, "", "{seen:?}");
    assert_eq!(states(&said), ["user done", "key done", "sudo as it was", "prove proved", "record done"]);
    keeps_the_secret(&terminal, &machine, &said);
    assert_eq!(machine.sh("id -un aedile"), "aedile");
    // who may not become root changes nothing
    machine.sh("rm /etc/sudoers.d/maria; rm -rf /run/sudo");
    let refused = typed(&terminal, &[&maria[..], &["--account", "other"]].concat(), PASSWORD);
    assert!(refused.exit == Some(1) && refused.stderr.contains("E0908"), "{refused:?}");
    assert_eq!(machine.try_sh("id other").0, Some(1));
}

#[test]
fn infrastructure_42_a_password_that_is_typed_is_not_shown() {
    use std::io::{BufRead as _, BufReader, Read as _};

    let Some(machine) = Machine::start() else { return };
    let terminal = terminal();
    let (port, key) = (machine.port, machine.fingerprint());
    let command = format!(
        "{} onboard 127.0.0.1 --as web-1 --port {port} --host-key {key} --ask-password",
        env!("CARGO_BIN_EXE_aedile")
    );
    let mut child = std::process::Command::new("script")
        .args(["-qefc", &command, "/dev/null"])
        .current_dir(terminal.root())
        .env_clear()
        .env("HOME", terminal.root())
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keyboard, mut screen) =
        (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("Password of root") {
        assert!(screen.read_until(b':', &mut shown).unwrap() > 0, "{}", String::from_utf8_lossy(&shown));
    }
    keyboard.write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    screen.read_to_end(&mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert!(child.wait().unwrap().success(), "{shown}");
    assert!(shown.contains("logs in with the key") && !shown.contains(PASSWORD), "{shown}");
    assert_eq!(machine.sh("id -un aedile"), "aedile");
}

#[test]
fn a_failure_part_of_the_way_says_what_was_done_and_the_same_command_finishes_it() {
    let Some(machine) = Machine::with("sed -i '/includedir/d' etc/sudoers", &[]) else { return };
    let terminal = terminal();
    let asked = ["--sudo", "NOPASSWD: /usr/bin/systemctl"];
    let said = onboard(&terminal, &machine, &asked);
    assert_eq!(said.exit, Some(1), "{said:?}");
    assert_eq!(states(&said), ["user done", "key done", "sudo failed", "prove not done", "record not done"]);
    assert!(said.stderr.contains("does not read /etc/sudoers.d"), "{said:?}");
    assert_eq!(machine.try_sh("ls /etc/sudoers.d/aedile-froyo").0, Some(2));
    machine.sh("echo '@includedir /etc/sudoers.d' >>/etc/sudoers");
    let rest = onboard(&terminal, &machine, &asked).good();
    assert_eq!(
        states(&rest),
        ["user as it was", "key as it was", "sudo done", "prove proved", "record done"]
    );
    // what was done by the one that failed is taken back, too
    let key = machine.path("root_key");
    terminal.run(&["onboard", "web-1", "--undo", "--login-key", text(&key)]).good();
    assert_eq!(machine.try_sh("id froyo").0, Some(1));
}

#[test]
fn an_onboarding_is_a_run_that_policy_judges_and_the_journal_has() {
    let Some(machine) = Machine::start() else { return };
    let terminal = terminal();
    terminal.write(
        "policy/policy.yaml",
        "deny: [{match: {action: onboard.sudo}, reason: nobody gets sudo here}]\n",
    );
    let asked = ["--sudo", "NOPASSWD: ALL"];
    let denied = onboard(&terminal, &machine, &asked);
    assert!(denied.exit == Some(5) && denied.stderr.contains("nobody gets sudo here"), "{denied:?}");
    assert_eq!(states(&denied)[2..], ["sudo failed", "prove not done", "record not done"]);
    assert_eq!(machine.try_sh("ls /etc/sudoers.d/aedile-froyo").0, Some(2));
    terminal.write(
        "policy/policy.yaml",
        "chains: {lead: {levels: [{roles: [lead]}]}}\nrequire: [{match: {action: onboard.sudo}, chain: lead}]\n",
    );
    let waits = onboard(&terminal, &machine, &asked);
    assert!(waits.exit == Some(4) && waits.stderr.contains("waits for approval"), "{waits:?}");
    let approval = waits.json()["approvals"][0].as_str().unwrap().to_owned();
    terminal.run(&["approve", &approval, "--as", "lea"]).good();
    let runs = terminal.count("run.submitted");
    // the same command goes on with the run that waited
    let done = onboard(&terminal, &machine, &asked).good();
    assert_eq!(states(&done)[2], "sudo done");
    assert_eq!(terminal.count("run.submitted"), runs);
    let records = terminal.records();
    let kinds: Vec<&str> = records
        .iter()
        .filter(|record| record["type"] == "step.scheduled")
        .map(|record| record["data"]["action"]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[kinds.len() - 3..], ["onboard.sudo", "onboard.prove", "onboard.record"]);
    let replayed = terminal.run(&["journal", "replay", "--json"]).good().json();
    assert_eq!(replayed["same"], true, "{replayed}");
}

#[test]
fn what_cannot_be_asked_for_is_refused_before_anything_is_sent() {
    let terminal = terminal();
    let before = terminal.records().len();
    let cases: [(&[&str], &str); 8] = [
        (&["--sudo", "NOPASSWD: systemctl"], "E0916"),
        (&["--sudo", "NOPASSWD: /bin/a\nroot ALL=(ALL) ALL"], "E0916"),
        (&["--account", "root"], "E0916"),
        (&["--account", "A B"], "E0916"),
        (&["--as", "a b"], "E0001"),
        (&["--label", "role"], "E0001"),
        (&["--key", "nowhere"], "E0906"),
        (&["--undo"], "was not onboarded"),
    ];
    for (args, word) in cases {
        // nobody listens there
        let said = terminal.run(&[&["onboard", "127.0.0.1", "--port", "1"], args].concat());
        assert!(said.exit != Some(0) && said.stderr.contains(word), "{args:?}: {said:?}");
    }
    let gone = terminal.run(&["onboard", "127.0.0.1", "--port", "1"]);
    assert!(gone.exit == Some(1) && gone.stderr.contains("E0901"), "{gone:?}");
    assert_eq!(terminal.records().len(), before);
}

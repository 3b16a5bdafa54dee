//! Plans from the command line to a real OpenSSH server and back: made, judged, approved, applied, found drifted, repaired,
//! interrupted, refused when stale.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::sshd::{Sshd, runner, text, tool};
use crate::terminal::{Terminal, finish, narration, wait_for};

/// A project with one host, which is a server of the test, and a directory on it.
pub struct Site {
    pub server: Sshd,
    pub terminal: Terminal,
}

impl Site {
    pub fn start() -> Option<Self> {
        let server = Sshd::start("")?;
        // the program brings the runner that is beside it
        drop(runner());
        let site = Self { server, terminal: Terminal::project() };
        let (port, key, user) = (site.server.port, site.server.path("user_key"), crate::sshd::user());
        let pin = tool("ssh-keygen", &["-lf", text(&site.server.path("host_key.pub"))]);
        let pin = pin.split(' ').nth(1).unwrap();
        site.terminal.write(
            "infrastructure/hosts.cue",
            &format!(
                "package site\n\nhosts: \"web-1\": {{address: \"127.0.0.1\", port: {port}, user: \"{user}\", \
                 key: \"{}\", host_key: \"{pin}\"}}\n",
                text(&key)
            ),
        );
        site.policy("");
        Some(site)
    }

    /// What is on the host.
    pub fn there(&self, name: &str) -> PathBuf {
        self.server.path("srv").join(name)
    }

    pub fn read(&self, name: &str) -> Option<String> {
        fs_err::read_to_string(self.there(name)).ok()
    }

    /// Files by name and content, below the directory of the host.
    pub fn declare(&self, files: &[(&str, &str)], more: &str) {
        let at = self.server.path("srv");
        let mut text = format!(
            "package site\n\nresources: srv: {{type: \"linux.file::directory\", config: {{path: \"{}\", mode: \"0755\"}}}}\n",
            at.display()
        );
        for (name, content) in files {
            write!(
                text,
                "resources: \"{name}\": {{\n\ttype: \"linux.file::file\"\n\tconfig: {{path: \"{}/{name}\", content: {content}, \
                 mode: \"0644\"}}\n\tdependencies: [{{resource_id: \"srv\"}}]\n}}\n",
                at.display()
            )
            .unwrap();
        }
        self.terminal.write("infrastructure/site.cue", &(text + more));
    }

    pub fn policy(&self, more: &str) {
        let at = self.server.dir();
        self.terminal.write(
            "policy/policy.yaml",
            &format!(
                "default: allow\nchains: {{lead: {{levels: [{{roles: [lead]}}]}}}}\ngrants:\n  - match: {{action: \
                 resource.*}}\n    capabilities: [\"write:{}/srv*\", \"exec:/bin/sh *\"]\n{more}",
                at.display()
            ),
        );
    }

    pub fn plan(&self) -> Value {
        self.terminal.run(&["plan", "--json"]).good().json()
    }

    pub fn counts(&self) -> Value {
        self.plan()["plan"]["counts"].clone()
    }
}

#[test]
fn infrastructure_14_17_a_plan_is_applied_once_and_drift_is_found_and_repaired() {
    let Some(site) = Site::start() else { return };
    site.policy(
        "require: [{match: {action: plan.apply}, chain: lead, reason: hosts are changed with four eyes}]\n",
    );
    site.declare(&[("motd", "\"welcome\\n\""), ("app.conf", "\"port=1\\n\"")], "");
    let said = site.terminal.run(&["plan", "--detailed-exit-code"]);
    assert_eq!(said.exit, Some(3), "{said:?}");
    for words in ["+ create web-1/motd", "touches write:", "3 to create", "reaches 1 of 1 hosts"] {
        assert!(said.stdout.contains(words), "{words}: {said:?}");
    }
    assert!(said.stderr.contains("needs approval  by the chain lead"), "{said:?}");
    assert!(!site.there("motd").exists(), "a plan changes nothing");

    let nobody = site.terminal.run(&["apply"]);
    assert!(nobody.exit == Some(2) && nobody.stderr.contains("E0010"), "{nobody:?}");
    let waits = site.terminal.run(&["apply", "--yes", "--detach"]);
    assert_eq!(waits.exit, Some(4), "{waits:?}");
    assert!(!site.there("motd").exists(), "nobody agreed yet");
    let approval = waits.stderr.split_whitespace().find(|word| word.starts_with("apr_")).unwrap();
    let approval = approval.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    site.terminal.run(&["deny", approval, "--as", "lea", "--reason", "not today"]).good();

    let done = site.terminal.run(&["apply", "--yes", "--approve-as", "lea"]).good();
    assert!(done.stdout.contains("3 done, 3 of them changed something"), "{done:?}");
    assert_eq!(site.read("motd").as_deref(), Some("welcome\n"));
    assert_eq!(site.terminal.run(&["plan", "--detailed-exit-code"]).exit, Some(0), "nothing is left to do");
    let again = site.terminal.run(&["apply", "--yes"]).good();
    assert!(again.stdout.contains("3 unchanged"), "{again:?}");
    let listed = site.terminal.run(&["resources", "list", "--json"]).good().json();
    assert_eq!(listed["resources"].as_array().unwrap().len(), 3, "{listed}");
    let shown = site.terminal.run(&["resources", "show", "motd"]).good();
    assert!(shown.stdout.contains("content: \"welcome\\n\""), "{shown:?}");

    let drift = site.terminal.run(&["drift"]);
    assert_eq!(drift.exit, Some(0), "{drift:?}");
    fs_err::write(site.there("motd"), "intruder\n").unwrap();
    fs_err::remove_file(site.there("app.conf")).unwrap();
    let drift = site.terminal.run(&["drift", "--json"]);
    assert_eq!(drift.exit, Some(1), "{drift:?}");
    assert_eq!(drift.json()["drifted"].as_array().unwrap().len(), 2, "{drift:?}");
    site.terminal.run(&["apply", "--yes", "--approve-as", "lea"]).good();
    assert_eq!(site.read("motd").as_deref(), Some("welcome\n"));
    assert_eq!(site.read("app.conf").as_deref(), Some("port=1\n"));

    site.declare(&[("motd", "\"welcome\\n\"")], "");
    assert_eq!(site.counts()["delete"], 1, "what is not declared any more goes");
    site.terminal.run(&["apply", "--yes", "--approve-as", "lea"]).good();
    assert!(!site.there("app.conf").exists());
    site.terminal.run(&["destroy", "--yes", "--approve-as", "lea"]).good();
    assert!(!site.there("").exists(), "the file before the directory it is in");
    assert_eq!(
        site.terminal.run(&["resources", "list", "--json"]).good().json()["resources"],
        serde_json::json!([])
    );
    site.terminal.run(&["journal", "verify"]).good();
    let replayed = site.terminal.run(&["journal", "replay", "--json"]).good().json();
    assert_eq!(replayed["same"], true, "{replayed}");
}

#[test]
fn infrastructure_14_a_plan_that_is_stale_used_or_changed_is_refused() {
    let Some(site) = Site::start() else { return };
    site.declare(&[("motd", "\"one\"")], "");
    let made = |name: &str| {
        site.terminal.run(&["plan", "--out", name]).good();
    };
    let apply = |name: &str| site.terminal.run(&["apply", name, "--yes"]);
    made("a.plan");
    made("b.plan");
    made("c.plan");
    apply("a.plan").good();
    let shown = |what: &str| site.terminal.run(&["plan", "--show", what]).good().stdout;
    assert_eq!(shown("latest"), shown("a.plan"), "the journal has the very plan");
    let used = apply("a.plan");
    assert!(used.exit == Some(1) && used.stderr.contains("it was applied already, by run_"), "{used:?}");
    let moved = apply("b.plan");
    assert!(moved.exit == Some(1) && moved.stderr.contains("the plan is stale"), "{moved:?}");
    assert!(moved.stderr.contains("web-1/motd is not as it was"), "{moved:?}");
    site.declare(&[("motd", "\"two\"")], "");
    made("d.plan");
    site.declare(&[("motd", "\"three\"")], "");
    let other = apply("d.plan");
    assert!(other.stderr.contains("the configuration changed from"), "{other:?}");
    assert_eq!(site.read("motd").as_deref(), Some("one"), "nothing was done by a plan that is stale");
    site.terminal.run(&["plan", "--show", "d.plan"]).good();

    let path = site.terminal.root().join("c.plan");
    let text = fs_err::read_to_string(&path).unwrap().replace("\"one\"", "\"bad\"");
    fs_err::write(&path, text).unwrap();
    let tampered = apply("c.plan");
    assert!(tampered.stderr.contains("E0808"), "{tampered:?}");
}

#[test]
fn what_is_not_granted_is_said_before_and_refused_all_the_same() {
    let Some(site) = Site::start() else { return };
    let outside = site.server.path("elsewhere");
    let more = format!(
        "resources: other: {{type: \"linux.file::file\", config: {{path: \"{}\", content: \"x\"}}}}\n",
        outside.display()
    );
    site.declare(&[("motd", "\"one\"")], &more);
    let said = site.terminal.run(&["plan"]).good();
    assert!(said.stderr.contains("will be denied") && said.stderr.contains("elsewhere"), "{said:?}");
    let said = site.terminal.run(&["apply", "--yes"]);
    assert_eq!(said.exit, Some(1), "{said:?}");
    assert!(said.stderr.contains("which no grant gives"), "{said:?}");
    assert!(!outside.exists() && site.there("motd").exists(), "what is independent of it is finished");
}

#[test]
fn secrets_reach_the_host_and_nothing_else() {
    const CANARY: &str = "canary-5f1d3c9a7e";
    let Some(site) = Site::start() else { return };
    let root = site.terminal.root();
    fs_err::create_dir_all(root.join("private")).unwrap();
    fs_err::write(root.join("private/token"), format!("{CANARY}\n")).unwrap();
    tool("chmod", &["600", text(&root.join("private/token"))]);
    let content = "{\"$join\": [\"token=\", {\"$secret\": \"file:private/token\"}]}";
    site.declare(&[("token", content)], "");
    let run = |args: &[&str]| {
        let one = site.terminal.run(args);
        assert!(!one.stdout.contains(CANARY) && !one.stderr.contains(CANARY), "{one:?}");
        one
    };
    run(&["plan", "--out", "secret.plan"]).good();
    run(&["apply", "secret.plan", "--yes"]).good();
    assert_eq!(site.read("token"), Some(format!("token={CANARY}")));
    assert_eq!(run(&["plan", "--detailed-exit-code"]).exit, Some(0), "it is as it should be");
    fs_err::write(site.there("token"), format!("token={CANARY}2")).unwrap();
    assert_eq!(run(&["drift"]).exit, Some(1), "a change of a secret's file is seen");
    run(&["apply", "--yes", "-v"]).good();
    run(&["resources", "show", "token", "--json"]).good();
    run(&["journal", "export"]).good();
    run(&["plan", "--json"]).good();
    // a template whose file on the host was changed beside the secret in it
    let template = format!(
        "resources: conf: {{\n\ttype: \"linux.file::template\"\n\tconfig: {{path: \"{}/conf\", template: \"port=${{port}}\\npw=${{pw}}\\n\", \
         vars: {{port: \"1\", pw: {{\"$secret\": \"file:private/token\"}}}}}}\n\tdependencies: [{{resource_id: \"srv\"}}]\n}}\n",
        site.server.path("srv").display()
    );
    site.declare(&[("token", content)], &template);
    run(&["apply", "--yes"]).good();
    assert_eq!(site.read("conf"), Some(format!("port=1\npw={CANARY}\n")));
    fs_err::write(site.there("conf"), format!("port=2\npw={CANARY}\n")).unwrap();
    assert_eq!(run(&["drift"]).exit, Some(1), "a change beside a secret is seen");
    run(&["plan", "--out", "drifted.plan"]).good();
    run(&["apply", "--yes"]).good();
    assert_eq!(site.read("conf"), Some(format!("port=1\npw={CANARY}\n")));
    fs_err::remove_file(root.join("private/token")).unwrap();
    let missing = run(&["plan"]);
    assert!(missing.stderr.contains("file:private/token") && missing.exit != Some(0), "{missing:?}");
    let checksum = model::Digest::of(format!("token={CANARY}").as_bytes()).to_string();
    let checksum = checksum.trim_start_matches("sha256:");
    let journal = fs_err::read(root.join(".aedile/dev/journal.db")).unwrap();
    assert!(
        !journal.windows(64).any(|window| window == checksum.as_bytes()),
        "a checksum tells what a short secret is"
    );
    for entry in everything(&root) {
        let bytes = fs_err::read(&entry).unwrap();
        let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
        assert!(!found, "{} has the secret", entry.display());
    }
}

fn everything(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(everything(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

#[test]
fn infrastructure_23_a_killed_apply_is_resumed_and_nothing_is_done_twice() {
    let Some(site) = Site::start() else { return };
    let at = site.there("");
    let log = site.server.path("srv/log");
    let script = format!("sleep 2; echo once >> {}; touch {}", log.display(), site.there("slow").display());
    let more = format!(
        "resources: slow: {{\n\ttype: \"linux.exec::exec\"\n\tconfig: {{command: [\"/bin/sh\", \"-c\", \"{script}\"], creates: \
         \"{}\"}}\n\tdependencies: [{{resource_id: \"srv\"}}]\n}}\nresources: last: {{\n\ttype: \"linux.file::file\"\n\tconfig: \
         {{path: \"{}last\", content: \"x\"}}\n\tdependencies: [{{resource_id: \"slow\"}}]\n}}\n",
        site.there("slow").display(),
        at.display()
    );
    let names: Vec<String> = (0..20).map(|number| format!("f{number}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "\"text\"")).collect();
    site.declare(&files, &more);
    let mut child = site.terminal.spawn(&["apply", "--yes"]);
    let lines = narration(&mut child);
    let run = wait_for(&lines, "run_");
    wait_for(&lines, "web-1/slow");
    child.kill().unwrap();
    finish(child);
    let held = site.terminal.run(&["runs", "show", &run, "--json"]).good().json();
    assert_ne!(held["status"], "completed", "{held}");
    // the command was under way when its engine died: it is finished by asking whether its guard says that it was run
    std::thread::sleep(Duration::from_secs(3));
    let resumed = site.terminal.run(&["run", "--resume", &run, "--timeout", "60s"]);
    assert!(resumed.exit == Some(0) || resumed.stderr.contains("in doubt"), "{resumed:?}");
    let doubt = site.terminal.run(&["runs", "show", &run, "--json"]).good().json();
    if doubt["status"] != "completed" {
        site.terminal.run(&["runs", "resolve", &run, "web-1/slow", "--happened"]).good();
        site.terminal.run(&["run", "--resume", &run, "--timeout", "60s"]).good();
    }
    let twice = fs_err::read_to_string(&log).unwrap_or_default();
    assert!(twice.lines().count() <= 1, "{twice}");
    assert_eq!(site.read("last").as_deref(), Some("x"));
    assert_eq!(site.terminal.run(&["plan", "--detailed-exit-code"]).exit, Some(0), "no surgery is needed");
}

#[test]
fn a_host_that_cannot_be_reached_blocks_what_is_on_it() {
    let Some(site) = Site::start() else { return };
    site.declare(
        &[("motd", "\"one\"")],
        "hosts: gone: {address: \"127.0.0.1\", port: 1, user: \"nobody\"}\n",
    );
    let said = site.terminal.run(&["plan"]);
    assert_eq!(said.exit, Some(1), "{said:?}");
    assert!(
        said.stdout.contains("! blocked gone/motd") && said.stdout.contains("+ create web-1/motd"),
        "{said:?}"
    );
    let refused = site.terminal.run(&["apply", "--yes"]);
    assert!(refused.exit == Some(1) && refused.stderr.contains("E0811"), "{refused:?}");
    assert!(!site.there("motd").exists(), "a plan that does not know everything is not applied");
    let part = site.terminal.run(&["plan", "--target", "nothing"]);
    assert_eq!(part.exit, Some(2), "{part:?}");
}

#[test]
fn a_program_that_the_configuration_names_looks_only_where_policy_lets_it() {
    let Some(site) = Site::start() else { return };
    let mark = site.server.path("looked");
    let more = format!(
        "resources: guarded: {{\n\ttype: \"linux.exec::exec\"\n\tconfig: {{command: [\"/bin/true\"], unless: [\"/bin/touch\", \"{}\"]}}\n}}\n",
        mark.display()
    );
    site.declare(&[], &more);
    let said = site.terminal.run(&["plan"]);
    assert_eq!(said.exit, Some(1), "{said:?}");
    let words = format!("looking at it needs query:/bin/touch {}, which no grant gives", mark.display());
    assert!(said.stdout.contains(&words), "{words}: {said:?}");
    assert!(!mark.exists(), "it was not run");
    site.policy("  - {match: {action: resource.look}, capabilities: [\"query:/bin/touch *\"]}\n");
    let said = site.terminal.run(&["plan"]);
    assert!(said.exit == Some(0) && mark.exists(), "{said:?}");
}

//! The drift reconciler against a real OpenSSH server: reports, proposals that people approve, repairs, and fights that end
//! them.

use serde_json::Value;

use crate::applying::Site;
use crate::sshd::tool;
use crate::terminal::{Said, finish, narration, wait_for, word};

const LEAD: &str = "defaultChain: lead\n";

/// What is declared about a file's drift.
fn on_drift(name: &str, word: &str) -> String {
    format!("resources: \"{name}\": drift: \"{word}\"\n")
}

/// A site on which a file is as it was applied, with what is declared about its drift.
fn watched(word: &str, policy: &str, manifest: &str) -> Option<Site> {
    let site = Site::start()?;
    let text = fs_err::read_to_string(site.terminal.root().join("aedile.yaml")).unwrap();
    site.terminal.write("aedile.yaml", &(text + manifest));
    site.policy(policy);
    site.declare(&[("motd", "\"welcome\\n\"")], &on_drift("motd", word));
    site.terminal.run(&["apply", "--yes"]).good();
    Some(site)
}

fn intrude(site: &Site, text: &str) {
    fs_err::write(site.there("motd"), text).unwrap();
}

fn round(site: &Site) -> Said {
    site.terminal.run(&["drift", "--reconcile"])
}

/// The data of the last record of a type.
fn last(site: &Site, kind: &str) -> Value {
    let records = site.terminal.records();
    records.iter().rev().find(|record| record["type"] == kind).map(|record| record["data"].clone()).unwrap()
}

#[test]
fn infrastructure_drift_is_reported_once_and_not_touched() {
    let Some(site) = watched("report", "", "notify: {team: {kind: file, path: told.jsonl}}\n") else {
        return;
    };
    assert_eq!(round(&site).exit, Some(0), "everything is as it was applied");
    intrude(&site, "intruder\n");
    for _ in 0..2 {
        let said = round(&site);
        assert_eq!(said.exit, Some(1), "{said:?}");
    }
    assert_eq!(site.terminal.count("drift.found"), 1, "people are told once");
    let found = last(&site, "drift.found");
    assert_eq!(found["resource"], "web-1/motd");
    assert_eq!((&found["class"], &found["policy"]), (&"changed".into(), &"report".into()), "{found}");
    assert_eq!(found["fields"][0]["name"], "content", "{found}");
    assert_eq!(site.read("motd").as_deref(), Some("intruder\n"), "nothing is touched");
    let told = fs_err::read_to_string(site.terminal.root().join("told.jsonl")).unwrap();
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("web-1/motd drifted: changed"), "{told}");
    intrude(&site, "welcome\n");
    assert_eq!(round(&site).exit, Some(0));
    assert_eq!(site.terminal.count("drift.ended"), 1);
    site.terminal.run(&["journal", "verify"]).good();
    let replayed = site.terminal.run(&["journal", "replay", "--json"]).good().json();
    assert_eq!(replayed["same"], true, "{replayed}");
}

#[test]
fn infrastructure_drift_is_proposed_and_put_right_when_somebody_agrees() {
    let Some(site) = watched("propose", LEAD, "") else { return };
    intrude(&site, "intruder\n");
    for _ in 0..2 {
        let said = round(&site);
        assert_eq!(said.exit, Some(1), "{said:?}");
    }
    assert_eq!(site.terminal.count("drift.started"), 1, "one proposal");
    let waiting = site.terminal.run(&["approvals", "list", "--json"]).good().json();
    let waiting = waiting["approvals"].as_array().unwrap();
    assert_eq!(waiting.len(), 1, "policy allows it, and it waits all the same");
    assert_eq!(waiting[0]["requester"], "drift:aedile", "{waiting:?}");
    assert_eq!(site.read("motd").as_deref(), Some("intruder\n"), "nobody agreed yet");
    let approval = waiting[0]["approval"].as_str().unwrap().to_owned();
    let shown = site.terminal.run(&["drift"]);
    assert!(shown.stderr.contains("waits for people"), "{shown:?}");
    site.terminal.run(&["deny", &approval, "--as", "lea", "--reason", "not now"]).good();
    assert_eq!(round(&site).exit, Some(1));
    round(&site);
    assert_eq!(site.terminal.count("drift.started"), 1, "somebody said no to exactly that");
    intrude(&site, "another intruder\n");
    round(&site);
    assert_eq!(site.terminal.count("drift.started"), 2);
    let waiting = site.terminal.run(&["approvals", "list", "--json"]).good().json();
    let approval = waiting["approvals"][0]["approval"].as_str().unwrap().to_owned();
    site.terminal.run(&["approve", &approval, "--as", "lea"]).good();
    let run = last(&site, "drift.started")["run"].as_str().unwrap().to_owned();
    site.terminal.run(&["run", "--resume", &run, "--timeout", "60s"]).good();
    assert_eq!(site.read("motd").as_deref(), Some("welcome\n"));
    assert_eq!(round(&site).exit, Some(0));
    let settled = last(&site, "drift.settled");
    assert_eq!((&settled["outcome"], &settled["done"][0]), (&"completed".into(), &"web-1/motd".into()));
}

#[test]
fn infrastructure_drift_is_repaired_and_the_configuration_is_not_applied_by_that() {
    let Some(site) = watched("repair", "", "") else { return };
    let more = on_drift("motd", "repair") + &on_drift("new", "repair");
    site.declare(&[("motd", "\"welcome\\n\""), ("new", "\"x\"")], &more);
    intrude(&site, "intruder\n");
    let said = round(&site);
    assert_eq!(said.exit, Some(1), "it had drifted: {said:?}");
    assert!(said.stdout.contains("repaired") && said.stdout.contains("web-1/motd"), "{said:?}");
    assert_eq!(site.read("motd").as_deref(), Some("welcome\n"));
    assert!(!site.there("new").exists(), "what nobody applied yet is for people to apply");
    let again = round(&site);
    assert_eq!(again.exit, Some(0), "{again:?}");
    assert!(again.stderr.contains("1 changes are not applied yet"), "{again:?}");
    fs_err::remove_file(site.there("motd")).unwrap();
    round(&site);
    assert_eq!(site.read("motd").as_deref(), Some("welcome\n"), "what is gone comes back");
}

#[test]
fn infrastructure_a_fight_stops_and_names_both_writers() {
    let Some(site) = watched("repair", "", "drift: {fights: {repairs: 2}}\n") else { return };
    for _ in 0..2 {
        intrude(&site, "intruder\n");
        round(&site);
        assert_eq!(site.read("motd").as_deref(), Some("welcome\n"));
    }
    intrude(&site, "intruder\n");
    let said = round(&site);
    assert!(said.stdout.contains("fight"), "{said:?}");
    for _ in 0..2 {
        round(&site);
    }
    assert_eq!(site.read("motd").as_deref(), Some("intruder\n"), "nobody fights back");
    assert_eq!((site.terminal.count("drift.started"), site.terminal.count("drift.fought")), (2, 1));
    let fight = last(&site, "drift.fought");
    assert_eq!(fight["field"], "content");
    assert!(fight["ours"].as_str().unwrap().contains("welcome"), "{fight}");
    assert!(fight["theirs"].as_str().unwrap().contains("intruder"), "{fight}");
    assert_eq!(fight["mended"].as_array().unwrap().len(), 2, "{fight}");
    let shown = site.terminal.run(&["drift"]);
    for words in ["fight over web-1/motd content", "Aedile: ", "run_", "something on web-1", "between "] {
        assert!(shown.stderr.contains(words), "{words}: {shown:?}");
    }
    let status = site.terminal.run(&["status"]).good();
    assert!(status.stdout.contains("fight"), "{status:?}");
    let wrong = site.terminal.run(&["drift", "--acknowledge", "elsewhere"]);
    assert_eq!(wrong.exit, Some(1), "{wrong:?}");
    site.terminal.run(&["drift", "--acknowledge", "motd", "--reason", "the old cron job is gone"]).good();
    round(&site);
    assert_eq!(site.read("motd").as_deref(), Some("welcome\n"), "it is put right again");
}

#[test]
fn a_reconciler_that_keeps_looking_stops_when_somebody_writes_back() {
    let Some(site) = watched("repair", "", "drift: {every: 1s}\n") else { return };
    let mut keeping = site.terminal.spawn(&["drift", "--every"]);
    let lines = narration(&mut keeping);
    let at = site.there("motd");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        while stopped.try_recv().is_err() {
            if fs_err::read_to_string(&at).is_ok_and(|text| text == "welcome\n") {
                fs_err::write(&at, "intruder\n").unwrap();
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    let fights = || site.terminal.count("drift.fought") == 1;
    let seen = (0..120).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(500));
        fights()
    });
    stop.send(()).unwrap();
    writer.join().unwrap();
    assert!(seen, "a fight is noticed: {:?}", lines.try_iter().collect::<Vec<_>>());
    assert_eq!(site.terminal.count("drift.started"), 3);
    tool("kill", &["-INT", &keeping.id().to_string()]);
    let said = finish(keeping).good();
    assert!(said.stdout.lines().any(|line| word(line, "fight").is_some()), "{said:?}");
    drop(lines);
}

#[test]
fn what_is_said_about_drift_is_checked() {
    let Some(site) = Site::start() else { return };
    site.declare(&[("motd", "\"x\"")], &on_drift("motd", "repare"));
    let said = site.terminal.run(&["plan"]);
    assert!(said.exit == Some(2) && said.stderr.contains("did you mean `repair`?"), "{said:?}");
    site.declare(&[("motd", "\"x\"")], "");
    let text = fs_err::read_to_string(site.terminal.root().join("aedile.yaml")).unwrap();
    for (drift, words) in [
        ("drift: {every: 1h, fights: {within: 2h}}\n", "no fight would ever be noticed"),
        ("drift: {every: 1ms}\n", "at least"),
        ("drift: {often: 1h}\n", "often"),
        ("drift: {repairs: {perHour: 0}}\n", "0 repairs"),
    ] {
        site.terminal.write("aedile.yaml", &format!("{text}{drift}"));
        let said = site.terminal.run(&["drift", "--reconcile"]);
        assert!(said.exit == Some(2) && said.stderr.contains(words), "{drift}: {said:?}");
    }
    site.terminal.write("aedile.yaml", &text);
    let said = site.terminal.run(&["drift", "--every"]);
    assert!(said.exit == Some(2) && said.stderr.contains("does not say how often"), "{said:?}");
}

#[test]
fn what_differs_at_every_look_is_told_as_flapping_and_not_proposed_again() {
    let Some(site) = watched("propose", LEAD, "notify: {team: {kind: file, path: told.jsonl}}\n") else {
        return;
    };
    for round_number in 0..9 {
        intrude(&site, &format!("{round_number} requests\n"));
        assert_eq!(round(&site).exit, Some(1));
    }
    let count = |kind| site.terminal.count(kind);
    assert_eq!((count("drift.found"), count("drift.flapped"), count("drift.started")), (5, 1, 5));
    let flapped = last(&site, "drift.flapped");
    assert_eq!((&flapped["fields"][0], &flapped["changes"]), (&"content".into(), &5.into()), "{flapped}");
    let told = fs_err::read_to_string(site.terminal.root().join("told.jsonl")).unwrap();
    assert_eq!(told.lines().filter(|line| line.contains("keeps changing")).count(), 1, "{told}");
    let waiting = site.terminal.run(&["approvals", "list", "--json"]).good().json();
    assert_eq!(waiting["approvals"].as_array().map(Vec::len), Some(0), "the last proposal was taken back");
    let shown = site.terminal.run(&["drift"]);
    for words in ["flapping", "web-1/motd", "content, at least 5 changes since", "not told again before"] {
        assert!(shown.stderr.contains(words), "{words}: {shown:?}");
    }
    let json = site.terminal.run(&["drift", "--json"]).json();
    assert_eq!(json["flapping"][0]["resource"], "web-1/motd", "{json}");
    let status = site.terminal.run(&["status"]).good();
    assert!(status.stdout.contains("web-1/motd  changed  it keeps changing"), "{status:?}");
    site.terminal.run(&["drift", "--acknowledge", "motd", "--reason", "the counter is gone"]).good();
    round(&site);
    assert_eq!(count("drift.started"), 6, "it is proposed again");
}

#[test]
fn what_was_applied_as_absent_and_comes_back_is_repaired() {
    let irreversible = "drift: {repairs: {irreversible: true}}\n";
    let Some(site) = watched("repair", "", irreversible) else { return };
    let absent = on_drift("motd", "repair") + "resources: motd: config: state: \"absent\"\n";
    site.declare(&[("motd", "\"welcome\\n\"")], &absent);
    assert_eq!(round(&site).exit, Some(0), "that it is to be absent is for people to apply");
    assert!(site.there("motd").exists());
    site.terminal.run(&["apply", "--yes"]).good();
    assert!(!site.there("motd").exists());
    assert_eq!(round(&site).exit, Some(0));
    intrude(&site, "intruder\n");
    let shown = site.terminal.run(&["drift"]);
    assert_eq!(shown.exit, Some(1), "{shown:?}");
    assert!(shown.stdout.contains("it was applied as absent and is there again"), "{shown:?}");
    let json = site.terminal.run(&["drift", "--json"]).json();
    assert_eq!(json["classes"]["web-1/motd"], "changed", "{json}");
    let said = round(&site);
    assert!(said.stdout.contains("repaired"), "{said:?}");
    assert!(!site.there("motd").exists(), "it is gone again");
    let found = last(&site, "drift.found");
    assert_eq!(
        (&found["fields"][0]["name"], &found["policy"]),
        (&"state".into(), &"repair".into()),
        "{found}"
    );
    let settled = last(&site, "drift.settled");
    assert_eq!((&settled["outcome"], &settled["done"][0]), (&"completed".into(), &"web-1/motd".into()));
    assert_eq!(round(&site).exit, Some(0));
    let replayed = site.terminal.run(&["journal", "replay", "--json"]).good().json();
    assert_eq!(replayed["same"], true, "{replayed}");

    site.declare(&[], "");
    intrude(&site, "somebody's own\n");
    let shown = site.terminal.run(&["drift"]).good();
    assert!(shown.stderr.contains("no drift"), "nobody declares it any more: {shown:?}");
    site.terminal.run(&["apply", "--yes"]).good();
    assert_eq!(site.read("motd").as_deref(), Some("somebody's own\n"), "what was forgotten is left alone");
    site.terminal.run(&["plan", "--detailed-exit-code"]).good();
}

#[test]
fn rounds_that_a_run_makes_come_to_nothing_are_shown() {
    let Some(site) = watched("report", "", "") else { return };
    let go = site.there("go");
    let script = format!("while [ ! -e {0} ]; do sleep 0.1; done; touch {0}.done", go.display());
    let slow = format!(
        "resources: slow: {{\n\ttype: \"linux.exec::exec\"\n\tconfig: {{command: [\"/bin/sh\", \"-c\", \"{script}\"], creates: \
         \"{}.done\"}}\n\tdependencies: [{{resource_id: \"srv\"}}]\n}}\n",
        go.display()
    );
    site.declare(&[("motd", "\"welcome\\n\"")], &(on_drift("motd", "report") + &slow));
    let mut child = site.terminal.spawn(&["apply", "--yes"]);
    let lines = narration(&mut child);
    let run = wait_for(&lines, "run_");
    wait_for(&lines, "web-1/slow");
    for _ in 0..3 {
        let said = round(&site);
        assert_eq!(said.exit, Some(1), "nothing is known: {said:?}");
        assert!(said.stderr.contains("busy"), "{said:?}");
    }
    let skipped = last(&site, "drift.skipped");
    assert_eq!(skipped["run"], run.as_str(), "{skipped}");
    let status = site.terminal.run(&["status"]).good();
    for words in ["Nobody could look for drift", "came to nothing", &*run] {
        assert!(status.stdout.contains(words), "{words}: {status:?}");
    }
    let status = site.terminal.run(&["status", "--json"]).good().json();
    assert_eq!(status["skipped"]["run"], run.as_str(), "{status}");
    let shown = site.terminal.run(&["drift"]);
    assert!(shown.stderr.contains("skipped") && shown.stderr.contains(&run), "{shown:?}");
    fs_err::write(&go, "").unwrap();
    finish(child).good();
    drop(lines);
    assert_eq!(round(&site).exit, Some(0));
    assert_eq!(site.terminal.count("drift.resumed"), 1);
    let status = site.terminal.run(&["status", "--json"]).good().json();
    assert_eq!(status["skipped"], Value::Null, "{status}");
}

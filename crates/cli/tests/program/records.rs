//! Changes of what is on record of resources, on a real host that none of them touches.

use std::time::SystemTime;

use crate::applying::Site;

fn on_record(site: &Site) -> Vec<String> {
    let listed = site.terminal.run(&["resources", "list", "--json"]).good().json();
    let rows = listed["resources"].as_array().unwrap().iter();
    rows.map(|row| row["resource"].as_str().unwrap().to_owned()).collect()
}

fn modified(site: &Site, name: &str) -> SystemTime {
    fs_err::metadata(site.there(name)).unwrap().modified().unwrap()
}

fn replays(site: &Site) {
    site.terminal.run(&["journal", "verify"]).good();
    let replayed = site.terminal.run(&["journal", "replay", "--json"]).good().json();
    assert_eq!(replayed["same"], true, "{replayed}");
}

#[test]
fn what_is_forgotten_stays_on_the_host_and_nothing_deletes_it() {
    let Some(site) = Site::start() else { return };
    site.policy("require: [{match: {action: plan.apply}, chain: lead, reason: four eyes}]\n");
    site.declare(&[("motd", "\"welcome\""), ("app.conf", "\"port=1\"")], "");
    site.terminal.run(&["apply", "--yes", "--approve-as", "lea"]).good();
    let before = modified(&site, "motd");

    let nobody = site.terminal.run(&["resources", "forget", "motd"]);
    assert!(nobody.exit == Some(2) && nobody.stderr.contains("E0010"), "{nobody:?}");
    let unknown = site.terminal.run(&["resources", "forget", "mord", "--yes"]);
    assert!(unknown.exit == Some(1) && unknown.stderr.contains("forget motd"), "{unknown:?}");
    let waits = site.terminal.run(&["resources", "forget", "motd", "--yes", "--detach"]);
    assert!(waits.exit == Some(4) && on_record(&site).contains(&"motd".to_owned()), "{waits:?}");
    assert!(waits.stdout.contains("x forget web-1/motd"), "{waits:?}");
    let run = waits.stderr.split_whitespace().find(|word| word.starts_with("run_")).unwrap();
    site.terminal.run(&["runs", "cancel", run]).good();

    // what the record says and the configuration does not is no reason to read the configuration
    site.terminal.write("infrastructure/broken.cue", "package site\nresources: bad: {\n");
    let done =
        site.terminal.run(&["resources", "forget", "web-1/motd", "--yes", "--approve-as", "lea"]).good();
    assert!(done.stdout.contains("1 done"), "{done:?}");
    fs_err::remove_file(site.terminal.root().join("infrastructure/broken.cue")).unwrap();
    assert_eq!(on_record(&site), ["app.conf", "srv"]);
    assert_eq!((site.read("motd").as_deref(), modified(&site, "motd")), (Some("welcome"), before));

    site.declare(&[("app.conf", "\"port=1\"")], "");
    assert_eq!(site.counts()["delete"], 0, "nobody knows of it any more");
    replays(&site);
}

#[test]
fn what_is_moved_has_another_name_and_is_deleted_under_it_in_the_right_order() {
    let Some(site) = Site::start() else { return };
    site.declare(&[("motd", "\"welcome\""), ("app.conf", "\"port=1\"")], "");
    site.terminal.run(&["apply", "--yes"]).good();
    let before = modified(&site, "motd");
    let taken = site.terminal.run(&["resources", "move", "motd", "app.conf", "--yes"]);
    assert!(taken.exit == Some(2) && taken.stderr.contains("E0803"), "{taken:?}");
    let strange = site.terminal.run(&["resources", "move", "motd", "a b", "--yes"]);
    assert!(strange.exit == Some(2) && strange.stderr.contains("a resource id"), "{strange:?}");
    let moved = site.terminal.run(&["resources", "move", "srv", "data", "--yes", "--json"]).good();
    assert_eq!(moved.json()["status"], "completed", "{moved:?}");
    site.terminal.run(&["resources", "move", "motd", "web-1/greeting", "--yes"]).good();
    assert_eq!(on_record(&site), ["app.conf", "data", "greeting"]);
    assert_eq!(modified(&site, "motd"), before);
    let shown = site.terminal.run(&["resources", "show", "greeting"]).good();
    assert!(shown.stdout.contains("after web-1/data"), "{shown:?}");

    site.terminal.run(&["destroy", "--yes"]).good();
    assert!(!site.there("").exists(), "the files before the directory that has another name now");
    assert_eq!(on_record(&site), Vec::<String>::new());
    replays(&site);
}

#[test]
fn a_change_of_the_record_that_was_overtaken_is_refused() {
    let Some(site) = Site::start() else { return };
    site.declare(&[("motd", "\"one\"")], "");
    site.terminal.run(&["apply", "--yes"]).good();
    site.policy("require: [{match: {action: plan.apply}, chain: lead, reason: four eyes}]\n");
    let ask = |change: &[&str]| -> (String, String) {
        let said = site.terminal.run(&[&["resources"][..], change, &["--yes", "--detach"]].concat());
        assert_eq!(said.exit, Some(4), "{said:?}");
        let word = |start: &str| {
            let found = said.stderr.split_whitespace().find(|word| word.starts_with(start)).unwrap();
            found.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
        };
        (word("run_"), word("apr_"))
    };
    let first = ask(&["move", "motd", "greeting"]);
    let second = ask(&["forget", "motd"]);
    for ((run, approval), exit) in [(first, 0), (second, 1)] {
        site.terminal.run(&["approve", &approval, "--as", "lea"]).good();
        let said = site.terminal.run(&["run", "--resume", &run, "--timeout", "60s"]);
        assert_eq!(said.exit, Some(exit), "{said:?}");
        if exit == 1 {
            assert!(said.stderr.contains("web-1/motd is not there to plan any more"), "{said:?}");
        }
    }
    assert_eq!(on_record(&site), ["greeting", "srv"], "what was approved was another record");
}

#[test]
fn what_a_run_did_is_taken_back_in_reverse_order_and_only_right_after_it() {
    let Some(site) = Site::start() else { return };
    site.policy("require: [{match: {action: plan.apply}, chain: lead, reason: four eyes}]\n");
    let apply = || site.terminal.run(&["apply", "--yes", "--approve-as", "lea", "--json"]).good().json();
    let undo = |run: &str| site.terminal.run(&["undo", run, "--yes", "--approve-as", "lea"]);
    site.declare(&[("motd", "\"one\"")], "");
    let first = apply()["run"].as_str().unwrap().to_owned();
    site.declare(&[("motd", "\"two\""), ("app.conf", "\"port=1\"")], "");
    let second = apply()["run"].as_str().unwrap().to_owned();

    let overtaken = undo(&first);
    assert!(overtaken.exit == Some(1) && overtaken.stderr.contains("E0806"), "{overtaken:?}");
    assert!(overtaken.stderr.contains(&second), "{overtaken:?}");
    let nobody = site.terminal.run(&["undo", &second]);
    assert!(nobody.exit == Some(2) && nobody.stderr.contains("E0010"), "{nobody:?}");
    let waits = site.terminal.run(&["undo", &second, "--yes", "--detach"]);
    assert_eq!(waits.exit, Some(4), "{waits:?}");
    assert_eq!(site.read("motd").as_deref(), Some("two"), "nobody agreed yet");

    let done = undo(&second).good();
    assert!(done.stdout.contains("because takes back: update"), "{done:?}");
    assert_eq!(site.read("motd").as_deref(), Some("one"));
    assert!(!site.there("app.conf").exists());
    assert_eq!(on_record(&site), ["motd", "srv"]);
    assert_eq!(site.counts()["create"], 1, "the configuration still says so");

    // the one that waited was planned on a world that is no more
    let run = waits.stderr.split_whitespace().find(|word| word.starts_with("run_")).unwrap();
    let approval = waits.stderr.split_whitespace().find(|word| word.starts_with("apr_")).unwrap();
    let approval = approval.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    site.terminal.run(&["approve", approval, "--as", "lea"]).good();
    let stale = site.terminal.run(&["run", "--resume", run, "--timeout", "60s"]);
    assert!(stale.exit == Some(1) && stale.stderr.contains("the plan is stale"), "{stale:?}");
    assert_eq!(site.read("motd").as_deref(), Some("one"));

    site.terminal.write(
        "workflows/note.yaml",
        "document: {dsl: '1.0.3', namespace: shop, name: note, version: '1.0.0'}\ndo:\n  - say: {set: {said: hello}}\n",
    );
    let other = site.terminal.run(&["run", "workflows/note.yaml", "--json"]).good().json();
    let no_plan = undo(other["run"].as_str().unwrap());
    assert!(no_plan.exit == Some(1) && no_plan.stderr.contains("E0812"), "{no_plan:?}");
    replays(&site);
}

#[test]
fn what_was_deleted_comes_back_with_what_was_on_record() {
    let Some(site) = Site::start() else { return };
    site.declare(&[("motd", "\"one\"")], "");
    site.terminal.run(&["apply", "--yes"]).good();
    site.declare(&[], "");
    site.terminal.run(&["apply", "--yes"]).good();
    assert!(!site.there("motd").exists());
    let done = site.terminal.run(&["undo", "latest", "--yes"]);
    if done.exit == Some(0) {
        assert_eq!(site.read("motd").as_deref(), Some("one"));
    } else {
        // its type says that a deletion cannot be taken back
        assert!(done.stderr.contains("E0812") && done.stderr.contains("web-1/motd"), "{done:?}");
        assert!(!site.there("motd").exists());
    }
}

#[test]
fn what_an_undo_leaves_as_it_is_is_told_to_programs_too() {
    let Some(site) = Site::start() else { return };
    site.declare(&[("motd", r#""one\ntwo\n""#), ("app.conf", "\"port=1\"")], "");
    site.terminal.run(&["apply", "--yes"]).good();
    site.declare(&[("motd", r#""one\nthree\n""#)], "");
    // a text of several lines is compared line by line, in whatever way it is asked for
    let planned = site.terminal.run(&["plan"]).good();
    let lines = "      content:\n          one\n        - two\n        + three\n";
    assert!(planned.stdout.contains(lines), "{planned:?}");
    site.terminal.run(&["apply", "--yes"]).good();

    let undone = site.terminal.run(&["undo", "latest", "--yes", "--json"]).good().json();
    assert_eq!(undone["stays"][0]["resource"], "web-1/app.conf", "{undone}");
    assert!(undone["stays"][0]["because"].as_str().is_some_and(|why| !why.is_empty()), "{undone}");
    assert_eq!(
        (&undone["uncertain"], &undone["status"]),
        (&serde_json::json!([]), &serde_json::json!("completed"))
    );
    assert_eq!(site.read("motd").as_deref(), Some("one\ntwo\n"));
}

#[test]
fn what_was_there_before_is_imported_as_it_is_and_adopted_when_somebody_says_so() {
    let Some(site) = Site::start() else { return };
    site.policy("require: [{match: {action: plan.apply}, chain: lead, reason: four eyes}]\n");
    site.declare(&[], "");
    site.terminal.run(&["apply", "--yes", "--approve-as", "lea"]).good();
    fs_err::write(site.there("motd"), "ours before\n").unwrap();
    fs_err::create_dir(site.there("data")).unwrap();
    let (motd, data) = (site.there("motd"), site.there("data"));
    let (motd, data) = (motd.to_str().unwrap(), data.to_str().unwrap());

    let shown = site.terminal.run(&["import", "web-1", "linux.file::directory", data]).good();
    assert!(shown.stdout.contains("linux.file::directory") && shown.stdout.contains(data), "{shown:?}");
    let near = site.terminal.run(&["import", "web-2", "linux.file::file", motd]);
    assert!(near.exit == Some(2) && near.stderr.contains("did you mean `web-1`?"), "{near:?}");
    let near = site.terminal.run(&["import", "web-1", "linux.file::fiel", motd]);
    assert!(near.exit == Some(2) && near.stderr.contains("did you mean `linux.file::file`?"), "{near:?}");
    let line = site.terminal.run(&["import", "web-1", "linux.file::line", motd]);
    assert!(line.exit == Some(2) && line.stderr.contains("cannot be imported"), "{line:?}");
    let gone = site.terminal.run(&["import", "web-1", "linux.file::file", &format!("{motd}-2")]);
    assert!(gone.exit == Some(1) && gone.stderr.contains("E0008"), "{gone:?}");

    let out = "infrastructure/motd.cue";
    let all = ["import", "web-1", "linux.file::file", motd, "--as", "motd", "--out", out];
    let written = site.terminal.run(&all).good();
    assert!(written.stderr.contains("aedile resources adopt motd"), "{written:?}");
    let text = fs_err::read_to_string(site.terminal.root().join(out)).unwrap();
    let again = site.terminal.run(&all);
    assert!(again.exit == Some(1) && again.stderr.contains("is there already"), "{again:?}");
    let twice = site.terminal.run(&["import", "web-1", "linux.file::file", motd, "--as", "other"]);
    assert!(twice.exit == Some(2) && twice.stderr.contains("are the same"), "{twice:?}");
    assert_eq!(fs_err::read_to_string(site.terminal.root().join(out)).unwrap(), text);

    assert_eq!(site.terminal.run(&["plan", "--detailed-exit-code"]).exit, Some(0), "it is as it is declared");
    assert_eq!(on_record(&site), ["srv"], "what is there is not taken over without a word");
    let before = modified(&site, "motd");
    let waits = site.terminal.run(&["resources", "adopt", "motd", "--yes", "--detach"]);
    assert!(waits.exit == Some(4) && waits.stdout.contains("= adopt web-1/motd"), "{waits:?}");
    let run = waits.stderr.split_whitespace().find(|word| word.starts_with("run_")).unwrap();
    site.terminal.run(&["runs", "cancel", run]).good();
    site.terminal.run(&["resources", "adopt", "motd", "--yes", "--approve-as", "lea"]).good();
    assert_eq!(on_record(&site), ["motd", "srv"]);
    assert_eq!((site.read("motd").as_deref(), modified(&site, "motd")), (Some("ours before\n"), before));
    let none = site.terminal.run(&["resources", "adopt", "motd", "--yes"]).good();
    assert!(none.stdout.contains("unchanged"), "{none:?}");

    fs_err::remove_file(site.terminal.root().join(out)).unwrap();
    assert_eq!(site.counts()["delete"], 1, "what is on record goes when it is not declared any more");
    replays(&site);
}

#[test]
fn what_differs_is_not_adopted_and_what_is_secret_is_adopted_as_a_secret() {
    const CANARY: &str = "canary-91c2e7";
    let Some(site) = Site::start() else { return };
    let root = site.terminal.root();
    fs_err::create_dir_all(root.join("private")).unwrap();
    fs_err::write(root.join("private/token"), CANARY).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs_err::set_permissions(root.join("private/token"), private).unwrap();
    site.declare(&[], "");
    site.terminal.run(&["apply", "--yes"]).good();
    fs_err::write(site.there("token"), CANARY).unwrap();
    fs_err::write(site.there("motd"), "theirs").unwrap();
    let secret = "{\"$secret\": \"file:private/token\"}";
    site.declare(&[("token", secret), ("motd", "\"ours\"")], "");
    let differs = site.terminal.run(&["resources", "adopt", "motd", "--yes"]);
    assert!(differs.exit == Some(1) && differs.stderr.contains("E0811"), "{differs:?}");
    site.terminal.run(&["resources", "adopt", "token", "--yes"]).good();
    let shown = site.terminal.run(&["resources", "show", "token"]).good();
    assert!(shown.stdout.contains("content: (secret)"), "{shown:?}");
    fs_err::write(site.there("token"), "other").unwrap();
    assert_eq!(site.terminal.run(&["drift"]).exit, Some(1), "that it changed is seen");
    let journal = fs_err::read(root.join(".aedile/dev/journal.db")).unwrap();
    assert!(!journal.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
}

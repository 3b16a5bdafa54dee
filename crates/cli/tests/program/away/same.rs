//! One scenario, typed here and on a server: what is said is compared line by line.

use regex::Regex;

use super::bench::{Person, Served, project};
use crate::terminal::{Said, Terminal, word};

/// Where the scenario is typed.
trait Typed {
    fn run(&self, args: &[&str]) -> Said;
    /// The same by somebody else.
    fn run_as(&self, who: &str, args: &[&str]) -> Said;
}

struct Local(Terminal);

impl Typed for Local {
    fn run(&self, args: &[&str]) -> Said {
        self.0.run(args)
    }

    fn run_as(&self, who: &str, args: &[&str]) -> Said {
        self.0.run(&[args, &["--as", who]].concat())
    }
}

struct Remote<'a> {
    me: Person<'a>,
    others: Vec<(&'a str, Person<'a>)>,
}

impl Typed for Remote<'_> {
    fn run(&self, args: &[&str]) -> Said {
        self.me.run(args)
    }

    fn run_as(&self, who: &str, args: &[&str]) -> Said {
        self.others.iter().find(|(name, _)| *name == who).unwrap().1.run(args)
    }
}

/// What was said, with what differs from one time to the next made the same.
fn masked(args: &[&str], said: &Said) -> String {
    let rules = [
        (r"(run|apr|evt|ckp|eng)_[0-9a-z]+", "${1}_ID"),
        (r"sha256:[0-9a-f]{64}", "DIGEST"),
        (r"\+[0-9a-f]{8}\+", "+KEY+"),
        (r"[A-Za-z0-9+/]{40,}={0,2}", "BASE64"),
        (r#"("DIGEST",?\s*)+"#, "DIGESTS "),
        (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
        (r"\d\d:\d\d:\d\d", "CLOCK"),
        (r"just now|(in )?\d+ (ms|s|min|h)( ago)?", "WHEN"),
        (r"\d+\.\d+ s", "WHEN"),
        (r"(?m)^.*(give it with|ask user:).*$", "HOW"),
        (r"\d+", "N"),
        (r"(?m) +$", ""),
        (r"  +", "  "),
    ];
    // who suggests what to type next knows where; an engine that is gone has to be replaced here, and never is there
    let lines = |text: &str| {
        let known_there = ["next:", "keep them with", "the server does not keep them", "no key was given"];
        let of_place = |line: &&str| known_there.iter().any(|known| line.starts_with(known));
        let kept = text.lines().filter(|line| !of_place(line) && !line.contains("adopted"));
        kept.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    let mut text = format!(
        "$ {}\n{}\n{}\nexit {:?}",
        args.join(" "),
        lines(&said.stdout),
        lines(&said.stderr),
        said.exit
    );
    for (pattern, instead) in rules {
        text = Regex::new(pattern).unwrap().replace_all(&text, instead).into_owned();
    }
    text
}

/// Every command of the interface, in an order in which each has something to say.
fn scenario(at: &dyn Typed) -> Vec<String> {
    let mut said = Vec::new();
    let mut note = |args: &[&str], what: Said| {
        said.push(masked(args, &what));
        what
    };
    let mut plain = |args: &[&str]| note(args, at.run(args));
    assert_eq!(plain(&["run", "plain", "-i", "n=7"]).good().json()["answer"], 7);
    plain(&["run", "plain", "-i", "n=many"]);
    plain(&["run", "nothing"]);
    plain(&["run", "broken"]);
    plain(&["runs", "list"]);
    plain(&["runs", "list", "--status", "failed"]);
    plain(&["runs", "show", "latest"]);
    plain(&["runs", "logs", "latest"]);
    plain(&["runs", "logs", "-f", "latest"]);
    plain(&["runs", "show", "run_nothing"]);
    plain(&["runs", "cancel", "latest"]);
    let waiting = plain(&["run", "gated", "--detach"]);
    assert_eq!(waiting.exit, Some(4), "{waiting:?}");
    plain(&["run", "--resume", "latest", "--timeout", "1s"]);
    plain(&["status"]);
    plain(&["approvals", "list"]);
    let listed = at.run(&["approvals", "list", "--json"]).good().json();
    let approval = listed["approvals"][0]["approval"].as_str().unwrap().to_owned();
    // of an id of this length no other begins so
    let short = &approval[..approval.len() - 4];
    plain(&["approvals", "show", short]);
    plain(&["approvals", "show", "apr_nothing"]);
    plain(&["approve", &approval, "--override"]);
    note(&["approve"], at.run_as("omar", &["approve", &approval]));
    note(&["approve"], at.run_as("lea", &["approve", &approval, "-m", "go"])).good();
    note(&["deny"], at.run_as("lea", &["deny", &approval]));
    let mut plain = |args: &[&str]| note(args, at.run(args));
    plain(&["run", "--resume", "latest"]).good();
    plain(&["approvals", "list"]);
    plain(&["approvals", "list", "--all"]);
    plain(&["policy", "list"]).good();
    plain(&["policy", "explain", &approval]).good();
    plain(&["policy", "explain", "1"]);
    let sleepy = plain(&["run", "sleepy", "--detach"]).good();
    assert!(word(&sleepy.stderr, "run_").is_some(), "{sleepy:?}");
    plain(&["runs", "pause", "latest", "-m", "wait"]).good();
    plain(&["runs", "signal", "latest", "go", "--data", "{\"a\": 1}"]).good();
    plain(&["runs", "resume", "latest"]).good();
    plain(&["runs", "resolve", "latest", "nothing", "--happened"]);
    plain(&["runs", "retry", "latest"]);
    plain(&["validate", "good.yaml"]);
    plain(&["validate", "bad.yaml"]);
    plain(&["journal", "show", "1", "--json"]).good();
    plain(&["journal", "show", "99999"]);
    plain(&["journal", "prove", "1"]);
    plain(&["journal", "checkpoint", "--quiet"]).good();
    plain(&["journal", "prove", "1", "--json"]).good();
    plain(&["journal", "export", "--out", "export.jsonl"]).good();
    files_and_proofs(at, &mut said);
    said
}

/// Files that are sent along, what starts by itself, and what is proved.
fn files_and_proofs(at: &dyn Typed, said: &mut Vec<String>) {
    let mut plain = |args: &[&str]| {
        let what = at.run(args);
        said.push(masked(args, &what));
        what
    };
    assert_eq!(plain(&["run", "hot.yaml", "-i", "n=3"]).good().json()["answer"], 3);
    plain(&["run", "./hot.yaml", "-i", "n=many"]);
    plain(&["run", "bad.yaml"]);
    plain(&["run", "nowhere.yaml"]);
    plain(&["run", "hot.yaml", "--batch", "inputs.json", "--results", "out"]).good();
    plain(&["schedules"]).good();
    plain(&["journal", "replay"]).good();
    plain(&["journal", "keys", "list"]).good();
    let old = at.run(&["journal", "checkpoint", "--json"]).good().json()["size"].to_string();
    plain(&["journal", "keys", "rotate"]).good();
    plain(&["journal", "keys", "list"]).good();
    plain(&["journal", "prove", "--from", &old]).good();
    plain(&["journal", "prove", "--from", "2"]).good();
    plain(&["journal", "prove", "--from", "0"]);
}

/// Files that are checked where they are typed.
fn files(directory: &std::path::Path) {
    let hot = super::bench::PLAIN.replace("plain", "hot");
    fs_err::write(directory.join("hot.yaml"), hot).unwrap();
    fs_err::write(directory.join("inputs.json"), "[{\"n\": 1}, {\"n\": 2}]").unwrap();
    fs_err::write(directory.join("good.yaml"), super::bench::PLAIN).unwrap();
    fs_err::write(directory.join("bad.yaml"), super::bench::BROKEN.replace("raise", "rise")).unwrap();
}

#[test]
fn every_command_says_the_same_here_and_on_a_server() {
    let local = Local(project());
    files(&local.0.root());
    let served = Served::start();
    let remote = Remote {
        me: served.me(),
        others: vec![("lea", served.person("lea")), ("omar", served.person("omar"))],
    };
    files(remote.me.home.path());
    let (here, there) = (scenario(&local), scenario(&remote));
    assert_eq!(here.len(), there.len());
    let differ: Vec<String> = here
        .iter()
        .zip(&there)
        .filter(|(here, there)| here != there)
        .map(|(here, there)| format!("--- here\n{here}\n--- there\n{there}\n"))
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn json_of_a_command_is_the_json_of_the_interface_in_both_places() {
    let local = Local(project());
    let served = Served::start();
    let remote = Remote { me: served.me(), others: Vec::new() };
    let shapes = |at: &dyn Typed| {
        assert_eq!(at.run(&["run", "plain"]).exit, Some(0));
        assert_eq!(at.run(&["run", "gated", "--detach"]).exit, Some(4));
        let listed = at.run(&["approvals", "list", "--json"]).good().json();
        let approval = listed["approvals"][0]["approval"].as_str().unwrap().to_owned();
        let commands = [
            &["approvals", "list"][..],
            &["approvals", "show", &approval],
            &["runs", "list"],
            &["runs", "show", "latest"],
            &["policy", "list"],
            &["status"],
            &["journal", "replay"],
            &["journal", "keys", "list"],
            &["journal", "keys", "rotate"],
            &["runs", "pause", "latest"],
        ];
        commands.map(|args| {
            let value = at.run(&[args, &["--json"]].concat()).good().json();
            let mut names = Vec::new();
            members("", &value, &mut names);
            names
        })
    };
    assert_eq!(shapes(&local), shapes(&remote));
}

/// The names of everything in a document.
fn members(path: &str, value: &serde_json::Value, names: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(all) => {
            for (name, value) in all {
                members(&format!("{path}/{name}"), value, names);
            }
        }
        serde_json::Value::Array(all) => {
            for value in all {
                members(&format!("{path}/-"), value, names);
            }
        }
        _ => names.push(path.to_owned()),
    }
}

#[test]
fn workflows_12_two_approvers_from_two_logins_let_a_run_go_on_while_it_is_watched() {
    use crate::terminal::{finish, narration, wait_for};
    let served = Served::start();
    let (me, lea, omar) = (served.me(), served.person("lea"), served.person("omar"));
    let mut running = me.spawn(&["run", "twice"]);
    let lines = narration(&mut running);
    let approval = wait_for(&lines, "apr_");
    let refused = me.run(&["approve", &approval]);
    assert_ne!(refused.exit, Some(0), "who asks does not decide: {refused:?}");
    let refused = omar.run(&["approve", &approval]);
    assert_ne!(refused.exit, Some(0), "it is not his turn: {refused:?}");
    lea.run(&["approve", &approval]).good();
    wait_for(&lines, "approved");
    omar.run(&["approve", &approval]).good();
    finish(running).good();
    let said = me.run(&["approvals", "show", &approval, "--json"]).good().json();
    assert_eq!((&said["status"], &said["endedBy"]), (&"granted".into(), &"user:omar".into()), "{said}");
}

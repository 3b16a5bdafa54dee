//! A machine in a bad state: readers that go away, disks that are full, keyboards that interrupt, homes that are missing.

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use crate::terminal::{Said, Terminal, finish, narration, wait_for};

const WAITS: &str = "document: {dsl: 1.0.1, namespace: shop, name: waits, version: 1.0.0}
do:
  - rest: {wait: {minutes: 5}}
";

/// Commands whose answer is longer than a line.
const ANSWERS: [&[&str]; 8] = [
    &["runs", "list"],
    &["journal", "export"],
    &["journal", "log", "--json"],
    &["explain"],
    &["status"],
    &["version"],
    &["--help"],
    &["completion", "bash"],
];

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let terminal = Terminal::project();
    terminal.run(&["run", "hello"]).good();
    for args in ANSWERS {
        let mut child = terminal.spawn(args);
        let mut line = String::new();
        // closes the pipe after one line
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = finish(child);
        assert_eq!((said.exit, said.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(!line.is_empty(), "{args:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let terminal = Terminal::project();
    terminal.run(&["run", "hello"]).good();
    for args in ANSWERS.into_iter().chain([&["run", "hello"][..]]) {
        let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let said: Said = terminal.command(args).stdout(full.into_file()).output().unwrap().into();
        assert_eq!(said.exit, Some(1), "{args:?}: {said:?}");
        assert!(said.stderr.contains("E0005") && said.stderr.contains("No space left"), "{said:?}");
    }
}

fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

#[test]
fn the_keyboard_ends_the_watching_and_not_the_run() {
    let terminal = Terminal::project();
    terminal.write("workflows/waits.yaml", WAITS);
    let mut running = terminal.spawn(&["run", "waits"]);
    let lines = narration(&mut running);
    let run = wait_for(&lines, "run_");
    wait_for(&lines, "waiting");
    interrupt(&running);
    let said = finish(running);
    let rest: Vec<String> = lines.iter().collect();
    assert_eq!(said.exit, Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains(&format!("aedile run --resume {run}"))), "{rest:?}");
    assert_eq!(terminal.run(&["runs", "show", &run, "--json"]).good().json()["status"], "waiting");
    assert_eq!(terminal.count("run.cancelled"), 0);
    terminal.run(&["journal", "verify"]).good();
    terminal.run(&["runs", "cancel", &run]).good();
    assert_eq!(terminal.run(&["run", "--resume", &run]).exit, Some(1));
    assert_eq!(terminal.count("run.cancelled"), 1);
}

#[test]
fn without_a_home_a_project_still_works() {
    let terminal = Terminal::project();
    let said: Said = terminal.command(&["run", "hello"]).env_remove("HOME").output().unwrap().into();
    said.good();
    let outside = Terminal::empty();
    outside
        .write("hello.yaml", &fs_err::read_to_string(terminal.root().join("workflows/hello.yaml")).unwrap());
    let said: Said = outside.command(&["run", "hello.yaml"]).env_remove("HOME").output().unwrap().into();
    assert_eq!(said.exit, Some(2), "there is nowhere to keep the journal: {said:?}");
    assert!(said.stderr.contains("hint: "), "{said:?}");
}

#[test]
fn state_that_cannot_be_written_is_said_and_nothing_runs() {
    let terminal = Terminal::project();
    // in the way of a directory; permissions would not stop a test that runs as root
    fs_err::remove_dir_all(terminal.root().join(".aedile")).unwrap();
    terminal.write(".aedile", "a file\n");
    let said = terminal.run(&["run", "hello"]);
    assert_eq!(said.exit, Some(1), "{said:?}");
    assert!(said.stderr.contains("error[E0005]"), "{said:?}");
    assert_eq!(said.stdout, "");
}

#[test]
fn one_changed_letter_in_a_journal_is_found_out() {
    let terminal = Terminal::project();
    terminal.run(&["run", "hello"]).good();
    terminal.run(&["journal", "checkpoint"]).good();
    let file = terminal.root().join(".aedile/dev/journal.db");
    let mut bytes = fs_err::read(&file).unwrap();
    let at = bytes.windows(13).rposition(|window| window == b"run.completed").expect("it is in the file");
    bytes[at + 4] = b'C';
    fs_err::write(terminal.root().join("copy.db"), bytes).unwrap();
    let said = terminal.run(&["journal", "verify", "copy.db"]);
    assert_eq!(said.exit, Some(6), "{said:?}");
    terminal.run(&["journal", "verify"]).good();
}

#[test]
fn names_and_data_in_every_script_come_through() {
    let terminal = Terminal::project();
    let name = "Ρώμη 羅馬 🏛 e\u{301} \u{202e}abc";
    let said = terminal.run(&["run", "hello", "-i", &format!("name={name}")]).good();
    assert_eq!(said.json()["greeting"], format!("Hello, {name}!"));
    assert_eq!(terminal.run(&["runs", "show", "latest", "--json"]).good().json()["output"], said.json());
    terminal.run(&["journal", "verify"]).good();
}

#[test]
fn workflows_34_to_start_a_project_twice_changes_nothing() {
    let terminal = Terminal::empty();
    terminal.run(&["init", "--name", "shop"]).good();
    terminal.run(&["run", "hello"]).good();
    let before = terminal.records();
    let files = |path: &str| fs_err::read(terminal.root().join(path)).unwrap();
    let manifest = files("aedile.yaml");
    terminal.run(&["init", "--name", "shop"]);
    assert_eq!(terminal.records(), before, "no event is written again");
    assert_eq!(files("aedile.yaml"), manifest);
    assert_eq!(terminal.count("environment.initialised"), 1);
    // neither do several first starts at once
    let fresh = Terminal::project();
    fs_err::remove_dir_all(fresh.root().join(".aedile")).unwrap();
    let children: Vec<Child> = (0..6).map(|_| fresh.spawn(&["run", "hello"])).collect();
    for child in children {
        finish(child).good();
    }
    assert_eq!(fresh.count("environment.initialised"), 1);
    assert_eq!(fresh.count("key.added"), 1);
    fresh.run(&["journal", "verify"]).good();
}

//! The ritual files of the older dialect, as they are, through the real program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::terminal::{Said, Terminal, finish, narration};

/// The file, if the conformance data is beside the workspace; says so when it is not.
fn ritual(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/seed-inputs/demon")
        .join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!("skipped: {name} is not beside this workspace");
    None
}

/// The event that a ritual puts out: the JSON on standard output, after what its steps said.
fn event(said: &Said) -> Value {
    let (_, json) = said.stdout.split_once("\n{").unwrap_or_else(|| panic!("no event: {said:?}"));
    serde_json::from_str(&format!("{{{json}")).unwrap()
}

#[test]
fn workflows_01_echo_says_hello_and_puts_out_its_event() {
    let Some(path) = ritual("echo.yaml") else { return };
    let terminal = Terminal::project();
    let said = terminal.run(&["run", path.to_str().unwrap()]).good();
    assert!(said.stdout.starts_with("Hello from Demon!\n"), "{said:?}");
    let event = event(&said);
    assert_eq!(event["event"], "ritual.completed:v1", "{event}");
    assert_eq!(event["outputs"]["result"]["success"], true, "{event}");
}

#[test]
fn workflows_02_the_run_s_stream_tells_it_from_submission_to_end_in_order() {
    let Some(path) = ritual("echo.yaml") else { return };
    let terminal = Terminal::project();
    terminal.run(&["run", path.to_str().unwrap()]).good();
    let records = terminal.records();
    let run = records.iter().find(|record| record["type"] == "run.submitted").unwrap()["subject"].clone();
    let stream: Vec<&Value> = records.iter().filter(|record| record["subject"] == run).collect();
    let kinds: Vec<&str> = stream.iter().map(|record| record["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["run.submitted", "run.judged", "run.started", "step.scheduled", "step.completed", "run.completed"]
    );
    for (index, record) in stream.iter().enumerate() {
        assert_eq!(record["sequence"], (index + 1).to_string(), "{record}");
    }
    // every record is read by the vocabulary, and the chain holds
    terminal.run(&["journal", "verify"]).good();
}

#[test]
fn workflows_03_04_timer_fires_once_at_due_although_it_was_killed_in_between() {
    let Some(path) = ritual("timer.yaml") else { return };
    let terminal = Terminal::project();
    let mut running = terminal.spawn(&["run", path.to_str().unwrap()]);
    let lines = narration(&mut running);
    // until the timer is durable
    while terminal.records().iter().all(|record| record["type"] != "timer.set") {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(3));
    running.kill().unwrap();
    running.wait().unwrap();
    drop(lines);
    assert_eq!(terminal.count("timer.fired"), 0);
    let said = finish(terminal.spawn(&["run", "--resume"])).good();
    assert!(said.stdout.contains("Timer finished."), "{said:?}");
    let records = terminal.records();
    let of = |kind: &str| records.iter().filter(|record| record["type"] == kind).collect::<Vec<_>>();
    let (set, fired) = (of("timer.set"), of("timer.fired"));
    assert_eq!((set.len(), fired.len()), (1, 1));
    let moment = |value: &Value| value.as_str().unwrap().parse::<model::Timestamp>().unwrap();
    let (begun, due, at) =
        (moment(&set[0]["time"]), moment(&set[0]["data"]["due"]), moment(&fired[0]["time"]));
    assert_eq!(due.as_millisecond() - begun.as_millisecond(), 5_000);
    assert!(at >= due);
    assert!(records.iter().all(|record| record["data"]["name"] != "Compensate"), "the default is taken");
    assert_eq!(of("run.completed").len(), 1);
}

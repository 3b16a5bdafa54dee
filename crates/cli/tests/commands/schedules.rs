//! Workflows that start by themselves: with the real program, its real clock and real signals.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::harness::{Sandbox, trials};

trials!(
    a_schedule_starts_runs_until_ctrl_c,
    a_killed_schedule_goes_on_and_starts_nothing_twice,
    events_of_other_runs_start_runs,
    a_workflow_without_a_schedule_is_refused,
    schedules_are_listed_and_nothing_is_written,
);

/// The program itself, keeping schedules.
struct Kept {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Kept {
    fn start(sandbox: &Sandbox, args: &[&str]) -> Self {
        let mut child = real(sandbox)
            .args(["run", "--scheduled", "--json"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line it says about a run with this status.
    fn next(&mut self, status: &str) -> serde_json::Value {
        loop {
            let line = self.lines.next().expect("it goes on").unwrap();
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["status"] == status {
                return line;
            }
        }
    }

    fn interrupt(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn real(sandbox: &Sandbox) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aedile"));
    command.current_dir(sandbox.root()).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

fn project(schedule: &str) -> Sandbox {
    let sandbox = Sandbox::with_project();
    let text = format!(
        "document: {{dsl: 1.0.1, namespace: shop, name: tick, version: 1.0.0}}\nschedule: {schedule}\ndo:\n  - it:\n      set: {{seen: '${{ $workflow.input }}'}}\n"
    );
    sandbox.write("workflows/tick.yaml", &text);
    sandbox
}

/// The data of every record of this type in the journal.
fn records(sandbox: &Sandbox, kind: &str) -> Vec<serde_json::Value> {
    let output = real(sandbox).args(["journal", "export"]).output().unwrap();
    let records = String::from_utf8(output.stdout).unwrap();
    let records = records.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    records.filter(|record| record["type"].as_str().unwrap().ends_with(kind)).collect()
}

fn a_schedule_starts_runs_until_ctrl_c() {
    let sandbox = project("{every: PT1S}");
    let mut kept = Kept::start(&sandbox, &["tick"]);
    let (first, second) = (kept.next("completed"), kept.next("completed"));
    assert_eq!(first["workflow"], "shop/tick");
    assert_ne!(first["run"], second["run"]);
    kept.interrupt();
    let fired = records(&sandbox, "schedule.fired");
    assert!(fired.len() >= 2, "{fired:?}");
    assert_eq!(records(&sandbox, "run.submitted").len(), fired.len());
    assert_eq!(fired[0]["actor"], "schedule:shop.tick", "{}", fired[0]);
}

fn a_killed_schedule_goes_on_and_starts_nothing_twice() {
    let sandbox = project("{every: PT1S}");
    for _ in 0..3 {
        let mut kept = Kept::start(&sandbox, &["workflows/tick.yaml"]);
        kept.next("started");
        kept.child.kill().unwrap();
    }
    let mut kept = Kept::start(&sandbox, &["tick"]);
    kept.next("completed");
    kept.interrupt();
    let fired = records(&sandbox, "schedule.fired");
    let mut due: Vec<&str> = fired.iter().map(|record| record["data"]["due"].as_str().unwrap()).collect();
    let count = due.len();
    due.sort_unstable();
    due.dedup();
    assert_eq!(due.len(), count, "no moment started two runs: {fired:?}");
    assert!(count >= 4);
    assert_eq!(records(&sandbox, "run.submitted").len(), count);
    assert_eq!(records(&sandbox, "schedule.anchored").len(), 1);
    assert_eq!(records(&sandbox, "run.completed").len(), count, "interrupted runs were finished");
}

fn events_of_other_runs_start_runs() {
    let sandbox = project("{on: {one: {with: {type: shop.order.placed}}}}");
    sandbox.write(
        "workflows/order.yaml",
        "document: {dsl: 1.0.1, namespace: shop, name: order, version: 1.0.0}
do:
  - placeAll:
      for: {each: number, in: '${ [1, 2, 3] }'}
      do:
        - place:
            emit:
              event:
                with: {source: 'https://shop.example', type: shop.order.placed, data: {number: '${ $number }'}}
",
    );
    let mut kept = Kept::start(&sandbox, &[]);
    // it listens once its listening run has begun to
    while records(&sandbox, "listen.started").is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let placed = real(&sandbox).args(["run", "order"]).output().unwrap();
    assert_eq!(placed.status.code(), Some(0), "{placed:?}");
    let mut numbers: Vec<i64> = (0..3)
        .map(|_| {
            let input = kept.next("completed")["output"]["seen"].clone();
            assert_eq!(input.as_array().unwrap().len(), 1, "{input}");
            assert_eq!(input[0]["type"], "shop.order.placed");
            input[0]["data"]["number"].as_i64().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3], "one run for each event, none lost between two starts");
    kept.interrupt();
}

fn a_workflow_without_a_schedule_is_refused() {
    let mut sandbox = Sandbox::with_project();
    let before = sandbox.files();
    for args in [&["run", "hello", "--scheduled"][..], &["run", "--scheduled"]] {
        let said = sandbox.run(args);
        assert_eq!(said.exit, 2, "{said:?}");
        assert!(said.stderr.contains("`schedule`") && said.stderr.contains("hint"), "{said:?}");
    }
    assert_eq!(sandbox.run(&["run", "hello", "--scheduled", "--detach"]).exit, 2);
    sandbox.write("workflows/on.yaml", "document: {dsl: 1.0.1, namespace: shop, name: on, version: 1.0.0}\nschedule: {on: {one: {with: {type: a.b}}}}\ndo: [{it: {set: {a: 1}}}]\n");
    assert_eq!(sandbox.run(&["run", "on", "--scheduled", "-i", "a=1"]).exit, 2);
    assert_eq!(sandbox.files().len(), before.len() + 1, "nothing was written");
}

fn schedules_are_listed_and_nothing_is_written() {
    let mut sandbox = project("{cron: '30 2 * * *'}");
    let before = sandbox.files();
    let said = sandbox.run(&["schedules"]);
    assert_eq!(said.exit, 0, "{said:?}");
    assert!(said.stdout.contains("shop/tick") && said.stdout.contains("cron 30 2 * * *"), "{said:?}");
    let listed = sandbox.run(&["schedules", "--json"]).json();
    assert_eq!(listed["schedules"][0]["nextStart"], "2026-11-22T02:30:00.000Z", "{listed}");
    assert_eq!(listed["schedules"][0]["lastRun"], serde_json::Value::Null);
    assert_eq!(sandbox.files(), before);
}

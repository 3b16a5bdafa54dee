//! Several processes on one environment: who takes over, who decides, who counts.

use std::process::Child;
use std::time::Duration;

use crate::outside::Outside;
use crate::terminal::{Terminal, finish, narration, wait_for};

const ASKS: &str = "document: {dsl: 1.0.1, namespace: shop, name: asks, version: 1.0.0}
do:
  - ask: {call: approval, with: {title: Open the gates, chain: lead}}
  - open: {set: {opened: true}}
";
const CHAIN: &str = "chains: {lead: {levels: [{roles: [lead]}]}}\n";

fn asking() -> Terminal {
    let terminal = Terminal::project();
    terminal.write("workflows/asks.yaml", ASKS);
    terminal.write("policy/policy.yaml", CHAIN);
    terminal
}

/// A run that waits for an approval and that no process carries out; the approval.
fn left_waiting(terminal: &Terminal) -> String {
    assert_eq!(terminal.run(&["run", "asks", "--detach"]).exit, Some(4));
    let listed = terminal.run(&["approvals", "list", "--json"]).good().json();
    listed["approvals"][0]["approval"].as_str().unwrap().to_owned()
}

#[test]
fn workflows_12_a_decision_at_another_terminal_wakes_the_run_that_waits() {
    let terminal = asking();
    let mut running = terminal.spawn(&["run", "asks"]);
    let lines = narration(&mut running);
    let approval = wait_for(&lines, "apr_");
    terminal.run(&["approve", &approval, "--as", "lea"]).good();
    let said = finish(running).good();
    assert_eq!(said.json()["opened"], true);
    for kind in ["approval.requested", "approval.granted", "step.answered", "run.completed"] {
        assert_eq!(terminal.count(kind), 1, "{kind}");
    }
}

#[test]
fn workflows_13_of_twenty_processes_that_decide_exactly_one_ends_it() {
    let terminal = asking();
    let approval = left_waiting(&terminal);
    let deciders: Vec<(usize, Child)> = (0..20)
        .map(|index| {
            let verb = if index % 2 == 0 { "approve" } else { "deny" };
            let who = if index % 3 == 0 { "lea" } else { "leo" };
            (index, terminal.spawn(&[verb, &approval, "--as", who]))
        })
        .collect();
    let mut ended = Vec::new();
    for (index, child) in deciders {
        let said = finish(child);
        if said.exit == Some(0) && !said.stdout.starts_with("noop") {
            ended.push(index);
        } else if said.exit != Some(0) {
            assert!(said.stderr.contains("E0206"), "the loser is told who was faster: {said:?}");
        }
    }
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(terminal.count("approval.granted") + terminal.count("approval.denied"), 1);
    let said = terminal.run(&["run", "--resume"]);
    assert_eq!(said.exit, Some(if ended[0] % 2 == 0 { 0 } else { 5 }), "{said:?}");
}

#[test]
fn workflows_17_a_grant_before_expiry_leaves_nothing_to_expire() {
    let terminal = asking();
    terminal.write("policy/policy.yaml", "chains: {lead: {levels: [{roles: [lead], within: PT2S}]}}\n");
    let approval = left_waiting(&terminal);
    terminal.run(&["approve", &approval, "--as", "lea"]).good();
    std::thread::sleep(Duration::from_secs(2));
    terminal.run(&["run", "--resume"]).good();
    assert_eq!(terminal.count("approval.granted"), 1);
    assert_eq!(terminal.count("approval.expired") + terminal.count("approval.denied"), 0);
    assert_eq!(terminal.run(&["status", "--json"]).good().json()["runs"]["waiting"], serde_json::Value::Null);
}

#[test]
fn workflows_16_an_expiry_that_passed_while_the_engine_was_dead_is_written_once() {
    let terminal = asking();
    terminal.write("policy/policy.yaml", "chains: {lead: {levels: [{roles: [lead], within: PT1S}]}}\n");
    let mut running = terminal.spawn(&["run", "asks"]);
    let lines = narration(&mut running);
    let approval = wait_for(&lines, "apr_");
    running.kill().unwrap();
    running.wait().unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(terminal.run(&["approve", &approval, "--as", "lea"]).exit, Some(1), "it is too late");
    assert_eq!(terminal.run(&["run", "--resume"]).exit, Some(5));
    assert_eq!(terminal.run(&["run", "--resume", "latest"]).exit, Some(5));
    assert_eq!(terminal.count("approval.expired"), 1);
    let records = terminal.records();
    let expired = records.iter().find(|record| record["type"] == "approval.expired").unwrap();
    assert_eq!(expired["actor"], "system:aedile", "{expired}");
}

#[test]
fn a_second_process_takes_over_the_run_of_one_that_was_killed() {
    let terminal = asking();
    let outside = Outside::listen(7, Duration::ZERO);
    let at = format!("http://127.0.0.1:{}", outside.port());
    terminal.write(
        "workflows/slow.yaml",
        &format!(
            "document: {{dsl: 1.0.1, namespace: shop, name: slow, version: 1.0.0}}
do:
  - before: {{call: http, with: {{method: put, endpoint: {at}/before, body: 1}}}}
  - rest: {{wait: {{milliseconds: 600}}}}
  - after: {{call: http, with: {{method: post, endpoint: {at}/after, body: 1}}}}
"
        ),
    );
    terminal.write(
        "policy/policy.yaml",
        &format!("{CHAIN}grants: [{{capabilities: [\"http:127.0.0.1:{}\"]}}]\n", outside.port()),
    );
    // this one waits for a person all the while, and so its engine lives
    let mut other = terminal.spawn(&["run", "asks"]);
    let other_lines = narration(&mut other);
    let approval = wait_for(&other_lines, "apr_");
    let mut slow = terminal.spawn(&["run", "slow"]);
    let run = wait_for(&narration(&mut slow), "run_");
    slow.kill().unwrap();
    slow.wait().unwrap();
    let ended = || terminal.run(&["runs", "show", &run, "--json"]).good().json()["status"] == "completed";
    for _ in 0..300 {
        if ended() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(ended(), "nobody took {run} over");
    assert_eq!(outside.done("/after").len(), 1);
    assert_eq!(terminal.count("run.adopted"), 1);
    terminal.run(&["approve", &approval, "--as", "lea"]).good();
    finish(other).good();
}

#[test]
fn workflows_24_a_quota_holds_over_processes_at_once_and_after_a_restart() {
    let terminal = Terminal::project();
    terminal.write(
        "policy/policy.yaml",
        "quotas: [{match: {subject: run, workflow: shop/hello}, limit: 3, window: PT1H}]\n",
    );
    let at_once: Vec<Child> = (0..8).map(|_| terminal.spawn(&["run", "hello"])).collect();
    let mut exits: Vec<Option<i32>> = at_once.into_iter().map(|child| finish(child).exit).collect();
    exits.sort_unstable();
    assert_eq!(exits[..3], [Some(0); 3], "{exits:?}");
    assert_eq!(exits[3..], [Some(5); 5], "{exits:?}");
    let later = terminal.run(&["run", "hello"]);
    assert_eq!(later.exit, Some(5), "{later:?}");
    assert!(later.stderr.contains("all 3 within 1h are used"), "{later:?}");
}

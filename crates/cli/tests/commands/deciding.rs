//! Approvals from the command line: asked, given, refused, raced.

use std::process::{Child, Stdio};

use crate::harness::{Sandbox, trials};

trials!(
    workflows_12_an_approval_is_asked_once_and_wakes_the_run,
    workflows_11_the_same_decision_again_changes_nothing_and_the_other_is_refused,
    workflows_13_of_twenty_deciders_exactly_one_ends_it,
    workflows_14_who_does_not_hold_the_role_is_refused,
    the_requester_cannot_approve,
    a_denied_run_exits_with_5,
    workflows_16_an_approval_that_ran_out_while_nothing_ran_is_denied_once,
    acting_as_somebody_needs_leave,
    approve_as_answers_a_whole_chain,
);

const ASKS: &str = "document: {dsl: 1.0.1, namespace: shop, name: asks, version: 1.0.0}
do:
  - ask:
      call: approval
      with: {title: Open the gates, chain: CHAIN}
  - done:
      set: {opened: true}
";

fn project() -> Sandbox {
    let sandbox = Sandbox::with_project();
    sandbox.write("workflows/asks.yaml", &ASKS.replace("CHAIN", "one"));
    sandbox.write(
        "workflows/asks-two.yaml",
        &ASKS.replace("CHAIN", "two").replace("name: asks", "name: asks-two"),
    );
    sandbox.write(
        "workflows/asks-soon.yaml",
        &ASKS.replace("CHAIN", "soon").replace("name: asks", "name: asks-soon"),
    );
    sandbox.write(
        "policy/policy.yaml",
        "chains:
  one: {levels: [{roles: [lead]}]}
  two: {levels: [{roles: [lead], within: PT1H, onTimeout: escalate}, {roles: [boss]}]}
  soon: {levels: [{roles: [lead], within: PT1S}]}
",
    );
    sandbox.write(
        "access.yaml",
        "roles: {lead: [user:lea, user:leo], boss: [user:ben]}
actAs: {dev: {maria: [user:lea, user:ben]}}
persons: {dev: by-principal}
",
    );
    sandbox
}

/// Starts a run that waits and leaves it; the id of what it waits for.
fn waiting(sandbox: &mut Sandbox, workflow: &str) -> String {
    let said = sandbox.run(&["run", workflow, "--detach"]);
    assert_eq!(said.exit, 4, "{said:?}");
    let listed = sandbox.run(&["approvals", "list", "--json"]).json();
    listed["approvals"].as_array().unwrap().last().unwrap()["approval"].as_str().unwrap().to_owned()
}

fn finish(child: Child) -> (i32, String, String) {
    let output = child.wait_with_output().unwrap();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Polls until something waits for approval. The run is another process, so there is nothing to be told by.
fn first_waiting(sandbox: &mut Sandbox, running: &mut Child) -> String {
    for _ in 0..600 {
        if let Some(ended) = running.try_wait().unwrap() {
            let mut stderr = String::new();
            std::io::Read::read_to_string(running.stderr.as_mut().unwrap(), &mut stderr).unwrap();
            panic!("it ended with {ended} instead of waiting: {stderr}");
        }
        let listed = sandbox.run(&["approvals", "list", "--json"]).json();
        if let Some(first) = listed["approvals"].as_array().and_then(|all| all.first()) {
            return first["approval"].as_str().unwrap().to_owned();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("nothing ever waited");
}

fn workflows_12_an_approval_is_asked_once_and_wakes_the_run() {
    let mut sandbox = project();
    let mut running = sandbox.command(&["run", "asks"]).spawn().unwrap();
    let approval = first_waiting(&mut sandbox, &mut running);
    sandbox.as_user("lea");
    assert_eq!(sandbox.run(&["approve", &approval]).exit, 0);
    let (exit, stdout, stderr) = finish(running);
    assert_eq!(exit, 0, "{stderr}");
    assert!(stdout.contains("\"opened\": true"));
    assert!(stderr.contains(&format!("aedile approve {approval} --as lea")), "{stderr}");
    let log = sandbox.run(&["journal", "log", "--stream", &approval, "--json"]).stdout;
    assert_eq!(log.matches("approval.requested").count(), 1);
    assert_eq!(log.matches("approval.granted").count(), 1);
}

fn workflows_11_the_same_decision_again_changes_nothing_and_the_other_is_refused() {
    let mut sandbox = project();
    let approval = waiting(&mut sandbox, "asks");
    sandbox.as_user("lea");
    sandbox.run(&["approvals", "show", &approval]);
    assert_eq!(sandbox.run(&["approve", &approval, "-m", "seen"]).exit, 0);
    let again = sandbox.run(&["approve", &approval]);
    assert_eq!(again.exit, 0);
    assert!(again.stdout.starts_with("noop"), "{again:?}");
    assert_eq!(sandbox.run(&["deny", &approval]).exit, 1);
    sandbox.as_user("maria");
    assert_eq!(sandbox.run(&["run", "--resume"]).exit, 0);
    sandbox.snapshot("approve-twice");
}

fn workflows_13_of_twenty_deciders_exactly_one_ends_it() {
    let mut sandbox = project();
    let approval = waiting(&mut sandbox, "asks");
    let deciders: Vec<Child> = (0..20)
        .map(|index| {
            sandbox.as_user(if index % 2 == 0 { "lea" } else { "leo" });
            let verb = if index % 3 == 0 { "deny" } else { "approve" };
            sandbox.command(&[verb, &approval]).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ended = deciders
        .into_iter()
        .map(finish)
        .filter(|(exit, stdout, _)| *exit == 0 && !stdout.starts_with("noop"))
        .count();
    assert_eq!(ended, 1, "exactly one decides");
    let log = sandbox.run(&["journal", "log", "--stream", &approval, "--json"]).stdout;
    let terminal: usize = ["granted", "denied", "expired", "overridden", "withdrawn"]
        .iter()
        .map(|word| log.matches(&format!("\"approval.{word}\"")).count())
        .sum();
    assert_eq!(terminal, 1, "{log}");
}

fn workflows_14_who_does_not_hold_the_role_is_refused() {
    let mut sandbox = project();
    let approval = waiting(&mut sandbox, "asks");
    sandbox.as_user("ben");
    assert_eq!(sandbox.run(&["approve", &approval]).exit, 1);
    assert_eq!(sandbox.run(&["approve", &approval, "--override", "-m", "fire"]).exit, 1);
    assert_eq!(sandbox.run(&["approve", "apr_7"]).exit, 1, "never requested");
    sandbox.snapshot("not-an-approver");
}

fn the_requester_cannot_approve() {
    let mut sandbox = project();
    sandbox.as_user("lea");
    let approval = waiting(&mut sandbox, "asks");
    let said = sandbox.run(&["approve", &approval]);
    assert_eq!(said.exit, 1);
    assert!(said.stderr.contains("E0205"), "{said:?}");
}

fn a_denied_run_exits_with_5() {
    let mut sandbox = project();
    let approval = waiting(&mut sandbox, "asks");
    sandbox.as_user("lea");
    assert_eq!(sandbox.run(&["deny", &approval, "-m", "not today"]).exit, 0);
    sandbox.as_user("maria");
    let said = sandbox.run(&["run", "--resume"]);
    assert_eq!(said.exit, 5, "{said:?}");
    assert!(said.stderr.contains("not today"), "{said:?}");
}

fn workflows_16_an_approval_that_ran_out_while_nothing_ran_is_denied_once() {
    let mut sandbox = project();
    let said = sandbox.run(&["run", "asks-soon", "--detach"]);
    assert_eq!(said.exit, 4, "{said:?}");
    // every command is typed a minute after the one before it
    let said = sandbox.run(&["run", "--resume"]);
    assert_eq!(said.exit, 5, "{said:?}");
    let log = sandbox.run(&["journal", "export"]).stdout;
    assert_eq!(log.matches("\"approval.expired\"").count(), 1, "{log}");
}

fn acting_as_somebody_needs_leave() {
    let mut sandbox = project();
    let approval = waiting(&mut sandbox, "asks");
    sandbox.as_user("eve");
    assert_eq!(sandbox.run(&["approve", &approval, "--as", "lea"]).exit, 5);
    assert_eq!(sandbox.run(&["run", "asks", "--as", "token:ci"]).exit, 5);
    sandbox.snapshot("not-allowed-to-act");
}

fn approve_as_answers_a_whole_chain() {
    let mut sandbox = project();
    let said = sandbox.run(&["run", "asks-two", "--approve-as", "lea,ben"]);
    assert_eq!(said.exit, 0, "{said:?}");
    let said = sandbox.run(&["run", "asks-two", "--approve-as", "lea"]);
    assert_eq!(said.exit, 4, "the second level still waits: {said:?}");
}

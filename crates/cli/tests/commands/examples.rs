//! The examples that a user would keep: each is run as its README says.

use crate::harness::{Sandbox, trials};

trials!(
    release_completes_with_both_approvals,
    release_rolls_back_when_somebody_says_no,
    release_escalates_and_rolls_back_on_timeout,
    incident_response_notes_what_is_minor_and_restarts_what_is_major,
    data_fix_waits_for_its_window_in_prod,
    infrastructure_25_26_27_28_policies_of_examples_pass_their_tests,
);

fn release_completes_with_both_approvals() {
    let mut sandbox = Sandbox::with_example("release");
    let said = sandbox.run(&[
        "run",
        "workflows/release.yaml",
        "-i",
        "version=\"1.4.2\"",
        "--approve-as",
        "lea,omar",
    ]);
    assert_eq!(said.exit, 0, "{said:?}");
    assert!(said.stdout.contains("\"released\": true"), "{said:?}");
    assert_eq!(sandbox.run(&["journal", "verify"]).exit, 0);
    sandbox.snapshot("example-release");
}

fn release_rolls_back_when_somebody_says_no() {
    let mut sandbox = Sandbox::with_example("release");
    assert_eq!(sandbox.run(&["run", "release", "-i", "version=\"1.4.2\"", "--detach"]).exit, 4);
    let listed = sandbox.run(&["approvals", "list", "--json"]).json();
    let approval = listed["approvals"][0]["approval"].as_str().unwrap().to_owned();
    assert_eq!(sandbox.run(&["deny", &approval, "--as", "lea", "-m", "tests are red"]).exit, 0);
    let said = sandbox.run(&["run", "--resume"]);
    assert_eq!(said.exit, 5, "{said:?}");
    let log = sandbox.run(&["runs", "logs", "latest"]).stdout;
    assert!(log.contains("rollBack"), "{log}");
    assert!(!log.contains("promote"), "{log}");
}

fn release_escalates_and_rolls_back_on_timeout() {
    let mut sandbox = Sandbox::with_example("release");
    let policy = fs_err::read_to_string(sandbox.root().join("policy/policy.yaml")).unwrap();
    sandbox.write("policy/policy.yaml", &policy.replace("PT2H", "PT1S").replace("PT4H", "PT1S"));
    let said = sandbox.run(&["run", "release", "-i", "version=\"1.4.2\""]);
    assert_eq!(said.exit, 5, "{said:?}");
    let log = sandbox.run(&["journal", "export"]).stdout;
    assert_eq!(log.matches("\"approval.escalated\"").count(), 1);
    assert_eq!(log.matches("\"approval.expired\"").count(), 1);
    assert!(sandbox.run(&["runs", "logs", "latest"]).stdout.contains("rollBack"));
}

fn incident_response_notes_what_is_minor_and_restarts_what_is_major() {
    let mut sandbox = Sandbox::with_example("incident-response");
    let minor = ["run", "workflows/incident.yaml", "-i", "service=shop", "-i", "severity=minor", "--json"];
    let said = sandbox.run(&minor);
    assert_eq!(said.exit, 0, "{said:?}");
    assert_eq!(said.json()["output"]["restarted"], false);
    let major = [
        "run",
        "incident-response",
        "-i",
        "service=shop",
        "-i",
        "severity=major",
        "--approve-as",
        "noor,ida",
        "--json",
    ];
    let said = sandbox.run(&major);
    assert_eq!(said.exit, 0, "{said:?}");
    assert_eq!(said.json()["output"]["restarted"], true);
}

fn data_fix_waits_for_its_window_in_prod() {
    let mut sandbox = Sandbox::with_example("data-fix");
    let said =
        sandbox.run(&["run", "data-fix", "-i", "batches=[\"a\",\"b\"]", "--approve-as", "dana", "--json"]);
    assert_eq!(said.exit, 0, "{said:?}");
    sandbox.as_user("ann");
    assert_eq!(
        sandbox.run(&["run", "data-fix", "--env", "prod", "-i", "batches=[\"a\"]", "--detach"]).exit,
        4
    );
    let listed = sandbox.run(&["approvals", "list", "--env", "prod", "--json"]).json();
    let approval = listed["approvals"][0]["approval"].as_str().unwrap().to_owned();
    sandbox.as_user("dana");
    assert_eq!(sandbox.run(&["approve", &approval, "--env", "prod"]).exit, 0);
    let said = sandbox.run(&["run", "--env", "prod", "--resume", "--detach"]);
    assert_eq!(said.exit, 4, "{said:?}");
    let row = sandbox.run(&["runs", "show", "latest", "--env", "prod", "--json"]).json();
    let waits = (&row["waitingOn"]["kind"], &row["waitingOn"]["what"]);
    assert_eq!(waits, (&"window".into(), &"2026-11-24T01:00:00.000Z".into()), "{row}");
}

fn infrastructure_25_26_27_28_policies_of_examples_pass_their_tests() {
    for example in ["release", "incident-response", "data-fix", "guardrails"] {
        let mut sandbox = Sandbox::with_example(example);
        let said = sandbox.run(&["policy", "test"]);
        assert_eq!(said.exit, 0, "{example}: {said:?}");
        assert_eq!(sandbox.run(&["validate"]).exit, 0, "{example}");
    }
}

//! Runs from the command line: started, watched, listed, steered.

use crate::harness::{Sandbox, trials};

trials!(
    a_run_is_watched_and_its_output_is_the_answer,
    json_answers_are_json_and_nothing_else,
    input_comes_from_a_file_or_standard_input,
    bad_documents_are_refused_with_their_place,
    workflows_07_unknown_functions_are_named,
    bad_inputs_are_refused_and_change_nothing,
    workflows_09_a_batch_stops_at_the_first_failure,
    workflows_10_a_run_denied_by_policy_exits_with_5,
    a_failed_run_says_why_and_can_be_retried,
    a_run_outside_a_project_says_where_its_journal_is,
    workflows_01_the_older_dialect_runs_as_it_is,
    the_same_idempotency_key_is_the_same_run,
    looking_writes_nothing,
    validate_and_fmt_before_anything_runs,
    a_broken_file_is_not_passed_off_as_a_missing_workflow,
    a_run_left_at_a_timer_is_what_detach_was_asked_for,
    no_answer_plays_with_the_terminal,
    without_a_home_a_run_outside_a_project_says_what_to_set,
);

/// A workflow that fails for inputs with `fail: true`.
const PICKY: &str = "document: {dsl: 1.0.1, namespace: shop, name: picky, version: 1.0.0}
do:
  - look:
      switch:
        - bad:
            when: ${ .fail == true }
            then: stop
        - good:
            then: done
  - stop:
      raise:
        error: {type: https://example.org/errors/no, status: 422, title: No}
  - done:
      set: {ok: true}
      then: end
";

fn a_run_is_watched_and_its_output_is_the_answer() {
    let mut sandbox = Sandbox::with_project();
    let said = sandbox.run(&["run", "hello", "-i", "name=Rome"]);
    assert_eq!(
        (said.exit, said.stdout.as_str()),
        (0, "{\n  \"greeting\": \"Hello, Rome!\"\n}\n"),
        "{said:?}"
    );
    sandbox.run(&["runs", "list"]);
    sandbox.run(&["runs", "show", "latest"]);
    sandbox.run(&["runs", "logs", "latest"]);
    sandbox.run(&["status"]);
    sandbox.run(&["journal", "log"]);
    sandbox.snapshot("run-hello");
}

fn json_answers_are_json_and_nothing_else() {
    let mut sandbox = Sandbox::with_project();
    let said = sandbox.run(&["run", "workflows/hello.yaml", "-i", "name=Rome", "--json"]);
    assert_eq!(said.stderr, "");
    let run = said.json()["run"].as_str().unwrap().to_owned();
    assert_eq!(said.json()["output"]["greeting"], "Hello, Rome!");
    assert_eq!(sandbox.run(&["runs", "list", "--json"]).json()["runs"][0]["run"], run.as_str());
    assert_eq!(sandbox.run(&["runs", "show", &run[..12], "--json"]).json()["status"], "completed");
    assert_eq!(sandbox.run(&["status", "--json"]).json()["runs"]["completed"], 1);
    for line in sandbox.run(&["journal", "export"]).stdout.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["specversion"], "1.0");
    }
    assert_eq!(sandbox.run(&["journal", "replay", "--json"]).json()["same"], true);
}

fn input_comes_from_a_file_or_standard_input() {
    let mut sandbox = Sandbox::with_project();
    sandbox.write("in.yaml", "name: Ostia\n");
    assert!(sandbox.run(&["run", "hello", "--input", "in.yaml"]).stdout.contains("Hello, Ostia!"));
    let said = sandbox.run_with_input(&["run", "hello", "--input", "-"], "{\"name\": \"Veii\"}");
    assert!(said.stdout.contains("Hello, Veii!"));
}

fn bad_documents_are_refused_with_their_place() {
    let mut sandbox = Sandbox::with_project();
    sandbox.write("bad.yaml", "document: {dsl: 1.0.1, namespace: shop\n");
    sandbox.write(
        "unknown.yaml",
        "document: {dsl: 1.0.1, namespace: shop, name: x, version: 1.0.0}\ndo:\n  - a:\n      frobnicate: 1\n",
    );
    sandbox.write(
        "jq.yaml",
        "document: {dsl: 1.0.1, namespace: shop, name: x, version: 1.0.0}\ndo:\n  - a:\n      set: {b: '${ .c[ }'}\n",
    );
    let before = sandbox.files();
    for file in ["bad.yaml", "unknown.yaml", "jq.yaml", "missing.yaml"] {
        assert_eq!(sandbox.run(&["run", file]).exit, 2, "{file}");
    }
    assert_eq!(sandbox.files(), before, "a refused document changes nothing");
    sandbox.snapshot("bad-documents");
}

fn workflows_07_unknown_functions_are_named() {
    let mut sandbox = Sandbox::with_project();
    sandbox.write(
        "call.yaml",
        "document: {dsl: 1.0.1, namespace: shop, name: x, version: 1.0.0}\ndo:\n  - a:\n      call: teleport:1.0.0\n",
    );
    let said = sandbox.run(&["run", "call.yaml"]);
    assert_eq!(said.exit, 2);
    assert!(said.stderr.contains("teleport") && said.stderr.contains("call.yaml:4"), "{}", said.stderr);
}

fn bad_inputs_are_refused_and_change_nothing() {
    let mut sandbox = Sandbox::with_project();
    sandbox.write(
        "strict.yaml",
        "document: {dsl: 1.0.1, namespace: shop, name: strict, version: 1.0.0}
input: {schema: {document: {type: object, required: [name]}}}
do: [{a: {set: {b: 1}}}]
",
    );
    let before = sandbox.files();
    assert_eq!(sandbox.run(&["run", "strict.yaml"]).exit, 2);
    assert_eq!(sandbox.run(&["run", "strict.yaml", "-i", "name"]).exit, 2);
    sandbox.write("huge.json", &format!("\"{}\"", "x".repeat(5 << 20)));
    assert_eq!(sandbox.run(&["run", "strict.yaml", "--input", "huge.json"]).exit, 2);
    fs_err::remove_file(sandbox.root().join("huge.json")).unwrap();
    assert_eq!(sandbox.files(), before);
    sandbox.snapshot("bad-inputs");
}

fn workflows_09_a_batch_stops_at_the_first_failure() {
    let mut sandbox = Sandbox::with_project();
    sandbox.write("workflows/picky.yaml", PICKY);
    sandbox.write("inputs.json", "[{\"n\": 1}, {\"n\": 2, \"fail\": true}, {\"n\": 3}]");
    let said = sandbox.run(&["run", "picky", "--batch", "inputs.json", "--results", "out"]);
    assert_eq!(said.exit, 1, "{said:?}");
    let result = |name: &str| fs_err::read_to_string(sandbox.root().join("out").join(name));
    let first: serde_json::Value = serde_json::from_str(&result("batch-001.result.json").unwrap()).unwrap();
    assert_eq!(first["output"]["ok"], true);
    let second: serde_json::Value = serde_json::from_str(&result("batch-002.result.json").unwrap()).unwrap();
    assert_eq!(second["problem"]["status"], 422);
    assert!(result("batch-003.result.json").is_err(), "the rest is not run");
}

fn workflows_10_a_run_denied_by_policy_exits_with_5() {
    let mut sandbox = Sandbox::with_project();
    sandbox.write(
        "policy/policy.yaml",
        "deny: [{match: {subject: run, workflow: shop/hello}, reason: the forum is closed}]\n",
    );
    let said = sandbox.run(&["run", "hello"]);
    assert_eq!(said.exit, 5, "{said:?}");
    assert_eq!(sandbox.run(&["runs", "show", "latest", "--json"]).json()["status"], "failed");
    sandbox.run(&["policy", "explain", "latest"]);
    sandbox.snapshot("denied");
}

fn a_failed_run_says_why_and_can_be_retried() {
    let mut sandbox = Sandbox::with_project();
    sandbox.write("workflows/picky.yaml", PICKY);
    assert_eq!(sandbox.run(&["run", "picky", "-i", "fail=true"]).exit, 1);
    assert_eq!(sandbox.run(&["runs", "cancel", "latest"]).exit, 1, "it has ended");
    assert_eq!(sandbox.run(&["runs", "retry", "latest"]).exit, 0);
    assert_eq!(sandbox.run(&["run", "--resume", "latest"]).exit, 1, "it fails the same way again");
    sandbox.snapshot("failed");
}

fn a_run_outside_a_project_says_where_its_journal_is() {
    let mut sandbox = Sandbox::new();
    sandbox.write(
        "one.yaml",
        "document: {dsl: 1.0.1, namespace: shop, name: one, version: 1.0.0}\ndo: [{a: {set: {b: 1}}}]\n",
    );
    assert_eq!(sandbox.run(&["run", "one.yaml"]).exit, 0);
    assert_eq!(sandbox.run(&["run", "one.yaml"]).exit, 0);
    sandbox.run(&["runs", "list"]);
    sandbox.snapshot("outside");
}

fn workflows_01_the_older_dialect_runs_as_it_is() {
    let Some(shared) = crate::harness::conformance("seed-inputs/demon/echo.yaml") else { return };
    let mut sandbox = Sandbox::new();
    let said = sandbox.run(&["run", shared.to_str().unwrap()]);
    assert_eq!(said.exit, 0, "{said:?}");
    let (first, rest) = said.stdout.split_once('\n').unwrap();
    assert_eq!(first, "Hello from Demon!");
    let event: serde_json::Value = serde_json::from_str(rest).unwrap();
    assert_eq!(event["event"], "ritual.completed:v1");
    assert_eq!(event["ritualId"], "echo-ritual");
    assert_eq!(event["outputs"]["result"]["success"], true);
}

fn the_same_idempotency_key_is_the_same_run() {
    let mut sandbox = Sandbox::with_project();
    let run = |sandbox: &mut Sandbox| {
        sandbox.run(&["run", "hello", "--idempotency-key", "k1", "--json"]).json()["run"].clone()
    };
    assert_eq!(run(&mut sandbox), run(&mut sandbox));
}

fn looking_writes_nothing() {
    let mut sandbox = Sandbox::with_project();
    let looks: [&[&str]; 12] = [
        &["status"],
        &["runs", "list"],
        &["approvals", "list"],
        &["validate"],
        &["fmt", "--check"],
        &["policy", "list"],
        &["doctor"],
        &["explain", "E0301"],
        &["runs", "show", "latest"],
        &["journal", "log"],
        &["journal", "verify"],
        &["journal", "replay"],
    ];
    let before = sandbox.files();
    for look in looks {
        sandbox.run(look);
        assert_eq!(sandbox.files(), before, "{look:?} before the first run");
    }
    assert_eq!(sandbox.run(&["run", "hello"]).exit, 0);
    let before = sandbox.files();
    for look in looks {
        assert_eq!(sandbox.run(look).exit, 0, "{look:?}");
        assert_eq!(sandbox.files(), before, "{look:?}");
    }
}

fn validate_and_fmt_before_anything_runs() {
    let mut sandbox = Sandbox::with_project();
    assert_eq!(sandbox.run(&["validate"]).exit, 0);
    sandbox.write("workflows/messy.yaml", &PICKY.replace("do:\n", "do:   \n\n\n"));
    assert_eq!(sandbox.run(&["fmt", "--check"]).exit, 1);
    assert_eq!(sandbox.run(&["fmt"]).exit, 0);
    assert_eq!(sandbox.run(&["fmt", "--check"]).exit, 0);
    sandbox.write("access.yaml", "roles: {lead: ['robot:x']}\n");
    sandbox.write("workflows/broken.yaml", "document: {dsl: 1.0.1}\ndo: []\n");
    assert_eq!(sandbox.run(&["validate"]).exit, 2);
    let said = sandbox.run(&["validate", "--json"]);
    assert_eq!(said.json()["valid"], false);
    sandbox.snapshot("validate");
}

fn a_broken_file_is_not_passed_off_as_a_missing_workflow() {
    let mut sandbox = Sandbox::with_project();
    sandbox.write(
        "workflows/deploy.yaml",
        "document: {dsl: 1.0.1, namespace: shop, name: deploy, version: 1.0.0}\ndo: 7\n",
    );
    let meant = sandbox.run(&["run", "deploy"]);
    assert!(meant.exit == 2 && meant.stderr.contains("workflows/deploy.yaml:2:5"), "{meant:?}");
    let other = sandbox.run(&["run", "helo"]);
    assert_eq!(other.exit, 1);
    for word in [
        "no workflow helo",
        "there is hello",
        "workflows/deploy.yaml cannot be read",
        "hint: aedile validate",
    ] {
        assert!(other.stderr.contains(word), "{word}: {other:?}");
    }
}

fn a_run_left_at_a_timer_is_what_detach_was_asked_for() {
    let mut sandbox = Sandbox::with_project();
    let waits = "document: {dsl: 1.0.1, namespace: shop, name: waits, version: 1.0.0}\ndo: [{rest: {wait: {days: 1}}}]\n";
    sandbox.write("workflows/waits.yaml", waits);
    let said = sandbox.run(&["run", "waits", "--detach"]);
    assert!(said.exit == 0 && said.stderr.contains("aedile run --resume"), "{said:?}");
    assert_eq!(sandbox.run(&["run", "waits", "--detach", "--json"]).json()["status"], "waiting");
}

fn no_answer_plays_with_the_terminal() {
    let mut sandbox = Sandbox::with_project();
    let name = "\u{202e}\u{9b}2J";
    for args in [&["run", "hello", "-i"][..], &["run", "hello", "--json", "-i"]] {
        let said = sandbox.run(&[args, &[&format!("name={name}")]].concat());
        assert_eq!(said.json().to_string().matches(name).count(), 1, "{said:?}");
        assert!(!said.stdout.contains(['\u{202e}', '\u{9b}']), "{said:?}");
    }
}

fn without_a_home_a_run_outside_a_project_says_what_to_set() {
    let mut sandbox = Sandbox::new();
    sandbox.write(
        "one.yaml",
        "document: {dsl: 1.0.1, namespace: a, name: one, version: 1.0.0}\ndo: [{one: {set: {a: 1}}}]\n",
    );
    let said = sandbox.command(&["run", "one.yaml"]).env_remove("AEDILE_TEST_STATE").output().unwrap();
    let stderr = String::from_utf8(said.stderr).unwrap();
    assert!(said.status.code() == Some(2) && stderr.contains("XDG_STATE_HOME"), "{stderr}");
}

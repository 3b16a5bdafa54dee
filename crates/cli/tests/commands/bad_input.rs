//! Bad input, case by case: refused with the exit code of the table before anything changes, or reported with nothing lost.

use crate::harness::{Said, Sandbox, trials};

trials!(
    malformed_yaml_is_refused,
    an_unknown_task_is_refused,
    a_wrong_expression_is_refused,
    a_then_that_goes_in_a_circle_is_stopped,
    an_unknown_function_is_refused,
    an_input_against_the_schema_is_refused,
    an_input_of_a_hundred_megabytes_is_refused,
    deep_nesting_is_refused,
    a_missing_secret_is_refused,
    a_policy_that_does_not_compile_is_refused,
    a_clock_set_back_loses_nothing,
    a_locked_store_is_said_and_nothing_lost,
    state_that_is_no_journal_is_refused_and_kept,
);

const HEAD: &str = "document: {dsl: 1.0.1, namespace: shop, name: bad, version: 1.0.0}\n";

/// Runs a document that must be refused, and holds that nothing at all was changed.
fn refused(sandbox: &mut Sandbox, text: &str, more: &[&str], exit: i32, code: &str) -> Said {
    sandbox.write("workflows/bad.yaml", text);
    let before = sandbox.files();
    let said = sandbox.run(&[&["run", "workflows/bad.yaml"], more].concat());
    assert_eq!(said.exit, exit, "{said:?}");
    assert!(said.stderr.contains(code), "{said:?}");
    assert_eq!(said.stdout, "", "{said:?}");
    assert_eq!(sandbox.files(), before, "something was changed");
    said
}

fn malformed_yaml_is_refused() {
    let mut sandbox = Sandbox::with_project();
    let said = refused(&mut sandbox, "document: {dsl: 1.0.1\ndo: [", &[], 2, "E0301");
    assert!(said.stderr.contains("workflows/bad.yaml:"), "{said:?}");
}

fn an_unknown_task_is_refused() {
    let mut sandbox = Sandbox::with_project();
    let said = refused(&mut sandbox, &format!("{HEAD}do:\n  - a: {{juggle: 3}}\n"), &[], 2, "error[E03");
    assert!(said.stderr.contains("workflows/bad.yaml:3:"), "{said:?}");
}

fn a_wrong_expression_is_refused() {
    let mut sandbox = Sandbox::with_project();
    let text = format!("{HEAD}do:\n  - a: {{set: {{x: \"${{ .a | }}\"}}}}\n");
    let said = refused(&mut sandbox, &text, &[], 2, "E0306");
    assert!(said.stderr.contains("workflows/bad.yaml:3:"), "{said:?}");
}

fn a_then_that_goes_in_a_circle_is_stopped() {
    let mut sandbox = Sandbox::with_project();
    let text = format!("{HEAD}do:\n  - a: {{set: {{x: 1}}, then: b}}\n  - b: {{set: {{x: 2}}, then: a}}\n");
    sandbox.write("workflows/bad.yaml", &text);
    let said = sandbox.run(&["run", "workflows/bad.yaml"]);
    assert!(matches!(said.exit, 1 | 2), "{said:?}");
    assert_eq!(sandbox.run(&["journal", "verify"]).exit, i32::from(said.exit == 2), "{said:?}");
}

fn an_unknown_function_is_refused() {
    let mut sandbox = Sandbox::with_project();
    let said = refused(&mut sandbox, &format!("{HEAD}do:\n  - a: {{call: ech:0.1.0}}\n"), &[], 2, "E0307");
    assert!(said.stderr.contains("workflows/bad.yaml:3:"), "{said:?}");
}

fn an_input_against_the_schema_is_refused() {
    let mut sandbox = Sandbox::with_project();
    let text = format!(
        "{HEAD}input:\n  schema:\n    document: {{type: object, required: [size]}}\ndo:\n  - a: {{set: {{x: 1}}}}\n"
    );
    refused(&mut sandbox, &text, &["-i", "color=red"], 2, "size");
}

fn an_input_of_a_hundred_megabytes_is_refused() {
    let mut sandbox = Sandbox::with_project();
    sandbox.write("big.json", &format!("\"{}\"", "x".repeat(100 << 20)));
    let text = format!("{HEAD}do:\n  - a: {{set: {{x: 1}}}}\n");
    refused(&mut sandbox, &text, &["--input", "big.json"], 2, "larger than");
}

fn deep_nesting_is_refused() {
    let mut sandbox = Sandbox::with_project();
    let deep = format!("{HEAD}do:\n  - a: {{set: {{x: {}{}}}}}\n", "[".repeat(100_000), "]".repeat(100_000));
    refused(&mut sandbox, &deep, &[], 2, "error[E0");
    sandbox.write("deep.json", &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    let text = format!("{HEAD}do:\n  - a: {{set: {{x: 1}}}}\n");
    refused(&mut sandbox, &text, &["--input", "deep.json"], 2, "error[E0");
}

fn a_missing_secret_is_refused() {
    let mut sandbox = Sandbox::with_project();
    let text = format!("{HEAD}use: {{secrets: [token]}}\ndo:\n  - a: {{set: {{x: 1}}}}\n");
    sandbox.write("workflows/bad.yaml", &text);
    let said = sandbox.run(&["run", "workflows/bad.yaml"]);
    assert_eq!(said.exit, 2, "{said:?}");
    assert!(said.stderr.contains("token") && said.stderr.contains("AEDILE_SECRET_TOKEN"), "{said:?}");
    assert_eq!(sandbox.run(&["runs", "list", "--json"]).json()["runs"], serde_json::json!([]));
}

fn a_policy_that_does_not_compile_is_refused() {
    let mut sandbox = Sandbox::with_project();
    for (file, policy, place) in [
        ("policy/policy.yaml", "quotas:\n  - {limit: 1}\n", "policy/policy.yaml:2:"),
        ("policy/wrong.rego", "package aedile\n\ndeny contains \"x\" if {\n", "policy/wrong.rego"),
    ] {
        sandbox.write(file, policy);
        let text = format!("{HEAD}do:\n  - a: {{set: {{x: 1}}}}\n");
        let said = refused(&mut sandbox, &text, &[], 2, "E0202");
        assert!(said.stderr.contains(place), "{said:?}");
        fs_err::remove_file(sandbox.root().join(file)).unwrap();
    }
}

fn a_clock_set_back_loses_nothing() {
    let mut sandbox = Sandbox::with_project();
    assert_eq!(sandbox.run(&["run", "hello", "-i", "name=Rome"]).exit, 0);
    let first = sandbox.run(&["runs", "list", "--json"]).json()["runs"][0]["run"].clone();
    sandbox.turn_back();
    assert_eq!(sandbox.run(&["run", "hello", "-i", "name=Carthage"]).exit, 0);
    assert_eq!(sandbox.run(&["journal", "verify"]).exit, 0);
    let listed = sandbox.run(&["runs", "list", "--json"]).json();
    let listed = listed["runs"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().any(|run| run["run"] == first), "{listed:?}");
    assert!(listed.iter().all(|run| run["status"] == "completed"), "{listed:?}");
}

#[expect(clippy::print_stdout, reason = "a skipped test says why")]
fn a_locked_store_is_said_and_nothing_lost() {
    let mut sandbox = Sandbox::with_project();
    assert_eq!(sandbox.run(&["run", "hello", "-i", "name=Rome"]).exit, 0);
    let journal = sandbox.root().join(".aedile/dev/journal.db");
    let mut holder = std::process::Command::new("python3")
        .arg("-c")
        .arg("import sqlite3,sys;c=sqlite3.connect(sys.argv[1],isolation_level=None);c.execute('BEGIN EXCLUSIVE');print('held',flush=True);sys.stdin.read()")
        .arg(&journal)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(holder) = &mut holder else {
        println!("skipped: there is no python3 to hold the journal");
        return;
    };
    let mut held = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut held)
        .unwrap();
    let said = sandbox.run(&["run", "hello", "-i", "name=Carthage"]);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_ne!(said.exit, 0, "{said:?}");
    assert!(said.stderr.contains("error[E01"), "{said:?}");
    assert_eq!(sandbox.run(&["journal", "verify"]).exit, 0);
    assert_eq!(sandbox.run(&["run", "hello", "-i", "name=Carthage"]).exit, 0);
}

fn state_that_is_no_journal_is_refused_and_kept() {
    let mut sandbox = Sandbox::with_project();
    assert_eq!(sandbox.run(&["run", "hello", "-i", "name=Rome"]).exit, 0);
    sandbox.write(".aedile/dev/journal.db", "this was a journal once, and is something else now");
    let before = sandbox.files();
    let said = sandbox.run(&["run", "hello", "-i", "name=Rome"]);
    assert_ne!(said.exit, 0, "{said:?}");
    assert!(said.stderr.contains("error[E01"), "{said:?}");
    let journal = |files: &[String]| files.iter().find(|file| file.contains("journal.db ")).cloned();
    assert_eq!(journal(&sandbox.files()), journal(&before));
}

//! Commands about the program itself, and how every command fails.

use crate::harness::{Sandbox, trials};

trials!(
    help_fits_the_screen,
    init_starts_a_project_once,
    init_in_json,
    explain_shows_a_page,
    unknown_codes_are_refused,
    wrong_command_lines_are_usage_errors,
    completion_for_every_shell,
    version_is_the_crate_s,
);

fn help_fits_the_screen() {
    let mut sandbox = Sandbox::new();
    sandbox.run(&["-h"]);
    sandbox.run(&["run", "-h"]);
    sandbox.run(&["journal", "-h"]);
    sandbox.snapshot("help");
}

fn init_starts_a_project_once() {
    let mut sandbox = Sandbox::new();
    sandbox.run(&["init", "shop"]);
    let files = sandbox.files();
    assert_eq!(sandbox.run(&["init", "shop"]).exit, 2);
    assert_eq!(sandbox.files(), files, "a refused command changes nothing");
    sandbox.snapshot("init");
}

fn init_in_json() {
    let mut sandbox = Sandbox::new();
    let said = sandbox.run(&["init", "--name", "Blue Shop", "--json"]);
    assert_eq!(said.json()["name"], "blue-shop");
    assert_eq!(said.stderr, "");
    let again = sandbox.run(&["init", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&again.stderr).unwrap();
    assert_eq!(error["error"]["code"], "E0003");
    assert_eq!(again.stdout, "");
}

fn explain_shows_a_page() {
    let mut sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["explain", "e0301"]).exit, 0);
    let said = sandbox.run(&["explain", "--json"]);
    assert_eq!(said.json()["codes"].as_array().unwrap().len(), model::code::all().count());
}

fn unknown_codes_are_refused() {
    let mut sandbox = Sandbox::new();
    sandbox.run(&["explain", "E9999"]);
    sandbox.run(&["explain", "E9999", "--json"]);
    sandbox.snapshot("explain-unknown");
}

fn wrong_command_lines_are_usage_errors() {
    let mut sandbox = Sandbox::new();
    for args in
        [&["frobnicate"][..], &["run"], &["runs", "list", "--limit", "0"], &["init", "--json", "a", "b"]]
    {
        assert_eq!(sandbox.run(args).exit, 2, "{args:?}");
    }
    sandbox.snapshot("usage");
}

fn completion_for_every_shell() {
    let mut sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = sandbox.run(&["completion", shell]);
        assert_eq!(said.exit, 0);
        assert!(said.stdout.contains("approve"), "{shell}");
    }
}

fn version_is_the_crate_s() {
    let mut sandbox = Sandbox::new();
    let said = sandbox.run(&["version"]);
    assert_eq!(said.stdout, format!("aedile {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(sandbox.run(&["version", "--json"]).json()["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(sandbox.run(&["--version"]).stdout, said.stdout);
}

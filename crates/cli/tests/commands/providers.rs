//! Providers: listed, shown, and held to their word.

use crate::harness::{Sandbox, trials};

trials!(
    providers_are_listed_and_one_is_shown,
    a_provider_that_keeps_its_word_passes,
    a_provider_that_does_not_is_counted,
    what_is_no_provider_is_named,
);

const MANIFEST: &str = "metadata: {name: linux.file, version: 0.1.0, author: A, license: MIT}
schema: {version: '1', resource_types: {linux.file::file: {}}}
entrypoint: plugin.wasm
";

fn providers_are_listed_and_one_is_shown() {
    let mut sandbox = Sandbox::with_project();
    let before = sandbox.files();
    // the digests of this build are in no snapshot
    let listed = Sandbox::with_project().run(&["provider", "list"]);
    assert_eq!(listed.exit, 0, "{listed:?}");
    for name in ["linux.exec", "linux.file", "linux.pkg", "linux.service", "linux.user", "probe.net"] {
        assert!(listed.stdout.contains(name), "{listed:?}");
    }
    sandbox.run(&["provider", "list", "--json"]);
    let shown = sandbox.run(&["provider", "show", "probe.net"]);
    assert!(shown.stdout.contains("may tcp:{host}:{port}"), "{shown:?}");
    assert_eq!(sandbox.files(), before, "looking writes nothing");
    sandbox.snapshot("providers");
}

fn a_provider_that_keeps_its_word_passes() {
    let mut sandbox = Sandbox::with_project();
    let said = sandbox.run(&["provider", "check", "linux.file", "--json"]);
    assert_eq!(said.exit, 0, "{said:?}");
    let report = said.json();
    assert_eq!(report["mismatchCount"], 0, "{report}");
    assert!(report["checks"].as_u64().unwrap() >= 60, "{report}");
}

fn a_provider_that_does_not_is_counted() {
    let mut sandbox = Sandbox::with_project();
    // what it may not run, it cannot do as planned
    let cases = r#"[{"name": "a command", "type": "linux.exec::exec",
        "configs": [{"command": ["touch", "$ROOT/x"], "creates": "$ROOT/x"}]}]"#;
    sandbox.write("cases.json", cases);
    let refused = sandbox.run(&["provider", "check", "linux.exec", "--cases", "cases.json", "--json"]);
    assert_eq!(refused.exit, 6, "{refused:?}");
    assert!(refused.stderr.contains("E1105"), "{refused:?}");
    assert!(refused.json()["mismatchCount"].as_u64().unwrap() > 0, "{refused:?}");
}

fn what_is_no_provider_is_named() {
    let mut sandbox = Sandbox::with_project();
    sandbox.run(&["provider", "show", "linux.fil"]);
    sandbox.run(&["provider", "show", "linux.file", "--version", "^9"]);
    sandbox.run(&["provider", "check", "linux.pkg"]);
    sandbox.write("providers/own/manifest.yaml", &MANIFEST.replace("license: MIT", "licence: MIT"));
    sandbox.run(&["provider", "list"]);
    sandbox.write("providers/own/manifest.yaml", &MANIFEST.replace("plugin.wasm", "../plugin.wasm"));
    sandbox.run(&["provider", "check", "providers/own"]);
    sandbox.write("providers/own/manifest.yaml", MANIFEST);
    sandbox.write("providers/own/plugin.wasm", "no component");
    sandbox.run(&["provider", "show", "providers/own"]);
    sandbox.snapshot("providers-refused");
}

//! What people get wrong, and what they are told: every mistake with its place, and a suggestion where there is one.

use crate::facts::{load, said};

/// Name and text; the answers are in the snapshot.
const MISTAKES: &[(&str, &str)] = &[
    ("a misspelt top field", "resorces: x: {type: \"a.b\"}"),
    ("a helper of one's own is none", "region: \"eu\"\nselected: environments.dev\nenvironments: dev: {}"),
    ("a misspelt namespace", "linxu: pkg: nginx: {}"),
    ("a misspelt provider", "linux: pgk: nginx: {}"),
    ("a misspelt field of a resource", "resources: x: {\n\ttype: \"a.b\"\n\tdependecies: []\n}"),
    ("a misspelt field of a host", "hosts: h: {adress: \"x\"}"),
    ("a misspelt field of a dependency", "resources: x: {type: \"a.b\", dependencies: [{id: \"y\"}]}"),
    ("a misspelt field of the workspace", "workspace: nmae: \"x\""),
    (
        "an unknown kind of dependency",
        "resources: {a: {type: \"a.b\"}, b: {type: \"a.b\", dependencies: [{resource_id: \"a\", type: \"requires\"}]}}",
    ),
    (
        "a dependency on nothing",
        "linux: pkg: nginx: {}\nresources: x: {type: \"a.b\", dependencies: [\n\t{resource_id: \"linux-pkg-ngnix\"},\n]}",
    ),
    (
        "a key where an id is needed",
        "resources: {a: {id: \"the-a\", type: \"a.b\"}, b: {type: \"a.b\", dependencies: [{resource_id: \"a\"}]}}",
    ),
    ("a text where an object is needed", "resources: x: \"nginx\""),
    ("an object where a list is needed", "resources: x: {type: \"a.b\", dependencies: {}}"),
    ("a package given as text", "linux: pkg: nginx: \"1.18\""),
    ("an id with a space", "resources: \"my app\": {type: \"a.b\"}"),
    ("a package with a space", "linux: pkg: [\"my app\"]"),
    ("a type that is none", "resources: x: {type: \"9 lives\"}"),
    ("a target that says nothing", "targets: {}"),
    ("a target that says false", "targets: all: false"),
    ("a selector that is none", "targets: selector: \"role=web,,env=prod\""),
    ("a port that is none", "hosts: h: port: 70000"),
    ("a port that is half", "hosts: h: port: 22.5"),
    ("a host key that is none", "hosts: h: host_key: \"aa:bb\""),
    ("an address that is an option", "hosts: h: address: \"-oProxyCommand=x\""),
    ("a way through a host that is not there", "hosts: {gate: {}, h: jump: \"gaet\"}"),
    ("a way through itself", "hosts: h: jump: [\"h\"]"),
    ("a way of replacing that is none", "resources: x: {type: \"a.b\", replace: \"create-first\"}"),
    ("a host named twice", "hosts: h: port: 22\nhosts: h: port: 23"),
    ("a helper without a script", "starlark: gen: inputs: {}"),
    ("a helper with a misspelt field", "starlark: gen: {script: \"result = 1\", input: {}}"),
    ("a generator without resources", "#GenerateAll: \"result = 1\""),
    ("a check without a type", "checks: up: config: url: \"x\""),
    ("a provider named twice", "workspace: providers: [{name: \"a.b\"}, {name: \"a.b\"}]"),
    ("an older way of writing", "resource \"nginx\": {\n\ttype: \"a.b\"\n}"),
    ("several at once", "hosts: h: {port: 0, usr: \"x\"}\nresources: {a: {}, b: {type: \"a.b\", keep: 1}}"),
];

#[test]
fn every_mistake_has_its_place_and_a_suggestion() {
    let mut out = String::new();
    for (name, text) in MISTAKES {
        out.push_str(&format!("# {name}\n"));
        match load(text) {
            Ok(_) => out.push_str("accepted\n"),
            Err(errors) => {
                assert!(errors.iter().all(|error| error.location.line > 0), "{name}: {}", said(&errors));
                out.push_str(&said(&errors));
            }
        }
        out.push('\n');
    }
    insta::assert_snapshot!(out);
}

#[test]
fn no_more_than_a_hundred_are_told() {
    let many: String = (0..500).map(|n| format!("\tr{n}: {{tpye: \"a.b\"}}\n")).collect();
    let errors = load(&format!("resources: {{\n{many}}}")).unwrap_err();
    assert!((50..=100).contains(&errors.len()), "{}", errors.len());
}

//! The schema that is shipped, and what is read: they accept the same.

use config::{Options, Sources};

use crate::facts::{load, said};
use crate::seeds;

/// Whether the schema accepts a configuration.
fn accepted(text: &str) -> Result<(), String> {
    let whole = format!("{}\ndoc: #Project & {{\n{text}\n}}\n", config::schema());
    let value = cue::compile("schema.cue", &whole).map_err(|errors| errors.to_string())?;
    value.lookup("doc").unwrap().validate(true).map_err(|errors| errors.to_string())
}

#[test]
fn the_schema_is_right_and_can_be_imported() {
    cue::compile("schema.cue", config::schema()).unwrap().validate(false).unwrap();
    let text = "package site\nimport \"aedile.dev/schema\"\nschema.#Project\nhosts: h: schema.#Host & {port: 22}\n\
        resources: x: schema.#Resource & {type: \"linux.file\", config: path: \"/x\"}";
    let project = config::load(&Sources::of("site.cue", text), &Options::default())
        .unwrap_or_else(|e| panic!("{}", said(&e)));
    assert_eq!((project.hosts.len(), project.desired.resources.len()), (1, 1));
    let wrong = text.replace("port: 22", "prt: 22");
    let errors = config::load(&Sources::of("site.cue", wrong), &Options::default()).unwrap_err();
    assert_eq!((errors[0].code.id, errors[0].location.line), ("E0702", 4), "{}", said(&errors));
}

#[test]
fn the_schema_and_the_reader_agree() {
    let right = [
        "",
        "workspace: {name: \"x\", version: \"1\", providers: [{name: \"linux.pkg\", version: \">=1\"}]}",
        "workspace: {backend: type: \"solo\", policy: enabled: true}",
        "environments: {dev: {}, prod: {variables: n: 1, anything: [1]}}\nvariables: n: *1 | int",
        "hosts: {a: {}, b: {address: \"x\", port: 22, user: \"u\", labels: {k: \"v\", n: 1}, jump: \"a\", key: \"k\", sudo: false}}",
        "hosts: {a: {}, b: jump: [\"a\"]}",
        "targets: {hosts: [\"a\"], labels: k: \"v\", selector: \"a=b\", allow_empty: true}\nhosts: a: {}",
        "targets: all: true",
        "resources: x: {id: \"y\", type: \"a.b::c\", name: \"n\", config: {a: 1, b: [true], c: {d: null}}, labels: l: \"v\"}",
        "resources: {a: {type: \"a.b\"}, b: {type: \"a.b\", dependencies: [{resource_id: \"a\"}, {resource_id: \"a\", type: \"notify\"}]}}",
        "resources: a: {type: \"a.b\", keep: true, ignore: [\"mode\"], replace: \"create_first\", handler: \"restart\", moved_from: \"b\"}",
        "resources: a: {type: \"a.b\", moved_from: [\"b\", \"c\"], annotations: owner: \"me\", target: all: true}",
        "linux: pkg: {nginx: {}, redis: {state: \"latest\", keep: true}}",
        "linux: pkg: [\"a\", \"b\"]",
        "linux: pkg: {install: [\"a\"], remove: [\"b\"], upgrade: [\"c\"]}",
        "linux: {file: \"/x\": mode: \"0644\", service: nginx: {state: \"running\", target: labels: a: \"b\"}}",
        "probe: http: up: {url: \"http://x\"}",
        "checks: up: {type: \"probe.http\", config: url: \"x\", target: all: true}",
        "starlark: g: {script: \"result = {}\", inputs: {a: 1}}",
        "mine: 1\n#Own: {a: int}\n_hidden: string\nselectedEnv: 1",
        "metadata: {anything: [1, {goes: true}]}",
    ];
    let wrong = [
        "workspace: nmae: \"x\"",
        "workspace: providers: [{version: \"1\"}]",
        "workspace: name: 1",
        "hosts: \"-a\": {}",
        "hosts: a: prt: 22",
        "hosts: a: port: 0",
        "hosts: a: port: \"22\"",
        "hosts: a: address: \"-x\"",
        "hosts: a: host_key: \"SHA256:short\"",
        "hosts: a: sudo: \"yes\"",
        "targets: label: a: \"b\"",
        "targets: all: false",
        "targets: labels: a: [1]",
        "resources: x: {}",
        "resources: x: {type: \"9\"}",
        "resources: x: {type: \"a.b\", config: []}",
        "resources: x: {type: \"a.b\", id: \"a b\"}",
        "resources: x: {type: \"a.b\", depends_on: [\"y\"]}",
        "resources: x: {type: \"a.b\", keep: \"yes\"}",
        "resources: x: {type: \"a.b\", replace: \"never\"}",
        "resources: x: {type: \"a.b\", dependencies: [{type: \"require\"}]}",
        "resources: {a: {type: \"a.b\"}, x: {type: \"a.b\", dependencies: [{resource_id: \"a\", type: \"after\"}]}}",
        "linux: pkg: nginx: \"1.18\"",
        "linux: pkg: install: \"a\"",
        "linux: pkg: [1]",
        "linux: service: [\"a\"]",
        "linux: pgk: {}",
        "checks: up: {config: {}}",
        "starlark: g: {inputs: {}}",
        "starlark: g: {script: \"result = 1\", file: \"x.star\"}",
        "starlark: g: {script: \"result = 1\", other: 1}",
    ];
    for text in right {
        load(text).unwrap_or_else(|errors| panic!("reader refuses {text}: {}", said(&errors)));
        accepted(text).unwrap_or_else(|errors| panic!("schema refuses {text}: {errors}"));
    }
    for text in wrong {
        assert!(load(text).is_err(), "reader accepts {text}");
        assert!(accepted(text).is_err(), "schema accepts {text}");
    }
}

#[test]
fn seeds_that_load_are_accepted_by_the_schema() {
    for name in
        ["concise-syntax-demo.cue", "complex_dependencies.cue", "simple_webserver.cue", "with_starlark.cue"]
    {
        let Some(text) = seeds::text(name) else { return };
        let body: String = text
            .lines()
            .filter(|line| !line.starts_with("package "))
            .map(|line| format!("{line}\n"))
            .collect();
        accepted(&body).unwrap_or_else(|errors| panic!("{name}: {errors}"));
    }
}

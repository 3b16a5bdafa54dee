use std::path::PathBuf;

use super::*;

/// Examples of the standard that use what is not supported yet.
const NOT_YET: &[&str] = &[
    "call-asyncapi-publish",
    "call-asyncapi-subscribe-consume-amount",
    "call-asyncapi-subscribe-consume-forever-foreach",
    "call-asyncapi-subscribe-consume-until",
    "call-asyncapi-subscribe-consume-while",
    "call-custom-function-cataloged",
    "call-grpc",
    "call-mcp",
];

fn examples() -> Option<Vec<(String, String)>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/serverless-workflow/examples");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: {} is not there", folder.display());
        return None;
    };
    let mut examples: Vec<(String, String)> = entries
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem()?.to_str()?.to_owned();
            (path.extension()? == "yaml").then(|| (name, std::fs::read_to_string(&path).unwrap()))
        })
        .collect();
    examples.sort();
    Some(examples)
}

#[test]
fn every_example_of_the_standard_loads() {
    let Some(examples) = examples() else { return };
    assert!(examples.len() >= 65, "{} examples", examples.len());
    for (name, text) in examples {
        let (workflow, found) = load(&name, &text);
        let errors: Vec<_> = found.iter().filter(|d| d.severity == Severity::Error).collect();
        if NOT_YET.contains(&name.as_str()) {
            assert!(!errors.is_empty(), "{name} is supported now");
            assert!(errors.iter().all(|d| d.code == code::UNSUPPORTED), "{name}: {errors:?}");
        } else {
            assert!(
                workflow.is_some(),
                "{name}: {}",
                errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
            );
        }
    }
}

fn with_tasks(tasks: &str) -> String {
    format!("document: {{dsl: '1.0.3', namespace: a, name: b, version: '1.0.0'}}\ndo:\n{tasks}\n")
}

/// The errors as `CODE line:column path message`.
fn errors(text: &str) -> Vec<String> {
    let (workflow, found) = load("w.yaml", text);
    let errors: Vec<String> = found
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| {
            format!(
                "{} {}:{} {} {}",
                d.code.id, d.location.line, d.location.column, d.location.path, d.message
            )
        })
        .collect();
    assert_eq!(workflow.is_none(), !errors.is_empty());
    errors
}

#[test]
fn mistakes_are_named_at_their_place() {
    let table = [
        ("- a:\n    sett: {x: 1}", "E0305 3:3 /do/0/a the task `a` is of no known kind"),
        ("- a:\n    set: {x: 1}\n    thn: end", "E0302 5:5 /do/0/a/thn unknown property `thn` of a set task"),
        ("- a:\n    set: {x: '${ .x | }'}", "E0306 4:14 /do/0/a/set/x"),
        ("- a:\n    set: {x: '${ $nope }'}", "E0306 4:14 /do/0/a/set/x"),
        ("- a:\n    set: {x: '${ env.HOME }'}", "E0306 4:14 /do/0/a/set/x"),
        ("- a:\n    wait: 5", "E0303 4:11 /do/0/a/wait `wait` must be a duration"),
        ("- a:\n    wait: {}", "E0304 4:11 /do/0/a/wait"),
        ("- a:\n    wait: {secs: 1}", "E0302 4:12 /do/0/a/wait/secs"),
        ("- a:\n    wait: PT1S\n    then: b", "E0308 5:11 /do/0/a/then there is no task `b`"),
        ("- a:\n    set: {x: 1}\n- a:\n    set: {x: 1}", "E0314 5:3 /do/1/a there are two tasks named `a`"),
        ("- a:\n    call: nope", "E0307 4:11 /do/0/a/call the function `nope` is not known"),
        ("- a:\n    call: grpc\n    with: {}", "E0309 4:11 /do/0/a/call `call: grpc` is not supported yet"),
        (
            "- a:\n    call: http\n    with: {method: get}",
            "E0304 5:11 /do/0/a/with an HTTP call needs `endpoint`",
        ),
        (
            "- a:\n    call: http\n    with: {method: fetch, endpoint: 'https://x.org'}",
            "E0303 5:20 /do/0/a/with/method",
        ),
        (
            "- a:\n    call: http\n    with: {method: get, endpoint: x.org}",
            "E0303 5:35 /do/0/a/with/endpoint",
        ),
        ("- a:\n    call: http", "E0304 4:5 /do/0/a `call: http` needs `with`"),
        (
            "- a:\n    raise: {error: missing}",
            "E0310 4:20 /do/0/a/raise/error `missing` is not in `use.errors`",
        ),
        ("- a:\n    try: []\n    catch: {retry: none}", "E0310 5:20 /do/0/a/catch/retry"),
        ("- a:\n    wait: PT1S\n    timeout: none", "E0310 5:14 /do/0/a/timeout"),
        (
            "- a:\n    set: {x: 1}\n    input: {schema: {document: {type: nope}}}",
            "E0311 5:32 /do/0/a/input/schema/document",
        ),
        ("- a:\n    set: {x: 1}\n    then: a", "E0308 4:5 /do/0/a from `a` the flow goes round for ever"),
        (
            "- a: {set: {x: 1}}\n  b: {set: {x: 1}}",
            "E0303 3:3 /do/0 an item of a task list has exactly one name",
        ),
        ("- a:\n    switch: []", "E0304 4:13 /do/0/a/switch"),
        ("- a:\n    fork: {branches: []}\n    if: 5", "E0303 5:9 /do/0/a/if"),
        ("- a:\n    run: {shell: {}}", "E0304 4:18 /do/0/a/run/shell `shell` needs `command`"),
        ("- a:\n    listen: {to: {one: {with: {}}}}", "E0304 4:31 /do/0/a/listen/to/one/with"),
        ("- a:\n    set: {x: 1}\n    metadata: {effect: twice}", "E0303 5:24 /do/0/a/metadata/effect"),
        (
            "- a:\n    call: approval\n    with: {title: t, levels: [{level: 1, roles: [a]}, {level: 3, roles: [b]}]}",
            "E0303 5:55 /do/0/a/with/levels/1 levels must be consecutive starting from 1",
        ),
        (
            "- a:\n    call: approval\n    with: {title: t, levels: [{roles: []}]}",
            "E0304 5:31 /do/0/a/with/levels/0 a level needs at least one role",
        ),
        ("- a:\n    call: approval\n    with: {title: t, levels: []}", "E0304 5:30 /do/0/a/with/levels"),
    ];
    for (tasks, expected) in table {
        let found = errors(&with_tasks(tasks));
        assert!(
            found.iter().any(|error| error.starts_with(expected)),
            "{tasks}\nwanted {expected}\nfound {found:#?}"
        );
    }
}

#[test]
fn all_mistakes_are_reported_at_once_in_order() {
    let found = errors(
        "document: {dsl: '1.0.3', namespace: 'a b', name: b, version: 1.0}\ndo:\n- a:\n    st: {x: 1}\n- b:\n    wait: x\n",
    );
    let codes: Vec<_> = found.iter().map(|error| &error[..5]).collect();
    assert_eq!(codes, ["E0303", "E0303", "E0305", "E0303"], "{found:#?}");
}

#[test]
fn malformed_documents_are_one_diagnostic() {
    for (text, code) in [("a: [1", "E0301"), ("", "E0301"), ("a: 1\na: 2", "E0314"), ("- 1", "E0303")] {
        let (workflow, found) = load("w.yaml", text);
        assert!(workflow.is_none());
        assert_eq!(found[0].code.id, code, "{text}: {found:?}");
    }
    let (workflow, found) = load("w.yaml", &"[".repeat(1_000_000));
    assert!(workflow.is_none() && found[0].code.id == "E0312");
}

#[test]
fn circles_that_wait_or_end_are_fine() {
    for tasks in [
        "- a:\n    wait: PT1S\n    then: a",
        "- a:\n    set: {x: 1}\n- s:\n    switch: [{c: {when: .x, then: a}}, {d: {then: end}}]",
        "- a:\n    if: .x\n    set: {x: 1}\n    then: a",
        "- a:\n    do: [{b: {wait: PT1S}}]\n    then: a",
    ] {
        assert_eq!(errors(&with_tasks(tasks)), Vec::<String>::new(), "{tasks}");
    }
    let spin = "- a:\n    set: {x: 1}\n- s:\n    switch: [{c: {when: .x, then: a}}, {d: {then: a}}]";
    assert_eq!(errors(&with_tasks(spin)).len(), 2);
}

#[test]
fn loose_mode_evaluates_bare_texts() {
    let text = "document: {dsl: '1.0.3', namespace: a, name: b, version: '1.0.0'}\nevaluate: {mode: loose}\ndo:\n- a:\n    set: {x: .y, z: 'just words'}\n";
    let (workflow, _) = load("w.yaml", text);
    let workflow = workflow.unwrap();
    let Kind::Set(set) = &workflow.body().tasks[0].kind else { panic!("a set") };
    assert!(set.as_literal().is_none());
    assert!(set.member("z").unwrap().as_literal().is_some());
}

#[test]
fn workflows_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Workflow>();
}

/// The corpus of the fuzz target, which starts from these.
fn corpus() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/workflow_load");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut texts: Vec<String> =
        entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    texts.sort();
    texts
}

#[test]
fn the_fuzz_corpus_gives_a_workflow_or_a_reason() {
    let all = corpus();
    assert!(all.len() >= 5);
    let loaded = all.iter().filter(|text| load("w.yaml", text).0.is_some()).count();
    assert_eq!(loaded, 2, "the two documents of the corpus that are right");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]

    /// A document cut short, or with a piece of it somewhere else, never panics.
    #[test]
    fn mangled_documents_give_a_workflow_or_a_reason(which in 0_usize..5, cut in 0.0..1.0_f64, from in 0.0..1.0_f64) {
        let all = corpus();
        let text = &all[which % all.len()];
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let place = |part: f64| {
            let mut place = (text.len() as f64 * part) as usize;
            while !text.is_char_boundary(place) {
                place -= 1;
            }
            place
        };
        let mangled = format!("{}{}", &text[..place(cut)], &text[place(from)..]);
        let (workflow, found) = load("w.yaml", &mangled);
        proptest::prop_assert!(workflow.is_some() || !found.is_empty());
    }
}

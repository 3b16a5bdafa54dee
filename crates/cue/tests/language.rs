//! Facts of the language, one line each.
#![allow(clippy::unwrap_used, reason = "a test")]

use cue::tool::{Encoding, Input, export, import, vet};
use cue::{Code, compile};

fn json(text: &str) -> String {
    compile("t.cue", text).unwrap().to_json().unwrap()
}

#[test]
fn values_unify_and_defaults_are_taken() {
    let cases = [
        ("a: 1\na: int", r#"{"a":1}"#),
        ("a: *1 | 2\nb: a + 1", r#"{"a":1,"b":2}"#),
        ("#D: {x: int, y: *x | string}\nd: #D & {x: 3}", r#"{"d":{"x":3,"y":3}}"#),
        ("m: [string]: n: int\nm: a: n: 1", r#"{"m":{"a":{"n":1}}}"#),
        ("l: [for i in [1, 2, 3] if i > 1 {i * 2}]", r#"{"l":[4,6]}"#),
        ("x: y - 100\ny: x + 100\nx: 5", r#"{"x":5,"y":105}"#),
        ("s: \"\\(1 + 1)!\"", r#"{"s":"2!"}"#),
        ("import \"strings\"\ns: strings.ToUpper(\"a\")", r#"{"s":"A"}"#),
        ("#D: a?: #E\n#E: c?: int\nx: {#D, a: b: 1}", r#"{"x":{"a":{"b":1}}}"#),
        ("a: {z: 1} & {y: 2} & {x: 3}", r#"{"a":{"z":1,"y":2,"x":3}}"#),
        ("#D: {#f[\"a\"], for k in [\"a\"] {#f: (k): x: 1}, #f: b: null}\nd: #D", r#"{"d":{"x":1}}"#),
        ("#T: string | {f: int}\ny: (#T & {f: 1, g: 2}).f != _|_", r#"{"y":false}"#),
        ("n: 1Ki\nf: 1.50", r#"{"n":1024,"f":1.50}"#),
    ];
    for (text, want) in cases {
        assert_eq!(json(text), want, "{text}");
    }
}

#[test]
fn errors_have_the_code_of_what_is_wrong() {
    let cases = [
        ("a: 1\na: 2", Code::Eval),
        ("#D: {x: int}\na: #D & {y: 1}", Code::Eval),
        ("a: {b: a}", Code::StructuralCycle),
        ("a: int", Code::Incomplete),
        ("a: b.c\nb: {}", Code::Incomplete),
        ("#x: a!: string\ny: {for k, _ in #x {(k): 1}}", Code::Incomplete),
        ("a: len(\"e\" + 'e')", Code::Eval),
        ("#X: {}\nY: {x: #X & Y}", Code::StructuralCycle),
        // an embedded struct does not open the definitions of its fields to the struct it stands in
        ("#D: {x?: int}\na: {{b: #D}, b: y: 1}", Code::Eval),
    ];
    for (text, code) in cases {
        let errors = compile("t.cue", text).unwrap().validate(true).unwrap_err();
        assert_eq!(errors.code(), Some(code), "{text}: {errors}");
    }
}

#[test]
fn what_can_never_be_is_refused_before_evaluation() {
    for text in [
        "a: 1 == int",
        "a: string != \"x\"",
        "a: __closeAll({})",
        "@experiment(explicitopen)\na: __closeAll(1)",
    ] {
        let errors = compile("t.cue", text).unwrap_err();
        assert_eq!(errors.code(), Some(Code::Compile), "{text}: {errors}");
    }
    let text = "@experiment(explicitopen)\na: __closeAll({b: c: 1})";
    assert_eq!(json(text), r#"{"a":{"b":{"c":1}}}"#);
}

#[test]
fn an_embedded_definition_closes_what_its_neighbours_name_and_no_further() {
    let open = [
        "_#O: {k?: bool}\n#D: {_#O, c?: [string]: _}\ndoc: #D & {c: x: y: 1}",
        "#O: {k?: bool}\n#D: {#O, c?: _}\ndoc: #D & {c: x: y: 1}",
        "#O: {k?: bool}\n#D: {#O, c?: {n?: int, ...}}\ndoc: #D & {c: x: y: 1}",
        "#O: {k?: bool}\n#D: {#O, c?: [string]: {n?: int}}\ndoc: #D & {c: x: n: 1}",
    ];
    for text in open {
        compile("t.cue", text).unwrap().validate(true).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
    let closed = [
        ("#O: {k?: bool}\n#D: {#O, c?: {n?: int}}\ndoc: #D & {c: x: 1}", "x: field not allowed"),
        ("#O: {k?: bool}\nd: {#O, c: {n: 1}}\ndoc: d & {c: x: 1}", "x: field not allowed"),
        ("#O: {k?: bool}\n#D: {#O, c?: [string]: {n?: int}}\ndoc: #D & {c: x: y: 1}", "y: field not allowed"),
        ("#O: {k?: bool}\n#D: {#O, c?: [=~\"^x\"]: _}\ndoc: #D & {c: y: 1}", "y: field not allowed"),
    ];
    for (text, words) in closed {
        let errors = compile("t.cue", text).unwrap().validate(false).unwrap_err();
        assert!(errors.to_string().contains(words), "{text}: {errors}");
    }
}

#[test]
fn a_mistyped_field_of_a_closed_struct_is_suggested() {
    let value = compile("t.cue", "#D: {replicas?: int}\na: #D & {replica: 1}").unwrap();
    let errors = value.validate(false).unwrap_err();
    assert_eq!(errors.0[0].hint.as_deref(), Some("did you mean replicas?"));
}

#[test]
fn bad_input_ends_with_an_error() {
    let deep = format!("a: {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    for text in ["a: {b: b}", "a: \"\\(", "x: y: x.y.z", deep.as_str(), "a: a + 1", "#L: {n: #L}\nl: #L"] {
        if let Ok(value) = compile("t.cue", text) {
            drop(value.validate(true));
        }
    }
}

#[test]
fn data_is_vetted_exported_and_imported() {
    let input = Input { files: vec![("s.cue".into(), "a: int & <10".into())], ..Default::default() };
    let loader = cue::load::MemoryLoader::default();
    let data = |text: &str| vec![("d.yaml".to_owned(), text.to_owned())];
    assert!(vet(&input, &data("a: 3\n"), None, true, &loader).is_ok());
    assert!(vet(&input, &data("a: 30\n"), None, true, &loader).is_err());
    assert!(export(&input, Encoding::Json, &loader).is_err());
    assert_eq!(
        import("d.json", r#"{"a-b": 1, "c": [true]}"#, None, &[]).unwrap(),
        "\"a-b\": 1\nc: [\n\ttrue,\n]\n"
    );
}

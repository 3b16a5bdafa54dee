//! What an evaluation may use, and what is said when it would use more.
#![allow(clippy::unwrap_used, reason = "a test")]

use cue::load::{MemoryLoader, SourceFile};
use cue::{Code, Error, Limits, Options, compile_package};

/// The one error that ends an evaluation under `limits`.
fn stopped(text: &str, limits: Limits) -> Error {
    let files = vec![SourceFile::new("t.cue", text).unwrap()];
    let options = Options { limits, ..Options::default() };
    let value = compile_package(files, &MemoryLoader::default(), options).unwrap();
    let mut errors = value.validate(true).unwrap_err().0;
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

fn nested(levels: usize) -> String {
    format!("first: 1\nwide: {}1{}\n", "{a: ".repeat(levels), "}".repeat(levels))
}

#[test]
fn each_limit_has_its_own_words_and_a_place() {
    let many = "import \"list\"\nok: 1\nall: [for i in list.Range(0, 2000, 1) {n: i}]";
    let chain: Vec<String> = (1..16_000).rev().map(|n| format!("a{n}: a{} + 1", n - 1)).collect();
    let chain = chain.join("\n");
    let cases = [
        (nested(401), Limits::default(), "values are nested more than 400 levels deep", "wide", 2),
        (many.to_owned(), Limits { steps: 500, ..Limits::default() }, "more than 500 steps", "all", 3),
        (many.to_owned(), Limits { nodes: 500, ..Limits::default() }, "more than 500 values", "all", 3),
        (
            "ok: 1\na: 1 | 2 | 3\nb: {x: a, y: a, z: a} | {x: 5}\nc: [string]: a\nd: a & (1 | 2 | 3)"
                .to_owned(),
            Limits { disjuncts: 1, ..Limits::default() },
            "more than 1 disjuncts",
            "a",
            2,
        ),
        (format!("{chain}\na0: 1\n"), Limits::default(), "values depend on one another through", "a", 0),
    ];
    for (text, limits, words, path, line) in cases {
        let error = stopped(&text, limits);
        assert_eq!(error.code, Code::Limit, "{error:?}");
        assert!(error.message.contains(words), "{error:?}");
        assert!(error.path.starts_with(path), "{error:?}");
        let place = error.positions.first().unwrap();
        assert_eq!(&*place.file, "t.cue");
        assert!(line == 0 || place.line == line, "{error:?}");
    }
}

#[test]
fn what_is_within_the_limits_is_not_refused() {
    let value = cue::compile("t.cue", &nested(395)).unwrap();
    value.validate(true).unwrap();
}

/// Links of a chain, the last of which is written first where `reversed`.
fn chain(links: usize, reversed: bool, link: impl Fn(usize) -> String) -> String {
    let mut lines: Vec<String> = (0..=links).map(link).collect();
    if reversed {
        lines.reverse();
    }
    lines.join("\n")
}

#[test]
fn long_chains_of_references_are_followed_in_either_order() {
    for reversed in [false, true] {
        let scalars = chain(10_000, reversed, |n| match n {
            0 => "a0: 1".to_owned(),
            n => format!("a{n}: a{} + 1", n - 1),
        });
        let value = cue::compile("t.cue", &scalars).unwrap();
        assert_eq!(value.lookup("a10000").unwrap().to_json().unwrap(), "10001");
        let makers: [fn(usize) -> String; 3] = [
            |n| format!("a{n}: a{} & {{y{n}: 1}}", n - 1),
            |n| format!("a{n}: {{a{}, y{n}: 1}}", n - 1),
            |n| format!("a{n}: a{}\na{n}: y{n}: 1", n - 1),
        ];
        for make in makers {
            let text = chain(650, reversed, |n| if n == 0 { "a0: x: z: 1".to_owned() } else { make(n) });
            let value = cue::compile("t.cue", &format!("{text}\nlast: a650.x.z + a650.y650")).unwrap();
            assert_eq!(value.lookup("last").unwrap().to_json().unwrap(), "2");
            value.validate(true).unwrap();
        }
    }
}

#[test]
fn at_the_end_of_a_long_chain_a_value_is_what_it_was_at_its_start() {
    let cases = [
        // a field that is computed from another is computed anew
        ("a0: {x: int, y: x + 1, z: *\"d\" | string}", "{x: 4}", r#"{"x":4,"y":5,"z":"d"}"#),
        ("a0: {x: *1 | int, y: x}", "{x: 4}", r#"{"x":4,"y":4}"#),
        ("a0: {x?: int, [=~\"^n\"]: 7}", "{x: 3, n: _}", r#"{"x":3,"n":7}"#),
        ("a0: {x: {y: 1, z?: 2}, l: [1, 2]}", "{x: z: _}", r#"{"x":{"y":1,"z":2},"l":[1,2]}"#),
        ("a0: close({x: 1})", "{x: 1}", r#"{"x":1}"#),
        ("#A: {x?: int, y: 1}\na0: #A", "{x: 2}", r#"{"x":2,"y":1}"#),
    ];
    for (first, more, json) in cases {
        let links = chain(30, false, |n| match n {
            0 => first.to_owned(),
            n => format!("a{n}: a{}", n - 1),
        });
        let value = cue::compile("t.cue", &format!("{links}\nout: a30 & {more}")).unwrap();
        let out = value.lookup("out").unwrap().to_json().unwrap();
        let sorted = |text: &str| text.parse::<serde_json::Value>().unwrap();
        assert_eq!(sorted(&out), sorted(json), "{first}");
    }
    let refused = [
        ("a0: close({x: 1})", "{y: 1}", "y: field not allowed"),
        ("#A: {x?: int}\na0: #A", "{y: 1}", "y: field not allowed"),
        ("#A: {x: {y?: int}}\na0: #A", "{x: z: 1}", "z: field not allowed"),
        ("a0: {x: 1}", "{x: 2}", "conflicting values"),
    ];
    for (first, more, words) in refused {
        let links = chain(30, true, |n| match n {
            0 => first.to_owned(),
            n => format!("a{n}: a{}", n - 1),
        });
        let value = cue::compile("t.cue", &format!("{links}\nout: a30 & {more}")).unwrap();
        let errors = value.validate(false).unwrap_err();
        assert!(errors.to_string().contains(words), "{first}: {errors}");
    }
    // definitions that embed one another stay closed, and open to what is beside the embedding
    for reversed in [false, true] {
        let links = chain(30, reversed, |n| match n {
            0 => "#A0: {x?: int}".to_owned(),
            n => format!("#A{n}: {{#A{}, y{n}?: int}}", n - 1),
        });
        let fine = cue::compile("t.cue", &format!("{links}\nout: {{#A30, x: 1, y7: 2, more: 3}}")).unwrap();
        fine.validate(true).unwrap();
        let errors =
            cue::compile("t.cue", &format!("{links}\nout: #A30 & {{x: 1, z: 2}}")).unwrap().validate(true);
        assert!(errors.unwrap_err().to_string().contains("z: field not allowed"));
    }
}

#[test]
fn a_cycle_is_a_cycle_and_no_limit() {
    let errors = cue::compile("t.cue", "a: {b: a}").unwrap().validate(true).unwrap_err();
    assert_eq!(errors.code(), Some(Code::StructuralCycle));
    // through an operand that is a struct of its own, level by level
    let hidden = "f: {in: number, out: (f & {\"in\": in - 1}).out}\nx: (f & {in: 3}).out";
    let errors = cue::compile("t.cue", hidden).unwrap().validate(true).unwrap_err();
    assert!(errors.0.iter().any(|error| error.code == Code::StructuralCycle), "{errors}");
}

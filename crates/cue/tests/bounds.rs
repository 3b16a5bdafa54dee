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
    let chain: Vec<String> = (1..6_000).rev().map(|n| format!("a{n}: a{} + 1", n - 1)).collect();
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

#[test]
fn a_cycle_is_a_cycle_and_no_limit() {
    let errors = cue::compile("t.cue", "a: {b: a}").unwrap().validate(true).unwrap_err();
    assert_eq!(errors.code(), Some(Code::StructuralCycle));
    // through an operand that is a struct of its own, level by level
    let hidden = "f: {in: number, out: (f & {\"in\": in - 1}).out}\nx: (f & {in: 3}).out";
    let errors = cue::compile("t.cue", hidden).unwrap().validate(true).unwrap_err();
    assert!(errors.0.iter().any(|error| error.code == Code::StructuralCycle), "{errors}");
}

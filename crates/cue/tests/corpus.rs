//! What the fuzzers start from, and what they found: parsed, laid out and evaluated, never with a panic.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

fn corpus(target: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 2, "the corpus of {target} is checked in");
    files
}

fn all() -> impl Iterator<Item = (String, String)> {
    ["cue_parse", "cue_fmt", "cue_eval"].into_iter().flat_map(corpus)
}

#[test]
fn the_corpus_parses_or_says_where_it_does_not() {
    for (name, text) in all() {
        let parsed = cue::syntax::parse("fuzz.cue", &text);
        assert_eq!(parsed.is_err(), name.contains("broken") || name.contains("deep"), "{name}");
        if let Err(errors) = parsed {
            assert!(!errors.0.is_empty(), "{name}");
        }
    }
}

#[test]
fn the_corpus_is_laid_out_once_and_for_all() {
    for (name, text) in all() {
        let Ok(once) = cue::fmt::format("fuzz.cue", &text) else { continue };
        assert_eq!(cue::fmt::format("fuzz.cue", &once).unwrap(), once, "{name}");
    }
}

#[test]
fn the_corpus_evaluates_within_its_limits() {
    for (name, text) in all() {
        let Ok(file) = cue::load::SourceFile::new("fuzz.cue", text.as_str()) else { continue };
        let limits = cue::Limits { steps: 200_000, nodes: 200_000, ..Default::default() };
        let options = cue::Options { limits, ..Default::default() };
        let value = cue::compile_package(vec![file], &cue::load::MemoryLoader::default(), options);
        let good = value.is_ok_and(|value| value.validate(true).is_ok());
        let right = ["everything", "comments"].iter().any(|one| name.contains(one));
        assert_eq!(good, right, "{name}");
    }
}

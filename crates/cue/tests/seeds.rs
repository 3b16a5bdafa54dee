//! Configurations written by others for another program: each evaluates, or is refused for what is wrong in it.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::path::Path;

use cue::load::MemoryLoader;
use cue::tool::{Input, load};

/// Where the files are, in a checkout that has them.
const FILES: &str = "../../../shared/conformance/seed-inputs/openfroyo";

/// What is said about a file.
fn verdict(name: &str, text: &str) -> String {
    let input = Input { files: vec![(name.to_owned(), text.to_owned())], ..Input::default() };
    let checked = load(&input, &MemoryLoader::default()).and_then(|value| {
        value.validate(false)?;
        Ok(match value.validate(true) {
            Ok(()) => "evaluates, and is concrete".to_owned(),
            Err(open) => format!("evaluates, and is left open:{}", said(&open)),
        })
    });
    checked.unwrap_or_else(|errors| format!("is refused:{}", said(&errors)))
}

/// Errors without the lines of the source.
fn said(errors: &cue::Errors) -> String {
    let mut out = String::new();
    for error in &errors.0 {
        let places: Vec<String> = error.positions.iter().map(ToString::to_string).collect();
        write!(out, "\n    [{}] {error} ({})", error.code.name(), places.join(", ")).unwrap();
        if let Some(hint) = &error.hint {
            write!(out, "\n      hint: {hint}").unwrap();
        }
    }
    out
}

#[test]
fn configurations_of_others_evaluate_or_are_refused_for_their_own_mistakes() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILES);
    let Ok(entries) = std::fs::read_dir(&directory) else {
        println!("skipped: no files in {}", directory.display());
        return;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "cue"));
    paths.sort();
    let verdicts = paths.iter().map(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        format!("{name} {}\n", verdict(&name, &std::fs::read_to_string(path).unwrap()))
    });
    insta::assert_snapshot!("seeds", verdicts.collect::<String>());
}

#[test]
fn labels_side_by_side_are_refused_where_the_colon_is_missing() {
    for (text, column) in [("package p\nresource \"x\": {}\n", 10), ("a: {\n\tresource \"x\" {}\n}\n", 11)] {
        let errors = cue::compile("basic.cue", text).unwrap_err();
        let error = &errors.0[0];
        assert_eq!(error.message, "expected ':' between the labels resource and \"x\"");
        assert_eq!(error.hint.as_deref(), Some("a field in a field is written resource: \"x\": {...}"));
        let place = &error.positions[0];
        assert_eq!((&*place.file, place.line, place.column), ("basic.cue", 2, column));
    }
}

//! Any text evaluates within its limits or fails; it never panics and always ends.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(file) = cue::load::SourceFile::new("fuzz.cue", text) else { return };
    let limits = cue::Limits { steps: 200_000, nodes: 200_000, ..Default::default() };
    let options = cue::Options { limits, ..Default::default() };
    if let Ok(value) = cue::compile_package(vec![file], &cue::load::MemoryLoader::default(), options) {
        let _ = value.validate(true);
        let _ = value.to_cue(cue::export::CueOptions::all());
    }
});

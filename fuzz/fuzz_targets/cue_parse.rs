//! Any text parses or fails with a position; it never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(errors) = cue::syntax::parse("fuzz.cue", text) {
        assert!(!errors.0.is_empty());
    }
});

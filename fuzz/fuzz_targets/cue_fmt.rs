//! Formatting twice is formatting once, and what is formatted parses.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(once) = cue::fmt::format("fuzz.cue", text) else { return };
    let twice = cue::fmt::format("fuzz.cue", &once).expect("formatted text parses");
    assert_eq!(once, twice);
});

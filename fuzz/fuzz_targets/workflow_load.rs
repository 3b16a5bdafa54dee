//! Any text is read without a panic or a hang, and gives a workflow or a reason why not.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let (workflow, found) = workflow::load("fuzz.yaml", text);
        assert!(workflow.is_some() || !found.is_empty());
    }
});

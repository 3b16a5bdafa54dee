//! The CUE project's own archives: the rate must not fall, and no archive may fail to end.

mod support;

/// Assertions that held when this was last raised.
const FLOOR: usize = 1_623;

#[test]
fn cue_archives_hold_at_least_as_often_as_before() {
    let paths = support::archives();
    if paths.is_empty() {
        return;
    }
    let mut passed = 0;
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let report = cue::conformance::run_archive(&text);
        passed += report.outcomes.iter().filter(|o| o.failure.is_none()).count();
    }
    assert!(passed >= FLOOR, "{passed} assertions hold, {FLOOR} did before");
}

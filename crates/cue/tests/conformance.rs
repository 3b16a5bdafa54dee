//! The CUE project's own archives: the rate must not fall, and no archive may fail to end.

use std::path::{Path, PathBuf};

/// Assertions that held when this was last raised.
const FLOOR: usize = 1_622;

fn archives(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            archives(&path, out);
        } else if path.extension().is_some_and(|e| e == "txtar") {
            out.push(path);
        }
    }
}

#[test]
fn cue_archives_hold_at_least_as_often_as_before() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/cue");
    let mut paths = Vec::new();
    archives(&dir, &mut paths);
    if paths.is_empty() {
        println!("skipped: no archives in {}", dir.display());
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

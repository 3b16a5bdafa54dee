//! The archives that several tests read.

#![allow(clippy::print_stdout, reason = "says why a test was skipped")]

use std::path::{Path, PathBuf};

/// Every archive that is given, in no order; none, and a word about it, where they are not there.
pub(crate) fn archives() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/cue");
    let mut found = Vec::new();
    gather(&dir, &mut found);
    if found.is_empty() {
        println!("skipped: no archives in {}", dir.display());
    }
    found
}

fn gather(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, out);
        } else if path.extension().is_some_and(|e| e == "txtar") {
            out.push(path);
        }
    }
}

//! Test suites that others wrote, run on our code.

#[cfg(feature = "cue-conformance")]
pub(crate) mod cue;
#[cfg(feature = "workflow-conformance")]
pub(crate) mod workflow;

/// Every file with an extension below a directory, or the file itself, in order.
#[cfg(any(feature = "cue-conformance", feature = "workflow-conformance"))]
fn files_below(path: &std::path::Path, extension: &str) -> std::io::Result<Vec<std::path::PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?.path();
        if entry.is_dir() {
            files.append(&mut files_below(&entry, extension)?);
        } else if entry.extension().is_some_and(|found| found == extension) {
            files.push(entry);
        }
    }
    files.sort();
    Ok(files)
}

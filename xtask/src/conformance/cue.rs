//! `cargo xtask conformance cue DIR [--list-failures]`: runs every test archive of the CUE project below a directory.
//!
//! Each counted assertion of an archive either holds or fails; an archive that cannot be read has failed. Prints a line for
//! each topic and `N passed, N failed` at the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use super::files_below;

/// Passed and failed assertions.
type Tally = (usize, usize);

/// The task.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let (flags, directories): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|argument| argument.starts_with("--"));
    let list = flags.iter().any(|flag| *flag == "--list-failures");
    let [directory] = directories.as_slice() else { return usage() };
    if flags.len() > usize::from(list) {
        return usage();
    }
    let archives = match files_below(Path::new(directory), "txtar") {
        Ok(archives) if !archives.is_empty() => archives,
        Ok(_) => {
            eprintln!("error: there is no .txtar file below {directory}");
            return ExitCode::from(crate::USAGE);
        }
        Err(error) => {
            eprintln!("error: {directory} cannot be read: {error}");
            return ExitCode::from(crate::USAGE);
        }
    };
    let mut topics: BTreeMap<String, Tally> = BTreeMap::new();
    for path in archives {
        let topic =
            path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let (passed, failed) = archive(&path, list);
        let tally = topics.entry(topic).or_default();
        *tally = (tally.0 + passed, tally.1 + failed);
    }
    let (mut passed, mut failed) = (0, 0);
    for (topic, tally) in &topics {
        println!("{topic:20} {:5} passed {:5} failed", tally.0, tally.1);
        (passed, failed) = (passed + tally.0, failed + tally.1);
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo xtask conformance cue DIR [--list-failures]");
    ExitCode::from(crate::USAGE)
}

fn archive(path: &Path, list: bool) -> Tally {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            println!("FAIL {}: {error}", path.display());
            return (0, 1);
        }
    };
    let report = cue::conformance::run_archive(&text);
    let mut tally = (0, 0);
    for outcome in &report.outcomes {
        match &outcome.failure {
            None => tally.0 += 1,
            Some(why) => {
                tally.1 += 1;
                if list {
                    let assertion = outcome.assertion.lines().next().unwrap_or_default();
                    println!("FAIL {} {} {assertion}: {why}", path.display(), outcome.path);
                }
            }
        }
    }
    tally
}

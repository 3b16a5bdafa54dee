//! Runs the archives under a directory: `conformance DIR [--list-failures]`.
#![allow(clippy::print_stdout, reason = "a command-line example")]

use std::collections::BTreeMap;

fn archives(dir: &std::path::Path, out: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            archives(&path, out);
        } else if path.extension().is_some_and(|e| e == "txtar") {
            out.push(path);
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let list = args.iter().any(|a| a == "--list-failures");
    let mut paths = Vec::new();
    for arg in args.iter().filter(|a| !a.starts_with("--")) {
        let path = std::path::Path::new(arg);
        if path.is_dir() { archives(path, &mut paths) } else { paths.push(path.to_owned()) }
    }
    paths.sort();
    let mut topics: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for path in &paths {
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let start = std::time::Instant::now();
        let report = cue::conformance::run_archive(&text);
        let topic =
            path.parent().and_then(|p| p.file_name()).map_or(String::new(), |n| n.to_string_lossy().into());
        let slot = topics.entry(topic).or_default();
        if start.elapsed().as_millis() > 500 {
            println!("SLOW {} {:?}", path.display(), start.elapsed());
        }
        for o in &report.outcomes {
            match &o.failure {
                None => slot.0 += 1,
                Some(why) => {
                    slot.1 += 1;
                    if list {
                        let head: String =
                            o.assertion.lines().next().unwrap_or("").chars().take(70).collect();
                        let why: String = why.chars().take(260).collect();
                        println!("{} :: {} :: {head} :: {why}", path.display(), o.path);
                    }
                }
            }
        }
    }
    let (mut passed, mut failed) = (0, 0);
    for (topic, (p, f)) in &topics {
        println!("{topic:20} {p:5} passed {f:5} failed");
        passed += p;
        failed += f;
    }
    println!("{passed} passed, {failed} failed");
}

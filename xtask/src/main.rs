//! Developer tasks, run as `cargo xtask TASK`.
//!
//! The default build is light. A task that needs the product's crates is compiled in by a cargo feature of its own; when
//! it is missing from this build, the task is handed to `cargo run --features FEATURE` with the same arguments.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

mod bench;
mod conformance;
mod guests;
mod runners;
mod tidy;

use std::path::Path;
use std::process::{Command, ExitCode};

/// Exit code for a command line that makes no sense.
const USAGE: u8 = 2;

/// One task: its words, what follows them, what it does, how it runs.
struct Task {
    words: &'static [&'static str],
    arguments: &'static str,
    does: &'static str,
    run: Run,
}

/// Where a task's code is.
enum Run {
    /// In every build.
    Here(fn(&[String]) -> ExitCode),
    /// In a build with this feature, which this one is not.
    #[allow(dead_code, reason = "a build with every feature hands nothing on")]
    With(&'static str),
    /// A cargo command line; the task's arguments are appended.
    Cargo(&'static [&'static str]),
}

#[cfg(feature = "cue-conformance")]
const CUE_CONFORMANCE: Run = Run::Here(conformance::cue::run);
#[cfg(not(feature = "cue-conformance"))]
const CUE_CONFORMANCE: Run = Run::With("cue-conformance");

#[cfg(feature = "workflow-conformance")]
const WORKFLOW_CONFORMANCE: Run = Run::Here(conformance::workflow::run);
#[cfg(not(feature = "workflow-conformance"))]
const WORKFLOW_CONFORMANCE: Run = Run::With("workflow-conformance");

const TASKS: &[Task] = &[
    Task {
        words: &["tidy"],
        arguments: "",
        does: "check the rules of the house: layers, sizes, pages, links, words",
        run: Run::Here(tidy::run),
    },
    Task {
        words: &["conformance", "serverless-workflow"],
        arguments: "DIR",
        does: "execute every .feature file of the workflow language below DIR",
        run: WORKFLOW_CONFORMANCE,
    },
    Task {
        words: &["conformance", "cue"],
        arguments: "DIR [--list-failures]",
        does: "run every test archive of the CUE project below DIR",
        run: CUE_CONFORMANCE,
    },
    Task {
        words: &["sim"],
        arguments: "[SEED] [--worlds N]",
        does: "live seeded worlds of crash and concurrency; one seed prints its history",
        run: Run::Cargo(&["run", "--quiet", "--package", "simulator", "--"]),
    },
    Task {
        words: &["guests"],
        arguments: "[--check | encode MODULE COMPONENT]",
        does: "build the WASM guests, or compare them with what is checked in",
        run: Run::Here(guests::run),
    },
    Task {
        words: &["runners"],
        arguments: "",
        does: "build aedile-runner, static, for each architecture that hosts may have",
        run: Run::Here(runners::run),
    },
    Task {
        words: &["bench"],
        arguments: "[PART...]",
        does: "measure what docs/performance.md has rows for, peers included where they can be had",
        run: Run::Here(bench::run),
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let found = TASKS.iter().find(|task| {
        task.words.len() <= arguments.len()
            && task.words.iter().zip(&arguments).all(|(word, typed)| word == typed)
    });
    let Some(task) = found else {
        return usage(&arguments);
    };
    let rest = &arguments[task.words.len()..];
    match task.run {
        Run::Here(run) => run(rest),
        Run::With(feature) => {
            let command = ["run", "--quiet", "--package", "xtask", "--features", feature, "--"];
            cargo(&command, &arguments)
        }
        Run::Cargo(command) => cargo(command, rest),
    }
}

fn usage(arguments: &[String]) -> ExitCode {
    if let Some(unknown) =
        arguments.first().filter(|first| !["help", "--help", "-h"].contains(&first.as_str()))
    {
        eprintln!("error: there is no task `{unknown}`\n");
    }
    eprintln!("usage: cargo xtask TASK\n");
    for task in TASKS {
        let line = format!("{} {}", task.words.join(" "), task.arguments);
        eprintln!("  {line:<52} {}", task.does);
    }
    ExitCode::from(USAGE)
}

/// Runs `cargo COMMAND ARGUMENTS` in the workspace and takes over its exit code.
fn cargo(command: &[&str], arguments: &[String]) -> ExitCode {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program).args(command).args(arguments).current_dir(workspace()).status();
    match status {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("error: cannot start cargo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace this task runner was built in.
fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

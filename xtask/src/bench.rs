//! `cargo xtask bench`: measures what `docs/performance.md` has rows for, part by part, in the order of that table.
//!
//! Peers are for comparison during development and nothing of them is shipped. `PostgreSQL` takes part where Debian's package
//! is installed; Restate is installed by npm into the target directory, which the task says before it does it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::workspace;

/// Events in the journal that `aedile status` is measured on.
const EVENTS: &str = "1000000";

/// How often a command is run; the median counts.
const ROUNDS: usize = 41;

/// A part: its word, and what it runs.
type Part = (&'static str, fn() -> Result<(), String>);

const PARTS: &[Part] = &[
    ("journal", || bench(&["-p", "store", "--bench", "journal"], &[])),
    ("three-steps", three_steps),
    ("waiting", || bench(&["-p", "project", "--bench", "waiting"], &[])),
    ("commands", commands),
    ("wasm", || bench(&["-p", "sandbox", "--bench", "call"], &[])),
    ("policy", || bench(&["-p", "policy", "--bench", "decide"], &[])),
    ("workflow", || bench(&["-p", "workflow"], &[])),
    ("configuration", || bench(&["-p", "config"], &[])),
    ("plan", || bench(&["-p", "plan", "--bench", "plan"], &[])),
    ("files", || compare("files.sh")),
    ("plans", || compare("plan.sh")),
    ("serving", serving),
    ("sessions", || bench(&["-p", "remote", "--bench", "sessions"], &[("AEDILE_RUNNER", &runner()?)])),
];

/// Runs the task: every part, or those that are named.
pub(crate) fn run(args: &[String]) -> ExitCode {
    if let Some(unknown) = args.iter().find(|arg| !PARTS.iter().any(|(word, _)| word == arg)) {
        let words: Vec<_> = PARTS.iter().map(|(word, _)| *word).collect();
        eprintln!("error: there is no part `{unknown}`\n\nhint: the parts are {}", words.join(", "));
        return ExitCode::from(2);
    }
    for (word, measure) in
        PARTS.iter().filter(|(word, _)| args.is_empty() || args.iter().any(|arg| arg == word))
    {
        println!("\n## {word}\n");
        if let Err(why) = measure() {
            eprintln!("error: {why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

fn finish(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}")) }
}

fn bench(arguments: &[&str], variables: &[(&str, &Path)]) -> Result<(), String> {
    finish(cargo().arg("bench").args(arguments).envs(variables.iter().copied()))
}

/// Where this workspace is built.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

fn three_steps() -> Result<(), String> {
    let bench_it =
        |variables: &[(&str, &Path)]| bench(&["-p", "project", "--bench", "three_steps"], variables);
    let works = |program: &str| {
        Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok_and(|it| it.success())
    };
    if !works("node") || !works("npm") {
        println!("node or npm is missing: Restate is left out\n");
        return bench_it(&[]);
    }
    let directory = target().join("peers/restate");
    let from = workspace().join("crates/project/benches/three_steps/restate");
    let copied = fs::create_dir_all(&directory).and_then(|()| {
        for name in ["package.json", "service.mjs"] {
            fs::copy(from.join(name), directory.join(name))?;
        }
        Ok(())
    });
    copied.map_err(|error| format!("cannot prepare {}: {error}", directory.display()))?;
    if !directory.join("node_modules/@restatedev/restate-server").exists() {
        println!(
            "installing @restatedev/restate-server and @restatedev/restate-sdk with npm into {}\n",
            directory.display()
        );
        let install = ["install", "--no-audit", "--no-fund", "--ignore-scripts"];
        finish(Command::new("npm").args(install).current_dir(&directory).stdout(Stdio::null()))?;
    }
    bench_it(&[("AEDILE_BENCH_RESTATE", &directory)])
}

/// The runner as it is released: static and small.
fn runner() -> Result<PathBuf, String> {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    finish(
        cargo()
            .args(["build", "--quiet", "--profile", "runner", "--package", "runner", "--target", &triple])
            .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static"),
    )?;
    Ok(target().join(triple).join("runner/aedile-runner"))
}

/// A script of `benches/compare`, with the program and the runner that it measures.
fn compare(script: &str) -> Result<(), String> {
    let runner = runner()?;
    finish(cargo().args(["build", "--release", "--quiet", "--package", "cli", "--bin", "aedile"]))?;
    finish(
        Command::new("bash")
            .arg(workspace().join("benches/compare").join(script))
            .env("AEDILE", target().join("release/aedile"))
            .env("AEDILE_RUNNER", runner),
    )
}

/// A server on a journal of a million events, as a process.
fn serving() -> Result<(), String> {
    finish(cargo().args(["build", "--release", "--quiet", "--package", "cli", "--bin", "aedile"]))?;
    finish(cargo().args(["build", "--release", "--quiet", "--package", "store", "--example", "fill"]))?;
    let (aedile, fill) = (target().join("release/aedile"), target().join("release/examples/fill"));
    bench(&["-p", "server", "--bench", "serving"], &[("AEDILE", &aedile), ("AEDILE_FILL", &fill)])
}

/// `aedile --help`, and `aedile status` on a journal of a million events, as processes.
fn commands() -> Result<(), String> {
    finish(cargo().args(["build", "--release", "--quiet", "--package", "cli", "--bin", "aedile"]))?;
    finish(cargo().args(["build", "--release", "--quiet", "--package", "store", "--example", "fill"]))?;
    let aedile = target().join("release/aedile");
    let directory = target().join("bench-million");
    let told = |error: std::io::Error| format!("cannot prepare {}: {error}", directory.display());
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(told)?;
    }
    fs::create_dir_all(&directory).map_err(told)?;
    finish(
        Command::new(&aedile).arg("init").current_dir(&directory).stdout(Stdio::null()).stderr(Stdio::null()),
    )?;
    let state = fs::read_dir(directory.join(".aedile")).map_err(told)?.flatten();
    let journal = state.map(|entry| entry.path().join("journal.db")).find(|path| path.exists());
    let journal = journal.ok_or("`aedile init` made no journal")?;
    finish(Command::new(target().join("release/examples/fill")).arg(&journal).arg(EVENTS))?;
    println!("\n| command | median ms | fastest ms |\n|---|---|---|");
    for arguments in [&["--help"][..], &["status"], &["status", "--json"]] {
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            finish(Command::new(&aedile).args(arguments).current_dir(&directory).stdout(Stdio::null()))?;
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!("| aedile {} | {:.1} | {:.1} |", arguments.join(" "), ms(times[ROUNDS / 2]), ms(times[0]));
    }
    fs::remove_dir_all(&directory).map_err(told)
}

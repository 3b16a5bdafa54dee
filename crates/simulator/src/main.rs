//! `cargo xtask sim [SEED] [--worlds N]`: lives one world and prints its history, or many and prints those that break a rule.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

use std::process::ExitCode;
use std::time::Instant;

/// Worlds that are lived when nobody says how many.
const WORLDS: u64 = 1_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => many(0, WORLDS),
        ["--worlds", count] => number(count).map_or_else(usage, |count| many(0, count)),
        [seed] => number(seed).map_or_else(usage, one),
        [seed, "--worlds", count] => match (number(seed), number(count)) {
            (Some(seed), Some(count)) => many(seed, count),
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo xtask sim [SEED] [--worlds N]");
    ExitCode::from(2)
}

/// A number, decimal or `0x` hexadecimal.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn one(seed: u64) -> ExitCode {
    let report = simulator::live(seed);
    println!("position, time, stream, event, step, engine or name, actor");
    for line in &report.history {
        println!("{line}");
    }
    println!(
        "\nseed {seed}: {} runs, {} records, {} effects, killed at {:?}, {}",
        report.runs, report.records, report.effects, report.crashes, report.fingerprint
    );
    verdict(&report)
}

fn verdict(report: &simulator::Report) -> ExitCode {
    for rule in &report.broken {
        println!("BROKEN seed {}: {rule}", report.seed);
    }
    if report.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(first: u64, count: u64) -> ExitCode {
    let started = Instant::now();
    let (mut broken, mut runs, mut records, mut effects, mut crashes) = (0, 0, 0, 0, 0);
    for seed in first..first.saturating_add(count) {
        let report = simulator::live(seed);
        if !report.broken.is_empty() {
            broken += 1;
            verdict(&report);
            println!("       again with its history: cargo xtask sim {seed}");
        }
        runs += report.runs;
        records += report.records;
        effects += report.effects;
        crashes += report.crashes.len();
    }
    println!(
        "{count} worlds from seed {first}: {runs} runs, {records} records, {effects} effects, {crashes} crashes, \
         {broken} with a broken rule, {:.1} s",
        started.elapsed().as_secs_f64()
    );
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

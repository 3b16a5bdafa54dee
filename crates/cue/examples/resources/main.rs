//! Evaluates a generated configuration to JSON and says how long it took and how much memory was in use at most:
//! `cargo run --release -p cue --example resources -- 10000`.
#![allow(clippy::print_stdout, reason = "a command-line example")]

mod generate;

use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).ok_or("how many resources?")?.parse()?;
    let text = generate::resources(count);
    let before = Instant::now();
    let json = generate::evaluate(&text)?;
    let took = before.elapsed();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    println!("{count} resources, {} bytes of JSON: {took:.2?}, {} at most", json.len(), peak.trim());
    Ok(())
}

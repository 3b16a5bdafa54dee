//! Evaluates a chain of values, each made from the one before it, and says how long that took and how much memory was in
//! use at most: `cargo run --release -p cue --example chain -- structs 1000`.
//!
//! The chains: `structs` (`a2: a1 & {y2: 1}`), `embedded` (`a2: {a1, y2: 1}`), `definitions` (`#a2: {#a1, y2?: int}`),
//! `scalars` (`a2: a1 + 1`), and each with `reversed` after its length: what depends on others stands before them.
#![allow(clippy::print_stdout, reason = "a command-line example")]

use std::time::Instant;

fn links(kind: &str, count: usize) -> Option<Vec<String>> {
    let link = |n: usize| {
        let before = n - 1;
        Some(match kind {
            "structs" => format!("a{n}: a{before} & {{y{n}: 1}}"),
            "embedded" => format!("a{n}: {{a{before}, y{n}: 1}}"),
            "definitions" => format!("#a{n}: {{#a{before}, y{n}?: int}}"),
            "scalars" => format!("a{n}: a{before} + 1"),
            _ => return None,
        })
    };
    let first = match kind {
        "scalars" => "a0: 1",
        "definitions" => "#a0: {x?: int}",
        _ => "a0: {x: 1}",
    };
    std::iter::once(Some(first.to_owned())).chain((1..=count).map(link)).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let kind = args.next().ok_or("which chain?")?;
    let count: usize = args.next().ok_or("how many links?")?.parse()?;
    let mut lines = links(&kind, count).ok_or("the chains are structs, embedded, definitions and scalars")?;
    if args.next().as_deref() == Some("reversed") {
        lines.reverse();
    }
    let text = lines.join("\n");
    let before = Instant::now();
    cue::compile("chain.cue", &text)?.validate(false)?;
    let took = before.elapsed();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    println!("{kind} of {count} links: {took:.2?}, {} at most", peak.trim());
    Ok(())
}

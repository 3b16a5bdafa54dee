//! Load by `wrk`, a program that nobody here wrote.

use std::process::Command;

/// What came of a load.
pub(crate) struct Load {
    pub(crate) per_second: f64,
    pub(crate) p99_ms: f64,
}

/// Ten seconds of as many requests as will be answered, on 32 connections.
pub(crate) fn load(url: &str, token: &str) -> Load {
    let output = Command::new("wrk")
        .args(["-t1", "-c32", "-d10s", "--latency", "-H", &format!("authorization: Bearer {token}"), url])
        .output()
        .expect("wrk is installed (Debian: wrk)");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("Non-2xx"), "{text}");
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
    };
    Load { per_second: field("Requests/sec:").parse().unwrap(), p99_ms: milliseconds(&field("99%")) }
}

fn milliseconds(text: &str) -> f64 {
    for (unit, factor) in [("us", 1e-3), ("ms", 1.0), ("s", 1e3)] {
        if let Some(number) = text.strip_suffix(unit) {
            return number.parse::<f64>().unwrap() * factor;
        }
    }
    panic!("`{text}` is no time")
}

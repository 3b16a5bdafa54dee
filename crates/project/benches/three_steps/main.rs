//! A workflow of three durable steps (set, WASM action, set) on the real parts (SQLite journal, policy, sandbox), submitted in
//! process; beside it the same three steps on a single Restate node, submitted over HTTP.
//!
//! ```text
//! cargo bench -p project --bench three_steps [-- RUNS]
//! ```
//!
//! Restate takes part where `AEDILE_BENCH_RESTATE` names a directory with `restate/package.json` of this benchmark installed by
//! npm and `service.mjs` beside it; `cargo xtask bench` sees to that. Durable means: every step is an event that was flushed to
//! disk before the next effect, as with any other run.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark's report")]

mod peer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::Submission;
use engine::ports::Definition;
use engine::state::Status;
use project::machine::{SystemClock, SystemEntropy};
use project::{Machine, Place, Project, Workshop};
use serde_json::json;
use tokio::task::JoinSet;

// as the program `aedile` has it
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WORKFLOW: &str = "
document: {dsl: '1.0.3', namespace: bench, name: three-steps, version: '1.0.0'}
do:
  - first: {set: {greeting: '${ \"hello \" + .name }'}}
  - second: {call: 'echo:0.1.0', with: {message: '${ .greeting }'}}
  - third: {set: {done: true, said: '${ . }'}}
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn project(directory: &Path) -> Place {
    let component = root().join("guests/components/echo-0.1.0.wasm");
    let digest = model::Digest::of(&fs_err::read(&component).unwrap());
    let manifest = format!(
        "name: bench\nenvironments: {{bench: {{}}}}\nactions:\n  - {{name: echo, version: 0.1.0, path: echo.wasm, digest: '{digest}'}}\n"
    );
    fs_err::write(directory.join("aedile.yaml"), manifest).unwrap();
    fs_err::copy(&component, directory.join("echo.wasm")).unwrap();
    fs_err::create_dir_all(directory.join("workflows")).unwrap();
    fs_err::write(directory.join("workflows/three-steps.yaml"), WORKFLOW).unwrap();
    Place::in_project(Project::open(directory).unwrap(), None).unwrap()
}

fn submission(definition: &Definition) -> Submission {
    Submission {
        definition: definition.clone(),
        input: json!({ "name": "world" }),
        requester: "user:bench".parse().unwrap(),
        via: None,
        idempotency_key: None,
    }
}

async fn one(workshop: &Workshop, definition: &Definition) {
    let run = workshop.engine.submit(submission(definition)).await.unwrap();
    let status = workshop.engine.wait(run).await.unwrap();
    assert!(matches!(status, Status::Completed { .. }), "{status:?}");
}

/// Processor time of this process, all threads.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    // user and system time, in hundredths of a second
    let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// Prints what some lanes measured beside each other.
fn row(
    name: &str,
    width: usize,
    elapsed: Duration,
    mut latencies: Vec<Duration>,
    processor: Option<Duration>,
) {
    latencies.sort_unstable();
    let runs = f64::from(u32::try_from(latencies.len()).unwrap());
    let ms = |of: usize| latencies[(latencies.len() - 1) * of / 100].as_secs_f64() * 1e3;
    let rate = runs / elapsed.as_secs_f64();
    let each = processor.map_or_else(String::new, |used| format!("{:.0}", used.as_secs_f64() * 1e6 / runs));
    println!("| {name} | {width} | {rate:.0} | {:.2} | {:.2} | {each} |", ms(50), ms(99));
}

async fn ours(workshop: &Arc<Workshop>, definition: &Definition, runs: usize, width: usize, shown: bool) {
    let (begun, before) = (Instant::now(), processor_time());
    let mut lanes = JoinSet::new();
    for _ in 0..width {
        let (workshop, definition) = (Arc::clone(workshop), definition.clone());
        lanes.spawn(async move {
            let mut latencies = Vec::new();
            for _ in 0..runs / width {
                let begun = Instant::now();
                one(&workshop, &definition).await;
                latencies.push(begun.elapsed());
            }
            latencies
        });
    }
    let latencies = lanes.join_all().await.concat();
    if shown {
        let used = processor_time().saturating_sub(before);
        row("Aedile", width, begun.elapsed(), latencies, Some(used));
    }
}

async fn theirs(runs: usize, width: usize, shown: bool) {
    let begun = Instant::now();
    let mut lanes = JoinSet::new();
    for _ in 0..width {
        lanes.spawn(async move {
            let mut lane = peer::connect().await.unwrap();
            let mut latencies = Vec::new();
            for _ in 0..runs / width {
                let begun = Instant::now();
                peer::once(&mut lane).await.unwrap();
                latencies.push(begun.elapsed());
            }
            latencies
        });
    }
    let latencies = lanes.join_all().await.concat();
    if shown {
        row("Restate, Node SDK", width, begun.elapsed(), latencies, None);
    }
}

async fn measure(runs: usize) {
    let directory = tempfile::tempdir().unwrap();
    let machine = Machine {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        lines: Arc::new(|_: &str| ()),
        login: project::infrastructure::Login::default(),
        identities: project::infrastructure::Identities::default(),
    };
    let workshop = Arc::new(Workshop::open(&project(directory.path()), &machine).unwrap());
    let definition =
        workshop.rules.now().programs.find_document("bench/three-steps", None).unwrap().definition;
    println!("| | at once | runs/s | median ms | p99 ms | processor time of one in us |");
    println!("|---|---|---|---|---|---|");
    ours(&workshop, &definition, 640, 64, false).await;
    for width in [1, 8, 64] {
        ours(&workshop, &definition, if width == 1 { runs / 8 } else { runs }, width, true).await;
    }
    let state = tempfile::tempdir().unwrap();
    if let Some(_restate) = peer::Restate::start(state.path()).await {
        theirs(640, 64, false).await;
        for width in [1, 8, 64] {
            theirs(if width == 1 { runs / 16 } else { runs / 2 }, width, true).await;
        }
    }
}

fn main() {
    // `cargo test --benches` does not pass --bench
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runs = std::env::args().find_map(|text| text.parse().ok()).unwrap_or(6_400);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(runs));
}

//! Memory of a process in which 1,000 runs wait: half for an approval, half for a timer.
//!
//! ```text
//! cargo bench -p project --bench waiting [-- RUNS]
//! ```
//!
//! Everything is real: the SQLite journal, policy, the sandbox with one action loaded and used.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark's report")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::Submission;
use project::machine::{SystemClock, SystemEntropy};
use project::{Machine, Place, Project, Workshop};
use serde_json::json;
use store::RunStatus;

// as the program `aedile` has it
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const APPROVAL: &str = "
document: {dsl: '1.0.3', namespace: bench, name: approval, version: '1.0.0'}
do:
  - first: {call: 'echo:0.1.0', with: {message: '${ .name }'}}
  - gate:
      call: approval
      with: {title: Go on, levels: [{level: 1, roles: [lead]}]}
  - last: {set: {done: true}}
";

const TIMER: &str = "
document: {dsl: '1.0.3', namespace: bench, name: timer, version: '1.0.0'}
do:
  - first: {call: 'echo:0.1.0', with: {message: '${ .name }'}}
  - pause: {wait: {hours: 24}}
  - last: {set: {done: true}}
";

fn project(directory: &Path) -> Place {
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/components/echo-0.1.0.wasm");
    let digest = model::Digest::of(&fs_err::read(&component).unwrap());
    let manifest = format!(
        "name: bench\nenvironments: {{bench: {{}}}}\nactions:\n  - {{name: echo, version: 0.1.0, path: echo.wasm, digest: '{digest}'}}\n"
    );
    fs_err::write(directory.join("aedile.yaml"), manifest).unwrap();
    fs_err::copy(&component, directory.join("echo.wasm")).unwrap();
    fs_err::create_dir_all(directory.join("workflows")).unwrap();
    fs_err::write(directory.join("workflows/approval.yaml"), APPROVAL).unwrap();
    fs_err::write(directory.join("workflows/timer.yaml"), TIMER).unwrap();
    Place::in_project(Project::open(directory).unwrap(), None).unwrap()
}

/// A field of `/proc/self/status`, in kibibytes.
fn kibibytes(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn report(when: &str) {
    #[allow(clippy::cast_precision_loss, reason = "no more digits than a double has are printed")]
    let mebibytes = |field| kibibytes(field) as f64 / 1024.0;
    println!("{when:<28} {:>7.1} MiB resident, {:>7.1} at most", mebibytes("VmRSS:"), mebibytes("VmHWM:"));
}

async fn submit(workshop: &Workshop, name: &str, runs: usize) {
    let definition = workshop.rules.now().programs.find_document(name, None).unwrap().definition;
    for _ in 0..runs {
        let submission = Submission {
            definition: definition.clone(),
            input: json!({ "name": "world" }),
            requester: "user:bench".parse().unwrap(),
            via: None,
            idempotency_key: None,
        };
        workshop.engine.submit(submission).await.unwrap();
    }
}

fn main() {
    // `cargo test --benches` does not pass --bench
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runs = std::env::args().find_map(|text| text.parse().ok()).unwrap_or(1_000);
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        report("at the start");
        let machine = Machine {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            lines: Arc::new(|_: &str| ()),
            login: project::infrastructure::Login::default(),
            identities: project::infrastructure::Identities::default(),
        };
        let workshop = Workshop::open(&project(directory.path()), &machine).unwrap();
        report("with an engine");
        submit(&workshop, "bench/approval", runs / 2).await;
        submit(&workshop, "bench/timer", runs - runs / 2).await;
        // until the last has come to its approval or timer
        let waiting = || {
            let runs = workshop.journal.status().unwrap().runs;
            runs.iter().find(|(status, _)| *status == RunStatus::Waiting).map_or(0, |(_, count)| *count)
        };
        while waiting() < u64::try_from(runs).unwrap() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        report(&format!("with {runs} runs that wait"));
        assert_eq!(workshop.engine.local_runs().len(), runs, "every one of them is driven by this process");
    });
}

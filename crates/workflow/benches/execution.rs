//! What a run costs in the core: `apply` and `ready` for a workflow of three steps, and reading a document.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use model::{Event, Happening, Program, RunId, Step};
use workflow::{Execution, RunFacts, Workflow};

const THREE_STEPS: &str = "\
document: {dsl: '1.0.3', namespace: bench, name: three, version: '1.0.0'}
do:
- before: {set: {n: '${ .n + 1 }'}}
- act: {call: 'echo:1.0.0', with: {n: '${ .n }'}}
- after: {set: {n: '${ .n }', done: true}}
";

fn read(text: &str) -> Arc<Workflow> {
    let (workflow, found) = workflow::load("bench.yaml", text);
    Arc::new(workflow.unwrap_or_else(|| panic!("{found:#?}")))
}

/// One whole run: seven events, each followed by `ready`.
fn run(workflow: &Arc<Workflow>) -> usize {
    let facts = RunFacts::new(RunId::from_parts(0, 1), serde_json::json!({"n": 1}));
    let mut run = Execution::new(workflow.clone(), facts);
    let at = Timestamp::UNIX_EPOCH;
    let mut next = Some(Happening::Started);
    let mut events = 0;
    while let Some(happening) = next.take() {
        run.apply(&Event { at, happening }).expect("the run follows its journal");
        events += 1;
        next = match run.ready().into_iter().next() {
            Some(Step::Record { step, result }) => {
                let output = result.expect("the step succeeds");
                Some(Happening::Completed { step: step.id, output: output.into() })
            }
            Some(Step::Perform { step, attempt, action }) => {
                let scheduled = Happening::Scheduled { step: step.id.clone(), attempt };
                run.apply(&Event { at, happening: scheduled }).expect("the run follows its journal");
                events += 1;
                Some(Happening::Completed { step: step.id, output: action.input["input"].clone().into() })
            }
            Some(Step::Finish { .. }) => Some(Happening::Finished),
            _ => None,
        };
    }
    events
}

/// A loop of so many steps, to see that the work for an event does not grow with the history.
fn looping(count: usize) -> Arc<Workflow> {
    read(&format!(
        "document: {{dsl: '1.0.3', namespace: bench, name: loop, version: '1.0.0'}}\n\
         do:\n- each: {{for: {{in: '[range({count})]'}}, do: [{{a: {{set: {{n: '${{ $item }}'}}}}}}]}}\n"
    ))
}

const WAITING: &str = "\
document: {dsl: '1.0.3', namespace: bench, name: waiting, version: '1.0.0'}
do:
- before: {set: {n: '${ .n + 1 }', text: '${ $workflow.definition.document.name }'}}
- wait: {wait: PT1H, timeout: {after: PT2H}}
- after: {set: {done: true}}
";

/// Resident memory in bytes, where the system says.
fn resident() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// Says what a waiting run keeps in memory.
#[allow(clippy::print_stdout, reason = "a benchmark says what it measured")]
fn memory() {
    const RUNS: usize = 10_000;
    let workflow = read(WAITING);
    let before = resident();
    let mut waiting = Vec::with_capacity(RUNS);
    let at = Timestamp::UNIX_EPOCH;
    for n in 0..RUNS {
        let facts = RunFacts::new(RunId::from_parts(0, n as u128), serde_json::json!({"n": n}));
        let mut run = Execution::new(workflow.clone(), facts);
        run.apply(&Event { at, happening: Happening::Started }).expect("it starts");
        if let Some(Step::Record { step, result: Ok(output) }) = run.ready().into_iter().next() {
            run.apply(&Event {
                at,
                happening: Happening::Completed { step: step.id, output: output.into() },
            })
            .expect("it goes on");
        }
        for step in run.ready() {
            if let Step::Timer { step, name, .. } = step {
                let set = Happening::TimerSet { step: step.id, name, due: at };
                run.apply(&Event { at, happening: set }).expect("it waits");
            }
        }
        waiting.push(run);
    }
    if let (Some(before), Some(after)) = (before, resident()) {
        println!("a waiting run keeps {} bytes", after.saturating_sub(before) / RUNS);
    }
    drop(black_box(waiting));
}

fn benchmarks(criterion: &mut Criterion) {
    memory();
    let three = read(THREE_STEPS);
    criterion.bench_function("run of three steps", |b| b.iter(|| black_box(run(&three))));
    criterion.bench_function("read a document of three steps", |b| b.iter(|| black_box(read(THREE_STEPS))));
    for count in [1_000, 2_000, 4_000] {
        let workflow = looping(count);
        criterion.bench_function(&format!("loop of {count} steps"), |b| b.iter(|| black_box(run(&workflow))));
    }
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);

//! Durable appends and verification, beside a bare file and PostgreSQL.
//!
//! `cargo bench -p store --bench journal` prints the table of `docs/performance/journal.md`. PostgreSQL takes part where
//! its programs are installed: a server of its own in a temporary directory, on a Unix socket, `synchronous_commit=on`.
//! Words behind `--` choose rows: `-- 'journal' encoding` measures only those with a word in their name.
//! All three write to the directory named by `AEDILE_BENCH_DIR`, else to the system's temporary directory.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark fails as a test does, and prints its result"
)]
#![allow(missing_docs, unreachable_pub, reason = "a program")]
#![allow(clippy::cast_precision_loss, reason = "rates need no more digits than a double has")]
#![allow(clippy::doc_markdown, reason = "PostgreSQL is a name")]

mod bare;
mod postgres;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use journal::events::{BusEvent, Published, StepEvent, StepResult};
use journal::{Append, Event, Journal, NewEvent, verify};
use model::{CloudEvent, Principal, RunId, StepId};
use serde_json::json;
use store::{Options, SqliteJournal};

/// Bytes of data of one event; its envelope comes on top.
const DATA_BYTES: usize = 300;

/// How long each measurement takes: `AEDILE_BENCH_SECONDS`, else 3 seconds.
pub fn duration() -> Duration {
    let seconds = std::env::var("AEDILE_BENCH_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

/// Processor time this process has used, all threads. On a machine with other work it says more than the clock.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    // user and system time, in hundredths of a second
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// What a measurement found.
pub struct Measured {
    appends: f64,
    p50: Duration,
    p99: Duration,
    processor: Duration,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let processor = ms(self.processor) * 1e3;
        write!(f, "{:.0}/s ({:.2} / {:.2}; {processor:.1})", self.appends, ms(self.p50), ms(self.p99))
    }
}

/// Lets `writers` threads append for a while; each append returns when it is durable.
pub fn measure(writers: usize, append: &(impl Fn(usize) + Sync)) -> Measured {
    let (start, before) = (Instant::now(), processor_time());
    let end = start + duration();
    let mut latencies: Vec<Duration> = thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                scope.spawn(move || {
                    let mut latencies = Vec::with_capacity(1 << 16);
                    while Instant::now() < end {
                        let begin = Instant::now();
                        append(writer);
                        latencies.push(begin.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let (elapsed, used) = (start.elapsed().as_secs_f64(), processor_time().saturating_sub(before));
    latencies.sort_unstable();
    Measured {
        appends: latencies.len() as f64 / elapsed,
        p50: latencies[latencies.len() / 2],
        p99: latencies[latencies.len() * 99 / 100],
        processor: used.div_f64(latencies.len() as f64),
    }
}

fn open(directory: &Path, name: &str) -> SqliteJournal {
    let options = Options { create: true, source: "aedile/bench".to_owned(), ..Options::default() };
    SqliteJournal::open(directory.join(name), &options).unwrap()
}

/// An event with 300 bytes of data on a stream without views.
fn published(writer: usize) -> NewEvent {
    let event = CloudEvent {
        specversion: "1.0".to_owned(),
        id: "1".to_owned(),
        source: "bench".to_owned(),
        kind: "io.aedile.bench".to_owned(),
        time: None,
        subject: None,
        datacontenttype: None,
        dataschema: None,
        data: None,
        extensions: serde_json::Map::new(),
    };
    let mut published = Published { event, run: None };
    let empty = serde_json::to_vec(&published).unwrap().len() + "\"data\":\"\",".len();
    published.event.data = Some("x".repeat(DATA_BYTES - empty).into());
    NewEvent {
        stream: format!("bus/{writer}").into(),
        actor: Principal::system(),
        event: BusEvent::Published(Box::new(published)).into(),
    }
}

/// An event with 300 bytes of data that changes the view of its run.
fn completed(run: RunId) -> NewEvent {
    let mut result = StepResult {
        step: StepId::new("/do/1/build"),
        name: "build".to_owned(),
        task: "call".to_owned(),
        output: json!("").into(),
    };
    let empty = serde_json::to_vec(&result).unwrap().len();
    result.output = json!("x".repeat(DATA_BYTES - empty)).into();
    NewEvent {
        stream: run.to_string().into(),
        actor: Principal::system(),
        event: StepEvent::Completed(result).into(),
    }
}

fn submitted(run: RunId) -> NewEvent {
    let event = Event::decode(
        "run.submitted",
        &json!({
            "run": run, "environment": "bench", "input": {}, "policy": model::Digest::ZERO,
            "program": {"kind": "workflow", "name": "bench/one", "version": "1", "digest": model::Digest::ZERO},
        })
        .to_string(),
    )
    .unwrap();
    NewEvent { stream: run.to_string().into(), actor: Principal::system(), event }
}

fn append(journal: &SqliteJournal, event: NewEvent) {
    block_on(journal.append(Append { events: vec![event], ..Append::default() })).unwrap();
}

fn appends(directory: &Path, writers: usize) -> Measured {
    let journal = open(directory, &format!("plain-{writers}.db"));
    let events: Vec<_> = (0..writers).map(published).collect();
    measure(writers, &|writer| append(&journal, events[writer].clone()))
}

fn appends_with_views(directory: &Path, writers: usize) -> Measured {
    let journal = open(directory, &format!("views-{writers}.db"));
    let events: Vec<_> = (0..writers)
        .map(|writer| {
            let run = RunId::from_parts(writer as u64, 1);
            append(&journal, submitted(run));
            completed(run)
        })
        .collect();
    measure(writers, &|writer| append(&journal, events[writer].clone()))
}

/// A million records: how fast they verify, and how fast status answers.
fn large(directory: &Path) {
    const RECORDS: usize = 1_000_000;
    let journal = open(directory, "large.db");
    let start = Instant::now();
    let mut pending = std::collections::VecDeque::new();
    let event = published(0);
    for _ in 0..RECORDS / 100 {
        let events = vec![event.clone(); 100];
        pending.push_back(journal.append(Append { events, ..Append::default() }));
        if pending.len() > 32 {
            block_on(pending.pop_front().unwrap()).unwrap();
        }
    }
    for appending in pending {
        block_on(appending).unwrap();
    }
    let rate = RECORDS as f64 / start.elapsed().as_secs_f64();
    println!("| a million appends in batches of 100 | {rate:.0}/s |");

    let (start, before) = (Instant::now(), processor_time());
    let report = verify::verify(journal.scan(0), &verify::Options::default()).unwrap();
    let (seconds, used) = (start.elapsed().as_secs_f64(), processor_time().saturating_sub(before));
    println!(
        "| verification, {} records | {:.0} MB/s ({:.0} records/s; {:.2} us of processor each) |",
        report.head.position,
        report.bytes as f64 / 1e6 / seconds,
        report.head.position as f64 / seconds,
        used.as_secs_f64() * 1e6 / report.head.position as f64
    );

    let mut times: Vec<_> = (0..21)
        .map(|_| {
            let start = Instant::now();
            journal.status().unwrap();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("| status, median | {:.3} ms |", times[10].as_secs_f64() * 1e3);

    let path = journal.path().to_owned();
    drop(journal);
    let start = Instant::now();
    let again = SqliteJournal::open(path, &Options::default()).unwrap();
    again.status().unwrap();
    println!("| opening and status | {:.1} ms |", start.elapsed().as_secs_f64() * 1e3);
}

/// What one record costs before it reaches storage.
fn encoding() {
    const ROUNDS: u32 = 500_000;
    let event = published(0);
    let mut out = Vec::new();
    let previous = model::Digest::ZERO;
    let before = processor_time();
    for _ in 0..ROUNDS {
        let prepared = journal::record::prepare(&event).unwrap();
        out.clear();
        let place = journal::record::Place {
            position: 123_456,
            sequence: 1234,
            time: "2026-11-21T09:00:00.000Z",
            previous: &previous,
            source: "aedile/bench",
        };
        prepared.finish(&place, &mut out);
        std::hint::black_box(journal::record::digest(&out));
    }
    println!(
        "| encoding and hashing one record of {} bytes | {:.2} us |",
        out.len(),
        processor_time().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(ROUNDS)
    );
}

fn main() {
    // `cargo bench` passes --bench; `cargo test --benches` does not, and must not take minutes
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let base = std::env::var_os("AEDILE_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let directory = tempfile::tempdir_in(base).unwrap();
    let directory = directory.path();
    let postgres = postgres::Server::start(directory);

    println!(
        "Appends of {DATA_BYTES} bytes of data: per second (p50 / p99 in ms; processor time of one in us).\n"
    );
    println!("| | 1 writer | 8 writers | 64 writers |\n|---|---|---|---|");
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str()));
    let row = |name: &str, run: &dyn Fn(usize) -> Option<String>| {
        if !is_wanted(name) {
            return;
        }
        let cells: Vec<_> = [1, 8, 64].into_iter().filter_map(run).collect();
        if cells.len() == 3 {
            println!("| {name} | {} |", cells.join(" | "));
        }
    };
    row("journal", &|writers| Some(appends(directory, writers).to_string()));
    row("journal, views changed", &|writers| Some(appends_with_views(directory, writers).to_string()));
    row("bare file, group commit", &|writers| Some(bare::appends(directory, writers).to_string()));
    row("PostgreSQL, one insert each", &|writers| {
        postgres.as_ref()?.inserts(writers, DATA_BYTES, duration())
    });
    println!("\n| | |\n|---|---|");
    if is_wanted("encoding") {
        encoding();
    }
    if is_wanted("large") {
        large(directory);
    }
}

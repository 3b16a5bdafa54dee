//! What serving costs, measured on the real program: memory and processor when nothing happens, reads of views under load
//! (`wrk`), the overview and proofs on a journal of a million events, and a thousand listeners: their memory, and the time from a record
//! to the last of them. Ends with an error when one of the promises is not held.
//!
//! `AEDILE` names the program and `AEDILE_FILL` the example `fill` of `store`, as they are released; `cargo xtask bench serving`
//! builds both.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark says what it measured")]

mod process;
mod wrk;

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;

use process::Served;

/// Events in the journal.
const EVENTS: &str = "1000000";
/// Runs in it.
const RUNS: usize = 200;
/// Listeners at a time.
const LISTENERS: usize = 1_000;
/// How often a page is asked for; the median counts.
const ROUNDS: usize = 41;

const WORKFLOW: &str = "
document: {dsl: '1.0.0', namespace: bench, name: plain, version: '1.0.0'}
do: [{only: {set: {answer: 42}}}]
";

/// What was promised, what is, and whether that is good enough.
struct Table(bool);

impl Table {
    fn row(&mut self, what: &str, promised: &str, is: &str, held: bool) {
        println!("| {what} | {promised} | {is} | {} |", if held { "yes" } else { "**no**" });
        self.0 &= held;
    }
}

fn prepare(directory: &Path) {
    let fill = std::env::var_os("AEDILE_FILL").expect("AEDILE_FILL names the example `fill`");
    process::run(process::aedile().arg("init").arg("--quiet").current_dir(directory));
    std::fs::write(directory.join("workflows/plain.yaml"), WORKFLOW).unwrap();
    std::fs::write(
        directory.join("access.yaml"),
        "roles: {admin: [user:bench]}\nactAs: {dev: {'*': [user:bench]}}\n",
    )
    .unwrap();
    let state = directory.join(".aedile/.server");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("server.yaml"), "limits: {requestsPerSecond: 1000000}\n").unwrap();
    let journal = directory.join(".aedile/dev/journal.db");
    process::run(std::process::Command::new(fill).arg(journal).arg(EVENTS));
}

/// The median time of an answer, of one address for each round.
async fn median(client: &reqwest::Client, url: impl Fn(usize) -> String) -> Duration {
    let mut times = Vec::new();
    for round in 1..=ROUNDS {
        let (url, begun) = (url(round), Instant::now());
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{url}");
        answer.bytes().await.unwrap();
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    times[ROUNDS / 2]
}

/// Proofs of records far from each other: the first one, and the median of those after it.
async fn proofs(client: &reqwest::Client, served: &Served, directory: &Path) {
    process::run(process::aedile().args(["journal", "checkpoint", "--quiet"]).current_dir(directory));
    let url = |position: usize| format!("{}/journal/records/{position}/proof", served.environment());
    let begun = Instant::now();
    assert_eq!(client.get(url(1)).send().await.unwrap().status(), 200);
    let first = begun.elapsed();
    let later = median(client, |round| url(round * 24_000)).await;
    println!(
        "\nproof of a record of the million: the first {:.0} ms, then {:.1} ms",
        first.as_secs_f64() * 1e3,
        later.as_secs_f64() * 1e3
    );
}

/// Submits a run, and answers when that was.
async fn submit(client: &reqwest::Client, runs: &str) -> Instant {
    let begun = Instant::now();
    let answer = client.post(runs).json(&json!({ "workflow": "bench/plain" })).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    begun
}

/// Reads a stream until it tells of a run's end, and answers when that was. One run goes on at a time.
async fn hears(client: reqwest::Client, url: String) -> Instant {
    let answer = client.get(url).send().await.unwrap();
    let (mut bytes, mut text) = (answer.bytes_stream(), String::new());
    while let Some(Ok(chunk)) = bytes.next().await {
        text.push_str(&String::from_utf8_lossy(&chunk));
        if text.contains("event: run.completed") {
            return Instant::now();
        }
    }
    panic!("the stream ended early")
}

async fn listeners(client: &reqwest::Client, served: &Served, table: &mut Table) {
    let url = format!("{}/journal/stream", served.environment());
    let all: Vec<_> = (0..LISTENERS).map(|_| tokio::spawn(hears(client.clone(), url.clone()))).collect();
    while served.listeners(client).await < LISTENERS {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let resident = served.resident_mib();
    table.row(
        &format!("memory with {LISTENERS} listeners"),
        "< 150 MiB",
        &format!("{resident} MiB"),
        resident < 150,
    );
    let begun = submit(client, &format!("{}/runs", served.environment())).await;
    let mut last = Duration::ZERO;
    for one in all {
        last = last.max(one.await.unwrap().duration_since(begun));
    }
    // nothing is promised for the last of a thousand
    println!(
        "\nfrom a submission to its end at the last of {LISTENERS} listeners: {:.0} ms",
        last.as_secs_f64() * 1e3
    );
}

/// One listener hears of a run while nothing else happens.
async fn one_listener(client: &reqwest::Client, served: &Served, table: &mut Table) {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let url = format!("{}/journal/stream", served.environment());
        let one = tokio::spawn(hears(client.clone(), url));
        while served.listeners(client).await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let begun = submit(client, &format!("{}/runs", served.environment())).await;
        times.push(one.await.unwrap().duration_since(begun));
    }
    times.sort_unstable();
    let (half, most) = (times[ROUNDS / 2], times[ROUNDS - 1]);
    let is = format!("{:.0} ms, at most {:.0} ms", half.as_secs_f64() * 1e3, most.as_secs_f64() * 1e3);
    table.row(
        "from a submission to its end at a listener",
        "< 100 ms",
        &is,
        half < Duration::from_millis(100),
    );
}

#[tokio::main]
async fn main() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let directory = tempfile::tempdir().unwrap();
    prepare(directory.path());
    let served = Served::start(directory.path());
    let session = served.sign_in().await;
    let mut headers = HeaderMap::new();
    let token = served.token(&session).await;
    headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    let client = reqwest::Client::builder().default_headers(headers).build().unwrap();
    for _ in 0..RUNS {
        submit(&client, &format!("{}/runs", served.environment())).await;
    }
    println!("\n| what | promised | is | held |\n|---|---|---|---|");
    let mut table = Table(true);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let busy = served.busy(Duration::from_secs(12)).await;
    let resident = served.resident_mib();
    table.row("memory when nothing happens", "< 40 MiB", &format!("{resident} MiB"), resident < 40);
    table.row(
        "processor when nothing happens",
        "none to speak of",
        &format!("{:.2} % of one", busy * 100.0),
        busy < 0.01,
    );
    for (what, path) in
        [("runs, 20 a page", "/runs?limit=20"), ("at a glance", ""), ("approvals", "/approvals")]
    {
        let load = wrk::load(&format!("{}{path}", served.environment()), &token);
        let is = format!("{:.0}/s, 99 % within {:.1} ms", load.per_second, load.p99_ms);
        table.row(what, "> 5,000/s, 99 % within 20 ms", &is, load.per_second > 5_000.0 && load.p99_ms < 20.0);
    }
    let page = session.get(&served, "/overview").await;
    table.row(
        "the overview as a page",
        "< 50 ms",
        &format!("{:.1} ms", page.as_secs_f64() * 1e3),
        page.as_millis() < 50,
    );
    let overview = median(&client, |_| served.environment()).await;
    println!("\nthe environment at a glance, one after the other: {:.1} ms", overview.as_secs_f64() * 1e3);
    proofs(&client, &served, directory.path()).await;
    one_listener(&client, &served, &mut table).await;
    listeners(&client, &served, &mut table).await;
    drop(served);
    assert!(table.0, "a promise is not held");
}

//! What a warm call costs: a new instance, the call, and its end. Issue: under 100 microseconds.
#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use model::Digest;
use sandbox::{
    BoxFuture, Config, Grants, HttpError, HttpRequest, HttpResponse, Limits, Module, NoServices, Sandbox,
    Services,
};

const ECHO: &[u8] = include_bytes!("../../../guests/components/echo-0.1.0.wasm");
const FETCH: &[u8] = include_bytes!("../../../guests/components/http-fetch-0.1.0.wasm");

/// Answers at once, so that what is measured is the sandbox.
struct Instant200;

impl Services for Instant200 {
    fn http(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            Ok(HttpResponse { status: 200, headers, body: b"{\"ok\":true}".to_vec(), url: request.url })
        })
    }
}

fn load(config: Config, bytes: &[u8]) -> Arc<Module> {
    Sandbox::new(config)
        .and_then(|sandbox| sandbox.load(bytes, Digest::of(bytes)))
        .expect("shipped guests load")
}

fn calls(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let limits = Limits::default();
    let none = Grants::none();
    let services: Arc<dyn Services> = Arc::new(NoServices);
    let kilobyte = format!("\"{}\"", "x".repeat(1000));
    let mut group = c.benchmark_group("call");
    for (name, config) in [
        ("echo, pool", Config::default()),
        ("echo, no pool", Config { pooling: false, ..Config::default() }),
        ("echo, pool and fuel", Config { fuel: true, ..Config::default() }),
    ] {
        let echo = load(config, ECHO);
        for (size, input) in [("2 bytes", "{}"), ("1 kB", &kilobyte)] {
            group.bench_function(format!("{name}, {size}"), |b| {
                b.iter(|| {
                    let call = echo.call(black_box(input), &none, Arc::clone(&services), &limits);
                    runtime.block_on(call).expect("echo answers")
                });
            });
        }
    }
    let fetch = load(Config::default(), FETCH);
    let grants = Grants::parse(["http:api.example"]).expect("a valid grant");
    let http: Arc<dyn Services> = Arc::new(Instant200);
    group.bench_function("http-fetch, pool", |b| {
        b.iter(|| {
            let input = black_box(r#"{"url":"https://api.example/x","headers":{"accept":"*/*"}}"#);
            runtime.block_on(fetch.call(input, &grants, Arc::clone(&http), &limits)).expect("it answers")
        });
    });
    group.finish();
}

fn loads(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let config = Config { cache_dir: Some(directory.path().to_owned()), ..Config::default() };
    let sandbox = Sandbox::new(config).expect("a sandbox");
    let digest = Digest::of(ECHO);
    drop(sandbox.load(ECHO, digest));
    let mut group = c.benchmark_group("load");
    group.bench_function("echo, from the cache", |b| {
        // what was loaded before is dropped before, or it would be handed out again
        b.iter_batched(|| (), |()| drop(sandbox.load(ECHO, digest)), BatchSize::PerIteration);
    });
    let uncached = Sandbox::new(Config::default()).expect("a sandbox");
    group.sample_size(10);
    group.bench_function("echo, compiled", |b| b.iter(|| drop(uncached.load(ECHO, digest))));
    group.finish();
}

criterion_group!(benches, calls, loads);
criterion_main!(benches);

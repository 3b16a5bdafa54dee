//! How fast CUE is parsed and evaluated. Goals: parse above 50 MB/s; 10,000 resources to JSON in under a second.
#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

#[path = "../examples/resources/generate.rs"]
mod generate;

fn parse(c: &mut Criterion) {
    let mut text = generate::resources(2_000);
    for n in 0..2_000 {
        writeln!(text, "// note {n}\nx{n}: {{a: [1, 2.5, \"s\"], if r0.port > {n} {{b: r0.name + \"\\(c)\"}}, c: *1 | int}}")
            .unwrap();
    }
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.sample_size(10);
    group.bench_function("file", |b| {
        b.iter_with_large_drop(|| cue::syntax::parse("a.cue", black_box(&text)).unwrap());
    });
    group.finish();
}

fn evaluate(c: &mut Criterion) {
    let mut group = c.benchmark_group("evaluate");
    group.sample_size(10);
    for count in [1_000, 10_000] {
        let text = generate::resources(count);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("{count} resources to JSON"), |b| {
            b.iter_batched(
                || text.clone(),
                |text| generate::evaluate(&text).unwrap().len(),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, parse, evaluate);
criterion_main!(benches);

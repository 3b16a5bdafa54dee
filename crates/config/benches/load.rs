//! The cost of reading a configuration, from CUE source to what plans compare, for 10,000 resources in each form; and a check
//! that the cost at n, 2n, 4n grows by at most 2.3 for each doubling, which ends the benchmark with an error when it does
//! not hold.

#![allow(clippy::print_stdout, reason = "a benchmark says what it measured")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use config::{Options, Sources};
use criterion::{Criterion, criterion_group};

/// Most that the cost may grow when the size doubles.
const GROWTH_MAX: f64 = 2.3;
const SIZES: [usize; 3] = [10_000, 20_000, 40_000];

/// `count` files in verbose form, each depending on one before it.
fn verbose(count: usize) -> String {
    let mut out = "package site\nhosts: \"web-1\": labels: role: \"web\"\nresources: {\n".to_owned();
    for at in 0..count {
        let _ = write!(
            out,
            "\t\"file-{at}\": {{\n\t\ttype: \"linux.file\"\n\t\tconfig: {{path: \"/srv/{at}.conf\", content: \"listen {at};\", \
             mode: \"0644\", owner: \"root\"}}\n\t\tlabels: {{component: \"app\", tier: \"web\"}}\n"
        );
        if at > 0 {
            let before = at / 2;
            let _ =
                writeln!(out, "\t\tdependencies: [{{resource_id: \"file-{before}\", type: \"require\"}}]");
        }
        out.push_str("\t}\n");
    }
    out + "}\n"
}

/// `count` files in concise form.
fn concise(count: usize) -> String {
    let mut out = "package site\nhosts: \"web-1\": {}\nlinux: file: {\n".to_owned();
    for at in 0..count {
        let _ = writeln!(out, "\t\"/srv/{at}.conf\": {{content: \"listen {at};\", mode: \"0644\"}}");
    }
    out + "}\n"
}

/// `count` files made by a comprehension over a definition.
fn generated(count: usize) -> String {
    format!(
        "package site\nimport \"list\"\nhosts: \"web-1\": {{}}\n\
         #File: {{type: \"linux.file\", config: {{path: string, mode: \"0644\"}}}}\n\
         resources: {{for i in list.Range(0, {count}, 1) {{\"file-\\(i)\": #File & {{config: path: \"/srv/\\(i)\"}}}}}}\n"
    )
}

fn read(text: &str) -> usize {
    let project = config::load(&Sources::of("site.cue", text), &Options::default()).expect("it is right");
    project.desired.resources.len()
}

fn loads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load 10,000");
    group.sample_size(10);
    for (name, text) in
        [("verbose", verbose(10_000)), ("concise", concise(10_000)), ("generated", generated(10_000))]
    {
        group.bench_function(name, |bencher| bencher.iter(|| black_box(read(&text))));
    }
    group.finish();
}

/// The least of several measurements: what the work costs when nothing else runs.
fn milliseconds(text: &str) -> f64 {
    let once = || {
        let begin = Instant::now();
        black_box(read(text));
        begin.elapsed().as_secs_f64() * 1e3
    };
    (0..5).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn growth() {
    for (what, make) in
        [("verbose", verbose as fn(usize) -> String), ("concise", concise), ("generated", generated)]
    {
        let costs = SIZES.map(|count| milliseconds(&make(count)));
        let (first, second) = (costs[1] / costs[0], costs[2] / costs[1]);
        println!("growth {what}: {costs:.1?} ms for {SIZES:?}, {first:.2} and {second:.2} per doubling");
        assert!(first.max(second) <= GROWTH_MAX, "{what} grows by more than {GROWTH_MAX} per doubling");
    }
}

criterion_group!(benches, loads);

fn main() {
    benches();
    growth();
    Criterion::default().configure_from_args().final_summary();
}

//! The cost of a plan: compare, order, digest, render, for 10,000 and 100,000 resources; and a check that the cost at
//! n, 2n, 4n grows by at most 2.3 for each doubling, which ends the benchmark with an error when it does not hold.

#![allow(clippy::print_stdout, reason = "a benchmark says what it measured")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group};
use model::{Digest, Event, Happening, PlanId, Program, RunId, Step, Timestamp};
use plan::apply::{Apply, Options};
use plan::schema::{AttributeSchema, AttributeType, Normaliser, ProviderSchema, TypeSchema};
use plan::{
    Applied, DependencyKind, Desired, Header, Held, Host, Instance, Inventory, Name, Observed, Place, Plan,
    Resource, Schemas, SealingKey, Selector, World,
};

/// Most that the cost may grow when the size doubles.
const GROWTH_MAX: f64 = 2.3;
const HOSTS: usize = 100;

struct Scene {
    desired: Desired,
    world: World,
    schemas: Schemas,
    header: Header,
}

fn name(text: &str) -> Name {
    text.parse().expect("it is a name")
}

fn schemas() -> Schemas {
    let text = || AttributeSchema::new(AttributeType::Text);
    let mut file = TypeSchema::new([
        (name("path"), text().required().normalised(Normaliser::Path)),
        (name("content"), text()),
        (name("mode"), text().normalised(Normaliser::Octal)),
        (name("owner"), text().default_value("root")),
    ]);
    file.identity = vec![name("path")];
    let types = BTreeMap::from([("linux.file".parse().expect("it is a type"), file)]);
    let provider = ProviderSchema { version: "1.0.0".to_owned(), types };
    Schemas { providers: BTreeMap::from([("linux.file".to_owned(), provider)]) }
}

/// `count` files over a hundred hosts, each depending on two before it. `settled`: all are there as declared.
fn scene(count: usize, settled: bool) -> Scene {
    let hosts: Vec<Host> = (0..HOSTS).map(|at| format!("host-{at}").parse().expect("it is a host")).collect();
    let inventory = Inventory { hosts: hosts.iter().map(|host| (host.clone(), BTreeMap::new())).collect() };
    let mut world = World::new(inventory, SealingKey::new([7; 32]));
    let site: Arc<str> = Arc::from("site.cue");
    let mut resources = Vec::with_capacity(count);
    for at in 0..count {
        let place = Place::new(&site, u32::try_from(at).unwrap_or(0), 1);
        let id = |at: usize| format!("file-{at}").parse().expect("it is an id");
        let mut one = Resource::new(id(at), "linux.file".parse().expect("it is a type"), place)
            .with(name("path"), format!("/etc/app/{at}.conf"))
            .with(name("content"), format!("number = {at}\nname = \"file {at}\"\n"))
            .with(name("mode"), "0644")
            .on(Selector::Hosts(vec![hosts[at % HOSTS].clone()]));
        for back in [HOSTS, 7 * HOSTS] {
            if at >= back {
                one = one.after(id(at - back), DependencyKind::Require);
            }
        }
        let instance = Instance::new(hosts[at % HOSTS].clone(), one.id.clone());
        if settled {
            let attributes: BTreeMap<Name, Held> = one
                .attributes
                .iter()
                .map(|(name, attribute)| (name.clone(), Held::Plain { value: attribute.value.clone() }))
                .collect();
            world.observed.insert(instance.clone(), Observed::Present(attributes.clone()));
            let applied = Applied {
                kind: one.kind.clone(),
                provider: "1.0.0".to_owned(),
                attributes,
                depends: Vec::new(),
            };
            world.applied.insert(instance, applied);
        } else {
            world.observed.insert(instance, Observed::Absent);
        }
        resources.push(one);
    }
    let header = Header {
        id: PlanId::from_parts(0, 1),
        created: Timestamp::UNIX_EPOCH,
        environment: "bench".parse().expect("it is an environment"),
        parent: None,
        position: 0,
        configuration: Digest::of(b"configuration"),
        policy: Digest::of(b"policy"),
        facts: Digest::of(b"facts"),
        focus: Vec::new(),
    };
    Scene { desired: Desired { resources, checks: Vec::new() }, world, schemas: schemas(), header }
}

fn make(scene: &Scene) -> Plan {
    let made = plan::plan(&scene.desired, &scene.world, &scene.schemas, &scene.header);
    made.expect("nothing is wrong with the scene")
}

/// A plan, and its text.
fn make_and_render(scene: &Scene) -> usize {
    make(scene).to_string().len()
}

/// A whole run: every event, `ready` after each batch.
fn apply(plan: &Arc<Plan>) -> usize {
    let mut run = Apply::new(Arc::clone(plan), RunId::from_parts(0, 1), Options::default());
    let at = Timestamp::UNIX_EPOCH;
    let tell = |run: &mut Apply, happening| {
        run.apply(&Event { at, happening }).expect("the run follows its journal");
    };
    tell(&mut run, Happening::Started);
    let mut events = 1;
    loop {
        let ready = run.ready();
        if ready.is_empty() {
            return events;
        }
        for step in ready {
            events += 2;
            match step {
                Step::Perform { step, attempt, .. } => {
                    tell(&mut run, Happening::Scheduled { step: step.id.clone(), attempt });
                    let output = serde_json::json!({"changed": true});
                    tell(&mut run, Happening::Completed { step: step.id, output });
                }
                Step::Record { step, result } => {
                    let output = result.expect("nothing fails here");
                    tell(&mut run, Happening::Completed { step: step.id, output });
                }
                Step::Finish { .. } => tell(&mut run, Happening::Finished),
                other => unreachable!("nothing else is asked for: {other:?}"),
            }
        }
    }
}

fn plans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for (count, label) in [(10_000, "10k"), (100_000, "100k")] {
        for (settled, what) in [(false, "all new"), (true, "no change")] {
            let scene = scene(count, settled);
            group.bench_function(format!("{label} {what}"), |bencher| {
                bencher.iter(|| black_box(make_and_render(&scene)));
            });
        }
    }
    let made = Arc::new(make(&scene(10_000, false)));
    let bytes = made.to_file();
    group.bench_function("10k read file", |bencher| {
        bencher.iter(|| black_box(Plan::from_file(&bytes).expect("it is its own file")));
    });
    group.bench_function("10k apply", |bencher| bencher.iter(|| black_box(apply(&made))));
    group.finish();
}

fn best_of(tries: u32, mut work: impl FnMut()) -> Duration {
    let once = |work: &mut dyn FnMut()| {
        let begin = Instant::now();
        work();
        begin.elapsed()
    };
    (0..tries).map(|_| once(&mut work)).min().unwrap_or_default()
}

/// Cost at n, 2n and 4n.
fn growth() {
    const SIZES: [usize; 3] = [10_000, 20_000, 40_000];
    type Work<'w> = (&'w str, &'w dyn Fn(usize) -> Duration);
    let work: [Work<'_>; 3] = [
        ("all new", &|count| {
            let scene = scene(count, false);
            best_of(7, || {
                black_box(make_and_render(&scene));
            })
        }),
        ("no change", &|count| {
            let scene = scene(count, true);
            best_of(7, || {
                black_box(make_and_render(&scene));
            })
        }),
        ("apply", &|count| {
            let made = Arc::new(make(&scene(count, false)));
            best_of(3, || {
                black_box(apply(&made));
            })
        }),
    ];
    for (what, work) in work {
        let costs = SIZES.map(work);
        let ratios = [
            costs[1].as_secs_f64() / costs[0].as_secs_f64(),
            costs[2].as_secs_f64() / costs[1].as_secs_f64(),
        ];
        println!(
            "growth {what}: {costs:.1?} for {SIZES:?}, {:.2} and {:.2} per doubling",
            ratios[0], ratios[1]
        );
        assert!(
            ratios.iter().all(|ratio| *ratio <= GROWTH_MAX),
            "{what} grows by more than {GROWTH_MAX} per doubling"
        );
    }
}

criterion_group!(benches, plans);

fn main() {
    benches();
    growth();
    Criterion::default().configure_from_args().final_summary();
}

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
        variables: std::collections::BTreeMap::new(),
        focus: Vec::new(),
        only: Vec::new(),
        destroy: false,
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
                    tell(&mut run, Happening::Completed { step: step.id, output: output.into() });
                }
                Step::Record { step, result } => {
                    let output = result.expect("nothing fails here");
                    tell(&mut run, Happening::Completed { step: step.id, output: output.into() });
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
    let bytes = made.file().as_bytes();
    group.bench_function("10k read file", |bencher| {
        bencher.iter(|| black_box(Plan::from_file(bytes).expect("it is its own file")));
    });
    group.bench_function("10k apply", |bencher| bencher.iter(|| black_box(apply(&made))));
    group.finish();
}

/// Time this thread had a processor, so that what else the machine does counts less; where the kernel does not tell, the
/// time that went by since `begin`.
fn spent(begin: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| begin.elapsed(), Duration::from_nanos)
}

type Work = Box<dyn Fn()>;

/// The least time of several rounds; the sizes take turns, so that a busy moment does not fall on one of them.
fn least(works: &[Work; 3], rounds: u32) -> [Duration; 3] {
    let begin = Instant::now();
    let mut least = [Duration::MAX; 3];
    for _ in 0..rounds {
        for (work, least) in works.iter().zip(&mut least) {
            let before = spent(begin);
            work();
            *least = (*least).min(spent(begin).saturating_sub(before));
        }
    }
    least
}

/// Cost at n, 2n and 4n.
fn growth() {
    const SIZES: [usize; 3] = [10_000, 20_000, 40_000];
    let planning = |settled: bool| {
        SIZES.map(|count| -> Work {
            let scene = scene(count, settled);
            Box::new(move || {
                black_box(make_and_render(&scene));
            })
        })
    };
    let applying = || {
        SIZES.map(|count| -> Work {
            let made = Arc::new(make(&scene(count, false)));
            Box::new(move || {
                black_box(apply(&made));
            })
        })
    };
    let works = [("all new", planning(false)), ("no change", planning(true)), ("apply", applying())];
    for (what, works) in works {
        let costs = least(&works, 7);
        let [first, second] = [1, 2].map(|at| costs[at].as_secs_f64() / costs[at - 1].as_secs_f64());
        println!("growth {what}: {costs:.1?} for {SIZES:?}, {first:.2} and {second:.2} per doubling");
        assert!(first.max(second) <= GROWTH_MAX, "{what} grows by more than {GROWTH_MAX} per doubling");
    }
}

criterion_group!(benches, plans);

fn main() {
    benches();
    growth();
    Criterion::default().configure_from_args().final_summary();
}

//! One world: drawn from a seed, lived life after life, checked at its end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::judge::{Judge, Roles};
use engine::ports::{Definition, Entropy, NobodyNotified, Presence, Programs, Secret, SecretError, Secrets};
use engine::{Engine, Parts, Performers, Submission};
use journal::Journal;
use journal::events::{ProgramRecord, Submitted};
use model::{Digest, Environment, Origin, Principal, Program, Role, RunId, Timestamp};
use policy::{PolicySet, Source};
use serde_json::Value;

use crate::clock::WorldClock;
use crate::disk::{Disk, Platter};
use crate::effects::{Outside, SimPerformer};
use crate::invariants::{self, Evidence};
use crate::ledger::Ledger;
use crate::people::{People, Told, requester, roles};
use crate::power::{Moment, Power};
use crate::program::SimProgram;
use crate::script::{self, Script};
use crate::{limits, locked};

/// When every world begins: a Thursday.
const BEGINNING: &str = "2026-01-01T00:00:00Z";

/// What became of a world.
#[derive(Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// At which moments the process was killed, life by life.
    pub crashes: Vec<Moment>,
    /// Runs, children counted.
    pub runs: usize,
    /// Records in the journal.
    pub records: u64,
    /// Effects that happened.
    pub effects: u64,
    /// Digest of the last record: the same for the same seed.
    pub fingerprint: Digest,
    /// Rules that are broken.
    pub broken: Vec<String>,
    /// The journal, a line for each record.
    pub history: Vec<String>,
}

/// What is drawn before anything happens.
struct Plan {
    scripts: Vec<Script>,
    /// Which script each run is of, and how many milliseconds after the beginning of a life it is submitted.
    runs: Vec<(usize, u64)>,
    /// After how many moments each life ends; the last one does not.
    crashes: Vec<u32>,
    engines: usize,
    refusals_per_mille: u32,
    /// Limit and window in milliseconds.
    quota: Option<(u64, i64)>,
    meddle: bool,
}

impl Plan {
    fn draw(dice: &mut fastrand::Rng) -> Self {
        let scripts = script::draw(dice);
        let runs = (0..dice.usize(1..=limits::RUNS_MAX))
            .map(|_| (dice.usize(0..scripts.len()), dice.u64(0..10_000)))
            .collect();
        let crashes =
            (0..dice.u32(0..=limits::CRASHES_MAX)).map(|_| dice.u32(0..limits::MOMENTS_MAX)).collect();
        Self {
            scripts,
            runs,
            crashes,
            engines: if dice.u8(0..3) == 0 { 2 } else { 1 },
            refusals_per_mille: if dice.u8(0..4) == 0 { limits::REFUSALS_PER_MILLE } else { 0 },
            quota: (dice.u8(0..3) == 0).then(|| (dice.u64(1..4), dice.i64(500..5_000))),
            meddle: dice.u8(0..3) != 0,
        }
    }

    fn policy(&self) -> String {
        let quota = self.quota.map_or(String::new(), |(limit, window)| {
            format!(
                "quotas: [{{name: effects, match: {{action: sim.effect}}, limit: {limit}, window: {window}ms, onExceed: defer}}]\n"
            )
        });
        let within = "[{roles: [approver], within: 20s, onTimeout: deny}]";
        format!(
            "chains: {{guard: {{levels: {within}}}}}\n\
             require: [{{match: {{action: sim.guarded}}, chain: guard}}]\n\
             grants: [{{capabilities: ['run:workflow']}}]\n{quota}"
        )
    }
}

/// Makes programs from scripts.
struct Scripts(Vec<Definition>);

impl Scripts {
    fn new(scripts: &[Script]) -> Result<Self, serde_json::Error> {
        scripts.iter().map(definition).collect::<Result<_, _>>().map(Self)
    }
}

fn definition(script: &Script) -> Result<Definition, serde_json::Error> {
    let text = serde_json::to_string(script)?;
    let program = ProgramRecord {
        kind: "script".to_owned(),
        name: script.name.clone(),
        version: "1.0.0".to_owned(),
        digest: Digest::of(text.as_bytes()),
        source: None,
        origin: Origin::Project,
    };
    Ok(Definition { program, text: text.into(), actions: BTreeMap::new() })
}

impl Programs for Scripts {
    fn build(&self, submitted: &Submitted, text: &str, _: Timestamp) -> Result<Box<dyn Program>, String> {
        SimProgram::parse(&submitted.run.to_string(), text)
            .map(|program| Box::new(program) as Box<dyn Program>)
    }

    fn find(&self, name: &str, _: Option<&str>) -> Result<Definition, String> {
        let found = self.0.iter().find(|definition| definition.program.name == name);
        found.cloned().ok_or_else(|| format!("there is no script {name}"))
    }
}

struct Drawn(Mutex<fastrand::Rng>);

impl Entropy for Drawn {
    fn draw(&self) -> u128 {
        locked(&self.0).u128(..)
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
        Err(SecretError { name: name.to_owned(), why: "a simulated world has none".to_owned() })
    }
}

struct Everybody;

impl Roles for Everybody {
    fn roles(&self, _: &Principal) -> Vec<Role> {
        roles()
    }
}

/// The engines of this life, by name: those of earlier lives are dead.
struct OfThisLife(String);

impl Presence for OfThisLife {
    fn alive(&self, engine: &str) -> bool {
        engine.starts_with(&self.0)
    }
}

/// What outlives the process.
struct World {
    plan: Plan,
    programs: Arc<Scripts>,
    policy: Arc<PolicySet>,
    clock: WorldClock,
    platter: Arc<Platter>,
    ledger: Arc<Ledger>,
    outside: Arc<Outside>,
    told: Arc<Told>,
    submitted: Arc<Mutex<BTreeMap<String, RunId>>>,
}

/// Lives the world of a seed and checks it.
///
/// # Panics
///
/// If the simulator itself is broken: a policy or a script of its own making that cannot be read.
pub fn live(seed: u64) -> Report {
    let mut dice = fastrand::Rng::with_seed(seed);
    let world = World::draw(&mut dice);
    let mut crashes = Vec::new();
    let lives = world.plan.crashes.iter().copied().map(Some).chain([None]);
    for (life, moments) in (1..).zip(lives) {
        let power = Arc::new(Power::failing(moments));
        world.live(life, &power, dice.fork());
        crashes.extend(power.died_at());
        world.clock.pass(Duration::from_millis(dice.u64(0..30_000)));
    }
    world.report(seed, crashes)
}

impl World {
    fn draw(dice: &mut fastrand::Rng) -> Self {
        let plan = Plan::draw(dice);
        let (policy, found) = PolicySet::compile(&[Source::new("policy.yaml", plan.policy())]);
        let clock = WorldClock::at(BEGINNING.parse().expect("the constant is a time"));
        let reader = clock.clone();
        let platter = Arc::new(Platter::new(move || engine::ports::Clock::now(&reader)));
        Self {
            programs: Arc::new(Scripts::new(&plan.scripts).expect("scripts are written as JSON")),
            policy: Arc::new(policy.unwrap_or_else(|| panic!("the simulated policy is wrong: {found:?}"))),
            ledger: Arc::new(Ledger::new(Arc::clone(&platter))),
            plan,
            clock,
            platter,
            outside: Arc::default(),
            told: Arc::default(),
            submitted: Arc::default(),
        }
    }

    /// One life of the process: a runtime of its own, gone with everything in it when the power fails.
    fn live(&self, life: u32, power: &Arc<Power>, mut dice: fastrand::Rng) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O needs nothing of the system");
        runtime.block_on(async {
            let clock = self.clock.alive();
            let journal: Arc<dyn Journal> = Arc::new(Disk::new(
                Arc::clone(&self.platter),
                Arc::clone(power),
                dice.fork(),
                self.plan.refusals_per_mille,
            ));
            let mut engines = Vec::new();
            for number in 0..self.plan.engines {
                let parts = self.parts(life, number, &clock, &journal, power, &mut dice);
                match Engine::start(parts) {
                    Ok(engine) => engines.push(Arc::new(engine)),
                    Err(error) => panic!("seed's life {life}: the engine does not start: {error}"),
                }
            }
            let people = People {
                journal: Arc::clone(&journal),
                clock: clock.clone(),
                outside: Arc::clone(&self.outside),
                told: Arc::clone(&self.told),
                meddle: self.plan.meddle,
            };
            tokio::spawn(people.clone().live(dice.fork()));
            for (index, (script, after)) in self.plan.runs.iter().enumerate() {
                let engine = Arc::clone(&engines[index % engines.len()]);
                tokio::spawn(self.submit(index, *script, *after, engine));
            }
            tokio::select! {
                biased;
                () = power.fails() => {}
                () = self.all_ended(&people) => power.cut(),
            }
            // inside the runtime, where its paused clock is the clock
            clock.stop();
        });
        drop(runtime);
    }

    fn parts(
        &self,
        life: u32,
        number: usize,
        clock: &WorldClock,
        journal: &Arc<dyn Journal>,
        power: &Arc<Power>,
        dice: &mut fastrand::Rng,
    ) -> Parts {
        let performer = Arc::new(SimPerformer::new(
            Arc::clone(&self.outside),
            Arc::clone(&self.platter),
            Arc::clone(power),
            dice.fork(),
        ));
        let views: Arc<Ledger> = Arc::clone(&self.ledger);
        Parts {
            environment: environment(),
            id: format!("life-{life}/{number}"),
            journal: Arc::clone(journal),
            views: views.clone(),
            presence: Arc::new(OfThisLife(format!("life-{life}/"))),
            judge: Judge::new(Arc::clone(&self.policy), Arc::new(Everybody), views),
            programs: Arc::clone(&self.programs) as Arc<dyn Programs>,
            performers: Performers::default().with("sim.", performer),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(Drawn(Mutex::new(dice.fork()))),
            secrets: Arc::new(NoSecrets),
            notifier: Arc::new(NobodyNotified),
        }
    }

    /// Submits a run with a key, until told that it is there.
    fn submit(
        &self,
        index: usize,
        script: usize,
        after_ms: u64,
        engine: Arc<Engine>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let key = format!("submission-{index}");
        let submission = Submission {
            definition: self.programs.0[script].clone(),
            input: Value::Null,
            requester: requester(),
            via: None,
            idempotency_key: Some(key.clone()),
        };
        let submitted = Arc::clone(&self.submitted);
        async move {
            if locked(&submitted).contains_key(&key) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            loop {
                match engine.submit(submission.clone()).await {
                    Ok(run) => {
                        locked(&submitted).insert(key, run);
                        return;
                    }
                    // the disk was full, or somebody else was faster: again
                    Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
                }
            }
        }
    }

    /// Resolves when everything that was to be submitted is, and has ended. Towards the end of the world's time, everything
    /// is cancelled, and must then end.
    async fn all_ended(&self, people: &People) {
        let started = tokio::time::Instant::now();
        let mut patience = limits::WORLD_TIME_MAX / 2;
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let open = engine::ports::Views::unfinished_runs(self.ledger.as_ref()).unwrap_or_default();
            if open.is_empty() && locked(&self.submitted).len() == self.plan.runs.len() {
                return;
            }
            if started.elapsed() > limits::WORLD_TIME_MAX {
                return;
            }
            if started.elapsed() > patience {
                // again and again: the disk may be full at the first try
                patience += Duration::from_mins(1);
                people.cancel_all(open).await;
            }
        }
    }

    fn report(self, seed: u64, crashes: Vec<Moment>) -> Report {
        let submitted = locked(&self.submitted).clone();
        let evidence = Evidence {
            platter: &self.platter,
            outside: &self.outside,
            told: &self.told,
            submitted: &submitted,
            programs: self.programs.as_ref(),
            quota: self.plan.quota,
        };
        let mut broken = invariants::broken(&evidence);
        if submitted.len() < self.plan.runs.len() {
            broken.push(format!("{} of {} runs could be submitted", submitted.len(), self.plan.runs.len()));
        }
        let effects = self.outside.effects().iter().map(|(_, _, count)| u64::from(*count)).sum();
        Report {
            seed,
            crashes,
            runs: self.ledger.runs().map_or(0, |runs| runs.len()),
            records: self.platter.journal().head().map_or(0, |head| head.position),
            effects,
            fingerprint: invariants::fingerprint(&self.platter),
            broken,
            history: history(&self.platter),
        }
    }
}

fn environment() -> Environment {
    "world".parse().expect("the constant is a name")
}

/// A line for each record: position, time, stream, what, about which step, by whom.
fn history(platter: &Platter) -> Vec<String> {
    let mut lines = Vec::new();
    let mut after = 0;
    while let Ok(records) = platter.journal().read(after, 1_000) {
        if records.is_empty() {
            break;
        }
        for record in records {
            after = record.position;
            let data = serde_json::to_value(&record.event).unwrap_or_default();
            let of = |name: &str| {
                data.get(name).map(|value| value.to_string().replace('"', "")).unwrap_or_default()
            };
            lines.push(format!(
                "{:>5} {} {:<30} {:<22} {} {}{} {}",
                record.position,
                model::time::rfc3339(record.at),
                record.stream,
                record.event.kind(),
                of("step"),
                of("engine"),
                of("name"),
                record.actor,
            ));
        }
    }
    lines
}

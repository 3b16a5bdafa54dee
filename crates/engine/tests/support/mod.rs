#![allow(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]
//! A world for the engine's tests: a journal in memory, tokio's paused clock, programs that follow a script, and
//! performers that write down what they did.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use engine::ports::{
    BoxFuture, Checked, Clock, Context, Definition, Entropy, Failure, NobodyNotified, Performer, Presence,
    Programs, Secret, SecretError, Secrets, Views,
};
use engine::{Engine, Parts, Performers, Submission};
use journal::events::{ApprovalEvent, ProgramRecord, QuotaEvent, RunEvent, Submitted};
use journal::{Event, Journal, JournalError, MemoryJournal};
use model::program::{Diverged, Due, Outcome, StepRef, TimerPurpose};
use model::{
    Action, ApprovalId, ApprovalOutcome, ApprovalRequest, CloudEvent, Digest, EffectClass, Happening, Json,
    Origin, Principal, Problem, Program, Reversibility, Role, RunId, Step, StepId, Timestamp,
};
use policy::{PolicySet, Source};
use serde_json::{Value, json};

pub type Log = Arc<Mutex<Vec<String>>>;

/// Wall clock over tokio's, so that `start_paused` makes waiting instant.
pub struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.0.elapsed().as_millis()).unwrap();
        Timestamp::from_millisecond(1_800_000_000_000 + elapsed).unwrap()
    }

    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        let wait = (due.as_millisecond() - self.now().as_millisecond()).max(0);
        Box::pin(tokio::time::sleep(std::time::Duration::from_millis(u64::try_from(wait).unwrap())))
    }
}

#[derive(Default)]
pub struct Counting(AtomicU64);

impl Entropy for Counting {
    fn draw(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 1
    }
}

pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
        Err(SecretError { name: name.to_owned(), why: "there are none".to_owned() })
    }
}

/// Everybody called `lead...` is a lead.
pub struct Leads;

impl engine::judge::Roles for Leads {
    fn roles(&self, principal: &Principal) -> Vec<Role> {
        if principal.name().starts_with("lead") { vec!["lead".parse().unwrap()] } else { Vec::new() }
    }
}

/// Views by reading the whole journal.
pub struct Scan(pub Arc<MemoryJournal>);

impl Views for Scan {
    fn unfinished_runs(&self) -> Result<Vec<RunId>, JournalError> {
        let mut open = Vec::new();
        for record in self.0.read(0, 100_000)? {
            let Ok(run) = record.stream.parse::<RunId>() else { continue };
            match record.event {
                Event::Run(RunEvent::Submitted(_) | RunEvent::RetryRequested(_)) => open.push(run),
                Event::Run(RunEvent::Completed(_) | RunEvent::Failed(_) | RunEvent::Cancelled(_)) => {
                    open.retain(|one| *one != run);
                }
                _ => {}
            }
        }
        Ok(open)
    }

    fn orphaned_approvals(&self) -> Result<Vec<ApprovalId>, JournalError> {
        let (open, mut waiting) = (self.unfinished_runs()?, BTreeMap::new());
        for record in self.0.read(0, 100_000)? {
            match record.event {
                Event::Approval(ApprovalEvent::Requested(asked)) => {
                    waiting.insert(asked.approval.to_string(), (asked.approval, asked.run));
                }
                Event::Approval(ApprovalEvent::Voted(_) | ApprovalEvent::Escalated(_)) => {}
                Event::Approval(_) => {
                    waiting.remove(&*record.stream);
                }
                _ => {}
            }
        }
        Ok(waiting
            .into_values()
            .filter(|(_, run)| !open.contains(run))
            .map(|(approval, _)| approval)
            .collect())
    }

    fn quota_uses(&self, key: &str, since: Timestamp) -> Result<(Vec<(Timestamp, u64)>, u64), JournalError> {
        let records = self.0.read_stream(&format!("quota/{key}"), 0, 100_000)?;
        let last = records.last().map_or(0, |record| record.sequence);
        let uses = records.iter().filter_map(|record| match &record.event {
            Event::Quota(QuotaEvent::Reserved(used)) if record.at > since => Some((record.at, used.amount)),
            _ => None,
        });
        Ok((uses.collect(), last))
    }
}

/// Engines that are alive by name.
#[derive(Default, Clone)]
pub struct Alive(pub Arc<Mutex<Vec<String>>>);

impl Presence for Alive {
    fn alive(&self, engine: &str) -> bool {
        self.0.lock().unwrap().iter().any(|one| one == engine)
    }
}

/// One line of a script.
#[derive(Debug, Clone)]
pub enum Line {
    /// Perform an action of this kind and class.
    Do(&'static str, EffectClass),
    /// Wait this many milliseconds.
    Wait(i64),
    /// Ask, one lead, with this many milliseconds to answer.
    Ask(Option<u64>),
    /// Listen for one event of this type.
    Listen(&'static str),
    /// Run another script and wait for it.
    Child(&'static str),
}

/// Performs its lines one after the other; its output is the list of what they gave.
pub struct Script {
    run: RunId,
    lines: Vec<Line>,
    at: usize,
    begun: bool,
    answered: bool,
    outputs: Vec<Value>,
    problem: Option<Problem>,
    cancelled: bool,
    finished: bool,
    /// Whether people have to agree before it begins.
    consent: bool,
}

impl Script {
    fn step(&self) -> StepRef {
        StepRef {
            id: StepId::new(format!("/do/{}", self.at)),
            name: format!("line{}", self.at).into(),
            kind: "call",
        }
    }

    fn next(&mut self, output: Value) {
        self.outputs.push(output);
        self.at += 1;
        self.answered = false;
    }
}

impl Program for Script {
    fn ready(&mut self) -> Vec<Step> {
        if !self.begun || self.finished || self.answered {
            return Vec::new();
        }
        if self.cancelled {
            return vec![Step::Finish { outcome: Outcome::Cancelled }];
        }
        if let Some(problem) = self.problem.clone() {
            return vec![Step::Finish { outcome: Outcome::Faulted { problem } }];
        }
        let step = self.step();
        let Some(line) = self.lines.get(self.at).cloned() else {
            return vec![Step::Finish {
                outcome: Outcome::Completed { output: self.outputs.clone().into() },
            }];
        };
        vec![match line {
            Line::Do(kind, effect) => Step::Perform {
                attempt: 1,
                action: Box::new(Action {
                    kind: kind.to_owned(),
                    target: "world".to_owned(),
                    input: json!({ "line": self.at }).into(),
                    effect,
                    reversibility: Reversibility::NoChange,
                    wants: Vec::new(),
                    idempotency_key: format!("{}{}", self.run, step.id),
                }),
                step,
            },
            Line::Wait(ms) => Step::Timer {
                step,
                name: "wait".to_owned(),
                due: Due::After(model::time::SignedDuration::from_millis(ms)),
                purpose: TimerPurpose::Wait,
            },
            Line::Ask(within) => Step::Ask {
                step,
                request: Box::new(ApprovalRequest {
                    title: "May I?".to_owned(),
                    description: None,
                    asked: json!({ "line": self.at }),
                    chain: None,
                    levels: vec![model::Level {
                        number: 1,
                        roles: vec!["lead".parse().unwrap()],
                        quorum: 1,
                        within: within
                            .map(|ms| model::time::SignedDuration::from_millis(i64::try_from(ms).unwrap())),
                        on_timeout: model::OnTimeout::Deny,
                        emergency_override: false,
                    }],
                }),
            },
            Line::Listen(_) => Step::Listen { step },
            Line::Child(name) => {
                Step::Start { step, workflow: name.to_owned(), version: None, input: Value::Null, wait: true }
            }
        }]
    }

    fn apply(&mut self, event: &model::Event) -> Result<(), Diverged> {
        match &event.happening {
            Happening::Started => self.begun = true,
            Happening::Completed { output, .. } => self.next(Value::clone(output)),
            Happening::Failed { problem, .. } => {
                self.problem = Some(problem.clone());
                self.answered = false;
            }
            Happening::TimerFired { .. } => self.next(json!("waited")),
            Happening::Received { event, .. } => self.next(json!(event.kind)),
            Happening::ApprovalResolved { outcome, .. } => match outcome {
                ApprovalOutcome::Granted { .. } => self.next(json!("granted")),
                other => {
                    self.problem = Some(Problem::authorization(other.as_str()));
                    self.answered = false;
                }
            },
            Happening::CancelRequested { .. } => {
                self.cancelled = true;
                self.answered = false;
            }
            Happening::RetryRequested { .. } => {
                self.problem = None;
                self.finished = false;
                self.answered = false;
            }
            Happening::Finished => self.finished = true,
            Happening::Scheduled { .. }
            | Happening::TimerSet { .. }
            | Happening::ApprovalRequested { .. }
            | Happening::Listening { .. }
            | Happening::ChildStarted { .. } => self.answered = true,
            other => return Err(Diverged(format!("{other:?}"))),
        }
        Ok(())
    }

    fn consent(&self) -> Option<model::Consent> {
        self.consent
            .then(|| model::Consent { chain: None, because: "nobody in particular wants it".to_owned() })
    }

    fn wants(&self, _: &StepId, event: &CloudEvent) -> bool {
        matches!(self.lines.get(self.at), Some(Line::Listen(kind)) if *kind == event.kind)
    }
}

/// Scripts by name.
pub struct Scripts(pub BTreeMap<&'static str, Vec<Line>>);

impl Programs for Scripts {
    fn build(&self, submitted: &Submitted, text: &str, _: Timestamp) -> Result<Box<dyn Program>, String> {
        let lines = self.0.get(text).cloned().ok_or_else(|| format!("no script {text}"))?;
        Ok(Box::new(Script {
            run: submitted.run,
            lines,
            at: 0,
            begun: false,
            answered: false,
            outputs: Vec::new(),
            problem: None,
            cancelled: false,
            finished: false,
            consent: submitted.input["consent"] == true,
        }))
    }

    fn find(&self, name: &str, _: Option<&str>) -> Result<Definition, String> {
        let (name, _) = self.0.get_key_value(name).ok_or_else(|| format!("no script {name}"))?;
        Ok(Definition {
            program: ProgramRecord {
                kind: "workflow".to_owned(),
                name: format!("tests/{name}"),
                version: "1.0.0".to_owned(),
                digest: Digest::of(name.as_bytes()),
                source: None,
                origin: Origin::Project,
            },
            text: (*name).into(),
            actions: BTreeMap::new(),
        })
    }
}

/// Writes down what it does; `hang` never ends, `fail` fails, everything else answers its line.
pub struct Writes(pub Log);

impl Performer for Writes {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            self.0.lock().unwrap().push(format!("{} {} {}", action.kind, context.step, context.attempt));
            match action.kind.as_str() {
                "test.hang" => std::future::pending().await,
                "test.numbers" => Ok(json!([9_007_199_254_740_993_u64, 3.0, -0.0, 1e17, 0.5]).into()),
                "test.fail" => Err(Failure {
                    problem: Problem::communication("no"),
                    class: engine::ports::FailureClass::Permanent,
                    maybe_happened: false,
                }),
                _ => Ok(action.input.clone()),
            }
        })
    }

    fn check<'a>(&'a self, _: &'a Context, action: &'a Action) -> BoxFuture<'a, Checked> {
        Box::pin(async move {
            self.0.lock().unwrap().push(format!("check {}", action.kind));
            Checked::Happened(json!("it had happened").into())
        })
    }
}

/// A journal, who lives, and what was done: survives its engines.
pub struct World {
    pub journal: Arc<MemoryJournal>,
    pub alive: Alive,
    pub log: Log,
    pub policy: &'static str,
    pub scripts: Vec<(&'static str, Vec<Line>)>,
    clock: tokio::time::Instant,
    entropy: Arc<Counting>,
}

impl World {
    pub fn new(policy: &'static str, scripts: Vec<(&'static str, Vec<Line>)>) -> Self {
        let clock = tokio::time::Instant::now();
        let now = TokioClock(clock);
        Self {
            journal: Arc::new(MemoryJournal::new(move || now.now())),
            alive: Alive::default(),
            log: Log::default(),
            policy,
            scripts,
            clock,
            entropy: Arc::default(),
        }
    }

    pub fn now(&self) -> Timestamp {
        TokioClock(self.clock).now()
    }

    /// A new engine of this name, alive.
    pub fn engine(&self, id: &str) -> Engine {
        self.alive.0.lock().unwrap().push(id.to_owned());
        let (policy, findings) = PolicySet::compile(&[Source::new("policy.yaml", self.policy)]);
        let policy = Arc::new(policy.unwrap_or_else(|| panic!("{findings:?}")));
        let views = Arc::new(Scan(Arc::clone(&self.journal)));
        Engine::start(Parts {
            environment: "test".parse().unwrap(),
            id: id.to_owned(),
            journal: Arc::clone(&self.journal) as Arc<dyn Journal>,
            views: Arc::clone(&views) as Arc<dyn Views>,
            presence: Arc::new(self.alive.clone()),
            judge: engine::judge::Judge::new(policy, Arc::new(Leads), views),
            programs: Arc::new(Scripts(self.scripts.iter().cloned().collect())),
            performers: Performers::default().with("test.", Arc::new(Writes(Arc::clone(&self.log)))),
            clock: Arc::new(TokioClock(self.clock)),
            entropy: Arc::clone(&self.entropy) as Arc<dyn Entropy>,
            secrets: Arc::new(NoSecrets),
            notifier: Arc::new(NobodyNotified),
        })
        .unwrap()
    }

    /// Kills an engine: what it had not made durable is gone.
    pub async fn kill(&self, engine: Engine, id: &str) {
        drop(engine);
        self.alive.0.lock().unwrap().retain(|one| one != id);
        tokio::task::yield_now().await;
    }

    pub fn submission(&self, script: &str) -> Submission {
        Submission {
            definition: Scripts(self.scripts.iter().cloned().collect()).find(script, None).unwrap(),
            input: json!({}),
            requester: "user:dev".parse().unwrap(),
            via: None,
            idempotency_key: None,
        }
    }

    /// The kinds of the events in a stream, in order.
    pub fn kinds(&self, stream: &str) -> Vec<&'static str> {
        self.journal
            .read_stream(stream, 0, 10_000)
            .unwrap()
            .iter()
            .map(|record| record.event.kind())
            .collect()
    }

    /// The one approval stream there is.
    pub fn approval(&self) -> model::ApprovalId {
        let records = self.journal.read(0, 100_000).unwrap();
        records.iter().rev().find_map(|record| record.stream.parse().ok()).expect("an approval was asked")
    }

    /// Waits until an event of this kind is in the journal, at most `count` times.
    pub async fn until(&self, kind: &str) {
        for _ in 0..10_000 {
            if self.journal.read(0, 100_000).unwrap().iter().any(|record| record.event.kind() == kind) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        panic!("{kind} never happened: {:?}", self.journal.read(0, 1000).unwrap());
    }

    /// Publishes an event of this type on the bus.
    pub async fn publish(&self, kind: &str) {
        let event =
            serde_json::from_value(json!({"specversion": "1.0", "id": "1", "source": "test", "type": kind}))
                .unwrap();
        let published = journal::events::Published { event, run: None };
        let append = journal::Append {
            events: vec![journal::NewEvent {
                stream: "bus".into(),
                actor: "user:ops".parse().unwrap(),
                event: journal::events::BusEvent::Published(Box::new(published)).into(),
            }],
            ..journal::Append::default()
        };
        self.journal.append(append).await.unwrap();
    }

    pub fn done(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

//! Where the scenarios are executed: the real engine on a journal in memory, HTTP to a local stand-in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use calls::standin::{HOSTS, Standin};
use calls::{Client, HttpCalls, OpenApiCalls};
use engine::judge::{Judge, Roles};
use engine::ports::{
    BoxFuture, Clock, Definition, Entropy, NobodyNotified, Presence, Programs, Secret, SecretError, Secrets,
    Views,
};
use engine::state::Status;
use engine::{Engine, Parts, Performers, Submission};
use journal::events::{ProgramRecord, StepEvent, Submitted, TimerEvent};
use journal::{Event, Journal, JournalError, MemoryJournal};
use model::{
    ApprovalId, Digest, Environment, Origin, Outcome, Principal, Program, Role, RunId, Severity, Timestamp,
};
use policy::{PolicySet, Source};
use serde_json::Value;
use tokio::runtime::Runtime;
use workflow::{Execution, RunFacts};

use super::expect::{Doing, Observed, What};

/// How long a scenario may take before it is said not to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Records read at once.
const READ: usize = 1_000;
/// The name documents are known by in messages.
const FILE: &str = "scenario.yaml";

/// An engine's surroundings; each scenario gets an engine of its own.
pub(super) struct World {
    runtime: Runtime,
    standin: Standin,
    policy: Arc<PolicySet>,
}

impl World {
    /// Starts the stand-in.
    pub(super) fn new() -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let standin = runtime.block_on(Standin::start()).map_err(|error| error.to_string())?;
        let (policy, found) = PolicySet::compile(&[Source::new("policy.yaml", policy_text())]);
        let policy = policy.ok_or_else(|| format!("the runner's own policy is wrong: {found:?}"))?;
        Ok(Self { runtime, standin, policy: Arc::new(policy) })
    }

    /// Executes a workflow given as text with an input.
    pub(super) fn execute(&self, definition: &str, input: Value) -> Result<Observed, String> {
        let definition = read(definition)?;
        self.runtime.block_on(async {
            let journal = Arc::new(MemoryJournal::new(Timestamp::now));
            let engine = Engine::start(self.parts(&journal)).map_err(|error| error.to_string())?;
            let submission = Submission {
                definition,
                input,
                requester: Principal::user("conformance").map_err(|error| error.to_string())?,
                via: None,
                idempotency_key: None,
            };
            let run = engine.submit(submission).await.map_err(|error| error.to_string())?;
            let outcome = match tokio::time::timeout(PATIENCE, engine.wait(run)).await {
                Ok(status) => outcome(status.map_err(|error| error.to_string())?),
                Err(_) => None,
            };
            let tasks = doings(journal.as_ref(), run).map_err(|error| error.to_string())?;
            Ok(Observed { outcome, tasks })
        })
    }

    fn parts(&self, journal: &Arc<MemoryJournal>) -> Parts {
        let client = Client::new(self.standin.config());
        Parts {
            environment: environment(),
            id: "conformance".to_owned(),
            journal: Arc::clone(journal) as Arc<dyn Journal>,
            views: Arc::new(Alone),
            presence: Arc::new(Alone),
            judge: Judge::new(Arc::clone(&self.policy), Arc::new(Alone), Arc::new(Alone)),
            programs: Arc::new(Documents),
            performers: Performers::default()
                .with("http.call", Arc::new(HttpCalls(client.clone())))
                .with("openapi.call", Arc::new(OpenApiCalls(client))),
            clock: Arc::new(Alone),
            entropy: Arc::new(Alone),
            secrets: Arc::new(Alone),
            notifier: Arc::new(NobodyNotified),
        }
    }
}

fn environment() -> Environment {
    "conformance".parse().expect("the constant is a name")
}

fn policy_text() -> String {
    let hosts: Vec<String> = HOSTS.iter().map(|host| format!("'http:{host}'")).collect();
    format!("grants: [{{capabilities: [{}, 'run:workflow']}}]\n", hosts.join(", "))
}

/// Reads a document, or says every mistake in it.
fn read(text: &str) -> Result<Definition, String> {
    let (workflow, diagnostics) = workflow::load(FILE, text);
    let errors: Vec<String> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| format!("{diagnostic:?}"))
        .collect();
    let Some(workflow) = workflow.filter(|_| errors.is_empty()) else {
        return Err(format!("the document is refused: {}", errors.join("; ")));
    };
    let header = &workflow.header;
    let program = ProgramRecord {
        kind: "workflow".to_owned(),
        name: format!("{}/{}", header.namespace, header.name),
        version: header.version.clone(),
        digest: Digest::of(text.as_bytes()),
        source: None,
        origin: Origin::Project,
    };
    Ok(Definition { program, text: text.into(), actions: BTreeMap::new() })
}

struct Documents;

impl Programs for Documents {
    fn build(&self, submitted: &Submitted, text: &str, _: Timestamp) -> Result<Box<dyn Program>, String> {
        let (workflow, diagnostics) = workflow::load(FILE, text);
        let workflow = workflow.ok_or_else(|| format!("{diagnostics:?}"))?;
        let facts = RunFacts::new(submitted.run, submitted.input.clone());
        Ok(Box::new(Execution::new(Arc::new(workflow), facts)))
    }

    fn find(&self, name: &str, _: Option<&str>) -> Result<Definition, String> {
        Err(format!("a scenario has one workflow, and {name} is not it"))
    }
}

/// The surroundings of an engine that is alone on a journal that ends with it.
struct Alone;

impl Views for Alone {
    fn unfinished_runs(&self) -> Result<Vec<RunId>, JournalError> {
        Ok(Vec::new())
    }

    fn orphaned_approvals(&self) -> Result<Vec<ApprovalId>, JournalError> {
        Ok(Vec::new())
    }

    fn quota_uses(&self, _: &str, _: Timestamp) -> Result<(Vec<(Timestamp, u64)>, u64), JournalError> {
        Ok((Vec::new(), 0))
    }
}

impl Presence for Alone {
    fn alive(&self, _: &str) -> bool {
        true
    }
}

impl Roles for Alone {
    fn roles(&self, _: &Principal) -> Vec<Role> {
        Vec::new()
    }
}

impl Clock for Alone {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        let left = due.duration_since(Timestamp::now());
        Box::pin(tokio::time::sleep(left.try_into().unwrap_or_default()))
    }
}

impl Entropy for Alone {
    fn draw(&self) -> u128 {
        fastrand::u128(..)
    }
}

impl Secrets for Alone {
    fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
        Err(SecretError { name: name.to_owned(), why: "scenarios have no secrets".to_owned() })
    }
}

fn outcome(status: Status) -> Option<Outcome> {
    match status {
        Status::Completed { output } => Some(Outcome::Completed { output }),
        Status::Failed { problem } => Some(Outcome::Faulted { problem }),
        Status::Cancelled => Some(Outcome::Cancelled),
        Status::Submitted | Status::Running | Status::Paused => None,
    }
}

/// What happened to tasks, as the run's stream has it.
fn doings(journal: &dyn Journal, run: RunId) -> Result<Vec<Doing>, JournalError> {
    let mut doings = Vec::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut after = 0;
    loop {
        let records = journal.read_stream(&run.to_string(), after, READ)?;
        let Some(last) = records.last() else { return Ok(doings) };
        after = last.sequence;
        for record in records {
            doings.extend(doing(&record.event, &mut names));
        }
    }
}

fn doing(event: &Event, names: &mut BTreeMap<String, String>) -> Option<Doing> {
    let mut named = |step: &model::StepId, name: &str| {
        names.insert(step.as_str().to_owned(), name.to_owned());
        name.to_owned()
    };
    let (task, what) = match event {
        Event::Step(StepEvent::Scheduled(scheduled)) => {
            (named(&scheduled.step, &scheduled.name), What::Began)
        }
        Event::Step(StepEvent::ChildStarted(child)) => (named(&child.step, &child.name), What::Began),
        Event::Step(StepEvent::Completed(done)) => {
            (named(&done.step, &done.name), What::Completed(Value::clone(&done.output)))
        }
        Event::Step(StepEvent::Failed(fault)) => {
            (named(&fault.step, &fault.name), What::Faulted(fault.problem.clone()))
        }
        Event::Step(StepEvent::Abandoned(stopped)) => {
            (name_of(names, stopped.step.as_str()), What::Cancelled)
        }
        Event::Timer(TimerEvent::Set(timer)) if timer.purpose == "wait" => {
            (name_of(names, timer.step.as_str()), What::Began)
        }
        Event::Timer(TimerEvent::Fired(timer)) if timer.name.starts_with("wait") => {
            (name_of(names, timer.step.as_str()), What::Completed(Value::Null))
        }
        _ => return None,
    };
    Some(Doing { task, what })
}

/// A step's name: as its events say, else the last part of its pointer.
fn name_of(names: &BTreeMap<String, String>, step: &str) -> String {
    let pointer = step.split('#').next().unwrap_or(step);
    names.get(step).cloned().unwrap_or_else(|| pointer.rsplit('/').next().unwrap_or_default().to_owned())
}

//! The engine: submits runs, drives them, adopts those whose engine died.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use journal::events::{Claim, DefinitionEvent, RunEvent, SubmissionEvent, Submitted};
use journal::{Append, Event, Journal, JournalError, NewEvent};
use model::{ApprovalId, Coded, Digest, Environment, Principal, RunId, Timestamp};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::driver::{Batch, Driver, Message};
use crate::follow::{self, Own};
use crate::judge::Judge;
use crate::ports::{Clock, Definition, Entropy, Notifier, Performer, Presence, Programs, Secrets, Views};
use crate::state::{RunState, Status};
use crate::{EngineError, limits};

/// Everything an engine is made of.
pub struct Parts {
    /// The environment whose journal it is.
    pub environment: Environment,
    /// Names this engine in the journal; unique among all engines of the environment, ever.
    pub id: String,
    /// The ground truth.
    pub journal: Arc<dyn Journal>,
    /// Caches of it.
    pub views: Arc<dyn Views>,
    /// Which engines live.
    pub presence: Arc<dyn Presence>,
    /// Policy.
    pub judge: Judge,
    /// Makes programs.
    pub programs: Arc<dyn Programs>,
    /// Carry out actions.
    pub performers: Performers,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Tells people.
    pub notifier: Arc<dyn Notifier>,
}

/// Performers by kind of action.
#[derive(Default, Clone)]
pub struct Performers {
    by_kind: BTreeMap<String, Arc<dyn Performer>>,
}

impl Performers {
    /// Registers a performer for a kind (`http.call`) or for every kind below a prefix (`wasm.`).
    #[must_use]
    pub fn with(mut self, kind: &str, performer: Arc<dyn Performer>) -> Self {
        self.by_kind.insert(kind.to_owned(), performer);
        self
    }

    /// The performer for a kind: the exact one, else the one for its prefix.
    pub fn find(&self, kind: &str) -> Option<Arc<dyn Performer>> {
        let prefix = kind.split_once('.').map(|(prefix, _)| format!("{prefix}."));
        self.by_kind.get(kind).or_else(|| self.by_kind.get(prefix.as_deref()?)).cloned()
    }
}

/// A run to be submitted.
#[derive(Debug, Clone)]
pub struct Submission {
    /// What to run.
    pub definition: Definition,
    /// Its input; checked against the definition by its program, not here.
    pub input: Value,
    /// On whose behalf.
    pub requester: Principal,
    /// The operating system's user behind the requester, where that is somebody else.
    pub via: Option<Principal>,
    /// The submitter's own key: submitting again with the same key answers the same run.
    pub idempotency_key: Option<String>,
}

/// An event that goes with a submission, and what must hold for it.
#[derive(Debug, Clone)]
pub(crate) struct With {
    pub(crate) expect: journal::Expect,
    pub(crate) event: NewEvent,
}

/// What a submission of the engine's own has more than one of somebody else.
#[derive(Debug, Clone, Default)]
struct Extra {
    with: Option<With>,
    hears_after: Option<u64>,
}

/// A running engine. Dropping it stops everything; what was durable goes on with the next one.
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    background: Vec<JoinHandle<()>>,
}

pub(crate) struct Handle {
    mailbox: mpsc::Sender<Message>,
    ended: watch::Receiver<Option<Status>>,
    listens: Arc<AtomicBool>,
    task: Option<JoinHandle<()>>,
}

pub(crate) struct Shared {
    pub(crate) environment: Environment,
    pub(crate) id: String,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) views: Arc<dyn Views>,
    pub(crate) presence: Arc<dyn Presence>,
    pub(crate) judge: Judge,
    pub(crate) programs: Arc<dyn Programs>,
    pub(crate) performers: Performers,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) notifier: Arc<dyn Notifier>,
    pub(crate) effects: Arc<Semaphore>,
    pub(crate) own: Own,
    pub(crate) runs: Mutex<HashMap<RunId, Handle>>,
    pub(crate) approvals: Mutex<HashMap<ApprovalId, RunId>>,
    pub(crate) definitions: Mutex<HashMap<Digest, Arc<str>>>,
    pub(crate) bus: AtomicU64,
    pub(crate) trouble: watch::Sender<Option<String>>,
    /// How often trouble was reported.
    pub(crate) reports: AtomicU64,
}

/// Locks, also after a panic elsewhere: the maps are only ever replaced entry by entry.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Starts an engine on the current tokio runtime. Adopts every unfinished run whose engine is dead.
    pub fn start(parts: Parts) -> Result<Self, EngineError> {
        let head = parts.journal.head()?;
        let bus = last_sequence(parts.journal.as_ref(), "bus")?;
        let shared = Arc::new(Shared {
            environment: parts.environment,
            id: parts.id,
            journal: parts.journal,
            views: parts.views,
            presence: parts.presence,
            judge: parts.judge,
            programs: parts.programs,
            performers: parts.performers,
            clock: parts.clock,
            entropy: parts.entropy,
            secrets: parts.secrets,
            notifier: parts.notifier,
            effects: Arc::new(Semaphore::new(limits::EFFECTS_MAX)),
            own: Own::default(),
            runs: Mutex::default(),
            approvals: Mutex::default(),
            definitions: Mutex::default(),
            bus: AtomicU64::new(bus),
            trouble: watch::Sender::new(None),
            reports: AtomicU64::new(0),
        });
        let following = tokio::spawn(follow::follow(Arc::clone(&shared), head.position));
        let adopting = tokio::spawn(crate::adopt::adopt_for_ever(Arc::clone(&shared)));
        Ok(Self { shared, background: vec![following, adopting] })
    }

    /// Submits a run. When this returns, `run.submitted` is durable.
    pub async fn submit(&self, submission: Submission) -> Result<RunId, EngineError> {
        self.shared.submit(submission).await
    }

    /// Submits a run together with an event of another stream: both become durable, or neither.
    pub(crate) async fn submit_with(
        &self,
        submission: Submission,
        run: RunId,
        with: With,
    ) -> Result<RunId, EngineError> {
        self.shared.submit_as(submission, run, Extra { with: Some(with), hears_after: None }).await
    }

    /// Submits a run that hears events from an earlier point of the bus on.
    pub(crate) async fn submit_hearing(
        &self,
        submission: Submission,
        after: Option<u64>,
    ) -> Result<RunId, EngineError> {
        let run = self.shared.new_run();
        self.shared.submit_as(submission, run, Extra { with: None, hears_after: after }).await
    }

    /// Waits for the end of a run that this engine drives; answers at once for one that has ended.
    pub async fn wait(&self, run: RunId) -> Result<Status, EngineError> {
        let ended = lock(&self.shared.runs).get(&run).map(|handle| handle.ended.clone());
        if let Some(mut ended) = ended {
            // an error means that the driver is gone; the journal knows more
            let status = ended.wait_for(Option::is_some).await.ok().and_then(|status| status.clone());
            if let Some(status) = status {
                return Ok(status);
            }
        }
        crate::control::final_status(self.shared.journal.as_ref(), run)?.ok_or(EngineError::Stopping)
    }

    /// Waits until everybody has been told what there is to tell. A process that ends before leaves people uninformed.
    pub async fn told(&self) {
        self.shared.notifier.told().await;
    }

    /// Runs that this engine carries out now.
    pub fn local_runs(&self) -> Vec<RunId> {
        self.shared.local_runs()
    }

    /// Trouble with the journal that keeps runs from going on, as it arises and until it is over. For people.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.shared.trouble.subscribe()
    }

    /// Adopts unfinished runs of dead engines now rather than within a second. Answers how many this engine took over.
    pub fn adopt(&self) -> Result<usize, EngineError> {
        crate::adopt::adopt(&self.shared)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for task in &self.background {
            task.abort();
        }
        for handle in lock(&self.shared.runs).values() {
            if let Some(task) = &handle.task {
                task.abort();
            }
        }
    }
}

/// The stream that says which run a submitter's key names.
pub(crate) fn submission_stream(key: &str) -> journal::StreamId {
    format!("submission/{}", Digest::of(key.as_bytes())).into()
}

fn last_sequence(journal: &dyn Journal, stream: &str) -> Result<u64, JournalError> {
    let mut after = 0;
    loop {
        let records = journal.read_stream(stream, after, limits::READ_MAX)?;
        match records.last() {
            Some(last) => after = last.sequence,
            None => return Ok(after),
        }
    }
}

impl Shared {
    async fn submit(self: &Arc<Self>, submission: Submission) -> Result<RunId, EngineError> {
        let run = self.new_run();
        self.submit_as(submission, run, Extra::default()).await
    }

    /// A fresh id.
    pub(crate) fn new_run(&self) -> RunId {
        RunId::from_parts(unix_ms(self.clock.now()), self.entropy.draw())
    }

    async fn submit_as(
        self: &Arc<Self>,
        submission: Submission,
        run: RunId,
        extra: Extra,
    ) -> Result<RunId, EngineError> {
        let bytes = model::canonical::to_vec(&submission.input).len();
        if bytes > limits::INPUT_BYTES_MAX {
            return Err(EngineError::Limit {
                what: format!("an input of {bytes} bytes"),
                limit: limits::INPUT_BYTES_MAX as u64,
            });
        }
        if lock(&self.runs).len() >= limits::RUNS_MAX {
            return Err(EngineError::Limit {
                what: "the number of runs under way".to_owned(),
                limit: limits::RUNS_MAX as u64,
            });
        }
        let now = model::time::to_millisecond(self.clock.now());
        let mut append = Append { at: Some(now), ..Append::default() };
        if let Some(key) = &submission.idempotency_key {
            let stream = submission_stream(key);
            if let Some(claimed) = self.claimed(&stream)? {
                return Ok(claimed);
            }
            let claim = SubmissionEvent::Claimed(Claim { key: key.clone(), run });
            append.expect.push(journal::Expect { stream: stream.clone(), sequence: 0 });
            append.events.push(NewEvent { stream, actor: submission.requester.clone(), event: claim.into() });
        }
        let submitted = Submitted { hears_after: extra.hears_after, ..self.submitted(run, &submission) };
        let key_stream = append.events.first().map(|event| event.stream.clone());
        let with_stream = extra.with.as_ref().map(|with| with.expect.stream.clone());
        if let Some(With { expect, event }) = extra.with.clone() {
            append.expect.push(expect);
            append.events.push(event);
        }
        self.define(&submission.definition, &submission.requester, &mut append)?;
        let state = self.enqueue(submitted, &submission, &mut append, now)?;
        let (hears, heard) = oneshot::channel();
        self.drive(state, Batch::submitting(append), Some(hears));
        match heard.await {
            Ok(Ok(())) => Ok(run),
            Ok(Err(EngineError::Journal(JournalError::Conflict { stream, .. })))
                if with_stream.as_ref() != Some(&stream) =>
            {
                if let Some(key_stream) = key_stream.filter(|key| *key == stream)
                    && let Some(claimed) = self.claimed(&key_stream)?
                {
                    return Ok(claimed);
                }
                // somebody registered the same definition, or used the same quota, at the same moment
                lock(&self.definitions).remove(&submission.definition.program.digest);
                self.judge.forget_quota(&stream);
                Box::pin(self.submit_as(submission, run, extra)).await
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(EngineError::Stopping),
        }
    }

    fn submitted(&self, run: RunId, submission: &Submission) -> Submitted {
        // as a later fold reads it
        let mut input = submission.input.clone();
        model::canonical::normalize(&mut input);
        Submitted {
            run,
            program: submission.definition.program.clone(),
            environment: self.environment.clone(),
            input,
            via: submission.via.clone(),
            engine: Some(self.id.clone()),
            idempotency_key: submission.idempotency_key.clone(),
            parent: None,
            hears_after: None,
            depth: 0,
            policy: self.judge.policy_digest(),
            actions: submission.definition.actions.clone(),
        }
    }

    fn enqueue(
        &self,
        submitted: Submitted,
        submission: &Submission,
        append: &mut Append,
        now: Timestamp,
    ) -> Result<RunState, EngineError> {
        let run = submitted.run;
        let program = self
            .programs
            .build(&submitted, &submission.definition.text, now)
            .map_err(|why| EngineError::Definition { run, why })?;
        let requester = submission.requester.clone();
        append.events.push(NewEvent {
            stream: run.to_string().into(),
            actor: requester.clone(),
            event: RunEvent::Submitted(Box::new(submitted.clone())).into(),
        });
        Ok(RunState::new(submitted, requester, program, now))
    }

    pub(crate) fn claimed(&self, stream: &str) -> Result<Option<RunId>, JournalError> {
        let records = self.journal.read_stream(stream, 0, 1)?;
        Ok(records.first().and_then(|record| match &record.event {
            Event::Submission(SubmissionEvent::Claimed(claim)) => Some(claim.run),
            _ => None,
        }))
    }

    /// Has the definition's text appended, unless the journal has it.
    pub(crate) fn define(
        &self,
        definition: &Definition,
        actor: &Principal,
        append: &mut Append,
    ) -> Result<(), JournalError> {
        let digest = definition.program.digest;
        if lock(&self.definitions).contains_key(&digest) {
            return Ok(());
        }
        let stream = journal::events::Definition::stream(&digest);
        if self.journal.read_stream(&stream, 0, 1)?.is_empty() {
            let kept = DefinitionEvent::keeping(digest, &definition.program.kind, &definition.text);
            let too_long = || JournalError::TooLarge { bytes: definition.text.len() };
            append.expect.push(journal::Expect { stream: stream.clone(), sequence: 0 });
            append.events.extend(kept.ok_or_else(too_long)?.into_iter().map(|event| NewEvent {
                stream: stream.clone(),
                actor: actor.clone(),
                event: event.into(),
            }));
            // remembered only once it is durable: see `text_of`
            return Ok(());
        }
        lock(&self.definitions).insert(digest, Arc::clone(&definition.text));
        Ok(())
    }

    /// Drives a run in a task of its own.
    pub(crate) fn drive(
        self: &Arc<Self>,
        state: RunState,
        batch: Batch,
        submitted: Option<oneshot::Sender<Result<(), EngineError>>>,
    ) {
        let run = state.run;
        let (tell, ended) = watch::channel(None);
        let parent = state.submitted.parent.clone();
        let (driver, mailbox) = Driver::new(Arc::clone(self), state, batch);
        let handle = Handle { mailbox, ended, listens: Arc::default(), task: None };
        lock(&self.runs).insert(run, handle);
        let shared = Arc::clone(self);
        let task = tokio::spawn(async move {
            let result = driver.drive(submitted).await;
            lock(&shared.runs).remove(&run);
            lock(&shared.approvals).retain(|_, waiting| *waiting != run);
            match result {
                Ok(status) => {
                    if let Some(parent) = parent {
                        shared
                            .send(parent.run, Message::ChildEnded { child: run, status: status.clone() })
                            .await;
                    }
                    tell.send_replace(Some(status));
                }
                Err(EngineError::Stopping) => {}
                Err(error) => shared.report(&error),
            }
        });
        if let Some(handle) = lock(&self.runs).get_mut(&run) {
            handle.task = Some(task);
        }
    }

    /// Says that something keeps a run from going on.
    pub(crate) fn report(&self, error: &(impl Coded + ?Sized)) {
        self.reports.fetch_add(1, Ordering::AcqRel);
        self.trouble.send_replace(Some(format!("{error} [{}]", error.code())));
    }

    pub(crate) fn is_local(&self, run: RunId) -> bool {
        lock(&self.runs).contains_key(&run)
    }

    pub(crate) fn local_runs(&self) -> Vec<RunId> {
        lock(&self.runs).keys().copied().collect()
    }

    /// Local runs with a step that listens.
    pub(crate) fn listening_runs(&self) -> Vec<RunId> {
        let runs = lock(&self.runs);
        runs.iter()
            .filter(|(_, handle)| handle.listens.load(Ordering::Acquire))
            .map(|(run, _)| *run)
            .collect()
    }

    pub(crate) fn listens(&self, run: RunId) {
        if let Some(handle) = lock(&self.runs).get(&run) {
            handle.listens.store(true, Ordering::Release);
        }
    }

    pub(crate) async fn send(&self, run: RunId, message: Message) {
        let mailbox = lock(&self.runs).get(&run).map(|handle| handle.mailbox.clone());
        if let Some(mailbox) = mailbox {
            // a driver that is gone has nothing left to hear
            drop(mailbox.send(message).await);
        }
    }

    pub(crate) fn watch_approval(&self, approval: ApprovalId, run: RunId) {
        lock(&self.approvals).insert(approval, run);
    }

    pub(crate) fn waiting_for(&self, approval: ApprovalId) -> Option<RunId> {
        lock(&self.approvals).get(&approval).copied()
    }

    pub(crate) fn bus_grew(&self, sequence: u64) {
        self.bus.fetch_max(sequence, Ordering::AcqRel);
    }

    pub(crate) fn bus_sequence(&self) -> u64 {
        self.bus.load(Ordering::Acquire)
    }

    pub(crate) fn new_approval(&self, at: Timestamp) -> ApprovalId {
        ApprovalId::from_parts(unix_ms(at), self.entropy.draw())
    }

    pub(crate) fn in_a_second(&self) -> Timestamp {
        let second = model::time::SignedDuration::from_secs(1);
        self.clock.now().checked_add(second).unwrap_or(Timestamp::MAX)
    }
}

pub(crate) fn unix_ms(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0)
}

//! The view of runs.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use journal::Event;
use journal::events::{ListenEvent, RunEvent, StepEvent, Submitted, TimerEvent};
use model::{ApprovalId, Digest, Environment, Principal, RunId, StepId, Timestamp, time};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{Fact, Slot, Views, from_json, from_json_optional, moment, parse, parse_optional, to_json};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunStatus {
    /// Proposed, not begun.
    Submitted,
    /// Something is being performed, or can be.
    Running,
    /// Everything waits; [`RunRow::waiting_on`] says for what.
    Waiting,
    /// Held by a person.
    Paused,
    /// A person must say whether a step happened.
    InDoubt,
    /// It did what it says.
    Completed,
    /// It did not.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// A text that is not the status of anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a status")]
pub struct StatusError(pub(crate) String);

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Submitted,
        Self::Running,
        Self::Waiting,
        Self::Paused,
        Self::InDoubt,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word used on screen and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::InDoubt => "in-doubt",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the run has ended.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RunStatus {
    type Err = StatusError;
    fn from_str(text: &str) -> Result<Self, StatusError> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| StatusError(text.to_owned()))
    }
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitingOn {
    /// People.
    Approval(ApprovalId),
    /// A change window, or a quota: policy is asked again then.
    Window(Timestamp),
    /// A timer that is due then.
    Timer(Timestamp),
    /// Another run.
    Run(RunId),
    /// Events, at this step.
    Event(StepId),
}

impl fmt::Display for WaitingOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approval(id) => write!(f, "approval {id}"),
            Self::Window(at) => write!(f, "window {}", time::rfc3339(*at)),
            Self::Timer(at) => write!(f, "timer {}", time::rfc3339(*at)),
            Self::Run(id) => write!(f, "run {id}"),
            Self::Event(step) => write!(f, "event {step}"),
        }
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// Position of its first record: newer runs have larger ones. The cursor of [`crate::RunFilter`].
    pub submitted: u64,
    /// Kind of its program.
    pub kind: String,
    /// Name of its program.
    pub name: String,
    /// Version of its program.
    pub version: String,
    /// Digest of its definition.
    pub digest: Digest,
    /// Where it runs.
    pub environment: Environment,
    /// Who submitted it.
    pub requester: Principal,
    /// The run that started it.
    pub parent: Option<RunId>,
    /// The engine that carries it out.
    pub engine: Option<String>,
    /// Where it stands.
    pub status: RunStatus,
    /// What it waits for, where it waits.
    pub waiting_on: Option<WaitingOn>,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Position of its last record.
    pub last: u64,
    /// Why it failed, one line.
    pub problem: Option<String>,
    state: State,
}

/// What a run's status follows from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    paused: bool,
    ended: Option<Ending>,
    in_flight: BTreeSet<StepId>,
    doubts: BTreeSet<StepId>,
    asked: BTreeMap<StepId, ApprovalId>,
    deferred: BTreeMap<StepId, Timestamp>,
    children: BTreeMap<StepId, RunId>,
    timers: BTreeMap<String, Timestamp>,
    listening: BTreeSet<StepId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ending {
    Completed,
    Failed,
    Cancelled,
}

impl State {
    /// Nothing of this step is going on any more.
    fn settle(&mut self, step: &StepId) {
        self.in_flight.remove(step);
        self.doubts.remove(step);
        self.asked.remove(step);
        self.deferred.remove(step);
        self.children.remove(step);
    }

    fn waiting_on(&self) -> Option<WaitingOn> {
        // people first: they are who must be told
        if let Some(approval) = self.asked.values().next() {
            return Some(WaitingOn::Approval(*approval));
        }
        if !self.in_flight.is_empty() {
            return None;
        }
        let window = self.deferred.values().min().map(|at| WaitingOn::Window(*at));
        let run = || self.children.values().next().map(|run| WaitingOn::Run(*run));
        let timer = || self.timers.values().min().map(|due| WaitingOn::Timer(*due));
        let event = || self.listening.first().map(|step| WaitingOn::Event(step.clone()));
        window.or_else(run).or_else(timer).or_else(event)
    }
}

impl RunRow {
    fn new(fact: &Fact<'_>, submitted: &Submitted) -> Self {
        Self {
            run: submitted.run,
            submitted: fact.position,
            kind: submitted.program.kind.clone(),
            name: submitted.program.name.clone(),
            version: submitted.program.version.clone(),
            digest: submitted.program.digest,
            environment: submitted.environment.clone(),
            requester: fact.actor.clone(),
            parent: submitted.parent.as_ref().map(|parent| parent.run),
            engine: submitted.engine.clone(),
            status: RunStatus::Submitted,
            waiting_on: None,
            submitted_at: fact.at,
            started_at: None,
            ended_at: None,
            last: fact.position,
            problem: None,
            state: State::default(),
        }
    }

    fn apply(&mut self, fact: &Fact<'_>) {
        self.last = fact.position;
        match fact.event {
            Event::Run(event) => self.apply_run(fact.at, event),
            Event::Step(event) => self.apply_step(event),
            Event::Timer(TimerEvent::Set(timer)) if timer.purpose != "timeout" => {
                self.state.timers.insert(format!("{} {}", timer.step, timer.name), timer.due);
            }
            Event::Timer(TimerEvent::Fired(timer) | TimerEvent::Cancelled(timer)) => {
                self.state.timers.remove(&format!("{} {}", timer.step, timer.name));
            }
            Event::Listen(ListenEvent::Started(listening)) => {
                self.state.listening.insert(listening.step.clone());
            }
            Event::Listen(ListenEvent::Stopped(stopped)) => {
                self.state.listening.remove(&stopped.step);
            }
            _ => {}
        }
        self.conclude();
    }

    fn apply_run(&mut self, at: Timestamp, event: &RunEvent) {
        match event {
            RunEvent::Started(_) => self.started_at = self.started_at.or(Some(at)),
            RunEvent::Adopted(owner) => self.engine = Some(owner.engine.clone()),
            RunEvent::Paused(_) => self.state.paused = true,
            RunEvent::Resumed(_) => self.state.paused = false,
            RunEvent::RetryRequested(_) => {
                self.state = State::default();
                self.ended_at = None;
                self.problem = None;
            }
            RunEvent::Completed(_) => self.end(at, Ending::Completed),
            RunEvent::Failed(ended) => {
                self.problem = Some(ended.problem.to_string());
                self.end(at, Ending::Failed);
            }
            RunEvent::Cancelled(reason) => {
                self.problem.clone_from(&reason.reason);
                self.end(at, Ending::Cancelled);
            }
            RunEvent::Submitted(_)
            | RunEvent::Judged(_)
            | RunEvent::CancelRequested(_)
            | RunEvent::Signalled(_) => {}
        }
    }

    fn end(&mut self, at: Timestamp, ending: Ending) {
        self.state = State { ended: Some(ending), ..State::default() };
        self.ended_at = Some(at);
    }

    fn apply_step(&mut self, event: &StepEvent) {
        let state = &mut self.state;
        match event {
            StepEvent::Scheduled(scheduled) => {
                state.settle(&scheduled.step);
                state.in_flight.insert(scheduled.step.clone());
            }
            StepEvent::Completed(result) => state.settle(&result.step),
            StepEvent::Failed(fault) => state.settle(&fault.step),
            StepEvent::Asked(asked) => {
                state.asked.insert(asked.step.clone(), asked.approval);
            }
            StepEvent::Answered(answered) => {
                state.asked.remove(&answered.step);
            }
            StepEvent::Deferred(deferred) => {
                state.deferred.insert(deferred.step.clone(), deferred.until);
            }
            StepEvent::InDoubt(doubt) => {
                state.in_flight.remove(&doubt.step);
                state.doubts.insert(doubt.step.clone());
            }
            StepEvent::Resolved(resolved) => {
                state.doubts.remove(&resolved.step);
            }
            StepEvent::Abandoned(stopped) => state.settle(&stopped.step),
            StepEvent::ChildStarted(child) => {
                if child.wait {
                    state.children.insert(child.step.clone(), child.run);
                }
            }
        }
    }

    /// The status that follows from everything seen.
    fn conclude(&mut self) {
        let state = &self.state;
        self.waiting_on = None;
        self.status = match state.ended {
            Some(Ending::Completed) => RunStatus::Completed,
            Some(Ending::Failed) => RunStatus::Failed,
            Some(Ending::Cancelled) => RunStatus::Cancelled,
            None if state.paused => RunStatus::Paused,
            None if !state.doubts.is_empty() => RunStatus::InDoubt,
            None => {
                self.waiting_on = state.waiting_on();
                match (&self.waiting_on, self.started_at) {
                    (Some(_), _) => RunStatus::Waiting,
                    (None, Some(_)) => RunStatus::Running,
                    (None, None) => RunStatus::Submitted,
                }
            }
        };
    }

    /// What [`RunRow::from_row`] reads, in this order: looking columns up by name costs more than reading them.
    pub(crate) const COLUMNS: &str = "run, submitted, kind, name, version, digest, environment, requester, parent, engine, \
         status, waiting_on, submitted_at, started_at, ended_at, last, problem, state";

    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut columns = 0..;
        let mut next = || columns.next().unwrap_or(usize::MAX);
        Ok(Self {
            run: parse(row, next())?,
            submitted: row.get::<_, i64>(next())?.cast_unsigned(),
            kind: row.get(next())?,
            name: row.get(next())?,
            version: row.get(next())?,
            digest: parse(row, next())?,
            environment: parse(row, next())?,
            requester: parse(row, next())?,
            parent: parse_optional(row, next())?,
            engine: row.get(next())?,
            status: parse(row, next())?,
            waiting_on: from_json_optional(row, next())?,
            submitted_at: moment(row, next())?.unwrap_or_default(),
            started_at: moment(row, next())?,
            ended_at: moment(row, next())?,
            last: row.get::<_, i64>(next())?.cast_unsigned(),
            problem: row.get(next())?,
            state: from_json(row, next())?,
        })
    }

    /// The row of a run, by its id.
    pub(crate) fn find(connection: &Connection, run: &str) -> rusqlite::Result<Option<Self>> {
        let sql = format!("SELECT {} FROM runs WHERE run = ?1", Self::COLUMNS);
        connection.prepare_cached(&sql)?.query_row([run], Self::from_row).optional()
    }

    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT INTO runs (submitted, run, kind, name, version, digest, environment, requester, parent, engine,
                       status, ended, waiting_on, submitted_at, started_at, ended_at, last, problem, state)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";
        connection.prepare_cached(sql)?.execute(params![
            self.submitted.cast_signed(),
            self.run.to_string(),
            self.kind,
            self.name,
            self.version,
            self.digest.to_string(),
            self.environment.as_str(),
            self.requester.as_str(),
            self.parent.map(|parent| parent.to_string()),
            self.engine,
            self.status.as_str(),
            self.status.is_ended(),
            self.waiting_on.as_ref().map(to_json).transpose()?,
            self.submitted_at.as_millisecond(),
            self.started_at.map(Timestamp::as_millisecond),
            self.ended_at.map(Timestamp::as_millisecond),
            self.last.cast_signed(),
            self.problem,
            to_json(&self.state)?
        ])?;
        Ok(())
    }

    /// Updates what can change. Columns that stay the same leave their indexes alone.
    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "UPDATE runs SET engine = ?2, status = ?3, ended = ?4, waiting_on = ?5, started_at = ?6,
                       ended_at = ?7, last = ?8, problem = ?9, state = ?10 WHERE submitted = ?1";
        connection.prepare_cached(sql)?.execute(params![
            self.submitted.cast_signed(),
            self.engine,
            self.status.as_str(),
            self.status.is_ended(),
            self.waiting_on.as_ref().map(to_json).transpose()?,
            self.started_at.map(Timestamp::as_millisecond),
            self.ended_at.map(Timestamp::as_millisecond),
            self.last.cast_signed(),
            self.problem,
            to_json(&self.state)?
        ])?;
        Ok(())
    }
}

impl Views {
    pub(super) fn fold_run(&mut self, connection: &Connection, fact: &Fact<'_>) -> rusqlite::Result<()> {
        // a stream that is no run's, or whose first record is not a submission, has no row
        let Ok(run) = fact.stream.parse::<RunId>() else { return Ok(()) };
        if let Event::Run(RunEvent::Submitted(submitted)) = fact.event {
            if fact.sequence == 1 && submitted.run == run {
                self.runs.insert(run, Slot { row: RunRow::new(fact, submitted), stored: None, dirty: true });
                self.changed_runs.push(run);
            }
            return Ok(());
        }
        let slot = match self.runs.entry(run) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(place) => {
                let Some(row) = RunRow::find(connection, fact.stream)? else { return Ok(()) };
                let stored = Some(row.status);
                place.insert(Slot { row, stored, dirty: false })
            }
        };
        slot.row.apply(fact);
        if !std::mem::replace(&mut slot.dirty, true) {
            self.changed_runs.push(run);
        }
        if slot.row.status.is_ended() {
            connection.prepare_cached("DELETE FROM timers WHERE run = ?1")?.execute([&**fact.stream])?;
        }
        Ok(())
    }

    pub(super) fn flush_runs(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut moved = Vec::new();
        for id in std::mem::take(&mut self.changed_runs) {
            let Some(slot) = self.runs.get_mut(&id) else { continue };
            match slot.stored {
                None => slot.row.insert(connection)?,
                Some(_) => slot.row.update(connection)?,
            }
            if slot.stored != Some(slot.row.status) {
                moved.push((slot.stored, slot.row.status));
            }
            slot.stored = Some(slot.row.status);
            slot.dirty = false;
        }
        for (from, to) in moved {
            if let Some(from) = from {
                self.count(format!("runs.{from}"), -1);
            }
            self.count(format!("runs.{to}"), 1);
        }
        Ok(())
    }
}

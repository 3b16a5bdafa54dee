//! Carries out what is decided.

use std::collections::BTreeSet;

use journal::events::{DriftAcknowledged, DriftEvent, DriftOutcome, DriftSettled, DriftStarted, DriftTarget};
use journal::{Append, Expect, Journal, JournalError, NewEvent};
use model::Coded as _;
use model::time::SignedDuration;
use model::{Code, Digest, OnDrift, Principal, RunId, Timestamp, code};

use super::rounds::Skip;
use super::standing::{Standing, Trial, standing};
use super::{Decisions, Look, LookError, Lookout, Rounds, Rules, STREAM, Start, decide, principal};
use crate::engine::With;
use crate::state::Status;
use crate::{Engine, EngineError, Submission, control, limits};

/// How a run ends that policy or people did not let begin.
const REFUSED: [&Code; 3] = [code::policy::DENIED, code::policy::UNEVALUABLE, code::policy::APPROVAL_DENIED];

/// What happened in a round.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Something was recorded.
    Recorded(DriftEvent),
    /// Everything was looked at.
    Looked {
        /// How many resources there are.
        resources: u64,
        /// How many of them are not as they were applied, or cannot be read.
        drifted: u64,
        /// Changes of the configuration that are not applied yet.
        pending: u64,
    },
    /// Nobody looked, because this run applies something.
    Busy(RunId),
    /// It could not be looked, or not be planned; the next round tries again.
    Trouble(LookError),
}

/// What hears of news.
type Tell<'t> = &'t mut (dyn FnMut(News) + Send);

impl Engine {
    /// One round. `rounds`: those before, as far as this process made them.
    ///
    /// # Errors
    /// The journal cannot be read or written. What cannot be looked at is [`News::Trouble`].
    pub async fn reconcile(
        &self,
        lookout: &dyn Lookout,
        rules: &Rules,
        rounds: &mut Rounds,
        tell: Tell<'_>,
    ) -> Result<(), EngineError> {
        self.settle(lookout, tell).await?;
        if let Some(run) = lookout.busy()? {
            return self.skip(rounds, &Skip::Busy(run), tell).await;
        }
        let look = match lookout.look().await {
            Ok(look) => look,
            Err(error) => return self.skip(rounds, &Skip::Trouble(&error), tell).await,
        };
        // somebody who began meanwhile may have been seen halfway
        if let Some(run) = lookout.busy()? {
            return self.skip(rounds, &Skip::Busy(run), tell).await;
        }
        let drifted = look.sightings.len() as u64;
        tell(News::Looked { resources: look.resources, drifted, pending: look.pending });
        for _ in 0..limits::CONFLICTS_MAX {
            match self.act(lookout, rules, &look, rounds, tell).await {
                Err(EngineError::Journal(JournalError::Conflict { stream, .. })) if &*stream == STREAM => {}
                Err(EngineError::Look(error)) => {
                    tell(News::Trouble(error));
                    rounds.looked(look.began);
                    return Ok(());
                }
                Ok(()) => {
                    rounds.looked(look.began);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Err(busy())
    }

    /// Tells that a round came to nothing, and records it when that goes on.
    async fn skip(&self, rounds: &mut Rounds, why: &Skip<'_>, tell: Tell<'_>) -> Result<(), EngineError> {
        let mut standing = standing(self.shared.journal.as_ref())?;
        let due = rounds.skip(&standing, why, self.shared.clock.now());
        tell(match why {
            Skip::Busy(run) => News::Busy(*run),
            Skip::Trouble(error) => News::Trouble(LookError::clone(error)),
        });
        let events = due.into_iter().map(|skipped| DriftEvent::Skipped(Box::new(skipped))).collect();
        match self.record(&mut standing, events, tell).await {
            // somebody else recorded something: the next round says it
            Err(EngineError::Journal(JournalError::Conflict { .. })) => Ok(()),
            other => other,
        }
    }

    /// Keeps an environment as it was applied, for ever: a round every so often.
    ///
    /// # Errors
    /// The engine is shutting down, or the journal does not fit what it is about. Everything else is [`News::Trouble`].
    pub async fn keep_applied(
        &self,
        lookout: &dyn Lookout,
        rules: &Rules,
        every: SignedDuration,
        tell: Tell<'_>,
    ) -> Result<(), EngineError> {
        let mut rounds = Rounds::default();
        loop {
            let began = self.shared.clock.now();
            match self.reconcile(lookout, rules, &mut rounds, tell).await {
                Ok(()) => {}
                Err(error @ (EngineError::Stopping | EngineError::Diverged(_))) => return Err(error),
                // a round that came to nothing is no reason to stop watching
                Err(error) => {
                    let (code, hint) = (error.code(), error.hint());
                    tell(News::Trouble(LookError { code, why: error.to_string(), hint }));
                }
            }
            let due = began.checked_add(every).unwrap_or(Timestamp::MAX);
            while !self.until(due).await? {
                self.settle(lookout, tell).await?;
            }
        }
    }

    /// Waits for the end of what was started to be repaired and waits for nobody; what that came to is recorded.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    pub async fn wait_for_repairs(&self, lookout: &dyn Lookout, tell: Tell<'_>) -> Result<(), EngineError> {
        let local: BTreeSet<RunId> = self.local_runs().into_iter().collect();
        let journal = self.shared.journal.as_ref();
        for run in standing(journal)?.trials.into_keys().filter(|run| local.contains(run)) {
            loop {
                let head = journal.head()?;
                let begun = control::outline(journal, run)?.map(|outline| outline.status);
                let held = match begun {
                    Some(Status::Submitted) => self.is_held(run)?,
                    Some(status) => status.is_final(),
                    None => true,
                };
                if held {
                    break;
                }
                journal.changed(head.position).await?;
            }
        }
        self.settle(lookout, tell).await
    }

    /// Whether a run that has not begun was judged: it waits for people, or for a change window.
    fn is_held(&self, run: RunId) -> Result<bool, EngineError> {
        let records = self.shared.journal.read_stream(&run.to_string(), 0, limits::READ_MAX)?;
        let waits = |event: &journal::Event| {
            matches!(
                event,
                journal::Event::Step(
                    journal::events::StepEvent::Asked(_) | journal::events::StepEvent::Deferred(_)
                )
            )
        };
        Ok(records.iter().any(|record| waits(&record.event)))
    }

    /// Waits for a moment, or for the end of a run that puts something right. Whether it is time.
    async fn until(&self, due: Timestamp) -> Result<bool, EngineError> {
        let runs = standing(self.shared.journal.as_ref())?.trials.into_keys();
        let mut ends = tokio::task::JoinSet::new();
        for run in runs {
            let shared = std::sync::Arc::clone(&self.shared);
            ends.spawn(async move { wait(shared.journal.as_ref(), run).await });
        }
        tokio::select! {
            () = self.shared.clock.sleep_until(due) => Ok(true),
            Some(ended) = ends.join_next() => {
                ended.map_err(|_| EngineError::Stopping)??;
                Ok(false)
            }
        }
    }

    /// Takes notice of runs that have ended.
    async fn settle(&self, lookout: &dyn Lookout, tell: Tell<'_>) -> Result<(), EngineError> {
        let journal = self.shared.journal.as_ref();
        for _ in 0..limits::CONFLICTS_MAX {
            let mut standing = standing(journal)?;
            let mut settled = Vec::new();
            for (run, trial) in &standing.trials {
                if let Some(status) = control::final_status(journal, *run)? {
                    settled.push(DriftEvent::Settled(Box::new(outcome(lookout, *run, trial, &status)?)));
                }
            }
            match self.record(&mut standing, settled, tell).await {
                Err(EngineError::Journal(JournalError::Conflict { .. })) => {}
                other => return other,
            }
        }
        Err(busy())
    }

    /// Decides and does it. An error of kind conflict means that somebody else decided something meanwhile.
    async fn act(
        &self,
        lookout: &dyn Lookout,
        rules: &Rules,
        look: &Look,
        rounds: &mut Rounds,
        tell: Tell<'_>,
    ) -> Result<(), EngineError> {
        let journal = self.shared.journal.as_ref();
        let mut standing = standing(journal)?;
        rounds.count(&standing, look);
        let waiting = waiting(journal, &standing)?;
        let now = self.shared.clock.now();
        let Decisions { records, withdraw, start } = decide(&standing, look, rules, &waiting, (rounds, now));
        self.record(&mut standing, records, tell).await?;
        for (run, why) in withdraw {
            let cancel = control::Command::Cancel { reason: Some(why.clone()) };
            match control::command(journal, run, &principal(), &cancel).await {
                // somebody else was faster to end it, which is as good
                Ok(()) | Err(EngineError::WrongState { .. }) => {}
                Err(error) => return Err(error),
            }
            let settled =
                DriftSettled { run, outcome: DriftOutcome::Withdrawn, done: Vec::new(), why: Some(why) };
            let settled = vec![DriftEvent::Settled(Box::new(settled))];
            self.record(&mut standing, settled, tell).await?;
        }
        for one in start {
            standing.catch_up(journal)?;
            self.begin(lookout, &mut standing, look, one, tell).await?;
        }
        Ok(())
    }

    /// Starts a run: that it was submitted and that it is about this drift become durable together, or not at all.
    async fn begin(
        &self,
        lookout: &dyn Lookout,
        standing: &mut Standing,
        look: &Look,
        start: Start,
        tell: Tell<'_>,
    ) -> Result<(), EngineError> {
        let Start { how, targets } = start;
        let resources: Vec<String> = targets.iter().map(|target| target.resource.clone()).collect();
        let prepared = lookout.prepare(how, &resources).await?;
        let as_decided = |target: &DriftTarget| {
            prepared.sightings.iter().any(|sighting| {
                sighting.resource == target.resource
                    && sighting.state == target.state
                    && (how == OnDrift::Propose || sighting.ask.is_none())
            })
        };
        // what moved since is seen in the next round
        if prepared.sightings.len() != targets.len() || !targets.iter().all(as_decided) {
            return Ok(());
        }
        let run = self.shared.new_run();
        let event = DriftEvent::Started(Box::new(DriftStarted {
            run,
            how,
            resources: targets.clone(),
            policy: look.policy,
        }));
        let stream: journal::StreamId = STREAM.into();
        let with = With {
            expect: Expect { stream: stream.clone(), sequence: standing.sequence },
            event: NewEvent { stream, actor: principal(), event: event.clone().into() },
        };
        let submission = Submission {
            definition: prepared.definition,
            input: prepared.input,
            requester: principal(),
            via: None,
            idempotency_key: Some(key(standing, how, &targets)),
        };
        let submitted = self.submit_with(submission, run, with).await?;
        if submitted == run {
            standing.apply(&event, self.shared.clock.now());
            tell(News::Recorded(event));
        }
        Ok(())
    }

    /// Records events of the reconciler's.
    async fn record(
        &self,
        standing: &mut Standing,
        events: Vec<DriftEvent>,
        tell: Tell<'_>,
    ) -> Result<(), EngineError> {
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            let some: Vec<DriftEvent> = events.by_ref().take(limits::DRIFT_APPEND_MAX).collect();
            let now = self.shared.clock.now();
            append(self.shared.journal.as_ref(), standing.sequence, &some, &principal(), now).await?;
            for event in some {
                standing.apply(&event, now);
                self.shared.notifier.drifted(&event);
                tell(News::Recorded(event));
            }
        }
        Ok(())
    }
}

async fn append(
    journal: &dyn Journal,
    sequence: u64,
    events: &[DriftEvent],
    actor: &Principal,
    now: Timestamp,
) -> Result<(), JournalError> {
    let stream: journal::StreamId = STREAM.into();
    let one = |event: &DriftEvent| NewEvent {
        stream: stream.clone(),
        actor: actor.clone(),
        event: event.clone().into(),
    };
    let append = Append {
        expect: vec![Expect { stream: stream.clone(), sequence }],
        events: events.iter().map(one).collect(),
        at: Some(model::time::to_millisecond(now)),
    };
    journal.append(append).await.map(|_| ())
}

/// A person takes notice: fights, flapping and refusals of these resources, of all when none is named, are forgotten, so that what is
/// declared about their drift is done again. Answers which they are.
///
/// # Errors
/// The journal cannot be read or written; one of the resources has nothing to acknowledge.
pub async fn acknowledge(
    journal: &dyn Journal,
    resources: &[String],
    reason: Option<&str>,
    (actor, now): (&Principal, Timestamp),
) -> Result<Vec<String>, EngineError> {
    for _ in 0..limits::CONFLICTS_MAX {
        let standing = standing(journal)?;
        let stuck = standing.stuck();
        let meant = |resource: &str, named: &str| {
            resource == named || resource.split_once('/').is_some_and(|(_, id)| id == named)
        };
        if let Some(named) = resources.iter().find(|named| !stuck.iter().any(|one| meant(one, named))) {
            let what = format!("a fight over {named}, or anything else there that was given up,");
            return Err(EngineError::NotFound { what });
        }
        let chosen: Vec<String> = stuck
            .into_iter()
            .filter(|one| resources.is_empty() || resources.iter().any(|named| meant(one, named)))
            .map(str::to_owned)
            .collect();
        if chosen.is_empty() {
            return Ok(chosen);
        }
        let event = DriftEvent::Acknowledged(DriftAcknowledged {
            resources: chosen.clone(),
            reason: reason.map(str::to_owned),
        });
        match append(journal, standing.sequence, &[event], actor, now).await {
            Ok(()) => return Ok(chosen),
            Err(JournalError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(busy())
}

fn busy() -> EngineError {
    let what = "attempts to write down what drifted".to_owned();
    EngineError::Limit { what, limit: u64::from(limits::CONFLICTS_MAX) }
}

/// Names what is put right, at this place of the stream: what is decided twice from the same records is the same run, and what is
/// decided again after somebody took notice, or after a run that came to nothing, is another.
fn key(standing: &Standing, how: OnDrift, targets: &[DriftTarget]) -> String {
    let about: Vec<_> =
        targets.iter().map(|target| serde_json::json!([target.resource, target.state])).collect();
    format!("drift/{how}/{}", Digest::of_json(&serde_json::json!([standing.sequence, about])))
}

/// Runs under way that have not begun.
fn waiting(journal: &dyn Journal, standing: &Standing) -> Result<BTreeSet<RunId>, JournalError> {
    let mut waiting = BTreeSet::new();
    for run in standing.trials.keys() {
        let status = control::outline(journal, *run)?.map(|outline| outline.status);
        if status == Some(Status::Submitted) {
            waiting.insert(*run);
        }
    }
    Ok(waiting)
}

async fn wait(journal: &dyn Journal, run: RunId) -> Result<(), EngineError> {
    loop {
        let head = journal.head()?;
        if control::final_status(journal, run)?.is_some() {
            return Ok(());
        }
        journal.changed(head.position).await?;
    }
}

/// What a run that ended came to.
fn outcome(
    lookout: &dyn Lookout,
    run: RunId,
    trial: &Trial,
    status: &Status,
) -> Result<DriftSettled, LookError> {
    let mut done = Vec::new();
    for target in &trial.what.resources {
        if lookout.applied(&target.resource)?.is_some_and(|applied| applied.run == run) {
            done.push(target.resource.clone());
        }
    }
    let (outcome, why) = match status {
        Status::Failed { problem } => {
            let is = |wanted: &[&Code]| {
                problem.code.as_ref().is_some_and(|code| wanted.iter().any(|one| one.id == code))
            };
            let outcome = if is(&REFUSED) {
                DriftOutcome::Refused
            } else if is(&[code::plan::STALE, code::plan::HELD]) {
                DriftOutcome::Withdrawn
            } else {
                DriftOutcome::Failed
            };
            (outcome, Some(problem.to_string()))
        }
        Status::Cancelled => (DriftOutcome::Refused, Some("it was cancelled".to_owned())),
        _ => (DriftOutcome::Completed, None),
    };
    Ok(DriftSettled { run, outcome, done, why })
}

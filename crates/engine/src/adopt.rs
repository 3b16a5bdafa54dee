//! Takes over runs whose engine died, folds runs from the journal, and starts child runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use journal::events::{Definition, Parent, RunEvent, Submitted};
use journal::{Event, StreamId};
use model::program::StepRef;
use model::{ApprovalId, Principal, Problem, RunId, Timestamp, code};
use serde_json::Value;

use crate::driver::{Batch, Child, Message};
use crate::engine::{Shared, lock, unix_ms};
use crate::state::{RunState, Status};
use crate::{EngineError, approvals, control, limits};

/// Looks for abandoned runs for as long as the engine lives.
pub(crate) async fn adopt_for_ever(shared: Arc<Shared>) {
    let (mut reports, mut quiet) = (0, 0);
    loop {
        if let Err(error) = adopt(&shared) {
            shared.report(&error);
        }
        tokio::time::sleep(limits::ADOPTION_INTERVAL).await;
        let reported = shared.reports.load(Ordering::Acquire);
        quiet = if reported == reports { quiet + 1 } else { 0 };
        reports = reported;
        // what had trouble is tried again in every round: nothing new for some means that it is over
        if quiet >= limits::QUIET_ROUNDS {
            shared.trouble.send_if_modified(|trouble| trouble.take().is_some());
        }
    }
}

/// Adopts every unfinished run whose engine is dead. Answers how many.
pub(crate) fn adopt(shared: &Arc<Shared>) -> Result<usize, EngineError> {
    let mut adopted = 0;
    for run in shared.views.unfinished_runs()? {
        if shared.is_local(run) {
            continue;
        }
        let Some(state) = shared.fold(run)? else { continue };
        // a journal that was copied from another environment brings runs that are nobody's here
        if state.submitted.environment != shared.environment {
            continue;
        }
        let orphaned =
            state.owner.as_ref().is_none_or(|owner| *owner == shared.id || !shared.presence.alive(owner));
        if orphaned && !state.status.is_final() && !shared.is_local(run) {
            shared.drive(state, Batch::default(), None);
            adopted += 1;
        }
    }
    // whoever ended the run may have died before it took its questions back
    for approval in shared.views.orphaned_approvals()? {
        shared.withdraw_later(approval);
    }
    Ok(adopted)
}

/// A child run on its way, and what must be appended before it.
pub(crate) struct NewChild {
    pub(crate) child: Child,
    pub(crate) before: Vec<(StreamId, Principal, Event)>,
}

impl Shared {
    /// Folds a run from the journal; `None` when there is no such run.
    pub(crate) fn fold(&self, run: RunId) -> Result<Option<RunState>, EngineError> {
        let stream = run.to_string();
        let first = self.journal.read_stream(&stream, 0, 1)?;
        let Some(first) = first.into_iter().next() else { return Ok(None) };
        let Event::Run(RunEvent::Submitted(submitted)) = first.event else {
            return Err(EngineError::Definition {
                run,
                why: "its stream does not begin with run.submitted".to_owned(),
            });
        };
        let text = self.text_of(&submitted)?;
        let program = self
            .programs
            .build(&submitted, &text, first.at)
            .map_err(|why| EngineError::Definition { run, why })?;
        let mut state = RunState::new(*submitted, first.actor, program, first.at);
        loop {
            let records = self.journal.read_stream(&stream, state.sequence, limits::READ_MAX)?;
            if records.is_empty() {
                return Ok(Some(state));
            }
            for record in records {
                state.apply(&record.event, record.at)?;
            }
        }
    }

    fn text_of(&self, submitted: &Submitted) -> Result<Arc<str>, EngineError> {
        let digest = submitted.program.digest;
        if let Some(text) = lock(&self.definitions).get(&digest) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = Definition::read(self.journal.as_ref(), &digest)?
            .ok_or_else(|| EngineError::Definition {
                run: submitted.run,
                why: format!("{digest} is not in the journal"),
            })?
            .into();
        lock(&self.definitions).insert(digest, Arc::clone(&text));
        Ok(text)
    }

    /// Another process appended to a run that is nobody's here: a submission without an engine, or a retry of a run that had
    /// ended.
    pub(crate) fn maybe_adopt(self: &Arc<Self>, run: RunId, event: &Event) {
        let wakes = match event {
            Event::Run(RunEvent::Submitted(submitted)) => submitted.engine.is_none(),
            Event::Run(RunEvent::RetryRequested(_)) => true,
            _ => false,
        };
        if !wakes {
            return;
        }
        match self.fold(run) {
            Ok(Some(state)) => {
                let free =
                    state.owner.as_ref().is_none_or(|owner| *owner == self.id || !self.presence.alive(owner));
                if free && !state.status.is_final() {
                    self.drive(state, Batch::default(), None);
                }
            }
            Ok(None) => {}
            Err(error) => self.report(&error),
        }
    }

    pub(crate) fn adopt_child(self: &Arc<Self>, child: Child) {
        let mut state = child.state;
        state.sequence = 1;
        self.drive(state, Batch::default(), None);
    }

    /// A child run of another process ended; its parent may wait here.
    pub(crate) async fn tell_parent(&self, child: RunId, status: Status) {
        let Ok(first) = self.journal.read_stream(&child.to_string(), 0, 1) else { return };
        if let Some(Event::Run(RunEvent::Submitted(submitted))) = first.first().map(|one| &one.event)
            && let Some(parent) = &submitted.parent
        {
            self.send(parent.run, Message::ChildEnded { child, status }).await;
        }
    }

    /// A child run for a step, ready to be appended with it.
    pub(crate) fn child_of(
        &self,
        parent: &RunState,
        step: &StepRef,
        workflow: &str,
        version: Option<&str>,
        mut input: Value,
        now: Timestamp,
    ) -> Result<NewChild, Problem> {
        // as a later fold reads it
        model::canonical::normalize(&mut input);
        let depth = parent.submitted.depth + 1;
        if depth > limits::DEPTH_MAX {
            let detail = format!("runs start runs more than {} deep", limits::DEPTH_MAX);
            return Err(Problem::runtime(detail).with_code(code::run::LIMIT));
        }
        let definition = self.programs.find(workflow, version).map_err(Problem::configuration)?;
        let run = RunId::from_parts(unix_ms(now), self.entropy.draw());
        let submitted = Submitted {
            run,
            program: definition.program.clone(),
            environment: self.environment.clone(),
            input,
            via: parent.submitted.via.clone(),
            engine: Some(self.id.clone()),
            idempotency_key: None,
            parent: Some(Parent { run: parent.run, step: step.id.clone() }),
            hears_after: None,
            depth,
            policy: self.judge.policy_digest(),
            actions: definition.actions.clone(),
        };
        let program =
            self.programs.build(&submitted, &definition.text, now).map_err(Problem::configuration)?;
        let requester = parent.requester.clone();
        let mut append = journal::Append::default();
        self.define(&definition, &requester, &mut append)
            .map_err(|error| Problem::runtime(error.to_string()))?;
        let mut before: Vec<_> =
            append.events.into_iter().map(|event| (event.stream, event.actor, event.event)).collect();
        let event = RunEvent::Submitted(Box::new(submitted.clone())).into();
        before.push((run.to_string().into(), requester.clone(), event));
        let state = RunState::new(submitted, requester, program, now);
        Ok(NewChild { child: Child { state }, before })
    }

    /// Cancels another run soon: its own conditional append, which may be refused because the run has ended.
    pub(crate) fn cancel_later(self: &Arc<Self>, run: RunId, reason: &str) {
        let shared = Arc::clone(self);
        let command = control::Command::Cancel { reason: Some(reason.to_owned()) };
        tokio::spawn(async move {
            match control::command(shared.journal.as_ref(), run, &Principal::system(), &command).await {
                Ok(()) | Err(EngineError::WrongState { .. }) => {}
                Err(error) => shared.report(&error),
            }
        });
    }

    /// Withdraws an approval that nobody waits for any more, soon: its own conditional append, which does nothing if somebody
    /// decides first.
    pub(crate) fn withdraw_later(self: &Arc<Self>, approval: ApprovalId) {
        const REASON: &str = "the run does not wait for it any more";
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let now = shared.clock.now();
            if let Err(error) = approvals::withdraw(shared.journal.as_ref(), approval, REASON, now).await {
                shared.report(&error);
            }
        });
    }
}

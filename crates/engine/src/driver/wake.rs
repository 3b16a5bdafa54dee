//! Waits, and turns what woke the driver up into events.

use journal::Event;
use journal::events::{
    Answered, ApprovalEvent, BusEvent, ListenEvent, Received, StepEvent, StepFault, StepResult, TimerEvent,
    TimerNamed,
};
use model::{ApprovalId, Principal, Problem, RunId, StepId, Timestamp, code};

use super::{Driver, Message};
use crate::EngineError;
use crate::approvals;
use crate::limits;
use crate::state::{RUN_STEP, Status};

impl Driver {
    /// Waits for the next thing to happen and takes notice of everything that has.
    pub(super) async fn wait(&mut self) -> Result<(), EngineError> {
        let due = self.next_due();
        let now = self.shared.clock.now();
        if due.is_some_and(|due| due <= now) {
            return self.fire(now).await;
        }
        let sleep = async {
            match due {
                Some(due) => self.shared.clock.sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let message = tokio::select! {
            biased;
            message = self.mailbox.recv() => message,
            () = sleep => None,
        };
        let Some(message) = message else {
            return self.fire(self.shared.clock.now()).await;
        };
        self.receive(message).await?;
        while self.batch.len() < limits::BATCH_MAX {
            let Ok(message) = self.mailbox.try_recv() else { break };
            self.receive(message).await?;
        }
        Ok(())
    }

    fn next_due(&self) -> Option<Timestamp> {
        let timer = self.state.next_timer().map(|(due, _, _)| due);
        let approval = self.approvals_due.values().min().copied();
        timer.into_iter().chain(approval).min()
    }

    /// Fires every timer that is due, and looks at every approval whose time is up.
    async fn fire(&mut self, now: Timestamp) -> Result<(), EngineError> {
        let late: Vec<_> =
            self.approvals_due.iter().filter(|(_, due)| **due <= now).map(|(id, _)| *id).collect();
        for approval in late {
            self.look_at(approval).await?;
        }
        while let Some((due, step, name)) = self.state.next_timer() {
            if due > now {
                break;
            }
            let timer = TimerNamed { step: step.clone(), name: name.to_owned() };
            self.emit(Principal::system(), TimerEvent::Fired(timer));
        }
        Ok(())
    }

    async fn receive(&mut self, message: Message) -> Result<(), EngineError> {
        match message {
            Message::Performed { step, attempt, result } => self.performed(&step, attempt, result),
            Message::Checked { step, attempt, checked } => self.checked(&step, attempt, checked),
            Message::Appended { sequence } => self.catch_up(sequence)?,
            Message::Approval(approval) => {
                if self.state.questions.contains_key(&approval) {
                    self.look_at(approval).await?;
                }
            }
            Message::Bus => self.hear()?,
            Message::ChildEnded { child, status } => self.child_ended(child, &status),
        }
        Ok(())
    }

    /// Applies what others appended to the run's stream. Only sound while nothing of our own is on its way.
    fn catch_up(&mut self, sequence: u64) -> Result<(), EngineError> {
        if sequence <= self.durable {
            return Ok(());
        }
        if !self.batch.is_empty() {
            // our own append will be refused, and the state folded again
            return Ok(());
        }
        let stream = self.state.run.to_string();
        let records = self.shared.journal.read_stream(&stream, self.durable, limits::READ_MAX)?;
        for record in records {
            self.state.apply(&record.event, record.at)?;
            if self.owns && !self.is_ours() {
                // another engine believed this one dead and took the run over: let go of it
                return Err(EngineError::Stopping);
            }
            if let Event::Step(StepEvent::Resolved(resolved)) = &record.event
                && !resolved.happened
            {
                let settled = self.state.in_flight.get(&resolved.step).filter(|one| one.in_doubt.is_none());
                let attempt = settled.map(|one| one.attempt);
                if let Some(attempt) = attempt {
                    self.start(&resolved.step, attempt);
                }
            }
        }
        self.durable = self.state.sequence;
        self.running.retain(|step, _| self.state.in_flight.contains_key(step));
        Ok(())
    }

    /// Reads an approval, lets its time run out if it has, and takes its answer if there is one.
    pub(super) async fn look_at(&mut self, approval: ApprovalId) -> Result<(), EngineError> {
        let journal = self.shared.journal.as_ref();
        let now = self.shared.clock.now();
        let loaded = approvals::expire(journal, approval, now, approvals::Persons::default()).await?;
        match loaded.due {
            Some(due) if loaded.ended.is_none() => {
                self.approvals_due.insert(approval, due);
            }
            _ => {
                self.approvals_due.remove(&approval);
            }
        }
        let Some(ended) = loaded.ended else { return Ok(()) };
        let Some(question) = self.state.questions.get(&approval).filter(|one| !one.granted).cloned() else {
            return Ok(());
        };
        let answered = answered(question.step.clone(), approval, &ended);
        let (outcome, reason) = (answered.outcome.clone(), answered.reason.clone());
        let actor = answered.deciders.last().cloned().unwrap_or_else(Principal::system);
        self.emit(actor, StepEvent::Answered(answered));
        if question.by_policy && !matches!(outcome.as_str(), "granted" | "overridden") {
            self.refuse(&question.step, approval, &outcome, reason.as_deref());
        }
        Ok(())
    }

    /// What policy demanded was not granted: the step, or the run, fails.
    fn refuse(&mut self, step: &StepId, approval: ApprovalId, outcome: &str, reason: Option<&str>) {
        let mut detail = format!("approval {approval} was {outcome}");
        if let Some(reason) = reason {
            detail.push_str(": ");
            detail.push_str(reason);
        }
        let problem = crate::error::refused(code::policy::APPROVAL_DENIED, detail);
        if step.as_str() == RUN_STEP {
            let failed = journal::events::EndedBadly { problem };
            self.emit(Principal::system(), journal::events::RunEvent::Failed(failed));
        } else {
            let problem = problem.at(super::effects::pointer_of(step));
            let name = step.as_str().rsplit('/').next().unwrap_or_default().to_owned();
            let fault =
                StepFault { step: step.clone(), name, task: "call".to_owned(), problem, verdict: None };
            self.emit(Principal::system(), StepEvent::Failed(Box::new(fault)));
        }
    }

    /// Offers the bus's events to listening steps.
    pub(super) fn hear(&mut self) -> Result<(), EngineError> {
        let Some(after) = self.state.listening.values().min().copied() else { return Ok(()) };
        let mut after = after;
        loop {
            let records = self.shared.journal.read_stream("bus", after, limits::READ_MAX)?;
            let Some(last) = records.last() else { break };
            after = last.sequence;
            for record in &records {
                let Event::Bus(BusEvent::Published(published)) = &record.event else { continue };
                let steps: Vec<StepId> = self
                    .state
                    .listening
                    .iter()
                    .filter(|(_, seen)| **seen < record.sequence)
                    .map(|(step, _)| step.clone())
                    .collect();
                for step in steps {
                    if self.state.program.wants(&step, &published.event) {
                        let received =
                            Received { step, sequence: record.sequence, event: published.event.clone() };
                        self.emit(record.actor.clone(), ListenEvent::Received(Box::new(received)));
                    } else if let Some(seen) = self.state.listening.get_mut(&step) {
                        *seen = record.sequence;
                    }
                }
            }
            if self.batch.len() >= limits::BATCH_MAX || self.state.listening.is_empty() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn child_ended(&mut self, child: RunId, status: &Status) {
        let Some((step, name)) = self.state.children.get(&child).cloned() else { return };
        let actor = self.actor();
        let task = "run".to_owned();
        let event = match status {
            Status::Completed { output } => {
                StepEvent::Completed(StepResult { step, name, task, output: output.clone().into() })
            }
            Status::Failed { problem } => StepEvent::Failed(Box::new(StepFault {
                step,
                name,
                task,
                problem: problem.clone(),
                verdict: None,
            })),
            _ => {
                let problem =
                    Problem::runtime(format!("{child} was cancelled")).with_code(code::run::CANCELLED);
                StepEvent::Failed(Box::new(StepFault { step, name, task, problem, verdict: None }))
            }
        };
        self.emit(actor, event);
    }
}

fn answered(step: StepId, approval: ApprovalId, ended: &ApprovalEvent) -> Answered {
    let (outcome, deciders, reason) = match ended {
        ApprovalEvent::Granted(decided) => ("granted", decided.by.clone(), decided.reason.clone()),
        ApprovalEvent::Overridden(by) => ("overridden", vec![by.by.clone()], by.reason.clone()),
        ApprovalEvent::Denied(by) => ("denied", vec![by.by.clone()], by.reason.clone()),
        ApprovalEvent::Expired(by) => ("expired", Vec::new(), by.reason.clone()),
        other => {
            let reason = match other {
                ApprovalEvent::Withdrawn(by) => by.reason.clone(),
                _ => None,
            };
            ("withdrawn", Vec::new(), reason)
        }
    };
    Answered { step, approval, outcome: outcome.to_owned(), deciders, reason }
}

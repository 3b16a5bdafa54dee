//! Starts effects, and takes their results back.

use std::sync::Arc;

use journal::events::{Doubt, QuotaEvent, QuotaUse, StepEvent, StepFault, StepResult};
use model::{EffectClass, Json, Problem, StepId, code};

use super::{Driver, Message, Running};
use crate::limits;
use crate::ports::{Cancellation, Checked, Context, Failure, FailureClass};

impl Driver {
    /// Starts the effect of a step whose `step.scheduled` is durable.
    pub(super) fn start(&mut self, step: &StepId, attempt: u32) {
        let Some(in_flight) = self.state.in_flight.get(step).filter(|one| one.attempt == attempt) else {
            return;
        };
        let action = Arc::clone(&in_flight.action);
        let (canceller, cancellation) = Cancellation::new();
        let context = self.context(step, attempt, cancellation);
        let performer = self.shared.performers.find(&action.kind);
        let (sender, permits) = (self.sender.clone(), Arc::clone(&self.shared.effects));
        self.running.insert(step.clone(), Running { attempt, _canceller: canceller });
        tokio::spawn(async move {
            let mut cancelled = context.cancellation.clone();
            let perform = async {
                // the semaphore is never closed, so a permit always comes
                let _permit = permits.acquire().await;
                match performer {
                    Some(performer) => performer.perform(&context, &action).await,
                    None => Err(nobody_performs(&action.kind)),
                }
            };
            let result = tokio::select! {
                biased;
                result = perform => result,
                () = cancelled.cancelled() => return,
            };
            let message = Message::Performed { step: context.step.clone(), attempt, result };
            drop(sender.send(message).await);
        });
    }

    /// Looks whether an interrupted effect of class `verifiable` happened.
    pub(super) fn check(&mut self, step: &StepId) {
        let Some(in_flight) = self.state.in_flight.get(step) else { return };
        let (action, attempt) = (Arc::clone(&in_flight.action), in_flight.attempt);
        let (canceller, cancellation) = Cancellation::new();
        let context = self.context(step, attempt, cancellation);
        let performer = self.shared.performers.find(&action.kind);
        let sender = self.sender.clone();
        self.running.insert(step.clone(), Running { attempt, _canceller: canceller });
        tokio::spawn(async move {
            let checked = match performer {
                Some(performer) => performer.check(&context, &action).await,
                None => Checked::Unknown,
            };
            drop(sender.send(Message::Checked { step: context.step.clone(), attempt, checked }).await);
        });
    }

    fn context(&mut self, step: &StepId, attempt: u32, cancellation: Cancellation) -> Context {
        let granted = self.granted.remove(step).unwrap_or_else(|| self.granted_again(step));
        Context {
            run: self.state.run,
            step: step.clone(),
            attempt,
            principal: self.state.requester.clone(),
            actions: Arc::new(self.state.submitted.actions.clone()),
            granted: Arc::new(granted),
            secrets: Arc::clone(&self.shared.secrets),
            cancellation,
        }
    }

    fn granted_again(&self, step: &StepId) -> policy::Granted {
        let now = self.shared.clock.now();
        self.state
            .in_flight
            .get(step)
            .map(|one| self.shared.judge.granted(&self.state, step, &one.name, &one.action, now))
            .unwrap_or_default()
    }

    /// Records what a performer answered, unless nobody wants it any more.
    pub(super) fn performed(&mut self, step: &StepId, attempt: u32, result: Result<Json, Failure>) {
        if self.running.get(step).is_some_and(|running| running.attempt == attempt) {
            self.running.remove(step);
        }
        let Some(in_flight) = self.state.in_flight.get(step).filter(|one| one.attempt == attempt).cloned()
        else {
            return;
        };
        let result = result.and_then(|output| within_limit(output, &in_flight.action.kind));
        let kept = !matches!(&result, Err(failure) if !failure.maybe_happened);
        self.settle_quotas(step, kept);
        let (step, name, task) = (step.clone(), in_flight.name, in_flight.task);
        let actor = self.actor();
        match result {
            Ok(output) => {
                self.emit(
                    actor,
                    journal::Event::Step(StepEvent::Completed(StepResult { step, name, task, output })),
                );
            }
            Err(failure) => {
                let mut problem = failure.problem.at(pointer_of(&step));
                if let FailureClass::Throttled { retry_after: Some(after) } = failure.class {
                    // programs decide on retries, and the problem is all they see
                    problem.retry_after_ms = Some(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
                }
                let fault = StepFault { step, name, task, problem, verdict: None };
                self.emit(actor, journal::Event::Step(StepEvent::Failed(Box::new(fault))));
            }
        }
    }

    /// Records what a look at the world told about an interrupted effect.
    pub(super) fn checked(&mut self, step: &StepId, attempt: u32, checked: Checked) {
        self.running.remove(step);
        match checked {
            Checked::Happened(output) => self.performed(step, attempt, Ok(output)),
            Checked::NotHappened => self.start(step, attempt),
            Checked::Unknown => self.doubt(step, "it was interrupted, and a look at the world did not tell"),
        }
    }

    /// An effect of class `once` that was interrupted waits for a person.
    pub(super) fn doubt(&mut self, step: &StepId, why: &str) {
        if let Some(attempt) =
            self.state.in_flight.get(step).filter(|one| one.in_doubt.is_none()).map(|one| one.attempt)
        {
            let doubt = Doubt { step: step.clone(), attempt, why: why.to_owned() };
            self.emit(model::Principal::system(), StepEvent::InDoubt(doubt));
        }
    }

    /// What becomes of an effect that was in flight when its engine died.
    pub(super) fn resume_effect(&mut self, step: &StepId) {
        let Some(in_flight) = self.state.in_flight.get(step) else { return };
        if in_flight.in_doubt.is_some() || self.running.contains_key(step) {
            return;
        }
        match in_flight.action.effect {
            EffectClass::Read | EffectClass::Idempotent => self.start(step, in_flight.attempt),
            EffectClass::Verifiable => self.check(step),
            EffectClass::Once => self.doubt(step, "its engine stopped while it was being performed"),
        }
    }

    /// Commits the quotas a step holds, or gives them back.
    fn settle_quotas(&mut self, step: &StepId, kept: bool) {
        let held = self.state.in_flight.get(step).map(|one| one.quotas.clone()).unwrap_or_default();
        for quota in held {
            let used =
                QuotaUse { key: quota.key, amount: quota.amount, run: self.state.run, step: step.clone() };
            let stream: journal::StreamId = format!("quota/{}", used.key).into();
            self.batch.settled.push((used.key.clone(), kept));
            let event = if kept { QuotaEvent::Committed(used) } else { QuotaEvent::Refunded(used) };
            self.batch_time();
            let actor = self.actor();
            self.batch.push(stream, actor, event.into());
        }
    }
}

fn within_limit(output: Json, kind: &str) -> Result<Json, Failure> {
    // most outputs are so small that they need not be written to be measured
    if output.most_bytes() <= limits::OUTPUT_BYTES_MAX {
        return Ok(output);
    }
    let bytes = model::canonical::to_vec(&output).len();
    if bytes <= limits::OUTPUT_BYTES_MAX {
        return Ok(output);
    }
    let detail = format!("{kind} answered with {bytes} bytes, more than {}", limits::OUTPUT_BYTES_MAX);
    Err(Failure {
        problem: Problem::runtime(detail).with_code(code::run::LIMIT),
        class: FailureClass::Permanent,
        maybe_happened: true,
    })
}

fn nobody_performs(kind: &str) -> Failure {
    Failure {
        problem: Problem::configuration(format!("nothing here can perform {kind}"))
            .with_code(code::run::NOT_PERFORMABLE),
        class: FailureClass::Permanent,
        maybe_happened: false,
    }
}

/// The task's JSON pointer: the step id without its counter.
pub(super) fn pointer_of(step: &StepId) -> String {
    let text = step.as_str();
    text.split_once('#').map_or(text, |(pointer, _)| pointer).to_owned()
}

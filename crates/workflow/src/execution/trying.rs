//! `try`: catching, retrying with back-off and jitter, handling.

use std::sync::Arc;

use jiff::SignedDuration;
use model::Problem;
use model::program::{Due, TimerPurpose};
use serde_json::Value;

use super::Execution;
use super::frame::{Frame, FrameId, Scope, State, TryPhase, Trying};
use crate::document::{Backoff, Kind, Retry, Task, Then, Try};

impl Execution {
    pub(super) fn start_try(&mut self, id: FrameId) {
        let visits = self.visits_below(id);
        let trying = Trying {
            attempt: 1,
            began: self.now,
            phase: TryPhase::Trying,
            limit_timer: None,
            visits,
            scope: None,
        };
        self.become_state(id, State::Try(Box::new(trying)));
        self.attempt(id);
    }

    /// Begins an attempt at the body.
    fn attempt(&mut self, id: FrameId) {
        let Some(frame) = self.frames.get(id) else { return };
        let (task, input) = (frame.task.clone(), frame.input.clone());
        let Kind::Try(attempt) = &task.kind else { return };
        if let Some(limit) = attempt.retry.as_ref().and_then(|retry| retry.attempt_limit.as_ref()) {
            match self.span(id, limit) {
                Ok(after) => self.limit_attempt(id, after),
                Err(problem) => return self.fail(id, problem),
            }
        }
        self.enter_at(id, &attempt.body, 0, input, None);
    }

    fn limit_attempt(&mut self, id: FrameId, after: SignedDuration) {
        let Some(trying) = self.trying(id) else { return };
        let name = format!("attempt-{}", trying.attempt);
        trying.limit_timer = Some(name.clone());
        self.set_timer(id, name, Due::After(after), TimerPurpose::Timeout);
    }

    fn trying(&mut self, id: FrameId) -> Option<&mut Trying> {
        match &mut self.frames.get_mut(id)?.state {
            State::Try(trying) => Some(trying),
            _ => None,
        }
    }

    fn drop_attempt_limit(&mut self, id: FrameId) {
        let name = self.trying(id).and_then(|trying| trying.limit_timer.take());
        if let (Some(name), Some(frame)) = (name, self.frames.get(id)) {
            let step = frame.step.id.clone();
            self.cancel_timer(&step, &name);
        }
    }

    /// A task inside of the body or the handler is done.
    pub(super) fn try_next(
        &mut self,
        id: FrameId,
        task: &Arc<Task>,
        handling: bool,
        slot: usize,
        output: Arc<Value>,
        then: Then,
    ) {
        let Kind::Try(attempt) = &task.kind else { return };
        let block = if handling { attempt.handler.as_ref() } else { Some(&attempt.body) };
        let Some(block) = block.cloned() else { return };
        // The handler's tasks have the error in scope, which the frame itself has not.
        let scope = self.trying(id).and_then(|trying| trying.scope.clone());
        self.advance(id, &block, slot, output, then, scope);
    }

    /// Something inside of a `try` has failed.
    pub(super) fn caught(&mut self, id: FrameId, problem: Problem) {
        self.stop_children(id);
        self.drop_attempt_limit(id);
        let Some(frame) = self.frames.get(id) else { return };
        let task = frame.task.clone();
        let (Kind::Try(attempt), State::Try(trying)) = (&task.kind, &frame.state) else { return };
        if trying.phase != TryPhase::Trying {
            return self.fail(id, problem);
        }
        let error = Arc::new(serde_json::to_value(&problem).unwrap_or(Value::Null));
        let scope = frame.scope.with(&"error".into(), error.clone()).with(&attempt.variable, error.clone());
        match self.is_caught(id, attempt, &error, &scope) {
            Ok(true) => {}
            Ok(false) => return self.fail(id, problem),
            Err(problem) => return self.fail(id, problem),
        }
        self.failed_at = None;
        match self.retry_delay(id, attempt, &scope) {
            Ok(Some(delay)) => self.pause(id, delay),
            Ok(None) => self.handle(id, attempt, problem, scope),
            Err(problem) => self.fail(id, problem),
        }
    }

    fn is_caught(&self, id: FrameId, attempt: &Try, error: &Value, scope: &Scope) -> Result<bool, Problem> {
        if !attempt.with.iter().all(|(name, expected)| error.get(name) == Some(expected)) {
            return Ok(false);
        }
        if let Some(when) = &attempt.when
            && !self.holds_for(id, when, scope)?
        {
            return Ok(false);
        }
        match &attempt.except_when {
            Some(except) => Ok(!self.holds_for(id, except, scope)?),
            None => Ok(true),
        }
    }

    fn holds_for(
        &self,
        id: FrameId,
        condition: &crate::expression::Expression,
        scope: &Scope,
    ) -> Result<bool, Problem> {
        let Some(frame) = self.frames.get(id) else { return Ok(false) };
        self.holds_on(id, condition, &frame.input, scope)
    }

    /// How long to wait before another attempt; `None` when there is to be none.
    fn retry_delay(
        &self,
        id: FrameId,
        attempt: &Try,
        scope: &Scope,
    ) -> Result<Option<SignedDuration>, Problem> {
        let (Some(retry), Some(frame)) = (&attempt.retry, self.frames.get(id)) else { return Ok(None) };
        let State::Try(trying) = &frame.state else { return Ok(None) };
        if retry.count.is_some_and(|count| trying.attempt > count) {
            return Ok(None);
        }
        if let Some(when) = &retry.when
            && !self.holds_for(id, when, scope)?
        {
            return Ok(None);
        }
        if let Some(except) = &retry.except_when
            && self.holds_for(id, except, scope)?
        {
            return Ok(None);
        }
        let delay = self.delay(id, retry, trying.attempt, frame)?;
        if let Some(limit) = &retry.limit {
            let spent = self.now.duration_since(trying.began).saturating_add(delay);
            if spent > self.span(id, limit)? {
                return Ok(None);
            }
        }
        Ok(Some(delay))
    }

    fn delay(
        &self,
        id: FrameId,
        retry: &Retry,
        attempt: u32,
        frame: &Frame,
    ) -> Result<SignedDuration, Problem> {
        let base = match &retry.delay {
            Some(span) => self.span(id, span)?,
            None => SignedDuration::ZERO,
        };
        let grown = grow(base, retry.backoff, attempt);
        let Some((from, to)) = &retry.jitter else { return Ok(grown) };
        let (from, to) = (self.span(id, from)?, self.span(id, to)?);
        let seed = format!("{}{}{attempt}", self.facts.run, frame.step.id);
        Ok(grown.saturating_add(jitter(&seed, from, to)))
    }

    fn pause(&mut self, id: FrameId, delay: SignedDuration) {
        let Some(trying) = self.trying(id) else { return };
        trying.attempt += 1;
        trying.phase = TryPhase::Pausing;
        let name = format!("retry-{}", trying.attempt);
        self.set_timer(id, name, Due::After(delay), TimerPurpose::Retry);
    }

    /// The pause before another attempt is over.
    pub(super) fn resume_try(&mut self, id: FrameId, name: &str) {
        let Some(trying) = self.trying(id) else { return };
        if trying.phase != TryPhase::Pausing || name != format!("retry-{}", trying.attempt) {
            return;
        }
        trying.phase = TryPhase::Trying;
        let visits = trying.visits.clone();
        self.rewind_visits(id, &visits);
        self.attempt(id);
    }

    /// No (further) attempt: the handler, if there is one. Without one, an error that was to be retried stays an error,
    /// and one that was only to be caught is forgotten.
    fn handle(&mut self, id: FrameId, attempt: &Try, problem: Problem, scope: Scope) {
        let Some(frame) = self.frames.get(id) else { return };
        let input = frame.input.clone();
        match (&attempt.handler, &attempt.retry) {
            (Some(handler), _) => {
                if let Some(trying) = self.trying(id) {
                    trying.phase = TryPhase::Handling;
                    trying.scope = Some(scope.clone());
                }
                self.enter_at(id, handler, 0, input, Some(scope));
            }
            (None, Some(_)) => self.fail(id, problem),
            (None, None) => self.finish_plain(id, input),
        }
    }

    /// A timer of a `try` fired that limits an attempt.
    pub(super) fn attempt_timed_out(&mut self, id: FrameId, name: &str) {
        let Some(trying) = self.trying(id) else { return };
        if trying.limit_timer.as_deref() != Some(name) {
            return;
        }
        trying.limit_timer = None;
        let problem = Problem::timeout("the attempt took longer than its limit");
        let instance = self.frames.get(id).map(|frame| frame.task.pointer.clone()).unwrap_or_default();
        self.caught(id, problem.at(&*instance));
    }

    /// What a `try` that ends still holds.
    pub(super) fn release_try(&mut self, frame: &Frame, trying: &Trying) {
        if trying.phase == TryPhase::Pausing {
            self.cancel_timer(&frame.step.id, &format!("retry-{}", trying.attempt));
        }
        if let Some(name) = &trying.limit_timer {
            self.cancel_timer(&frame.step.id, name);
        }
        if !frame.retryable {
            let below = format!("{}/", super::ids::split(frame.step.id.as_str()).0);
            self.attempts.retain(|step, _| !step.as_str().starts_with(&below));
        }
    }
}

/// The delay before attempt `attempt + 1`.
fn grow(base: SignedDuration, backoff: Backoff, attempt: u32) -> SignedDuration {
    let longest = SignedDuration::from_secs(crate::limits::DURATION_SECONDS);
    let factor = match backoff {
        Backoff::Constant => 1,
        Backoff::Linear => i32::try_from(attempt).unwrap_or(i32::MAX),
        Backoff::Exponential => 1_i32.checked_shl((attempt - 1).min(30)).unwrap_or(i32::MAX),
    };
    base.checked_mul(factor).unwrap_or(longest).min(longest)
}

/// Between `from` and `to`, the same for the same seed: replay must give the same delay.
fn jitter(seed: &str, from: SignedDuration, to: SignedDuration) -> SignedDuration {
    let range = u64::try_from(to.saturating_sub(from).as_millis()).unwrap_or(0);
    let number = u64::from_str_radix(&super::hash(seed)[..16], 16).unwrap_or(0);
    let extra = if range == 0 { 0 } else { number % (range + 1) };
    from.saturating_add(SignedDuration::from_millis(i64::try_from(extra).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn delays_grow_as_the_backoff_says() {
        let second = SignedDuration::from_secs(1);
        let delays = |backoff| (1..=5).map(|n| grow(second, backoff, n).as_secs()).collect::<Vec<_>>();
        assert_eq!(delays(Backoff::Constant), [1, 1, 1, 1, 1]);
        assert_eq!(delays(Backoff::Linear), [1, 2, 3, 4, 5]);
        assert_eq!(delays(Backoff::Exponential), [1, 2, 4, 8, 16]);
        assert_eq!(grow(second, Backoff::Exponential, 4_000_000).as_secs(), limits::DURATION_SECONDS);
    }

    #[test]
    fn jitter_stays_in_its_range_and_is_the_same_on_replay() {
        let (from, to) = (SignedDuration::from_millis(100), SignedDuration::from_millis(200));
        let all: Vec<_> = (0..200).map(|n| jitter(&format!("run{n}"), from, to)).collect();
        assert!(all.iter().all(|delay| *delay >= from && *delay <= to));
        assert!(all.iter().collect::<std::collections::BTreeSet<_>>().len() > 50);
        assert_eq!(jitter("a", from, to), jitter("a", from, to));
        assert_eq!(jitter("a", to, from), to);
    }
}

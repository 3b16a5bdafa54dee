//! The end of a run, and ways back from it: cancel with compensations, retry from a step.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Outcome, Problem, Step, StepId, StepRef};

use super::frame::{Entry, Frame, FrameId, Scope, State, Trail, Work};
use super::{Execution, Phase};
use crate::document::Kind;
use crate::limits;

impl Execution {
    /// The root is done.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.root = None;
        self.phase = Phase::Ending;
        self.retriable = !matches!(outcome, Outcome::Completed { .. });
        self.pending.push(Step::Finish { outcome });
    }

    /// Stops everything and runs the compensations of what has completed, the latest first.
    pub(super) fn cancel(&mut self) {
        if self.phase != Phase::Running {
            return;
        }
        self.queue.clear();
        if let Some(root) = self.root.take() {
            self.stop(root, "the run is cancelled");
        }
        self.phase = Phase::Compensating;
        self.compensate_next();
    }

    fn compensate_next(&mut self) {
        let Some(compensation) = self.compensations.pop() else {
            let outcome = match self.compensation_failure.take() {
                None => Outcome::Cancelled,
                Some(problem) => Outcome::Faulted { problem },
            };
            return self.end(outcome);
        };
        let id = StepId::new(format!("{}/metadata/compensate", compensation.step));
        let frame = Frame {
            parent: None,
            slot: 0,
            depth: 0,
            step: StepRef { id, name: compensation.task.name.clone(), kind: "compensate" },
            task: compensation.task,
            prefix: None,
            raw: compensation.input.clone(),
            input: compensation.input.clone(),
            scope: compensation.scope,
            began: self.now,
            timed: false,
            retryable: false,
            plain: false,
            trail: None,
            state: State::Compensation(compensation.block.clone()),
            children: BTreeSet::new(),
        };
        let id = self.frames.insert(frame);
        self.enter_at(id, &compensation.block, 0, compensation.input, None);
    }

    /// A compensation has ended. One that fails does not keep the others from running, and the run ends as failed.
    pub(super) fn compensated(&mut self, id: FrameId, result: Result<(), Problem>) {
        let Some(frame) = self.frames.remove(id) else { return };
        if let Err(problem) = result {
            let detail = format!("the compensation of `{}` failed: {problem}", frame.task.name);
            let first = Problem { detail: Some(detail), ..problem };
            self.compensation_failure.get_or_insert(first);
        }
        self.compensate_next();
    }

    /// Remembers how to get back to a task.
    pub(super) fn remember(&mut self, trail: Arc<Trail>) {
        if self.history.len() >= limits::RUN_HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(trail);
    }

    /// Goes on from a step of a run that has failed or was cancelled. A step inside of a loop, a fork, a function
    /// or a `try` goes on from that.
    pub(super) fn retry_from(&mut self, from: Option<&StepId>) {
        if !matches!(self.phase, Phase::Ending | Phase::Ended) || !self.retriable {
            return;
        }
        let inside = |trail: &Trail, step: &StepId| {
            let rest = step.as_str().strip_prefix(trail.step.id.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let target = match from {
            Some(step) => {
                let found = self.history.iter().filter(|trail| inside(trail, step));
                found.max_by_key(|trail| trail.step.id.as_str().len()).cloned()
            }
            None => self.failed_at.clone().or_else(|| self.history.back().cloned()),
        };
        let Some(target) = target else { return };
        self.pending.clear();
        self.queue.clear();
        self.failed_at = None;
        self.phase = Phase::Running;
        self.context = target.context.clone();
        self.compensations.truncate(target.compensations);
        self.rebuild(&target);
    }

    fn rebuild(&mut self, target: &Arc<Trail>) {
        let mut chain = Vec::new();
        let mut above = target.parent.as_ref();
        while let Some(trail) = above {
            chain.push(trail.clone());
            above = trail.parent.as_ref();
        }
        let mut parent = None;
        for trail in chain.into_iter().rev() {
            match self.reopen(parent, &trail) {
                Some(id) => parent = Some(id),
                None => return,
            }
        }
        self.forget_visit(&target.step.id);
        let entry = Entry {
            parent,
            slot: target.slot,
            task: target.task.clone(),
            input: target.raw.clone(),
            scope: Scope::default(),
            prefix: None,
            extension: 0,
        };
        if parent.is_none() {
            return self.enter_root(target.raw.clone());
        }
        self.queue.push_back(Work::Enter(entry));
    }

    /// Sets up a list again that the target is in.
    fn reopen(&mut self, parent: Option<FrameId>, trail: &Arc<Trail>) -> Option<FrameId> {
        let Kind::Do(block) = &trail.task.kind else { return None };
        let depth = parent.and_then(|parent| self.frames.get(parent)).map_or(0, |frame| frame.depth + 1);
        let id = self.frames.insert(Frame {
            parent,
            slot: trail.slot,
            depth,
            task: trail.task.clone(),
            step: trail.step.clone(),
            prefix: None,
            raw: trail.raw.clone(),
            input: trail.raw.clone(),
            scope: Scope::default(),
            began: self.now,
            timed: false,
            retryable: false,
            plain: false,
            trail: Some(trail.clone()),
            state: State::Sequence(block.clone()),
            children: BTreeSet::new(),
        });
        self.active.insert(trail.step.id.clone(), id);
        if parent.is_none() {
            self.root = Some(id);
        }
        match self.take_input(id) {
            Ok(input) => self.frames.get_mut(id)?.input = input,
            Err(problem) => {
                self.fail(id, problem);
                return None;
            }
        }
        if let Some(timeout) = &trail.task.timeout {
            self.limit_again(id, timeout);
        }
        Some(id)
    }

    fn limit_again(&mut self, id: FrameId, timeout: &crate::document::Span) {
        match self.span(id, timeout) {
            Ok(after) => {
                let due = model::program::Due::After(after);
                self.set_timer(
                    id,
                    super::flow::TIMEOUT.to_owned(),
                    due,
                    model::program::TimerPurpose::Timeout,
                );
                if let Some(frame) = self.frames.get_mut(id) {
                    frame.timed = true;
                }
            }
            Err(problem) => self.fail(id, problem),
        }
    }

    /// Begins the workflow itself.
    pub(super) fn enter_root(&mut self, input: Arc<serde_json::Value>) {
        let entry = Entry {
            parent: None,
            slot: 0,
            task: self.workflow.root.clone(),
            input,
            scope: Scope::default(),
            prefix: None,
            extension: 0,
        };
        self.queue.push_back(Work::Enter(entry));
    }
}

//! Beginning and ending tasks, and what that means for the tasks around them.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::program::{Due, TimerPurpose};
use model::{Outcome, Problem, Step, StepId, StepRef, code};
use serde_json::Value;

use super::frame::{Compensation, Entry, Frame, FrameId, Scope, State, Trail, Work};
use super::pending::Answer;
use super::{Execution, Phase};
use crate::document::{Block, Kind, Task, Then};
use crate::limits;

/// Name of the timer that limits a task.
pub(super) const TIMEOUT: &str = "timeout";

impl Execution {
    /// Does everything that can be done without another event.
    pub(super) fn drain(&mut self) {
        while let Some(work) = self.queue.pop_front() {
            match work {
                Work::Enter(entry) => self.enter(entry),
                Work::Done { parent, slot, output, then } => self.child_done(parent, slot, output, then),
                Work::Failed { parent, slot, problem } => self.child_failed(parent, slot, *problem),
            }
        }
    }

    fn enter(&mut self, entry: Entry) {
        if entry.parent.is_some_and(|parent| self.frames.get(parent).is_none()) {
            return;
        }
        if self.extend(&entry) {
            return;
        }
        let Entry { parent, slot, task, input, scope, prefix, .. } = entry;
        self.entered += 1;
        let above = parent.and_then(|parent| self.frames.get(parent));
        let depth = above.map_or(0, |frame| frame.depth + 1);
        let retryable = above.is_some_and(|frame| {
            frame.retryable || matches!(&frame.task.kind, Kind::Try(attempt) if attempt.retry.is_some())
        });
        let plain = above.is_some_and(Frame::extends);
        let trail = above.and_then(|frame| match frame.state {
            State::Sequence(_) => frame.trail.clone(),
            _ => None,
        });
        if let Some(limit) = self.over_limit(depth) {
            let problem = Problem::runtime(limit).with_code(code::run::LIMIT).at(&*task.pointer);
            self.queue.push_back(Work::Failed { parent, slot, problem: Box::new(problem) });
            return;
        }
        let id = self.next_id(prefix.as_ref(), &task.pointer);
        let step = StepRef { id, name: task.name.clone(), kind: task.word };
        let trail = (parent.is_none() || trail.is_some()).then(|| {
            Arc::new(Trail {
                parent: trail,
                task: task.clone(),
                step: step.clone(),
                slot,
                raw: input.clone(),
                context: self.context.clone(),
                compensations: self.compensations.len(),
            })
        });
        if let Some(trail) = &trail {
            self.remember(trail.clone());
        }
        let frame = Frame {
            parent,
            slot,
            depth,
            task,
            step: step.clone(),
            prefix,
            raw: input.clone(),
            input,
            scope,
            began: self.now,
            timed: false,
            retryable,
            plain,
            trail,
            state: State::Starting,
            children: BTreeSet::new(),
        };
        let id = self.frames.insert(frame);
        self.active.insert(step.id, id);
        if parent.is_none() {
            self.root = Some(id);
        }
        self.begin(id);
    }

    pub(super) fn over_limit(&self, depth: usize) -> Option<&'static str> {
        if self.entered > limits::RUN_TASKS {
            Some("the run has entered more tasks than the limit allows")
        } else if depth > limits::RUN_DEPTH {
            Some("tasks and functions are nested deeper than the limit allows")
        } else if self.frames.len() > limits::RUN_FRAMES {
            Some("more branches run at once than the limit allows")
        } else {
            None
        }
    }

    /// The condition, the input, the timeout; then the task itself.
    pub(super) fn begin(&mut self, id: FrameId) {
        let Some(frame) = self.frames.get(id) else { return };
        let task = frame.task.clone();
        if let Some(condition) = &task.condition {
            match self.holds_on(id, condition, &frame.raw, &frame.scope) {
                Ok(true) => {}
                Ok(false) => return self.skip(id),
                Err(problem) => return self.fail(id, problem),
            }
        }
        let input = match self.take_input(id) {
            Ok(input) => input,
            Err(problem) => return self.fail(id, problem),
        };
        if let Some(frame) = self.frames.get_mut(id) {
            frame.input = input;
        }
        if let Some(timeout) = &task.timeout {
            match self.span(id, timeout) {
                Ok(after) => self.set_timer(id, TIMEOUT.to_owned(), Due::After(after), TimerPurpose::Timeout),
                Err(problem) => return self.fail(id, problem),
            }
            if let Some(frame) = self.frames.get_mut(id) {
                frame.timed = true;
            }
        }
        if let Err(problem) = self.start(id, &task) {
            self.fail(id, problem);
        }
    }

    fn start(&mut self, id: FrameId, task: &Arc<Task>) -> Result<(), Problem> {
        match &task.kind {
            Kind::Do(block) => self.start_sequence(id, block),
            Kind::Set(set) => {
                let result = self.fill(id, set).map(Arc::unwrap_or_clone);
                self.record(id, result, None);
            }
            Kind::Switch(cases) => self.start_switch(id, task, cases),
            Kind::Raise(error) => {
                let problem = self.raised(id, error);
                self.record(id, Err(problem), None);
            }
            Kind::Wait(span) => {
                let after = self.span(id, span)?;
                self.become_state(id, State::Wait);
                self.set_timer(id, "wait".to_owned(), Due::After(after), TimerPurpose::Wait);
            }
            Kind::For(each) => self.start_for(id, each)?,
            Kind::Fork { branches, .. } => self.start_fork(id, branches),
            Kind::Try(_) => self.start_try(id),
            Kind::Emit(event) => self.start_emit(id, event)?,
            Kind::Listen(listen) => self.start_listen(id, listen),
            Kind::Call(call) => self.start_call(id, call)?,
            Kind::Run(run) => self.start_run(id, run)?,
        }
        Ok(())
    }

    /// A task whose condition does not hold: its input is its output, and its `then` does not count.
    fn skip(&mut self, id: FrameId) {
        if let Some(frame) = self.release(id) {
            let work = Work::Done {
                parent: frame.parent,
                slot: frame.slot,
                output: frame.raw,
                then: Then::Continue,
            };
            self.queue.push_back(work);
        }
    }

    pub(super) fn become_state(&mut self, id: FrameId, state: State) {
        if let Some(frame) = self.frames.get_mut(id) {
            frame.state = state;
        }
    }

    pub(super) fn start_sequence(&mut self, id: FrameId, block: &Arc<Block>) {
        self.become_state(id, State::Sequence(block.clone()));
        let Some(frame) = self.frames.get(id) else { return };
        let input = frame.input.clone();
        self.enter_at(id, block, 0, input, None);
    }

    /// Begins the task at `index` of a list, or says that the list is done. `scope` replaces the frame's own.
    pub(super) fn enter_at(
        &mut self,
        id: FrameId,
        block: &Arc<Block>,
        index: usize,
        input: Arc<Value>,
        scope: Option<Scope>,
    ) {
        let Some(frame) = self.frames.get(id) else { return };
        match block.tasks.get(index) {
            Some(task) => self.queue.push_back(Work::Enter(Entry {
                parent: Some(id),
                slot: index,
                task: task.clone(),
                input,
                scope: scope.unwrap_or_else(|| frame.scope.clone()),
                prefix: frame.prefix.clone(),
                extension: 0,
            })),
            None => self.block_done(id, input, Then::Continue),
        }
    }

    /// Asks for a result to be recorded.
    pub(super) fn record(
        &mut self,
        id: FrameId,
        result: Result<Value, Problem>,
        kept: Option<(Arc<Value>, Then)>,
    ) {
        let Some(frame) = self.frames.get_mut(id) else { return };
        frame.state = State::Record { kept };
        let result = result.map_err(|problem| problem.at(&*frame.task.pointer));
        self.pending.push(Step::Record { step: frame.step.clone(), result });
    }

    pub(super) fn set_timer(&mut self, id: FrameId, name: String, due: Due, purpose: TimerPurpose) {
        if let Some(frame) = self.frames.get(id) {
            self.pending.push(Step::Timer { step: frame.step.clone(), name, due, purpose });
        }
    }

    pub(super) fn cancel_timer(&mut self, step: &StepId, name: &str) {
        if !self.pending.remove(Answer::Timer, step, name) {
            self.pending.push(Step::CancelTimer { step: step.clone(), name: name.to_owned() });
        }
    }

    /// A frame has its raw output: transform it, export, end the frame, go on.
    pub(super) fn finish(&mut self, id: FrameId, raw: Arc<Value>, then: Then) {
        let Some(frame) = self.frames.get(id) else { return };
        let task = frame.task.clone();
        if matches!(frame.state, State::Compensation(_)) {
            return self.compensated(id, Ok(()));
        }
        let output = match self.give_output(id, raw, &task.output, &frame.scope) {
            Ok(output) => output,
            Err(problem) => return self.fail(id, problem),
        };
        match self.export(id, &output, &task.export, &frame.scope) {
            Ok(None) => {}
            Ok(Some(context)) => self.context = context,
            Err(problem) => return self.fail(id, problem),
        }
        let Some(frame) = self.release(id) else { return };
        if let Some(block) = &task.notes.compensate
            && self.phase == Phase::Running
            && self.compensations.len() < limits::RUN_COMPENSATIONS
        {
            self.compensations.push(Compensation {
                task: task.clone(),
                block: block.clone(),
                step: frame.step.id.clone(),
                input: output.clone(),
                scope: frame.scope.clone(),
            });
        }
        self.queue.push_back(Work::Done { parent: frame.parent, slot: frame.slot, output, then });
    }

    /// The output of a frame goes where its task's `then` says.
    pub(super) fn finish_plain(&mut self, id: FrameId, raw: Arc<Value>) {
        let then = self.frames.get(id).map_or(Then::Continue, |frame| frame.task.then);
        self.finish(id, raw, then);
    }

    /// A frame has failed: end it and tell its parent.
    pub(super) fn fail(&mut self, id: FrameId, problem: Problem) {
        self.stop_children(id);
        let compensating = self.frames.get(id).is_some_and(|f| matches!(f.state, State::Compensation(_)));
        if compensating {
            return self.compensated(id, Err(problem));
        }
        let Some(frame) = self.release(id) else { return };
        if self.failed_at.is_none() {
            self.failed_at.clone_from(&frame.trail);
        }
        let problem = Box::new(problem.at(&*frame.task.pointer));
        self.queue.push_back(Work::Failed { parent: frame.parent, slot: frame.slot, problem });
    }

    /// Takes a frame out, and its timers with it.
    pub(super) fn release(&mut self, id: FrameId) -> Option<Box<Frame>> {
        let frame = self.frames.remove(id)?;
        if self.active.get(&frame.step.id) == Some(&id) {
            self.active.remove(&frame.step.id);
        }
        if frame.timed {
            self.cancel_timer(&frame.step.id, TIMEOUT);
        }
        match &frame.state {
            State::Try(trying) => self.release_try(&frame, trying),
            State::Listen(listening) => self.unlisten(&frame.step.id, listening.started),
            _ => {}
        }
        Some(frame)
    }

    /// Ends everything below a frame.
    pub(super) fn stop_children(&mut self, id: FrameId) {
        let children: Vec<FrameId> =
            self.frames.get(id).map(|frame| frame.children.iter().copied().collect()).unwrap_or_default();
        for child in children {
            self.stop(child, "given up by the task around it");
        }
    }

    /// Ends a frame and everything below it, and takes back what is under way.
    pub(super) fn stop(&mut self, id: FrameId, reason: &str) {
        let mut order = vec![id];
        let mut next = 0;
        while let Some(current) = order.get(next).copied() {
            next += 1;
            order.extend(
                self.frames.get(current).into_iter().flat_map(|frame| frame.children.iter().copied()),
            );
        }
        for current in order.into_iter().rev() {
            self.give_up(current, reason);
            let _frame = self.release(current);
        }
    }

    /// Takes back what a frame has under way.
    pub(super) fn give_up(&mut self, id: FrameId, reason: &str) {
        let Some(frame) = self.frames.get(id) else { return };
        let step = frame.step.id.clone();
        match &frame.state {
            State::Record { .. } => {
                self.pending.remove(Answer::Record, &step, "");
            }
            State::Perform { .. } => {
                self.pending.remove(Answer::Perform, &step, "");
                self.pending.remove(Answer::Start, &step, "");
                self.pending.push(Step::Abandon { step, reason: reason.to_owned() });
            }
            State::Ask => {
                self.pending.remove(Answer::Ask, &step, "");
                self.pending.push(Step::Abandon { step, reason: reason.to_owned() });
            }
            State::Wait => self.cancel_timer(&step, "wait"),
            _ => {}
        }
    }

    fn child_done(&mut self, parent: Option<FrameId>, slot: usize, output: Arc<Value>, then: Then) {
        let Some(parent) = parent else {
            return self.end(Outcome::Completed { output: Arc::unwrap_or_clone(output) });
        };
        if self.frames.get(parent).is_none() {
            return;
        }
        if then == Then::End && self.phase == Phase::Running {
            return self.end_early(output);
        }
        let Some(frame) = self.frames.get_mut(parent) else { return };
        let task = frame.task.clone();
        match &mut frame.state {
            State::Sequence(block) | State::Compensation(block) => {
                let block = block.clone();
                self.advance(parent, &block, slot, output, then, None);
            }
            State::For { .. } => self.for_next(parent, &task, slot, output, then),
            State::Fork { .. } => self.branch_done(parent, &task, slot, output),
            State::Try(trying) => {
                let handling = trying.phase == super::frame::TryPhase::Handling;
                self.try_next(parent, &task, handling, slot, output, then);
            }
            State::Listen(_) => self.each_next(parent, &task, slot, output, then),
            State::Function => self.finish_plain(parent, output),
            State::Extended(_) => self.extended_next(parent, slot, output, then),
            _ => {}
        }
    }

    /// Goes on in a list after the task at `slot`.
    pub(super) fn advance(
        &mut self,
        id: FrameId,
        block: &Arc<Block>,
        slot: usize,
        output: Arc<Value>,
        then: Then,
        scope: Option<Scope>,
    ) {
        let next = match then {
            Then::Continue => slot + 1,
            Then::Task(target) => target,
            Then::Exit | Then::End => return self.block_done(id, output, then),
        };
        self.enter_at(id, block, next, output, scope);
    }

    /// A list is done.
    fn block_done(&mut self, id: FrameId, output: Arc<Value>, then: Then) {
        let Some(frame) = self.frames.get(id) else { return };
        let task = frame.task.clone();
        match &frame.state {
            State::Sequence(_) | State::Compensation(_) | State::Try(_) => self.finish_plain(id, output),
            State::For { .. } => self.for_iteration_done(id, &task, output, then),
            State::Listen(_) => self.each_done(id, &task, &output),
            State::Extended(_) => self.extended_block_done(id, output, then),
            _ => {}
        }
    }

    fn child_failed(&mut self, parent: Option<FrameId>, _slot: usize, problem: Problem) {
        let Some(parent) = parent else {
            return self.end(Outcome::Faulted { problem });
        };
        let Some(frame) = self.frames.get(parent) else { return };
        if matches!(frame.state, State::Try(_)) {
            self.caught(parent, problem);
        } else {
            self.fail(parent, problem);
        }
    }

    /// `then: end`: everything else stops, and the output becomes the workflow's.
    fn end_early(&mut self, output: Arc<Value>) {
        self.queue.clear();
        let Some(root) = self.root else { return };
        self.stop_children(root);
        self.finish(root, output, Then::Continue);
    }
}

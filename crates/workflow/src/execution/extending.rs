//! `use.extensions`: tasks before and after tasks of a kind.
//!
//! The tasks before begin with the task's input, and what they give is its input; the tasks after begin with its
//! output, and what they give is its output. `exit` among the tasks before leaves the extended task out. Tasks of an
//! extension are not extended themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Problem, StepId, StepRef};
use serde_json::Value;

use super::Execution;
use super::frame::{Entry, Extended, Frame, FrameId, Stage, State, Work};
use crate::document::{Extension, Then};

impl Frame {
    /// Whether what is inside of this frame belongs to an extension.
    pub(super) fn extends(&self) -> bool {
        let around = matches!(&self.state, State::Extended(extended) if extended.stage != Stage::Task);
        self.plain || around
    }
}

impl Execution {
    /// Puts the first extension that applies around a task. Whether there was one.
    pub(super) fn extend(&mut self, entry: &Entry) -> bool {
        let Some(parent) = entry.parent else { return false };
        let Some(above) = self.frames.get(parent) else { return false };
        if above.extends() || self.workflow.uses.extensions.len() <= entry.extension {
            return false;
        }
        let depth = above.depth + 1;
        if self.over_limit(depth).is_some() {
            return false;
        }
        let retryable = above.retryable;
        let id = StepId::new(format!("{}/extended", entry.task.pointer));
        let frame = Frame {
            parent: Some(parent),
            slot: entry.slot,
            depth,
            task: entry.task.clone(),
            step: StepRef { id, name: entry.task.name.clone(), kind: "extension" },
            prefix: entry.prefix.clone(),
            raw: entry.input.clone(),
            input: entry.input.clone(),
            scope: entry.scope.clone(),
            began: self.now,
            timed: false,
            retryable,
            plain: false,
            trail: None,
            state: State::Starting,
            children: BTreeSet::new(),
        };
        let id = self.frames.insert(frame);
        match self.applicable(id, entry) {
            Ok(Some(index)) => self.start_extension(id, index),
            Ok(None) => {
                let _unused = self.frames.remove(id);
                return false;
            }
            Err(problem) => self.fail(id, problem),
        }
        true
    }

    /// The first extension for a task whose condition holds, and whose task is not skipped anyway.
    fn applicable(&self, id: FrameId, entry: &Entry) -> Result<Option<usize>, Problem> {
        let skipped = match &entry.task.condition {
            None => false,
            Some(condition) => !self.holds_on(id, condition, &entry.input, &entry.scope)?,
        };
        if skipped {
            return Ok(None);
        }
        for (index, extension) in self.workflow.uses.extensions.iter().enumerate().skip(entry.extension) {
            let holds = match &extension.when {
                _ if !extension.is_for(&entry.task) => false,
                None => true,
                Some(when) => self.holds_on(id, when, &entry.input, &entry.scope)?,
            };
            if holds {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn start_extension(&mut self, id: FrameId, index: usize) {
        let extended = Extended { index, stage: Stage::Before, then: Then::Continue };
        self.become_state(id, State::Extended(Box::new(extended)));
        let Some(input) = self.frames.get(id).map(|frame| frame.input.clone()) else { return };
        match self.extension(id).and_then(|extension| extension.before.clone()) {
            Some(before) => self.enter_at(id, &before, 0, input, None),
            None => self.enter_extended(id, input),
        }
    }

    fn extended(&mut self, id: FrameId) -> Option<&mut Extended> {
        match &mut self.frames.get_mut(id)?.state {
            State::Extended(extended) => Some(extended),
            _ => None,
        }
    }

    fn extension(&mut self, id: FrameId) -> Option<Arc<Extension>> {
        let index = self.extended(id)?.index;
        self.workflow.uses.extensions.get(index).cloned()
    }

    /// Begins the task itself.
    fn enter_extended(&mut self, id: FrameId, input: Arc<Value>) {
        let Some(extended) = self.extended(id) else { return };
        extended.stage = Stage::Task;
        let extension = extended.index + 1;
        let Some(frame) = self.frames.get(id) else { return };
        self.queue.push_back(Work::Enter(Entry {
            parent: Some(id),
            slot: 0,
            task: frame.task.clone(),
            input,
            scope: frame.scope.clone(),
            prefix: frame.prefix.clone(),
            extension,
        }));
    }

    /// A task of the extension, or the extended task, is done.
    pub(super) fn extended_next(&mut self, id: FrameId, slot: usize, output: Arc<Value>, then: Then) {
        let Some(extension) = self.extension(id) else { return };
        let Some(extended) = self.extended(id) else { return };
        let block = match extended.stage {
            Stage::Before => extension.before.as_ref(),
            Stage::After => extension.after.as_ref(),
            Stage::Task => {
                extended.then = then;
                match &extension.after {
                    None => return self.leave_extension(id, output, then),
                    Some(after) => {
                        extended.stage = Stage::After;
                        return self.enter_at(id, after, 0, output, None);
                    }
                }
            }
        };
        if let Some(block) = block {
            self.advance(id, block, slot, output, then, None);
        }
    }

    /// The tasks before or after are done.
    pub(super) fn extended_block_done(&mut self, id: FrameId, output: Arc<Value>, then: Then) {
        let Some(extended) = self.extended(id) else { return };
        match (extended.stage, then) {
            (Stage::Before, Then::Exit) => {
                let then = self.frames.get(id).map_or(Then::Continue, |frame| frame.task.then);
                self.leave_extension(id, output, then);
            }
            (Stage::Before, _) => self.enter_extended(id, output),
            (Stage::Task | Stage::After, _) => {
                let then = extended.then;
                self.leave_extension(id, output, then);
            }
        }
    }

    fn leave_extension(&mut self, id: FrameId, output: Arc<Value>, then: Then) {
        if let Some(frame) = self.release(id) {
            self.queue.push_back(Work::Done { parent: frame.parent, slot: frame.slot, output, then });
        }
    }
}

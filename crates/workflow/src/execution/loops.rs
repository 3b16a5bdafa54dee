//! `for` and `fork`.

use std::sync::Arc;

use model::Problem;
use serde_json::Value;

use super::Execution;
use super::frame::{Entry, FrameId, Scope, State, Work};
use crate::document::{Block, For, Kind, Task, Then};

impl Execution {
    pub(super) fn start_for(&mut self, id: FrameId, each: &For) -> Result<(), Problem> {
        let items = match self.evaluate(id, &each.items)? {
            items @ Value::Array(_) => items,
            Value::Null => Value::Array(Vec::new()),
            other => {
                let kind = match other {
                    Value::Object(_) => "an object",
                    Value::String(_) => "a text",
                    Value::Number(_) => "a number",
                    _ => "a boolean",
                };
                let message = format!("`for` needs a list, `{}` gives {kind}", each.items.source());
                return Err(Problem::expression(message));
            }
        };
        self.become_state(id, State::For { items: Arc::new(items), index: 0 });
        let Some(frame) = self.frames.get(id) else { return Ok(()) };
        let data = frame.input.clone();
        self.for_iteration(id, each, data);
        Ok(())
    }

    /// Begins the iteration at the frame's index, or ends the loop. `data` is the output so far.
    fn for_iteration(&mut self, id: FrameId, each: &For, data: Arc<Value>) {
        let Some(scope) = self.for_scope(id, each) else { return self.finish_plain(id, data) };
        if let Some(condition) = &each.condition {
            match self.holds_on(id, condition, &data, &scope) {
                Ok(true) => {}
                Ok(false) => return self.finish_plain(id, data),
                Err(problem) => return self.fail(id, problem),
            }
        }
        self.enter_at(id, &each.body, 0, data, Some(scope));
    }

    /// The variables of the current iteration; `None` past the last.
    fn for_scope(&self, id: FrameId, each: &For) -> Option<Scope> {
        let frame = self.frames.get(id)?;
        let State::For { items, index } = &frame.state else { return None };
        let item = items.get(*index)?;
        let scope = frame.scope.with(&each.each, Arc::new(item.clone()));
        Some(scope.with(&each.at, Arc::new(Value::from(*index))))
    }

    pub(super) fn for_next(
        &mut self,
        id: FrameId,
        task: &Arc<Task>,
        slot: usize,
        output: Arc<Value>,
        then: Then,
    ) {
        let Kind::For(each) = &task.kind else { return };
        let scope = self.for_scope(id, each);
        self.advance(id, &each.body, slot, output, then, scope);
    }

    /// An iteration is done; `exit` leaves the loop.
    pub(super) fn for_iteration_done(
        &mut self,
        id: FrameId,
        task: &Arc<Task>,
        output: Arc<Value>,
        then: Then,
    ) {
        let Kind::For(each) = &task.kind else { return };
        if then == Then::Exit || each.body.tasks.is_empty() {
            return self.finish_plain(id, output);
        }
        if let Some(frame) = self.frames.get_mut(id)
            && let State::For { index, .. } = &mut frame.state
        {
            *index += 1;
        }
        self.for_iteration(id, each, output);
    }

    pub(super) fn start_fork(&mut self, id: FrameId, branches: &Arc<Block>) {
        let open = branches.tasks.len();
        self.become_state(id, State::Fork { results: vec![None; open], open });
        let Some(frame) = self.frames.get(id) else { return };
        if open == 0 {
            return self.finish_plain(id, Arc::new(Value::Array(Vec::new())));
        }
        let entries: Vec<Entry> = branches
            .tasks
            .iter()
            .enumerate()
            .map(|(slot, task)| Entry {
                parent: Some(id),
                slot,
                task: task.clone(),
                input: frame.input.clone(),
                scope: frame.scope.clone(),
                prefix: frame.prefix.clone(),
                extension: 0,
            })
            .collect();
        self.queue.extend(entries.into_iter().map(Work::Enter));
    }

    /// A branch is done: the first wins a competition, otherwise all are waited for and their outputs listed.
    pub(super) fn branch_done(&mut self, id: FrameId, task: &Arc<Task>, slot: usize, output: Arc<Value>) {
        let Kind::Fork { compete, .. } = &task.kind else { return };
        if *compete {
            self.stop_children(id);
            return self.finish_plain(id, output);
        }
        let Some(frame) = self.frames.get_mut(id) else { return };
        let State::Fork { results, open } = &mut frame.state else { return };
        results[slot] = Some(output);
        *open -= 1;
        if *open == 0 {
            let outputs = std::mem::take(results).into_iter().flatten().map(Arc::unwrap_or_clone).collect();
            self.finish_plain(id, Arc::new(Value::Array(outputs)));
        }
    }
}

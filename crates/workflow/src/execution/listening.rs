//! `listen`: which events are consumed, when it is enough, what is done with each.

use std::sync::Arc;

use model::{CloudEvent, Problem, Step, StepId, code};
use serde_json::Value;

use super::Execution;
use super::frame::{FrameId, Listening, State};
use super::pending::Answer;
use crate::document::{Filter, Kind, Listen, Read, Strategy, Task, Then, Until};
use crate::expression::Template;
use crate::limits;

impl Execution {
    pub(super) fn start_listen(&mut self, id: FrameId, listen: &Listen) {
        let count = |strategy: &Strategy| match strategy {
            Strategy::All(filters) => filters.len(),
            _ => 0,
        };
        let until = match &*listen.to {
            Strategy::Any { until: Some(Until::Consumed(until)), .. } => count(until),
            _ => 0,
        };
        let listening = Listening {
            matched: vec![false; count(&listen.to)],
            until_matched: vec![false; until],
            ..Listening::default()
        };
        self.become_state(id, State::Listen(Box::new(listening)));
        let Some(frame) = self.frames.get(id) else { return };
        self.pending.push(Step::Listen { step: frame.step.clone() });
        if matches!(&*listen.to, Strategy::All(filters) if filters.is_empty()) {
            return self.enough(id);
        }
        // Signals sent before anybody listened.
        let mut waiting = std::mem::take(&mut self.mailbox);
        waiting.retain(|event| !self.offer(id, event));
        self.mailbox = waiting;
    }

    fn listening(&mut self, id: FrameId) -> Option<&mut Listening> {
        match &mut self.frames.get_mut(id)?.state {
            State::Listen(listening) => Some(listening),
            _ => None,
        }
    }

    pub(super) fn unlisten(&mut self, step: &StepId, started: bool) {
        let asked = self.pending.remove(Answer::Listen, step, "");
        if started && !asked {
            self.pending.push(Step::Unlisten { step: step.clone() });
        }
    }

    pub(super) fn listen_started(&mut self, id: FrameId) {
        if let Some(listening) = self.listening(id) {
            listening.started = true;
        }
    }

    /// Whether a listening frame would consume the event.
    pub(super) fn would_consume(&self, id: FrameId, event: &CloudEvent) -> bool {
        let Some(frame) = self.frames.get(id) else { return false };
        let (State::Listen(listening), Kind::Listen(listen)) = (&frame.state, &frame.task.kind) else {
            return false;
        };
        if listening.complete {
            return false;
        }
        let Ok(event) = serde_json::to_value(event) else { return false };
        let stops = match &*listen.to {
            Strategy::Any { until: Some(Until::Consumed(until)), .. } => {
                self.matching(id, until, &event, &listening.until_matched).is_some()
            }
            _ => false,
        };
        stops || self.matching(id, &listen.to, &event, &listening.matched).is_some()
    }

    /// Gives an event to a listening frame. Whether it was consumed.
    pub(super) fn offer(&mut self, id: FrameId, event: &CloudEvent) -> bool {
        if !self.would_consume(id, event) {
            return false;
        }
        let Some(frame) = self.frames.get(id) else { return false };
        let task = frame.task.clone();
        let (State::Listen(listening), Kind::Listen(listen)) = (&frame.state, &task.kind) else {
            return false;
        };
        let Ok(value) = serde_json::to_value(event) else { return false };
        if let Strategy::Any { until: Some(Until::Consumed(until)), .. } = &*listen.to
            && let Some(index) = self.matching(id, until, &value, &listening.until_matched)
        {
            self.until_consumed(id, until, index);
            return true;
        }
        let Some(index) = self.matching(id, &listen.to, &value, &listening.matched) else { return false };
        self.expect(id, &listen.to, index, &value);
        let read = match listen.read {
            Read::Data => event.data.clone().unwrap_or(Value::Null),
            Read::Envelope => value,
        };
        if let Err(problem) = self.take_event(id, listen, index, read) {
            self.fail(id, problem);
        }
        true
    }

    fn until_consumed(&mut self, id: FrameId, until: &Strategy, index: usize) {
        let Some(listening) = self.listening(id) else { return };
        if let Some(matched) = listening.until_matched.get_mut(index) {
            *matched = true;
        }
        if !matches!(until, Strategy::All(_)) || listening.until_matched.iter().all(|matched| *matched) {
            self.enough(id);
        }
    }

    fn take_event(&mut self, id: FrameId, listen: &Listen, index: usize, read: Value) -> Result<(), Problem> {
        let Some(listening) = self.listening(id) else { return Ok(()) };
        if listening.consumed.len() >= limits::LISTEN_EVENTS {
            let problem = Problem::runtime("the task has consumed more events than the limit allows");
            return Err(problem.with_code(code::run::LIMIT));
        }
        if let Some(matched) = listening.matched.get_mut(index) {
            *matched = true;
        }
        listening.consumed.push(read.clone());
        if listen.each.is_some() {
            listening.queue.push_back(read);
        }
        let complete = match &*listen.to {
            Strategy::One(_) | Strategy::Any { until: None, .. } => true,
            Strategy::All(_) => listening.matched.iter().all(|matched| *matched),
            Strategy::Any { until: Some(Until::Consumed(_)), .. } => false,
            Strategy::Any { until: Some(Until::Condition(condition)), .. } => {
                let consumed = Value::Array(listening.consumed.clone());
                let Some(frame) = self.frames.get(id) else { return Ok(()) };
                self.holds_on(id, condition, &consumed, &frame.scope)?
            }
        };
        if complete {
            self.enough(id);
        } else {
            self.each(id);
        }
        Ok(())
    }

    /// No more events are wanted.
    fn enough(&mut self, id: FrameId) {
        let Some(listening) = self.listening(id) else { return };
        listening.complete = true;
        let started = std::mem::take(&mut listening.started);
        if let Some(step) = self.frames.get(id).map(|frame| frame.step.id.clone()) {
            self.unlisten(&step, started);
        }
        self.each(id);
    }

    /// Begins the next item of `foreach`, or ends the task when nothing is left to do.
    fn each(&mut self, id: FrameId) {
        let Some(frame) = self.frames.get(id) else { return };
        let (task, input, outer) = (frame.task.clone(), frame.input.clone(), frame.scope.clone());
        let Kind::Listen(Listen { each, .. }) = &task.kind else { return };
        let Some(listening) = self.listening(id) else { return };
        if listening.current.is_some() {
            return;
        }
        let Some(item) = listening.queue.pop_front() else {
            if listening.complete {
                let output = if each.is_some() { &mut listening.outputs } else { &mut listening.consumed };
                let output = Value::Array(std::mem::take(output));
                self.finish_plain(id, Arc::new(output));
            }
            return;
        };
        let Some(each) = each else { return };
        let item = Arc::new(item);
        let index = Arc::new(Value::from(listening.index));
        let scope = outer.with(&each.item, item.clone()).with(&each.at, index);
        listening.current = Some(scope.clone());
        match &each.body {
            Some(body) if !body.tasks.is_empty() => self.enter_at(id, body, 0, input, Some(scope)),
            _ => self.each_done(id, &task, &item),
        }
    }

    pub(super) fn each_next(
        &mut self,
        id: FrameId,
        task: &Arc<Task>,
        slot: usize,
        output: Arc<Value>,
        then: Then,
    ) {
        let Kind::Listen(Listen { each: Some(each), .. }) = &task.kind else { return };
        let Some(body) = &each.body else { return };
        let scope = self.listening(id).and_then(|listening| listening.current.clone());
        self.advance(id, body, slot, output, then, scope);
    }

    /// An item of `foreach` is done.
    pub(super) fn each_done(&mut self, id: FrameId, task: &Arc<Task>, output: &Arc<Value>) {
        let Kind::Listen(Listen { each: Some(each), .. }) = &task.kind else { return };
        let scope = self.listening(id).and_then(|listening| listening.current.take()).unwrap_or_default();
        let output = match self.give_output(id, output.clone(), &each.output, &scope) {
            Ok(output) => output,
            Err(problem) => return self.fail(id, problem),
        };
        match self.export(id, &output, &each.export, &scope) {
            Ok(None) => {}
            Ok(Some(context)) => self.context = context,
            Err(problem) => return self.fail(id, problem),
        }
        if let Some(listening) = self.listening(id) {
            listening.outputs.push(Arc::unwrap_or_clone(output));
            listening.index += 1;
        }
        self.each(id);
    }

    /// Which filter of a strategy an event is for. `taken` are the filters of `all` that have had theirs.
    fn matching(&self, id: FrameId, strategy: &Strategy, event: &Value, taken: &[bool]) -> Option<usize> {
        match strategy {
            Strategy::One(filter) => self.accepts(id, filter, event).then_some(0),
            Strategy::Any { filters, .. } if filters.is_empty() => Some(0),
            Strategy::Any { filters, .. } => {
                filters.iter().position(|filter| self.accepts(id, filter, event))
            }
            Strategy::All(filters) => filters
                .iter()
                .enumerate()
                .find(|(index, filter)| {
                    !taken.get(*index).copied().unwrap_or(false) && self.accepts(id, filter, event)
                })
                .map(|(index, _)| index),
        }
    }

    /// Whether an event passes a filter. An expression that fails on it does not pass it: an odd event is no
    /// reason for a workflow to fail.
    fn accepts(&self, id: FrameId, filter: &Filter, event: &Value) -> bool {
        let Some(frame) = self.frames.get(id) else { return false };
        let State::Listen(listening) = &frame.state else { return false };
        filter.with.iter().all(|(name, wanted)| self.attribute(id, name, wanted, event))
            && filter.correlate.iter().all(|link| {
                let Ok(value) = self.evaluate_on(id, &link.from, event, &frame.scope) else { return false };
                let expected = match &link.expect {
                    Some(expect) => self.fill(id, expect).ok().map(|value| Value::clone(&value)),
                    None => listening.expected.get(&link.key).cloned(),
                };
                !value.is_null() && expected.is_none_or(|expected| same(&expected, &value))
            })
    }

    fn attribute(&self, id: FrameId, name: &str, wanted: &Template, event: &Value) -> bool {
        let Some(frame) = self.frames.get(id) else { return false };
        let actual = event.get(name).unwrap_or(&Value::Null);
        if let Template::Expression(expression) = wanted {
            let seen = if name == "data" { actual } else { event };
            if let Ok(Value::Bool(holds)) = self.evaluate_on(id, expression, seen, &frame.scope) {
                return holds;
            }
        }
        self.fill(id, wanted).is_ok_and(|wanted| same(&wanted, actual))
    }

    /// Correlations without an expectation expect what the first event had.
    fn expect(&mut self, id: FrameId, strategy: &Strategy, index: usize, event: &Value) {
        let filter = match strategy {
            Strategy::One(filter) => Some(filter),
            Strategy::All(filters) | Strategy::Any { filters, .. } => filters.get(index),
        };
        let scope = self.frames.get(id).map(|frame| frame.scope.clone()).unwrap_or_default();
        for link in filter.into_iter().flat_map(|filter| &filter.correlate) {
            if link.expect.is_some() {
                continue;
            }
            if let Ok(value) = self.evaluate_on(id, &link.from, event, &scope)
                && let Some(listening) = self.listening(id)
            {
                listening.expected.entry(link.key.clone()).or_insert(value);
            }
        }
    }
}

/// Equal, or equal as text: attributes of events are texts where a document may have numbers.
fn same(wanted: &Value, actual: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    wanted == actual || (text(wanted).is_some() && text(wanted) == text(actual))
}

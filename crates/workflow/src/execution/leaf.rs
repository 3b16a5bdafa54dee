//! `switch`, `raise` and `emit`.

use std::sync::Arc;

use model::Problem;
use serde_json::{Map, Value, json};

use super::Execution;
use super::frame::FrameId;
use crate::action_input as kinds;
use crate::document::{Case, Task};
use crate::expression::Template;

impl Execution {
    /// The first case that holds; none: on with the task's own `then`. The record says which, the data stays.
    pub(super) fn start_switch(&mut self, id: FrameId, task: &Arc<Task>, cases: &[Case]) {
        let Some(frame) = self.frames.get(id) else { return };
        let input = frame.input.clone();
        let mut chosen = (Value::Null, task.then);
        for case in cases {
            let holds = match &case.when {
                None => Ok(true),
                Some(when) => self.holds_on(id, when, &input, &frame.scope),
            };
            match holds {
                Ok(false) => {}
                Ok(true) => {
                    chosen = (Value::String(case.name.to_string()), case.then);
                    break;
                }
                Err(problem) => return self.record(id, Err(problem), None),
            }
        }
        let (name, then) = chosen;
        self.record(id, Ok(json!({"case": name})), Some((input, then)));
    }

    /// The problem that a `raise` describes.
    pub(super) fn raised(&self, id: FrameId, error: &Template) -> Problem {
        let value = match self.fill(id, error) {
            Ok(value) => value,
            Err(problem) => return problem,
        };
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let status =
            value.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        match (text("type"), status) {
            (Some(kind), Some(status)) => Problem {
                kind,
                status,
                title: text("title"),
                detail: text("detail"),
                instance: text("instance"),
                code: None,
                retry_after_ms: None,
            },
            _ => Problem::configuration(
                "an error to raise needs a `type` that is a text and a `status` that is a number",
            ),
        }
    }

    pub(super) fn start_emit(&mut self, id: FrameId, event: &Template) -> Result<(), Problem> {
        let attributes = self.fill(id, event)?;
        let Some(frame) = self.frames.get(id) else { return Ok(()) };
        let mut event = Map::new();
        event.insert("specversion".to_owned(), "1.0".into());
        // The same on every replay and every attempt, so that whoever receives it twice can tell.
        let unique = super::hash(&format!("{}{}", self.facts.run, frame.step.id));
        event.insert("id".to_owned(), unique[..32].into());
        event.insert("time".to_owned(), self.now.to_string().into());
        for (name, value) in attributes.as_object().into_iter().flatten() {
            if !value.is_null() {
                event.insert(name.clone(), value.clone());
            }
        }
        if event.contains_key("data") && !event.contains_key("datacontenttype") {
            event.insert("datacontenttype".to_owned(), "application/json".into());
        }
        let Some(kind) = event.get("type").and_then(Value::as_str).map(str::to_owned) else {
            return Err(Problem::configuration("the `type` of an event must be a text"));
        };
        if !event.get("source").is_some_and(Value::is_string) {
            return Err(Problem::configuration("the `source` of an event must be a text"));
        }
        let effect = super::effects::Effect {
            kind: kinds::EVENT_EMIT.to_owned(),
            target: kind,
            class: model::EffectClass::Idempotent,
            wants: "event:emit".to_owned(),
            input: Value::Object(event),
        };
        self.perform(id, effect);
        Ok(())
    }
}

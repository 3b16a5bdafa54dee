//! `call` and `run`: from a task to a fully evaluated [`Action`].

use std::sync::Arc;

use model::{Action, Capability, EffectClass, Problem, Reversibility, Step};
use serde_json::{Map, Value, json};

use super::Execution;
use super::frame::{Entry, FrameId, Scope, State, Work};
use crate::action_input as kinds;
use crate::document::{Call, Endpoint, Http, OpenApi, Process, Resource, Run, Span, Uri};
use crate::expression::Template;

/// What an action is made from.
pub(super) struct Effect {
    pub(super) kind: String,
    pub(super) target: String,
    pub(super) class: EffectClass,
    pub(super) wants: String,
    pub(super) input: Value,
}

impl Execution {
    pub(super) fn start_call(&mut self, id: FrameId, call: &Call) -> Result<(), Problem> {
        let effect = match call {
            Call::Http(http) => self.http(id, http)?,
            Call::OpenApi(openapi) => self.openapi(id, openapi)?,
            Call::Function { name, with } => return self.start_function(id, name, with),
            Call::Approval(with) => return self.start_approval(id, with),
            Call::Wasm { name, version, with } => {
                let input = self.fill(id, with)?;
                let target =
                    version.as_ref().map_or_else(|| name.to_string(), |version| format!("{name}@{version}"));
                Effect {
                    kind: format!("{}{name}", kinds::WASM_PREFIX),
                    target,
                    class: EffectClass::Idempotent,
                    wants: format!("wasm:{name}"),
                    input: without_nulls(
                        json!({"name": &**name, "version": version.as_deref(), "input": &*input}),
                    ),
                }
            }
            Call::Notify(with) => self.notify(id, with)?,
            Call::Echo(with) => {
                let arguments = self.fill(id, with)?;
                let message = arguments.get("message").cloned().unwrap_or(Value::Null);
                Effect {
                    kind: kinds::ECHO.to_owned(),
                    target: "log".to_owned(),
                    class: EffectClass::Read,
                    wants: String::new(),
                    input: json!({"message": message}),
                }
            }
        };
        self.perform(id, effect);
        Ok(())
    }

    fn start_function(&mut self, id: FrameId, name: &Arc<str>, with: &Template) -> Result<(), Problem> {
        let input = self.fill(id, with)?;
        let Some(task) = self.workflow.uses.functions.get(name).cloned() else {
            return Err(Problem::configuration(format!("the function `{name}` is not known")));
        };
        let Some(frame) = self.frames.get_mut(id) else { return Ok(()) };
        frame.state = State::Function;
        let prefix = Some(Arc::from(frame.step.id.as_str()));
        // A function sees its arguments and nothing of the tasks around the call.
        let entry =
            Entry { parent: Some(id), slot: 0, task, input, scope: Scope::default(), prefix, extension: 0 };
        self.queue.push_back(Work::Enter(entry));
        Ok(())
    }

    fn notify(&mut self, id: FrameId, with: &Template) -> Result<Effect, Problem> {
        let arguments = self.fill(id, with)?;
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        let title =
            text("title").ok_or_else(|| Problem::configuration("`title` of `notify` must be a text"))?;
        let channel = text("channel");
        let body = text("text").or_else(|| text("body"));
        Ok(Effect {
            kind: kinds::NOTIFY_SEND.to_owned(),
            target: channel.unwrap_or("default").to_owned(),
            class: EffectClass::Idempotent,
            wants: format!("notify:{}", channel.unwrap_or("default")),
            input: without_nulls(json!({"channel": channel, "title": title, "text": body})),
        })
    }

    /// Asks the engine to perform an effect.
    pub(super) fn perform(&mut self, id: FrameId, effect: Effect) {
        let Some(frame) = self.frames.get(id) else { return };
        let notes = &frame.task.notes;
        let class = notes.effect.unwrap_or(effect.class);
        let reversibility = notes.reversibility.unwrap_or(match (class, &notes.compensate) {
            (EffectClass::Read, _) => Reversibility::NoChange,
            (_, Some(_)) => Reversibility::Reversible,
            (_, None) => Reversibility::Irreversible,
        });
        let step = frame.step.clone();
        let action = Action {
            kind: effect.kind,
            target: effect.target,
            input: effect.input.into(),
            effect: class,
            reversibility,
            wants: Some(effect.wants).filter(|want| !want.is_empty()).map(Capability).into_iter().collect(),
            idempotency_key: self.idempotency_key(&step.id),
        };
        let attempt = self.count_attempt(id, &step.id);
        let passes_input = action.input.get("await") == Some(&Value::Bool(false));
        self.become_state(id, State::Perform { passes_input });
        self.pending.push(Step::Perform { step, attempt, action: Box::new(action) });
    }

    fn http(&self, id: FrameId, http: &Http) -> Result<Effect, Problem> {
        let method = self.text(id, &http.method, "the method")?.to_ascii_uppercase();
        let uri = self.uri(id, &http.endpoint)?;
        let class = match method.as_str() {
            "GET" | "HEAD" | "OPTIONS" => EffectClass::Read,
            "PUT" | "DELETE" => EffectClass::Idempotent,
            _ => EffectClass::Once,
        };
        let input = without_nulls(json!({
            "method": method,
            "uri": uri,
            "headers": self.object(id, http.headers.as_ref(), "headers")?,
            "query": self.object(id, http.query.as_ref(), "query")?,
            "output": http.output,
            "redirect": http.redirect,
            "authentication": self.authentication(id, http.endpoint.authentication.as_ref())?,
            "timeoutMs": self.timeout_ms(id),
        }));
        let input = with_member(input, "body", self.optional(id, http.body.as_ref())?);
        Ok(Effect {
            kind: kinds::HTTP_CALL.to_owned(),
            target: authority(&uri).to_owned(),
            class,
            wants: format!("http:{}", authority(&uri)),
            input,
        })
    }

    fn openapi(&self, id: FrameId, openapi: &OpenApi) -> Result<Effect, Problem> {
        let document = self.resource(id, &openapi.document)?;
        let operation = self.text(id, &openapi.operation, "the operation id")?;
        let host = document.get("uri").and_then(Value::as_str).map_or("", authority).to_owned();
        Ok(Effect {
            kind: kinds::OPENAPI_CALL.to_owned(),
            target: operation.clone(),
            class: EffectClass::Once,
            wants: format!("http:{host}"),
            input: without_nulls(json!({
                "document": document,
                "operationId": operation,
                "parameters": self.object(id, openapi.parameters.as_ref(), "parameters")?,
                "output": openapi.output,
                "redirect": openapi.redirect,
                "authentication": self.authentication(id, openapi.authentication.as_ref())?,
                "timeoutMs": self.timeout_ms(id),
            })),
        })
    }

    pub(super) fn start_run(&mut self, id: FrameId, run: &Run) -> Result<(), Problem> {
        let (kind, target, input) = match &run.process {
            Process::Workflow { namespace, name, version, input } => {
                return self.start_child(
                    id,
                    format!("{namespace}/{name}"),
                    version.clone(),
                    input.as_ref(),
                    run.wait,
                );
            }
            Process::Shell(spec) => {
                let spec = self.fill(id, spec)?;
                let command = member(&spec, "command")?;
                let first = command.split_whitespace().next().unwrap_or("").to_owned();
                (kinds::RUN_SHELL, first, self.process(&spec, run, id)?)
            }
            Process::Script { spec, source } => {
                let spec = self.fill(id, spec)?;
                let source = source.as_ref().map(|source| self.resource(id, source)).transpose()?;
                let input = with_member(self.process(&spec, run, id)?, "source", source);
                (kinds::RUN_SCRIPT, member(&spec, "language")?.to_owned(), input)
            }
            Process::Container { spec, lifetime } => {
                let spec = self.fill(id, spec)?;
                let lifetime = match lifetime {
                    None => None,
                    Some((cleanup, after)) => {
                        let after = after.as_ref().map(|after| self.span(id, after)).transpose()?;
                        let after = after.and_then(|after| u64::try_from(after.as_millis()).ok());
                        Some(without_nulls(json!({"cleanup": cleanup, "afterMs": after})))
                    }
                };
                let input = with_member(self.process(&spec, run, id)?, "lifetime", lifetime);
                (kinds::RUN_CONTAINER, member(&spec, "image")?.to_owned(), input)
            }
        };
        let wants = kind.replace('.', ":");
        self.perform(id, Effect { kind: kind.to_owned(), target, class: EffectClass::Once, wants, input });
        Ok(())
    }

    /// What all processes share, checked: arguments and standard input are texts.
    fn process(&self, spec: &Value, run: &Run, id: FrameId) -> Result<Value, Problem> {
        let mut input = spec.as_object().cloned().unwrap_or_default();
        if let Some(arguments) = input.get_mut("arguments") {
            let Some(items) = arguments.as_array() else {
                return Err(Problem::configuration("`arguments` of a process must be a list"));
            };
            *arguments = items.iter().map(|item| Value::String(as_text(item))).collect();
        }
        if let Some(stdin) = input.get_mut("stdin") {
            *stdin = Value::String(as_text(stdin));
        }
        input.insert("return".to_owned(), json!(run.returns));
        input.insert("await".to_owned(), Value::Bool(run.wait));
        if let Some(timeout) = self.timeout_ms(id) {
            input.insert("timeoutMs".to_owned(), timeout.into());
        }
        Ok(Value::Object(input))
    }

    fn start_child(
        &mut self,
        id: FrameId,
        workflow: String,
        version: Option<String>,
        input: Option<&Template>,
        wait: bool,
    ) -> Result<(), Problem> {
        let input = match input {
            Some(input) => self.fill(id, input)?,
            None => self.frames.get(id).map(|frame| frame.input.clone()).unwrap_or_default(),
        };
        let Some(frame) = self.frames.get(id) else { return Ok(()) };
        let step = frame.step.clone();
        self.become_state(id, State::Perform { passes_input: !wait });
        let input = Arc::unwrap_or_clone(input);
        self.pending.push(Step::Start { step, workflow, version, input, wait });
        Ok(())
    }

    fn timeout_ms(&self, id: FrameId) -> Option<u64> {
        match &self.frames.get(id)?.task.timeout {
            Some(Span::Fixed(duration)) => u64::try_from(duration.as_millis()).ok(),
            _ => None,
        }
    }

    fn text(&self, id: FrameId, template: &Template, what: &str) -> Result<String, Problem> {
        match &*self.fill(id, template)? {
            Value::String(text) => Ok(text.clone()),
            _ => Err(Problem::expression(format!("{what} must be a text"))),
        }
    }

    fn optional(&self, id: FrameId, template: Option<&Template>) -> Result<Option<Value>, Problem> {
        template.map(|template| self.fill(id, template).map(Arc::unwrap_or_clone)).transpose()
    }

    fn object(&self, id: FrameId, template: Option<&Template>, what: &str) -> Result<Option<Value>, Problem> {
        match self.optional(id, template)? {
            None | Some(Value::Null) => Ok(None),
            Some(object @ Value::Object(_)) => Ok(Some(object)),
            Some(_) => Err(Problem::expression(format!("`{what}` must be an object"))),
        }
    }

    /// Every setting must be a text once evaluated; a number or a missing value is a mistake worth naming.
    fn authentication(&self, id: FrameId, template: Option<&Template>) -> Result<Option<Value>, Problem> {
        let Some(value) = self.optional(id, template)? else { return Ok(None) };
        if serde_json::from_value::<kinds::Authentication>(value.clone()).is_err() {
            return Err(Problem::configuration(
                "the authentication's settings are incomplete or not texts once evaluated",
            ));
        }
        Ok(Some(value))
    }

    fn uri(&self, id: FrameId, endpoint: &Endpoint) -> Result<String, Problem> {
        let Some(frame) = self.frames.get(id) else { return Ok(String::new()) };
        match &endpoint.uri {
            Uri::Template(template) => Ok(template.expand(&frame.input)),
            Uri::Expression(expression) => match self.evaluate(id, expression)? {
                Value::String(uri) => Ok(uri),
                _ => Err(Problem::expression(format!("`{}` gives no URI", expression.source()))),
            },
        }
    }

    fn resource(&self, id: FrameId, resource: &Resource) -> Result<Value, Problem> {
        Ok(without_nulls(json!({
            "name": resource.name,
            "uri": self.uri(id, &resource.endpoint)?,
            "authentication": self.authentication(id, resource.endpoint.authentication.as_ref())?,
        })))
    }
}

/// Host and port of a URI.
fn authority(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn member<'v>(spec: &'v Value, name: &str) -> Result<&'v str, Problem> {
    let text = spec.get(name).and_then(Value::as_str);
    text.ok_or_else(|| Problem::expression(format!("`{name}` must be a text")))
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, member)| !member.is_null()).collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn with_member(mut object: Value, name: &str, member: Option<Value>) -> Value {
    if let (Value::Object(members), Some(member)) = (&mut object, member) {
        members.insert(name.to_owned(), member);
    }
    object
}

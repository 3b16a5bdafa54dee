//! Data flow: variables, expressions, transformations, schemas.

use std::sync::Arc;

use jiff::Timestamp;
use model::Problem;
use serde_json::{Value, json};

use super::Execution;
use super::frame::{Frame, FrameId, Scope};
use crate::document::{Kind, Schema, Span, Transform};
use crate::duration;
use crate::expression::{Expression, Failure, Template, Variables};

/// What an expression in a frame sees.
pub(super) struct View<'e> {
    pub(super) run: &'e Execution,
    pub(super) frame: Option<&'e Frame>,
    pub(super) scope: &'e Scope,
    pub(super) output: Option<&'e Arc<Value>>,
}

impl Variables for View<'_> {
    fn value(&self, name: &str) -> Option<Arc<Value>> {
        if let Some(bound) = self.scope.find(name) {
            return Some(bound.clone());
        }
        match name {
            "context" => Some(self.run.context.clone()),
            "input" => self.frame.map(|frame| frame.input.clone()),
            "output" => self.output.cloned(),
            "secrets" => Some(self.run.secrets()),
            "task" => self.frame.map(|frame| Arc::new(self.task(frame))),
            "workflow" => Some(Arc::new(self.run.descriptor())),
            "authorization" => self.frame.map(authorization),
            "runtime" => Some(Arc::new(json!({
                "name": "aedile", "version": env!("CARGO_PKG_VERSION"), "metadata": {},
            }))),
            _ => None,
        }
    }
}

impl View<'_> {
    /// `$task` of the DSL.
    fn task(&self, frame: &Frame) -> Value {
        json!({
            "name": &*frame.task.name,
            "reference": &*frame.task.pointer,
            "definition": &*frame.task.definition,
            "input": &*frame.input,
            "output": self.output.map(|output| Value::clone(output)),
            "startedAt": moment(frame.began),
        })
    }
}

/// `$authorization` of the DSL, without its parameter: that is the secret, and what expressions give goes into the journal.
fn authorization(frame: &Frame) -> Arc<Value> {
    let scheme = match &frame.task.kind {
        Kind::Call(call) => call.scheme(),
        _ => None,
    };
    Arc::new(scheme.map_or(Value::Null, |scheme| json!({"scheme": scheme, "parameter": null})))
}

/// A moment as the DSL has it.
fn moment(at: Timestamp) -> Value {
    json!({
        "iso8601": at.to_string(),
        "epoch": {"seconds": at.as_second(), "milliseconds": at.as_millisecond()},
    })
}

fn problem(failure: &Failure, source: Option<&Expression>) -> Problem {
    let detail = match source {
        Some(expression) => format!("{failure}, in `{}`", expression.source()),
        None => failure.to_string(),
    };
    Problem::expression(detail)
}

/// jq's truth: all but `null` and `false`.
fn truth(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

impl Execution {
    pub(super) fn secrets(&self) -> Arc<Value> {
        let names = &self.workflow.uses.secrets;
        let secrets =
            names.iter().map(|name| (name.to_string(), model::program::secret_reference(name).into()));
        Arc::new(Value::Object(secrets.collect()))
    }

    /// `$workflow` of the DSL.
    fn descriptor(&self) -> Value {
        json!({
            "id": self.facts.run.to_string(),
            "definition": &*self.workflow.definition,
            "input": &*self.facts.input,
            "startedAt": moment(self.started),
        })
    }

    fn view<'e>(&'e self, frame: Option<&'e Frame>, scope: &'e Scope) -> View<'e> {
        View { run: self, frame, scope, output: None }
    }

    /// Evaluates an expression for a frame, with its input as `.`.
    pub(super) fn evaluate(&self, id: FrameId, expression: &Expression) -> Result<Value, Problem> {
        let Some(frame) = self.frames.get(id) else { return Ok(Value::Null) };
        self.evaluate_on(id, expression, &frame.input, &frame.scope)
    }

    /// Evaluates an expression for a frame on other data and with other variables.
    pub(super) fn evaluate_on(
        &self,
        id: FrameId,
        expression: &Expression,
        input: &Value,
        scope: &Scope,
    ) -> Result<Value, Problem> {
        let view = self.view(self.frames.get(id), scope);
        expression.evaluate(input, &view, self.now).map_err(|failure| problem(&failure, Some(expression)))
    }

    pub(super) fn holds_on(
        &self,
        id: FrameId,
        expression: &Expression,
        input: &Value,
        scope: &Scope,
    ) -> Result<bool, Problem> {
        self.evaluate_on(id, expression, input, scope).map(|value| truth(&value))
    }

    /// Evaluates a value with expressions for a frame, with its input as `.`.
    pub(super) fn fill(&self, id: FrameId, template: &Template) -> Result<Arc<Value>, Problem> {
        let Some(frame) = self.frames.get(id) else { return Ok(Arc::new(Value::Null)) };
        self.fill_on(id, template, &frame.input, &frame.scope)
    }

    pub(super) fn fill_on(
        &self,
        id: FrameId,
        template: &Template,
        input: &Value,
        scope: &Scope,
    ) -> Result<Arc<Value>, Problem> {
        let view = self.view(self.frames.get(id), scope);
        fill(template, input, &view, self.now)
    }

    /// A duration for a frame.
    pub(super) fn span(&self, id: FrameId, span: &Span) -> Result<jiff::SignedDuration, Problem> {
        match span {
            Span::Fixed(duration) => Ok(*duration),
            Span::Computed(expression) => {
                let value = self.evaluate(id, expression)?;
                duration::from_value(&value).ok_or_else(|| {
                    Problem::expression(format!("{value} is no duration, in `{}`", expression.source()))
                })
            }
        }
    }

    /// Validates and transforms the raw input of a frame.
    pub(super) fn take_input(&self, id: FrameId) -> Result<Arc<Value>, Problem> {
        let Some(frame) = self.frames.get(id) else { return Ok(Arc::new(Value::Null)) };
        let Transform { schema, template } = &frame.task.input;
        validate(schema.as_deref(), &frame.raw, "input")?;
        match template {
            None => Ok(frame.raw.clone()),
            Some(template) => self.fill_on(id, template, &frame.raw, &frame.scope),
        }
    }

    /// Transforms and validates the raw output of a frame.
    pub(super) fn give_output(
        &self,
        id: FrameId,
        raw: Arc<Value>,
        Transform { schema, template }: &Transform,
        scope: &Scope,
    ) -> Result<Arc<Value>, Problem> {
        let output = match template {
            None => raw,
            Some(template) => {
                let view = View { run: self, frame: self.frames.get(id), scope, output: Some(&raw) };
                fill(template, &raw, &view, self.now)?
            }
        };
        validate(schema.as_deref(), &output, "output")?;
        Ok(output)
    }

    /// The new context, if the task exports one.
    pub(super) fn export(
        &self,
        id: FrameId,
        output: &Arc<Value>,
        Transform { schema, template }: &Transform,
        scope: &Scope,
    ) -> Result<Option<Arc<Value>>, Problem> {
        let Some(template) = template else { return Ok(None) };
        let view = View { run: self, frame: self.frames.get(id), scope, output: Some(output) };
        let context = fill(template, output, &view, self.now)?;
        validate(schema.as_deref(), &context, "context")?;
        Ok(Some(context))
    }
}

fn fill(
    template: &Template,
    input: &Value,
    variables: &dyn Variables,
    now: Timestamp,
) -> Result<Arc<Value>, Problem> {
    let source = match template {
        Template::Expression(expression) => Some(&**expression),
        _ => None,
    };
    template.evaluate(input, variables, now).map_err(|failure| problem(&failure, source))
}

/// A validation problem if a value does not match its schema. Values are not shown: they may be private.
pub(super) fn validate(schema: Option<&Schema>, value: &Value, what: &str) -> Result<(), Problem> {
    let errors = schema.map(|schema| schema.errors(value)).unwrap_or_default();
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem::validation(format!("the {what} does not match its schema: {}", errors.join("; "))))
}

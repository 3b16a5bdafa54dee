//! Values that hold expressions anywhere inside.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Expression, Failure, Variables};

/// Whether texts in values must be wrapped in `${ }` to be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Only `${ ... }` is an expression.
    #[default]
    Strict,
    /// Any text that compiles as an expression is one.
    Loose,
}

/// The jq inside `${ ... }`, if the whole text is one (schema of the DSL, `runtimeExpression`).
///
/// ```
/// assert_eq!(workflow::expression::expression_in(" ${ .a } "), Some(" .a "));
/// assert_eq!(workflow::expression::expression_in("costs ${5}"), None);
/// ```
pub fn expression_in(text: &str) -> Option<&str> {
    text.trim().strip_prefix("${")?.strip_suffix('}').filter(|inner| !inner.is_empty())
}

/// A JSON value with expressions in it, compiled.
#[derive(Debug, Clone)]
pub enum Template {
    /// Nothing to evaluate.
    Literal(Arc<Value>),
    /// One expression gives the whole value.
    Expression(Arc<Expression>),
    /// Members to evaluate.
    Object(Vec<(Arc<str>, Template)>),
    /// Items to evaluate.
    List(Vec<Template>),
}

impl Template {
    /// An object, folded to a literal when nothing in it is an expression.
    pub fn object(members: Vec<(Arc<str>, Template)>) -> Self {
        let literal: Option<Map<String, Value>> = members
            .iter()
            .map(|(name, member)| Some((name.to_string(), member.as_literal()?.clone())))
            .collect();
        literal.map_or(Self::Object(members), |object| Self::Literal(Arc::new(Value::Object(object))))
    }

    /// A list, folded to a literal when nothing in it is an expression.
    pub fn list(items: Vec<Template>) -> Self {
        let literal: Option<Vec<Value>> = items.iter().map(|item| item.as_literal().cloned()).collect();
        literal.map_or(Self::List(items), |list| Self::Literal(Arc::new(Value::Array(list))))
    }

    /// The value, if nothing in it is an expression.
    pub fn as_literal(&self) -> Option<&Value> {
        match self {
            Self::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The member `name` of an object.
    pub fn member(&self, name: &str) -> Option<Self> {
        match self {
            Self::Object(members) => {
                members.iter().find(|(key, _)| &**key == name).map(|(_, member)| member.clone())
            }
            Self::Literal(value) => value.get(name).map(|member| Self::Literal(Arc::new(member.clone()))),
            _ => None,
        }
    }

    /// The value with every expression replaced by what it gives.
    pub fn evaluate(
        &self,
        input: &Value,
        variables: &dyn Variables,
        now: Timestamp,
    ) -> Result<Arc<Value>, Failure> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            other => other.build(input, variables, now).map(Arc::new),
        }
    }

    fn build(&self, input: &Value, variables: &dyn Variables, now: Timestamp) -> Result<Value, Failure> {
        match self {
            Self::Literal(value) => Ok(Value::clone(value)),
            Self::Expression(expression) => expression.evaluate(input, variables, now),
            Self::Object(members) => members
                .iter()
                .map(|(name, member)| Ok((name.to_string(), member.build(input, variables, now)?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
            Self::List(items) => items
                .iter()
                .map(|item| item.build(input, variables, now))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array),
        }
    }
}

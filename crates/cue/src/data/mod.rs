//! Plain data: what JSON, YAML and TOML can hold, and its way into and out of the evaluator.

pub(crate) mod json;
pub(crate) mod places;
pub(crate) mod toml;
pub(crate) mod yaml;

use std::sync::Arc;

use self::places::{Places, Step};
use crate::error::Code;
use crate::eval::Eval;
use crate::eval::node::{NO_ENV, NO_NODE, Shape};
use crate::number::Number;
use crate::program::{DeclIr, ElementIr, Ir, StructIr};
use crate::syntax::ast::{Constraint, Span};
use crate::value::{Bottom, ExprId, Value};

/// Concrete data.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// Bytes; written as base64 where the format has no bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Data>),
    /// Fields in order.
    Object(Vec<(String, Data)>),
}

/// The expression that makes a piece of data; it stands where `at` does.
pub(crate) fn to_expr(eval: &mut Eval, data: &Data, at: ExprId) -> ExprId {
    let (source, span) =
        eval.program.spans.get(at as usize).copied().unwrap_or_else(|| (u32::MAX, Span::default()));
    Placing { eval, source, places: &Places::default(), path: Vec::new() }.expr(data, span)
}

/// The expression that makes one document of a data file; its parts stand where they do in the file.
pub(crate) fn placed_expr(
    eval: &mut Eval,
    data: &Data,
    source: u32,
    places: &Places,
    document: usize,
) -> ExprId {
    Placing { eval, source, places, path: vec![Step::Index(document)] }.expr(data, Span::default())
}

struct Placing<'a> {
    eval: &'a mut Eval,
    source: u32,
    places: &'a Places,
    path: Vec<Step>,
}

impl Placing<'_> {
    /// `around` is where the value stands if it is not known better.
    fn expr(&mut self, data: &Data, around: Span) -> ExprId {
        let span = self.places.get(&self.path).unwrap_or(around);
        let ir = match data {
            Data::Null => Ir::Value(Value::Null),
            Data::Bool(b) => Ir::Value(Value::Bool(*b)),
            Data::Number(n) => Ir::Value(Value::number(n.clone())),
            Data::String(s) => Ir::Value(Value::string(s.as_str())),
            Data::Bytes(b) => Ir::Value(Value::Bytes(b.as_slice().into())),
            Data::List(items) => {
                let items = items.iter().enumerate();
                let elements =
                    items.map(|(i, item)| ElementIr::Value(self.below(Step::Index(i), item, span)));
                Ir::List(Arc::new(elements.collect()))
            }
            Data::Object(fields) => {
                let mut ir = StructIr { has_fields: true, ..Default::default() };
                for (name, value) in fields {
                    let value = self.below(Step::Key(name.clone()), value, span);
                    let label = self.eval.program.labels.string(name);
                    ir.decls.push(DeclIr::Field(label, Constraint::Member, value));
                }
                Ir::Struct(Arc::new(ir))
            }
        };
        self.eval.program.push(ir, self.source, span)
    }

    fn below(&mut self, step: Step, data: &Data, around: Span) -> ExprId {
        self.path.push(step);
        let expr = self.expr(data, around);
        self.path.pop();
        expr
    }
}

/// The value of a piece of data.
pub(crate) fn to_value(eval: &mut Eval, data: &Data, at: ExprId) -> Value {
    let expr = to_expr(eval, data, at);
    if let Ir::Value(value) = &eval.program.exprs[expr as usize] {
        return value.clone();
    }
    let node = eval.anonymous(NO_NODE, expr, NO_ENV);
    eval.expand(node);
    Value::Node(node)
}

/// The data of a value, defaults taken.
///
/// # Errors
/// The first error, or what is not concrete, below it.
pub(crate) fn from_value(eval: &mut Eval, value: &Value, at: ExprId) -> Result<Data, Arc<Bottom>> {
    let value = eval.pick_default(value.clone(), at);
    Ok(match value {
        Value::Bottom(b) => return Err(b),
        Value::Null => Data::Null,
        Value::Bool(b) => Data::Bool(b),
        Value::Number(n) => Data::Number((*n).clone()),
        Value::String(s) => Data::String(s.to_string()),
        Value::Bytes(b) => Data::Bytes(b.to_vec()),
        Value::Node(node) => return from_node(eval, node, at),
        other => {
            let text = eval.describe(&other);
            return Err(eval.bottom(Code::Incomplete, format!("incomplete value {text}"), at));
        }
    })
}

fn from_node(eval: &mut Eval, node: u32, at: ExprId) -> Result<Data, Arc<Bottom>> {
    let node = eval.deref(node);
    let busy = eval.node(node).status == crate::eval::node::Status::Busy;
    if busy {
        let mut bottom = Bottom::new(Code::Cycle, "cycle error");
        bottom.node = Some(node);
        eval.touch_busy(node);
        return Err(Arc::new(bottom));
    }
    if let Some(bottom) = eval.too_deep(node) {
        return Err(bottom);
    }
    let arcs: Vec<_> = eval.node(node).arcs.iter().collect();
    let shape = eval.node(node).shape;
    let mut items = Vec::new();
    let mut fields = Vec::new();
    for (label, arc) in arcs {
        if eval.node(arc).conjuncts.is_empty() || !eval.program.labels.is_regular(label) {
            continue;
        }
        match eval.node(arc).constraint {
            Constraint::Optional => continue,
            Constraint::Required => {
                let message = format!("{}: field is required but not present", eval.label_text(label));
                return Err(eval.bottom(Code::Incomplete, message, at));
            }
            Constraint::Member => {}
        }
        let value = eval.node_value(arc);
        let data = stacker::maybe_grow(crate::limits::RED_ZONE, crate::limits::STACK_CHUNK, || {
            from_value(eval, &value, at)
        });
        let data = data.map_err(|b| locate(&b, arc))?;
        match shape {
            Shape::List(_) => items.push(data),
            _ => fields.push((eval.program.labels.text(label).to_string(), data)),
        }
    }
    Ok(if matches!(shape, Shape::List(_)) { Data::List(items) } else { Data::Object(fields) })
}

fn locate(bottom: &Arc<Bottom>, node: u32) -> Arc<Bottom> {
    if bottom.node.is_some() {
        return bottom.clone();
    }
    let mut b = (**bottom).clone();
    b.node = Some(node);
    Arc::new(b)
}

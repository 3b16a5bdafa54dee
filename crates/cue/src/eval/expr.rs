//! Expressions used as operands: what value they have now.

use std::sync::Arc;

use super::Eval;
use super::node::{EnvId, Shape, Status};
use super::reference::Target;
use crate::error::Code;
use crate::limits;
use crate::number::Number;
use crate::program::{ElementIr, Ir, Label};
use crate::syntax::ast::{BinaryOp, UnaryOp};
use crate::value::{Bottom, BoundOp, ExprId, Kind, NodeId, Value};

impl Eval {
    /// The value of an expression, disjunctions kept.
    pub(crate) fn eval(&mut self, env: EnvId, expr: ExprId) -> Value {
        if !self.step() || !self.may_nest(self.current(), Some(expr)) {
            return self.fatal.clone().map_or_else(Value::top, Value::Bottom);
        }
        self.guarded(|s| s.eval_inner(env, expr))
    }

    fn eval_inner(&mut self, env: EnvId, expr: ExprId) -> Value {
        match self.program.exprs[expr as usize].clone() {
            Ir::Value(value) => value,
            Ir::Struct(_)
            | Ir::List(_)
            | Ir::Binary(BinaryOp::And, ..)
            | Ir::Disjunction(..)
            | Ir::Comprehension(..) => {
                let node = self.inline_node(env, expr);
                self.node_value(node)
            }
            Ir::Binary(op, a, b) => self.binary(env, op, a, b, expr),
            Ir::Unary(op, operand) => self.unary(env, op, operand, expr),
            Ir::Bound2(op, operand) => self.bound(env, op, operand, expr),
            Ir::Call(f, args) => self.call(env, f, &args, expr),
            Ir::Interpolation(parts, exprs, bytes) => self.interpolate(env, &parts, &exprs, bytes, expr),
            Ir::Slice(base, low, high) => self.slice(env, base, low, high, expr),
            Ir::Optional(inner) => self.eval(env, inner),
            _ => match self.resolve(env, expr) {
                Ok(Target::Node(node)) => self.node_value(node),
                Ok(Target::Value(value)) => value,
                Err(b) => Value::Bottom(b),
            },
        }
    }

    /// The node of an expression that is a struct, list or unification by itself.
    fn inline_node(&mut self, env: EnvId, expr: ExprId) -> NodeId {
        if let Some(node) = self.inline.get(&(env, expr)) {
            return *node;
        }
        let node = self.anonymous(self.operand_parent(env), expr, env);
        self.inline.insert((env, expr), node);
        node
    }

    /// The value a node has now.
    pub(crate) fn node_value(&mut self, id: NodeId) -> Value {
        self.expand(id);
        let id = self.deref(id);
        let node = self.node(id);
        if node.status == Status::Busy {
            if let Some(v) = &node.value
                && v.is_scalar()
            {
                return v.clone();
            }
            let composite = node.shape != Shape::Plain;
            self.touch_busy(id);
            if composite {
                return Value::Node(id);
            }
            let constraint = self.node(id).value.clone().filter(|v| matches!(v, Value::Bound(..)));
            let mut bottom = match &constraint {
                Some(bound) => {
                    Bottom::new(Code::Incomplete, format!("non-concrete value {}", self.describe(bound)))
                }
                None => Bottom::new(Code::Cycle, "cycle error"),
            };
            bottom.node = Some(id);
            return Value::Bottom(Arc::new(bottom));
        }
        match &node.value {
            Some(Value::Bottom(b)) if b.code.is_incomplete() => {
                let known = node.extra.as_ref().and_then(|extra| extra.scalar.clone());
                known.unwrap_or_else(|| Value::Bottom(b.clone()))
            }
            Some(value) => value.clone(),
            None if node.shape == Shape::Plain => Value::top(),
            None => Value::Node(id),
        }
    }

    /// The value of an expression with its default taken; may still be a type or constraint.
    pub(crate) fn concrete(&mut self, env: EnvId, expr: ExprId) -> Value {
        let value = self.eval(env, expr);
        self.pick_default(value, expr)
    }

    /// The default of a disjunction, or why there is none.
    pub(crate) fn pick_default(&mut self, value: Value, at: ExprId) -> Value {
        match value {
            Value::Disjunction(list, n) if n == 1 || list.len() == 1 => self.node_value(list[0]),
            Value::Disjunction(..) => {
                let text = self.describe(&value);
                let message = format!("unresolved disjunction {text}");
                Value::Bottom(self.bottom(Code::Incomplete, message, at))
            }
            other => other,
        }
    }

    fn unary(&mut self, env: EnvId, op: UnaryOp, operand: ExprId, at: ExprId) -> Value {
        match (op, self.concrete(env, operand)) {
            (_, Value::Bottom(b)) => Value::Bottom(b),
            (UnaryOp::Minus, Value::Number(n)) => Value::number(n.neg()),
            (UnaryOp::Plus, Value::Number(n)) => Value::Number(n),
            (UnaryOp::Not, Value::Bool(b)) => Value::Bool(!b),
            (_, v) if v.is_scalar() || matches!(v, Value::Node(_)) => {
                let message = format!(
                    "invalid operation {} ({} {})",
                    self.program.text(at).to_owned(),
                    op.symbol(),
                    self.kind_of(&v)
                );
                Value::Bottom(self.bottom(Code::Eval, message, at))
            }
            (_, v) if !v.kind().has(if op == UnaryOp::Not { Kind::BOOL } else { Kind::NUMBER }) => {
                let message = format!("invalid operation {} on {}", op.symbol(), v.kind());
                Value::Bottom(self.bottom(Code::Eval, message, at))
            }
            (_, v) => {
                let message = format!("operand {} of '{}' not concrete", self.describe(&v), op.symbol());
                Value::Bottom(self.bottom(Code::Incomplete, message, at))
            }
        }
    }

    fn bound(&mut self, env: EnvId, op: BoundOp, operand: ExprId, at: ExprId) -> Value {
        match self.concrete(env, operand) {
            Value::Bottom(b) => Value::Bottom(b),
            v if v.is_scalar() => self.scalar_bound(op, v, at),
            Value::Node(_) => {
                let message = format!("cannot use struct or list for bound {}", op.symbol());
                Value::Bottom(self.bottom(Code::Eval, message, at))
            }
            Value::Bound(inner, limit) => self.nested_bound(op, inner, limit, at),
            Value::Kind(k) if !k.has(Kind::NUMBER.or(Kind::STRING).or(Kind::BYTES)) && op != BoundOp::Ne => {
                let message = format!("cannot use {k} for bound {}", op.symbol());
                Value::Bottom(self.bottom(Code::Eval, message, at))
            }
            v => {
                let message = format!("non-concrete value {} for bound {}", self.describe(&v), op.symbol());
                Value::Bottom(self.bottom(Code::Incomplete, message, at))
            }
        }
    }

    fn scalar_bound(&mut self, op: BoundOp, limit: Value, at: ExprId) -> Value {
        let fits = match op {
            BoundOp::Match | BoundOp::NotMatch => matches!(limit, Value::String(_) | Value::Bytes(_)),
            BoundOp::Ne | BoundOp::Eq => true,
            _ => matches!(limit, Value::Number(_) | Value::String(_) | Value::Bytes(_)),
        };
        if !fits {
            let message = format!(
                "cannot use {} (type {}) for bound {}",
                self.describe(&limit),
                limit.kind(),
                op.symbol()
            );
            return Value::Bottom(self.bottom(Code::Eval, message, at));
        }
        if let (BoundOp::Match | BoundOp::NotMatch, Value::String(pattern)) = (op, &limit)
            && let Err(message) = crate::builtin::regex(pattern)
        {
            return Value::Bottom(self.bottom(Code::Eval, message, at));
        }
        if op == BoundOp::Eq {
            return limit;
        }
        Value::Bound(op, Arc::new(limit))
    }

    /// `<(<3)` and the like: the bound of a bound, where that has a meaning.
    fn nested_bound(&mut self, op: BoundOp, inner: BoundOp, limit: Arc<Value>, at: ExprId) -> Value {
        use BoundOp::{Ge, Gt, Le, Lt, Ne};
        let result = match (op, inner) {
            (Lt | Le, Lt | Ne) | (Gt | Ge, Gt | Ne) if inner == Ne => Some((op, ())),
            (Lt, Lt | Le) | (Le, Lt) => Some((Lt, ())),
            (Le, Le) => Some((Le, ())),
            (Gt, Gt | Ge) | (Ge, Gt) => Some((Gt, ())),
            (Ge, Ge) => Some((Ge, ())),
            _ => None,
        };
        match result {
            Some((op, ())) => Value::Bound(op, limit),
            None => {
                let message = format!("non-concrete value {}... for bound {}", inner.symbol(), op.symbol());
                Value::Bottom(self.bottom(Code::Incomplete, message, at))
            }
        }
    }

    fn interpolate(
        &mut self,
        env: EnvId,
        parts: &[Vec<u8>],
        exprs: &[ExprId],
        bytes: bool,
        at: ExprId,
    ) -> Value {
        let values: Vec<Value> = exprs.iter().map(|expr| self.concrete(env, *expr)).collect();
        let failed = values.iter().filter_map(|v| if let Value::Bottom(b) = v { Some(b) } else { None });
        if let Some(worst) = failed.min_by_key(|b| b.code) {
            let mut wrapped = (**worst).clone();
            wrapped.message = format!("invalid interpolation: {}", worst.message);
            wrapped.at.push(at);
            return Value::Bottom(Arc::new(wrapped));
        }
        let mut out: Vec<u8> = parts.first().cloned().unwrap_or_default();
        for (i, (expr, value)) in exprs.iter().zip(values).enumerate() {
            match value {
                Value::String(s) => out.extend_from_slice(s.as_bytes()),
                Value::Bytes(b) if bytes => out.extend_from_slice(&b),
                Value::Bytes(b) => out.extend_from_slice(replaced(&b).as_bytes()),
                Value::Number(n) => out.extend_from_slice(n.to_string().to_uppercase().as_bytes()),
                Value::Bool(b) => out.extend_from_slice(if b { b"true" } else { b"false" }),
                v @ (Value::Null | Value::Node(_)) => {
                    let message = format!(
                        "invalid interpolation: cannot use {} (type {}) as type (bool|string|bytes|number)",
                        self.describe(&v),
                        self.kind_of(&v)
                    );
                    return Value::Bottom(self.bottom(Code::Eval, message, *expr));
                }
                v => {
                    let message = format!(
                        "invalid interpolation: non-concrete value {} (type {})",
                        self.describe(&v),
                        v.kind()
                    );
                    return Value::Bottom(self.bottom(Code::Incomplete, message, *expr));
                }
            }
            if let Some(part) = parts.get(i + 1) {
                out.extend_from_slice(part);
            }
            if out.len() > limits::STRING_BYTES {
                return Value::Bottom(self.bottom(Code::Eval, "string is too long", at));
            }
        }
        if bytes {
            return Value::Bytes(out.into());
        }
        match String::from_utf8(out) {
            Ok(text) => Value::string(text),
            Err(_) => Value::Bottom(self.bottom(Code::Eval, "interpolation is not valid UTF-8", at)),
        }
    }

    fn slice(
        &mut self,
        env: EnvId,
        base: ExprId,
        low: Option<ExprId>,
        high: Option<ExprId>,
        at: ExprId,
    ) -> Value {
        let value = self.concrete(env, base);
        let mut bounds = [None, None];
        for (slot, expr) in bounds.iter_mut().zip([low, high]) {
            let Some(expr) = expr else { continue };
            match self.concrete(env, expr) {
                Value::Bottom(b) => return Value::Bottom(b),
                Value::Number(n) if n.is_int() => match n.as_int().and_then(|n| usize::try_from(n).ok()) {
                    Some(n) => *slot = Some(n),
                    None => return self.slice_error(Code::Eval, format!("negative slice index {n}"), at),
                },
                v if v.is_scalar() || matches!(v, Value::Node(_)) => {
                    let message =
                        format!("invalid slice index {} (type {})", self.describe(&v), self.kind_of(&v));
                    return self.slice_error(Code::Eval, message, at);
                }
                v => {
                    return self.slice_error(
                        Code::Incomplete,
                        format!("slice index {} not concrete", self.describe(&v)),
                        at,
                    );
                }
            }
        }
        let len = match &value {
            Value::Bottom(b) => return Value::Bottom(b.clone()),
            Value::Bytes(b) => b.len(),
            Value::Node(n) if matches!(self.node(*n).shape, Shape::List(_)) => self.live_len(*n),
            v if v.is_scalar() || matches!(v, Value::Node(_)) => {
                let message = format!("cannot slice {} (type {})", self.describe(v), self.kind_of(v));
                return self.slice_error(Code::Eval, message, at);
            }
            v => {
                return self.slice_error(
                    Code::Incomplete,
                    format!("cannot slice non-concrete {}", self.describe(v)),
                    at,
                );
            }
        };
        let (low, high) = (bounds[0].unwrap_or(0), bounds[1].unwrap_or(len));
        if low > high {
            return self.slice_error(Code::Eval, format!("invalid slice index: {low} > {high}"), at);
        }
        if high > len {
            let open = matches!(&value, Value::Node(n) if self.node(*n).shape == Shape::List(true));
            let code = if open { Code::Incomplete } else { Code::Eval };
            return self.slice_error(
                code,
                format!("slice bounds out of range [{low}:{high}] with length {len}"),
                at,
            );
        }
        match value {
            Value::Bytes(b) => Value::Bytes(b[low..high].into()),
            Value::Node(n) => {
                let items =
                    (low..high).filter_map(|i| self.node(n).arcs.get(Label::index(i))).map(Value::Node);
                let items = items.collect();
                self.list_value(items, at)
            }
            other => other,
        }
    }

    fn slice_error(&mut self, code: Code, message: String, at: ExprId) -> Value {
        Value::Bottom(self.bottom(code, message, at))
    }

    /// Number of elements or fields that are there.
    pub(crate) fn live_len(&self, id: NodeId) -> usize {
        self.node(id).arcs.iter().filter(|(_, n)| !self.node(*n).conjuncts.is_empty()).count()
    }

    /// A list of computed values.
    pub(crate) fn list_value(&mut self, items: Vec<Value>, at: ExprId) -> Value {
        let elements = items.into_iter().map(|v| ElementIr::Value(self.value_expr(v, at))).collect();
        let (source, span) = self.program.spans.get(at as usize).copied().unwrap_or_default();
        let expr = self.program.push(Ir::List(Arc::new(elements)), source, span);
        let node = self.anonymous(self.current(), expr, super::NO_ENV);
        self.expand(node);
        Value::Node(node)
    }

    /// A number as an integer index, for builtins.
    pub(crate) fn int_value(n: &Number) -> Option<i64> {
        n.as_int().and_then(|n| i64::try_from(n).ok())
    }
}

/// Bytes as text, each run of bytes that is none as one replacement character.
fn replaced(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut broken = false;
    for chunk in bytes.utf8_chunks() {
        if broken && !chunk.valid().is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
            broken = false;
        }
        out.push_str(chunk.valid());
        broken |= !chunk.invalid().is_empty();
    }
    if broken {
        out.push(char::REPLACEMENT_CHARACTER);
    }
    out
}

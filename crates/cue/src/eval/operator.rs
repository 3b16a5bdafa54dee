//! Binary operators.

use std::cmp::Ordering;
use std::sync::Arc;

use num_integer::Integer;
use num_traits::{Signed, Zero};

use super::Eval;
use super::node::{EnvId, Shape, Status};
use crate::error::Code;
use crate::limits;
use crate::number::Number;
use crate::program::Ir;
use crate::syntax::ast::{BinaryOp, Constraint};
use crate::value::{Bottom, ExprId, Kind, NodeId, Value};

impl Eval {
    pub(super) fn binary(&mut self, env: EnvId, op: BinaryOp, a: ExprId, b: ExprId, at: ExprId) -> Value {
        if matches!(op, BinaryOp::Eq | BinaryOp::Ne) {
            for (literal, other) in [(a, b), (b, a)] {
                if self.is_bottom_literal(literal) {
                    return self.is_error(env, other, op == BinaryOp::Eq);
                }
            }
        }
        let left = self.concrete(env, a);
        if matches!(op, BinaryOp::LAnd | BinaryOp::LOr) && self.short_circuit(env) {
            match (&left, op) {
                (Value::Bool(false), BinaryOp::LAnd) | (Value::Bool(true), BinaryOp::LOr) => return left,
                _ => {}
            }
        }
        if let Value::Bottom(bottom) = &left {
            if !bottom.code.is_incomplete() {
                return left;
            }
            // An error on the other side is worse than an incomplete value here.
            return match self.concrete(env, b) {
                Value::Bottom(r) if !r.code.is_incomplete() => Value::Bottom(r),
                _ => left,
            };
        }
        let right = self.concrete(env, b);
        if let Value::Bottom(_) = right {
            return right;
        }
        for (value, expr) in [(&left, a), (&right, b)] {
            if value.is_scalar() || matches!(value, Value::Node(_)) {
                continue;
            }
            if let Some(error) = self.never_concrete(op, value, at) {
                return error;
            }
            let message =
                format!("non-concrete value {} in operand to {}", self.describe(value), op.symbol());
            let mut bottom = Bottom::new(Code::Incomplete, message);
            bottom.at = vec![at, expr];
            bottom.node = self.frames.last().map(|f| f.node);
            return Value::Bottom(Arc::new(bottom));
        }
        self.apply(op, &left, &right, at)
    }

    fn short_circuit(&self, _env: EnvId) -> bool {
        self.program.short_circuit
    }

    /// An operand whose type can never fit the operator.
    fn never_concrete(&mut self, op: BinaryOp, value: &Value, at: ExprId) -> Option<Value> {
        let wanted = match op {
            BinaryOp::Sub | BinaryOp::Quo => Kind::NUMBER,
            BinaryOp::IDiv | BinaryOp::IMod | BinaryOp::IQuo | BinaryOp::IRem => Kind::INT,
            BinaryOp::LAnd | BinaryOp::LOr => Kind::BOOL,
            BinaryOp::Match | BinaryOp::NotMatch => Kind::STRING.or(Kind::BYTES),
            _ => return None,
        };
        let kind = value.kind();
        if kind.has(wanted) {
            return None;
        }
        let message = format!("invalid operand {} (type {kind}) to '{}'", self.describe(value), op.symbol());
        Some(Value::Bottom(self.bottom(Code::Eval, message, at)))
    }

    fn is_bottom_literal(&self, expr: ExprId) -> bool {
        matches!(&self.program.exprs[expr as usize], Ir::Value(Value::Bottom(b)) if b.message.starts_with("explicit error"))
    }

    /// `x == _|_`.
    fn is_error(&mut self, env: EnvId, expr: ExprId, wanted: bool) -> Value {
        let before = std::mem::replace(&mut self.taint, super::UNTAINTED);
        let value = match self.eval(env, expr) {
            // that the choice is open is no error
            Value::Disjunction(list, n) if n != 1 && list.len() > 1 => Value::Disjunction(list, n),
            value => self.pick_default(value, expr),
        };
        let touched = self.taint != super::UNTAINTED;
        let elsewhere = touched && (self.taint as usize) + 1 < self.frames.len();
        self.taint = self.taint.min(before);
        let failed = match &value {
            // whether it is there depends on what is being decided here
            Value::Bottom(b)
                if b.code == Code::Cycle || (elsewhere && self.settled && b.code.is_incomplete()) =>
            {
                return Value::Bottom(self.bottom(Code::Cycle, "cycle error", expr));
            }
            Value::Bottom(b) if touched && b.code.is_incomplete() && !self.settled => {
                return Value::Bottom(self.bottom(Code::Incomplete, "value is not known yet", expr));
            }
            Value::Bottom(b) if b.code == Code::Limit => return value,
            Value::Bottom(_) => true,
            Value::Node(n) if self.node(*n).status != Status::Busy => {
                self.complete(*n);
                self.failure(*n).is_some_and(|b| !b.code.is_incomplete())
            }
            _ => false,
        };
        Value::Bool(failed == wanted)
    }

    fn mismatch(&mut self, op: BinaryOp, a: &Value, b: &Value, at: ExprId) -> Value {
        let message = format!(
            "invalid operands {} and {} to '{}' (type {} and {})",
            self.describe(a),
            self.describe(b),
            op.symbol(),
            self.kind_of(a),
            self.kind_of(b)
        );
        Value::Bottom(self.bottom(Code::Eval, message, at))
    }

    fn apply(&mut self, op: BinaryOp, a: &Value, b: &Value, at: ExprId) -> Value {
        match op {
            BinaryOp::Eq | BinaryOp::Ne => match self.same(a, b, at) {
                Ok(same) => Value::Bool(same == (op == BinaryOp::Eq)),
                Err(b) => Value::Bottom(b),
            },
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => self.ordered(op, a, b, at),
            BinaryOp::LAnd | BinaryOp::LOr => match (a, b) {
                (Value::Bool(x), Value::Bool(y)) => {
                    Value::Bool(if op == BinaryOp::LAnd { *x && *y } else { *x || *y })
                }
                _ => self.mismatch(op, a, b, at),
            },
            BinaryOp::Match | BinaryOp::NotMatch => self.matches(op, a, b, at),
            BinaryOp::Add => self.add(a, b, at),
            BinaryOp::Mul => self.multiply(a, b, at),
            BinaryOp::Sub | BinaryOp::Quo => match (a, b) {
                (Value::Number(x), Value::Number(y)) if op == BinaryOp::Sub => Value::number(x.sub(y)),
                (Value::Number(x), Value::Number(y)) => match x.quo(y) {
                    Some(n) => Value::number(n),
                    None => Value::Bottom(self.bottom(Code::Eval, "division by zero", at)),
                },
                _ => self.mismatch(op, a, b, at),
            },
            BinaryOp::IDiv | BinaryOp::IMod | BinaryOp::IQuo | BinaryOp::IRem => {
                self.int_division(op, a, b, at)
            }
            BinaryOp::And | BinaryOp::Or => self.mismatch(op, a, b, at),
        }
    }

    fn ordered(&mut self, op: BinaryOp, a: &Value, b: &Value, at: ExprId) -> Value {
        let ord = match (a, b) {
            (Value::Number(x), Value::Number(y)) => x.compare(y),
            (Value::String(x), Value::String(y)) => x.as_bytes().cmp(y.as_bytes()),
            (Value::Bytes(x), Value::Bytes(y)) => x.cmp(y),
            (Value::String(x), Value::Bytes(y)) => x.as_bytes().cmp(y),
            (Value::Bytes(x), Value::String(y)) => (**x).cmp(y.as_bytes()),
            _ => return self.mismatch(op, a, b, at),
        };
        Value::Bool(match op {
            BinaryOp::Lt => ord == Ordering::Less,
            BinaryOp::Le => ord != Ordering::Greater,
            BinaryOp::Gt => ord == Ordering::Greater,
            _ => ord != Ordering::Less,
        })
    }

    fn matches(&mut self, op: BinaryOp, a: &Value, b: &Value, at: ExprId) -> Value {
        let (text, pattern) = match (a, b) {
            (Value::String(t), Value::String(p)) => (t.to_string(), p.clone()),
            (Value::Bytes(t), Value::String(p)) => (String::from_utf8_lossy(t).into_owned(), p.clone()),
            _ => return self.mismatch(op, a, b, at),
        };
        match crate::builtin::regex(&pattern) {
            Ok(re) => Value::Bool(re.is_match(&text) == (op == BinaryOp::Match)),
            Err(message) => Value::Bottom(self.bottom(Code::Eval, message, at)),
        }
    }

    fn add(&mut self, a: &Value, b: &Value, at: ExprId) -> Value {
        match (a, b) {
            (Value::Number(x), Value::Number(y)) => Value::number(x.add(y)),
            (Value::String(x), Value::String(y)) if x.len() + y.len() <= limits::STRING_BYTES => {
                Value::string(format!("{x}{y}"))
            }
            (Value::Bytes(x), Value::Bytes(y)) => {
                let mut out = x.to_vec();
                out.extend_from_slice(y);
                if out.len() > limits::STRING_BYTES {
                    return Value::Bottom(self.bottom(Code::Eval, "result is too long", at));
                }
                Value::Bytes(out.into())
            }
            (Value::Node(x), Value::Node(y)) if self.is_list(*x) && self.is_list(*y) => {
                let message = "addition of lists is superseded by list.Concat; see https://cuelang.org/e/v0.11-list-arithmetic";
                Value::Bottom(self.bottom(Code::Eval, message, at))
            }
            _ => self.mismatch(BinaryOp::Add, a, b, at),
        }
    }

    pub(crate) fn is_list(&self, id: NodeId) -> bool {
        matches!(self.node(self.deref(id)).shape, Shape::List(_))
    }

    fn multiply(&mut self, a: &Value, b: &Value, at: ExprId) -> Value {
        match (a, b) {
            (Value::Number(x), Value::Number(y)) => match x.mul(y) {
                Some(n) => Value::number(n),
                None => Value::Bottom(self.bottom(Code::Eval, "number is too large", at)),
            },
            (Value::String(_) | Value::Bytes(_), Value::Number(n))
            | (Value::Number(n), Value::String(_) | Value::Bytes(_))
                if n.is_int() =>
            {
                let text = if matches!(a, Value::Number(_)) { b } else { a };
                let Some(count) = n.as_int().and_then(|n| usize::try_from(n).ok()) else {
                    return Value::Bottom(self.bottom(
                        Code::Eval,
                        "cannot convert negative number to uint64",
                        at,
                    ));
                };
                if raw(text).len().saturating_mul(count) > limits::STRING_BYTES {
                    return Value::Bottom(self.bottom(Code::Eval, "result is too long", at));
                }
                match text {
                    Value::String(s) => Value::string(s.repeat(count)),
                    other => Value::Bytes(raw(other).repeat(count).into()),
                }
            }
            (Value::Node(x), Value::Number(_)) | (Value::Number(_), Value::Node(x)) if self.is_list(*x) => {
                let message = "multiplication of lists is superseded by list.Repeat; see https://cuelang.org/e/v0.11-list-arithmetic";
                Value::Bottom(self.bottom(Code::Eval, message, at))
            }
            _ => self.mismatch(BinaryOp::Mul, a, b, at),
        }
    }

    pub(crate) fn int_division(&mut self, op: BinaryOp, a: &Value, b: &Value, at: ExprId) -> Value {
        let (Value::Number(x), Value::Number(y)) = (a, b) else { return self.mismatch(op, a, b, at) };
        let (Some(x), Some(y)) = (x.as_int(), y.as_int()) else { return self.mismatch(op, a, b, at) };
        if y.is_zero() {
            return Value::Bottom(self.bottom(Code::Eval, "division by zero", at));
        }
        let n = match op {
            // Euclidean: the remainder is never negative.
            BinaryOp::IDiv => {
                let r = x.mod_floor(&y.abs());
                (x - r) / y
            }
            BinaryOp::IMod => x.mod_floor(&y.abs()),
            BinaryOp::IQuo => x / y,
            _ => x % y,
        };
        Value::number(Number::Int(n))
    }

    /// Equality of concrete values, structs and lists included.
    pub(crate) fn same(&mut self, a: &Value, b: &Value, at: ExprId) -> Result<bool, Arc<Bottom>> {
        match (a, b) {
            (Value::Number(x), Value::Number(y)) => Ok(x.compare(y) == Ordering::Equal),
            (Value::String(_), Value::Bytes(_)) | (Value::Bytes(_), Value::String(_)) => Ok(raw(a) == raw(b)),
            (Value::Node(x), Value::Node(y)) => self.same_nodes(*x, *y, at),
            (x, y) if x.is_scalar() && y.is_scalar() => {
                if x.kind() != y.kind() && !matches!(x, Value::Null) && !matches!(y, Value::Null) {
                    let error = self.mismatch(BinaryOp::Eq, x, y, at);
                    if let Value::Bottom(b) = error {
                        return Err(b);
                    }
                }
                Ok(x.same_scalar(y))
            }
            (Value::Null, Value::Node(_)) | (Value::Node(_), Value::Null) => Ok(false),
            (x, y) => match self.mismatch(BinaryOp::Eq, x, y, at) {
                Value::Bottom(b) => Err(b),
                _ => Ok(false),
            },
        }
    }

    fn same_nodes(&mut self, x: NodeId, y: NodeId, at: ExprId) -> Result<bool, Arc<Bottom>> {
        let (x, y) = (self.deref(x), self.deref(y));
        if self.is_list(x) != self.is_list(y) {
            return match self.mismatch(BinaryOp::Eq, &Value::Node(x), &Value::Node(y), at) {
                Value::Bottom(b) => Err(b),
                _ => Ok(false),
            };
        }
        let fields = |s: &Self, id: NodeId| -> Vec<_> {
            let live = s.node(id).arcs.iter().filter(|(l, n)| {
                let n = s.node(*n);
                s.program.labels.is_regular(*l)
                    && n.constraint == Constraint::Member
                    && !n.conjuncts.is_empty()
            });
            live.collect()
        };
        let left = fields(self, x);
        if left.len() != fields(self, y).len() {
            return Ok(false);
        }
        for (label, arc) in left {
            let Some(other) = self.node(y).arcs.get(label) else { return Ok(false) };
            let a = self.node_value(arc);
            let a = self.pick_default(a, at);
            let b = self.node_value(other);
            let b = self.pick_default(b, at);
            for v in [&a, &b] {
                if let Value::Bottom(bottom) = v {
                    return Err(bottom.clone());
                }
                if !v.is_scalar() && !matches!(v, Value::Node(_)) {
                    let message = format!("non-concrete value {} in operand to ==", self.describe(v));
                    return Err(self.bottom(Code::Incomplete, message, at));
                }
            }
            if self.kind_of(&a).and(self.kind_of(&b)).is_empty()
                && !(a.kind().has(Kind::NUMBER) && b.kind().has(Kind::NUMBER))
            {
                return Ok(false);
            }
            if !self.same(&a, &b, at)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn raw(value: &Value) -> &[u8] {
    match value {
        Value::String(s) => s.as_bytes(),
        Value::Bytes(b) => b,
        _ => &[],
    }
}

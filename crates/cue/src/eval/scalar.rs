//! Scalars and constraints of one node: what they leave when put together.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Eval;
use super::work::{Alternatives, Item, Work};
use crate::builtin;
use crate::error::Code;
use crate::value::{Bottom, BoundOp, ExprId, Kind, Value};

impl Eval {
    /// Adds a computed value to the node being evaluated.
    pub(super) fn add_value(&mut self, w: &mut Work, value: Value, item: Item) {
        match value {
            Value::Bottom(b) => {
                if b.code.is_incomplete() {
                    w.incomplete.push(b);
                } else {
                    w.errors.push(b);
                }
            }
            Value::Node(node) => self.add_node_value(w, node, item),
            Value::Disjunction(list, defaults) => self.choose(w, item, Alternatives::Nodes(list, defaults)),
            Value::Kind(kind) => {
                if kind != Kind::TOP {
                    self.anchor(w, item);
                    self.restrict_kind(w, kind, item.expr);
                }
                w.constraints.push((value, item.expr));
            }
            Value::Conj(all) => {
                for v in all.iter() {
                    self.add_value(w, v.clone(), item);
                }
            }
            Value::Builtin(id) if builtin::is_validator(id) => {
                let validator = crate::value::Validator { builtin: id, args: Vec::new(), at: item.expr };
                self.add_value(w, Value::Validator(Arc::new(validator)), item);
            }
            Value::Validator(_) if item.muted => {}
            Value::Bound(..) | Value::Validator(_) => {
                self.anchor(w, item);
                let kind = match &value {
                    Value::Validator(v) => builtin::validator_kind(v.builtin, &v.args),
                    other => other.kind(),
                };
                self.restrict_kind(w, kind, item.expr);
                let node = self.node_mut(w.node);
                if node.value.is_none() {
                    // who looks before the node is done sees that there is something, and that it is not concrete
                    node.value = Some(value.clone());
                }
                w.constraints.push((value, item.expr));
            }
            scalar => self.add_scalar(w, scalar, item),
        }
    }

    fn add_scalar(&mut self, w: &mut Work, scalar: Value, item: Item) {
        self.anchor(w, item);
        if !self.restrict_kind(w, scalar.kind(), item.expr) {
            return;
        }
        if let Some((known, at)) = &w.scalar {
            if !known.same_scalar(&scalar) {
                let message =
                    format!("conflicting values {} and {}", self.describe(known), self.describe(&scalar));
                let mut bottom = Bottom::new(Code::Eval, message);
                bottom.at = vec![*at, item.expr];
                bottom.node = Some(w.node);
                w.errors.push(Arc::new(bottom));
            }
            return;
        }
        if self.node(w.node).value.as_ref().is_none_or(|known| !known.is_scalar()) {
            self.node_mut(w.node).value = Some(scalar.clone());
        }
        w.scalar = Some((scalar, item.expr));
    }

    /// Narrows the types the node may have; false (and an error) when none is left.
    pub(super) fn restrict_kind(&mut self, w: &mut Work, kind: Kind, at: ExprId) -> bool {
        let next = w.kind.and(kind);
        if next.is_empty() {
            let clash = w.kind_at.iter().find(|(k, _)| k.and(kind).is_empty()).copied();
            let (old, old_at) = clash.unwrap_or((w.kind, at));
            let left = self.program.text(old_at).to_owned();
            let right = self.program.text(at).to_owned();
            // a struct of a data file has no text of its own
            let shorten = |t: &str, kind: Kind| match t.lines().next() {
                Some(line) => line.chars().take(60).collect(),
                None => kind.to_string(),
            };
            let message = format!(
                "conflicting values {} and {} (mismatched types {old} and {kind})",
                shorten(&left, old),
                shorten(&right, kind)
            );
            let mut bottom = Bottom::new(Code::Eval, message);
            bottom.at = vec![old_at, at];
            bottom.node = Some(w.node);
            w.errors.push(Arc::new(bottom));
            return false;
        }
        if next != w.kind || w.kind_at.is_empty() {
            w.kind_at.push((kind, at));
        }
        w.kind = next;
        true
    }

    /// Puts scalars and constraints together into the node's own value.
    pub(super) fn settle_value(&mut self, w: &mut Work) -> Option<Value> {
        let constraints = std::mem::take(&mut w.constraints);
        if let Some((scalar, at)) = w.scalar.clone() {
            for (constraint, source) in &constraints {
                self.check_scalar(w, &scalar, constraint, at, *source);
            }
            return Some(scalar);
        }
        let mut kept: Vec<(Value, ExprId)> = Vec::new();
        for (value, at) in constraints {
            match value {
                Value::Kind(_) => {}
                Value::Bound(op, limit) => self.add_bound(w, &mut kept, op, limit, at),
                Value::Validator(v) => {
                    let known = kept
                        .iter()
                        .any(|(k, _)| matches!(k, Value::Validator(o) if self.same_validator(o, &v)));
                    if !known {
                        kept.push((Value::Validator(v), at));
                    }
                }
                _ => {}
            }
        }
        if kept.is_empty() {
            return (w.kind != Kind::TOP || w.saw_kind()).then_some(Value::Kind(w.kind));
        }
        let natural = kept.iter().fold(Kind::TOP, |k, (v, _)| k.and(self.natural_kind(v)));
        let mut all: Vec<Value> = Vec::new();
        if w.kind != natural {
            all.push(Value::Kind(w.kind));
        }
        all.extend(kept.into_iter().map(|(v, _)| v));
        if all.len() == 1 { all.pop() } else { Some(Value::Conj(all.into())) }
    }

    fn natural_kind(&self, value: &Value) -> Kind {
        match value {
            Value::Validator(v) => builtin::validator_kind(v.builtin, &v.args),
            other => other.kind(),
        }
    }

    fn same_validator(&mut self, a: &crate::value::Validator, b: &crate::value::Validator) -> bool {
        a.builtin == b.builtin
            && a.args.len() == b.args.len()
            && a.args.iter().zip(&b.args).all(|(x, y)| self.equal_values(x, y))
    }

    fn check_scalar(&mut self, w: &mut Work, scalar: &Value, constraint: &Value, at: ExprId, source: ExprId) {
        let failed = match constraint {
            Value::Bound(op, limit) => match within(scalar, *op, limit) {
                Ok(true) => None,
                Ok(false) => Some(format!(
                    "invalid value {} (out of bound {}{})",
                    self.describe(scalar),
                    op.symbol(),
                    self.describe(limit)
                )),
                Err(message) => Some(message),
            },
            Value::Validator(v) => match self.run_validator(v, scalar, w.node) {
                Ok(()) => None,
                Err(why) if why.code.is_incomplete() => {
                    w.incomplete.push(why);
                    None
                }
                Err(why) => {
                    let text = self.describe(constraint);
                    Some(format!(
                        "invalid value {} (does not satisfy {text}): {}",
                        self.describe(scalar),
                        why.message
                    ))
                }
            },
            _ => None,
        };
        if let Some(message) = failed {
            let mut bottom = Bottom::new(Code::Eval, message);
            bottom.at = vec![source, at];
            bottom.node = Some(w.node);
            w.errors.push(Arc::new(bottom));
        }
    }

    /// Two bounds that leave nothing.
    fn clash(&mut self, w: &mut Work, a: (BoundOp, &Value, ExprId), b: (BoundOp, &Value, ExprId)) {
        let message = format!(
            "incompatible bounds {}{} and {}{}",
            a.0.symbol(),
            self.describe(a.1),
            b.0.symbol(),
            self.describe(b.1)
        );
        let mut bottom = Bottom::new(Code::Eval, message);
        bottom.at = vec![a.2, b.2];
        bottom.node = Some(w.node);
        w.errors.push(Arc::new(bottom));
    }

    fn add_bound(
        &mut self,
        w: &mut Work,
        kept: &mut Vec<(Value, ExprId)>,
        op: BoundOp,
        limit: Arc<Value>,
        at: ExprId,
    ) {
        let mut new = Some((op, limit));
        let mut i = 0;
        while i < kept.len() {
            let Some((op, limit)) = new.clone() else { break };
            if kept[i].0.is_scalar() && within(&kept[i].0, op, &limit) == Ok(true) {
                return;
            }
            if let (Value::Bound(old_op, old_limit), old_at) = kept[i].clone() {
                match combine(old_op, &old_limit, op, &limit) {
                    Combined::Both if no_integer(w.kind, (old_op, &old_limit), (op, &limit)) => {
                        self.clash(w, (old_op, &old_limit, old_at), (op, &limit, at));
                        return;
                    }
                    Combined::Both => {}
                    Combined::First => new = None,
                    Combined::Second => {
                        kept.remove(i);
                        continue;
                    }
                    Combined::Single(value) if w.kind.has(value.kind()) => {
                        kept.remove(i);
                        // what was kept before it may say no more than the value itself
                        kept.retain(|(kept, _)| {
                            !matches!(kept, Value::Bound(op, limit) if within(&value, *op, limit) == Ok(true))
                        });
                        kept.push((value, at));
                        return;
                    }
                    Combined::Single(_) | Combined::Nothing => {
                        self.clash(w, (old_op, &old_limit, old_at), (op, &limit, at));
                        return;
                    }
                }
            }
            i += 1;
        }
        if let Some((op, limit)) = new {
            let op_limit = Value::Bound(op, limit);
            kept.push((op_limit, at));
        }
    }
}

/// Whether the number is to be an integer, and there is none between a lower and an upper bound.
fn no_integer(kind: Kind, a: (BoundOp, &Value), b: (BoundOp, &Value)) -> bool {
    use BoundOp::{Ge, Gt, Le, Lt};
    if kind.and(Kind::NUMBER) != Kind::INT {
        return false;
    }
    let (low, high) = match (a.0, b.0) {
        (Gt | Ge, Lt | Le) => (a, b),
        (Lt | Le, Gt | Ge) => (b, a),
        _ => return false,
    };
    let (Value::Number(from), Value::Number(to)) = (low.1, high.1) else { return false };
    // the integers from the one to the other, ends included
    let first = if low.0 == Gt { from.floor() + 1 } else { -from.neg().floor() };
    let last = if high.0 == Lt { -to.neg().floor() - 1 } else { to.floor() };
    first > last
}

impl Work {
    fn saw_kind(&self) -> bool {
        !self.kind_at.is_empty()
    }
}

/// What two bounds are together.
enum Combined {
    Both,
    First,
    Second,
    Single(Value),
    Nothing,
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Some(a.compare(b)),
        (Value::String(a), Value::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn combine(op1: BoundOp, a: &Value, op2: BoundOp, b: &Value) -> Combined {
    use BoundOp::{Ge, Gt, Le, Lt, Match, Ne, NotMatch};
    if op1 == op2 && matches!(op1, Match | NotMatch | Ne) {
        return if a.same_scalar(b) { Combined::First } else { Combined::Both };
    }
    if matches!(op1, Match | NotMatch) || matches!(op2, Match | NotMatch) {
        return Combined::Both;
    }
    let Some(ord) = order(a, b) else { return Combined::Both };
    match (op1, op2) {
        (Gt | Ge, Gt | Ge) => match ord {
            Ordering::Greater => Combined::First,
            Ordering::Less => Combined::Second,
            Ordering::Equal => {
                if op1 == Gt {
                    Combined::First
                } else {
                    Combined::Second
                }
            }
        },
        (Lt | Le, Lt | Le) => match ord {
            Ordering::Less => Combined::First,
            Ordering::Greater => Combined::Second,
            Ordering::Equal => {
                if op1 == Lt {
                    Combined::First
                } else {
                    Combined::Second
                }
            }
        },
        (Gt | Ge, Lt | Le) => range(op1, a, op2, b),
        (Lt | Le, Gt | Ge) => range(op2, b, op1, a),
        (Ne, other) => exclude(other, b, a, false),
        (other, Ne) => exclude(other, a, b, true),
        _ => Combined::Both,
    }
}

/// Whether `!= excluded` adds anything to the bound; `first` says the bound came first.
fn exclude(op: BoundOp, limit: &Value, excluded: &Value, first: bool) -> Combined {
    match within(excluded, op, limit) {
        Ok(true) => Combined::Both,
        _ if first => Combined::First,
        _ => Combined::Second,
    }
}

fn range(low_op: BoundOp, low: &Value, high_op: BoundOp, high: &Value) -> Combined {
    let inclusive = low_op == BoundOp::Ge && high_op == BoundOp::Le;
    match order(low, high) {
        Some(Ordering::Greater) => Combined::Nothing,
        Some(Ordering::Equal) if inclusive => Combined::Single(low.clone()),
        Some(Ordering::Equal) => Combined::Nothing,
        _ => Combined::Both,
    }
}

/// Whether a scalar satisfies a bound.
pub(super) fn within(scalar: &Value, op: BoundOp, limit: &Value) -> Result<bool, String> {
    if matches!(op, BoundOp::Match | BoundOp::NotMatch) {
        let Value::String(pattern) = limit else {
            return Err("regular expression is not a string".to_owned());
        };
        let text = match scalar {
            Value::String(s) => s.to_string(),
            Value::Bytes(b) => String::from_utf8_lossy(b).into_owned(),
            _ => return Ok(false),
        };
        let hit = builtin::regex(pattern)?.is_match(&text);
        return Ok(hit == (op == BoundOp::Match));
    }
    if let Some(ord) = order(scalar, limit) {
        return Ok(match op {
            BoundOp::Ne => ord != Ordering::Equal,
            BoundOp::Eq => ord == Ordering::Equal,
            BoundOp::Lt => ord == Ordering::Less,
            BoundOp::Le => ord != Ordering::Greater,
            BoundOp::Gt => ord == Ordering::Greater,
            BoundOp::Ge => ord != Ordering::Less,
            BoundOp::Match | BoundOp::NotMatch => true,
        });
    }
    Ok(match op {
        BoundOp::Ne => !scalar.same_scalar(limit),
        BoundOp::Eq => scalar.same_scalar(limit),
        _ => false,
    })
}

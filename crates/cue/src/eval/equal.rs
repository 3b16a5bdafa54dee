//! Equality of evaluated values.

use super::Eval;
use super::node::Shape;
use crate::syntax::ast::Constraint;
use crate::value::{NodeId, Value};

impl Eval {
    /// Whether two evaluated nodes are the same value, structure and all.
    pub(crate) fn equal_nodes(&mut self, a: NodeId, b: NodeId) -> bool {
        let (a, b) = (self.deref(a), self.deref(b));
        if a == b {
            return true;
        }
        self.guarded(|s| s.equal_inner(a, b))
    }

    fn equal_inner(&mut self, a: NodeId, b: NodeId) -> bool {
        if !self.step() || self.node(a).shape != self.node(b).shape {
            return false;
        }
        match (self.node(a).value.clone(), self.node(b).value.clone()) {
            (None, None) => {}
            (Some(x), Some(y)) => {
                if !self.equal_values(&x, &y) {
                    return false;
                }
            }
            _ => return false,
        }
        if self.node(a).shape == Shape::Plain {
            return true;
        }
        if !self.same_extra(a, b) {
            return false;
        }
        let live = |s: &Self, id: NodeId| {
            s.node(id).arcs.iter().filter(|(_, n)| !s.node(*n).conjuncts.is_empty()).count()
        };
        if live(self, a) != live(self, b) {
            return false;
        }
        let arcs: Vec<_> = self.node(a).arcs.iter().collect();
        for (label, arc) in arcs {
            if self.node(arc).conjuncts.is_empty() {
                continue;
            }
            let Some(other) = self.node(b).arcs.get(label) else { return false };
            if self.node(other).conjuncts.is_empty()
                || self.node(arc).constraint != self.node(other).constraint
            {
                return false;
            }
            if self.node(arc).constraint == Constraint::Optional {
                // Not evaluated: the same expressions are the same constraint.
                let exprs = |s: &Self, id: NodeId| {
                    let mut e: Vec<_> = s.node(id).conjuncts.iter().map(|c| c.expr).collect();
                    e.sort_unstable();
                    e.dedup();
                    e
                };
                if exprs(self, arc) != exprs(self, other) {
                    return false;
                }
                continue;
            }
            self.expand(arc);
            self.expand(other);
            if !self.equal_nodes(arc, other) {
                return false;
            }
        }
        true
    }

    fn same_extra(&self, a: NodeId, b: NodeId) -> bool {
        let patterns = |id: NodeId| {
            let mut p: Vec<_> = self
                .node(id)
                .extra
                .iter()
                .flat_map(|e| e.patterns.iter().map(|p| (p.pattern, p.value)))
                .collect();
            p.sort_unstable();
            p.dedup();
            p
        };
        patterns(a) == patterns(b) && self.is_closed(a) == self.is_closed(b)
    }

    pub(crate) fn equal_values(&mut self, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Bottom(x), Value::Bottom(y)) => x.code == y.code && x.message == y.message,
            (Value::Kind(x), Value::Kind(y)) => x == y,
            (Value::Bound(op, x), Value::Bound(other, y)) => op == other && self.equal_values(x, y),
            (Value::Conj(x), Value::Conj(y)) => {
                x.len() == y.len() && x.iter().all(|v| y.iter().any(|o| self.equal_values(v, o)))
            }
            (Value::Builtin(x), Value::Builtin(y)) => x == y,
            (Value::Validator(x), Value::Validator(y)) => {
                x.builtin == y.builtin
                    && x.args.len() == y.args.len()
                    && x.args.iter().zip(&y.args).all(|(p, q)| self.equal_values(p, q))
            }
            (Value::Node(x), Value::Node(y)) => {
                self.expand(*x);
                self.expand(*y);
                self.equal_nodes(*x, *y)
            }
            (Value::Disjunction(x, n), Value::Disjunction(y, m)) => {
                n == m && x.len() == y.len() && x.iter().all(|v| y.iter().any(|o| self.equal_nodes(*v, *o)))
            }
            _ => a.same_scalar(b),
        }
    }
}

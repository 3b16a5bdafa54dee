//! Ends a node's evaluation: its value, its validators, and the errors below it.

use std::sync::Arc;

use super::Eval;
use super::node::{Shape, Status};
use super::work::{Task, Work};
use crate::error::Code;
use crate::syntax::ast::Constraint;
use crate::value::{Bottom, Kind, NodeId, Value};

impl Eval {
    /// Turns what was gathered into the node's value.
    pub(super) fn finish(&mut self, w: &mut Work) {
        let id = w.node;
        for waiting in std::mem::take(&mut w.tasks) {
            if let Some(why) = waiting.why {
                w.incomplete.push(why);
            } else if let Task::Expr(item) | Task::List(item) | Task::Comprehension(item) = waiting.task {
                w.incomplete.push(self.bottom(Code::Incomplete, "not evaluated", item.expr));
            }
        }
        let has_arcs = self
            .node(id)
            .arcs
            .iter()
            .any(|(l, n)| self.program.labels.is_regular(l) && !self.node(n).conjuncts.is_empty());
        if self.node(id).shape == Shape::Plain
            && w.saw_struct
            && (has_arcs
                || w.saw_fields
                || (w.scalar.is_none()
                    && w.kind_at.is_empty()
                    && w.constraints.iter().all(|(v, _)| matches!(v, Value::Kind(Kind::TOP)))))
        {
            let at = w.kind_at.first().map_or(0, |(_, at)| *at);
            self.restrict_kind(w, Kind::STRUCT, at);
            if !w.lists.is_empty() || self.embeds_top_only(w) {
                // `{_}` is `_`: an embedded top adds nothing and takes nothing away.
            } else {
                self.node_mut(id).shape = Shape::Struct;
            }
        }
        let composite = self.node(id).shape != Shape::Plain;
        if composite && !has_arcs && w.kind.and(Kind::STRUCT.or(Kind::LIST)).is_empty() && w.errors.is_empty()
        {
            self.node_mut(id).shape = Shape::Plain;
        }
        let composite = self.node(id).shape != Shape::Plain;
        if composite {
            self.inherit_groups(w);
        }
        self.store_extra(w);
        let value = if composite {
            self.check_struct(w);
            None
        } else {
            self.settle_value(w)
        };
        self.check_closed(w);
        if let Some((len, at)) = w.ranged
            && self.live_len(id) > len
        {
            let message = "adding field not allowed as field set was already referenced";
            w.errors.push(self.bottom(Code::Eval, message, at));
        }
        let scalar = w.scalar.as_ref().map(|(scalar, _)| scalar.clone());
        if w.errors.is_empty()
            && !w.incomplete.is_empty()
            && let Some(scalar) = scalar
        {
            self.extra(id).scalar = Some(scalar);
        }
        let value = self.worst(w).map_or(value, |b| Some(Value::Bottom(b)));
        self.node_mut(id).value = value;
    }

    /// Whether a struct of embeddings only held `_`.
    fn embeds_top_only(&self, w: &Work) -> bool {
        !w.saw_fields
            && w.kind == Kind::TOP
            && w.kind_at.is_empty()
            && w.constraints.iter().any(|(v, _)| matches!(v, Value::Kind(Kind::TOP)))
            && self.node(w.node).arcs.len() == 0
    }

    fn store_extra(&mut self, w: &mut Work) {
        if w.patterns.is_empty()
            && w.reqs.is_empty()
            && w.opened.is_empty()
            && !w.ellipsis
            && w.lists.is_empty()
        {
            return;
        }
        let patterns = std::mem::take(&mut w.patterns);
        let tail = w.lists.iter().filter(|l| l.open).filter_map(|l| l.tail).collect::<Vec<_>>();
        let (reqs, opened, ellipsis) = (w.reqs.clone(), w.opened.clone(), w.ellipsis);
        let extra = self.extra(w.node);
        extra.patterns = patterns;
        extra.reqs = reqs;
        extra.opened = opened;
        extra.ellipsis = ellipsis;
        extra.tail =
            tail.into_iter().map(|(expr, env, origin)| super::node::Conjunct { expr, env, origin }).collect();
    }

    /// Validators of a struct or list, and a scalar that stands in one.
    fn check_struct(&mut self, w: &mut Work) {
        let constraints = std::mem::take(&mut w.constraints);
        for (constraint, at) in constraints {
            let Value::Validator(v) = &constraint else { continue };
            let known = self.node(w.node).extra.as_ref().is_some_and(|e| {
                e.validators.iter().any(|o| matches!(o, Value::Validator(o) if Arc::ptr_eq(o, v)))
            });
            if known || !w.errors.is_empty() {
                continue;
            }
            let status = std::mem::replace(&mut self.node_mut(w.node).status, Status::Expanded);
            let result = self.run_validator(v, &Value::Node(w.node), w.node);
            self.node_mut(w.node).status = status;
            match result {
                Ok(()) => {}
                Err(why) if why.code.is_incomplete() => {
                    w.incomplete.push(why);
                    self.extra(w.node).validators.push(constraint);
                }
                Err(why) => {
                    let text = self.describe(&constraint);
                    let message = format!("invalid value (does not satisfy {text}): {}", why.message);
                    let mut bottom = Bottom::new(why.code, message);
                    bottom.at = vec![at];
                    bottom.node = Some(w.node);
                    w.errors.push(Arc::new(bottom));
                }
            }
        }
    }

    /// The most severe of the node's own errors, with the others beneath it.
    fn worst(&self, w: &mut Work) -> Option<Arc<Bottom>> {
        let mut all = std::mem::take(&mut w.errors);
        if all.is_empty() && w.scalar.is_some() && w.incomplete.iter().all(|b| b.code == Code::Cycle) {
            // A known value stands, whatever a cycle back to it would make of it.
            return None;
        }
        if all.is_empty() {
            all = std::mem::take(&mut w.incomplete);
        }
        let worst = all.iter().map(|b| b.code).min()?;
        if worst == Code::Cycle && matches!(self.node(w.node).value, Some(Value::Bound(..))) {
            // a bound is known: what is missing is a concrete value
            let mut bottom = (*all[0]).clone();
            bottom.code = Code::Incomplete;
            return Some(Arc::new(bottom));
        }
        let first = all.iter().position(|b| b.code == worst)?;
        if all.len() == 1 {
            return all.pop();
        }
        let head = all.remove(first);
        let mut bottom = (*head).clone();
        bottom.causes.extend(all);
        Some(Arc::new(bottom))
    }

    /// Evaluates a node and everything below it.
    pub(crate) fn complete(&mut self, id: NodeId) {
        self.expand(id);
        let id = self.deref(id);
        if matches!(self.node(id).status, Status::Done | Status::Busy) {
            return;
        }
        if let Some(Value::Disjunction(list, _)) = self.node(id).value.clone() {
            for node in list.iter() {
                self.complete(*node);
            }
            return;
        }
        let provisional = matches!(self.node(id).status, Status::Provisional(..));
        if !provisional {
            self.node_mut(id).status = Status::Done;
        }
        self.guarded(|s| s.complete_arcs(id, false));
    }

    /// Evaluates everything below a node, and notes the worst error there.
    /// With `first_only`, stops at the first one that is not just incomplete.
    pub(super) fn complete_arcs(&mut self, id: NodeId, first_only: bool) {
        let mut worst: Option<Arc<Bottom>> = None;
        let mut i = 0;
        while i < self.node(id).arcs.len() {
            let (_, arc) = self.node(id).arcs.at(i);
            i += 1;
            if self.node(arc).constraint == Constraint::Optional || self.node(arc).conjuncts.is_empty() {
                continue;
            }
            self.complete(arc);
            if let Some(b) = self.failure(arc)
                && (!b.code.is_incomplete() || b.for_try)
                && worst.as_ref().is_none_or(|w| b.code < w.code)
            {
                worst = Some(b);
            }
            if self.fatal.is_some() || (first_only && worst.as_ref().is_some_and(|b| !b.code.is_incomplete()))
            {
                break;
            }
        }
        if worst.is_some() || self.node(id).extra.as_ref().is_some_and(|e| e.child_error.is_some()) {
            self.extra(id).child_error = worst;
        }
    }

    /// Why a completed value is not final: an error, or a field that is required and missing.
    pub(crate) fn unfinished(&mut self, id: NodeId) -> Option<Code> {
        let id = self.deref(id);
        if let Some(b) = self.failure(id) {
            return Some(b.code);
        }
        if let Some(Value::Disjunction(list, 1)) = self.node(id).value.clone() {
            return self.unfinished(list[0]);
        }
        let arcs: Vec<_> = self.node(id).arcs.iter().collect();
        for (_, arc) in arcs {
            let node = self.node(arc);
            if node.conjuncts.is_empty() || node.constraint == Constraint::Optional {
                continue;
            }
            if node.constraint == Constraint::Required {
                return Some(Code::Incomplete);
            }
            if let Some(code) = self.guarded(|s| s.unfinished(arc)) {
                return Some(code);
            }
        }
        None
    }

    /// Whether a closed struct has room for more fields.
    pub(crate) fn may_gain_fields(&self, id: NodeId) -> bool {
        let node = self.node(self.deref(id));
        node.extra.as_ref().is_some_and(|e| !e.patterns.is_empty() || e.ellipsis)
            || node.arcs.iter().any(|(_, n)| self.node(n).constraint != Constraint::Member)
    }
}

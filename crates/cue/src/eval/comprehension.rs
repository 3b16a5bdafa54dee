//! Comprehensions: running their clauses, and what they yield.

use std::sync::Arc;

use super::Eval;
use super::node::{ChainLink, EnvId, Origin, Scope, Shape, Status};
use super::work::{Item, Work, mix};
use crate::error::Code;
use crate::program::{ClauseIr, Ir};
use crate::syntax::ast::Constraint;
use crate::value::{Bottom, ExprId, NodeId, Value};

/// What a comprehension yields: the body and the scope of each step.
type Yields = Vec<(ExprId, EnvId)>;

impl Eval {
    /// Adds what a comprehension in a struct yields.
    pub(super) fn add_comprehension(&mut self, w: &mut Work, item: Item) -> Result<(), Arc<Bottom>> {
        let yielded = self.yields(w, item.env, item.expr)?;
        let many = !yielded.is_empty();
        for (n, (body, env)) in yielded.into_iter().enumerate() {
            let mut origin = item.origin;
            if many {
                let scope = self.new_group();
                let occurrence = self.new_group();
                let groups = self.groups.with(origin.groups, occurrence);
                let chain = self.new_chain(ChainLink { scope, occurrence, up: origin.chain });
                origin = Origin { groups, chain, ..origin };
            }
            let trail = mix(item.trail, u64::from(body) ^ ((n as u64 + 1) << 33));
            w.queue.push_back(Item { expr: body, env, origin, trail, ..item });
        }
        Ok(())
    }

    /// Runs a comprehension's clauses.
    pub(super) fn yields(&mut self, w: &mut Work, env: EnvId, expr: ExprId) -> Result<Yields, Arc<Bottom>> {
        let Ir::Comprehension(clauses, body, otherwise) = self.program.exprs[expr as usize].clone() else {
            return Ok(vec![(expr, env)]);
        };
        let mut out = Vec::new();
        let tries = clauses.iter().any(|c| matches!(c, ClauseIr::Try | ClauseIr::TryLet(_)));
        let ran = self.clauses(w, env, &clauses, body, &mut out);
        match ran {
            Err(b) if tries && b.skips_try() => out.clear(),
            Err(b) => return Err(b),
            Ok(()) => {}
        }
        if tries && self.try_fails(&out)?.is_some() {
            out.clear();
        }
        if out.is_empty()
            && let Some(otherwise) = otherwise
        {
            out.push((otherwise, env));
        }
        Ok(out)
    }

    fn clauses(
        &mut self,
        w: &mut Work,
        env: EnvId,
        clauses: &[ClauseIr],
        body: ExprId,
        out: &mut Yields,
    ) -> Result<(), Arc<Bottom>> {
        if !self.step() {
            return Err(self.fatal.clone().unwrap_or_else(|| self.bottom(Code::Limit, "stopped", body)));
        }
        let Some((clause, rest)) = clauses.split_first() else {
            out.push((body, env));
            return Ok(());
        };
        match clause {
            ClauseIr::If(condition) => match self.concrete(env, *condition) {
                Value::Bool(true) => self.clauses(w, env, rest, body, out),
                Value::Bool(false) => Ok(()),
                Value::Bottom(b) => Err(b),
                v if v.is_scalar() || matches!(v, Value::Node(_)) => {
                    let message =
                        format!("cannot use {} (type {}) as type bool", self.describe(&v), self.kind_of(&v));
                    Err(self.bottom(Code::Eval, message, *condition))
                }
                v => {
                    let message = format!("incomplete bool: {}", self.describe(&v));
                    Err(self.bottom(Code::Incomplete, message, *condition))
                }
            },
            ClauseIr::Let(value) | ClauseIr::TryLet(value) => {
                let node = self.anonymous(self.env_node(env), *value, env);
                let inner = self.new_env(env, Scope::Bound(node));
                if let ClauseIr::TryLet(_) = clause {
                    self.expand(node);
                    if let Some(Value::Bottom(b)) = self.node(self.deref(node)).value.clone() {
                        return Err(b);
                    }
                }
                self.clauses(w, inner, rest, body, out)
            }
            ClauseIr::Try => self.clauses(w, env, rest, body, out),
            ClauseIr::For(source) => {
                for (key, element) in self.range(w, env, *source)? {
                    let inner = self.new_env(env, Scope::For(key, element));
                    self.clauses(w, inner, rest, body, out)?;
                }
                Ok(())
            }
        }
    }

    /// The fields or elements a `for` ranges over.
    fn range(
        &mut self,
        w: &mut Work,
        env: EnvId,
        source: ExprId,
    ) -> Result<Vec<(Value, NodeId)>, Arc<Bottom>> {
        let value = self.concrete(env, source);
        let node = match value {
            Value::Node(node) => self.deref(node),
            Value::Bottom(b) => return Err(b),
            v if v.is_scalar() => {
                let text = self.program.text(source).to_owned();
                let message = format!("cannot range over {text} (found {}, want list or struct)", v.kind());
                return Err(self.bottom(Code::Eval, message, source));
            }
            v => {
                let text = self.describe(&v);
                return Err(self.bottom(
                    Code::Incomplete,
                    format!("cannot range over {text} (incomplete)"),
                    source,
                ));
            }
        };
        let original = self.node(node).original;
        let mine = self.node(w.node).original == original;
        if self.node(node).status == Status::Busy {
            if !mine {
                self.touch_busy(node);
            }
            if !w.late {
                return Err(self.bottom(Code::Incomplete, "struct is not complete yet", source));
            }
            if self.node(node).shape != Shape::Struct && self.live_len(node) == 0 {
                // the elements are what is being made
                return Err(self.bottom(Code::Incomplete, "cannot range over an incomplete list", source));
            }
        }
        if let Some(Value::Bottom(b)) = &self.node(node).value
            && (!b.code.is_incomplete() || self.node(node).arcs.len() == 0)
        {
            return Err(b.clone());
        }
        if mine && w.ranged.is_none() {
            w.ranged = Some((self.live_len(node), source));
        }
        let is_list = matches!(self.node(node).shape, Shape::List(_));
        let mut out = Vec::new();
        let arcs: Vec<_> = self.node(node).arcs.iter().collect();
        for (label, arc) in arcs {
            let n = self.node(arc);
            if n.constraint == Constraint::Optional
                || n.conjuncts.is_empty()
                || !self.program.labels.is_regular(label)
            {
                continue;
            }
            if n.constraint == Constraint::Required {
                let name = self.program.labels.text(label);
                let message = format!("missing required field in for comprehension: {name}");
                return Err(self.bottom(Code::Incomplete, message, source));
            }
            let key = match label.as_index() {
                Some(i) if is_list => Value::int(i64::try_from(i).unwrap_or(i64::MAX)),
                _ => Value::String(self.program.labels.text(label)),
            };
            out.push((key, arc));
        }
        Ok(out)
    }

    /// Whether a `try` body refers with `?` to something that is not there.
    fn try_fails(&mut self, yielded: &Yields) -> Result<Option<Arc<Bottom>>, Arc<Bottom>> {
        for (body, env) in yielded {
            let parent = self.env_node(*env);
            let node = self.anonymous(parent, *body, *env);
            self.node_mut(node).original = node;
            if let Some(b) = self.missing_optional(node, *body, *env) {
                if b.skips_try() {
                    return Ok(Some(b));
                }
                return Err(b);
            }
        }
        Ok(None)
    }

    /// Looks for `x?` in an expression whose `x` does not exist.
    fn missing_optional(&mut self, node: NodeId, expr: ExprId, env: EnvId) -> Option<Arc<Bottom>> {
        let ir = self.program.exprs[expr as usize].clone();
        match ir {
            Ir::Optional(inner) => match self.eval(env, inner) {
                // what is not there yet may still come; other errors are the body's to report
                Value::Bottom(b) if b.skips_try() || (b.code.is_incomplete() && !self.settled) => Some(b),
                _ => None,
            },
            Ir::Struct(s) => {
                let inner = self.new_env(env, Scope::Node(node));
                self.expand(node);
                for decl in &s.decls {
                    let found = match decl {
                        crate::program::DeclIr::Field(_, _, v)
                        | crate::program::DeclIr::Dynamic(_, _, v)
                        | crate::program::DeclIr::Embed(v) => self.missing_optional(node, *v, inner),
                        _ => None,
                    };
                    if found.is_some() {
                        return found;
                    }
                }
                None
            }
            Ir::List(elements) => {
                let inner = self.new_env(env, Scope::Node(node));
                elements.iter().find_map(|e| match e {
                    crate::program::ElementIr::Value(v) => self.missing_optional(node, *v, inner),
                    _ => None,
                })
            }
            Ir::Binary(_, a, b) => {
                self.missing_optional(node, a, env).or_else(|| self.missing_optional(node, b, env))
            }
            Ir::Disjunction(all, _) => all.iter().find_map(|(a, _)| self.missing_optional(node, *a, env)),
            Ir::Unary(_, a) | Ir::Selector(a, _) | Ir::Bound2(_, a) => self.missing_optional(node, a, env),
            Ir::Index(a, b) => {
                self.missing_optional(node, a, env).or_else(|| self.missing_optional(node, b, env))
            }
            Ir::Call(_, args) => args.iter().find_map(|a| self.missing_optional(node, *a, env)),
            Ir::Interpolation(_, exprs, _) => exprs.iter().find_map(|a| self.missing_optional(node, *a, env)),
            Ir::Comprehension(clauses, ..) => clauses.iter().find_map(|c| match c {
                ClauseIr::For(e) | ClauseIr::If(e) => self.missing_optional(node, *e, env),
                _ => None,
            }),
            _ => None,
        }
    }
}

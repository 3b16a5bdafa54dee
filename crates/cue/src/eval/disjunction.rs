//! Disjunctions: one copy of the node per alternative, dropped as soon as it fails.

use std::sync::Arc;

use super::Eval;
use super::node::{Arcs, NO_NODE, Shape, Status};
use super::work::{Alternatives, Choice, Mark, Pending, Work};
use crate::error::Code;
use crate::program::Ir;
use crate::value::{Bottom, NodeId, Value};

/// A combination of alternatives that holds.
struct Leaf {
    node: NodeId,
    choices: Vec<Choice>,
    /// It refers to a field that does not exist: kept only when nothing else is left.
    missing: bool,
}

impl Eval {
    /// Evaluates every combination of the alternatives a node has left.
    pub(super) fn disjoin(&mut self, w: &mut Work) {
        let mut errors = Vec::new();
        if !w.errors.is_empty() {
            w.pending.clear();
            self.finish(w);
            return;
        }
        let leaves = self.split(w, &mut errors);
        self.collect(w, leaves, errors);
    }

    /// Picks the next disjunction and follows each of its alternatives.
    fn split(&mut self, w: &mut Work, errors: &mut Vec<Arc<Bottom>>) -> Vec<Leaf> {
        let at = self.next_pending(w);
        let pending = w.pending.remove(at);
        let mut leaves: Vec<Leaf> = Vec::new();
        for i in 0..pending.alternatives.len() {
            if self.fatal.is_some() || leaves.len() > self.limits.disjuncts {
                self.stop(format!("more than {} disjuncts", self.limits.disjuncts));
                break;
            }
            if let Some(error) = self.quick_reject(w, &pending, i) {
                errors.push(error);
                continue;
            }
            let mark = pending.alternatives.mark(i);
            let alternative = u32::try_from(i).unwrap_or(u32::MAX);
            let choice = Choice {
                trail: pending.item.trail,
                from: (pending.item.expr, pending.item.env),
                salt: pending.item.salt,
                alternative,
                mark,
                within: pending.item.choice,
            };
            let mut choices = w.choices.clone();
            choices.push(choice);
            let found = self.guarded(|s| s.attempt_choice(w.node, choices, errors));
            self.merge(&mut leaves, found);
        }
        leaves
    }

    /// Nested disjunctions go first: their marks combine with the one they are in.
    fn next_pending(&self, w: &Work) -> usize {
        w.pending.iter().position(|p| p.item.choice.is_some()).unwrap_or(0)
    }

    /// Adds combinations, keeping one of each value.
    fn merge(&mut self, leaves: &mut Vec<Leaf>, found: Vec<Leaf>) {
        for leaf in found {
            let same = leaves.iter().position(|l| {
                let (a, b) = (l.node, leaf.node);
                same_marks(&l.choices, &leaf.choices) && self.equal_nodes(a, b)
            });
            if same.is_none() {
                leaves.push(leaf);
            }
        }
    }

    /// Drops an alternative that cannot hold without evaluating the whole node.
    fn quick_reject(&mut self, w: &Work, pending: &Pending, i: usize) -> Option<Arc<Bottom>> {
        let Alternatives::Exprs(list, _) = &pending.alternatives else { return None };
        let expr = list[i].0;
        let Ir::Value(value) = &self.program.exprs[expr as usize] else { return None };
        let clash = match &w.scalar {
            Some((scalar, _)) if value.is_scalar() => !scalar.same_scalar(value),
            _ => match value {
                Value::Kind(k) => k.and(w.kind).is_empty(),
                v if v.is_scalar() => v.kind().and(w.kind).is_empty(),
                _ => false,
            },
        };
        if !clash {
            return None;
        }
        let known = w.scalar.as_ref().map_or_else(|| w.kind.to_string(), |(s, _)| self.describe(s));
        let message = format!("conflicting values {known} and {}", self.describe(&value.clone()));
        let mut bottom = Bottom::new(Code::Eval, message);
        bottom.at = w.scalar.iter().map(|(_, at)| *at).chain([expr]).collect();
        bottom.node = Some(w.node);
        Some(Arc::new(bottom))
    }

    /// Evaluates a copy of the node with the choices made so far.
    fn attempt_choice(
        &mut self,
        node: NodeId,
        choices: Vec<Choice>,
        errors: &mut Vec<Arc<Bottom>>,
    ) -> Vec<Leaf> {
        if !self.step() {
            return Vec::new();
        }
        let copy = self.copy_node(node);
        self.push_frame(copy);
        let mut work = Work::new(copy, choices);
        self.run(&mut work);
        let mut leaves = Vec::new();
        if !work.errors.is_empty() {
            errors.push(work.errors[0].clone());
        } else if work.pending.is_empty() {
            self.finish(&mut work);
            self.extra(copy).choices.clone_from(&work.choices);
            self.node_mut(copy).status = Status::Expanded;
            self.complete_arcs(copy, true);
            match self.failure(copy) {
                Some(b) if !b.code.is_incomplete() => errors.push(b),
                failed => {
                    let missing = failed.is_some_and(|b| b.for_try);
                    leaves.push(Leaf { node: copy, choices: work.choices.clone(), missing });
                }
            }
        } else {
            leaves = self.split(&mut work, errors);
        }
        self.frames.pop();
        self.node_mut(copy).status = Status::Expanded;
        leaves
    }

    fn copy_node(&mut self, id: NodeId) -> NodeId {
        let source = self.node(id);
        let (parent, label, constraint) = (source.parent, source.label, source.constraint);
        let (original, conjuncts) = (source.original, source.conjuncts.clone());
        let copy = self.new_node(parent, label, constraint);
        let node = self.node_mut(copy);
        node.original = original;
        node.conjuncts = conjuncts;
        node.arcs = Arcs::default();
        copy
    }

    /// The error that makes a node fail, its own or one below.
    pub(crate) fn failure(&self, id: NodeId) -> Option<Arc<Bottom>> {
        let node = self.node(self.deref(id));
        if let Some(Value::Bottom(b)) = &node.value {
            return Some(b.clone());
        }
        node.extra.as_ref().and_then(|e| e.child_error.clone())
    }

    /// Makes the node's value from the combinations that are left.
    fn collect(&mut self, w: &mut Work, mut leaves: Vec<Leaf>, errors: Vec<Arc<Bottom>>) {
        if leaves.iter().any(|l| !l.missing) {
            leaves.retain(|l| !l.missing);
        }
        if leaves.is_empty() {
            let bottom = match &self.fatal {
                Some(b) => b.clone(),
                None => empty_disjunction(w.node, errors),
            };
            // fields around the disjunction are not the error's
            self.drop_fields(w.node);
            self.node_mut(w.node).value = Some(Value::Bottom(bottom));
            return;
        }
        drop_dead_marks(&mut leaves);
        let marked: Vec<(NodeId, Mark)> = leaves.iter().map(|l| (l.node, combined(&l.choices))).collect();
        let has_default = marked.iter().any(|(_, m)| *m == Mark::Default);
        let mut defaults: Vec<NodeId> = Vec::new();
        let mut rest: Vec<NodeId> = Vec::new();
        for (node, mark) in &marked {
            if has_default && *mark == Mark::Default && !self.known(&defaults, *node) {
                defaults.push(*node);
            }
        }
        for (node, _) in &marked {
            if !self.known(&defaults, *node) && !self.known(&rest, *node) {
                rest.push(*node);
            }
        }
        let count = defaults.len();
        let mut all = defaults;
        all.extend(rest);
        let node = self.node_mut(w.node);
        node.shape = Shape::Plain;
        if all.len() == 1 {
            node.forward = all[0];
            node.value = None;
        } else {
            node.forward = NO_NODE;
            node.value = Some(Value::Disjunction(all.into(), count));
        }
    }

    fn known(&mut self, list: &[NodeId], node: NodeId) -> bool {
        list.iter().any(|n| *n == node || self.equal_nodes(*n, node))
    }
}

fn empty_disjunction(node: NodeId, mut errors: Vec<Arc<Bottom>>) -> Arc<Bottom> {
    if errors.len() == 1 {
        return errors.remove(0);
    }
    let code = errors.iter().map(|e| e.code).min().unwrap_or(Code::Eval);
    let mut bottom = Bottom::new(code, format!("{} errors in empty disjunction:", errors.len()));
    bottom.at = errors.iter().flat_map(|e| e.at.iter().copied()).take(16).collect();
    bottom.node = Some(node);
    bottom.causes = errors;
    Arc::new(bottom)
}

/// A disjunction none of whose defaults is left has no defaults.
fn drop_dead_marks(leaves: &mut [Leaf]) {
    let alive: std::collections::HashSet<u64> = leaves
        .iter()
        .flat_map(|l| l.choices.iter().filter(|c| c.mark == Mark::Default).map(|c| c.trail))
        .collect();
    for choice in leaves.iter_mut().flat_map(|l| l.choices.iter_mut()) {
        if choice.mark == Mark::NotDefault && !alive.contains(&choice.trail) {
            choice.mark = Mark::Dropped;
        }
    }
}

fn same_marks(a: &[Choice], b: &[Choice]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(x, y)| x.trail == y.trail && x.mark == y.mark && x.within == y.within)
}

fn both(a: Mark, b: Mark) -> Mark {
    match (a, b) {
        (Mark::NotDefault, _) | (_, Mark::NotDefault) => Mark::NotDefault,
        (Mark::Default, _) | (_, Mark::Default) => Mark::Default,
        _ => Mark::Open,
    }
}

/// Whether a combination of alternatives is a default: rules U and M of the specification.
fn combined(choices: &[Choice]) -> Mark {
    let mut inner = vec![Mark::Open; choices.len()];
    let mut result = Mark::Open;
    for (i, choice) in choices.iter().enumerate().rev() {
        let own = match choice.mark {
            Mark::Open => inner[i],
            Mark::Dropped => Mark::Open,
            Mark::NotDefault => Mark::NotDefault,
            Mark::Default if inner[i] == Mark::NotDefault => Mark::NotDefault,
            Mark::Default => Mark::Default,
        };
        match choice.within {
            Some(within) if usize::from(within) < i => {
                let slot = &mut inner[usize::from(within)];
                *slot = both(*slot, own);
            }
            _ => result = both(result, own),
        }
    }
    result
}

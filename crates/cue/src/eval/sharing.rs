//! Chains of references: what was followed on the way to a conjunct, and sharing, which is a value in place of the
//! conjuncts that led to it, where that says the same.

use super::Eval;
use super::node::{Conjunct, LONG_RUN, NIL, NO_ENV, NO_NODE, OPEN, Origin, RefLink, Shape, Status};
use super::work::{Item, Work};
use crate::program::{Ir, Label};
use crate::syntax::ast::Constraint;
use crate::value::{ExprId, Kind, NodeId, Value};

/// Where a reference was followed before, on the way to the conjunct it stands in.
pub(super) enum Earlier {
    /// The very same from the very same node.
    Here,
    /// Its target, from another node.
    Above,
    Never,
}

/// From how many references on a settled value stands for its conjuncts: short chains keep the places of all conjuncts, for
/// errors to name, and long ones do not cost the square of their length.
const FAR: u32 = 8;

impl Eval {
    /// A reference that is followed from `node`.
    pub(super) fn new_ref(
        &mut self,
        expr: ExprId,
        target: NodeId,
        node: NodeId,
        discounted: bool,
        up: u32,
    ) -> u32 {
        let id = u32::try_from(self.refs.len()).unwrap_or(NIL - 1);
        let (run, base) = match self.refs.get(up as usize) {
            Some(before) if before.node == node && before.run >= LONG_RUN => (before.run + 1, before.base),
            Some(before) if before.node == node => (before.run + 1, id),
            _ => (1, id),
        };
        if run > LONG_RUN {
            self.long_runs.insert((node, target));
        }
        self.refs.push(RefLink { expr, target, node, discounted, up, run, base });
        id
    }

    /// Looks for `target` among the references that led to a conjunct of `here`.
    pub(super) fn earlier(&mut self, item: Item, target: NodeId, here: NodeId) -> Earlier {
        let mut link = item.origin.refs;
        let mut earlier = Earlier::Never;
        while link != NIL {
            let r = self.refs[link as usize];
            // a long chain of references is work, too
            self.steps += 1;
            if r.run > LONG_RUN && !self.long_runs.contains(&(r.node, target)) {
                link = r.base;
                continue;
            }
            if r.target == target {
                if r.node == here && r.expr == item.expr {
                    return Earlier::Here;
                }
                if !r.discounted && r.node != here {
                    earlier = Earlier::Above;
                }
            }
            link = r.up;
        }
        earlier
    }

    /// Whether so many references were followed that a value is shared where that says the same.
    pub(super) fn is_far(&self, mut link: u32) -> bool {
        let mut links = 0;
        while link != NIL && links < FAR {
            link = self.refs[link as usize].up;
            links += 1;
        }
        links == FAR
    }

    /// The type or constraint that a node is, where nothing of it is open any more.
    pub(super) fn settled_value(&self, target: NodeId) -> Option<Value> {
        let target = self.deref(target);
        let node = self.node(target);
        let ended = matches!(node.status, Status::Expanded | Status::Done);
        let plain = node.shape == Shape::Plain && node.arcs.len() == 0;
        let value = node.value.as_ref().filter(|_| ended && plain)?;
        let whole = value.is_scalar() || matches!(value, Value::Kind(_) | Value::Bound(..) | Value::Conj(_));
        whole.then(|| value.clone())
    }

    /// Adds the fields of a struct that a long chain of references leads to, in place of the conjuncts it was made from.
    /// False where these may say more than the fields do: nothing is added then.
    pub(super) fn share_struct(&mut self, w: &mut Work, target: NodeId, item: Item, closes: bool) -> bool {
        if self.node(target).status == Status::New {
            self.expand(target);
        }
        let target = self.deref(target);
        let barred = item.muted || self.groups.contains(item.origin.groups, OPEN);
        if barred || !self.is_settled_struct(target, closes) {
            return false;
        }
        let mut origin = item.origin;
        if closes {
            let def = self.new_def(origin.chain, NO_NODE);
            origin.groups = self.groups.with(origin.groups, def);
            origin.below = origin.chain;
        }
        w.saw_struct = true;
        w.saw_fields = true;
        self.restrict_kind(w, Kind::STRUCT, item.expr);
        if self.node(w.node).shape == Shape::Plain {
            self.node_mut(w.node).shape = Shape::Struct;
        }
        self.anchor(w, item);
        if origin.groups != 0 && !w.struct_groups.contains(&origin.groups) {
            w.struct_groups.push(origin.groups);
        }
        self.require_groups(w, origin.groups);
        let field = Origin { chain: origin.below, ..origin };
        for i in 0..self.node(target).arcs.len() {
            let (label, arc) = self.node(target).arcs.at(i);
            self.share_field(w, label, arc, field);
        }
        true
    }

    fn share_field(&mut self, w: &mut Work, label: Label, arc: NodeId, origin: Origin) {
        let constraint = self.node(arc).constraint;
        if self.is_literal(arc) {
            for i in 0..self.node(arc).conjuncts.len() {
                let expr = self.node(arc).conjuncts[i].expr;
                self.add_arc(w.node, label, constraint, Conjunct { expr, env: NO_ENV, origin });
            }
            return;
        }
        let Some(at) = self.written_at(arc) else { return };
        let expr = self.value_expr(Value::Node(arc), at);
        self.add_arc(w.node, label, constraint, Conjunct { expr, env: NO_ENV, origin });
    }

    /// Whether a struct is its fields and nothing else, and they are the same wherever they are put.
    fn is_settled_struct(&mut self, id: NodeId, closes: bool) -> bool {
        let node = self.node(id);
        let ended = matches!(node.status, Status::Expanded | Status::Done);
        if !ended || node.shape != Shape::Struct || node.value.is_some() || node.arcs.len() == 0 {
            return false;
        }
        let plain = node.extra.as_ref().is_none_or(|e| {
            (closes || e.reqs.is_empty())
                && !e.ellipsis
                && e.patterns.is_empty()
                && e.opened.is_empty()
                && e.validators.is_empty()
                && e.choices.is_empty()
                && e.child_error.is_none()
        });
        plain
            && (0..self.node(id).arcs.len()).all(|i| {
                let (label, arc) = self.node(id).arcs.at(i);
                self.is_settled_field(label, arc, closes)
            })
    }

    fn is_settled_field(&mut self, label: Label, id: NodeId, closes: bool) -> bool {
        if self.node(id).conjuncts.is_empty() || self.is_literal(id) {
            return true;
        }
        // what a definition closes below its fields is for the conjuncts to say
        if closes || self.node(id).constraint != Constraint::Member || !self.program.labels.is_regular(label)
        {
            return false;
        }
        let structs = self.node(id).conjuncts.iter().all(|c| {
            matches!(&self.program.exprs[c.expr as usize], Ir::Struct(_) | Ir::Value(Value::Node(_)))
        });
        if structs && self.node(id).status == Status::New {
            self.expand(id);
        }
        structs && self.node(id).forward == NO_NODE && self.is_settled_struct(id, false)
    }

    /// Whether a field was given scalars and types only, as they stand in the source.
    fn is_literal(&self, id: NodeId) -> bool {
        self.node(id).conjuncts.iter().all(|c| match &self.program.exprs[c.expr as usize] {
            Ir::Value(value) => value.is_scalar() || matches!(value, Value::Kind(_)),
            _ => false,
        })
    }
}

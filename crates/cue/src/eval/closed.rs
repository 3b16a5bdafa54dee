//! Closedness: which fields the definitions a node was built from allow.
//!
//! Every reference to a definition opens a group; the conjuncts it adds, and all below them, belong to
//! it. A node with a struct of a group allows only fields with a conjunct of that group, fields the
//! group's own `...` lets in, and, for a definition embedded in a struct, that struct's other fields.

use std::sync::Arc;

use super::Eval;
use super::node::{ChainLink, EnvId, NIL, NO_NODE};
use super::work::Work;
use crate::error::Code;
use crate::program::Label;
use crate::syntax::ast::Constraint;
use crate::value::{Bottom, ExprId, Kind, NodeId, Value};

impl Eval {
    /// Closes the node to the definitions a struct literal belongs to.
    pub(super) fn require_groups(&mut self, w: &mut Work, groups: u32) {
        if groups == 0 {
            return;
        }
        let here = self.node(w.node).original;
        let ids = self.groups.get(groups).clone();
        for id in ids.iter() {
            let Some(info) = self.defs.get(id) else { continue };
            if (info.only == NO_NODE || info.only == here) && !w.reqs.contains(id) {
                w.reqs.push(*id);
            }
        }
    }

    /// A definition embedded in a struct closes what is below the struct's other fields, too, as far down as that struct
    /// says what is there: a field it leaves open (`_`) stays open.
    pub(super) fn inherit_groups(&mut self, w: &mut Work) {
        let parent = self.node(w.node).parent;
        let label = self.node(w.node).label;
        if parent == NO_NODE || label.as_index().is_some() || !self.program.labels.is_regular(label) {
            return;
        }
        let Some(extra) = &self.node(parent).extra else { return };
        let conjuncts = &self.node(w.node).conjuncts;
        for id in extra.reqs.iter().filter(|id| !extra.opened.contains(id)) {
            let Some(def) = self.defs.get(id).filter(|def| def.chain != NIL && def.only == NO_NODE) else {
                continue;
            };
            if w.struct_groups.iter().any(|groups| self.is_beside(*groups, def.chain))
                && !w.reqs.contains(id)
                && !conjuncts.iter().any(|c| self.groups.contains(c.origin.groups, *id))
            {
                w.reqs.push(*id);
            }
        }
    }

    /// Reports the fields that are not allowed.
    pub(super) fn check_closed(&mut self, w: &mut Work) {
        if w.reqs.is_empty() {
            return;
        }
        let open: Vec<u32> = w.reqs.iter().copied().filter(|id| !w.opened.contains(id)).collect();
        if open.is_empty() {
            return;
        }
        let arcs: Vec<(Label, NodeId)> = self.node(w.node).arcs.iter().collect();
        for (label, arc) in arcs {
            let node = self.node(arc);
            if node.constraint == Constraint::Optional
                || node.conjuncts.is_empty()
                || label.as_index().is_some()
                || !self.program.labels.is_regular(label)
            {
                continue;
            }
            if open.iter().all(|id| self.allows(*id, arc, &w.opened)) {
                continue;
            }
            if self.is_endless(arc) {
                continue;
            }
            let text = self.program.labels.text(label);
            let mut bottom = Bottom::new(Code::Eval, format!("{text}: field not allowed"));
            bottom.at = self.node(arc).conjuncts.iter().map(|c| c.expr).take(4).collect();
            bottom.node = Some(arc);
            bottom.hint = self.did_you_mean(w.node, &text);
            let bottom = Arc::new(bottom);
            // The field itself fails, and with it the struct.
            let arc_node = self.node_mut(arc);
            arc_node.value = Some(Value::Bottom(bottom.clone()));
            arc_node.status = super::node::Status::Done;
            self.extra(w.node).child_error = Some(bottom.clone());
            w.disallowed.push(bottom);
        }
    }

    /// Whether a field only goes round in a structural cycle: that is its error then, not that it is refused.
    fn is_endless(&mut self, arc: NodeId) -> bool {
        if !self.node(arc).conjuncts.iter().any(|c| c.origin.cyclic) {
            return false;
        }
        self.expand(arc);
        matches!(&self.node(arc).value, Some(Value::Bottom(b)) if b.code == Code::StructuralCycle)
    }

    fn allows(&self, id: u32, arc: NodeId, opened: &[u32]) -> bool {
        let conjuncts = &self.node(arc).conjuncts;
        if conjuncts.iter().any(|c| self.groups.contains(c.origin.groups, id)) {
            return true;
        }
        let chain = self.defs.get(&id).map_or(NIL, |d| d.chain);
        self.links(chain).any(|l| opened.contains(&l.scope))
            || conjuncts.iter().any(|c| self.is_beside(c.origin.groups, chain))
    }

    /// The embeddings of a chain, innermost first.
    fn links(&self, chain: u32) -> impl Iterator<Item = ChainLink> + '_ {
        let mut next = chain;
        std::iter::from_fn(move || {
            let link = *self.chains.get(next as usize)?;
            next = link.up;
            Some(link)
        })
    }

    /// Whether what has these groups stands beside one of a chain's embeddings, in the same struct.
    fn is_beside(&self, groups: u32, chain: u32) -> bool {
        self.links(chain)
            .any(|l| self.groups.contains(groups, l.scope) && !self.groups.contains(groups, l.occurrence))
    }

    /// Whether a node is closed and has no place for a label.
    pub(crate) fn is_closed_to(&mut self, id: NodeId, label: Label) -> bool {
        let id = self.deref(id);
        let Some(extra) = &self.node(id).extra else {
            return self.is_defined_closed(id) && self.program.labels.is_regular(label);
        };
        let closed = extra.reqs.iter().any(|r| !extra.opened.contains(r));
        if !closed && (extra.ellipsis || !self.is_defined_closed(id)) {
            return false;
        }
        if !self.program.labels.is_regular(label) {
            return false;
        }
        let patterns = extra.patterns.clone();
        !patterns.iter().any(|p| {
            let value = match &p.known {
                Some(v) => v.clone(),
                None => self.pattern_value(p.env, p.pattern),
            };
            self.label_matches(&value, label)
        })
    }

    /// Whether a node refuses fields it does not name.
    pub(crate) fn is_closed(&self, id: NodeId) -> bool {
        let id = self.deref(id);
        match &self.node(id).extra {
            Some(extra) => {
                extra.reqs.iter().any(|r| !extra.opened.contains(r))
                    || (self.is_defined_closed(id) && !extra.ellipsis)
            }
            None => self.is_defined_closed(id),
        }
    }

    /// The value of a pattern's expression.
    pub(super) fn pattern_value(&mut self, env: EnvId, pattern: ExprId) -> Value {
        let value = self.eval(env, pattern);
        match &value {
            Value::Node(_) => {
                Value::Bottom(self.bottom(Code::Eval, "invalid pattern: want a string constraint", pattern))
            }
            _ => value,
        }
    }

    /// Whether a label satisfies a pattern's value.
    pub(super) fn label_matches(&mut self, pattern: &Value, label: Label) -> bool {
        match pattern {
            Value::Kind(k) => k.has(Kind::STRING),
            Value::Bottom(_) => false,
            Value::Disjunction(list, _) => list.iter().any(|n| {
                let value = self.node(self.deref(*n)).value.clone();
                value.is_some_and(|v| self.label_matches(&v, label))
            }),
            Value::Conj(all) => all.iter().all(|v| self.label_matches(v, label)),
            Value::Bound(op, limit) => {
                let text = Value::String(self.program.labels.text(label));
                if !pattern.kind().has(Kind::STRING) {
                    return false;
                }
                super::scalar::within(&text, *op, limit).unwrap_or(false)
            }
            Value::String(s) => *s == self.program.labels.text(label),
            Value::Validator(v) => {
                let text = Value::String(self.program.labels.text(label));
                self.run_validator(v, &text, NO_NODE).is_ok()
            }
            _ => false,
        }
    }

    /// The known field most like a name that is not there.
    pub(super) fn did_you_mean(&self, id: NodeId, name: &str) -> Option<String> {
        let id = self.deref(id);
        let mut best: Option<(usize, Arc<str>)> = None;
        for (label, arc) in self.node(id).arcs.iter().take(200) {
            let text = self.program.labels.text(label);
            if self.node(arc).conjuncts.is_empty() || *text == *name || label.as_index().is_some() {
                continue;
            }
            let distance = edit_distance(name, &text);
            if distance <= 1 + name.len() / 4 && best.as_ref().is_none_or(|(d, _)| distance < *d) {
                best = Some((distance, text));
            }
        }
        best.map(|(_, text)| format!("did you mean {text}?"))
    }
}

/// How many letters must be put in, left out or changed; only the first 64 of each text count.
pub(crate) fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = usize::from(x != *y);
            let next = (diagonal + cost).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

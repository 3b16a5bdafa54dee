//! Lists: literals, their lengths, and the element type of open tails.

use std::sync::Arc;

use super::Eval;
use super::node::{Conjunct, NIL, Origin, Scope, Shape};
use super::work::{Item, ListPart, Task, Waiting, Work};
use crate::error::Code;
use crate::limits;
use crate::program::{ElementIr, Ir, Label};
use crate::syntax::ast::Constraint;
use crate::value::{Bottom, ExprId, Kind};

impl Eval {
    /// Adds a list literal; one with comprehensions waits for what they range over.
    pub(super) fn add_list(&mut self, w: &mut Work, elements: &Arc<Vec<ElementIr>>, item: Item) {
        self.restrict_kind(w, Kind::LIST, item.expr);
        self.anchor(w, item);
        if self.node(w.node).shape == Shape::Plain {
            self.node_mut(w.node).shape = Shape::List(true);
        }
        if elements.iter().any(|e| matches!(e, ElementIr::Comprehension(_))) {
            w.tasks.push(Waiting { task: Task::List(item), why: None });
            return;
        }
        let env = self.new_env(item.env, Scope::Node(w.node));
        let mut items = Vec::with_capacity(elements.len());
        let mut tail = None;
        for element in elements.iter() {
            match element {
                ElementIr::Value(e) => items.push((*e, env)),
                ElementIr::Ellipsis(t) => tail = Some(*t),
                ElementIr::Comprehension(_) => {}
            }
        }
        self.place(w, &items, tail, env, item);
    }

    pub(super) fn add_list_task(&mut self, w: &mut Work, item: Item) -> Result<(), Arc<Bottom>> {
        let Ir::List(elements) = self.program.exprs[item.expr as usize].clone() else { return Ok(()) };
        let env = self.new_env(item.env, Scope::Node(w.node));
        let mut items = Vec::new();
        let mut tail = None;
        for element in elements.iter() {
            match element {
                ElementIr::Value(e) => items.push((*e, env)),
                ElementIr::Ellipsis(t) => tail = Some(*t),
                ElementIr::Comprehension(c) => {
                    for (body, inner) in self.yields(w, env, *c)? {
                        items.push((body, inner));
                    }
                }
            }
            if items.len() > limits::LIST_LEN {
                return Err(self.bottom(Code::Eval, "list is too long", item.expr));
            }
        }
        self.place(w, &items, tail, env, item);
        Ok(())
    }

    fn place(
        &mut self,
        w: &mut Work,
        items: &[(ExprId, u32)],
        tail: Option<Option<ExprId>>,
        env: u32,
        item: Item,
    ) {
        let origin = Origin { chain: NIL, below: NIL, ..item.origin };
        for (i, (expr, env)) in items.iter().enumerate() {
            let conjunct = Conjunct { expr: *expr, env: *env, origin };
            self.add_arc(w.node, Label::index(i), Constraint::Member, conjunct);
        }
        w.lists.push(ListPart {
            len: items.len(),
            open: tail.is_some(),
            tail: tail.flatten().map(|t| (t, env, origin)),
            at: item.expr,
            applied: items.len(),
        });
        let closed = w.lists.iter().any(|l| !l.open);
        self.node_mut(w.node).shape = Shape::List(!closed);
    }

    /// Applies the tails of open lists to longer ones, and checks lengths.
    pub(super) fn grow_lists(&mut self, w: &mut Work) -> bool {
        if w.lists.is_empty() {
            return false;
        }
        let longest = w.lists.iter().map(|l| l.len).max().unwrap_or(0);
        let mut progress = false;
        for i in 0..w.lists.len() {
            let part = w.lists[i].clone();
            if part.applied >= longest {
                continue;
            }
            w.lists[i].applied = longest;
            if !part.open {
                let other = w.lists.iter().find(|l| l.len == longest).map_or(part.at, |l| l.at);
                let message = format!("incompatible list lengths ({} and {longest})", part.len);
                let mut bottom = Bottom::new(Code::Eval, message);
                bottom.at = vec![part.at, other];
                bottom.node = Some(w.node);
                w.errors.push(Arc::new(bottom));
                continue;
            }
            let Some((expr, env, origin)) = part.tail else { continue };
            for n in part.applied..longest {
                let conjunct = Conjunct { expr, env, origin };
                self.add_arc(w.node, Label::index(n), Constraint::Member, conjunct);
                progress = true;
            }
        }
        progress
    }
}

//! Takes a node's conjuncts in, until nothing more can be learnt from them.

use super::node::{ChainLink, Conjunct, NO_NODE, Origin, Scope, Shape, Status};
use super::work::{Alternatives, Choice, Item, Pending, Task, Waiting, Work, mix};
use super::{Eval, Frame, UNTAINTED};
use crate::builtin;
use crate::error::Code;
use crate::program::{DeclIr, Ir, Label, StructIr};
use crate::syntax::ast::{BinaryOp, Constraint};
use crate::value::{ExprId, Kind, NodeId, Value};

const MAX_RESTARTS: u32 = 20;

impl Eval {
    /// Evaluates a node: its own value and the set of its fields, not what is below.
    pub(crate) fn expand(&mut self, id: NodeId) {
        match self.node(id).status {
            Status::Busy | Status::Expanded | Status::Done => return,
            Status::Provisional(frame, serial, progress) => {
                let same = self
                    .frames
                    .get(frame as usize)
                    .is_some_and(|f| f.serial == serial && f.progress == progress);
                if same {
                    self.taint = self.taint.min(frame);
                    return;
                }
                self.reset(id);
            }
            Status::New => {}
        }
        let refused =
            if self.step_in(id) && self.may_nest(id, None) { self.too_deep(id) } else { self.fatal.clone() };
        if let Some(refused) = refused {
            let node = self.node_mut(id);
            node.value = Some(Value::Bottom(refused));
            node.status = Status::Expanded;
            return;
        }
        self.guarded(|s| s.expand_now(id));
    }

    fn expand_now(&mut self, id: NodeId) {
        let outer = std::mem::replace(&mut self.taint, UNTAINTED);
        let frame = u32::try_from(self.frames.len()).unwrap_or(UNTAINTED - 1);
        self.push_frame(id);
        for _ in 0..=MAX_RESTARTS {
            let mut work = Work::new(id, Vec::new());
            self.run(&mut work);
            if work.pending.is_empty() {
                self.finish(&mut work);
            } else {
                self.disjoin(&mut work);
            }
            let late = self.node(id).conjuncts.len() > work.taken || self.wants_restart(id);
            if !late || self.fatal.is_some() {
                break;
            }
            self.clear(id);
        }
        let done = self.frames.pop();
        debug_assert!(done.is_some_and(|f| f.node == id), "frames are pushed and popped in pairs");
        let status = if self.taint < frame {
            let f = self.frames[self.taint as usize];
            Status::Provisional(self.taint, f.serial, f.progress)
        } else {
            self.taint = UNTAINTED;
            Status::Expanded
        };
        self.node_mut(id).status = status;
        self.taint = self.taint.min(outer);
    }

    pub(super) fn push_frame(&mut self, node: NodeId) {
        self.serial += 1;
        self.frames.push(Frame { node, serial: self.serial, progress: 0 });
        self.node_mut(node).status = Status::Busy;
    }

    fn wants_restart(&mut self, id: NodeId) -> bool {
        match &mut self.node_mut(id).extra {
            Some(extra) => std::mem::take(&mut extra.restart),
            None => false,
        }
    }

    /// Notes that an unfinished node was looked at.
    pub(crate) fn touch_busy(&mut self, id: NodeId) {
        let original = self.node(id).original;
        let at = self.frames.iter().position(|f| f.node == id || f.node == original);
        if let Some(at) = at {
            self.taint = self.taint.min(u32::try_from(at).unwrap_or(UNTAINTED));
        }
    }

    fn note_progress(&mut self, id: NodeId) {
        if let Some(f) = self.frames.iter_mut().rev().find(|f| f.node == id) {
            f.progress += 1;
        }
    }

    /// Forgets what was computed for a node, keeping its conjuncts.
    pub(super) fn reset(&mut self, id: NodeId) {
        self.clear(id);
        self.node_mut(id).status = Status::New;
    }

    pub(super) fn clear(&mut self, id: NodeId) {
        let node = self.node_mut(id);
        node.value = None;
        node.shape = Shape::Plain;
        node.forward = NO_NODE;
        if let Some(extra) = &mut node.extra {
            let subscribers = std::mem::take(&mut extra.subscribers);
            let mute_first = extra.mute_first;
            **extra = super::node::Extra { subscribers, mute_first, ..Default::default() };
        }
        self.drop_fields(id);
    }

    /// Leaves a node without fields.
    pub(super) fn drop_fields(&mut self, id: NodeId) {
        for i in 0..self.node(id).arcs.len() {
            let (_, arc) = self.node(id).arcs.at(i);
            if self.node(arc).status != Status::Busy {
                self.node_mut(arc).conjuncts.clear();
                self.reset(arc);
            }
        }
    }

    /// Has a node evaluated anew, because something it was built from changed.
    fn dirty(&mut self, id: NodeId) {
        match self.node(id).status {
            Status::New => {}
            Status::Busy => self.extra(id).restart = true,
            _ => self.reset(id),
        }
        let mut up = self.node(id).parent;
        while up != NO_NODE && self.node(up).status == Status::Done {
            self.node_mut(up).status = Status::Expanded;
            up = self.node(up).parent;
        }
    }

    /// Adds a conjunct to a field, making the field if needed.
    pub(super) fn add_arc(
        &mut self,
        parent: NodeId,
        label: Label,
        constraint: Constraint,
        conjunct: Conjunct,
    ) {
        let arc = match self.node(parent).arcs.get(label) {
            Some(arc) => arc,
            None => {
                let arc = self.new_node(parent, label, constraint);
                self.node_mut(parent).arcs.push(label, arc);
                arc
            }
        };
        let node = self.node_mut(arc);
        if node.conjuncts.is_empty() {
            node.constraint = constraint;
        } else {
            let stronger = constraint < node.constraint;
            node.constraint = node.constraint.min(constraint);
            if node.conjuncts.contains(&conjunct) {
                if stronger {
                    self.note_progress(parent);
                }
                return;
            }
        }
        let node = self.node_mut(arc);
        node.conjuncts.push(conjunct);
        let status = node.status;
        if !matches!(status, Status::New | Status::Busy) {
            self.reset(arc);
        }
        self.note_progress(parent);
        let subscribers = self.node(arc).extra.as_ref().map_or_else(Vec::new, |e| e.subscribers.clone());
        for subscriber in subscribers {
            self.dirty(subscriber);
        }
    }

    /// Runs a node's conjuncts and tasks to a standstill.
    pub(super) fn run(&mut self, w: &mut Work) {
        loop {
            if !self.step() {
                return;
            }
            let node = self.node(w.node);
            if w.taken < node.conjuncts.len() {
                let c = node.conjuncts[w.taken];
                w.taken += 1;
                let muted = w.taken == 1 && node.extra.as_ref().is_some_and(|e| e.mute_first);
                let trail = mix(u64::from(c.expr), u64::from(c.env));
                w.queue.push_back(Item {
                    expr: c.expr,
                    env: c.env,
                    origin: c.origin,
                    trail,
                    choice: None,
                    muted,
                    key: c.origin.groups,
                    salt: 0,
                });
            }
            if let Some(item) = w.queue.pop_front() {
                self.take(w, item);
                continue;
            }
            if w.taken < self.node(w.node).conjuncts.len() {
                continue;
            }
            if self.match_patterns(w) || self.grow_lists(w) {
                continue;
            }
            if (0..3).any(|class| self.run_tasks(w, class)) {
                continue;
            }
            if self.run_cyclic(w) {
                continue;
            }
            if !w.late && w.pending.is_empty() && !w.tasks.is_empty() {
                w.late = true;
                continue;
            }
            return;
        }
    }

    fn class(&self, task: &Task) -> usize {
        match task {
            Task::Expr(item) if self.is_reference(item.expr) => 0,
            Task::Comprehension(_) => 2,
            _ => 1,
        }
    }

    fn run_tasks(&mut self, w: &mut Work, class: usize) -> bool {
        let tasks = std::mem::take(&mut w.tasks);
        let mut left = Vec::with_capacity(tasks.len());
        let mut progress = false;
        for waiting in tasks {
            if self.class(&waiting.task) != class || self.fatal.is_some() {
                left.push(waiting);
                continue;
            }
            let settled = std::mem::replace(&mut self.settled, w.late);
            let attempted = self.attempt(w, &waiting.task);
            self.settled = settled;
            match attempted {
                Ok(()) => progress = true,
                Err(why) if why.code.is_incomplete() => {
                    left.push(Waiting { task: waiting.task, why: Some(why) });
                }
                Err(why) => {
                    w.errors.push(why);
                    progress = true;
                }
            }
        }
        left.append(&mut w.tasks);
        w.tasks = left;
        progress
    }

    fn attempt(&mut self, w: &mut Work, task: &Task) -> Result<(), std::sync::Arc<crate::value::Bottom>> {
        match task {
            Task::Expr(item) if self.is_reference(item.expr) => self.follow(w, *item),
            Task::Expr(item) if self.add_combined(w, *item) => Ok(()),
            Task::Expr(item) => match self.eval(item.env, item.expr) {
                Value::Bottom(b) => Err(b),
                value => {
                    self.add_value(w, value, *item);
                    Ok(())
                }
            },
            Task::List(item) => self.add_list_task(w, *item),
            Task::Dynamic { item, decl } => self.add_dynamic(w, *item, *decl),
            Task::Comprehension(item) => self.add_comprehension(w, *item),
        }
    }

    /// Adds `and(list)` and `or(list)` without making a value of them first, so that cycles through
    /// their elements are seen. False when the list is not known, or is anything but one.
    fn add_combined(&mut self, w: &mut Work, item: Item) -> bool {
        let Ir::Call(f, args) = self.program.exprs[item.expr as usize].clone() else { return false };
        let name = match (&self.program.exprs[f as usize], args.len()) {
            (Ir::Value(Value::Builtin(id)), 1) => builtin::name(*id),
            _ => return false,
        };
        if !matches!(name, "and" | "or") {
            return false;
        }
        let Value::Node(list) = self.concrete(item.env, args[0]) else { return false };
        let list = self.deref(list);
        let busy = self.node(list).status == Status::Busy;
        if busy || !self.is_list(list) || self.node(list).value.is_some() || self.live_len(list) == 0 {
            return false;
        }
        let nodes: Vec<NodeId> = self.node(list).arcs.iter().map(|(_, n)| n).collect();
        if name == "or" && nodes.len() > 1 {
            self.choose(w, item, Alternatives::Nodes(nodes.into(), 0));
            return true;
        }
        for (n, node) in nodes.into_iter().enumerate() {
            self.add_value(w, Value::Node(node), item.derive(item.expr, item.env, 40 + n as u64));
        }
        true
    }

    /// Adds one conjunct's expression.
    fn take(&mut self, w: &mut Work, item: Item) {
        if !w.seen.insert((item.expr, item.env, item.origin.groups, item.origin.chain)) {
            return;
        }
        match self.program.exprs[item.expr as usize].clone() {
            Ir::Value(value) => self.add_value(w, value, item),
            Ir::Struct(ir) => self.add_struct(w, &ir, item),
            Ir::List(elements) => self.add_list(w, &elements, item),
            Ir::Binary(BinaryOp::And, a, b) => {
                // in the order of the source, however deep the operands nest
                w.queue.push_front(item.derive(b, item.env, 2));
                w.queue.push_front(item.derive(a, item.env, 1));
            }
            Ir::Disjunction(list, marked) => self.choose(w, item, Alternatives::Exprs(list, marked)),
            Ir::Comprehension(..) => {
                w.saw_struct = true;
                w.tasks.push(Waiting { task: Task::Comprehension(item), why: None });
            }
            Ir::Call(f, args) if args.len() == 1 && self.close_kind(f).is_some() => {
                let all = self.close_kind(f) == Some(true);
                let only = if all { NO_NODE } else { self.node(w.node).original };
                let group = self.new_def(item.origin.chain, only);
                let groups = self.groups.with(item.origin.groups, group);
                let inner = item.derive(args[0], item.env, 3);
                let origin = Origin { groups, below: item.origin.chain, ..item.origin };
                w.queue.push_back(Item { origin, ..inner });
            }
            _ => w.tasks.push(Waiting { task: Task::Expr(item), why: None }),
        }
    }

    /// Whether a function is `close`, and then whether it closes what is below as well.
    fn close_kind(&self, f: ExprId) -> Option<bool> {
        match &self.program.exprs[f as usize] {
            Ir::Value(Value::Builtin(id)) if builtin::is_close(*id) => Some(builtin::closes_all(*id)),
            _ => None,
        }
    }

    /// Picks the alternative already chosen, or leaves the disjunction for later.
    pub(super) fn choose(&mut self, w: &mut Work, item: Item, alternatives: Alternatives) {
        let picked = |c: &Choice| c.trail == item.trail || c.from == (item.expr, item.env);
        let found = w.choices.iter().position(|c| c.salt == item.salt && picked(c));
        let Some(at) = found else {
            w.pending.push(Pending { item, alternatives });
            return;
        };
        let Choice { alternative, .. } = w.choices[at];
        let choice = u16::try_from(at).ok();
        match alternatives {
            Alternatives::Exprs(list, _) => {
                let Some((expr, _)) = list.get(alternative as usize) else { return };
                let inner = item.derive(*expr, item.env, 7 + u64::from(alternative));
                w.queue.push_back(Item { choice, ..inner });
            }
            Alternatives::Nodes(list, _) => {
                let Some(node) = list.get(alternative as usize) else { return };
                let inner = Item { choice, ..item.derive(item.expr, item.env, 7 + u64::from(alternative)) };
                self.add_value(w, Value::Node(*node), inner);
            }
        }
    }

    /// Adds a struct literal's declarations.
    fn add_struct(&mut self, w: &mut Work, ir: &StructIr, item: Item) {
        w.saw_struct = true;
        let regular = ir.decls.iter().any(|d| match d {
            DeclIr::Field(label, ..) => self.program.labels.is_regular(*label),
            DeclIr::Dynamic(..) | DeclIr::Pattern(..) | DeclIr::Ellipsis => true,
            DeclIr::Embed(_) => false,
        });
        if regular || !ir.has_embed {
            w.saw_fields |= regular;
            self.restrict_kind(w, Kind::STRUCT, item.expr);
        }
        if self.node(w.node).shape == Shape::Plain && (regular || !ir.has_embed) {
            self.node_mut(w.node).shape = Shape::Struct;
        }
        let env = self.new_env(item.env, Scope::Node(w.node));
        let mut origin = item.origin;
        let file = item.env == super::NO_ENV && self.node(w.node).parent == NO_NODE;
        if ir.has_embed || file {
            let scope = match w.file_scope {
                Some(scope) if file => scope,
                _ => self.new_group(),
            };
            if file {
                w.file_scope = Some(scope);
            }
            origin.groups = self.groups.with(origin.groups, scope);
            self.add_embeds(w, ir, Item { env, origin, ..item }, scope);
        }
        if !ir.has_embed || ir.has_fields {
            self.anchor(w, item);
            if origin.groups != 0 && !w.struct_groups.contains(&origin.groups) {
                w.struct_groups.push(origin.groups);
            }
        }
        self.require_groups(w, item.origin.groups);
        let field = Origin { chain: origin.below, ..origin };
        for (i, decl) in ir.decls.iter().enumerate() {
            match decl {
                DeclIr::Field(label, constraint, value) => {
                    self.add_arc(w.node, *label, *constraint, Conjunct { expr: *value, env, origin: field });
                }
                DeclIr::Dynamic(..) => {
                    let item = Item { env, origin: field, ..item };
                    w.tasks.push(Waiting { task: Task::Dynamic { item, decl: i }, why: None });
                }
                DeclIr::Pattern(pattern, value, labelled) => w.patterns.push(super::node::Pattern {
                    pattern: *pattern,
                    env,
                    value: *value,
                    origin: field,
                    labelled: *labelled,
                    known: None,
                }),
                DeclIr::Ellipsis => {
                    w.ellipsis = true;
                    let ids = self.groups.get(origin.groups).clone();
                    w.opened.extend(ids.iter().copied());
                }
                DeclIr::Embed(_) => {}
            }
        }
    }

    fn add_embeds(&mut self, w: &mut Work, ir: &StructIr, item: Item, scope: u32) {
        for (i, decl) in ir.decls.iter().enumerate() {
            let DeclIr::Embed(expr) = decl else { continue };
            let occurrence = self.new_group();
            let groups = self.groups.with(item.origin.groups, occurrence);
            let chain = self.new_chain(ChainLink { scope, occurrence, up: item.origin.chain });
            let origin = Origin { groups, chain, ..item.origin };
            let inner = item.derive(*expr, item.env, 100 + i as u64);
            w.queue.push_back(Item { origin, key: item.origin.groups, ..inner });
        }
    }

    /// Remembers content that does not come from a structural cycle.
    pub(super) fn anchor(&mut self, w: &mut Work, item: Item) {
        if !item.origin.cyclic {
            w.anchors.push(item.origin.refs);
        }
    }

    /// Adds a field with a computed label.
    fn add_dynamic(
        &mut self,
        w: &mut Work,
        item: Item,
        decl: usize,
    ) -> Result<(), std::sync::Arc<crate::value::Bottom>> {
        let Ir::Struct(ir) = self.program.exprs[item.expr as usize].clone() else { return Ok(()) };
        let DeclIr::Dynamic(label, constraint, value) = ir.decls[decl] else { return Ok(()) };
        let text = match self.concrete(item.env, label) {
            Value::Bottom(b) => return Err(b),
            Value::String(text) => text,
            Value::Number(_) => return Err(self.bottom(Code::Eval, "integer fields not supported", label)),
            other if other.is_scalar() || matches!(other, Value::Node(_)) => {
                let message = format!("invalid label: expected string, found {}", self.kind_of(&other));
                return Err(self.bottom(Code::Eval, message, label));
            }
            other => {
                let message = format!("non-concrete label: {}", self.describe(&other));
                return Err(self.bottom(Code::Incomplete, message, label));
            }
        };
        let name = self.program.labels.string(&text);
        let conjunct = Conjunct { expr: value, env: item.env, origin: item.origin };
        self.add_arc(w.node, name, constraint, conjunct);
        Ok(())
    }

    /// Applies patterns to the fields they match; true when a field gained a conjunct.
    fn match_patterns(&mut self, w: &mut Work) -> bool {
        if w.patterns.is_empty() {
            return false;
        }
        let mut progress = false;
        let mut i = 0;
        while i < self.node(w.node).arcs.len() {
            let (label, arc) = self.node(w.node).arcs.at(i);
            if w.matched.len() <= i {
                w.matched.push(0);
            }
            if self.node(arc).conjuncts.is_empty() || !self.program.labels.is_regular(label) {
                i += 1;
                continue;
            }
            while w.matched[i] < w.patterns.len() {
                let p = w.matched[i];
                w.matched[i] += 1;
                progress |= self.match_pattern(w, p, label);
            }
            i += 1;
        }
        progress
    }

    fn match_pattern(&mut self, w: &mut Work, p: usize, label: Label) -> bool {
        let pattern = w.patterns[p].clone();
        let known = match pattern.known {
            Some(value) => value,
            None => {
                let value = self.pattern_value(pattern.env, pattern.pattern);
                if let Value::Bottom(b) = &value {
                    if b.code.is_incomplete() {
                        w.incomplete.push(b.clone());
                    } else {
                        w.errors.push(b.clone());
                    }
                }
                w.patterns[p].known = Some(value.clone());
                value
            }
        };
        if !self.label_matches(&known, label) {
            return false;
        }
        let env = if pattern.labelled {
            self.new_env(pattern.env, Scope::Label(label, w.node))
        } else {
            pattern.env
        };
        let conjunct = Conjunct { expr: pattern.value, env, origin: pattern.origin };
        self.add_arc(w.node, label, Constraint::Optional, conjunct);
        true
    }
}

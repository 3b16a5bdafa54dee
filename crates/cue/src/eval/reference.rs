//! References: finding the node they name, and adding its conjuncts.

use std::collections::HashMap;
use std::sync::Arc;

use super::Eval;
use super::node::{Conjunct, DefInfo, EnvId, NIL, NO_NODE, OPEN, Origin, Scope, Shape, Status};
use super::sharing::Earlier;
use super::work::{Alternatives, Choice, Item, Mark, Work, mix};
use crate::compile::LABEL_ONLY;
use crate::error::Code;
use crate::program::{Ir, Label, LabelKind};
use crate::syntax::ast::Constraint;
use crate::value::{Bottom, ExprId, NodeId, Value};

/// What a reference stands for.
pub(super) enum Target {
    Node(NodeId),
    Value(Value),
}

type Found<T> = Result<T, Arc<Bottom>>;

impl Eval {
    /// Whether an expression names a node, so that its conjuncts can be shared.
    pub(super) fn is_reference(&self, expr: ExprId) -> bool {
        matches!(
            &self.program.exprs[expr as usize],
            Ir::Ref(..)
                | Ir::LabelRef(_)
                | Ir::FieldOf(_)
                | Ir::ForKey(_)
                | Ir::ForValue(_)
                | Ir::Bound(_)
                | Ir::LetRef(..)
                | Ir::SelfRef(_)
                | Ir::DynRef(..)
                | Ir::Import(_)
                | Ir::Selector(..)
                | Ir::Index(..)
                | Ir::Open(_)
        )
    }

    /// Finds what a reference names.
    pub(super) fn resolve(&mut self, env: EnvId, expr: ExprId) -> Found<Target> {
        match self.program.exprs[expr as usize].clone() {
            Ir::Ref(up, label) => {
                let node = self.env_node(self.env_up(env, up));
                self.lookup(node, label, expr).map(Target::Node)
            }
            Ir::SelfRef(up) => Ok(Target::Node(self.env_node(self.env_up(env, up)))),
            Ir::Import(package) => Ok(Target::Node(self.package(package))),
            Ir::LetRef(up, value) => {
                let scope = self.env_up(env, up);
                // `let X = self` is another name, not another value.
                if matches!(self.program.exprs[value as usize], Ir::SelfRef(_)) {
                    return self.resolve(scope, value);
                }
                Ok(Target::Node(self.let_node(scope, value)))
            }
            Ir::DynRef(up, label) if up & LABEL_ONLY != 0 => {
                let scope = self.env_up(env, up & !LABEL_ONLY);
                Ok(Target::Value(self.concrete(scope, label)))
            }
            Ir::DynRef(up, label) => {
                let scope = self.env_up(env, up);
                let key = self.concrete(scope, label);
                self.index(self.env_node(scope), &key, expr)
            }
            Ir::LabelRef(_) | Ir::FieldOf(_) | Ir::ForKey(_) | Ir::ForValue(_) | Ir::Bound(_) => {
                self.resolve_bound(env, expr)
            }
            Ir::Selector(base, label) => {
                let node = self.base(env, base, expr)?;
                self.lookup(node, label, expr).map(Target::Node)
            }
            Ir::Index(base, index) => {
                let node = self.base(env, base, expr)?;
                let key = self.concrete(env, index);
                if let Value::Bottom(b) = key {
                    return Err(b);
                }
                self.index(node, &key, expr)
            }
            Ir::Open(inner) if self.is_reference(inner) => self.resolve(env, inner),
            Ir::Open(inner) => Ok(Target::Value(self.eval(env, inner))),
            _ => Ok(Target::Value(self.eval(env, expr))),
        }
    }

    fn resolve_bound(&mut self, env: EnvId, expr: ExprId) -> Found<Target> {
        let ir = self.program.exprs[expr as usize].clone();
        let (Ir::LabelRef(up) | Ir::FieldOf(up) | Ir::ForKey(up) | Ir::ForValue(up) | Ir::Bound(up)) = ir
        else {
            return Err(self.bottom(Code::Eval, "not a reference", expr));
        };
        let scope = self.env_up(env, up);
        let scope = self.envs.get(scope as usize).map(|e| e.scope.clone());
        Ok(match (ir, scope) {
            (Ir::LabelRef(_), Some(Scope::Label(label, _))) => {
                Target::Value(Value::String(self.program.labels.text(label)))
            }
            (Ir::FieldOf(_), Some(Scope::Label(label, node))) => {
                return self.lookup(node, label, expr).map(Target::Node);
            }
            (Ir::ForKey(_), Some(Scope::For(key, _))) => Target::Value(key),
            (Ir::ForValue(_), Some(Scope::For(_, node))) | (Ir::Bound(_), Some(Scope::Bound(node))) => {
                Target::Node(node)
            }
            _ => return Err(self.bottom(Code::Eval, "reference to a scope that is gone", expr)),
        })
    }

    /// The node of a `let` clause in one scope.
    fn let_node(&mut self, scope: EnvId, value: ExprId) -> NodeId {
        if let Some(node) = self.lets.get(&(scope, value)) {
            return *node;
        }
        let node = self.anonymous(self.env_node(scope), value, scope);
        self.lets.insert((scope, value), node);
        node
    }

    /// The node left of a selector or index, evaluated, its default taken.
    fn base(&mut self, env: EnvId, base: ExprId, expr: ExprId) -> Found<NodeId> {
        let target = if self.is_reference(base) {
            self.resolve(env, base)?
        } else {
            Target::Value(self.eval(env, base))
        };
        match target {
            Target::Node(node) => Ok(node),
            Target::Value(Value::Node(node)) => Ok(node),
            Target::Value(Value::Disjunction(list, n)) if n == 1 || list.len() == 1 => Ok(list[0]),
            Target::Value(Value::Bottom(b)) => Err(b),
            Target::Value(v) if v.is_scalar() => {
                let message = format!("invalid operand: found {}, want list or struct", v.kind());
                Err(self.bottom(Code::Eval, message, expr))
            }
            Target::Value(v) => {
                let text = self.describe(&v);
                Err(self.bottom(Code::Incomplete, format!("{text} is not a concrete struct or list"), expr))
            }
        }
    }

    /// Evaluates a node enough to know its fields, and picks its default.
    fn opened(&mut self, id: NodeId, at: ExprId) -> Found<NodeId> {
        self.expand(id);
        match self.default_of(id) {
            Some(node) => Ok(node),
            None => Err(self.bottom(Code::Incomplete, "unresolved disjunction", at)),
        }
    }

    /// The field of a node.
    pub(crate) fn lookup(&mut self, id: NodeId, label: Label, at: ExprId) -> Found<NodeId> {
        if id == NO_NODE {
            return Err(self.bottom(Code::Eval, "reference outside of any struct", at));
        }
        let node = self.opened(id, at)?;
        if let Some(arc) = self.node(node).arcs.get(label)
            && !self.node(arc).conjuncts.is_empty()
        {
            let text = self.program.labels.text(label);
            return match self.node(arc).constraint {
                Constraint::Member => Ok(arc),
                _ if self.node(node).status == Status::Busy && !self.settled => {
                    self.touch_busy(node);
                    Err(self.bottom(Code::Incomplete, format!("undefined field: {text}"), at))
                }
                Constraint::Required => {
                    Err(self.bottom(Code::Incomplete, format!("required field missing: {text}"), at))
                }
                Constraint::Optional => {
                    let b =
                        self.bottom(Code::Incomplete, format!("cannot reference optional field: {text}"), at);
                    let mut b = (*b).clone();
                    b.for_try = true;
                    Err(Arc::new(b))
                }
            };
        }
        Err(self.missing(node, label, at))
    }

    fn missing(&mut self, node: NodeId, label: Label, at: ExprId) -> Arc<Bottom> {
        let text = self.program.labels.text(label);
        if self.node(node).status == Status::Busy {
            self.touch_busy(node);
            return self.bottom(Code::Incomplete, format!("undefined field: {text}"), at);
        }
        match self.node(node).value.clone() {
            Some(Value::Bottom(b)) => return b,
            Some(v) if v.is_scalar() => {
                let message = format!("invalid selector {text} for value of type {}", v.kind());
                return self.bottom(Code::Eval, message, at);
            }
            _ => {}
        }
        if let Shape::List(_) = self.node(node).shape
            && label.as_index().is_none()
        {
            return self.bottom(Code::Eval, format!("invalid list index {text} (type string)"), at);
        }
        let growing = !self.settled && self.is_growing(node);
        let code = if !growing && self.is_closed_to(node, label) { Code::Eval } else { Code::Incomplete };
        let mut bottom = Bottom::new(code, format!("undefined field: {text}"));
        bottom.at.push(at);
        bottom.node = self.frames.last().map(|f| f.node);
        bottom.hint = self.did_you_mean(node, &text);
        bottom.for_try = true;
        Arc::new(bottom)
    }

    /// Whether a node above is being evaluated, and may give this one more conjuncts.
    fn is_growing(&mut self, node: NodeId) -> bool {
        let mut up = self.node(node).parent;
        while up != NO_NODE {
            if self.node(up).status == Status::Busy {
                self.touch_busy(up);
                return true;
            }
            up = self.node(up).parent;
        }
        false
    }

    /// `node[key]`.
    pub(super) fn index(&mut self, id: NodeId, key: &Value, at: ExprId) -> Found<Target> {
        let node = self.opened(id, at)?;
        let is_list = matches!(self.node(node).shape, Shape::List(_));
        match key {
            Value::String(text) if !is_list => {
                let label = self.program.labels.string(text);
                self.lookup(node, label, at).map(Target::Node)
            }
            Value::Number(n) if n.is_int() => {
                if self.node(node).shape == Shape::Struct {
                    return Err(self.bottom(Code::Eval, format!("invalid struct index {n} (type int)"), at));
                }
                if n.is_negative() {
                    return Err(self.bottom(
                        Code::Eval,
                        format!("invalid index {n} (index must be non-negative)"),
                        at,
                    ));
                }
                let i = n.as_int().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX >> 1);
                self.element(node, i, at)
            }
            Value::Bottom(b) => Err(b.clone()),
            v if v.is_scalar() || matches!(v, Value::Node(_)) => {
                let message =
                    format!("invalid index {} (invalid type {})", self.describe(v), self.kind_of(v));
                Err(self.bottom(Code::Eval, message, at))
            }
            v => {
                let message = format!("non-concrete index {}", self.describe(v));
                Err(self.bottom(Code::Incomplete, message, at))
            }
        }
    }

    fn element(&mut self, node: NodeId, i: usize, at: ExprId) -> Found<Target> {
        if let Some(arc) = self.node(node).arcs.get(Label::index(i))
            && !self.node(arc).conjuncts.is_empty()
        {
            return Ok(Target::Node(arc));
        }
        if self.node(node).status == Status::Busy {
            self.touch_busy(node);
            return Err(self.bottom(Code::Incomplete, format!("index out of range [{i}]"), at));
        }
        if let Some(value) = self.node(node).value.clone() {
            match value {
                Value::Bottom(b) if b.code != Code::Cycle => return Err(b),
                v if v.is_scalar() => {
                    let message = format!("invalid operand (found {}, want list or struct)", v.kind());
                    return Err(self.bottom(Code::Eval, message, at));
                }
                _ => {}
            }
        }
        let len = self.node(node).arcs.len();
        let code = if self.node(node).shape == Shape::List(false) { Code::Eval } else { Code::Incomplete };
        let mut bottom = Bottom::new(code, format!("index out of range [{i}] with length {len}"));
        bottom.at.push(at);
        bottom.for_try = true;
        Err(Arc::new(bottom))
    }

    /// Adds what a reference names to the node being evaluated.
    pub(super) fn follow(&mut self, w: &mut Work, item: Item) -> Found<()> {
        let mut item = item;
        if self.is_inline(item.expr) {
            item.origin.groups = self.groups.with(item.origin.groups, OPEN);
        }
        let open = matches!(self.program.exprs[item.expr as usize], Ir::Open(_));
        match self.resolve(item.env, item.expr)? {
            Target::Value(Value::Bottom(b)) => Err(b),
            Target::Value(value) => {
                self.add_value(w, value, item);
                Ok(())
            }
            Target::Node(target) => {
                self.subscribe(w.node, target);
                self.add_target(w, target, item, open);
                Ok(())
            }
        }
    }

    /// Whether a reference selects from an expression that has no name: what definitions close there stays open outside.
    fn is_inline(&self, mut expr: ExprId) -> bool {
        let mut selects = false;
        while let Ir::Selector(base, _) | Ir::Index(base, _) = self.program.exprs[expr as usize] {
            (expr, selects) = (base, true);
        }
        selects && !self.is_reference(expr)
    }

    /// Asks for a new evaluation when the target may still gain conjuncts.
    fn subscribe(&mut self, node: NodeId, target: NodeId) {
        let me = self.node(node).original;
        let mut up = target;
        let mut levels = 0;
        while up != NO_NODE && levels < 8 {
            if self.node(up).status == Status::Busy && self.node(up).original != me {
                let extra = self.extra(target);
                if !extra.subscribers.contains(&me) {
                    extra.subscribers.push(me);
                }
                return;
            }
            up = self.node(up).parent;
            levels += 1;
        }
    }

    fn is_ancestor(&self, maybe: NodeId, of: NodeId) -> bool {
        let wanted = self.node(maybe).original;
        let mut up = of;
        while up != NO_NODE {
            if self.node(up).original == wanted {
                return true;
            }
            up = self.node(up).parent;
        }
        false
    }

    /// Adds the conjuncts of `target`, unless that would go round in a circle.
    fn add_target(&mut self, w: &mut Work, target: NodeId, item: Item, open: bool) {
        let here = self.node(w.node).original;
        let target_original = self.node(target).original;
        if target_original == here
            || !w.followed.insert((target, item.key, item.choice.is_some() || open || item.muted))
        {
            return;
        }
        if self.node(target).status != Status::Busy
            && let Some(value) = &self.node(target).value
            && value.is_scalar()
            && self.node(target).arcs.len() == 0
        {
            let value = value.clone();
            self.add_value(w, value, item);
            return;
        }
        if self.is_far(item.origin.refs)
            && let Some(value) = self.settled_value(target)
        {
            self.add_value(w, value, item);
            return;
        }
        let found = match self.earlier(item, target_original, here) {
            Earlier::Here => return,
            Earlier::Above => true,
            Earlier::Never => false,
        };
        if found || self.is_ancestor(target, w.node) {
            w.cyclic.push((item, target));
            return;
        }
        if !open && self.is_far(item.origin.refs) {
            let closes = self.closes_here(target, w.node);
            if self.share_struct(w, target, item, closes) {
                return;
            }
        }
        let discounted = match item.origin.refs {
            NIL => w.anchors.contains(&NIL),
            refs => w.anchors.iter().any(|other| !self.shares_refs(*other, refs)),
        };
        let mut origin = item.origin;
        let up = origin.refs;
        origin.refs = self.new_ref(item.expr, target_original, here, discounted, up);
        self.add_conjuncts(w, target, Item { origin, ..item }, open);
    }

    /// Whether `other` was derived through the last reference of `refs`.
    fn shares_refs(&self, other: u32, refs: u32) -> bool {
        let mut link = other;
        while link != NIL {
            if link == refs {
                return true;
            }
            link = self.refs[link as usize].up;
        }
        refs == NIL
    }

    /// Adds what was held back because it closes a structural cycle.
    pub(super) fn run_cyclic(&mut self, w: &mut Work) -> bool {
        if w.cyclic.is_empty() {
            return false;
        }
        for (item, target) in std::mem::take(&mut w.cyclic) {
            if w.anchors.is_empty() {
                let mut bottom = Bottom::new(Code::StructuralCycle, "structural cycle");
                bottom.at.push(item.expr);
                bottom.node = Some(w.node);
                w.errors.push(Arc::new(bottom));
                return true;
            }
            let here = self.node(w.node).original;
            let target_original = self.node(target).original;
            let up = item.origin.refs;
            let refs = self.new_ref(item.expr, target_original, here, false, up);
            let origin = Origin { cyclic: true, refs, ..item.origin };
            self.add_conjuncts(w, target, Item { origin, ..item }, false);
        }
        true
    }

    /// Queues the conjuncts of `target` for the node being evaluated.
    fn add_conjuncts(&mut self, w: &mut Work, target: NodeId, item: Item, open: bool) {
        let mut groups = item.origin.groups;
        let inherits = self.groups.contains(groups, OPEN);
        let closes =
            !open && if inherits { self.is_definition(target) } else { self.closes_here(target, w.node) };
        if closes {
            let def = self.new_def(item.origin.chain, NO_NODE);
            groups = self.groups.with(groups, def);
        }
        let open = open || inherits;
        let picked = self.pick_as(w, target, item);
        let mut renamed = HashMap::new();
        for i in 0..self.node(target).conjuncts.len() {
            let c: Conjunct = self.node(target).conjuncts[i];
            let own = if open {
                0
            } else {
                self.rename_groups(c.origin.groups, item.origin.chain, item.origin.groups, &mut renamed)
            };
            let origin = Origin {
                groups: self.groups.union(groups, own),
                chain: item.origin.chain,
                below: if closes || !renamed.is_empty() { item.origin.chain } else { item.origin.below },
                refs: item.origin.refs,
                cyclic: item.origin.cyclic || c.origin.cyclic,
            };
            let (trail, salt) = match picked {
                Some(salt) => (mix(u64::from(c.expr), u64::from(c.env)), salt),
                None => (mix(item.trail, u64::from(c.expr) ^ ((i as u64 + 1) << 32)), item.salt),
            };
            w.queue.push_back(Item { expr: c.expr, env: c.env, origin, trail, salt, ..item });
        }
    }

    /// Makes the alternatives a copied node stands for be picked again.
    fn pick_as(&self, w: &mut Work, target: NodeId, item: Item) -> Option<u64> {
        let choices = &self.node(target).extra.as_ref()?.choices;
        if choices.is_empty() {
            return None;
        }
        let salt = mix(item.trail, 0x5a17) ^ item.salt;
        for choice in choices {
            let choice = Choice { salt: choice.salt ^ salt, mark: Mark::Dropped, within: None, ..*choice };
            if !w.choices.iter().any(|c| c.trail == choice.trail && c.salt == choice.salt) {
                w.choices.push(choice);
            }
        }
        Some(salt)
    }

    /// Groups of a copied conjunct; embedded ones are closed anew, so that siblings are allowed.
    fn rename_groups(&mut self, set: u32, chain: u32, known: u32, renamed: &mut HashMap<u32, u32>) -> u32 {
        if set == 0 {
            return 0;
        }
        let ids = self.groups.get(set).clone();
        let mut out = Vec::with_capacity(ids.len());
        for id in ids.iter() {
            let Some(info) = self.defs.get(id).copied() else {
                out.push(*id);
                continue;
            };
            if info.only != NO_NODE {
                // `close` closes one node; the copied conjunct belongs to what is below it.
                continue;
            }
            if chain == NIL || self.groups.contains(known, *id) {
                out.push(*id);
                continue;
            }
            let new = match renamed.get(id) {
                Some(new) => *new,
                None => {
                    let joined = self.join_chains(info.chain, chain);
                    let new = self.new_group();
                    self.defs.insert(new, DefInfo { chain: joined, only: NO_NODE });
                    renamed.insert(*id, new);
                    new
                }
            };
            out.push(new);
        }
        self.groups.intern(out)
    }

    fn join_chains(&mut self, inner: u32, outer: u32) -> u32 {
        if inner == NIL {
            return outer;
        }
        let link = self.chains[inner as usize];
        let up = self.join_chains(link.up, outer);
        self.new_chain(super::ChainLink { up, ..link })
    }

    /// Whether a reference from `node` to `target` closes: not when both are in one definition.
    fn closes_here(&self, target: NodeId, node: NodeId) -> bool {
        let mut up = target;
        while up != NO_NODE {
            let n = self.node(up);
            match self.program.labels.kind(n.label) {
                LabelKind::Definition | LabelKind::HiddenDefinition => {
                    return up == target || !self.is_ancestor(up, node);
                }
                LabelKind::Anonymous => return false,
                _ => {}
            }
            up = n.parent;
        }
        false
    }

    fn is_definition(&self, id: NodeId) -> bool {
        let kind = self.program.labels.kind(self.node(id).label);
        matches!(kind, LabelKind::Definition | LabelKind::HiddenDefinition)
    }

    /// Whether a node is a definition or inside one.
    pub(super) fn is_defined_closed(&self, id: NodeId) -> bool {
        let mut up = id;
        while up != NO_NODE {
            let node = self.node(up);
            match self.program.labels.kind(node.label) {
                LabelKind::Definition | LabelKind::HiddenDefinition => return true,
                LabelKind::Anonymous => return false,
                _ => {}
            }
            up = node.parent;
        }
        false
    }

    /// Adds a computed struct, list or disjunction.
    pub(super) fn add_node_value(&mut self, w: &mut Work, id: NodeId, item: Item) {
        self.expand(id);
        let id = self.deref(id);
        if let Some(Value::Disjunction(list, defaults)) = self.node(id).value.clone() {
            self.choose(w, item, Alternatives::Nodes(list, defaults));
            return;
        }
        self.add_target(w, id, item, false);
    }
}

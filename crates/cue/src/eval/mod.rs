//! The evaluator: nodes hold conjuncts and are evaluated when something asks for them.
//!
//! A reference does not copy a value: it adds the target's conjuncts to the referring node, so
//! unification is always the unification of expressions, and cycles of references end by themselves.

mod call;
mod closed;
mod comprehension;
mod disjunction;
mod equal;
mod expand;
mod expr;
mod finish;
mod list;
pub(crate) mod node;
mod operator;
mod path;
mod reference;
mod scalar;
mod sharing;
mod work;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use closed::edit_distance;

use crate::error::Code;
use crate::limits;
use crate::program::{Ir, Label, Program};
use crate::syntax::ast::{Constraint, Span};
use crate::value::{Bottom, ExprId, NodeId, Value};
use node::{
    Arcs, ChainLink, Conjunct, DefInfo, Env, EnvId, Extra, Groups, NIL, NO_ENV, NO_NODE, Node, Origin,
    RefLink, Scope, Shape, Status,
};

/// What an evaluation may use at most.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Conjuncts processed.
    pub steps: u64,
    /// Nodes of the evaluated graph.
    pub nodes: usize,
    /// Alternatives of one disjunction.
    pub disjuncts: usize,
    /// Set from another thread to stop the evaluation.
    pub cancel: Arc<AtomicBool>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: limits::STEPS,
            nodes: limits::NODES,
            disjuncts: limits::DISJUNCTS,
            cancel: Arc::new(AtomicBool::new(false)),
        }
    }
}

/// A node being evaluated.
#[derive(Clone, Copy, Debug)]
struct Frame {
    node: NodeId,
    serial: u64,
    progress: u64,
}

/// Not waiting for any frame.
const UNTAINTED: u32 = u32::MAX;

/// The evaluator and everything it has computed.
#[derive(Debug)]
pub(crate) struct Eval {
    pub(crate) program: Program,
    pub(crate) nodes: Vec<Node>,
    envs: Vec<Env>,
    groups: Groups,
    defs: HashMap<u32, DefInfo>,
    chains: Vec<ChainLink>,
    refs: Vec<RefLink>,
    /// For long runs of references: the node they were followed from, and what they name.
    long_runs: HashSet<(NodeId, NodeId)>,
    next_group: u32,
    lets: HashMap<(EnvId, ExprId), NodeId>,
    inline: HashMap<(EnvId, ExprId), NodeId>,
    packages: HashMap<u32, NodeId>,
    frames: Vec<Frame>,
    serial: u64,
    /// Lowest frame whose unfinished state the current evaluation has looked at.
    taint: u32,
    steps: u64,
    /// What is unknown now stays unknown: comprehensions may decide on it.
    settled: bool,
    depth: u32,
    /// Checks against constraints being made inside one another.
    pub(crate) checks: u32,
    pub(crate) limits: Limits,
    /// Set when a limit was reached; everything after it fails.
    fatal: Option<Arc<Bottom>>,
}

impl Eval {
    pub(crate) fn new(program: Program, limits: Limits) -> Self {
        Self {
            program,
            nodes: Vec::new(),
            envs: Vec::new(),
            groups: Groups::default(),
            defs: HashMap::new(),
            chains: Vec::new(),
            refs: Vec::new(),
            long_runs: HashSet::new(),
            next_group: node::OPEN + 1,
            lets: HashMap::new(),
            inline: HashMap::new(),
            packages: HashMap::new(),
            frames: Vec::new(),
            serial: 0,
            taint: UNTAINTED,
            steps: 0,
            settled: false,
            depth: 0,
            checks: 0,
            limits,
            fatal: None,
        }
    }

    /// The error that stopped the evaluation, if a limit was reached.
    pub(crate) fn fatal(&self) -> Option<&Arc<Bottom>> {
        self.fatal.as_ref()
    }

    /// Ends the evaluation with a limit error at the node being evaluated.
    fn stop(&mut self, message: String) {
        let node = self.current();
        self.stop_at(message, node, self.written_at(node));
    }

    /// An expression a node comes from.
    fn written_at(&self, node: NodeId) -> Option<ExprId> {
        self.nodes.get(node as usize)?.conjuncts.first().map(|c| c.expr)
    }

    /// Ends the evaluation with a limit error at an expression that `node` comes from.
    fn stop_at(&mut self, message: String, node: NodeId, at: Option<ExprId>) {
        if self.fatal.is_some() {
            return;
        }
        let mut bottom = Bottom::new(Code::Limit, message);
        bottom.at.extend(at);
        bottom.node = (node != NO_NODE).then_some(node);
        self.fatal = Some(Arc::new(bottom));
    }

    /// Why a node that is too far below the root has no value: an expression that is below itself makes such nodes without
    /// end, and is a cycle that nothing saw before; anything else is only too deep. The node's own path is as long as the
    /// limit is wide, so the field it is in stands for it.
    pub(crate) fn too_deep(&self, node: NodeId) -> Option<Arc<Bottom>> {
        if self.node(node).depth <= limits::VALUE_DEPTH {
            return None;
        }
        let (mut field, mut seen, mut repeated) = (node, HashSet::new(), false);
        while self.node(field).depth > 1 {
            field = self.node(field).parent;
            repeated |= self.written_at(field).is_some_and(|written| !seen.insert(written));
        }
        let mut bottom = if repeated {
            Bottom::new(Code::StructuralCycle, "structural cycle")
        } else {
            Bottom::new(
                Code::Limit,
                format!("values are nested more than {} levels deep", limits::VALUE_DEPTH),
            )
        };
        bottom.at.extend(self.written_at(node));
        bottom.node = Some(field);
        Some(Arc::new(bottom))
    }

    /// Counts one step of the node being evaluated; false when the evaluation must end.
    fn step(&mut self) -> bool {
        self.step_in(self.current())
    }

    /// Counts one step of a node; false when the evaluation must end.
    fn step_in(&mut self, node: NodeId) -> bool {
        self.steps += 1;
        if self.fatal.is_some() {
            return false;
        }
        let message = if self.steps > self.limits.steps {
            format!("evaluation took more than {} steps", self.limits.steps)
        } else if self.nodes.len() > self.limits.nodes {
            format!("evaluation made more than {} values", self.limits.nodes)
        } else if self.envs.len() > self.limits.nodes.saturating_mul(2)
            || self.program.exprs.len() > (1 << 25)
        {
            "evaluation made too many scopes".to_owned()
        } else if self.steps.is_multiple_of(1024) && self.limits.cancel.load(Ordering::Relaxed) {
            "evaluation was cancelled".to_owned()
        } else {
            return true;
        };
        self.stop_at(message, node, self.written_at(node));
        false
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    fn extra(&mut self, id: NodeId) -> &mut Extra {
        self.nodes[id as usize].extra.get_or_insert_default()
    }

    pub(crate) fn new_node(&mut self, parent: NodeId, label: Label, constraint: Constraint) -> NodeId {
        let id = NodeId::try_from(self.nodes.len()).unwrap_or(NO_NODE - 1);
        let depth = if parent == NO_NODE { 0 } else { self.node(parent).depth + 1 };
        self.nodes.push(Node {
            parent,
            label,
            original: id,
            depth,
            constraint,
            status: Status::New,
            shape: Shape::Plain,
            conjuncts: Vec::new(),
            arcs: Arcs::default(),
            value: None,
            forward: NO_NODE,
            extra: None,
        });
        id
    }

    pub(crate) fn new_env(&mut self, up: EnvId, scope: Scope) -> EnvId {
        let id = EnvId::try_from(self.envs.len()).unwrap_or(NO_ENV - 1);
        self.envs.push(Env { up, scope });
        id
    }

    fn new_group(&mut self) -> u32 {
        let id = self.next_group;
        self.next_group += 1;
        id
    }

    fn new_def(&mut self, chain: u32, only: NodeId) -> u32 {
        let id = self.new_group();
        self.defs.insert(id, DefInfo { chain, only });
        id
    }

    fn new_chain(&mut self, link: ChainLink) -> u32 {
        let id = u32::try_from(self.chains.len()).unwrap_or(NIL - 1);
        self.chains.push(link);
        id
    }

    /// The environment `up` scopes out.
    fn env_up(&self, mut env: EnvId, up: u32) -> EnvId {
        for _ in 0..up {
            env = self.envs.get(env as usize).map_or(NO_ENV, |e| e.up);
        }
        env
    }

    /// The struct or list a scope belongs to.
    fn env_node(&self, mut env: EnvId) -> NodeId {
        while let Some(e) = self.envs.get(env as usize) {
            match e.scope {
                Scope::Node(n) => return n,
                _ => env = e.up,
            }
        }
        NO_NODE
    }

    /// An expression that stands for a computed value.
    pub(crate) fn value_expr(&mut self, value: Value, at: ExprId) -> ExprId {
        let (source, span) =
            self.program.spans.get(at as usize).copied().unwrap_or_else(|| (u32::MAX, Span::default()));
        self.program.push(Ir::Value(value), source, span)
    }

    /// The root node of a package.
    pub(crate) fn package(&mut self, package: u32) -> NodeId {
        if let Some(node) = self.packages.get(&package) {
            return *node;
        }
        let node = self.new_node(NO_NODE, Label::NONE, Constraint::Member);
        self.packages.insert(package, node);
        let files = self.program.packages.get(package as usize).map_or_else(Vec::new, |p| p.files.clone());
        for expr in files {
            let conjunct = Conjunct { expr, env: NO_ENV, origin: Origin::ROOT };
            self.node_mut(node).conjuncts.push(conjunct);
        }
        node
    }

    /// A node without a field, for an expression used as an operand.
    pub(crate) fn anonymous(&mut self, parent: NodeId, expr: ExprId, env: EnvId) -> NodeId {
        let node = self.new_node(parent, Label::NONE, Constraint::Member);
        self.node_mut(node).conjuncts.push(Conjunct { expr, env, origin: Origin::ROOT });
        node
    }

    /// The node being evaluated.
    pub(crate) fn current(&self) -> NodeId {
        self.frames.last().map_or(NO_NODE, |f| f.node)
    }

    /// Where an operand belongs: the node being evaluated when that is inside the operand's scope.
    fn operand_parent(&self, env: EnvId) -> NodeId {
        let scope = self.env_node(env);
        let current = self.current();
        let mut up = current;
        while up != NO_NODE {
            if up == scope {
                return current;
            }
            up = self.node(up).parent;
        }
        scope
    }

    /// A node of a value, with its validators left out, and a constraint.
    pub(crate) fn checked_pair(&mut self, value: ExprId, constraint: ExprId) -> NodeId {
        let node = self.anonymous(self.current(), value, NO_ENV);
        let second = Conjunct { expr: constraint, env: NO_ENV, origin: Origin::ROOT };
        self.node_mut(node).conjuncts.push(second);
        self.extra(node).mute_first = true;
        node
    }

    /// Follows single survivors of disjunctions.
    pub(crate) fn deref(&self, mut id: NodeId) -> NodeId {
        while let Some(node) = self.nodes.get(id as usize) {
            if node.forward == NO_NODE {
                return id;
            }
            id = node.forward;
        }
        id
    }

    /// The default of a disjunction, or the node itself; `None` when the choice is open.
    pub(crate) fn default_of(&self, id: NodeId) -> Option<NodeId> {
        let id = self.deref(id);
        match &self.node(id).value {
            Some(Value::Disjunction(list, 1)) => Some(self.deref(list[0])),
            Some(Value::Disjunction(list, _)) if list.len() == 1 => Some(self.deref(list[0])),
            Some(Value::Disjunction(..)) => None,
            _ => Some(id),
        }
    }

    pub(crate) fn bottom(&self, code: Code, message: impl Into<String>, at: ExprId) -> Arc<Bottom> {
        let mut bottom = Bottom::new(code, message);
        bottom.at.push(at);
        bottom.node = self.frames.last().map(|f| f.node);
        Arc::new(bottom)
    }

    /// Whether the recursion may go one level deeper; the evaluation ends where it may not.
    fn may_nest(&mut self, node: NodeId, at: Option<ExprId>) -> bool {
        if self.depth <= limits::EVAL_DEPTH {
            return true;
        }
        let message = format!("values depend on one another through more than {} steps", limits::EVAL_DEPTH);
        self.stop_at(message, node, at.or_else(|| self.written_at(node)));
        false
    }

    /// Runs `inner` with enough stack, within the recursion limit.
    fn guarded<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.depth += 1;
        let result = stacker::maybe_grow(limits::RED_ZONE, limits::STACK_CHUNK, || inner(self));
        self.depth -= 1;
        result
    }
}

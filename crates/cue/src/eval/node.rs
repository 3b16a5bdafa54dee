//! The arena: nodes of the evaluated graph, their conjuncts and environments.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::program::Label;
use crate::syntax::ast::Constraint;
use crate::value::{Bottom, ExprId, NodeId, Value};

/// No node.
pub(crate) const NO_NODE: NodeId = NodeId::MAX;
/// Index of an environment.
pub(crate) type EnvId = u32;
/// The outermost environment.
pub(crate) const NO_ENV: EnvId = EnvId::MAX;
/// No link in one of the persistent lists.
pub(crate) const NIL: u32 = u32::MAX;

/// The group of what was selected from an expression without a name: what its references lead to is not closed by where
/// it comes from.
pub(crate) const OPEN: u32 = 1;

/// One scope at run time.
#[derive(Clone, Debug)]
pub(crate) struct Env {
    pub(crate) up: EnvId,
    pub(crate) scope: Scope,
}

/// What a scope holds.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// A struct or list.
    Node(NodeId),
    /// The label a pattern matched, and the node the field is in.
    Label(Label, NodeId),
    /// One step of a `for`: the key and the element.
    For(Value, NodeId),
    /// A comprehension's `let`.
    Bound(NodeId),
}

/// What a conjunct carries besides its expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// Interned set of definitions, scopes and embeddings it derives from.
    pub(crate) groups: u32,
    /// Enclosing embeddings, innermost first (list of `ChainLink`).
    pub(crate) chain: u32,
    /// The embeddings its fields are in as well: those around the innermost closed struct it derives from.
    pub(crate) below: u32,
    /// References followed to get here (list of `RefLink`).
    pub(crate) refs: u32,
    /// It came through a reference that closes a structural cycle.
    pub(crate) cyclic: bool,
}

impl Origin {
    pub(crate) const ROOT: Self = Self { groups: 0, chain: NIL, below: NIL, refs: NIL, cyclic: false };
}

/// An expression to unify into a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Conjunct {
    pub(crate) expr: ExprId,
    pub(crate) env: EnvId,
    pub(crate) origin: Origin,
}

/// An embedding: the struct's scope id and the id of this occurrence in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChainLink {
    pub(crate) scope: u32,
    pub(crate) occurrence: u32,
    pub(crate) up: u32,
}

/// A reference that was followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefLink {
    pub(crate) expr: ExprId,
    pub(crate) target: NodeId,
    /// Where it was followed from (the original, for copies made for disjuncts).
    pub(crate) node: NodeId,
    /// Other content was there: following it again below is no structural cycle.
    pub(crate) discounted: bool,
    pub(crate) up: u32,
    /// How many references were followed one after another from the same node, this one included.
    pub(crate) run: u32,
    /// The link at which the run became a long one (itself, while it is not).
    pub(crate) base: u32,
}

/// From how many references on a run of them is long: whether one is among them is looked up then, not searched for.
pub(crate) const LONG_RUN: u32 = 8;

/// A group id that stands for a closed struct.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DefInfo {
    /// Embeddings whose siblings are allowed too.
    pub(crate) chain: u32,
    /// Closes only this node, not what is below it.
    pub(crate) only: NodeId,
}

/// How far a node's evaluation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    New,
    Busy,
    /// Evaluated while something it needs was busy: frame, its serial, and its progress then.
    Provisional(u32, u64, u64),
    Expanded,
    /// With everything below it.
    Done,
}

/// Children in order, with an index when there are many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arcs {
    list: Vec<(Label, NodeId)>,
    index: Option<HashMap<Label, u32>>,
}

const INDEX_FROM: usize = 16;

impl Arcs {
    pub(crate) fn get(&self, label: Label) -> Option<NodeId> {
        match &self.index {
            Some(index) => index.get(&label).map(|i| self.list[*i as usize].1),
            None => self.list.iter().find(|(l, _)| *l == label).map(|(_, n)| *n),
        }
    }

    pub(crate) fn push(&mut self, label: Label, node: NodeId) {
        self.list.push((label, node));
        let at = u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX);
        if let Some(index) = &mut self.index {
            index.insert(label, at);
        } else if self.list.len() > INDEX_FROM {
            let all = self.list.iter().enumerate();
            self.index = Some(all.map(|(i, (l, _))| (*l, u32::try_from(i).unwrap_or(u32::MAX))).collect());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn at(&self, i: usize) -> (Label, NodeId) {
        self.list[i]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Label, NodeId)> + '_ {
        self.list.iter().copied()
    }
}

/// A pattern constraint of a node.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) pattern: ExprId,
    pub(crate) env: EnvId,
    pub(crate) value: ExprId,
    pub(crate) origin: Origin,
    pub(crate) labelled: bool,
    /// Value of the pattern, once known.
    pub(crate) known: Option<Value>,
}

/// What a list's length may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Not a struct or list (yet).
    Plain,
    Struct,
    /// Whether more elements may be added.
    List(bool),
}

/// The rarely used part of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    pub(crate) patterns: Vec<Pattern>,
    /// Closed groups a field must satisfy.
    pub(crate) reqs: SmallVec<[u32; 2]>,
    /// Groups that `...` opened.
    pub(crate) opened: SmallVec<[u32; 2]>,
    /// The struct has `...`.
    pub(crate) ellipsis: bool,
    /// Nodes to evaluate anew when a conjunct is added.
    pub(crate) subscribers: Vec<NodeId>,
    /// The worst error below.
    pub(crate) child_error: Option<Arc<Bottom>>,
    /// The scalar a conjunct gave, whatever is not known of the others yet.
    pub(crate) scalar: Option<Value>,
    /// Constraints that still apply to a struct or list.
    pub(crate) validators: Vec<Value>,
    /// A scalar embedded in a struct that has definitions or hidden fields.
    pub(crate) restart: bool,
    /// The alternatives picked, when the node is one combination of a disjunction.
    pub(crate) choices: Vec<super::work::Choice>,
    /// Validators of the first conjunct are not run.
    pub(crate) mute_first: bool,
    /// Element type of an open list's tail.
    pub(crate) tail: Vec<Conjunct>,
}

/// A node of the graph.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) parent: NodeId,
    pub(crate) label: Label,
    /// Itself, or the node it is an alternative of.
    pub(crate) original: NodeId,
    pub(crate) depth: u32,
    pub(crate) constraint: Constraint,
    pub(crate) status: Status,
    pub(crate) shape: Shape,
    pub(crate) conjuncts: Vec<Conjunct>,
    pub(crate) arcs: Arcs,
    pub(crate) value: Option<Value>,
    /// The single surviving alternative.
    pub(crate) forward: NodeId,
    pub(crate) extra: Option<Box<Extra>>,
}

/// Interned sets of group ids.
#[derive(Debug)]
pub(crate) struct Groups {
    sets: Vec<Arc<[u32]>>,
    index: HashMap<Arc<[u32]>, u32>,
    unions: HashMap<(u32, u32), u32>,
}

impl Default for Groups {
    fn default() -> Self {
        let empty: Arc<[u32]> = Arc::from([]);
        Self { sets: vec![empty.clone()], index: HashMap::from([(empty, 0)]), unions: HashMap::new() }
    }
}

impl Groups {
    pub(crate) fn get(&self, set: u32) -> &Arc<[u32]> {
        &self.sets[set as usize]
    }

    pub(crate) fn contains(&self, set: u32, id: u32) -> bool {
        self.sets[set as usize].binary_search(&id).is_ok()
    }

    pub(crate) fn intern(&mut self, mut ids: Vec<u32>) -> u32 {
        ids.sort_unstable();
        ids.dedup();
        let key: Arc<[u32]> = ids.into();
        if let Some(id) = self.index.get(&key) {
            return *id;
        }
        let id = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        self.sets.push(key.clone());
        self.index.insert(key, id);
        id
    }

    pub(crate) fn with(&mut self, set: u32, id: u32) -> u32 {
        if self.contains(set, id) {
            return set;
        }
        let mut ids = self.sets[set as usize].to_vec();
        ids.push(id);
        self.intern(ids)
    }

    pub(crate) fn union(&mut self, a: u32, b: u32) -> u32 {
        if a == b || b == 0 {
            return a;
        }
        if a == 0 {
            return b;
        }
        let key = (a.min(b), a.max(b));
        if let Some(id) = self.unions.get(&key) {
            return *id;
        }
        let mut ids = self.sets[a as usize].to_vec();
        ids.extend_from_slice(&self.sets[b as usize]);
        let id = self.intern(ids);
        self.unions.insert(key, id);
        id
    }
}

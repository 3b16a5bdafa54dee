//! The state of one node while it is evaluated.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use smallvec::SmallVec;

use super::node::{EnvId, Origin, Pattern};
use crate::value::{Bottom, ExprId, Kind, NodeId, Value};

/// A conjunct on its way into a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) expr: ExprId,
    pub(super) env: EnvId,
    pub(super) origin: Origin,
    /// Identifies how it was derived, the same each time the node is evaluated.
    pub(super) trail: u64,
    /// The alternative it came from.
    pub(super) choice: Option<u16>,
    /// Its validators are not run: they are what is being checked.
    pub(super) muted: bool,
    /// Its groups without those that tell apart embeddings of one struct.
    pub(super) key: u32,
    /// Tells apart copies of one alternative's conjuncts.
    pub(super) salt: u64,
}

impl Item {
    /// A conjunct derived from this one.
    pub(super) fn derive(self, expr: ExprId, env: EnvId, n: u64) -> Self {
        Self { expr, env, trail: mix(self.trail, u64::from(expr) ^ (n << 40)), ..self }
    }
}

pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut x = a.rotate_left(23) ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 32)
}

/// An alternative that was picked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(super) trail: u64,
    /// The disjunction: wherever it comes from, it is the same one.
    pub(super) from: (ExprId, EnvId),
    pub(super) salt: u64,
    pub(super) alternative: u32,
    pub(super) mark: Mark,
    /// The choice whose alternative this disjunction is part of.
    pub(super) within: Option<u16>,
}

/// Whether an alternative is a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The disjunction has no marks.
    Open,
    Default,
    NotDefault,
    /// Its disjunction's defaults are all gone, and the marks within it with them.
    Dropped,
}

/// A disjunction whose alternative is not picked yet.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) item: Item,
    pub(super) alternatives: Alternatives,
}

#[derive(Clone, Debug)]
pub(super) enum Alternatives {
    /// Expressions with their marks; whether any is marked.
    Exprs(Vec<(ExprId, bool)>, bool),
    /// Computed values.
    Nodes(Arc<[NodeId]>, usize),
}

impl Alternatives {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Exprs(list, _) => list.len(),
            Self::Nodes(list, _) => list.len(),
        }
    }

    pub(super) fn mark(&self, i: usize) -> Mark {
        match self {
            Self::Exprs(_, false) | Self::Nodes(_, 0) => Mark::Open,
            Self::Exprs(list, true) if list[i].1 => Mark::Default,
            Self::Nodes(_, defaults) if i < *defaults => Mark::Default,
            _ => Mark::NotDefault,
        }
    }
}

/// Something that needs other values before it can be added.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// An expression or reference.
    Expr(Item),
    /// A list literal with comprehensions.
    List(Item),
    /// A field with a computed label.
    Dynamic {
        item: Item,
        decl: usize,
    },
    Comprehension(Item),
}

/// A task that waits, and why.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) task: Task,
    pub(super) why: Option<Arc<Bottom>>,
}

/// One node's evaluation.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) node: NodeId,
    /// Conjuncts of the node taken so far.
    pub(super) taken: usize,
    pub(super) queue: VecDeque<Item>,
    pub(super) seen: HashSet<(ExprId, EnvId, u32, u32)>,
    pub(super) tasks: Vec<Waiting>,
    pub(super) choices: Vec<Choice>,
    pub(super) pending: Vec<Pending>,
    pub(super) kind: Kind,
    /// What determined `kind`.
    pub(super) kind_at: SmallVec<[(Kind, ExprId); 2]>,
    pub(super) scalar: Option<(Value, ExprId)>,
    pub(super) constraints: Vec<(Value, ExprId)>,
    pub(super) errors: Vec<Arc<Bottom>>,
    pub(super) incomplete: Vec<Arc<Bottom>>,
    /// Fields a closed struct refuses.
    pub(super) disallowed: Vec<Arc<Bottom>>,
    pub(super) saw_struct: bool,
    pub(super) saw_fields: bool,
    pub(super) lists: Vec<ListPart>,
    pub(super) patterns: Vec<Pattern>,
    /// For each arc, how many patterns were matched against it.
    pub(super) matched: Vec<usize>,
    pub(super) reqs: SmallVec<[u32; 2]>,
    /// The sets of groups of the struct literals that were added.
    pub(super) struct_groups: SmallVec<[u32; 2]>,
    pub(super) opened: SmallVec<[u32; 2]>,
    pub(super) ellipsis: bool,
    /// References of the struct literals and scalars that are not cyclic.
    pub(super) anchors: Vec<u32>,
    pub(super) cyclic: Vec<(Item, NodeId)>,
    /// Nothing else can run: comprehensions may look at unfinished structs.
    pub(super) late: bool,
    /// Scope of the files of a package, which are one struct.
    pub(super) file_scope: Option<u32>,
    /// Targets whose conjuncts were added, and for which groups.
    pub(super) followed: HashSet<(NodeId, u32, bool)>,
    /// The node itself was ranged over when it had this many fields.
    pub(super) ranged: Option<(usize, ExprId)>,
}

/// One list literal that was added.
#[derive(Clone, Debug)]
pub(super) struct ListPart {
    pub(super) len: usize,
    pub(super) open: bool,
    /// Element type of the tail.
    pub(super) tail: Option<(ExprId, EnvId, Origin)>,
    pub(super) at: ExprId,
    /// Elements the tail was applied to.
    pub(super) applied: usize,
}

impl Work {
    pub(super) fn new(node: NodeId, choices: Vec<Choice>) -> Self {
        Self {
            node,
            taken: 0,
            queue: VecDeque::new(),
            seen: HashSet::new(),
            tasks: Vec::new(),
            choices,
            pending: Vec::new(),
            kind: Kind::TOP,
            kind_at: SmallVec::new(),
            scalar: None,
            constraints: Vec::new(),
            errors: Vec::new(),
            incomplete: Vec::new(),
            disallowed: Vec::new(),
            saw_struct: false,
            saw_fields: false,
            lists: Vec::new(),
            patterns: Vec::new(),
            matched: Vec::new(),
            reqs: SmallVec::new(),
            struct_groups: SmallVec::new(),
            opened: SmallVec::new(),
            ellipsis: false,
            anchors: Vec::new(),
            cyclic: Vec::new(),
            late: false,
            file_scope: None,
            followed: HashSet::new(),
            ranged: None,
        }
    }
}

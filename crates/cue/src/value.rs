//! Values the evaluator computes with.

use std::sync::Arc;

use crate::error::Code;
use crate::number::Number;
use crate::syntax::ast::BinaryOp;

/// A set of basic types, as bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kind(pub(crate) u16);

impl Kind {
    pub(crate) const BOTTOM: Self = Self(0);
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOL: Self = Self(2);
    pub(crate) const INT: Self = Self(4);
    pub(crate) const FLOAT: Self = Self(8);
    pub(crate) const NUMBER: Self = Self(12);
    pub(crate) const STRING: Self = Self(16);
    pub(crate) const BYTES: Self = Self(32);
    pub(crate) const FUNC: Self = Self(64);
    pub(crate) const LIST: Self = Self(128);
    pub(crate) const STRUCT: Self = Self(256);
    pub(crate) const TOP: Self = Self(511);

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMES: [(Kind, &str); 10] = [
            (Kind::NULL, "null"),
            (Kind::BOOL, "bool"),
            (Kind::NUMBER, "number"),
            (Kind::INT, "int"),
            (Kind::FLOAT, "float"),
            (Kind::STRING, "string"),
            (Kind::BYTES, "bytes"),
            (Kind::FUNC, "func"),
            (Kind::LIST, "list"),
            (Kind::STRUCT, "struct"),
        ];
        if *self == Self::TOP {
            return f.write_str("_");
        }
        let mut left = self.0;
        let mut names = Vec::new();
        for (kind, name) in NAMES {
            if left & kind.0 == kind.0 {
                left &= !kind.0;
                names.push(name);
            }
        }
        match names.len() {
            0 => f.write_str("_|_"),
            1 => f.write_str(names[0]),
            _ => write!(f, "({})", names.join("|")),
        }
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Where an error or value comes from: an expression of the program.
pub(crate) type ExprId = u32;
/// A node of the evaluator's arena.
pub(crate) type NodeId = u32;

/// An error value.
#[derive(Clone, Debug)]
pub(crate) struct Bottom {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// Contributing expressions.
    pub(crate) at: Vec<ExprId>,
    /// Path of the node it belongs to.
    pub(crate) node: Option<NodeId>,
    pub(crate) hint: Option<String>,
    /// Errors below it (an empty disjunction's).
    pub(crate) causes: Vec<Arc<Bottom>>,
    /// Incomplete now, and incomplete forever because its struct is closed to change.
    pub(crate) for_try: bool,
}

impl Bottom {
    /// Whether a `try` whose `?` meets it yields nothing: what is referred to is not there, and may yet come.
    pub(crate) fn skips_try(&self) -> bool {
        self.for_try && self.code.is_incomplete()
    }

    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            at: Vec::new(),
            node: None,
            hint: None,
            causes: Vec::new(),
            for_try: false,
        }
    }
}

/// Operators of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BoundOp {
    Ne,
    Eq,
    Lt,
    Le,
    Gt,
    Ge,
    Match,
    NotMatch,
}

impl BoundOp {
    pub(crate) fn symbol(self) -> &'static str {
        self.binary().symbol()
    }

    pub(crate) fn binary(self) -> BinaryOp {
        match self {
            Self::Ne => BinaryOp::Ne,
            Self::Eq => BinaryOp::Eq,
            Self::Lt => BinaryOp::Lt,
            Self::Le => BinaryOp::Le,
            Self::Gt => BinaryOp::Gt,
            Self::Ge => BinaryOp::Ge,
            Self::Match => BinaryOp::Match,
            Self::NotMatch => BinaryOp::NotMatch,
        }
    }
}

/// A builtin with arguments that checks a value.
#[derive(Debug)]
pub(crate) struct Validator {
    pub(crate) builtin: u32,
    pub(crate) args: Vec<Value>,
    /// Expressions of the arguments.
    pub(crate) at: ExprId,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Bottom(Arc<Bottom>),
    Null,
    Bool(bool),
    Number(Arc<Number>),
    String(Arc<str>),
    Bytes(Arc<[u8]>),
    /// A basic type or a union of such; `_` is all of them.
    Kind(Kind),
    Bound(BoundOp, Arc<Value>),
    /// Several non-concrete constraints at once.
    Conj(Arc<[Value]>),
    /// A builtin function.
    Builtin(u32),
    Validator(Arc<Validator>),
    /// A struct, list, or disjunction held by a node.
    Node(NodeId),
    /// A disjunction: the nodes and how many of them, from the first, are defaults.
    Disjunction(Arc<[NodeId]>, usize),
}

impl Value {
    pub(crate) fn top() -> Self {
        Self::Kind(Kind::TOP)
    }

    pub(crate) fn string(text: impl Into<Arc<str>>) -> Self {
        Self::String(text.into())
    }

    pub(crate) fn number(n: Number) -> Self {
        Self::Number(Arc::new(n))
    }

    pub(crate) fn int(n: i64) -> Self {
        Self::number(Number::int(n))
    }

    pub(crate) fn bottom(&self) -> Option<&Arc<Bottom>> {
        match self {
            Self::Bottom(b) => Some(b),
            _ => None,
        }
    }

    /// A concrete scalar.
    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self, Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Bytes(_))
    }

    /// The types a scalar or constraint admits.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Bottom(_) => Kind::BOTTOM,
            Self::Null => Kind::NULL,
            Self::Bool(_) => Kind::BOOL,
            Self::Number(n) if n.is_int() => Kind::INT,
            Self::Number(_) => Kind::FLOAT,
            Self::String(_) => Kind::STRING,
            Self::Bytes(_) => Kind::BYTES,
            Self::Kind(k) => *k,
            Self::Bound(op, limit) => bound_kind(*op, limit),
            Self::Conj(all) => all.iter().fold(Kind::TOP, |k, v| k.and(v.kind())),
            Self::Builtin(_) => Kind::FUNC,
            Self::Validator(_) | Self::Node(_) | Self::Disjunction(..) => Kind::TOP,
        }
    }

    /// Same scalar, by type and value.
    pub(crate) fn same_scalar(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            _ => false,
        }
    }
}

/// The types a bound admits.
fn bound_kind(op: BoundOp, limit: &Value) -> Kind {
    match (op, limit.kind()) {
        (BoundOp::Match | BoundOp::NotMatch, _) => Kind::STRING.or(Kind::BYTES),
        (BoundOp::Ne, Kind::NULL) => Kind(Kind::TOP.0 & !Kind::NULL.0 & !Kind::FUNC.0),
        (_, k) if k.has(Kind::NUMBER) => Kind::NUMBER,
        (_, k) => k,
    }
}

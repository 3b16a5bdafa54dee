//! The compiled form of source files: expressions with their references resolved to scopes.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::error::Position;
use crate::syntax::ast::{BinaryOp, Constraint, Span, UnaryOp};
use crate::value::{BoundOp, ExprId, Value};

/// An interned field label; the top bit marks a list index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Label(u32);

const INDEX_BIT: u32 = 1 << 31;

/// What a label names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum LabelKind {
    Regular,
    Definition,
    Hidden,
    HiddenDefinition,
    /// An anonymous node (a `let`, an operand).
    Anonymous,
}

impl Label {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn index(n: usize) -> Self {
        Self(u32::try_from(n).unwrap_or(INDEX_BIT - 1) | INDEX_BIT)
    }

    pub(crate) fn as_index(self) -> Option<usize> {
        (self.0 & INDEX_BIT != 0).then_some((self.0 & !INDEX_BIT) as usize)
    }
}

/// Label texts.
#[derive(Debug)]
pub(crate) struct Labels {
    infos: Vec<(Arc<str>, LabelKind, u32)>,
    map: HashMap<(Arc<str>, LabelKind, u32), Label>,
}

impl Default for Labels {
    fn default() -> Self {
        let mut labels = Self { infos: Vec::new(), map: HashMap::new() };
        labels.intern("", LabelKind::Anonymous, 0);
        labels
    }
}

impl Labels {
    fn intern(&mut self, text: &str, kind: LabelKind, package: u32) -> Label {
        let key: (Arc<str>, LabelKind, u32) = (text.into(), kind, package);
        if let Some(label) = self.map.get(&key) {
            return *label;
        }
        let label = Label(u32::try_from(self.infos.len()).unwrap_or(0) & !INDEX_BIT);
        self.infos.push(key.clone());
        self.map.insert(key, label);
        label
    }

    /// A regular (string) label.
    pub(crate) fn string(&mut self, text: &str) -> Label {
        self.intern(text, LabelKind::Regular, 0)
    }

    /// The label an identifier stands for; hidden ones belong to a package.
    pub(crate) fn ident(&mut self, text: &str, package: u32) -> Label {
        let kind = ident_kind(text);
        let package =
            if matches!(kind, LabelKind::Hidden | LabelKind::HiddenDefinition) { package } else { 0 };
        self.intern(text, kind, package)
    }

    pub(crate) fn text(&self, label: Label) -> Arc<str> {
        match label.as_index() {
            Some(i) => i.to_string().into(),
            None => self.infos.get(label.0 as usize).map_or_else(|| "".into(), |i| i.0.clone()),
        }
    }

    pub(crate) fn kind(&self, label: Label) -> LabelKind {
        match label.as_index() {
            Some(_) => LabelKind::Regular,
            None => self.infos.get(label.0 as usize).map_or(LabelKind::Anonymous, |i| i.1),
        }
    }

    pub(crate) fn is_regular(&self, label: Label) -> bool {
        self.kind(label) == LabelKind::Regular
    }
}

/// The kind of label an identifier written without quotes is.
pub(crate) fn ident_kind(text: &str) -> LabelKind {
    if text.starts_with("_#") {
        LabelKind::HiddenDefinition
    } else if text.starts_with('#') {
        LabelKind::Definition
    } else if text.starts_with('_') {
        LabelKind::Hidden
    } else {
        LabelKind::Regular
    }
}

/// A declaration of a struct.
#[derive(Clone, Debug)]
pub(crate) enum DeclIr {
    Field(Label, Constraint, ExprId),
    /// Label expression, constraint, value.
    Dynamic(ExprId, Constraint, ExprId),
    /// Pattern, value, and whether the value sees the label.
    Pattern(ExprId, ExprId, bool),
    Embed(ExprId),
    Ellipsis,
}

/// A struct literal.
#[derive(Clone, Debug, Default)]
pub(crate) struct StructIr {
    pub(crate) decls: Vec<DeclIr>,
    pub(crate) has_embed: bool,
    pub(crate) has_fields: bool,
    pub(crate) attrs: Vec<(Label, Arc<str>)>,
}

/// A clause of a comprehension; each `For`, `Let` and `Try` with a name opens one scope.
#[derive(Clone, Debug)]
pub(crate) enum ClauseIr {
    For(ExprId),
    If(ExprId),
    Let(ExprId),
    Try,
    TryLet(ExprId),
}

/// A compiled expression.
#[derive(Clone, Debug)]
pub(crate) enum Ir {
    Value(Value),
    /// Field of the struct `up` scopes out.
    Ref(u32, Label),
    /// The label a pattern or field matched, `up` scopes out.
    LabelRef(u32),
    /// The field whose label scope is `up` scopes out.
    FieldOf(u32),
    ForKey(u32),
    ForValue(u32),
    /// A comprehension's `let`, `up` scopes out.
    Bound(u32),
    /// A `let` clause: the scope it stands in, and its value.
    LetRef(u32, ExprId),
    /// The struct or list itself.
    SelfRef(u32),
    /// The field with a computed label.
    DynRef(u32, ExprId),
    /// An imported package.
    Import(u32),
    Selector(ExprId, Label),
    Index(ExprId, ExprId),
    Slice(ExprId, Option<ExprId>, Option<ExprId>),
    Call(ExprId, Vec<ExprId>),
    Unary(UnaryOp, ExprId),
    Bound2(BoundOp, ExprId),
    Binary(BinaryOp, ExprId, ExprId),
    /// Alternatives with their default marks, and whether any is marked.
    Disjunction(Vec<(ExprId, bool)>, bool),
    Struct(Arc<StructIr>),
    List(Arc<Vec<ElementIr>>),
    /// Text pieces, expressions, and whether it makes bytes.
    Interpolation(Arc<Vec<Vec<u8>>>, Vec<ExprId>, bool),
    Comprehension(Arc<Vec<ClauseIr>>, ExprId, Option<ExprId>),
    Optional(ExprId),
    Open(ExprId),
}

/// A list element.
#[derive(Clone, Debug)]
pub(crate) enum ElementIr {
    Value(ExprId),
    Comprehension(ExprId),
    Ellipsis(Option<ExprId>),
}

/// A source file, kept for positions.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) text: Arc<str>,
    starts: OnceLock<Box<[u32]>>,
}

impl Source {
    pub(crate) fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into(), starts: OnceLock::new() }
    }

    /// Where each line begins. Counted once: whoever asks for the place of every value would count the file for each.
    pub(crate) fn starts(&self) -> &[u32] {
        self.starts.get_or_init(|| {
            let breaks = self.text.bytes().zip(1_u32..).filter(|(byte, _)| *byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(_, next)| next)).collect()
        })
    }

    /// The position of byte `offset`.
    pub(crate) fn position(&self, offset: u32) -> Position {
        let line = self.starts().partition_point(|start| *start <= offset);
        let start = self.starts().get(line.saturating_sub(1)).copied().unwrap_or(0);
        let rest = self.text.get(start as usize..).unwrap_or_default();
        let position = Position::locate(&self.name, rest, offset.saturating_sub(start));
        // an offset beyond the end is at the end, whose line the rest begins with
        Position { line: u32::try_from(line).unwrap_or(u32::MAX), file: self.name.clone(), ..position }
    }
}

/// A package whose members are another package's files.
#[derive(Debug, Clone)]
pub(crate) struct PackageIr {
    /// Struct literals of its files.
    pub(crate) files: Vec<ExprId>,
}

/// Everything compiled so far.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) labels: Labels,
    pub(crate) exprs: Vec<Ir>,
    pub(crate) spans: Vec<(u32, Span)>,
    pub(crate) sources: Vec<Source>,
    pub(crate) packages: Vec<PackageIr>,
    /// `&&` and `||` do not look at their right side when the left decides.
    pub(crate) short_circuit: bool,
}

impl Program {
    pub(crate) fn push(&mut self, ir: Ir, source: u32, span: Span) -> ExprId {
        let id = ExprId::try_from(self.exprs.len()).unwrap_or(ExprId::MAX);
        self.exprs.push(ir);
        self.spans.push((source, span));
        id
    }

    pub(crate) fn position(&self, expr: ExprId) -> Option<Position> {
        let (source, span) = self.spans.get(expr as usize)?;
        let source = self.sources.get(*source as usize)?;
        Some(source.position(span.start))
    }

    /// The source text of an expression.
    pub(crate) fn text(&self, expr: ExprId) -> &str {
        let Some((source, span)) = self.spans.get(expr as usize) else { return "" };
        let Some(source) = self.sources.get(*source as usize) else { return "" };
        source.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }
}

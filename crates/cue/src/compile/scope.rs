//! Scopes: what a name stands for, and how far out.

use std::collections::HashMap;

use crate::program::Label;
use crate::syntax::Text;
use crate::syntax::ast::Span;
use crate::value::ExprId;

/// What a name in a scope stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name {
    Field(Label),
    Let(ExprId),
    /// Alias of a field with a computed label: the label's expression.
    Dynamic(ExprId),
    /// The computed label itself.
    DynamicLabel(ExprId),
    /// A known label.
    Constant(Label),
    /// The struct the scope is.
    SelfValue,
    /// The label a pattern matched.
    Label,
    /// The field a pattern matched.
    FieldOfLabel,
    ForKey,
    ForValue,
    Bound,
}

/// What opened a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScopeKind {
    Struct,
    List,
    Other,
}

/// A `let` or alias, which is to be referred to somewhere.
#[derive(Clone, Debug)]
pub(super) struct Local {
    pub(super) name: Text,
    pub(super) span: Span,
    used: bool,
}

/// One scope; each is one level of the environment at run time.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) kind: ScopeKind,
    pub(super) names: HashMap<Text, Name>,
    /// `let`s whose values are still to be compiled.
    pub(super) lets: Vec<(Text, ExprId)>,
    /// Aliases that the next struct literal binds to itself.
    pub(super) pending_self: Vec<Text>,
    /// What is of no use unless something refers to it.
    locals: Vec<Local>,
}

impl Scope {
    fn new(kind: ScopeKind) -> Self {
        Self { kind, names: HashMap::new(), lets: Vec::new(), pending_self: Vec::new(), locals: Vec::new() }
    }

    pub(super) fn strukt() -> Self {
        Self::new(ScopeKind::Struct)
    }

    pub(super) fn list() -> Self {
        Self::new(ScopeKind::List)
    }

    pub(super) fn label() -> Self {
        Self::new(ScopeKind::Other)
    }

    /// Notes a `let` or alias.
    pub(super) fn local(&mut self, name: &Text, span: Span) {
        self.locals.push(Local { name: name.clone(), span, used: false });
    }

    /// Notes that something refers to a name.
    pub(super) fn refer(&mut self, name: &str) {
        if let Some(local) = self.locals.iter_mut().rev().find(|local| *local.name == *name) {
            local.used = true;
        }
    }

    /// The last `let` or alias noted, which goes out of scope, where nothing referred to it.
    pub(super) fn end_local(&mut self) -> Option<Local> {
        self.locals.pop().filter(|local| !local.used)
    }

    /// The `let`s and aliases nothing referred to.
    pub(super) fn unused(self) -> impl Iterator<Item = Local> {
        self.locals.into_iter().filter(|local| !local.used)
    }

    pub(super) fn take_let(&mut self, name: &str) -> Option<ExprId> {
        let at = self.lets.iter().position(|(n, _)| n == name)?;
        Some(self.lets.remove(at).1)
    }
}

/// Takes the aliases waiting for the struct literal about to be compiled.
pub(super) fn take_pending_self(scopes: &mut [Scope]) -> Option<Vec<Text>> {
    let scope = scopes.last_mut()?;
    if scope.pending_self.is_empty() { None } else { Some(std::mem::take(&mut scope.pending_self)) }
}

//! Which `let` refers to which, to refuse those that refer to themselves.

use std::collections::{HashMap, HashSet};

use super::Compiler;
use crate::program::Ir;
use crate::value::ExprId;

/// References between `let` clauses.
#[derive(Default)]
pub(super) struct Graph {
    current: Option<ExprId>,
    /// From a `let` to the references in it: the reference and the `let` it names.
    edges: HashMap<ExprId, Vec<(ExprId, ExprId)>>,
}

impl Graph {
    pub(super) fn declare(&mut self, id: ExprId) {
        self.edges.entry(id).or_default();
    }

    pub(super) fn enter(&mut self, id: ExprId) -> Option<ExprId> {
        self.current.replace(id)
    }

    pub(super) fn leave(&mut self, outer: Option<ExprId>) {
        self.current = outer;
    }

    pub(super) fn refer(&mut self, reference: ExprId, target: ExprId) {
        if let Some(current) = self.current {
            self.edges.entry(current).or_default().push((reference, target));
        }
    }

    fn reaches(&self, from: ExprId, to: ExprId) -> bool {
        let mut seen = HashSet::new();
        let mut todo = vec![from];
        while let Some(id) = todo.pop() {
            if id == to {
                return true;
            }
            if seen.insert(id) {
                todo.extend(self.edges.get(&id).into_iter().flatten().map(|(_, t)| *t));
            }
        }
        false
    }
}

impl Compiler<'_, '_> {
    /// Replaces every reference that closes a cycle of `let`s by an error.
    pub(super) fn break_let_cycles(&mut self) {
        let mut bad: Vec<ExprId> = Vec::new();
        for (from, refs) in &self.lets.edges {
            for (reference, target) in refs {
                if self.lets.reaches(*target, *from) {
                    bad.push(*reference);
                }
            }
        }
        bad.sort_unstable();
        for id in bad {
            let (source, span) = self.program.spans[id as usize];
            self.source = source;
            let error = self.fail("cyclic references in let clause or alias", span);
            self.program.exprs[id as usize] = self.program.exprs[error as usize].clone();
            if let Ir::Value(_) = self.program.exprs[id as usize] {
                self.copy_over_lets(id, span);
            }
        }
    }

    /// A `let` whose whole value is the reference holds a copy of it, which must fail too.
    fn copy_over_lets(&mut self, id: ExprId, span: crate::syntax::ast::Span) {
        let targets: Vec<ExprId> = self.lets.edges.keys().copied().collect();
        for target in targets {
            if self.program.spans[target as usize] == (self.source, span) {
                self.program.exprs[target as usize] = self.program.exprs[id as usize].clone();
            }
        }
    }
}

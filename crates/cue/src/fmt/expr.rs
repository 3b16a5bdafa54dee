//! Expressions.

use super::Printer;
use crate::syntax::ast::{
    Clause, Comprehension, Decl, Element, ElementKind, Expr, ExprKind, Interpolation, List, Struct,
};

impl Printer {
    /// Writes an expression in a place that binds at least `min`.
    pub(super) fn expr(&mut self, e: &Expr, min: u8) {
        stacker::maybe_grow(crate::limits::RED_ZONE, crate::limits::STACK_CHUNK, || self.expr_inner(e, min));
    }

    fn expr_inner(&mut self, e: &Expr, min: u8) {
        match &e.kind {
            ExprKind::Ident(name) => self.out.push_str(name),
            ExprKind::Literal(lit) => self.out.push_str(&lit.text),
            ExprKind::Interpolation(i) => self.interpolation(i),
            ExprKind::Bottom => self.out.push_str("_|_"),
            ExprKind::Struct(s) => self.strukt(s),
            ExprKind::List(list) => self.list(list),
            ExprKind::Paren(inner) => {
                self.out.push('(');
                self.expr(inner, 0);
                self.out.push(')');
            }
            ExprKind::Selector(base, label) => {
                self.expr(base, 9);
                self.out.push('.');
                self.out.push_str(&label.text);
            }
            ExprKind::Index(base, index) => {
                self.expr(base, 9);
                self.out.push('[');
                self.expr(index, 0);
                self.out.push(']');
            }
            ExprKind::Slice(base, low, high) => {
                self.expr(base, 9);
                self.out.push('[');
                if let Some(low) = low {
                    self.expr(low, 0);
                }
                self.out.push(':');
                if let Some(high) = high {
                    self.expr(high, 0);
                }
                self.out.push(']');
            }
            ExprKind::Call(f, args) => {
                self.expr(f, 9);
                self.out.push('(');
                for (i, arg) in args.iter().enumerate() {
                    if i > 0 {
                        self.out.push_str(", ");
                    }
                    self.expr(arg, 0);
                }
                self.out.push(')');
            }
            ExprKind::Unary(op, inner) => {
                self.out.push_str(op.symbol());
                self.expr(inner, 8);
            }
            ExprKind::Binary(op, a, b) => {
                let precedence = op.precedence();
                let wrap = precedence < min;
                if wrap {
                    self.out.push('(');
                }
                self.expr(a, precedence);
                self.out.push_str(&format!(" {} ", op.symbol()));
                self.expr(b, precedence + 1);
                if wrap {
                    self.out.push(')');
                }
            }
            ExprKind::Alias(name, inner) => self.aliased(&name.name, inner),
            ExprKind::Comprehension(c) => self.comprehension(c),
            ExprKind::Optional(inner) => {
                self.expr(inner, 9);
                self.out.push('?');
            }
            ExprKind::Open(inner) => {
                self.expr(inner, 9);
                self.out.push_str("...");
            }
        }
    }

    pub(super) fn interpolation(&mut self, i: &Interpolation) {
        for (n, part) in i.parts.iter().enumerate() {
            self.out.push_str(part);
            if let Some(e) = i.exprs.get(n) {
                self.expr(e, 0);
            }
        }
    }

    fn strukt(&mut self, s: &Struct) {
        if s.decls.is_empty() && s.trailing.is_empty() {
            self.out.push_str("{}");
            return;
        }
        let plain =
            |d: &Decl| d.comments.doc.is_empty() && d.comments.line.is_none() && !d.comments.newline_before;
        if !s.multiline && s.trailing.is_empty() && s.decls.iter().all(plain) {
            self.out.push('{');
            for (i, decl) in s.decls.iter().enumerate() {
                if i > 0 {
                    self.out.push_str(", ");
                }
                self.decl(decl, "");
            }
            self.out.push('}');
            return;
        }
        self.out.push_str("{\n");
        self.level += 1;
        let decls: Vec<&Decl> = s.decls.iter().collect();
        self.decls(&decls);
        self.trailing(&s.trailing);
        self.level -= 1;
        self.indent();
        self.out.push('}');
    }

    fn element(&mut self, e: &Element) {
        match &e.kind {
            ElementKind::Expr(e) => self.expr(e, 0),
            ElementKind::Ellipsis(value) => {
                self.out.push_str("...");
                if let Some(value) = value {
                    self.expr(value, 0);
                }
            }
        }
    }

    fn list(&mut self, list: &List) {
        let List { elements, multiline, trailing } = list;
        let plain = |e: &Element| {
            e.comments.doc.is_empty() && e.comments.line.is_none() && !e.comments.newline_before
        };
        if !*multiline && trailing.is_empty() && elements.iter().all(plain) {
            self.out.push('[');
            for (i, e) in elements.iter().enumerate() {
                if i > 0 {
                    self.out.push_str(", ");
                }
                self.element(e);
            }
            self.out.push(']');
            return;
        }
        self.out.push('[');
        self.level += 1;
        for (i, e) in elements.iter().enumerate() {
            let after_comment = i > 0 && elements[i - 1].comments.line.is_some();
            let fresh = i == 0 || after_comment || e.comments.newline_before || !e.comments.doc.is_empty();
            if fresh {
                self.out.push('\n');
                if i > 0 && e.comments.blank_before {
                    self.out.push('\n');
                }
                self.docs(&e.comments);
                self.indent();
            } else {
                self.out.push(' ');
            }
            self.element(e);
            self.out.push(',');
            self.line_comment(&e.comments);
        }
        self.out.push('\n');
        self.trailing(trailing);
        self.level -= 1;
        self.indent();
        self.out.push(']');
    }

    fn comprehension(&mut self, c: &Comprehension) {
        for clause in &c.clauses {
            match clause {
                Clause::For(key, value, source) => {
                    self.out.push_str("for ");
                    if let Some(key) = key {
                        self.out.push_str(&format!("{}, ", key.name));
                    }
                    self.out.push_str(&format!("{} in ", value.name));
                    self.expr(source, 0);
                }
                Clause::If(condition) => {
                    self.out.push_str("if ");
                    self.expr(condition, 0);
                }
                Clause::Let(name, value) => {
                    self.out.push_str(&format!("let {} = ", name.name));
                    self.expr(value, 0);
                }
                Clause::Try(None, _) => self.out.push_str("try"),
                Clause::Try(Some((name, value)), _) => {
                    self.out.push_str(&format!("try {} = ", name.name));
                    self.expr(value, 0);
                }
            }
            self.out.push(' ');
        }
        self.expr(&c.body, 0);
        if let Some(otherwise) = &c.otherwise {
            self.out.push_str(" else ");
            self.expr(otherwise, 0);
        }
    }
}

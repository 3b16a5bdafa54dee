//! Expressions.

use std::sync::Arc;

use super::scope::{Name, Scope, ScopeKind};
use super::{Compiler, Imported, decode_label};
use crate::builtin;
use crate::number::Number;
use crate::program::{ClauseIr, ElementIr, Ir, Label};
use crate::syntax::Text;
use crate::syntax::ast::{
    BinaryOp, Clause, Comprehension, Element, ElementKind, Expr, ExprKind, Interpolation, Literal,
    LiteralKind, Span, UnaryOp,
};
use crate::syntax::literal;
use crate::value::{BoundOp, ExprId, Kind, Value};

fn bound_op(op: UnaryOp) -> Option<BoundOp> {
    Some(match op {
        UnaryOp::Ne => BoundOp::Ne,
        UnaryOp::Eq => BoundOp::Eq,
        UnaryOp::Lt => BoundOp::Lt,
        UnaryOp::Le => BoundOp::Le,
        UnaryOp::Gt => BoundOp::Gt,
        UnaryOp::Ge => BoundOp::Ge,
        UnaryOp::Match => BoundOp::Match,
        UnaryOp::NotMatch => BoundOp::NotMatch,
        _ => return None,
    })
}

impl Compiler<'_, '_> {
    pub(super) fn expr(&mut self, expr: &Expr) -> ExprId {
        stacker::maybe_grow(crate::limits::RED_ZONE, crate::limits::STACK_CHUNK, || self.expr_inner(expr))
    }

    fn expr_inner(&mut self, expr: &Expr) -> ExprId {
        let span = expr.span;
        let ir = match &expr.kind {
            ExprKind::Ident(name) => return self.ident(name, span),
            ExprKind::Literal(lit) => return self.literal(lit),
            ExprKind::Interpolation(i) => return self.interpolation(i),
            ExprKind::Bottom => {
                let id = self.push(Ir::Value(Value::Null), span);
                let mut bottom = crate::value::Bottom::new(
                    crate::error::Code::User,
                    "explicit error (_|_ literal) in source",
                );
                bottom.at.push(id);
                self.program.exprs[id as usize] = Ir::Value(Value::Bottom(Arc::new(bottom)));
                return id;
            }
            ExprKind::Struct(s) => return self.struct_literal(&s.decls, span),
            ExprKind::List(list) => return self.list(&list.elements, span),
            ExprKind::Paren(inner) => return self.expr(inner),
            ExprKind::Selector(base, label) => return self.selector(base, label, span),
            ExprKind::Index(base, index) => Ir::Index(self.expr(base), self.expr(index)),
            ExprKind::Slice(base, low, high) => {
                let base = self.expr(base);
                let low = low.as_ref().map(|e| self.expr(e));
                Ir::Slice(base, low, high.as_ref().map(|e| self.expr(e)))
            }
            ExprKind::Call(function, args) => {
                let function = self.expr(function);
                if let Some(message) = self.misused_close(function, args) {
                    return self.fail(message, span);
                }
                Ir::Call(function, args.iter().map(|a| self.expr(a)).collect())
            }
            ExprKind::Unary(op, operand) => return self.unary(*op, operand, span),
            ExprKind::Binary(BinaryOp::Or, ..) => return self.disjunction(expr),
            ExprKind::Binary(op, left, right) => {
                let left = self.expr(left);
                let right = self.expr(right);
                if *op != BinaryOp::And {
                    self.check_concrete(*op, left);
                    self.check_concrete(*op, right);
                }
                Ir::Binary(*op, left, right)
            }
            ExprKind::Alias(name, inner) => {
                if let Some(scope) = self.scopes.last_mut()
                    && matches!(inner.kind, ExprKind::Struct(_))
                {
                    scope.pending_self.push(name.name.clone());
                }
                return self.expr(inner);
            }
            ExprKind::Comprehension(c) => return self.comprehension(c),
            ExprKind::Optional(inner) => Ir::Optional(self.expr(inner)),
            ExprKind::Open(inner) => Ir::Open(self.expr(inner)),
        };
        self.push(ir, span)
    }

    /// Why `__closeAll` cannot be called so.
    fn misused_close(&self, function: ExprId, args: &[Expr]) -> Option<&'static str> {
        let Ir::Value(Value::Builtin(id)) = self.program.exprs[function as usize] else { return None };
        if !builtin::closes_all(id) {
            return None;
        }
        if !self.explicit_open {
            return Some("__closeAll may only be used when explicitopen is enabled");
        }
        let literal = |e: &Expr| matches!(e.kind, ExprKind::Struct(_) | ExprKind::List(..));
        (!args.iter().all(literal)).then_some("argument must be a struct or list literal")
    }

    /// An operand that is a type can never become concrete.
    fn check_concrete(&mut self, op: BinaryOp, operand: ExprId) {
        let never = match &self.program.exprs[operand as usize] {
            Ir::Value(Value::Kind(k)) => *k != Kind::TOP,
            Ir::Bound2(..) => true,
            _ => false,
        };
        if never {
            let text = self.program.text(operand).to_owned();
            let span = self.program.spans[operand as usize].1;
            let message = format!("invalid operand {text} ('{}' requires concrete value)", op.symbol());
            let error = self.fail(message, span);
            self.program.exprs[operand as usize] = self.program.exprs[error as usize].clone();
        }
    }

    fn unary(&mut self, op: UnaryOp, operand: &Expr, span: Span) -> ExprId {
        if op == UnaryOp::Default {
            return self.fail("preference mark not allowed at this position", span);
        }
        let id = self.expr(operand);
        let ir = match bound_op(op) {
            Some(bound) => Ir::Bound2(bound, id),
            None => Ir::Unary(op, id),
        };
        self.push(ir, span)
    }

    fn disjunction(&mut self, expr: &Expr) -> ExprId {
        let mut operands = Vec::new();
        let mut stack = vec![expr];
        while let Some(e) = stack.pop() {
            match &e.kind {
                ExprKind::Binary(BinaryOp::Or, left, right) => {
                    stack.push(right);
                    stack.push(left);
                }
                _ => operands.push(e),
            }
        }
        let mut alternatives = Vec::new();
        let mut marked = false;
        for operand in operands {
            let (inner, default) = match &operand.kind {
                ExprKind::Unary(UnaryOp::Default, inner) => (&**inner, true),
                _ => (operand, false),
            };
            marked |= default;
            alternatives.push((self.expr(inner), default));
        }
        self.push(Ir::Disjunction(alternatives, marked), expr.span)
    }

    fn literal(&mut self, lit: &Literal) -> ExprId {
        let value = match lit.kind {
            LiteralKind::Int | LiteralKind::Float => match Number::parse(&lit.text) {
                Some(n) => Value::number(n),
                None => return self.fail(format!("invalid number {}", lit.text), lit.span),
            },
            LiteralKind::Str => {
                let bytes = match literal::unquote(&lit.text) {
                    Ok(bytes) => bytes,
                    Err(message) => return self.fail(message, lit.span),
                };
                if lit.text.trim_start_matches('#').starts_with('\'') {
                    Value::Bytes(bytes.into())
                } else {
                    match String::from_utf8(bytes) {
                        Ok(text) => Value::string(text),
                        Err(_) => return self.fail("string is not valid UTF-8", lit.span),
                    }
                }
            }
        };
        self.push(Ir::Value(value), lit.span)
    }

    pub(super) fn interpolation(&mut self, i: &Interpolation) -> ExprId {
        let raw: Vec<&str> = i.parts.iter().map(Text::as_str).collect();
        let parts = match literal::unquote_parts(&raw) {
            Ok(parts) => parts,
            Err(message) => return self.fail(message, i.span),
        };
        let bytes = literal::quote_of(raw[0]).byte == b'\'';
        let exprs = i.exprs.iter().map(|e| self.expr(e)).collect();
        self.push(Ir::Interpolation(Arc::new(parts), exprs, bytes), i.span)
    }

    fn list(&mut self, elements: &[Element], span: Span) -> ExprId {
        self.scopes.push(Scope::list());
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            items.push(match &element.kind {
                ElementKind::Ellipsis(value) => ElementIr::Ellipsis(value.as_ref().map(|v| self.expr(v))),
                ElementKind::Expr(e) => match &e.kind {
                    ExprKind::Comprehension(c) => ElementIr::Comprehension(self.comprehension(c)),
                    _ => ElementIr::Value(self.expr(e)),
                },
            });
        }
        self.scopes.pop();
        self.push(Ir::List(Arc::new(items)), span)
    }

    fn comprehension(&mut self, c: &Comprehension) -> ExprId {
        let mut opened = 0;
        let mut clauses = Vec::new();
        for clause in &c.clauses {
            let (ir, scope) = self.clause(clause);
            clauses.push(ir);
            if let Some(scope) = scope {
                self.scopes.push(scope);
                opened += 1;
            }
        }
        let body = self.expr(&c.body);
        for _ in 0..opened {
            self.scopes.pop();
        }
        let otherwise = c.otherwise.as_ref().map(|e| self.expr(e));
        self.push(Ir::Comprehension(Arc::new(clauses), body, otherwise), c.span)
    }

    fn clause(&mut self, clause: &Clause) -> (ClauseIr, Option<Scope>) {
        let named = |names: &[(&str, Name)]| {
            let mut scope = Scope::label();
            for (name, what) in names {
                if *name != "_" {
                    scope.names.insert(Text::from(*name), *what);
                }
            }
            Some(scope)
        };
        match clause {
            Clause::For(key, value, source) => {
                let source = self.expr(source);
                let key = key.as_ref().map_or("_", |k| k.name.as_str());
                (ClauseIr::For(source), named(&[(key, Name::ForKey), (&value.name, Name::ForValue)]))
            }
            Clause::If(condition) => (ClauseIr::If(self.expr(condition)), None),
            Clause::Let(name, value) => {
                let value = self.expr(value);
                (ClauseIr::Let(value), named(&[(&name.name, Name::Bound)]))
            }
            Clause::Try(None, _) => (ClauseIr::Try, None),
            Clause::Try(Some((name, value)), _) => {
                let value = self.expr(value);
                (ClauseIr::TryLet(value), named(&[(&name.name, Name::Bound)]))
            }
        }
    }

    fn ident(&mut self, name: &str, span: Span) -> ExprId {
        if name == "_" {
            return self.push(Ir::Value(Value::top()), span);
        }
        let found =
            self.scopes.iter().rev().enumerate().find_map(|(up, s)| s.names.get(name).map(|n| (up, *n)));
        if let Some((up, what)) = found {
            let at = self.scopes.len() - 1 - up;
            self.scopes[at].refer(name);
            return self.name(u32::try_from(up).unwrap_or(u32::MAX), what, span);
        }
        if let Some(import) = self.imported(name) {
            return match import {
                Imported::Package(p) => self.push(Ir::Import(p), span),
                Imported::Missing => self.broken(format!("package {name:?} was not imported"), span),
                Imported::Builtin(_) => self.fail(format!("package {name:?} used without a selector"), span),
            };
        }
        if let Some(ir) = builtin::predeclared(name) {
            return self.push(ir, span);
        }
        if name == "self" {
            let up = self.scopes.iter().rev().position(|s| s.kind != ScopeKind::Other);
            if let Some(up) = up {
                return self.push(Ir::SelfRef(u32::try_from(up).unwrap_or(0)), span);
            }
        }
        self.fail(format!("reference {name:?} not found"), span)
    }

    fn name(&mut self, up: u32, what: Name, span: Span) -> ExprId {
        let ir = match what {
            Name::Field(label) => Ir::Ref(up, label),
            Name::Let(id) => {
                let reference = self.push(Ir::LetRef(up, id), span);
                self.lets.refer(reference, id);
                return reference;
            }
            Name::Dynamic(label) => Ir::DynRef(up, label),
            Name::DynamicLabel(label) => Ir::DynRef(up | super::LABEL_ONLY, label),
            Name::Constant(label) => Ir::Value(Value::String(self.program.labels.text(label))),
            Name::SelfValue => Ir::SelfRef(up),
            Name::Label => Ir::LabelRef(up),
            Name::FieldOfLabel => Ir::FieldOf(up),
            Name::ForKey => Ir::ForKey(up),
            Name::ForValue => Ir::ForValue(up),
            Name::Bound => Ir::Bound(up),
        };
        self.push(ir, span)
    }

    fn selector(&mut self, base: &Expr, label: &Literal, span: Span) -> ExprId {
        if let ExprKind::Ident(name) = &base.kind
            && !self.scopes.iter().any(|s| s.names.contains_key(name))
            && let Some(Imported::Builtin(package)) = self.imported(name.as_str())
        {
            return match builtin::member(package, &label.text) {
                Some(builtin::Member::Ir(ir)) => self.push(ir, span),
                Some(builtin::Member::Source(source)) => self.library_struct(source, span),
                None => {
                    let near = builtin::nearest(package, &label.text);
                    let hint = near.map(|near| format!("; did you mean {name}.{near}?")).unwrap_or_default();
                    self.fail(format!("cannot find {} in package {name}{hint}", label.text), span)
                }
            };
        }
        let base = self.expr(base);
        let label = self.selector_label(label);
        self.push(Ir::Selector(base, label), span)
    }

    /// A struct of the standard library that is written in CUE.
    fn library_struct(&mut self, source: &str, span: Span) -> ExprId {
        let Ok(expr) = crate::syntax::parser::parse_expr("builtin", source) else {
            return self.fail("builtin source is invalid", span);
        };
        let outer = std::mem::take(&mut self.scopes);
        let back = self.source;
        self.source = u32::try_from(self.program.sources.len()).unwrap_or(u32::MAX);
        self.program.sources.push(crate::program::Source::new("builtin", source));
        let id = self.expr(&expr);
        self.source = back;
        self.scopes = outer;
        id
    }

    fn selector_label(&mut self, label: &Literal) -> Label {
        if label.kind == LiteralKind::Str {
            let text = decode_label(&label.text).unwrap_or_default();
            return self.program.labels.string(&text);
        }
        self.program.labels.ident(&label.text, self.package)
    }
}

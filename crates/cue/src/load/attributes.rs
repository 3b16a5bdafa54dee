//! Attributes that put values in (`@tag`, `@embed`): their arguments, and the walk over the fields that bear them.

use crate::error::{Code, Error, Position};
use crate::limits::{RED_ZONE, STACK_CHUNK};
use crate::load::SourceFile;
use crate::syntax::ast::{
    Attribute, BinaryOp, Clause, Constraint, Decl, DeclKind, Element, ElementKind, Expr, ExprKind, Field,
    Label, Literal, LiteralKind, Span,
};
use crate::syntax::literal;

/// The arguments of an attribute: `key=value`, or a value alone with an empty key.
pub(super) fn arguments(attribute: &Attribute) -> Result<Vec<(String, String)>, String> {
    let mut out = Vec::new();
    for part in split(attribute.body()) {
        let (key, value) = match part.split_once('=') {
            Some((key, value)) if !key.contains('"') => (key.trim(), value.trim()),
            _ => ("", part.trim()),
        };
        let value = if value.starts_with(['"', '#']) {
            literal::unquote(value).and_then(|v| String::from_utf8(v).map_err(|e| e.to_string()))?
        } else {
            value.to_owned()
        };
        out.push((key.to_owned(), value));
    }
    Ok(out)
}

/// Splits at commas outside of quotes.
fn split(body: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (i, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&body[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    if !body[start..].trim().is_empty() {
        parts.push(&body[start..]);
    }
    parts
}

/// Said of a field that a value does not make present.
pub(super) const NOT_MEMBER: &str = "an optional or required field";

/// What is done at the fields and attribute declarations of a file.
pub(super) trait Rewrite {
    /// A field; `inside` names what keeps it from being a plain field of the configuration.
    fn field(&mut self, field: &mut Field, inside: Option<&'static str>);

    /// An attribute that is a declaration; what it is replaced by.
    fn declaration(&mut self, attribute: &Attribute) -> Option<DeclKind>;
}

/// Walks over every field below `list`, innermost first.
pub(super) fn walk(list: &mut [Decl], inside: Option<&'static str>, to: &mut dyn Rewrite) {
    for decl in list {
        match &mut decl.kind {
            DeclKind::Field(field) => {
                let inside = inside.or_else(|| place(field));
                expr(&mut field.value, inside, to);
                to.field(field, inside);
            }
            DeclKind::Let(_, value) => expr(value, inside.or(Some("a let clause")), to),
            DeclKind::Embed(value) => expr(value, inside, to),
            DeclKind::Attribute(attribute) => {
                if let Some(kind) = to.declaration(attribute) {
                    decl.kind = kind;
                }
            }
            DeclKind::Import(..) | DeclKind::Ellipsis(_) => {}
        }
    }
}

fn place(field: &Field) -> Option<&'static str> {
    match (&field.label, field.constraint) {
        (Label::Pattern(..), _) => Some("a pattern constraint"),
        (Label::Interpolation(_) | Label::Paren(..), _) => Some("a field with a computed name"),
        (_, Constraint::Optional | Constraint::Required) => Some(NOT_MEMBER),
        (Label::Ident(_) | Label::Str(_), Constraint::Member) => None,
    }
}

fn expr(value: &mut Expr, inside: Option<&'static str>, to: &mut dyn Rewrite) {
    stacker::maybe_grow(RED_ZONE, STACK_CHUNK, || match &mut value.kind {
        ExprKind::Struct(s) => walk(&mut s.decls, inside, to),
        ExprKind::List(list) => {
            for element in &mut list.elements {
                if let ElementKind::Expr(value) = &mut element.kind {
                    expr(value, inside.or(Some("a list")), to);
                }
            }
        }
        ExprKind::Comprehension(c) => {
            let inside = inside.or(Some("a comprehension"));
            for clause in &mut c.clauses {
                match clause {
                    Clause::For(_, _, value) | Clause::If(value) | Clause::Let(_, value) => {
                        expr(value, inside, to);
                    }
                    Clause::Try(Some((_, value)), _) => expr(value, inside, to),
                    Clause::Try(None, _) => {}
                }
            }
            expr(&mut c.body, inside, to);
            if let Some(otherwise) = &mut c.otherwise {
                expr(otherwise, inside, to);
            }
        }
        ExprKind::Binary(_, a, b) => {
            expr(a, inside, to);
            expr(b, inside, to);
        }
        ExprKind::Call(_, args) => args.iter_mut().for_each(|arg| expr(arg, inside, to)),
        ExprKind::Paren(inner)
        | ExprKind::Unary(_, inner)
        | ExprKind::Alias(_, inner)
        | ExprKind::Optional(inner)
        | ExprKind::Open(inner)
        | ExprKind::Selector(inner, _)
        | ExprKind::Index(inner, _)
        | ExprKind::Slice(inner, ..) => expr(inner, inside, to),
        ExprKind::Ident(_) | ExprKind::Literal(_) | ExprKind::Interpolation(_) | ExprKind::Bottom => {}
    });
}

/// Makes a field's value `value & with`; an alias in front of the value stays there.
pub(super) fn conjoin(value: &mut Expr, with: Expr) {
    if let ExprKind::Alias(_, inner) = &mut value.kind {
        return conjoin(inner, with);
    }
    let span = value.span;
    let old = std::mem::replace(value, Expr { kind: ExprKind::Bottom, span });
    value.kind = ExprKind::Binary(BinaryOp::And, Box::new(old), Box::new(with));
}

/// A string literal.
pub(super) fn text(text: &str, span: Span) -> Expr {
    let literal = Literal { kind: LiteralKind::Str, text: literal::quote(text).into(), span };
    Expr { kind: ExprKind::Literal(literal), span }
}

/// Sets the place of an expression and of everything in it.
pub(super) fn place_at(value: &mut Expr, span: Span) {
    value.span = span;
    stacker::maybe_grow(RED_ZONE, STACK_CHUNK, || match &mut value.kind {
        ExprKind::Literal(literal) => literal.span = span,
        ExprKind::Unary(_, inner) => place_at(inner, span),
        ExprKind::List(list) => {
            for Element { kind, span: at, .. } in &mut list.elements {
                *at = span;
                if let ElementKind::Expr(value) = kind {
                    place_at(value, span);
                }
            }
        }
        ExprKind::Struct(s) => {
            s.span = span;
            for decl in &mut s.decls {
                decl.span = span;
                if let DeclKind::Field(field) = &mut decl.kind {
                    place_at(&mut field.value, span);
                }
            }
        }
        _ => {}
    });
}

/// An error at an attribute.
pub(super) fn refuse(source: &SourceFile, attribute: &Attribute, message: impl Into<String>) -> Error {
    let position = Position::locate(&source.file.name, &source.text, attribute.span.start);
    Error::new(Code::Compile, message).at(position)
}

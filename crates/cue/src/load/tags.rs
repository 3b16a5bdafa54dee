//! Tags: `@if(...)`, which chooses files, and `@tag(...)`, which takes values from outside.

use std::collections::{BTreeMap, BTreeSet};

use super::SourceFile;
use super::attributes::{self, Rewrite};
use super::embed;
use crate::data::Data;
use crate::error::{Code, Error};
use crate::syntax::ast::{
    Attribute, BinaryOp, DeclKind, Expr, ExprKind, Field, File, LiteralKind, Span, UnaryOp,
};
use crate::syntax::parser::parse_expr;

/// The tags an evaluation was given, and which of them something took.
pub(super) struct Tags<'a> {
    given: &'a [String],
    /// Values of the machine; none where they are not asked for.
    variables: Option<&'a BTreeMap<String, Data>>,
    used: BTreeSet<&'a str>,
    /// Names that could have been given, for the hint.
    known: BTreeSet<String>,
}

impl<'a> Tags<'a> {
    pub(super) fn new(given: &'a [String], variables: Option<&'a BTreeMap<String, Data>>) -> Self {
        Self { given, variables, used: BTreeSet::new(), known: BTreeSet::new() }
    }

    /// Whether a file's `@if` lets it take part.
    pub(super) fn wanted(&mut self, source: &SourceFile) -> Result<bool, Error> {
        let mut wanted = true;
        for decl in &source.file.decls {
            let DeclKind::Attribute(attribute) = &decl.kind else { continue };
            match attribute.name() {
                "ignore" => wanted = false,
                "if" => {
                    let fail = |why: &str| {
                        let body = attribute.body();
                        attributes::refuse(source, attribute, format!("@if({body}) {why}")).with_hint(
                            "tag names with !, &&, || and parentheses, for example @if(prod && !debug)",
                        )
                    };
                    let condition =
                        parse_expr("@if", attribute.body()).map_err(|_| fail("is not an expression"))?;
                    wanted &= self.holds(&condition).ok_or_else(|| fail("is not made of tag names"))?;
                }
                _ => {}
            }
        }
        Ok(wanted)
    }

    /// Both sides are always looked at, so that every tag named counts as known.
    fn holds(&mut self, condition: &Expr) -> Option<bool> {
        Some(match &condition.kind {
            ExprKind::Ident(name) => {
                self.known.insert(name.to_string());
                match self.given.iter().find(|tag| name == tag.as_str()) {
                    Some(tag) => {
                        self.used.insert(tag);
                        true
                    }
                    None => false,
                }
            }
            ExprKind::Paren(inner) => self.holds(inner)?,
            ExprKind::Unary(UnaryOp::Not, inner) => !self.holds(inner)?,
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.holds(a)?, self.holds(b)?);
                match op {
                    BinaryOp::LAnd => a && b,
                    BinaryOp::LOr => a || b,
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    /// Puts the values given into the fields marked with `@tag`; `None` when the file has none.
    pub(super) fn inject(&mut self, source: &SourceFile, errors: &mut Vec<Error>) -> Option<File> {
        if !source.text.contains("@tag(") {
            return None;
        }
        let mut file = source.file.clone();
        attributes::walk(&mut file.decls, None, &mut Injection { tags: self, source, errors });
        Some(file)
    }

    /// The tags that nothing took.
    pub(super) fn unused(&self) -> Vec<String> {
        self.given.iter().filter(|tag| !self.used.contains(tag.as_str())).cloned().collect()
    }

    /// What is wrong with a tag that nothing took.
    pub(super) fn unknown(&self, tag: &str) -> Error {
        let message = match tag.split_once('=') {
            Some((name, _)) => format!("no field takes the tag {name:?}"),
            None => format!("no @if and no short form of a @tag takes {tag:?}"),
        };
        let error = Error::new(Code::Compile, message);
        if self.known.is_empty() {
            return error.with_hint("mark a field with @tag(name) to set it with -t name=value");
        }
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        error.with_hint(format!("the tags here are: {}", known.join(", ")))
    }
}

/// The form of one `@tag`.
struct Form {
    name: String,
    short: Vec<String>,
    kind: String,
    /// The value of the machine it takes when none is given.
    variable: Option<String>,
}

impl Form {
    fn of(attribute: &Attribute) -> Result<Self, String> {
        let mut form =
            Self { name: String::new(), short: Vec::new(), kind: "string".to_owned(), variable: None };
        let mut seen = BTreeSet::new();
        for (i, (key, value)) in attributes::arguments(attribute)?.into_iter().enumerate() {
            if !key.is_empty() && !seen.insert(key.clone()) {
                return Err(format!("@tag has {key}= twice"));
            }
            match key.as_str() {
                "" if i == 0 => form.name = value,
                "short" => form.short = value.split('|').map(|s| s.trim().to_owned()).collect(),
                "type" => form.kind = value,
                "var" => form.variable = Some(value),
                _ => return Err(format!("@tag has an argument it does not know: {key}{value}")),
            }
        }
        if form.name.is_empty() {
            return Err("@tag has no name".to_owned());
        }
        if !["string", "int", "number", "bool"].contains(&form.kind.as_str()) {
            return Err(format!(
                "@tag has an unknown type {:?}: it is string, int, number or bool",
                form.kind
            ));
        }
        Ok(form)
    }

    /// The value a tag has for this field.
    fn value<'t>(&self, tag: &'t str) -> Option<&'t str> {
        match tag.split_once('=') {
            Some((name, value)) => (name == self.name).then_some(value),
            None => self.short.iter().any(|short| short == tag).then_some(tag),
        }
    }

    fn expr(&self, value: &str, span: Span) -> Result<Expr, String> {
        let wrong = || format!("the tag {} is of type {}, and cannot be {value:?}", self.name, self.kind);
        let mut expr = match self.kind.as_str() {
            "bool" if value == "true" || value == "false" => {
                Expr { kind: ExprKind::Ident(value.into()), span }
            }
            "bool" => return Err(wrong()),
            "int" | "number" => {
                let expr = parse_expr("-t", value).map_err(|_| wrong())?;
                let digits = match &expr.kind {
                    ExprKind::Unary(UnaryOp::Minus | UnaryOp::Plus, inner) => &inner.kind,
                    kind => kind,
                };
                match digits {
                    ExprKind::Literal(l) if l.kind == LiteralKind::Int => expr,
                    ExprKind::Literal(l) if l.kind == LiteralKind::Float && self.kind == "number" => expr,
                    _ => return Err(wrong()),
                }
            }
            _ => attributes::text(value, span),
        };
        attributes::place_at(&mut expr, span);
        Ok(expr)
    }
}

struct Injection<'s, 'a> {
    tags: &'s mut Tags<'a>,
    source: &'s SourceFile,
    errors: &'s mut Vec<Error>,
}

impl Injection<'_, '_> {
    fn given(&self, attribute: &Attribute) -> bool {
        Form::of(attribute).map_or(true, |form| {
            let variable = self.tags.variables.is_some() && form.variable.is_some();
            variable || self.tags.given.iter().any(|tag| form.value(tag).is_some())
        })
    }

    fn inject(&mut self, field: &mut Field, attribute: &Attribute) -> Result<(), String> {
        let form = Form::of(attribute)?;
        let mut found = false;
        for tag in self.tags.given {
            let Some(value) = form.value(tag) else { continue };
            found = true;
            self.tags.used.insert(tag);
            attributes::conjoin(&mut field.value, form.expr(value, attribute.span)?);
        }
        if !found && let Some(value) = self.variable(&form)? {
            let mut value = parse_expr("@tag", &embed::source(value)).map_err(|e| e.to_string())?;
            attributes::place_at(&mut value, attribute.span);
            attributes::conjoin(&mut field.value, value);
        }
        self.tags.known.extend(form.short.iter().cloned());
        self.tags.known.insert(form.name + "=");
        Ok(())
    }

    /// The value of the machine that a tag names, where those are asked for.
    fn variable(&self, form: &Form) -> Result<Option<&Data>, String> {
        let (Some(name), Some(variables)) = (&form.variable, self.tags.variables) else { return Ok(None) };
        variables.get(name).map(Some).ok_or_else(|| {
            let known: Vec<&str> = variables.keys().map(String::as_str).collect();
            format!("@tag names the variable {name:?}, which is not among: {}", known.join(", "))
        })
    }
}

impl Rewrite for Injection<'_, '_> {
    fn field(&mut self, field: &mut Field, inside: Option<&'static str>) {
        for attribute in field.attrs.clone() {
            if attribute.name() != "tag" {
                continue;
            }
            let done = match inside {
                // nothing happens to it without a value for it
                Some(attributes::NOT_MEMBER) if !self.given(&attribute) => Ok(()),
                Some(place) => Err(format!("@tag cannot stand in {place}")),
                None => self.inject(field, &attribute),
            };
            if let Err(message) = done {
                self.errors.push(attributes::refuse(self.source, &attribute, message));
            }
        }
    }

    fn declaration(&mut self, attribute: &Attribute) -> Option<DeclKind> {
        if attribute.name() == "tag" {
            let error = attributes::refuse(self.source, attribute, "@tag stands behind a field, not alone");
            self.errors.push(error);
        }
        None
    }
}

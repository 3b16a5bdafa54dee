//! `@test` attributes: where they stand and what they ask.

use super::{Outcome, Report, compare, descend};
use crate::error::Code;
use crate::eval::Eval;
use crate::load::SourceFile;
use crate::program::Label;
use crate::syntax::ast::{Attribute, Decl, DeclKind, Expr, ExprKind, Label as AstLabel};
use crate::syntax::parser::parse_expr;
use crate::value::{NodeId, Value};

/// A parsed attribute body.
struct Test<'a> {
    kind: &'a str,
    at: Vec<String>,
    code: Option<&'a str>,
    expected: Option<&'a str>,
    finally: bool,
}

pub(super) fn run(eval: &mut Eval, root: NodeId, source: &SourceFile, report: &mut Report) {
    let mut path = Vec::new();
    decls(eval, root, &source.file.decls, &mut path, report);
}

fn decls(eval: &mut Eval, root: NodeId, list: &[Decl], path: &mut Vec<String>, report: &mut Report) {
    for decl in list {
        match &decl.kind {
            DeclKind::Attribute(attr) => check(eval, root, attr, path, report),
            DeclKind::Embed(expr) => inner(eval, root, expr, path, report),
            DeclKind::Field(field) => {
                let text = match &field.label {
                    AstLabel::Ident(i) => i.name.to_string(),
                    AstLabel::Str(l) => crate::compile::decode_label(&l.text).unwrap_or_default(),
                    AstLabel::Paren(e, _) => paren_label(eval, root, e, path),
                    AstLabel::Interpolation(_) | AstLabel::Pattern(..) => {
                        let before = report.outcomes.len();
                        count_only(&field.attrs, report, path);
                        let _ = before;
                        continue;
                    }
                };
                path.push(text);
                for attr in &field.attrs {
                    check(eval, root, attr, path, report);
                }
                inner(eval, root, &field.value, path, report);
                path.pop();
            }
            _ => {}
        }
    }
}

fn paren_label(_eval: &mut Eval, _root: NodeId, e: &Expr, _path: &[String]) -> String {
    match &e.kind {
        ExprKind::Literal(l) => crate::compile::decode_label(&l.text).unwrap_or_default(),
        ExprKind::Ident(name) => name.to_string(),
        _ => String::new(),
    }
}

/// An assertion on a field whose label is not known here cannot be placed: it fails.
fn count_only(attrs: &[Attribute], report: &mut Report, path: &[String]) {
    for attr in attrs {
        if attr.name() == "test" && matches!(parse_test(attr.body()).kind, "eq" | "err") {
            report.outcomes.push(Outcome {
                path: path.join("."),
                assertion: attr.text.to_string(),
                failure: Some("field with a computed label".to_owned()),
            });
        }
    }
}

fn inner(eval: &mut Eval, root: NodeId, expr: &Expr, path: &mut Vec<String>, report: &mut Report) {
    match &expr.kind {
        ExprKind::Struct(s) => decls(eval, root, &s.decls, path, report),
        ExprKind::Paren(e) | ExprKind::Alias(_, e) => inner(eval, root, e, path, report),
        ExprKind::Binary(crate::syntax::ast::BinaryOp::And, a, b) => {
            inner(eval, root, a, path, report);
            inner(eval, root, b, path, report);
        }
        ExprKind::List(list) => {
            for (i, element) in list.elements.iter().enumerate() {
                if let crate::syntax::ast::ElementKind::Expr(e) = &element.kind {
                    path.push(i.to_string());
                    inner(eval, root, e, path, report);
                    path.pop();
                }
            }
        }
        _ => {}
    }
}

/// Splits at commas outside brackets, strings and comments.
fn split_args(body: &str) -> Vec<&str> {
    let bytes = body.as_bytes();
    let (mut depth, mut start, mut i) = (0_i32, 0, 0);
    let mut out = Vec::new();
    while i < bytes.len() {
        match bytes[i] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b'"' | b'\'' => {
                let quote = bytes[i];
                let multi = bytes.get(i + 1) == Some(&quote) && bytes.get(i + 2) == Some(&quote);
                i += if multi { 3 } else { 1 };
                while i < bytes.len() {
                    if bytes[i] == b'\\' {
                        i += 1;
                    } else if bytes[i] == quote {
                        if !multi {
                            break;
                        }
                        if bytes.get(i + 1) == Some(&quote) && bytes.get(i + 2) == Some(&quote) {
                            i += 2;
                            break;
                        }
                    }
                    i += 1;
                }
            }
            b'/' if bytes.get(i + 1) == Some(&b'/') => {
                while i < bytes.len() && bytes[i] != b'\n' {
                    i += 1;
                }
            }
            b',' if depth == 0 => {
                out.push(body[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
        i += 1;
    }
    let last = body[start.min(body.len())..].trim();
    if !last.is_empty() {
        out.push(last);
    }
    out
}

fn parse_test(body: &str) -> Test<'_> {
    let args = split_args(body);
    let mut test = Test {
        kind: args.first().copied().unwrap_or(""),
        at: Vec::new(),
        code: None,
        expected: None,
        finally: false,
    };
    for arg in args.iter().skip(1) {
        let key = arg.split_once('=').filter(|(k, v)| {
            k.chars().all(|c| c.is_ascii_alphabetic() || c == ':')
                && !k.is_empty()
                && !v.starts_with(['=', '~'])
        });
        match key {
            Some(("at", value)) => test.at = split_path(value),
            Some(("code", value)) => test.code = Some(value),
            Some(_) => {}
            None if *arg == "final" => test.finally = true,
            None if test.expected.is_none() => test.expected = Some(arg),
            None => {}
        }
    }
    test
}

/// Splits `a."b.c".0` into labels. A hidden one names its package after a `$`, which makes the path a quoted one.
fn split_path(text: &str) -> Vec<String> {
    let text = text.trim();
    let hidden = text.split_once("$(").and_then(|(name, rest)| {
        let (_, rest) = rest.split_once(')')?;
        Some(format!("{}{}", name.strip_prefix('"')?, rest.strip_suffix('"')?))
    });
    let mut out = Vec::new();
    let mut rest = hidden.as_deref().unwrap_or(text);
    while !rest.is_empty() {
        if rest.starts_with('"') {
            let end = rest[1..].find('"').map_or(rest.len(), |e| e + 2);
            out.push(crate::compile::decode_label(&rest[..end]).unwrap_or_default());
            rest = rest[end..].trim_start_matches('.');
        } else {
            let (head, tail) = rest.split_once('.').unwrap_or((rest, ""));
            out.push(head.to_owned());
            rest = tail;
        }
    }
    out
}

fn check(eval: &mut Eval, root: NodeId, attr: &Attribute, path: &[String], report: &mut Report) {
    if attr.name() != "test" {
        return;
    }
    let test = parse_test(attr.body());
    if !matches!(test.kind, "eq" | "err") || (test.kind == "eq" && test.expected.is_none()) {
        report.not_counted += 1;
        return;
    }
    let mut full = path.to_vec();
    full.extend(test.at.iter().cloned());
    let result = match (descend(eval, root, &full), test.kind) {
        (Some(node), "eq") => check_eq(eval, node, &test),
        (Some(node), _) => check_err(eval, node, test.code),
        (None, "err") => missing_parent(eval, root, &full, test.code),
        (None, _) => Err("no such field".to_owned()),
    };
    report.outcomes.push(Outcome {
        path: full.join("."),
        assertion: attr.text.to_string(),
        failure: result.err(),
    });
}

fn check_eq(eval: &mut Eval, node: NodeId, test: &Test<'_>) -> Result<(), String> {
    let text = test.expected.unwrap_or("_");
    let expected = parse_expr("expected", text).map_err(|e| format!("expected value does not parse: {e}"))?;
    eval.complete(node);
    compare::node(eval, &expected, text, node, test.finally)
}

/// The error of a field that could not be made is its parent's.
fn missing_parent(eval: &mut Eval, root: NodeId, path: &[String], code: Option<&str>) -> Result<(), String> {
    for len in (0..path.len()).rev() {
        if let Some(node) = descend(eval, root, &path[..len]) {
            eval.complete(node);
            let node = eval.deref(node);
            if let Some(Value::Bottom(b)) = &eval.node(node).value {
                let found = b.code.name();
                return matches_code(found, code);
            }
            return Err(format!("no such field: {}", path[len]));
        }
    }
    Err("no such field".to_owned())
}

fn matches_code(found: &str, code: Option<&str>) -> Result<(), String> {
    let wanted = code.unwrap_or(found).trim_matches(['(', ')']);
    if wanted.split('|').any(|c| c.trim() == found) {
        return Ok(());
    }
    Err(format!("error has code {found}, expected {wanted}"))
}

fn check_err(eval: &mut Eval, node: NodeId, code: Option<&str>) -> Result<(), String> {
    eval.complete(node);
    match worst(eval, node, 0) {
        Some(found) => matches_code(found.name(), code),
        None => Err(format!("no error; value is {}", describe(eval, node))),
    }
}

fn describe(eval: &Eval, node: NodeId) -> String {
    eval.describe(&Value::Node(node))
}

/// The most severe error of a value and what is below it.
pub(super) fn worst(eval: &mut Eval, node: NodeId, depth: u32) -> Option<Code> {
    let node = eval.deref(node);
    let mut found = match &eval.node(node).value {
        Some(Value::Bottom(b)) => Some(b.code),
        _ => None,
    };
    if depth > 60 {
        return found;
    }
    let arcs: Vec<(Label, NodeId)> = eval.node(node).arcs.iter().collect();
    for (_, arc) in arcs {
        let n = eval.node(arc);
        if n.conjuncts.is_empty() || n.constraint == crate::syntax::ast::Constraint::Optional {
            continue;
        }
        let below = worst(eval, arc, depth + 1);
        found = match (found, below) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    found
}

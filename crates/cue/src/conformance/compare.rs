//! Compares an evaluated value with the expression an assertion expects.

use super::assertion::worst;
use crate::builtin;
use crate::compile::{self, Imported, Unit};
use crate::eval::Eval;
use crate::eval::node::{NO_ENV, NO_NODE, Shape};
use crate::program::{Ir, Program};
use crate::syntax::ast::{
    Attribute, BinaryOp, Comments, Constraint, Decl, DeclKind, ElementKind, Expr, ExprKind,
    Label as AstLabel, UnaryOp,
};
use crate::value::{Kind, NodeId, Value};

type Checked = Result<(), String>;

/// Whether the node's value is what `expected` says; `text` is what it was parsed from.
pub(super) fn node(eval: &mut Eval, expected: &Expr, text: &str, id: NodeId, finally: bool) -> Checked {
    eval.complete(id);
    let mut id = eval.deref(id);
    if finally && let Some(default) = eval.default_of(id) {
        id = default;
    }
    match &expected.kind {
        ExprKind::Paren(inner) => node(eval, inner, text, id, finally),
        ExprKind::Bottom => match worst(eval, id, 0) {
            Some(_) => Ok(()),
            None => Err(mismatch(eval, id, "_|_")),
        },
        ExprKind::Binary(BinaryOp::Or, ..) => disjunction(eval, expected, text, id, finally),
        ExprKind::Struct(s) => strukt(eval, &s.decls, text, id, finally),
        ExprKind::List(list) => {
            if !eval.is_list(id) {
                return Err(mismatch(eval, id, "a list"));
            }
            let items: Vec<&Expr> = list
                .elements
                .iter()
                .filter_map(|e| match &e.kind {
                    ElementKind::Expr(e) => Some(e),
                    ElementKind::Ellipsis(_) => None,
                })
                .collect();
            let mut arcs = live(eval, id);
            arcs.retain(|(label, _)| label.as_index().is_some());
            if arcs.len() != items.len() {
                return Err(format!("list has {} elements, expected {}", arcs.len(), items.len()));
            }
            for (i, (item, (_, arc))) in items.into_iter().zip(arcs).enumerate() {
                node(eval, item, text, arc, finally).map_err(|e| format!("{i}: {e}"))?;
            }
            Ok(())
        }
        _ => scalar(eval, expected, text, id),
    }
}

fn mismatch(eval: &Eval, id: NodeId, want: &str) -> String {
    let error = match &eval.node(id).value {
        Some(Value::Bottom(b)) => format!(" ({}: {})", b.code.name(), b.message),
        _ => String::new(),
    };
    format!("value is {}{error}, expected {want}", eval.describe(&Value::Node(id)))
}

fn live(eval: &Eval, id: NodeId) -> Vec<(crate::program::Label, NodeId)> {
    eval.node(id).arcs.iter().filter(|(_, n)| !eval.node(*n).conjuncts.is_empty()).collect()
}

/// Compares by evaluating the expected expression.
fn scalar(eval: &mut Eval, expected: &Expr, text: &str, id: NodeId) -> Checked {
    let file = crate::syntax::ast::File::default();
    let unit = Unit { file: &file, text: text.into() };
    let mut wrapped = imports(expected);
    let compiled = compile_in(eval, &unit, expected, text, &mut wrapped);
    let want = eval.anonymous(NO_NODE, compiled, NO_ENV);
    eval.complete(want);
    let want_value = eval.node_value(want);
    let have = eval.node_value(id);
    if eval.node(id).shape == Shape::Struct || eval.is_list(id) {
        let validators = eval.node(id).extra.as_ref().map_or_else(Vec::new, |e| e.validators.clone());
        if validators.len() == 1 && eval.equal_values(&validators[0], &want_value) {
            return Ok(());
        }
    }
    if matches!(want_value, Value::Bottom(_)) || !eval.equal_values(&have, &want_value) {
        let (h, w) = (eval.describe(&have), eval.describe(&want_value));
        return Err(format!("value is {h}{}, expected {w}", detail(&have)));
    }
    Ok(())
}

fn detail(value: &Value) -> String {
    value.bottom().map_or_else(String::new, |b| format!(" ({}: {})", b.code.name(), b.message))
}

/// Packages an expected expression calls.
fn imports(_expected: &Expr) -> Vec<&'static str> {
    vec![
        "strings",
        "list",
        "struct",
        "math",
        "regexp",
        "strconv",
        "encoding/json",
        "encoding/yaml",
        "time",
        "net",
        "math/bits",
        "encoding/base64",
        "encoding/hex",
        "path",
        "uuid",
    ]
}

fn compile_in(
    eval: &mut Eval,
    _unit: &Unit<'_>,
    expected: &Expr,
    text: &str,
    packages: &mut Vec<&'static str>,
) -> u32 {
    let mut file = crate::syntax::ast::File { name: "expected".to_owned(), ..Default::default() };
    let span = expected.span;
    let list = packages
        .iter()
        .map(|p| crate::syntax::ast::Import {
            name: None,
            path: (*p).to_owned(),
            span,
            comments: Comments::default(),
        })
        .collect();
    let decl = |kind| Decl { kind, span, comments: Comments::default() };
    file.decls.push(decl(DeclKind::Import(list, true)));
    file.decls.push(decl(DeclKind::Embed(expected.clone())));
    let mut resolve = |_: &mut Program, path: &str| {
        builtin::package_index(path).map(Imported::Builtin).ok_or_else(String::new)
    };
    let units = [Unit { file: &file, text: text.into() }];
    let (package, _) = compile::package(&mut eval.program, &units, u32::MAX, &mut resolve);
    let outer = package.files[0];
    match &eval.program.exprs[outer as usize] {
        Ir::Struct(s) => match s.decls.first() {
            Some(crate::program::DeclIr::Embed(e)) => *e,
            _ => outer,
        },
        _ => outer,
    }
}

fn alternatives<'a>(expr: &'a Expr, out: &mut Vec<(&'a Expr, bool)>) {
    match &expr.kind {
        ExprKind::Binary(BinaryOp::Or, a, b) => {
            alternatives(a, out);
            alternatives(b, out);
        }
        ExprKind::Unary(UnaryOp::Default, inner) => out.push((inner, true)),
        _ => out.push((expr, false)),
    }
}

fn disjunction(eval: &mut Eval, expected: &Expr, text: &str, id: NodeId, finally: bool) -> Checked {
    let mut want = Vec::new();
    alternatives(expected, &mut want);
    let Some(Value::Disjunction(list, defaults)) = eval.node(id).value.clone() else {
        return Err(mismatch(eval, id, "a disjunction"));
    };
    if list.len() != want.len() {
        return Err(format!(
            "{} disjuncts, expected {}: {}",
            list.len(),
            want.len(),
            eval.describe(&Value::Node(id))
        ));
    }
    let mut used = vec![false; list.len()];
    for (alternative, marked) in want {
        let mut found = false;
        let mut why = String::new();
        for (i, have) in list.iter().enumerate() {
            if used[i] || (i < defaults) != marked {
                continue;
            }
            match node(eval, alternative, text, *have, finally) {
                Ok(()) => {
                    used[i] = true;
                    found = true;
                    break;
                }
                Err(e) => why = e,
            }
        }
        if !found {
            return Err(format!("no disjunct of {} matches: {why}", eval.describe(&Value::Node(id))));
        }
    }
    Ok(())
}

fn test_attr<'a>(attrs: &'a [Attribute], kind: &str) -> Option<&'a Attribute> {
    attrs.iter().find(|a| a.name() == "test" && a.body().split(',').next().is_some_and(|k| k.trim() == kind))
}

struct Wanted<'a> {
    label: String,
    value: &'a Expr,
    constraint: Constraint,
    attrs: &'a [Attribute],
}

fn strukt(eval: &mut Eval, decls: &[Decl], text: &str, id: NodeId, finally: bool) -> Checked {
    let mut fields: Vec<Wanted<'_>> = Vec::new();
    for decl in decls {
        match &decl.kind {
            DeclKind::Field(f) => {
                let label = match &f.label {
                    AstLabel::Ident(i) => i.name.split('$').next().unwrap_or("").to_owned(),
                    AstLabel::Str(l) => compile::decode_label(&l.text).unwrap_or_default(),
                    _ => continue,
                };
                let label = if label.is_empty() { text_of(&f.label) } else { label };
                fields.push(Wanted { label, value: &f.value, constraint: f.constraint, attrs: &f.attrs });
            }
            DeclKind::Embed(e) => embedded(eval, e, text, id, finally)?,
            _ => {}
        }
    }
    let plain_struct = !decls.iter().any(|d| matches!(d.kind, DeclKind::Embed(_)));
    if plain_struct && eval.node(id).shape != Shape::Struct {
        return Err(mismatch(eval, id, "a struct"));
    }
    for want in &fields {
        field(eval, want, text, id, finally).map_err(|e| format!("{}: {e}", want.label))?;
    }
    if !plain_struct && eval.is_list(id) {
        return Ok(());
    }
    for (label, arc) in live(eval, id) {
        let name = eval.program.labels.text(label);
        if !fields.iter().any(|w| *w.label == *name) {
            let optional = eval.node(arc).constraint;
            return Err(format!("unexpected field {name} ({optional:?})"));
        }
    }
    Ok(())
}

fn text_of(label: &AstLabel) -> String {
    match label {
        AstLabel::Ident(i) => i.name.to_string(),
        _ => String::new(),
    }
}

/// A scalar, list, error or validator that stands in the expected struct.
fn embedded(eval: &mut Eval, e: &Expr, text: &str, id: NodeId, finally: bool) -> Checked {
    match &e.kind {
        ExprKind::Bottom => match eval.node(id).value {
            Some(Value::Bottom(_)) => Ok(()),
            _ => Err(mismatch(eval, id, "_|_")),
        },
        ExprKind::Ident(name) if name == "_" => match &eval.node(id).value {
            None | Some(Value::Kind(Kind::TOP)) => Ok(()),
            Some(_) => Err(mismatch(eval, id, "_")),
        },
        ExprKind::Call(..) => {
            let validators = eval.node(id).extra.as_ref().map_or(0, |e| e.validators.len());
            let bottom = matches!(eval.node(id).value, Some(Value::Bottom(_)));
            if validators > 0 || bottom { Ok(()) } else { scalar(eval, e, text, id) }
        }
        ExprKind::Struct(_) => Ok(()),
        ExprKind::List(..) => node(eval, e, text, id, finally),
        _ => scalar(eval, e, text, id),
    }
}

fn field(eval: &mut Eval, want: &Wanted<'_>, text: &str, id: NodeId, finally: bool) -> Checked {
    let found = live(eval, id).into_iter().find(|(l, _)| *eval.program.labels.text(*l) == *want.label);
    let Some((_, arc)) = found else { return Err("missing".to_owned()) };
    if eval.node(arc).constraint != want.constraint {
        return Err(format!("is {:?}, expected {:?}", eval.node(arc).constraint, want.constraint));
    }
    if test_attr(want.attrs, "ignore").is_some() {
        return Ok(());
    }
    if test_attr(want.attrs, "err").is_some() {
        eval.complete(arc);
        return match worst(eval, arc, 0) {
            Some(_) => Ok(()),
            None => Err(mismatch(eval, arc, "an error")),
        };
    }
    node(eval, want.value, text, arc, finally)
}

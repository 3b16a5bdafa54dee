//! Archives without assertions in the source: their recorded results.
//!
//! A recorded value is compared with this evaluator's dump in the same form, white space and the text
//! of errors left out. A recorded list of compile errors asks that compilation fails as often.

use std::fmt::Write;

use super::assertion::worst;
use super::{Archive, Outcome, Report};
use crate::error::Error;
use crate::eval::Eval;
use crate::eval::node::Shape;
use crate::syntax::ast::Constraint;
use crate::value::{NodeId, Value};

pub(super) fn run(eval: &mut Eval, root: NodeId, archive: &Archive, errors: &[Error], report: &mut Report) {
    let section = archive.files.get("out/evalalpha").or_else(|| archive.files.get("out/eval"));
    let Some(golden) = section else { return };
    let value = golden.split_once("Result:\n").map_or(golden.as_str(), |(_, v)| v).trim_start();
    let failure = if value.starts_with('(') {
        let mut dump = Dump { eval, out: String::new() };
        dump.node(root, 0);
        let (have, want) = (dump.out.split_whitespace().collect::<String>(), strip(value));
        (have != want).then(|| format!("dump is {have}, expected {want}"))
    } else {
        let wanted = golden.lines().filter(|l| !l.starts_with(' ') && l.ends_with(':')).count();
        (errors.len() < wanted).then(|| format!("{} errors, expected {wanted}", errors.len()))
    };
    report.outcomes.push(Outcome { path: String::new(), assertion: "golden".to_owned(), failure });
}

/// Leaves of a comment only the code of the error.
fn strip(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        match line.trim_start().strip_prefix("//") {
            Some(comment) => {
                let code = comment.trim_start().strip_prefix('[').and_then(|c| c.split_once(']'));
                if let Some((code, _)) = code {
                    let _ = write!(out, "[{code}]");
                }
            }
            None => out.extend(line.split_whitespace()),
        }
    }
    out
}

struct Dump<'a> {
    eval: &'a mut Eval,
    out: String,
}

impl Dump<'_> {
    fn node(&mut self, id: NodeId, depth: u32) {
        self.eval.complete(id);
        let id = self.eval.deref(id);
        let value = self.eval.node(id).value.clone();
        let kind = self.kind(id);
        let failed = match worst(self.eval, id, depth) {
            Some(code) if !code.is_incomplete() || matches!(value, Some(Value::Bottom(_))) => Some(code),
            _ => None,
        };
        let shown = if failed.is_some() { "_|_".to_owned() } else { kind };
        let _ = write!(self.out, "({shown}){{ ");
        if let Some(code) = failed {
            let _ = write!(self.out, "[{}] ", code.name());
        }
        match value {
            Some(Value::Disjunction(list, defaults)) => {
                self.out.push_str("|(");
                for (i, n) in list.iter().enumerate() {
                    self.out.push_str(if i > 0 { ", " } else { "" });
                    self.out.push_str(if i < defaults { "*" } else { "" });
                    self.node(*n, depth + 1);
                }
                self.out.push(')');
            }
            Some(Value::Bottom(_)) => self.arcs(id, depth),
            Some(v) if self.eval.node(id).shape == Shape::Plain => {
                let text = self.scalar(&v);
                self.out.push_str(&text);
            }
            None if self.eval.node(id).shape == Shape::Plain => self.out.push('_'),
            _ => self.arcs(id, depth),
        }
        self.out.push_str(" }");
    }

    fn scalar(&self, value: &Value) -> String {
        match value {
            Value::Conj(all) => {
                let parts: Vec<String> = all
                    .iter()
                    .filter(|v| !matches!(v, Value::Kind(_)))
                    .map(|v| self.eval.describe(v))
                    .collect();
                let kind = all.iter().find(|v| matches!(v, Value::Kind(_))).map(|v| self.eval.describe(v));
                let parts: Vec<String> = parts.into_iter().chain(kind).collect();
                format!("&({})", parts.join(", "))
            }
            other => self.eval.describe(other),
        }
    }

    /// The type as the dump names it; `#` marks what is closed.
    fn kind(&self, id: NodeId) -> String {
        let node = self.eval.node(id);
        match (node.shape, &node.value) {
            (Shape::Struct, _) if self.eval.is_closed(id) => "#struct".to_owned(),
            (Shape::Struct, _) => "struct".to_owned(),
            (Shape::List(open), _) => if open { "list" } else { "#list" }.to_owned(),
            (_, Some(Value::Disjunction(list, _))) => {
                let kinds = list
                    .iter()
                    .fold(crate::value::Kind::BOTTOM, |k, n| k.or(self.eval.kind_of(&Value::Node(*n))));
                kinds.to_string()
            }
            (_, Some(v)) => v.kind().to_string(),
            (_, None) => "_".to_owned(),
        }
    }

    fn arcs(&mut self, id: NodeId, depth: u32) {
        let arcs: Vec<_> = self.eval.node(id).arcs.iter().collect();
        for (label, arc) in arcs {
            let n = self.eval.node(arc);
            if n.conjuncts.is_empty() || depth > 60 {
                continue;
            }
            let mark = match n.constraint {
                Constraint::Member => "",
                Constraint::Required => "!",
                Constraint::Optional => "?",
            };
            let _ = write!(self.out, "{}{mark}: ", self.eval.label_text(label));
            self.node(arc, depth + 1);
            self.out.push(' ');
        }
    }
}

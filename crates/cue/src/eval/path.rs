//! Paths of nodes, and how values read in messages.

use super::Eval;
use super::node::{NO_NODE, Shape};
use crate::builtin;
use crate::program::LabelKind;
use crate::syntax::ast::Constraint;
use crate::syntax::literal;
use crate::value::{Kind, NodeId, Value};

impl Eval {
    /// The path of a node from the root.
    pub(crate) fn path(&self, id: NodeId) -> String {
        let mut labels = Vec::new();
        let mut up = id;
        while up != NO_NODE && labels.len() < 100 {
            let node = self.node(up);
            if self.program.labels.kind(node.label) != LabelKind::Anonymous {
                labels.push(node.label);
            }
            up = node.parent;
        }
        let texts: Vec<String> = labels.iter().rev().map(|l| self.label_text(*l)).collect();
        texts.join(".")
    }

    /// A label as it is written in source.
    pub(crate) fn label_text(&self, label: crate::program::Label) -> String {
        let text = self.program.labels.text(label);
        let plain = label.as_index().is_some()
            || self.program.labels.kind(label) != LabelKind::Regular
            || literal::is_plain_label(&text);
        if plain { text.to_string() } else { literal::quote(&text) }
    }

    pub(crate) fn kind_of(&self, value: &Value) -> Kind {
        match value {
            Value::Node(n) => {
                let node = self.node(self.deref(*n));
                match (node.shape, &node.value) {
                    (Shape::List(_), _) => Kind::LIST,
                    (Shape::Struct, _) => Kind::STRUCT,
                    (Shape::Plain, Some(v)) => v.kind(),
                    (Shape::Plain, None) => Kind::TOP,
                }
            }
            other => other.kind(),
        }
    }

    /// A short form for messages.
    pub(crate) fn describe(&self, value: &Value) -> String {
        self.describe_at(value, 0)
    }

    /// The whole of a scalar or constraint, as source.
    pub(crate) fn describe_full(&self, value: &Value) -> String {
        match value {
            Value::String(s) => literal::quote(s),
            Value::Bytes(b) => literal::quote_bytes(b),
            other => self.describe(other),
        }
    }

    fn describe_at(&self, value: &Value, depth: u32) -> String {
        match value {
            Value::Bottom(_) => "_|_".to_owned(),
            Value::Null => "null".to_owned(),
            Value::Bool(b) => b.to_string(),
            Value::Number(n) => n.to_string(),
            Value::String(s) if s.len() > 200 => {
                format!("{}...", literal::quote(&s.chars().take(100).collect::<String>()))
            }
            Value::String(s) => literal::quote(s),
            Value::Bytes(b) => literal::quote_bytes(&b[..b.len().min(100)]),
            Value::Kind(k) => k.to_string(),
            Value::Bound(op, limit) => format!("{}{}", op.symbol(), self.describe_at(limit, depth + 1)),
            Value::Conj(all) => {
                all.iter().map(|v| self.describe_at(v, depth + 1)).collect::<Vec<_>>().join(" & ")
            }
            Value::Builtin(id) => builtin::name(*id).to_owned(),
            Value::Validator(v) => {
                let args: Vec<String> = v.args.iter().map(|a| self.describe_at(a, depth + 1)).collect();
                format!("{}({})", builtin::name(v.builtin), args.join(", "))
            }
            Value::Node(n) => self.describe_node(*n, depth),
            Value::Disjunction(list, _) => {
                list.iter().take(8).map(|n| self.describe_node(*n, depth + 1)).collect::<Vec<_>>().join(" | ")
            }
        }
    }

    fn describe_node(&self, id: NodeId, depth: u32) -> String {
        let id = self.deref(id);
        let node = self.node(id);
        if depth > 3 {
            return "...".to_owned();
        }
        let members = node.arcs.iter().filter(|(_, n)| {
            let n = self.node(*n);
            n.constraint == Constraint::Member && !n.conjuncts.is_empty()
        });
        match node.shape {
            Shape::Struct => {
                let fields: Vec<String> = members
                    .take(8)
                    .map(|(l, n)| format!("{}:{}", self.label_text(l), self.describe_node(n, depth + 1)))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }
            Shape::List(_) => {
                let items: Vec<String> =
                    members.take(8).map(|(_, n)| self.describe_node(n, depth + 1)).collect();
                format!("[{}]", items.join(","))
            }
            Shape::Plain => match &node.value {
                Some(v) => self.describe_at(v, depth + 1),
                None => "_".to_owned(),
            },
        }
    }
}

//! Evaluated values as CUE text.

use crate::eval::Eval;
use crate::eval::node::Shape;
use crate::program::LabelKind;
use crate::syntax::ast::Constraint;
use crate::value::{NodeId, Value};

/// What to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct CueOptions {
    /// Take defaults, leave out definitions, hidden and optional fields: what `export` shows.
    pub finally: bool,
    /// Write definitions.
    pub definitions: bool,
    /// Write hidden fields.
    pub hidden: bool,
    /// Write optional and required fields.
    pub optional: bool,
    /// Write errors as `_|_` instead of failing.
    pub errors: bool,
}

impl CueOptions {
    /// What `cue eval` shows: everything but hidden fields, defaults taken.
    #[must_use]
    pub fn eval() -> Self {
        Self { finally: true, definitions: true, hidden: false, optional: false, errors: false }
    }

    /// What `cue def` shows.
    #[must_use]
    pub fn all() -> Self {
        Self { finally: false, definitions: true, hidden: true, optional: true, errors: false }
    }

    /// What `cue export --out cue` shows.
    #[must_use]
    pub fn data() -> Self {
        Self { finally: true, definitions: false, hidden: false, optional: false, errors: false }
    }
}

/// Writes a completed node; a struct at the top is written without braces.
pub(crate) fn write(eval: &mut Eval, node: NodeId, options: CueOptions) -> String {
    let mut writer = Writer { eval, options, out: String::new() };
    let node = writer.target(node);
    if writer.eval.node(node).shape == Shape::Struct && writer.eval.node(node).value.is_none() {
        writer.fields(node, 0);
    } else {
        writer.node(node, 0);
        writer.out.push('\n');
    }
    writer.out
}

struct Writer<'a> {
    eval: &'a mut Eval,
    options: CueOptions,
    out: String,
}

impl Writer<'_> {
    fn target(&self, node: NodeId) -> NodeId {
        let node = self.eval.deref(node);
        if self.options.finally { self.eval.default_of(node).unwrap_or(node) } else { node }
    }

    fn indent(&mut self, level: usize) {
        for _ in 0..level {
            self.out.push('\t');
        }
    }

    fn shown(&self, kind: LabelKind, constraint: Constraint) -> bool {
        let by_kind = match kind {
            LabelKind::Regular => true,
            LabelKind::Definition => self.options.definitions,
            LabelKind::Hidden => self.options.hidden,
            LabelKind::HiddenDefinition => self.options.hidden && self.options.definitions,
            LabelKind::Anonymous => false,
        };
        by_kind && (constraint == Constraint::Member || self.options.optional)
    }

    fn fields(&mut self, node: NodeId, level: usize) {
        let arcs: Vec<_> = self.eval.node(node).arcs.iter().collect();
        for (label, arc) in arcs {
            let n = self.eval.node(arc);
            if n.conjuncts.is_empty() {
                continue;
            }
            let constraint = n.constraint;
            let kind = self.eval.program.labels.kind(label);
            if !self.shown(kind, constraint) {
                continue;
            }
            if constraint != Constraint::Member {
                self.eval.complete(arc);
            }
            self.indent(level);
            let text = self.eval.label_text(label);
            self.out.push_str(&text);
            self.out.push_str(match constraint {
                Constraint::Member => ": ",
                Constraint::Optional => "?: ",
                Constraint::Required => "!: ",
            });
            self.node(arc, level);
            self.out.push('\n');
        }
        if self.options.optional && !self.options.finally {
            self.patterns(node, level);
        }
    }

    fn patterns(&mut self, node: NodeId, level: usize) {
        let Some(extra) = &self.eval.node(node).extra else { return };
        let ellipsis = extra.ellipsis;
        let patterns: Vec<(u32, u32)> = extra.patterns.iter().map(|p| (p.pattern, p.value)).collect();
        for (pattern, value) in patterns {
            let line = format!("[{}]: {}", self.eval.program.text(pattern), self.eval.program.text(value));
            self.indent(level);
            self.out.push_str(&line);
            self.out.push('\n');
        }
        if ellipsis {
            self.indent(level);
            self.out.push_str("...\n");
        }
    }

    fn node(&mut self, node: NodeId, level: usize) {
        let node = self.target(node);
        if level > crate::limits::VALUE_DEPTH as usize {
            self.out.push('_');
            return;
        }
        let value = self.eval.node(node).value.clone();
        match (self.eval.node(node).shape, value) {
            (_, Some(Value::Bottom(b))) if !b.code.is_incomplete() || self.eval.live_len(node) == 0 => {
                let source = self.eval.node(node).conjuncts.first().map(|c| c.expr);
                match source {
                    Some(expr) if b.code.is_incomplete() => {
                        let text = self.eval.program.text(expr).to_owned();
                        self.out.push_str(if text.is_empty() { "_" } else { &text });
                    }
                    _ => self.out.push_str("_|_"),
                }
            }
            (Shape::Struct, _) => self.strukt(node, level),
            (Shape::List(open), _) => self.list(node, level, open),
            (Shape::Plain, Some(Value::Disjunction(list, defaults))) => {
                for (i, alternative) in list.iter().enumerate() {
                    if i > 0 {
                        self.out.push_str(" | ");
                    }
                    if i < defaults {
                        self.out.push('*');
                    }
                    self.node(*alternative, level);
                }
            }
            (Shape::Plain, Some(value)) => {
                let text = self.eval.describe_full(&value);
                self.out.push_str(&text);
            }
            (Shape::Plain, None) => self.out.push('_'),
        }
    }

    fn strukt(&mut self, node: NodeId, level: usize) {
        let start = self.out.len();
        self.out.push_str("{\n");
        let body = self.out.len();
        stacker::maybe_grow(crate::limits::RED_ZONE, crate::limits::STACK_CHUNK, || {
            self.fields(node, level + 1);
        });
        if self.out.len() == body {
            self.out.truncate(start);
            self.out.push_str("{}");
            return;
        }
        self.indent(level);
        self.out.push('}');
    }

    fn list(&mut self, node: NodeId, level: usize, open: bool) {
        let arcs: Vec<_> = self.eval.node(node).arcs.iter().collect();
        let live: Vec<NodeId> =
            arcs.into_iter().map(|(_, n)| n).filter(|n| !self.eval.node(*n).conjuncts.is_empty()).collect();
        self.out.push('[');
        for (i, item) in live.iter().enumerate() {
            if i > 0 {
                self.out.push_str(", ");
            }
            stacker::maybe_grow(crate::limits::RED_ZONE, crate::limits::STACK_CHUNK, || {
                self.node(*item, level);
            });
        }
        if open && !self.options.finally {
            let tail = self.eval.node(node).extra.as_ref().and_then(|e| e.tail.first().map(|c| c.expr));
            let text = tail.map_or(String::new(), |t| self.eval.program.text(t).to_owned());
            self.out.push_str(if live.is_empty() { "..." } else { ", ..." });
            self.out.push_str(&text);
        }
        self.out.push(']');
    }
}

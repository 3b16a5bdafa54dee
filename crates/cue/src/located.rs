//! Concrete data with the place in the source that each part of it comes from.

use std::sync::Arc;

use crate::data::Data;
use crate::error::{Errors, Position};
use crate::eval::Eval;
use crate::eval::node::{NIL, Shape};
use crate::number::Number;
use crate::program::{Ir, Label, LabelKind};
use crate::session::{Value, to_error};
use crate::syntax::ast::Constraint;
use crate::value::{ExprId, NodeId, Value as Inner};

/// A place in a source file; the file's name is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// File name, empty when unknown.
    pub file: Arc<str>,
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column in characters, from 1; 0 when unknown.
    pub column: u32,
}

/// A concrete value and where it is written: its field's name where it has one, else the value.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// Where.
    pub spot: Spot,
    /// What.
    pub data: LocatedData,
}

/// As [`Data`], with places below.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each is the type it is named after")]
pub enum LocatedData {
    Null,
    Bool(bool),
    Number(Number),
    String(Arc<str>),
    Bytes(Arc<[u8]>),
    List(Vec<Located>),
    /// Fields in order.
    Object(Vec<(Arc<str>, Located)>),
}

/// One of the declarations that a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Where: at the field's name where that stands right before it, else where the expression begins.
    pub position: Position,
    /// The expression as it is written.
    pub text: String,
    /// Whether it is written at the field itself, and not reached through a reference.
    pub direct: bool,
    /// Whether the field's own name stands right before it; not so for patterns and computed names.
    pub named: bool,
}

impl Value {
    /// The concrete data with places, defaults taken.
    ///
    /// # Errors
    /// As [`Value::to_data`].
    ///
    /// ```
    /// let value = cue::compile("a.cue", "#T: port: int | *80\nweb: #T").unwrap();
    /// let located = value.lookup("web").unwrap().located().unwrap();
    /// assert_eq!((located.spot.line, located.spot.column), (2, 1));
    /// ```
    pub fn located(&self) -> Result<Located, Errors> {
        self.validate(true)?;
        let (mut eval, node) = self.parts();
        let mut reader = Reader { eval: &mut eval };
        let value = reader.eval.node_value(node);
        reader.read(node, value).map_err(|bottom| Errors::one(to_error(&eval, &bottom, node)))
    }

    /// Every declaration that the value comes from, those written at the field itself first.
    ///
    /// ```
    /// let value = cue::compile("a.cue", "a: int\na: 1").unwrap();
    /// let lines: Vec<u32> =
    ///     value.lookup("a").unwrap().declarations().iter().map(|one| one.position.line).collect();
    /// assert_eq!(lines, [1, 2]);
    /// ```
    pub fn declarations(&self) -> Vec<Declaration> {
        let (mut eval, node) = self.parts();
        eval.complete(node);
        let mut found: Vec<Declaration> = Vec::new();
        let label = eval.program.labels.text(eval.node(node).label);
        let own = eval.node(node).conjuncts.clone();
        for conjunct in own {
            let Some(position) = eval.program.position(conjunct.expr) else { continue };
            let text = eval.program.text(conjunct.expr).to_owned();
            let (source, span) = eval.program.spans[conjunct.expr as usize];
            let whole = &eval.program.sources[source as usize].text;
            let name = name_before(whole, span.start as usize, &label);
            let (named, name) = (name.is_some(), name.and_then(|at| u32::try_from(at).ok()));
            let source = &eval.program.sources[source as usize];
            let position = name.map_or(position, |at| source.position(at));
            let one = Declaration { position, text, direct: conjunct.origin.refs == NIL, named };
            if !found.contains(&one) {
                found.push(one);
            }
        }
        found.sort_by_key(|one| !one.direct);
        found
    }

    /// The same value without the syntax trees of its package, which take more memory than all else and are needed for
    /// [`Value::eval_expr`] only: expressions cannot name the package's fields any more.
    ///
    /// ```
    /// let value = cue::compile("a.cue", "a: 1").unwrap().without_syntax();
    /// assert_eq!(value.lookup("a").unwrap().to_json().unwrap(), "1");
    /// assert!(value.eval_expr("a").is_err());
    /// ```
    #[must_use]
    pub fn without_syntax(mut self) -> Self {
        self.files = Arc::default();
        self
    }

    /// The definitions of a struct (`#Name`), in order, by name.
    ///
    /// ```
    /// let value = cue::compile("a.cue", "b: 1, #c: \"x\", _d: 2").unwrap();
    /// let names: Vec<String> = value.definitions().into_iter().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["#c"]);
    /// ```
    pub fn definitions(&self) -> Vec<(String, Self)> {
        let (mut eval, node) = self.parts();
        eval.expand(node);
        let Some(at) = eval.default_of(node) else { return Vec::new() };
        let arcs: Vec<(Label, NodeId)> = eval.node(at).arcs.iter().collect();
        let found: Vec<(String, NodeId)> = arcs
            .into_iter()
            .filter(|(label, arc)| {
                let node = eval.node(*arc);
                !node.conjuncts.is_empty()
                    && node.constraint == Constraint::Member
                    && eval.program.labels.kind(*label) == LabelKind::Definition
            })
            .map(|(label, arc)| (eval.program.labels.text(label).to_string(), arc))
            .collect();
        drop(eval);
        found.into_iter().map(|(name, arc)| (name, self.at(arc))).collect()
    }
}

impl Located {
    /// The data alone.
    pub fn to_data(&self) -> Data {
        match &self.data {
            LocatedData::Null => Data::Null,
            LocatedData::Bool(value) => Data::Bool(*value),
            LocatedData::Number(value) => Data::Number(value.clone()),
            LocatedData::String(value) => Data::String(value.to_string()),
            LocatedData::Bytes(value) => Data::Bytes(value.to_vec()),
            LocatedData::List(items) => Data::List(items.iter().map(Self::to_data).collect()),
            LocatedData::Object(fields) => {
                Data::Object(fields.iter().map(|(name, field)| (name.to_string(), field.to_data())).collect())
            }
        }
    }
}

struct Reader<'e> {
    eval: &'e mut Eval,
}

impl Reader<'_> {
    fn read(&mut self, node: NodeId, value: Inner) -> Result<Located, Arc<crate::value::Bottom>> {
        let spot = self.spot(node);
        let value = self.eval.pick_default(value, 0);
        let data = match value {
            Inner::Null => LocatedData::Null,
            Inner::Bool(value) => LocatedData::Bool(value),
            Inner::Number(value) => LocatedData::Number((*value).clone()),
            Inner::String(value) => LocatedData::String(value),
            Inner::Bytes(value) => LocatedData::Bytes(value),
            Inner::Node(inner) => {
                let inner = self.eval.deref(inner);
                return stacker::maybe_grow(crate::limits::RED_ZONE, crate::limits::STACK_CHUNK, || {
                    Ok(Located { spot, data: self.below(inner)? })
                });
            }
            other => crate::data::from_value(self.eval, &other, 0).map(|_| LocatedData::Null)?,
        };
        Ok(Located { spot, data })
    }

    fn below(&mut self, node: NodeId) -> Result<LocatedData, Arc<crate::value::Bottom>> {
        let shape = self.eval.node(node).shape;
        let arcs: Vec<(Label, NodeId)> = self.eval.node(node).arcs.iter().collect();
        let mut items = Vec::new();
        let mut fields = Vec::new();
        for (label, arc) in arcs {
            let one = self.eval.node(arc);
            let live = !one.conjuncts.is_empty() && one.constraint == Constraint::Member;
            if !live || !self.eval.program.labels.is_regular(label) {
                continue;
            }
            let value = self.eval.node_value(arc);
            let located = self.read(arc, value)?;
            match shape {
                Shape::List(_) => items.push(located),
                _ => fields.push((self.eval.program.labels.text(label), located)),
            }
        }
        Ok(if matches!(shape, Shape::List(_)) {
            LocatedData::List(items)
        } else {
            LocatedData::Object(fields)
        })
    }

    /// Where a node is written: of its declarations, one at the field itself, and of those one that says what it is.
    fn spot(&self, node: NodeId) -> Spot {
        let one = self.eval.node(node);
        let rank = |expr: ExprId, direct: bool| {
            let plain = matches!(
                self.eval.program.exprs.get(expr as usize),
                Some(Ir::Value(_) | Ir::Struct(_) | Ir::List(_) | Ir::Interpolation(..))
            );
            u8::from(!direct) * 2 + u8::from(!plain)
        };
        let placed = |expr: ExprId| {
            let (source, _) = self.eval.program.spans.get(expr as usize)?;
            ((*source as usize) < self.eval.program.sources.len()).then_some(expr)
        };
        one.conjuncts
            .iter()
            .filter_map(|conjunct| placed(conjunct.expr).map(|expr| (expr, conjunct.origin.refs == NIL)))
            .min_by_key(|(expr, direct)| rank(*expr, *direct))
            .map_or_else(
                || Spot { file: "".into(), line: 0, column: 0 },
                |(expr, _)| self.locate(expr, one.label),
            )
    }

    fn locate(&self, expr: ExprId, label: Label) -> Spot {
        let program = &self.eval.program;
        let (source, span) = program.spans[expr as usize];
        let text = &program.sources[source as usize].text;
        let value = (span.start as usize).min(text.len());
        let at = if label.as_index().is_none() && program.labels.is_regular(label) {
            name_before(text, value, &program.labels.text(label)).unwrap_or(value)
        } else {
            value
        };
        let starts = program.sources[source as usize].starts();
        let line = starts.partition_point(|start| *start as usize <= at);
        let start = starts.get(line.saturating_sub(1)).map_or(0, |start| *start as usize);
        let column = text.get(start..at).map_or(0, |before| before.chars().count() + 1);
        Spot {
            file: program.sources[source as usize].name.clone(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }
}

/// Where the name of a field begins whose value begins at byte `value`, when it stands right before it.
fn name_before(text: &str, value: usize, name: &str) -> Option<usize> {
    let before = text.get(..value)?.trim_end().strip_suffix(':')?.trim_end();
    if let Some(rest) = before.strip_suffix(name)
        && !rest.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '#'))
    {
        return Some(rest.len());
    }
    before.strip_suffix('"')?.strip_suffix(name)?.strip_suffix('"').map(str::len)
}

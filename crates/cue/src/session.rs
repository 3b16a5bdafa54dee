//! The public face of the evaluator: compile sources, look at values.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::compile::{self, Unit};
use crate::data::places::Places;
use crate::data::{self, Data};
use crate::error::{Code, Error, Errors, Position};
use crate::eval::node::{Conjunct, NO_ENV, NO_NODE, Origin, Scope, Shape};
use crate::eval::{Eval, Limits};
use crate::export;
use crate::load::{Compiler, Loader, MemoryLoader, SourceFile};
use crate::program::{Label, Program, Source};
use crate::syntax::ast::Constraint;
use crate::syntax::parser::parse_expr;
use crate::value::{Bottom, ExprId, NodeId, Value as Inner};

/// What an evaluation may use, and what it is told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Limits; the defaults suit configuration of some megabytes.
    pub limits: Limits,
    /// Tags as given with `-t`: `name`, for `@if(name)` and for the short forms of `@tag`, or `name=value`, for
    /// `@tag(name)`. One that nothing takes is an error.
    pub tags: Vec<String>,
    /// Values of the machine by name, for `@tag(name,var=...)` where no tag was given. Without them such a field is as it is
    /// written; with them, a name that is not among them is an error. The reference tool knows `now`, `os`, `arch`, `cwd`,
    /// `username`, `hostname` and `rand`.
    ///
    /// ```
    /// use cue::load::{MemoryLoader, SourceFile};
    /// use cue::{Data, Options, compile_package};
    ///
    /// let files = vec![SourceFile::new("a.cue", "on: string @tag(on,var=os)").unwrap()];
    /// let variables = Some([("os".to_owned(), Data::String("linux".to_owned()))].into());
    /// let value = compile_package(files, &MemoryLoader::default(), Options { variables, ..Options::default() }).unwrap();
    /// assert_eq!(value.to_json().unwrap(), r#"{"on":"linux"}"#);
    /// ```
    pub variables: Option<BTreeMap<String, Data>>,
}

/// A data file, for messages about what is in it.
#[derive(Debug)]
pub(crate) struct DataFile {
    pub(crate) name: Arc<str>,
    pub(crate) text: Arc<str>,
    pub(crate) places: Places,
}

/// What sort of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the type it is named after")]
pub enum ValueKind {
    Bottom,
    Null,
    Bool,
    Int,
    Float,
    String,
    Bytes,
    Struct,
    List,
    /// Not concrete: a type, bound, validator or open disjunction.
    Constraint,
}

/// A value of a compiled configuration. Cheap to clone; evaluated on demand; `Send + Sync`.
#[derive(Clone, Debug)]
pub struct Value {
    eval: Arc<Mutex<Eval>>,
    node: NodeId,
    pub(crate) files: Arc<Vec<SourceFile>>,
    cancel: Arc<AtomicBool>,
}

/// Compiles one source text.
///
/// # Errors
/// Syntax errors, and names that do not resolve. Errors of evaluation are found by
/// [`Value::validate`] and the exporters.
///
/// ```
/// let value = cue::compile("port.cue", "port: int | *8080").unwrap();
/// assert_eq!(value.lookup("port").unwrap().to_json().unwrap(), "8080");
/// ```
pub fn compile(name: &str, text: &str) -> Result<Value, Errors> {
    let file = SourceFile::new(name, text)?;
    compile_package(vec![file], &MemoryLoader::default(), Options::default())
}

/// Compiles the files of one package; imports come from `loader`.
///
/// # Errors
/// As [`compile`].
pub fn compile_package(
    files: Vec<SourceFile>,
    loader: &dyn Loader,
    options: Options,
) -> Result<Value, Errors> {
    let mut program = Program::default();
    let compiled = Compiler::new(loader, &options).main(&mut program, &files);
    let mut errors = compiled.errors;
    errors.extend(compiled.unknown);
    if !errors.is_empty() {
        return Err(Errors(errors));
    }
    let cancel = options.limits.cancel.clone();
    let mut eval = Eval::new(program, options.limits);
    let node = eval.package(compiled.package);
    Ok(Value { eval: Arc::new(Mutex::new(eval)), node, files: Arc::new(files), cancel })
}

impl Value {
    fn lock(&self) -> MutexGuard<'_, Eval> {
        self.eval.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The evaluator and the node of this value.
    pub(crate) fn parts(&self) -> (MutexGuard<'_, Eval>, NodeId) {
        (self.lock(), self.node)
    }

    pub(crate) fn at(&self, node: NodeId) -> Self {
        Self { node, ..self.clone() }
    }

    /// Stops evaluations of this configuration, from any thread; they end with a limit error. It is looked at every 1,024
    /// steps, so that a short evaluation still ends well.
    ///
    /// ```
    /// let text = "import \"list\"\na: [for i in list.Range(0, 100000, 1) {n: i}]";
    /// let value = cue::compile("a.cue", text).unwrap();
    /// let other = value.clone();
    /// std::thread::spawn(move || other.cancel()).join().unwrap();
    /// assert_eq!(value.validate(true).unwrap_err().0[0].code, cue::Code::Limit);
    /// ```
    pub fn cancel(&self) {
        self.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// The path from the root.
    pub fn path(&self) -> String {
        self.lock().path(self.node)
    }

    /// What sort of value it is, its default taken.
    pub fn kind(&self) -> ValueKind {
        let mut eval = self.lock();
        let value = eval.node_value(self.node);
        match eval.pick_default(value, 0) {
            Inner::Bottom(b) if b.code.is_incomplete() => ValueKind::Constraint,
            Inner::Bottom(_) => ValueKind::Bottom,
            Inner::Null => ValueKind::Null,
            Inner::Bool(_) => ValueKind::Bool,
            Inner::Number(n) if n.is_int() => ValueKind::Int,
            Inner::Number(_) => ValueKind::Float,
            Inner::String(_) => ValueKind::String,
            Inner::Bytes(_) => ValueKind::Bytes,
            Inner::Node(n) if eval.is_list(n) => ValueKind::List,
            Inner::Node(_) => ValueKind::Struct,
            _ => ValueKind::Constraint,
        }
    }

    /// The value at a path such as `a.b[0]."c d".#Def`; `None` when there is no such field.
    ///
    /// ```
    /// let value = cue::compile("a.cue", "a: b: [1, {\"c d\": 2}]").unwrap();
    /// assert_eq!(value.lookup("a.b[1].\"c d\"").unwrap().to_json().unwrap(), "2");
    /// assert!(value.lookup("a.x").is_none());
    /// ```
    pub fn lookup(&self, path: &str) -> Option<Self> {
        let mut node = self.node;
        let mut eval = self.lock();
        for part in split_path(path) {
            eval.expand(node);
            let at = eval.default_of(node)?;
            let arcs: Vec<(Label, NodeId)> = eval.node(at).arcs.iter().collect();
            let quoted = part.starts_with('"');
            let text = compile::decode_label(&part)?;
            let found = arcs.into_iter().find(|(label, arc)| {
                !eval.node(*arc).conjuncts.is_empty()
                    && *eval.program.labels.text(*label) == *text
                    && (!quoted || eval.program.labels.is_regular(*label))
            });
            node = found?.1;
        }
        drop(eval);
        Some(self.at(node))
    }

    /// The regular fields of a struct, or the elements of a list, in order.
    ///
    /// ```
    /// let value = cue::compile("a.cue", "b: 1, a: 2, #hidden: 3").unwrap();
    /// let names: Vec<String> = value.fields().into_iter().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["b", "a"]);
    /// ```
    pub fn fields(&self) -> Vec<(String, Self)> {
        let mut eval = self.lock();
        eval.expand(self.node);
        let Some(at) = eval.default_of(self.node) else { return Vec::new() };
        let arcs: Vec<(Label, NodeId)> = eval.node(at).arcs.iter().collect();
        let live = arcs.into_iter().filter(|(label, arc)| {
            let n = eval.node(*arc);
            !n.conjuncts.is_empty()
                && n.constraint == Constraint::Member
                && eval.program.labels.is_regular(*label)
        });
        live.map(|(l, n)| (eval.program.labels.text(l).to_string(), self.at(n))).collect()
    }

    /// Unifies with another value of the same configuration, or with one compiled by itself
    /// (which must then be concrete data).
    ///
    /// # Errors
    /// The other value is of another configuration and not concrete.
    ///
    /// ```
    /// let schema = cue::compile("schema.cue", "port: >1024, host: *\"localhost\" | string").unwrap();
    /// let given = cue::compile("given.cue", "port: 8080").unwrap();
    /// assert_eq!(schema.unify(&given).unwrap().to_json().unwrap(), r#"{"port":8080,"host":"localhost"}"#);
    /// ```
    pub fn unify(&self, other: &Self) -> Result<Self, Errors> {
        if Arc::ptr_eq(&self.eval, &other.eval) {
            let mut eval = self.lock();
            let b = eval.value_expr(Inner::Node(other.node), 0);
            return Ok(self.at(Self::pair(&mut eval, self.node, b)));
        }
        let data = other.to_data()?;
        Ok(self.unify_data(&data))
    }

    /// Unifies with plain data, as `vet` does.
    #[must_use]
    pub fn unify_data(&self, data: &Data) -> Self {
        let mut eval = self.lock();
        let b = data::to_expr(&mut eval, data, 0);
        let node = Self::pair(&mut eval, self.node, b);
        drop(eval);
        self.at(node)
    }

    /// Unifies with a document of a data file. What is said about it points into the file.
    #[must_use]
    pub(crate) fn unify_document(&self, data: &Data, file: &Arc<DataFile>, document: usize) -> Self {
        let mut eval = self.lock();
        let sources = &mut eval.program.sources;
        let known = sources.iter().position(|source| Arc::ptr_eq(&source.text, &file.text));
        let source = known.unwrap_or_else(|| {
            sources.push(Source::new(file.name.clone(), file.text.clone()));
            sources.len() - 1
        });
        let source = u32::try_from(source).unwrap_or(u32::MAX);
        let b = data::placed_expr(&mut eval, data, source, &file.places, document);
        let node = Self::pair(&mut eval, self.node, b);
        drop(eval);
        self.at(node)
    }

    fn pair(eval: &mut Eval, node: NodeId, other: ExprId) -> NodeId {
        let a = eval.value_expr(Inner::Node(node), 0);
        let both = eval.anonymous(NO_NODE, a, NO_ENV);
        let conjunct = Conjunct { expr: other, env: NO_ENV, origin: Origin::ROOT };
        eval.node_mut(both).conjuncts.push(conjunct);
        both
    }

    /// Evaluates an expression in the scope of the package, as `-e` does.
    ///
    /// # Errors
    /// The expression does not parse, or names something unknown.
    ///
    /// ```
    /// let value = cue::compile("a.cue", "a: 1, b: 2").unwrap();
    /// assert_eq!(value.eval_expr("a + b").unwrap().to_json().unwrap(), "3");
    /// ```
    pub fn eval_expr(&self, text: &str) -> Result<Self, Errors> {
        let expr = parse_expr("-e", text)?;
        let mut eval = self.lock();
        let units: Vec<Unit<'_>> =
            self.files.iter().map(|f| Unit { file: &f.file, text: f.text.clone() }).collect();
        let (id, errors) = compile::expression(&mut eval.program, &units, 1, &expr, text.into());
        if !errors.is_empty() {
            return Err(Errors(errors));
        }
        let env = eval.new_env(NO_ENV, Scope::Node(self.node));
        let node = eval.anonymous(NO_NODE, id, env);
        drop(eval);
        Ok(self.at(node))
    }

    /// Checks the value and everything below it; with `concrete`, nothing may be left open.
    ///
    /// # Errors
    /// Every error found, each with all positions that took part.
    ///
    /// ```
    /// let open = cue::compile("a.cue", "a: int").unwrap();
    /// assert!(open.validate(false).is_ok());
    /// assert_eq!(open.validate(true).unwrap_err().0[0].code, cue::Code::Incomplete);
    /// ```
    pub fn validate(&self, concrete: bool) -> Result<(), Errors> {
        let mut eval = self.lock();
        eval.complete(self.node);
        let mut found = Vec::new();
        if let Some(fatal) = eval.fatal().cloned() {
            return Err(Errors::one(to_error(&eval, &fatal, NO_NODE)));
        }
        gather(&mut eval, self.node, concrete, &mut found, 0);
        if found.is_empty() { Ok(()) } else { Err(Errors(found)) }
    }

    /// Whether every value `other` admits is admitted by this one: `self & other == other`.
    ///
    /// ```
    /// let value = cue::compile("a.cue", "number: int, five: 5").unwrap();
    /// let (number, five) = (value.lookup("number").unwrap(), value.lookup("five").unwrap());
    /// assert!(number.subsumes(&five) && !five.subsumes(&number));
    /// ```
    pub fn subsumes(&self, other: &Self) -> bool {
        let Ok(both) = self.unify(other) else { return false };
        let mut eval = self.lock();
        eval.complete(both.node);
        if eval.failure(both.node).is_some_and(|b| !b.code.is_incomplete()) {
            return false;
        }
        if Arc::ptr_eq(&self.eval, &other.eval) {
            eval.complete(other.node);
            return eval.same_content(both.node, other.node);
        }
        true
    }

    /// The concrete data, defaults taken.
    ///
    /// # Errors
    /// The first error, or what is not concrete.
    pub fn to_data(&self) -> Result<Data, Errors> {
        self.validate(true)?;
        let mut eval = self.lock();
        let value = eval.node_value(self.node);
        data::from_value(&mut eval, &value, 0).map_err(|b| Errors::one(to_error(&eval, &b, self.node)))
    }

    /// Compact JSON.
    ///
    /// # Errors
    /// As [`Value::to_data`].
    pub fn to_json(&self) -> Result<String, Errors> {
        Ok(data::json::write(&self.to_data()?, None))
    }

    /// Decodes into any type serde can make from JSON.
    ///
    /// # Errors
    /// As [`Value::to_data`]; and the data does not fit the type.
    ///
    /// ```
    /// #[derive(serde::Deserialize)]
    /// struct Service {
    ///     name: String,
    ///     port: u16,
    /// }
    /// let value = cue::compile("a.cue", r#"name: "web", port: *80 | int"#).unwrap();
    /// let service: Service = value.decode().unwrap();
    /// assert_eq!((service.name.as_str(), service.port), ("web", 80));
    /// ```
    pub fn decode<T: serde::de::DeserializeOwned>(&self) -> Result<T, Errors> {
        let text = self.to_json()?;
        serde_json::from_str(&text)
            .map_err(|e| Errors::one(Error::new(Code::Eval, format!("cannot decode: {e}"))))
    }

    /// The evaluated value as CUE text.
    ///
    /// # Errors
    /// What contradicts itself; what is merely open is written as it is.
    ///
    /// ```
    /// let value = cue::compile("a.cue", "a: >1 & <9, b: a").unwrap();
    /// assert_eq!(value.to_cue(cue::export::CueOptions::default()).unwrap().lines().next(), Some("a: >1 & <9"));
    /// ```
    pub fn to_cue(&self, options: export::CueOptions) -> Result<String, Errors> {
        if !options.errors {
            self.validate(false)?;
        }
        let mut eval = self.lock();
        eval.complete(self.node);
        Ok(export::write(&mut eval, self.node, options))
    }
}

impl Eval {
    /// Same data, whatever is closed or patterned.
    fn same_content(&mut self, a: NodeId, b: NodeId) -> bool {
        let (x, y) = (self.node_value(a), self.node_value(b));
        match (&x, &y) {
            (Inner::Node(p), Inner::Node(q)) => {
                let (p, q) = (*p, *q);
                let arcs: Vec<_> = self.node(p).arcs.iter().collect();
                self.live_len(p) == self.live_len(q)
                    && arcs.into_iter().all(|(l, n)| {
                        self.node(n).conjuncts.is_empty()
                            || self.node(q).arcs.get(l).is_some_and(|o| self.same_content(n, o))
                    })
            }
            _ => self.equal_values(&x, &y),
        }
    }
}

/// Splits a path at dots and brackets outside quotes.
fn split_path(path: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut part = String::new();
    let mut quoted = false;
    for c in path.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                part.push(c);
            }
            '.' | '[' | ']' if !quoted => {
                if !part.is_empty() {
                    out.push(std::mem::take(&mut part));
                }
            }
            other => part.push(other),
        }
    }
    if !part.is_empty() {
        out.push(part);
    }
    out
}

/// A public error from an internal one.
pub(crate) fn to_error(eval: &Eval, bottom: &Arc<Bottom>, node: NodeId) -> Error {
    let mut error = Error::new(bottom.code, bottom.message.clone());
    let at = bottom.node.unwrap_or(node);
    if at != NO_NODE {
        error.path = eval.path(at);
    }
    let mut add = |b: &Bottom| {
        for expr in &b.at {
            if let Some(p) = eval.program.position(*expr)
                && !error.positions.contains(&p)
            {
                error.positions.push(p);
            }
        }
    };
    add(bottom);
    for cause in bottom.causes.iter().take(8) {
        add(cause);
    }
    error.hint.clone_from(&bottom.hint);
    error.positions.sort_by(|a: &Position, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    error
}

fn push_error(eval: &Eval, bottom: &Arc<Bottom>, node: NodeId, found: &mut Vec<Error>) {
    let error = to_error(eval, bottom, node);
    if !found.contains(&error) {
        found.push(error);
    }
    if bottom.message.ends_with("in empty disjunction:") || !bottom.code.is_incomplete() {
        for cause in bottom.causes.iter().take(8) {
            push_error(eval, cause, node, found);
        }
    }
}

const MOST_ERRORS: usize = 50;

/// Gathers the errors of a value and what is below it.
fn gather(eval: &mut Eval, node: NodeId, concrete: bool, found: &mut Vec<Error>, depth: u32) {
    // one level more than a value has: what is too deep says so itself
    if found.len() >= MOST_ERRORS || depth > crate::limits::VALUE_DEPTH + 1 {
        return;
    }
    let mut node = eval.deref(node);
    if let Some(default) = eval.default_of(node) {
        node = default;
    }
    let own = eval.node(node).value.clone();
    match &own {
        Some(Inner::Bottom(b)) if !b.code.is_incomplete() || concrete => {
            push_error(eval, b, node, found);
            if !b.code.is_incomplete() {
                return;
            }
        }
        Some(v) if concrete && !v.is_scalar() && !matches!(v, Inner::Bottom(_)) => {
            let text = eval.describe(v);
            let mut bottom = Bottom::new(Code::Incomplete, format!("incomplete value {text}"));
            bottom.at = eval.node(node).conjuncts.iter().map(|c| c.expr).take(4).collect();
            bottom.node = Some(node);
            push_error(eval, &Arc::new(bottom), node, found);
        }
        None if concrete && eval.node(node).shape == Shape::Plain => {
            let mut bottom = Bottom::new(Code::Incomplete, "incomplete value _");
            bottom.node = Some(node);
            push_error(eval, &Arc::new(bottom), node, found);
        }
        _ => {}
    }
    let arcs: Vec<(Label, NodeId)> = eval.node(node).arcs.iter().collect();
    for (label, arc) in arcs {
        let n = eval.node(arc);
        if n.conjuncts.is_empty() || n.constraint == Constraint::Optional {
            continue;
        }
        if n.constraint == Constraint::Required {
            if concrete && eval.program.labels.is_regular(label) {
                let text = eval.label_text(label);
                let mut bottom =
                    Bottom::new(Code::Incomplete, format!("{text}: field is required but not present"));
                bottom.at = eval.node(arc).conjuncts.iter().map(|c| c.expr).take(4).collect();
                bottom.node = Some(arc);
                push_error(eval, &Arc::new(bottom), arc, found);
            }
            continue;
        }
        // Definitions and hidden fields are schemas: they need not be concrete.
        let regular = eval.program.labels.is_regular(label);
        stacker::maybe_grow(crate::limits::RED_ZONE, crate::limits::STACK_CHUNK, || {
            gather(eval, arc, concrete && regular, found, depth + 1);
        });
    }
}

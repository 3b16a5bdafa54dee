//! Runtime expressions: jq, compiled once per document, evaluated within a budget.
//!
//! An expression sees its input as `.` and the variables it names. It cannot see the world: the filters that
//! read the environment, further inputs, the time zone or the clock of the machine do not exist here (`now`
//! is the time of the latest event of the run), nor do those that write. Its **first** output counts; no output
//! is `null`.
//!
//! What is bounded ([`crate::limits`]): the length, nesting and number of tokens of the text; steps, recursion,
//! the size of every sum, product and text made on the way, and the size and depth of the result. The limit on
//! recursion is measured on the stack, so *which* of two absurdly deep recursions is refused may differ from
//! one machine to another; that one is refused does not.

mod instrument;
mod meter;
mod template;
mod uri;
mod value;

use std::sync::{Arc, OnceLock};

use jaq_core::load::parse::{Def, Term};
use jaq_core::load::{Arena, File, Lexer, Loader, Parser};
use jaq_core::{Compiler, Ctx, Filter, Vars, unwrap_valr};
use jiff::Timestamp;
use serde_json::Value;

use crate::limits;
use instrument::Uses;
use meter::{Jq, Meter, Scene};

pub use template::{Mode, Template, expression_in};
pub use uri::UriTemplate;

/// Filters of jq that see or touch the world.
pub(crate) const FORBIDDEN: &[&str] = &[
    "input",
    "inputs",
    "env",
    "now",
    "debug_empty",
    "debug",
    "stderr_empty",
    "stderr",
    "halt",
    "halt_error",
    "localtime",
    "strflocaltime",
    "input_line_number",
    "input_filename",
    "get_search_list",
];

/// An expression that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes from the beginning of the expression.
    pub offset: usize,
}

/// An expression that cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// jq says no.
    #[error("{0}")]
    Jq(String),
    /// A limit of [`crate::limits`] is reached.
    #[error("{0}")]
    Limit(&'static str),
}

/// Gives a variable's value by its name without `$`. `None` is `null`.
pub trait Variables {
    /// The value of `$name`.
    fn value(&self, name: &str) -> Option<Arc<Value>>;
}

/// No variables at all.
pub struct NoVariables;

impl Variables for NoVariables {
    fn value(&self, _name: &str) -> Option<Arc<Value>> {
        None
    }
}

/// A compiled jq expression.
pub struct Expression {
    source: Arc<str>,
    filter: Filter<Jq>,
    /// Free variables, with `$`.
    variables: Vec<String>,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Expression({:?})", self.source)
    }
}

impl Expression {
    /// Compiles jq. `variables` are the names that may be used, without `$`.
    ///
    /// ```
    /// use workflow::expression::{Expression, NoVariables};
    /// let double = Expression::compile(".n * 2", &[]).unwrap();
    /// let out = double.evaluate(&serde_json::json!({"n": 21}), &NoVariables, jiff::Timestamp::UNIX_EPOCH);
    /// assert_eq!(out.unwrap(), 42);
    /// assert!(Expression::compile("env.HOME", &[]).is_err());
    /// ```
    pub fn compile(source: &str, variables: &[&str]) -> Result<Self, Invalid> {
        let mut uses = Uses::default();
        let tree = instrument::term(parse(source)?, &mut uses);
        let free: Vec<String> = uses
            .variables
            .iter()
            .filter(|used| variables.iter().any(|known| used.strip_prefix('$') == Some(known)))
            .map(|used| (*used).to_owned())
            .collect();
        let main = Def { name: MAIN, args: Vec::new(), body: instrument::metered(tree) };
        let prelude = needed(&uses.calls);
        let arena = Arena::default();
        let modules = Loader::new(prelude.into_iter().chain(std::iter::once(main)))
            .load(&arena, File { code: MAIN, path: () })
            .map_err(|_| Invalid { message: "the expression cannot be loaded".to_owned(), offset: 0 })?;
        let filter = Compiler::default()
            .with_funs(meter::natives())
            .with_global_vars(free.iter().map(String::as_str))
            .compile(modules)
            .map_err(|errors| undefined(source, &errors, variables))?;
        Ok(Self { source: source.into(), filter, variables: free })
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Evaluates within the budget. `now` is what the filter `now` gives.
    pub fn evaluate(
        &self,
        input: &Value,
        variables: &dyn Variables,
        now: Timestamp,
    ) -> Result<Value, Failure> {
        let bound = self.variables.iter().map(|name| {
            variables.value(&name[1..]).map_or(jaq_json::Val::Null, |value| value::to_jq(&value))
        });
        #[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
        let now = now.as_millisecond() as f64 / 1000.0;
        let meter = Meter::new();
        let scene = Scene { lut: &self.filter.lut, meter: &meter, now };
        let context = Ctx::<Jq>::new(scene, Vars::new(bound));
        let first = self.filter.id.run((context, value::to_jq(input))).map(unwrap_valr).next();
        if let Some(limit) = meter.exceeded() {
            return Err(Failure::Limit(limit));
        }
        match first {
            None => Ok(Value::Null),
            Some(Ok(output)) => value::from_jq(&output),
            Some(Err(error)) => Err(Failure::Jq(shorten(&error.to_string()))),
        }
    }
}

/// jq puts whole values into its messages.
fn shorten(message: &str) -> String {
    const LONGEST: usize = 300;
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &message[..end]),
        None => message.to_owned(),
    }
}

/// The whole expression as a definition. An expression that calls it recurses, and is metered like any other.
const MAIN: &str = "aedile_main";

fn parse(source: &str) -> Result<Term<&str>, Invalid> {
    let invalid = |message: &str, offset: usize| Invalid { message: message.to_owned(), offset };
    if source.len() > limits::EXPRESSION_BYTES {
        return Err(invalid("the expression is too long", 0));
    }
    if let Some(offset) = too_deep(source) {
        return Err(invalid("the expression is nested too deep", offset));
    }
    let at = |rest: &str| source.len().saturating_sub(rest.len()).min(source.len());
    let tokens = Lexer::new(source).lex().map_err(|errors| {
        let (expected, rest) = &errors[0];
        invalid(&format!("expected {}", expected.as_str()), at(rest))
    })?;
    if tokens.len() > limits::EXPRESSION_TOKENS
        || source.matches(['|', ',']).count() > limits::EXPRESSION_TOKENS
    {
        return Err(invalid("the expression has too many parts", 0));
    }
    Parser::new(&tokens).parse(jaq_core::load::Parser::term).map_err(|errors| match errors.first() {
        Some((expected, Some(found))) => {
            let token = found.as_str();
            let offset = token.as_ptr().addr().saturating_sub(source.as_ptr().addr()).min(source.len());
            let shown: String = token.chars().take(20).collect();
            invalid(&format!("expected {}, found `{shown}`", expected.as_str()), offset)
        }
        Some((expected, None)) => {
            invalid(&format!("expected {} at the end", expected.as_str()), source.len())
        }
        None => invalid("the expression cannot be parsed", 0),
    })
}

/// Where brackets nest deeper than the limit, or a prefix operator repeats more often than that.
fn too_deep(source: &str) -> Option<usize> {
    let (mut depth, mut minus) = (0_usize, 0_usize);
    for (offset, byte) in source.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        minus = match byte {
            b'-' => minus + 1,
            b' ' | b'\n' | b'\t' => minus,
            _ => 0,
        };
        if depth > limits::EXPRESSION_NESTING || minus > limits::EXPRESSION_NESTING {
            return Some(offset);
        }
    }
    keyword_nesting(source)
}

/// `if`, `try`, `reduce` and the like nest without brackets.
fn keyword_nesting(source: &str) -> Option<usize> {
    let words = ["if", "try", "reduce", "foreach", "def", "label"];
    let count: usize =
        source.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| words.contains(word)).count();
    (count > limits::EXPRESSION_NESTING).then_some(0)
}

fn undefined(source: &str, errors: &jaq_core::compile::Errors<&str, ()>, variables: &[&str]) -> Invalid {
    let Some((name, kind)) = errors.iter().flat_map(|(_, errors)| errors).next() else {
        return Invalid { message: "the expression cannot be compiled".to_owned(), offset: 0 };
    };
    let offset = source.find(name).unwrap_or(0);
    let message = if FORBIDDEN.contains(name) {
        format!("`{name}` sees or touches the world outside of the run and is not available")
    } else if name.starts_with('$') {
        let known: Vec<_> = variables.iter().map(|name| format!("${name}")).collect();
        format!("unknown variable `{name}`; known here: {}", known.join(", "))
    } else if let jaq_core::compile::Undefined::Filter(arity) = kind {
        format!("unknown filter `{name}` with {arity} argument(s)")
    } else {
        format!("unknown {} `{name}`", kind.as_str())
    };
    Invalid { message, offset }
}

/// One definition of jq's library, with meters.
struct Library {
    definition: Def<&'static str>,
    calls: Vec<&'static str>,
}

fn library() -> &'static [Library] {
    static LIBRARY: OnceLock<Vec<Library>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs())
            .filter(|def| !FORBIDDEN.contains(&def.name))
            .map(|def| {
                let mut uses = Uses::default();
                let definition = instrument::definition(def, &mut uses);
                Library { definition, calls: uses.calls }
            })
            .collect()
    })
}

/// The definitions that `calls` need, in their order: compiling the whole library for every expression would cost
/// far more than the expression.
fn needed(calls: &[&str]) -> Vec<Def<&'static str>> {
    let library = library();
    let mut wanted = vec![false; library.len()];
    let mut queue: Vec<&str> = calls.to_vec();
    while let Some(name) = queue.pop() {
        for (index, entry) in library.iter().enumerate() {
            if !wanted[index] && entry.definition.name == name {
                wanted[index] = true;
                queue.extend(entry.calls.iter().copied());
            }
        }
    }
    library
        .iter()
        .zip(wanted)
        .filter(|(_, wanted)| *wanted)
        .map(|(entry, _)| entry.definition.clone())
        .collect()
}

#[cfg(test)]
mod tests;

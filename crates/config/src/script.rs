//! Starlark: one script, its inputs, and what it yields.

use std::sync::Arc;

use model::{Code, Diagnostic, code::config as code};
use plan::Place;
use serde_json::{Map, Value as Json};
use starlark::ErrorKind;
use starlark::environment::{Globals, GlobalsBuilder, LibraryExtension, Module};
use starlark::eval::Evaluator;
use starlark::syntax::{AstModule, Dialect};
use starlark::values::dict::DictRef;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{UnpackValue, Value};

use crate::{limits, nesting};

/// The variable that holds what a script yields.
const RESULT: &str = "result";

/// A script with everything that it may see.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// What messages call the source; for scripts inside of CUE, that file.
    pub file: Arc<str>,
    /// The line of `file` on which the script begins, from 1.
    pub line: u32,
    /// Columns of `file` before each of the script's lines.
    pub indent: u32,
    /// The text.
    pub source: String,
    /// Its global variables.
    pub inputs: Map<String, Json>,
}

/// Something wrong with a script.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    code: &'static Code,
    message: String,
    /// Line and column in the script, from 0; unknown when it has no place.
    at: Option<(usize, usize)>,
}

impl Fault {
    fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), at: None }
    }
}

impl Script {
    /// Evaluates the script on this thread and answers its global variable `result`.
    ///
    /// Hermetic: no `load`, no files, no time, no printing; the same script and inputs give the same result. It ends:
    /// [`limits::SCRIPT_TICKS_MAX`] bounds its steps, and what it makes is bounded as far as the interpreter can tell
    /// (operations that are one step, such as `"a" * 100000000`, are bounded by the machine; a caller who reads
    /// configurations of strangers calls this in a process with a limit on memory).
    ///
    /// # Errors
    /// A mistake in the script, or a limit, at its line and column.
    pub fn run(&self) -> Result<Json, Diagnostic> {
        if self.source.len() > limits::SCRIPT_BYTES_MAX {
            let message = format!("the script is longer than {} bytes", limits::SCRIPT_BYTES_MAX);
            return Err(self.said(Fault::new(code::STARLARK_LIMIT, message)));
        }
        if let Some((at, message)) = nesting::too_deep(&self.source) {
            let before = self.source.get(..at).unwrap_or_default();
            let line = before.bytes().filter(|byte| *byte == b'\n').count();
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
            let fault = Fault { at: Some((line, column)), ..Fault::new(code::STARLARK_LIMIT, message) };
            return Err(self.said(fault));
        }
        // parsing, compiling and dropping an expression go as deep as it is nested
        stacker::grow(limits::SCRIPT_STACK_BYTES, || self.evaluate()).map_err(|fault| self.said(fault))
    }

    fn evaluate(&self) -> Result<Json, Fault> {
        let dialect = Dialect { enable_load: false, enable_top_level_stmt: true, ..Dialect::Extended };
        let ast =
            AstModule::parse(&self.file, self.source.clone(), &dialect).map_err(|error| fault(&error))?;
        if let Some(load) = ast.loads().first() {
            let begin = load.span.resolve_span().begin;
            let message = "load() is not there: a helper is one file, and what it needs is in its inputs";
            return Err(Fault {
                at: Some((begin.line, begin.column)),
                ..Fault::new(code::STARLARK, message)
            });
        }
        Module::with_temp_heap(|module| {
            for (name, value) in &self.inputs {
                let value = module.heap().alloc(value);
                module.set(name, value);
            }
            let mut evaluator = Evaluator::new(&module);
            limit(&mut evaluator)?;
            if let Err(error) = evaluator.eval_module(ast, &globals()) {
                return Err(limited(&evaluator, &error).unwrap_or_else(|| fault(&error)));
            }
            let Some(result) = module.get(RESULT) else {
                let message = format!("the script leaves nothing in `{RESULT}`");
                return Err(Fault::new(code::STARLARK, message));
            };
            Exporter { left: limits::SCRIPT_RESULT_VALUES_MAX }.export(result, 0)
        })
    }

    fn said(&self, fault: Fault) -> Diagnostic {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (line, column) = fault.at.unwrap_or_default();
        let line = self.line.saturating_add(number(line));
        let column = self.indent.saturating_add(number(column)).saturating_add(1);
        Diagnostic::error(fault.code, fault.message, Place::new(&self.file, line, column).location(""))
    }
}

fn globals() -> Globals {
    let extensions = [
        LibraryExtension::StructType,
        LibraryExtension::Map,
        LibraryExtension::Filter,
        LibraryExtension::Json,
    ];
    GlobalsBuilder::extended_by(&extensions).build()
}

fn limit(evaluator: &mut Evaluator<'_, '_, '_>) -> Result<(), Fault> {
    let set = evaluator
        .set_max_tick_count(limits::SCRIPT_TICKS_MAX)
        .and_then(|()| evaluator.set_max_heap_size(limits::SCRIPT_HEAP_BYTES_MAX))
        .and_then(|()| evaluator.set_max_callstack_size(limits::SCRIPT_CALLS_MAX));
    set.map_err(|error| Fault::new(code::STARLARK, error.to_string()))
}

/// The limit that a script ran into.
fn limited(evaluator: &Evaluator<'_, '_, '_>, error: &starlark::Error) -> Option<Fault> {
    let bytes = evaluator.heap().peak_allocated_bytes() + evaluator.frozen_heap().allocated_bytes();
    let message = if matches!(error.kind(), ErrorKind::StackOverflow(_)) {
        format!("the script nests more than {} calls", limits::SCRIPT_CALLS_MAX)
    } else if evaluator.get_total_tick_count() >= limits::SCRIPT_TICKS_MAX {
        format!("the script took more than {} steps", limits::SCRIPT_TICKS_MAX)
    } else if bytes > limits::SCRIPT_HEAP_BYTES_MAX {
        format!("the script used more than {} bytes", limits::SCRIPT_HEAP_BYTES_MAX)
    } else {
        return None;
    };
    Some(Fault { at: place(error), ..Fault::new(code::STARLARK_LIMIT, message) })
}

fn place(error: &starlark::Error) -> Option<(usize, usize)> {
    error.span().map(|span| span.resolve_span().begin).map(|begin| (begin.line, begin.column))
}

fn fault(error: &starlark::Error) -> Fault {
    let message = error.without_diagnostic().to_string();
    let first = message.lines().next().unwrap_or_default().trim_start_matches("Parse error: ");
    Fault { at: place(error), ..Fault::new(code::STARLARK, format!("Starlark: {first}")) }
}

/// Takes values out of the interpreter.
struct Exporter {
    left: usize,
}

impl Exporter {
    fn export(&mut self, value: Value<'_>, depth: usize) -> Result<Json, Fault> {
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            let message = format!("the result has more than {} values", limits::SCRIPT_RESULT_VALUES_MAX);
            Fault::new(code::STARLARK_LIMIT, message)
        })?;
        if depth > limits::SCRIPT_RESULT_DEPTH_MAX {
            let message = format!("the result nests deeper than {} levels", limits::SCRIPT_RESULT_DEPTH_MAX);
            return Err(Fault::new(code::STARLARK_LIMIT, message));
        }
        if let Some(dict) = DictRef::from_value(value) {
            let mut members = Map::new();
            for (key, value) in dict.iter() {
                let Some(key) = key.unpack_str() else {
                    let message = format!("a key of the result is a {}, and must be a text", key.get_type());
                    return Err(Fault::new(code::STARLARK, message));
                };
                members.insert(key.to_owned(), self.export(value, depth + 1)?);
            }
            return Ok(Json::Object(members));
        }
        let list = ListRef::from_value(value).map(ListRef::content);
        if let Some(items) = list.or_else(|| TupleRef::from_value(value).map(TupleRef::content)) {
            return items.iter().map(|item| self.export(*item, depth + 1)).collect();
        }
        scalar(value)
    }
}

fn scalar(value: Value<'_>) -> Result<Json, Fault> {
    if value.is_none() {
        return Ok(Json::Null);
    }
    if let Some(truth) = value.unpack_bool() {
        return Ok(Json::Bool(truth));
    }
    if let Some(text) = value.unpack_str() {
        return Ok(Json::String(text.to_owned()));
    }
    let refused = || {
        let message = format!("the result holds a {}, which is not data", value.get_type());
        Fault::new(code::STARLARK, message)
    };
    match value.get_type() {
        "int" => match i64::unpack_value(value) {
            Ok(Some(number)) => Ok(Json::from(number)),
            _ => Err(Fault::new(code::STARLARK, "the result holds a number that is larger than 64 bits")),
        },
        "float" => match value.to_json_value() {
            Ok(number @ Json::Number(_)) => Ok(number),
            _ => Err(Fault::new(code::STARLARK, "the result holds a number that is not finite")),
        },
        "struct" => value.to_json_value().map_err(|_| refused()),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn script(source: &str, inputs: Json) -> Script {
        let Json::Object(inputs) = inputs else { panic!("inputs are an object") };
        Script { file: "site.cue".into(), line: 1, indent: 0, source: source.to_owned(), inputs }
    }

    fn run(source: &str, inputs: Json) -> Result<Json, String> {
        script(source, inputs).run().map_err(|error| format!("{error}"))
    }

    /// What acceptance fact 6 asks for, but for the infinite loop.
    #[test]
    fn infrastructure_06_starlark_computes_and_converts_both_ways() {
        let every = json!({"none": null, "yes": true, "int": -7, "big": 9_007_199_254_740_993_i64, "float": 1.5,
            "text": "\u{e4}\"\n", "list": [1, [2]], "dict": {"a": {"b": []}}});
        let same = "result = {'none': none, 'yes': yes, 'int': int_, 'big': big, 'float': float_, 'text': text, \
            'list': list_, 'dict': dict_}";
        let mut inputs = every.clone();
        for name in ["int", "float", "list", "dict"] {
            inputs[format!("{name}_")] = every[name].clone();
        }
        assert_eq!(run(same, inputs), Ok(every));
        for (source, expected) in [
            ("result = 1 + 2 * 3", json!(7)),
            ("result = n * 2", json!(84)),
            (
                "def f(xs):\n    return {x: len(x) for x in xs}\nresult = f(['a', 'bb'])",
                json!({"a": 1, "bb": 2}),
            ),
            ("result = [i for i in range(6) if i % 2 == 0]", json!([0, 2, 4])),
            ("total = 0\nfor i in range(4):\n    total += i\nresult = total", json!(6)),
            ("result = (1, 'x')", json!([1, "x"])),
            ("result = struct(a = 1, b = [True])", json!({"a": 1, "b": [true]})),
            ("result = json.decode('{\"a\": [1.5]}')", json!({"a": [1.5]})),
        ] {
            assert_eq!(run(source, json!({"n": 42})), Ok(expected), "{source}");
        }
    }

    #[test]
    fn infrastructure_06_what_is_wrong_with_a_script_has_its_place() {
        for (source, expected) in [
            ("x = 1\nresult = (", "site.cue:2:11"),
            ("x = 1\nresult = x + 'a'", "site.cue:2:10"),
            ("result = 1 // 0", "site.cue:1:10"),
            ("def f():\n    fail('no')\nresult = f()", "site.cue:2:5"),
            ("load('x.star', 'y')\nresult = 1", "site.cue:1:1"),
            ("result = undefined", "site.cue:1:10"),
            ("x = 1", "the script leaves nothing in `result`"),
            ("result = {1: 2}", "a key of the result is a int, and must be a text"),
            ("result = len", "which is not data"),
            ("result = 1 << 80", "larger than 64 bits"),
            ("result = float('nan')", "not finite"),
            ("result = print(1)", "site.cue:1:10"),
        ] {
            let error = run(source, json!({})).unwrap_err();
            assert!(error.contains(expected) && error.contains("E1006"), "{source}: {error}");
        }
    }

    #[test]
    fn infrastructure_06_what_would_not_end_is_ended() {
        for source in [
            "def f():\n    for i in range(1000000000):\n        pass\nresult = f()",
            "def f():\n    x = [0]\n    for i in x:\n        for j in range(100000000):\n            pass\nresult = f()",
            "def f(n):\n    return f(n + 1)\nresult = f(0)",
            "x = []\nfor i in range(100000000):\n    x.append('a' * 1000)\nresult = x",
            "x = []\nx.append(x)\nresult = x",
        ] {
            let error = run(source, json!({})).unwrap_err();
            assert!(error.contains("E1007"), "{source}: {error}");
        }
    }

    #[test]
    fn no_nesting_overflows_the_stack() {
        let units = ["(", "[", "-", "not ", "1+", "{1:", "f(", "a.b.", "f()", "1 if 1 else ", "lambda: "];
        for unit in units {
            for count in [300, 60_000 / unit.len()] {
                // whatever it says, it says it
                let _outcome = run(&format!("result = {}1", unit.repeat(count)), json!({}));
            }
        }
        for (open, close) in [("(", ")"), ("[", "]"), ("{1:", "}"), ("len(", ")")] {
            let closed = |count: usize| format!("result = {}1{}", open.repeat(count), close.repeat(count));
            let _outcome = run(&closed(240), json!({}));
            assert!(run(&closed(10_000), json!({})).unwrap_err().contains("E1007"));
        }
        let blocks = (0..90).fold(String::new(), |out, n| out + &" ".repeat(n) + "if True:\n");
        assert_eq!(run(&format!("{blocks}{}result = 1", " ".repeat(90)), json!({})), Ok(json!(1)));
        assert!(run(&"#".repeat(limits::SCRIPT_BYTES_MAX + 1), json!({})).unwrap_err().contains("E1007"));
    }
}

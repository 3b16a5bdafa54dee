//! Rego v1 rules: what they say about a request.
//!
//! Only the rules of package `aedile` have a say: `deny`, `warn` and `require_approval`, each a partial set. The
//! input is the request's document; there is no other way in ([`crate::rego_check`] refuses the builtins that would
//! be one), so the same document gets the same answer.
//!
//! Evaluated by regorus' interpreter with strict builtin errors: a division by zero, a text that is no number or a
//! function with two results is an error, and an error denies. Its bytecode machine is faster but lets these pass
//! as undefined, which in a rule that denies means allow; it serves for the checks at load only.

use std::fmt;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use model::Diagnostic;
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};

use crate::limits;
use crate::rego_check::{self, found};
use crate::source::{Source, bad_policy, start};

/// The rules that have a say.
const ENTRIES: [&str; 3] = ["deny", "warn", "require_approval"];

/// The package of the one rule that is evaluated, which collects those that have a say.
const SAID: &str = "aedile_said";

/// Compiled rules.
pub(crate) struct Rego {
    /// Parsed and analysed; every evaluation works on a copy, so that none sees another's state.
    engine: Engine,
    entries: Vec<&'static str>,
}

impl fmt::Debug for Rego {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rego").field("entries", &self.entries).finish_non_exhaustive()
    }
}

/// What the rules said, sorted, without duplicates.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) deny: Vec<String>,
    pub(crate) warn: Vec<String>,
    pub(crate) require_approval: Vec<String>,
}

impl Rego {
    /// Compiles; findings go to `out`. `None` when there are no sources or they cannot be used.
    pub(crate) fn compile(sources: &[&Source], out: &mut Vec<Diagnostic>) -> Option<Self> {
        if sources.is_empty() {
            return None;
        }
        let before = out.len();
        // the compiler of a foreign language is given whatever people write
        let compiled = catch_unwind(AssertUnwindSafe(|| compile(sources, out)));
        if let Ok(rego) = compiled {
            return rego.filter(|_| out.len() == before);
        }
        let message = "the Rego compiler failed on these rules; simplify them and report this";
        out.push(bad_policy(message, start(sources[0])));
        None
    }

    /// The rules for a listing.
    pub(crate) fn rules(&self) -> impl Iterator<Item = String> {
        self.entries.iter().map(|entry| format!("data.aedile.{entry}"))
    }

    /// What the rules say about `document`. Any failure is an error, and an error denies.
    pub(crate) fn evaluate(&self, document: &serde_json::Value) -> Result<Said, String> {
        catch_unwind(AssertUnwindSafe(|| self.run(Value::from(document.clone()))))
            .unwrap_or_else(|_| Err("the evaluation failed unexpectedly".to_owned()))
    }

    fn run(&self, input: Value) -> Result<Said, String> {
        let mut engine = self.engine.clone();
        engine.set_input(input);
        let answer = engine.eval_rule(format!("data.{SAID}.say")).map_err(|error| {
            let finding = found(&error.to_string(), &[]);
            match finding.location.line {
                0 => finding.message,
                _ => format!("{}: {}", finding.location, finding.message),
            }
        })?;
        let Value::Object(answer) = answer else { return Err("a rule is undefined".to_owned()) };
        let mut said = Said::default();
        for entry in &self.entries {
            let value = answer.get(&Value::from(*entry)).unwrap_or(&Value::Undefined);
            let messages = messages(value).map_err(|why| format!("data.aedile.{entry}: {why}"))?;
            match *entry {
                "deny" => said.deny = messages,
                "warn" => said.warn = messages,
                _ => said.require_approval = messages,
            }
        }
        Ok(said)
    }
}

/// An engine as policies and their tests are evaluated with: strict, within a time limit, silent.
pub(crate) fn strict_engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    engine.set_gather_prints(true);
    engine.set_execution_timer_config(ExecutionTimerConfig {
        limit: Duration::from_millis(limits::REGO_MILLISECONDS),
        check_interval: NonZeroU32::new(64).unwrap_or(NonZeroU32::MIN),
    });
    engine
}

/// Adds the sources; findings go to `out`. Says whether all are in.
pub(crate) fn add_sources(engine: &mut Engine, sources: &[&Source], out: &mut Vec<Diagnostic>) -> bool {
    let before = out.len();
    for source in sources {
        if source.text.len() > limits::SOURCE_BYTES {
            let message =
                format!("the file has {} bytes, more than {}", source.text.len(), limits::SOURCE_BYTES);
            out.push(bad_policy(message, start(source)));
        } else if let Some(finding) = rego_check::nesting(source).or_else(|| rego_check::wide_format(source))
        {
            out.push(finding);
        } else if let Err(error) = engine.add_policy(source.name.clone(), source.text.clone()) {
            out.push(found(&error.to_string(), &[source]));
        }
    }
    out.len() == before
}

fn compile(sources: &[&Source], out: &mut Vec<Diagnostic>) -> Option<Rego> {
    let mut engine = strict_engine();
    if !add_sources(&mut engine, sources, out) {
        return None;
    }
    let entries: Vec<&'static str> = ENTRIES
        .into_iter()
        .filter(|name| {
            sources.iter().any(|source| {
                in_package(source) && engine.has_declared_rule_rooted_at(&source.name, name).unwrap_or(false)
            })
        })
        .collect();
    if entries.is_empty() {
        let message = "no rule `deny`, `warn` or `require_approval` is declared in package aedile";
        out.push(bad_policy(message, start(sources[0])).with_hint("begin the file with `package aedile`"));
        return None;
    }
    let before = out.len();
    rego_check::check(&mut engine.clone(), &entries, sources, out);
    if out.len() > before {
        // not even once evaluated: a rule that uses itself would exhaust the stack
        return None;
    }
    let members: Vec<_> = entries.iter().map(|entry| format!("\"{entry}\": data.aedile.{entry}")).collect();
    let collect = format!("package {SAID}\n\nsay := {{{}}}\n", members.join(", "));
    if let Err(error) = engine.add_policy(format!("{SAID}.rego"), collect) {
        out.push(found(&error.to_string(), sources));
        return None;
    }
    // the first evaluation analyses the rules; what it answers to no input does not matter
    engine.set_input(Value::new_object());
    drop(engine.eval_rule(format!("data.{SAID}.say")));
    Some(Rego { engine, entries })
}

/// Whether the source is of package `aedile` itself.
fn in_package(source: &Source) -> bool {
    source.text.lines().any(|line| {
        let code = line.split('#').next().unwrap_or_default();
        code.split_ascii_whitespace().eq(["package", "aedile"])
    })
}

/// The messages of a partial set: texts, or objects with a text `message` (or `msg`, or `chain`).
fn messages(value: &Value) -> Result<Vec<String>, String> {
    let Value::Set(items) = value else {
        return Err(if *value == Value::Undefined { "undefined".to_owned() } else { "not a set".to_owned() });
    };
    if items.len() > limits::REGO_MESSAGES {
        return Err(format!("more than {} messages", limits::REGO_MESSAGES));
    }
    let text = |item: &Value| -> Option<String> {
        match item {
            Value::String(text) => Some(text.to_string()),
            Value::Object(members) => ["message", "msg", "chain"].iter().find_map(|name| {
                let text = members.get(&Value::from(*name))?.as_string().ok()?;
                Some(text.to_string())
            }),
            _ => None,
        }
    };
    let mut out = Vec::new();
    for item in items.iter() {
        let message = text(item).ok_or("an element is neither a text nor an object with a text `message`")?;
        if message.is_empty() || message.len() > limits::MESSAGE_BYTES {
            let bytes = message.len();
            return Err(format!("a message has {bytes} bytes; 1 to {} are possible", limits::MESSAGE_BYTES));
        }
        out.push(message);
    }
    Ok(out)
}

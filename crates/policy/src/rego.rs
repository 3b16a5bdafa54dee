//! Rego v1 rules, compiled to bytecode once and evaluated for each request.
//!
//! Only the rules of package `aedile` have a say: `deny`, `warn` and `require_approval`, each a partial set. The
//! input is the request's document; there is no other way in: builtins that reach outside, draw randomness or read
//! the clock are refused when the policy is loaded, so the same document always gets the same answer.

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use model::{Diagnostic, Location};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::program::{Program, RuleType};
use regorus::rvm::{Instruction, RegoVM};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{CompiledPolicy, Engine, Value};

use crate::limits;
use crate::source::{Source, bad_policy, start};

/// The rules that have a say.
const ENTRIES: [&str; 3] = ["data.aedile.deny", "data.aedile.warn", "data.aedile.require_approval"];

/// Builtins that would make the answer depend on more than the document, and what to write instead.
const REFUSED: &[(&str, &str)] = &[
    ("http.send", "a policy sees its input and nothing else"),
    ("net.lookup_ip_addr", "a policy sees its input and nothing else"),
    ("opa.runtime", "a policy sees its input and nothing else"),
    ("rand.intn", "a policy must give the same answer every time"),
    ("time.now_ns", "use input.time.unixMs * 1000000"),
    ("trace", "use warn"),
    ("uuid.rfc4122", "a policy must give the same answer every time"),
];

/// Compiled rules.
#[derive(Debug)]
pub(crate) struct Rego {
    program: Arc<Program>,
    data: Value,
    entries: Vec<&'static str>,
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
        match compiled {
            Ok(rego) => rego.filter(|_| out.len() == before),
            Err(_) => {
                let message = "the Rego compiler failed on these rules; simplify them and report this";
                out.push(bad_policy(message, start(sources[0])));
                None
            }
        }
    }

    /// The rules for a listing.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (String, &'static str)> {
        self.entries.iter().map(|entry| ((*entry).to_owned(), "rego"))
    }

    /// What the rules say about `document`. Any failure is an error, and an error denies.
    pub(crate) fn evaluate(&self, document: &serde_json::Value) -> Result<Said, String> {
        catch_unwind(AssertUnwindSafe(|| self.run(Value::from(document.clone()))))
            .unwrap_or_else(|_| Err("the evaluation failed unexpectedly".to_owned()))
    }

    fn run(&self, input: Value) -> Result<Said, String> {
        let mut vm = RegoVM::new();
        vm.load_program(Arc::clone(&self.program));
        vm.set_max_instructions(limits::REGO_INSTRUCTIONS);
        vm.set_execution_timer_config(Some(timer()));
        vm.set_data(self.data.clone()).map_err(|error| short(&error.to_string()))?;
        vm.set_input(input);
        let mut said = Said::default();
        for entry in &self.entries {
            let value = vm
                .execute_entry_point_by_name(entry)
                .map_err(|e| format!("{entry}: {}", short(&e.to_string())))?;
            let messages = messages(&value).map_err(|why| format!("{entry}: {why}"))?;
            match *entry {
                "data.aedile.deny" => said.deny = messages,
                "data.aedile.warn" => said.warn = messages,
                _ => said.require_approval = messages,
            }
        }
        Ok(said)
    }
}

/// The wall-clock backstop; the instruction limit is what usually ends a runaway rule.
fn timer() -> ExecutionTimerConfig {
    ExecutionTimerConfig {
        limit: Duration::from_millis(limits::REGO_MILLISECONDS),
        check_interval: NonZeroU32::new(64).unwrap_or(NonZeroU32::MIN),
    }
}

fn short(text: &str) -> String {
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("failed").to_owned()
}

/// The messages of a partial set: texts, or objects with a text `message` (or `msg`).
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
                members
                    .get(&Value::from(*name))
                    .and_then(|text| text.as_string().ok())
                    .map(|text| text.to_string())
            }),
            _ => None,
        }
    };
    let mut out = Vec::new();
    for item in items.iter() {
        let message = text(item).ok_or("an element is neither a text nor an object with a text `message`")?;
        if message.is_empty() || message.len() > limits::MESSAGE_BYTES {
            return Err(format!(
                "a message has {} bytes; 1 to {} are possible",
                message.len(),
                limits::MESSAGE_BYTES
            ));
        }
        out.push(message);
    }
    Ok(out)
}

fn compile(sources: &[&Source], out: &mut Vec<Diagnostic>) -> Option<Rego> {
    let mut engine = engine(sources, out)?;
    let mut entries = Vec::new();
    for entry in ENTRIES {
        let name = entry.trim_start_matches("data.aedile.");
        let declared = sources
            .iter()
            .any(|source| engine.has_declared_rule_rooted_at(&source.name, name).unwrap_or(false));
        if declared {
            entries.push(entry);
        }
    }
    let Some(first) = entries.first() else {
        let message = "no rule `deny`, `warn` or `require_approval` is declared in package aedile";
        out.push(bad_policy(message, start(sources[0])).with_hint("begin the file with `package aedile`"));
        return None;
    };
    let policy = match engine.compile_with_entrypoint(&(*first).into()) {
        Ok(policy) => policy,
        Err(error) => {
            out.push(found(&error.to_string(), sources));
            return None;
        }
    };
    let program = match Compiler::compile_from_policy(&policy, &entries) {
        Ok(program) => program,
        Err(error) => {
            out.push(found(&error.to_string(), sources));
            return None;
        }
    };
    check(&policy, &program, &entries, sources, out);
    Some(Rego { program, data: Value::new_object(), entries })
}

/// An engine with all sources parsed.
fn engine(sources: &[&Source], out: &mut Vec<Diagnostic>) -> Option<Engine> {
    let mut engine = Engine::new();
    let mut bad = false;
    for source in sources {
        if source.text.len() > limits::SOURCE_BYTES {
            let message =
                format!("the file has {} bytes, more than {}", source.text.len(), limits::SOURCE_BYTES);
            out.push(bad_policy(message, start(source)));
            bad = true;
        } else if let Err(error) = engine.add_policy(source.name.clone(), source.text.clone()) {
            out.push(found(&error.to_string(), &[source]));
            bad = true;
        }
    }
    (!bad).then_some(engine)
}

/// What compiles and still cannot be used.
fn check(
    policy: &CompiledPolicy,
    program: &Program,
    entries: &[&str],
    sources: &[&Source],
    out: &mut Vec<Diagnostic>,
) {
    for entry in entries {
        let set = program
            .rule_infos
            .iter()
            .any(|rule| rule.name == *entry && rule.rule_type == RuleType::PartialSet);
        if !set {
            let name = entry.trim_start_matches("data.aedile.");
            let message = format!("{entry} must be a set, so that nothing said is not the same as no answer");
            out.push(
                bad_policy(message, start(sources[0]))
                    .with_hint(format!("write `{name} contains message if {{ ... }}`")),
            );
        }
    }
    refuse_builtins(program, sources, out);
    // rules nobody asks for are not compiled above; what they call must exist all the same
    for path in policy.get_rules().keys().filter(|path| !entries.contains(&path.as_str())) {
        match Compiler::compile_from_policy(policy, &[path]) {
            Ok(unasked) => refuse_builtins(&unasked, sources, out),
            Err(error) => {
                let finding = found(&error.to_string(), sources);
                if finding.location.line > 1 && !out.contains(&finding) {
                    out.push(finding);
                }
            }
        }
    }
}

fn refuse_builtins(program: &Program, sources: &[&Source], out: &mut Vec<Diagnostic>) {
    for (index, instruction) in program.instructions.iter().enumerate() {
        let Instruction::BuiltinCall { params_index } = instruction else { continue };
        let call = program.instruction_data.builtin_call_params.get(usize::from(*params_index));
        let builtin = call.and_then(|call| program.builtin_info_table.get(usize::from(call.builtin_index)));
        let Some(builtin) = builtin else { continue };
        let Some((name, instead)) = REFUSED.iter().find(|(name, _)| *name == builtin.name) else { continue };
        let span = program.instruction_spans.get(index).and_then(Option::as_ref);
        let location = span.map_or_else(
            || start(sources[0]),
            |span| Location {
                file: span.get_source_name(&program.sources).unwrap_or(&sources[0].name).to_owned(),
                line: u32::try_from(span.line).unwrap_or(0),
                column: u32::try_from(span.column).unwrap_or(0),
                path: String::new(),
            },
        );
        let finding = bad_policy(format!("the builtin {name} is not available to policies"), location)
            .with_hint(*instead);
        if !out.contains(&finding) {
            out.push(finding);
        }
    }
}

/// A finding from the compiler's message, which has the form `--> FILE:LINE:COLUMN`, the line, and `error: WHAT`.
fn found(text: &str, sources: &[&Source]) -> Diagnostic {
    let place = text.lines().find_map(|line| line.trim().strip_prefix("--> "));
    let location = place.and_then(|place| {
        let mut parts = place.rsplitn(3, ':');
        let column = parts.next()?.trim().parse().ok()?;
        let line = parts.next()?.parse().ok()?;
        Some(Location { file: parts.next()?.to_owned(), line, column, path: String::new() })
    });
    let what = text.lines().rev().find_map(|line| line.trim().strip_prefix("error: "));
    let what = what.map_or_else(|| short(text), str::to_owned);
    let finding =
        bad_policy(what.trim_end_matches('.').to_owned(), location.unwrap_or_else(|| start(sources[0])));
    if what.contains("unction") {
        finding.with_hint("see docs/reference/policy.md for the builtins there are")
    } else {
        finding
    }
}

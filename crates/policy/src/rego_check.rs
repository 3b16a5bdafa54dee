//! What is refused of Rego when a policy is loaded, so that evaluating it is bounded, repeatable and reaches nothing.
//!
//! The rules are compiled to bytecode, in which every call is explicit: to builtins, and from rule to rule.

use std::collections::{BTreeMap, BTreeSet};

use model::{Diagnostic, Location};
use regorus::Engine;
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::Instruction;
use regorus::rvm::program::{Program, RuleType};

use crate::limits;
use crate::source::{Source, bad_policy, start};

/// Builtins that would make the answer depend on more than the document, and what to write instead.
/// Those at the end make values of any size in one step, which no time limit interrupts.
const REFUSED: &[(&str, &str)] = &[
    ("http.send", "a policy sees its input and nothing else"),
    ("net.lookup_ip_addr", "a policy sees its input and nothing else"),
    ("opa.runtime", "a policy sees its input and nothing else"),
    ("rand.intn", "a policy must give the same answer every time"),
    ("time.now_ns", "use input.time.unixMs * 1000000"),
    ("trace", "use warn"),
    ("uuid.rfc4122", "a policy must give the same answer every time"),
    ("bits.lsh", "multiply"),
    ("numbers.range", "write the numbers out, or go over what the input holds"),
    ("numbers.range_step", "write the numbers out, or go over what the input holds"),
];

/// The first bracket nested deeper than the parser can be trusted with.
pub(crate) fn nesting(source: &Source) -> Option<Diagnostic> {
    let (mut line, mut column, mut depth) = (1_u32, 0_u32, 0_u32);
    let mut inside: Option<char> = None;
    let mut escaped = false;
    for c in source.text.chars() {
        column += 1;
        match (inside, c) {
            (Some('#'), '\n') => inside = None,
            (Some('"'), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(quote @ ('"' | '`')), end) if end == quote && !escaped => inside = None,
            (None, '"' | '`' | '#') => inside = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        escaped = false;
        if depth > limits::REGO_NESTING {
            let message = format!("brackets are nested more than {} deep", limits::REGO_NESTING);
            let location = Location { file: source.name.clone(), line, column, path: String::new() };
            return Some(bad_policy(message, location).with_hint("give the inner part a name of its own"));
        }
        if c == '\n' {
            line += 1;
            column = 0;
        }
    }
    None
}

/// Digits of the widest field a format may ask for.
const FORMAT_DIGITS: usize = 3;

/// The first format that asks for a wider field: it would be padded in one step, which no time limit interrupts.
pub(crate) fn wide_format(source: &Source) -> Option<Diagnostic> {
    for (number, line) in (1_u32..).zip(source.text.lines()) {
        for (at, _) in line.match_indices('%') {
            let digits = line[at + 1..].bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
            if digits > FORMAT_DIGITS {
                let column = u32::try_from(line[..at].chars().count() + 1).unwrap_or(u32::MAX);
                let message = format!("a format asks for a field of more than {FORMAT_DIGITS} digits");
                let location =
                    Location { file: source.name.clone(), line: number, column, path: String::new() };
                return Some(bad_policy(message, location));
            }
        }
    }
    None
}

/// Checks every rule of the engine; findings go to `out`.
pub(crate) fn check(engine: &mut Engine, entries: &[&str], sources: &[&Source], out: &mut Vec<Diagnostic>) {
    let paths: Vec<String> = entries.iter().map(|entry| format!("data.aedile.{entry}")).collect();
    let policy = match engine.compile_with_entrypoint(&paths[0].as_str().into()) {
        Ok(policy) => policy,
        Err(error) => {
            out.push(found(&error.to_string(), sources));
            return;
        }
    };
    let mut reached: BTreeSet<String> = paths.iter().cloned().collect();
    for path in &paths {
        match Compiler::compile_from_policy(&policy, &[path]) {
            Ok(program) => {
                let named = |rule: &&regorus::rvm::program::RuleInfo| rule.name == *path;
                let rule = program.rule_infos.iter().find(named);
                if rule.is_none_or(|rule| rule.rule_type != RuleType::PartialSet) {
                    let message =
                        format!("{path} must be a set, or nothing said could not be told from no answer");
                    let name = path.trim_start_matches("data.aedile.");
                    let hint = format!("write `{name} contains message if {{ ... }}`");
                    out.push(bad_policy(message, start(sources[0])).with_hint(hint));
                }
                check_program(&program, sources, out);
                reached.extend(program.rule_infos.iter().map(|rule| rule.name.clone()));
            }
            Err(error) => out.push(found(&error.to_string(), sources)),
        }
    }
    // rules nobody asks for are not reached above; what they do must be possible all the same
    for path in policy.get_rules().keys() {
        if reached.contains(path) {
            continue;
        }
        match Compiler::compile_from_policy(&policy, &[path]) {
            Ok(program) => {
                check_program(&program, sources, out);
                reached.extend(program.rule_infos.iter().map(|rule| rule.name.clone()));
            }
            Err(error) => out.push(found(&error.to_string(), sources)),
        }
    }
    dedup(out);
}

fn dedup(out: &mut Vec<Diagnostic>) {
    let mut seen = BTreeSet::new();
    out.retain(|finding| seen.insert(finding.to_string()));
}

fn check_program(program: &Program, sources: &[&Source], out: &mut Vec<Diagnostic>) {
    for (index, instruction) in program.instructions.iter().enumerate() {
        match instruction {
            Instruction::BuiltinCall { params_index } => {
                let call = program.instruction_data.builtin_call_params.get(usize::from(*params_index));
                let builtin =
                    call.and_then(|call| program.builtin_info_table.get(usize::from(call.builtin_index)));
                let refused = builtin.and_then(|b| REFUSED.iter().find(|(name, _)| *name == b.name));
                if let Some((name, instead)) = refused {
                    let message = format!("the builtin {name} is not available to policies");
                    out.push(bad_policy(message, place(program, index, sources)).with_hint(*instead));
                }
            }
            Instruction::VirtualDataDocumentLookup { .. } => {
                let message = "rules are referred to one by one, by constant names";
                out.push(bad_policy(message, place(program, index, sources)));
            }
            Instruction::HostAwait { .. } => {
                let message = "__builtin_host_await is not available to policies";
                out.push(bad_policy(message, place(program, index, sources)));
            }
            _ => {}
        }
    }
    check_calls(program, sources, out);
}

/// Refuses rules that use themselves, and chains of rules too long for the stack.
fn check_calls(program: &Program, sources: &[&Source], out: &mut Vec<Diagnostic>) {
    let mut depths: BTreeMap<usize, usize> = BTreeMap::new();
    for root in 0..program.rule_infos.len() {
        // a walk in depth that keeps its own stack: (rule, its calls, which is next)
        let mut path: Vec<(usize, Vec<Call>, usize)> = Vec::new();
        if !depths.contains_key(&root) {
            path.push((root, calls(program, root), 0));
        }
        while let Some((rule, calls_of, next)) = path.last_mut() {
            let Some((callee, at)) = calls_of.get(*next).copied() else {
                let below = calls_of.iter().filter_map(|(callee, _)| depths.get(callee)).max();
                depths.insert(*rule, 1 + below.copied().unwrap_or(0));
                path.pop();
                continue;
            };
            *next += 1;
            if path.iter().any(|(rule, ..)| *rule == callee) {
                let name = &program.rule_infos[callee].name;
                let message = format!("{name} uses itself, which Rego does not allow");
                out.push(bad_policy(message, place(program, at, sources)));
                return;
            }
            if !depths.contains_key(&callee) {
                path.push((callee, calls(program, callee), 0));
            }
        }
    }
    let deepest =
        depths.iter().max_by_key(|(_, depth)| **depth).filter(|(_, d)| **d > limits::REGO_CALL_DEPTH);
    if let Some((rule, depth)) = deepest {
        let name = &program.rule_infos[*rule].name;
        let message = format!("{name} uses a chain of {depth} rules, more than {}", limits::REGO_CALL_DEPTH);
        out.push(bad_policy(message, start(sources[0])));
    }
}

/// The rule that is used, and the instruction that does.
type Call = (usize, usize);

/// The rules that `rule` uses.
fn calls(program: &Program, rule: usize) -> Vec<Call> {
    let Some(info) = program.rule_infos.get(rule) else { return Vec::new() };
    let bodies = info.definitions.iter().flatten().copied();
    let blocks = info.destructuring_blocks.iter().flatten().copied();
    let mut calls = Vec::new();
    for entry in bodies.chain(blocks) {
        let from = usize::try_from(entry).unwrap_or(usize::MAX);
        for (index, instruction) in program.instructions.iter().enumerate().skip(from) {
            let callee = match instruction {
                Instruction::RuleReturn {} => break,
                Instruction::CallRule { rule_index, .. } => Some(usize::from(*rule_index)),
                Instruction::FunctionCall { params_index } => program
                    .instruction_data
                    .function_call_params
                    .get(usize::from(*params_index))
                    .map(|call| usize::from(call.func_rule_index)),
                _ => None,
            };
            calls.extend(callee.map(|callee| (callee, index)));
        }
    }
    calls
}

/// Where the instruction comes from.
fn place(program: &Program, index: usize, sources: &[&Source]) -> Location {
    let span = program.instruction_spans.get(index).and_then(Option::as_ref);
    span.map_or_else(
        || start(sources[0]),
        |span| Location {
            file: span.get_source_name(&program.sources).unwrap_or(&sources[0].name).to_owned(),
            line: u32::try_from(span.line).unwrap_or(0),
            column: u32::try_from(span.column).unwrap_or(0),
            path: String::new(),
        },
    )
}

/// A finding from regorus' message, which has the form `--> FILE:LINE:COLUMN`, the line, and `error: WHAT`.
pub(crate) fn found(text: &str, sources: &[&Source]) -> Diagnostic {
    let place = text.lines().find_map(|line| line.trim().strip_prefix("--> "));
    let location = place.and_then(|place| {
        let mut parts = place.rsplitn(3, ':');
        let column = parts.next()?.trim().parse().ok()?;
        let line = parts.next()?.parse().ok()?;
        Some(Location { file: parts.next()?.to_owned(), line, column, path: String::new() })
    });
    let what = text.lines().rev().find_map(|line| line.trim().strip_prefix("error: "));
    let last = || text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("failed");
    let what = what.unwrap_or_else(last).trim_end_matches(['.', ')']).to_owned();
    let elsewhere = || sources.first().map_or_else(Location::default, |source| start(source));
    let unknown = what.contains("nknown function") || what.contains("nknown builtin");
    let finding = bad_policy(what, location.unwrap_or_else(elsewhere));
    if unknown { finding.with_hint("docs/reference/policy.md lists the builtins there are") } else { finding }
}

//! Tests of policies: rules `test_*` in `*_test.rego`, and cases in `*_test.yaml`. Results are data; the command
//! line shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::canonical::Text;
use model::{
    Diagnostic, Digest, Location, Origin, Principal, Role, RunId, Severity, StepId, Timestamp, Verdict,
};
use regorus::Value as RegoValue;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::decision::{Cause, Decision};
use crate::document::ActionDocument;
use crate::limits;
use crate::matching::glob;
use crate::quota::QuotaLedger;
use crate::rego::{add_sources, strict_engine};
use crate::rego_check::found;
use crate::request::{Facts, Request, WorkflowFacts};
use crate::set::{Kind, PolicySet, kind_of};
use crate::source::{At, Source, bad_policy, read_yaml, start};

/// What a run of all tests found.
#[derive(Debug, Clone, PartialEq)]
pub struct TestReport {
    /// One per test, in the order of files and lines.
    pub results: Vec<TestResult>,
    /// What is wrong with the policy or with the tests themselves. With an error nothing passed.
    pub findings: Vec<Diagnostic>,
}

impl TestReport {
    /// Whether there were tests, and all passed.
    pub fn passed(&self) -> bool {
        !self.results.is_empty()
            && self.results.iter().all(|result| result.failure.is_none())
            && self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }
}

/// One test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// The file it stands in.
    pub file: String,
    /// Its line.
    pub line: u32,
    /// Its name.
    pub name: String,
    /// Why it failed; `None`: it passed.
    pub failure: Option<String>,
}

/// Runs all tests among `sources`, which are those of the whole policy, tests included.
pub fn run(sources: &[Source]) -> TestReport {
    let (set, mut findings) = PolicySet::compile(sources);
    let mut results = Vec::new();
    if let Some(set) = set {
        for source in sources.iter().filter(|source| matches!(kind_of(source), Kind::Test)) {
            if matches!(source.file_name().rsplit_once('.'), Some((_, "rego"))) {
                run_rego(sources, source, &mut results, &mut findings);
            } else {
                run_cases(&set, source, &mut results, &mut findings);
            }
            if results.len() > limits::TESTS {
                let message = format!("more than {} tests", limits::TESTS);
                findings.push(bad_policy(message, start(source)));
                break;
            }
        }
    }
    TestReport { results, findings }
}

/// The rules `test_*` that begin a line, each once, with the line.
fn rego_tests(source: &Source) -> (Option<String>, Vec<(u32, String)>) {
    let mut package = None;
    let mut tests: Vec<(u32, String)> = Vec::new();
    for (line, text) in (1..).zip(source.text.lines()) {
        if let Some(name) = text.strip_prefix("package ") {
            package = package.or_else(|| name.split_ascii_whitespace().next().map(str::to_owned));
        }
        let name: String = text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if name.starts_with("test_") && !tests.iter().any(|(_, known)| *known == name) {
            tests.push((line, name));
        }
    }
    (package, tests)
}

/// The first rule of a test file that uses itself, directly or through others. The tests' own helpers are not compiled, as
/// `with` has no bytecode, so their calls are found in the text: a name of the file that stands in the body of another.
fn recursion(source: &Source) -> Option<Diagnostic> {
    let whole = rego_tests(source).0.map_or_else(String::new, |package| format!("data.{package}."));
    let mut rules: Vec<(u32, String, BTreeSet<String>)> = Vec::new();
    for (line, text) in (1..).zip(source.text.lines()) {
        let code = code_of(text);
        let head: String = code.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if !head.is_empty() && !matches!(head.as_str(), "package" | "import" | "default") {
            rules.push((line, head.clone(), BTreeSet::new()));
        }
        if let Some((_, name, used)) = rules.last_mut() {
            // the head itself is not a use of it
            let body = if head == *name { &code[head.len()..] } else { code.as_str() };
            used.extend(names_in(body, &whole));
        }
    }
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, name, used) in &rules {
        let own =
            used.iter().map(String::as_str).filter(|word| rules.iter().any(|(_, known, _)| known == word));
        uses.entry(name).or_default().extend(own);
    }
    let circular = |start: &str| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = uses[start].iter().copied().collect();
        while let Some(next) = open.pop() {
            if next == start {
                return true;
            }
            if seen.insert(next) {
                open.extend(uses[next].iter().copied());
            }
        }
        false
    };
    let (line, name, _) = rules.iter().find(|(_, name, _)| circular(name))?;
    let location = Location { file: source.name.clone(), line: *line, column: 1, path: String::new() };
    Some(bad_policy(format!("{name} uses itself, which Rego does not allow"), location))
}

/// The names in a piece of code that stand for rules of its own package: alone, or behind the package's `whole` path.
fn names_in<'a>(code: &'a str, whole: &'a str) -> impl Iterator<Item = String> + 'a {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = code.char_indices().filter(move |(at, c)| is_word(*c) && !code[..*at].ends_with(is_word));
    begins.filter(move |(at, _)| !code[..*at].ends_with('.') || code[..*at].ends_with(whole)).map(
        move |(at, _)| {
            let rest = &code[at..];
            rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())].to_owned()
        },
    )
}

/// A line without its comment and the content of its texts.
fn code_of(line: &str) -> String {
    let mut code = String::new();
    let mut inside: Option<char> = None;
    let mut escaped = false;
    for c in line.chars() {
        match inside {
            Some(quote) if c == quote && !escaped => inside = None,
            Some(_) => escaped = c == '\\' && !escaped,
            None if c == '#' => break,
            None if matches!(c, '"' | '`') => inside = Some(c),
            None => code.push(c),
        }
    }
    code
}

fn run_rego(all: &[Source], tests: &Source, results: &mut Vec<TestResult>, findings: &mut Vec<Diagnostic>) {
    let mut engine = strict_engine();
    let mut sources: Vec<&Source> =
        all.iter().filter(|source| matches!(kind_of(source), Kind::Rego)).collect();
    sources.push(tests);
    if !add_sources(&mut engine, &sources, findings) {
        return;
    }
    if let Some(finding) = recursion(tests) {
        findings.push(finding);
        return;
    }
    engine.set_input(RegoValue::new_object());
    let (package, names) = rego_tests(tests);
    let (Some(package), false) = (package, names.is_empty()) else {
        findings.push(bad_policy("there is no rule whose name begins with test_", start(tests)));
        return;
    };
    for (line, name) in names {
        let failure = match engine.eval_rule(format!("data.{package}.{name}")) {
            Ok(RegoValue::Bool(true)) => None,
            Ok(RegoValue::Undefined) => Some("it is undefined".to_owned()),
            Ok(value) => Some(format!("it is {value}, not true")),
            Err(error) => Some(found(&error.to_string(), &[tests]).to_string()),
        };
        results.push(TestResult { file: tests.name.clone(), line, name, failure });
    }
}

/// Cases of a policy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PolicyTests")]
pub(crate) struct CasesFile {
    /// At least one.
    cases: Vec<At<Case>>,
}

/// One case: a request, and what policy must answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    /// What it shows.
    name: String,
    /// When it is asked, RFC 3339.
    at: String,
    /// What is asked.
    request: CaseRequest,
    /// Uses of quotas before.
    #[serde(default)]
    used: Vec<CaseUse>,
    /// What must be answered.
    expect: Expectation,
}

/// What is asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CaseRequest {
    /// The environment; left out: `dev`.
    #[serde(default)]
    environment: Option<String>,
    /// Who acts; left out: `user:tester`.
    #[serde(default)]
    principal: Option<String>,
    /// Their roles.
    #[serde(default)]
    roles: Vec<String>,
    /// Their tenant.
    #[serde(default)]
    tenant: Option<String>,
    /// `namespace/name`; left out: `test/test`.
    #[serde(default)]
    workflow: Option<String>,
    /// `caller` for a text that whoever asks sends along; left out: the project's.
    #[serde(default)]
    origin: Origin,
    /// Input of the run; only seen where the run as a whole is judged.
    #[serde(default)]
    input: Value,
    /// The plan that the run applies, or what of it the policy looks at; the run is then one of kind `plan.apply`.
    #[serde(default)]
    plan: Option<Value>,
    /// What a step would do; left out: the run as a whole is judged.
    #[serde(default)]
    action: Option<ActionDocument>,
}

/// A use of a quota.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CaseUse {
    /// The counter, as a decision shows it.
    key: String,
    /// When, RFC 3339.
    at: String,
    /// How much; left out: 1.
    #[serde(default)]
    amount: Option<u64>,
}

/// What must be answered. What is left out may be anything.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expectation {
    /// `allow`, `deny`, `require` or `defer`.
    verdict: VerdictWord,
    /// Patterns, each of which must match a reason.
    #[serde(default)]
    reasons: Vec<String>,
    /// The word for why it was not allowed: `time_policy_denied`, `quota_exceeded`, ...
    #[serde(default)]
    cause: Option<String>,
    /// Chains that are required, exactly these.
    #[serde(default)]
    chains: Option<Vec<String>>,
    /// When it will be possible, RFC 3339.
    #[serde(default)]
    until: Option<String>,
    /// Patterns, each of which must match a rule that had a say.
    #[serde(default)]
    rules: Vec<String>,
    /// Patterns, each of which must match a warning. An empty list: there is none.
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

/// A verdict.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum VerdictWord {
    /// Go ahead.
    Allow,
    /// Do not.
    Deny,
    /// Once people agree.
    Require,
    /// Later.
    Defer,
}

impl VerdictWord {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Require => "require",
            Self::Defer => "defer",
        }
    }
}

fn run_cases(
    set: &PolicySet,
    source: &Source,
    results: &mut Vec<TestResult>,
    findings: &mut Vec<Diagnostic>,
) {
    let file: CasesFile = match read_yaml(source, model::code::policy::BAD_POLICY) {
        Ok(file) => file,
        Err(error) => return findings.push(*error),
    };
    if file.cases.is_empty() {
        findings.push(bad_policy("there are no cases", start(source)));
    }
    for (index, case) in file.cases.iter().enumerate() {
        let location = case.location(&source.name, format!("/cases/{index}"));
        let failure = match decide(set, case) {
            Ok(decision) => compare(&case.expect, &decision),
            Err(why) => Some(format!("the case cannot be asked: {why}")),
        };
        let name = case.name.clone();
        results.push(TestResult { file: location.file, line: location.line, name, failure });
    }
}

fn decide(set: &PolicySet, case: &Case) -> Result<Decision, String> {
    let time = |text: &str| text.parse::<Timestamp>().map_err(|_| format!("`{text}` is not a time"));
    let now = time(&case.at)?;
    let request = &case.request;
    let workflow = request.workflow.as_deref().unwrap_or("test/test");
    let (namespace, name) =
        workflow.split_once('/').ok_or_else(|| format!("`{workflow}` is not namespace/name"))?;
    let principal = request.principal.as_deref().unwrap_or("user:tester");
    let facts = Facts {
        environment: request.environment.as_deref().unwrap_or("dev").parse().map_err(text_of)?,
        principal: principal.parse::<Principal>().map_err(text_of)?,
        via: None,
        roles: request.roles.iter().map(|r| r.parse::<Role>()).collect::<Result<_, _>>().map_err(text_of)?,
        tenant: request.tenant.clone(),
        workflow: WorkflowFacts {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            digest: Digest::of(workflow.as_bytes()),
            origin: request.origin,
        },
        run: RunId::from_parts(0, 0),
        submitted: now,
        parent: None,
        input: Arc::new(request.input.clone()),
        plan: request.plan.as_ref().map(Text::from),
    };
    let mut ledger = QuotaLedger::default();
    let mut uses = case.used.iter().map(|u| Ok((time(&u.at)?, u))).collect::<Result<Vec<_>, String>>()?;
    uses.sort_by_key(|(at, _)| *at);
    for (at, used) in uses {
        ledger.reserve(&used.key, at, used.amount.unwrap_or(1), "case");
    }
    let Some(action) = &request.action else { return Ok(set.decide(&Request::run(&facts), &ledger, now)) };
    let (action, step) = (action.action()?, StepId::new("/do/0/test"));
    Ok(set.decide(&Request::step(&facts, &step, "test", 1, &action), &ledger, now))
}

fn text_of(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// What is different from what was expected.
fn compare(expect: &Expectation, decision: &Decision) -> Option<String> {
    let verdict = &decision.judgement.verdict;
    let (mut reasons, mut chains, mut until) = (&Vec::new(), Vec::new(), None);
    match verdict {
        Verdict::Allow => {}
        Verdict::Deny { reasons: why } => reasons = why,
        Verdict::Require { approvals } => chains = approvals.iter().map(|chain| chain.name.clone()).collect(),
        Verdict::Defer { until: at, reasons: why } => {
            reasons = why;
            until = Some(*at);
        }
    }
    let said = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
    if verdict.as_str() != expect.verdict.as_str() {
        return Some(format!("expected {}, got {}{said}", expect.verdict.as_str(), verdict.as_str()));
    }
    if let Some(pattern) = expect.reasons.iter().find(|p| !reasons.iter().any(|reason| glob(p, reason))) {
        return Some(format!("no reason matches `{pattern}`{said}"));
    }
    let cause = decision.cause.map(Cause::as_str);
    if expect.cause.as_deref().is_some_and(|wanted| Some(wanted) != cause) {
        return Some(format!("expected cause {:?}, got {cause:?}", expect.cause.as_deref()));
    }
    if expect.chains.as_ref().is_some_and(|wanted| *wanted != chains) {
        return Some(format!("expected the chains {:?}, got {chains:?}", expect.chains.as_deref()));
    }
    if let Some(wanted) = &expect.until {
        let parsed = wanted.parse::<Timestamp>().ok();
        if parsed.is_none() || parsed != until {
            return Some(format!("expected it to be possible at {wanted}, got {until:?}"));
        }
    }
    if let Some(wanted) = &expect.warnings {
        let warned = &decision.warnings;
        let missing = wanted.iter().find(|pattern| !warned.iter().any(|warning| glob(pattern, warning)));
        if missing.is_some() || wanted.is_empty() != warned.is_empty() {
            return Some(format!("expected the warnings {wanted:?}, got {warned:?}"));
        }
    }
    let matched = &decision.judgement.matched;
    let missing = expect.rules.iter().find(|pattern| !matched.iter().any(|rule| glob(pattern, &rule.rule)));
    missing.map(|pattern| format!("no rule that had a say matches `{pattern}`"))
}

//! How a command fails: one form for every error, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::{Code, Coded, Diagnostic, Exit, Location, Severity, code};
use serde_json::json;

use crate::ui::{BAD, COMMAND, DIM, STRONG, Ui, WARN};

/// An error on its way to the person: what, why, what to do.
#[derive(Debug)]
pub struct Report(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: &'static Code,
    what: String,
    causes: Vec<String>,
    hint: Option<String>,
    findings: Vec<Diagnostic>,
    sources: BTreeMap<String, String>,
    exit: Option<u8>,
}

/// Exit code of a command that the keyboard ended (128 and the number of SIGINT).
pub const INTERRUPTED: u8 = 130;

/// What a command answers: the exit code when it went as it should.
pub type Answer = Result<u8, Report>;

impl<E: Coded + 'static> From<E> for Report {
    fn from(error: E) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        let what = error.to_string();
        while let Some(cause) = source {
            let text = cause.to_string();
            // a transparent error says the same twice
            if text != what && causes.last() != Some(&text) {
                causes.push(text);
            }
            source = cause.source();
        }
        Self(Box::new(Inner {
            code: error.code(),
            what,
            causes,
            hint: error.hint(),
            findings: error.findings().to_vec(),
            sources: BTreeMap::new(),
            exit: None,
        }))
    }
}

impl Report {
    /// An error with a code.
    pub fn new(code: &'static Code, what: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            what: what.into(),
            causes: Vec::new(),
            hint: None,
            findings: Vec::new(),
            sources: BTreeMap::new(),
            exit: None,
        }))
    }

    /// The command line is wrong in a way that only shows later.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(code::general::USAGE, what)
    }

    /// Something that never should have happened.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new(code::general::INTERNAL, what)
            .with_hint("run it again with RUST_BACKTRACE=1 and report what it prints")
    }

    /// Documents are wrong.
    pub fn findings(what: impl Into<String>, findings: Vec<Diagnostic>) -> Self {
        let first = findings.iter().find(|finding| finding.severity == Severity::Error);
        let code = first.map_or(code::general::BAD_PROJECT, |finding| finding.code);
        let mut report = Self::new(code, what);
        report.0.findings = findings;
        report
    }

    /// The same error with what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same error; where it is a wrong command line and has no hint, with the help that `hint` names.
    #[must_use]
    pub fn or_hint_at_usage(mut self, hint: impl FnOnce() -> String) -> Self {
        if self.0.hint.is_none() && self.0.code == code::general::USAGE {
            self.0.hint = Some(hint());
        }
        self
    }

    /// The same error; a command of the hint goes to the server that these options name.
    #[must_use]
    pub fn at(mut self, server: &str) -> Self {
        let elsewhere = |hint: &&mut String| {
            let command = hint.strip_prefix("aedile ").unwrap_or_default();
            !command.is_empty()
                && !hint.contains(['`', ';'])
                && !command.starts_with("log")
                && !hint.ends_with("--help")
        };
        if let Some(hint) = self.0.hint.as_mut().filter(elsewhere) {
            hint.push_str(server);
        }
        self
    }

    /// The same error with why it came about.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<String>) -> Self {
        self.0.causes.push(cause.into());
        self
    }

    /// The same error with the text of a file, so that findings in it can show the line.
    #[must_use]
    pub fn with_source(mut self, file: impl Into<String>, text: impl Into<String>) -> Self {
        self.0.sources.insert(file.into(), text.into());
        self
    }

    /// The same error with another exit code.
    #[must_use]
    pub fn with_exit(mut self, exit: u8) -> Self {
        self.0.exit = Some(exit);
        self
    }

    /// The code.
    pub fn code(&self) -> &'static Code {
        self.0.code
    }

    /// What went wrong, one line.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// The process's exit code.
    pub fn exit(&self) -> u8 {
        self.0.exit.unwrap_or_else(|| self.0.code.exit.code())
    }

    /// Shows it on standard error.
    pub fn show(&self, ui: &mut Ui) {
        if ui.json {
            ui.complain(crate::ui::escaped(&self.json().to_string()));
        } else {
            let text = self.text();
            ui.complain(text.trim_end());
        }
    }

    /// The error as JSON, without the member around it.
    pub fn value(&self) -> serde_json::Value {
        self.json()["error"].take()
    }

    fn json(&self) -> serde_json::Value {
        let findings: Vec<_> = self.0.findings.iter().map(finding_json).collect();
        let mut value = json!({
            "error": { "code": self.0.code.id, "title": self.0.code.title, "message": self.0.what, "exit": self.exit() }
        });
        if let Some(error) = value.get_mut("error").and_then(serde_json::Value::as_object_mut) {
            if !self.0.causes.is_empty() {
                error.insert("causes".to_owned(), json!(self.0.causes));
            }
            if let Some(hint) = &self.0.hint {
                error.insert("hint".to_owned(), json!(hint));
            }
            if !findings.is_empty() {
                error.insert("findings".to_owned(), json!(findings));
            }
        }
        value
    }

    fn text(&self) -> String {
        if self.0.findings.is_empty() {
            // what waits for people has not gone wrong
            let word = if self.0.code.exit == Exit::Waiting { "waiting" } else { "error" };
            return headed(word, self.0.code, &self.0.what, &self.0.causes, self.0.hint.as_deref());
        }
        let mut out = String::new();
        for finding in &self.0.findings {
            out.push_str(&finding_in(finding, &|file| self.0.sources.get(file).map(String::as_str)));
            out.push('\n');
        }
        let errors = self.0.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        if errors > 1 {
            // the snippets have said what and where; this line is for people who scrolled to the end
            _ = writeln!(out, "{BAD}{errors} errors{BAD:#}");
        }
        out
    }
}

fn headed(word: &str, code: &Code, what: &str, causes: &[String], hint: Option<&str>) -> String {
    let style = if word == "error" { BAD } else { WARN };
    let mut out = format!("{style}{word}[{code}]{style:#}: {what}\n");
    for cause in causes {
        _ = writeln!(out, "  {DIM}caused by:{DIM:#} {cause}");
    }
    if let Some(hint) = hint {
        _ = write!(out, "\n{COMMAND}hint:{COMMAND:#} {hint}\n");
    }
    if code.exit == Exit::Internal {
        _ = writeln!(out, "\n{DIM}This is a bug in Aedile. `aedile explain {code}` says what to do{DIM:#}");
    }
    out
}

/// A finding as `--json` shows it.
pub fn finding_json(finding: &Diagnostic) -> serde_json::Value {
    let mut value = json!({
        "code": finding.code.id,
        "severity": severity(finding),
        "message": finding.message,
        "file": finding.location.file,
        "line": finding.location.line,
        "column": finding.location.column,
        "path": finding.location.path,
        "hint": finding.hint,
    });
    if !finding.related.is_empty() {
        let places =
            finding.related.iter().map(|at| json!({ "file": at.file, "line": at.line, "column": at.column }));
        value["related"] = places.collect();
    }
    value
}

fn severity(finding: &Diagnostic) -> &'static str {
    match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A finding for people, with the line it is about when the source is at hand.
pub fn finding_text(finding: &Diagnostic, source: Option<&str>) -> String {
    finding_in(finding, &|_| source)
}

/// The same with the sources of all places that have a part in it.
fn finding_in<'a>(finding: &Diagnostic, source: &dyn Fn(&str) -> Option<&'a str>) -> String {
    let at = &finding.location;
    let style = if finding.severity == Severity::Error { BAD } else { WARN };
    let mut out = format!("{style}{}[{}]{style:#}: {}\n", severity(finding), finding.code, finding.message);
    if !at.file.is_empty() || !at.path.is_empty() {
        out.push_str(&place("-->", at, source(&at.file)));
    }
    for other in &finding.related {
        out.push_str(&place(":::", other, source(&other.file)));
    }
    if let Some(hint) = &finding.hint {
        _ = writeln!(out, "{COMMAND}hint:{COMMAND:#} {hint}");
    }
    out
}

/// Where, and the line that stands there.
fn place(arrow: &str, at: &Location, source: Option<&str>) -> String {
    let width = at.line.to_string().len();
    let position = if at.line > 0 { format!(":{}:{}", at.line, at.column.max(1)) } else { String::new() };
    let path = if at.path.is_empty() { String::new() } else { format!("  {DIM}{}{DIM:#}", at.path) };
    let mut out = format!("{:width$}{arrow} {STRONG}{}{position}{STRONG:#}{path}\n", "", at.file);
    let line =
        (at.line > 0).then(|| source?.lines().nth(usize::try_from(at.line).ok()?.checked_sub(1)?)).flatten();
    if let Some(line) = line {
        out.push_str(&snippet(line, at.line, at.column, width));
    }
    out
}

/// Longest piece of a source line that is shown.
const SNIPPET_COLUMNS: usize = 100;

fn snippet(line: &str, number: u32, column: u32, width: usize) -> String {
    let clean: Vec<char> = line
        .chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if c.is_control() {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    let at = usize::try_from(column.max(1) - 1).unwrap_or(0).min(clean.len());
    let from = at.saturating_sub(SNIPPET_COLUMNS / 2);
    let shown: String = clean.iter().skip(from).take(SNIPPET_COLUMNS).collect();
    let before: String = clean[from..at].iter().collect();
    let caret = " ".repeat(unicode_width::UnicodeWidthStr::width(before.as_str()));
    format!(
        "{0:width$} {DIM}|{DIM:#}\n{DIM}{number} |{DIM:#} {shown}\n{0:width$} {DIM}|{DIM:#} {caret}{BAD}^{BAD:#}\n",
        ""
    )
}

//! Documents: from text to a checked, compiled, shareable [`Workflow`], with every mistake named at its place.

mod calls;
mod common;
mod events;
mod flow;
mod model;
mod reader;
pub(crate) mod source;
mod tasks;

use std::collections::HashMap;
use std::sync::Arc;

use ::model::code::workflow as code;
use ::model::{Diagnostic, Digest, Location, Severity};

pub use self::model::*;
use self::reader::{Fields, Known, Reader, Spot, closest};
use self::source::{Data, Node, Wrong};
use self::tasks::Names;
use crate::catalog::{NoCatalog, Resolver};
use crate::expression::Mode;
use crate::ritual;

/// Members of the document itself. `evaluate` is in the specification's text and not in its schema.
const ROOT: &[&str] = &["document", "input", "use", "do", "timeout", "output", "schedule", "evaluate"];
/// Kinds of task that an extension can be for.
const EXTENDABLE: &[&str] =
    &["call", "composite", "emit", "for", "listen", "raise", "run", "set", "switch", "try", "wait", "all"];
const IDENTIFIER: &str = "letters, digits and dashes, at most 63, no dash at the ends";

/// Reads a workflow from YAML or JSON, resolving functions in no catalog ([`NoCatalog`]).
///
/// The workflow is there unless a diagnostic is an error. All errors are reported at once, each with its file, line,
/// column and JSON pointer.
///
/// ```
/// let text = "document: {dsl: '1.0.3', namespace: demo, name: hello, version: '1.0.0'}\n\
///             do:\n- greet:\n    set:\n      text: hello\n    then: nowhere\n";
/// let (workflow, diagnostics) = workflow::load("hello.yaml", text);
/// assert!(workflow.is_none());
/// assert!(diagnostics[0].to_string().starts_with("hello.yaml:6:11 (/do/0/greet/then): there is no task `nowhere`"));
/// ```
pub fn load(file: &str, text: &str) -> (Option<Workflow>, Vec<Diagnostic>) {
    load_with(file, text, &NoCatalog)
}

/// As [`load`], with a catalog of functions.
pub fn load_with(file: &str, text: &str, resolver: &dyn Resolver) -> (Option<Workflow>, Vec<Diagnostic>) {
    let node = match source::parse(text) {
        Ok(node) => node,
        Err(malformed) => {
            let location = Location {
                file: file.to_owned(),
                line: malformed.at.line,
                column: malformed.at.column,
                path: String::new(),
            };
            let code = match malformed.kind {
                Wrong::Syntax => code::MALFORMED,
                Wrong::Duplicate => code::DUPLICATE,
                Wrong::Limit => code::TOO_DEEP,
            };
            return (None, vec![Diagnostic::error(code, malformed.message, location)]);
        }
    };
    let (node, dialect) = match ritual::translate(&node) {
        None => (node, Dialect::Standard),
        Some(Ok(translated)) => (translated, Dialect::Ritual),
        Some(Err(problem)) => {
            let mut reader = Reader::new(file, resolver);
            reader.error_at(problem.code, problem.at, &problem.path, problem.message, problem.hint);
            return (None, reader.found);
        }
    };
    let mut reader = Reader::new(file, resolver);
    reader.ritual = dialect == Dialect::Ritual;
    let workflow = reader.workflow(&node, dialect);
    let mut found = reader.found;
    found.sort_by_key(|diagnostic| (diagnostic.location.line, diagnostic.location.column));
    let refused = found.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    (workflow.filter(|_| !refused), found)
}

impl Reader<'_> {
    fn workflow(&mut self, node: &Node, dialect: Dialect) -> Option<Workflow> {
        let root = Spot { node, path: String::new() };
        let fields = self.object(&root, "a workflow")?;
        self.root_members(&fields);
        let header = self.required(&fields, "document", "a workflow").and_then(|spot| self.header(&spot));
        self.mode = self.evaluation(&fields);
        let mut uses = fields.get("use").map(|spot| self.uses(&spot)).unwrap_or_default();
        let input = self.transform(&fields, "input", "from");
        let output = self.transform(&fields, "output", "as");
        let timeout = self.timeout(&fields);
        let schedule = fields.get("schedule").and_then(|spot| self.schedule(&spot));
        let body = self.required(&fields, "do", "a workflow");
        let body = body.and_then(|spot| self.block(&spot));
        let mut secrets: Vec<Arc<str>> = self.known.secrets.iter().map(|name| name.as_str().into()).collect();
        secrets.sort();
        uses.secrets = secrets;
        uses.functions.extend(self.fragments.drain());
        let definition = node.to_value();
        let header = header?;
        let root = Task {
            name: header.name.as_str().into(),
            pointer: "/do".into(),
            word: "workflow",
            condition: None,
            input,
            output,
            export: Transform::default(),
            timeout,
            then: Then::Continue,
            notes: Notes::default(),
            kind: Kind::Do(body?),
            definition: Arc::new(serde_json::Value::Null),
        };
        let workflow = Workflow {
            header,
            root: Arc::new(root),
            schedule,
            uses,
            digest: Digest::of_json(&definition),
            definition: Arc::new(definition),
            dialect,
        };
        self.check_flow(&workflow, node);
        Some(workflow)
    }

    fn root_members(&mut self, fields: &Fields<'_>) {
        for (key, spot) in fields.all() {
            if !ROOT.contains(&key.text.as_str()) {
                let hint = closest(&key.text, ROOT.iter().copied());
                let hint = hint.map_or_else(String::new, |name| format!(", did you mean `{name}`?"));
                // The schema leaves the root open, so this is no error.
                let message = format!("the DSL has no `{}` here, it is ignored{hint}", key.text);
                self.warning(code::UNKNOWN_FIELD, &spot, message);
            }
        }
    }

    fn header(&mut self, spot: &Spot<'_>) -> Option<Header> {
        let allowed = ["dsl", "namespace", "name", "version", "title", "summary", "tags", "metadata"];
        let fields = self.fields(spot, "`document`", &allowed)?;
        let dsl = self.required_text(&fields, "dsl", "`document`");
        if let (Some(dsl), Some(spot)) = (&dsl, fields.get("dsl")) {
            if !is_semantic_version(dsl) {
                self.error(code::WRONG_TYPE, &spot, format!("`{dsl}` is no semantic version"));
            } else if !dsl.starts_with("1.") {
                self.error(
                    code::UNSUPPORTED,
                    &spot,
                    format!("version {dsl} of the DSL is not supported, 1.0.x is"),
                );
            }
        }
        let namespace = self.identifier(&fields, "namespace");
        let name = self.identifier(&fields, "name");
        let version = self.required_text(&fields, "version", "`document`");
        if let (Some(version), Some(spot)) = (&version, fields.get("version"))
            && !is_semantic_version(version)
        {
            let message = format!("`{version}` is no semantic version");
            self.error_hint(code::WRONG_TYPE, &spot, message, "for example '1.0.0'");
        }
        Some(Header {
            dsl: dsl?,
            namespace: namespace?,
            name: name?,
            version: version?,
            title: self.text_field(&fields, "title", "`document`"),
            summary: self.text_field(&fields, "summary", "`document`"),
            tags: self.free(&fields, "tags"),
            metadata: self.free(&fields, "metadata"),
        })
    }

    fn identifier(&mut self, fields: &Fields<'_>, name: &str) -> Option<String> {
        let text = self.required_text(fields, name, "`document`")?;
        let spot = fields.get(name)?;
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let ends = text.starts_with('-') || text.ends_with('-');
        if text.is_empty() || text.len() > 63 || !plain || ends {
            self.error_hint(
                code::WRONG_TYPE,
                &spot,
                format!("`{text}` is no {name} of a workflow"),
                IDENTIFIER,
            );
        }
        Some(text)
    }

    fn evaluation(&mut self, fields: &Fields<'_>) -> Mode {
        let Some(evaluate) =
            fields.get("evaluate").and_then(|spot| self.fields(&spot, "`evaluate`", &["language", "mode"]))
        else {
            return Mode::Strict;
        };
        if let Some(spot) = evaluate.get("language")
            && self.text(&spot, "`language`").is_some_and(|language| language != "jq")
        {
            self.error(code::UNSUPPORTED, &spot, "`jq` is the only expression language supported");
        }
        match self.choice(&evaluate, "mode", &["strict", "loose"]).as_deref() {
            Some("loose") => Mode::Loose,
            _ => Mode::Strict,
        }
    }

    /// `use`. Names are gathered first, so that what is declared can refer to what is declared later.
    fn uses(&mut self, spot: &Spot<'_>) -> Use {
        let allowed = [
            "authentications",
            "errors",
            "extensions",
            "functions",
            "retries",
            "secrets",
            "timeouts",
            "catalogs",
        ];
        let Some(fields) = self.fields(spot, "`use`", &allowed) else { return Use::default() };
        self.known = Known::default();
        if let Some(spot) = fields.get("secrets") {
            for item in self.list(&spot, "`secrets`").unwrap_or_default() {
                if let Some(name) = self.text(&item, "the name of a secret") {
                    self.known.secrets.insert(name);
                }
            }
        }
        for (name, spot) in self.entries(&fields, "catalogs") {
            let catalog = self.fields(&spot, "a catalog", &["endpoint"]);
            let endpoint = catalog.and_then(|catalog| self.required(&catalog, "endpoint", "a catalog"));
            let _checked = endpoint.and_then(|spot| self.endpoint(&spot));
            self.known.catalogs.insert(name);
        }
        for (name, spot) in self.entries(&fields, "timeouts") {
            if let Some(timeout) = self.timeout_definition(&spot) {
                self.known.timeouts.insert(name, timeout);
            }
        }
        for (name, spot) in self.entries(&fields, "authentications") {
            if let Some(authentication) = self.authentication(&spot) {
                self.known.authentications.insert(name, authentication);
            }
        }
        for (name, spot) in self.entries(&fields, "errors") {
            if matches!(spot.node.data, Data::Text(_)) {
                self.wrong_type(&spot, "an error", "an object");
            } else if let Some(error) = self.error_definition(&spot) {
                self.known.errors.insert(name, error);
            }
        }
        for (name, spot) in self.entries(&fields, "retries") {
            if let Some(retry) = self.with_scope(&["error"], |reader| reader.retry_definition(&spot)) {
                self.known.retries.insert(name, retry);
            }
        }
        let functions = self.functions(&fields);
        Use { functions, secrets: Vec::new(), extensions: self.extensions(&fields) }
    }

    fn entries<'n>(&mut self, fields: &Fields<'n>, name: &str) -> Vec<(String, Spot<'n>)> {
        let Some(spot) = fields.get(name) else { return Vec::new() };
        let Some(entries) = self.object(&spot, &format!("`{name}`")) else { return Vec::new() };
        entries.all().map(|(key, spot)| (key.text.clone(), spot)).collect()
    }

    fn extensions(&mut self, fields: &Fields<'_>) -> Vec<Arc<Extension>> {
        let Some(spot) = fields.get("extensions") else { return Vec::new() };
        let items = self.list(&spot, "`extensions`").unwrap_or_default();
        items.iter().filter_map(|item| self.extension(item).map(Arc::new)).collect()
    }

    fn extension(&mut self, item: &Spot<'_>) -> Option<Extension> {
        let entry = self.object(item, "an extension")?;
        let entries: Vec<_> = entry.all().collect();
        let [(key, spot)] = entries.as_slice() else {
            self.error(code::WRONG_TYPE, item, "an item of `extensions` has exactly one name");
            return None;
        };
        let fields = self.fields(spot, "an extension", &["extend", "when", "before", "after"])?;
        let _needed = self.required(&fields, "extend", "an extension");
        let extend = self.choice(&fields, "extend", EXTENDABLE);
        let when = self.expression_field(&fields, "when");
        let before = fields.get("before").and_then(|spot| self.block(&spot));
        let after = fields.get("after").and_then(|spot| self.block(&spot));
        Some(Extension { name: key.text.as_str().into(), extend: extend?.into(), when, before, after })
    }

    fn functions(&mut self, fields: &Fields<'_>) -> HashMap<Arc<str>, Arc<Task>> {
        let entries = self.entries(fields, "functions");
        self.known.functions = entries.iter().map(|(name, _)| name.clone()).collect();
        let mut functions = HashMap::new();
        for (name, spot) in entries {
            if let Some(task) = self.task(&name, spot.node.at, &spot, &Names::new()) {
                functions.insert(Arc::from(name.as_str()), task);
            }
        }
        functions
    }

    /// Refuses circles that can neither wait nor end.
    fn check_flow(&mut self, workflow: &Workflow, root: &Node) {
        let mut blocks = vec![workflow.body().clone()];
        let extensions = &workflow.uses.extensions;
        blocks.extend(
            extensions.iter().flat_map(|extension| extension.before.iter().chain(&extension.after).cloned()),
        );
        let mut tasks: Vec<Arc<Task>> = workflow.uses.functions.values().cloned().collect();
        while let Some(block) = blocks.pop() {
            for index in flow::endless(&block) {
                let task = &block.tasks[index];
                let at = find(root, &task.pointer).map_or_else(source::Mark::default, |node| node.at);
                let message = format!("from `{}` the flow goes round for ever without waiting", task.name);
                let hint = "give the circle a task that waits or calls, or a case that leads out".to_owned();
                self.error_at(code::BAD_FLOW, at, &task.pointer, message, Some(hint));
            }
            tasks.extend(block.tasks.iter().cloned());
            while let Some(task) = tasks.pop() {
                blocks.extend(nested(&task));
            }
        }
    }
}

/// The task lists directly inside of a task.
pub(crate) fn nested(task: &Task) -> Vec<Arc<Block>> {
    let mut blocks: Vec<Arc<Block>> = task.notes.compensate.iter().cloned().collect();
    match &task.kind {
        Kind::Do(block) | Kind::Fork { branches: block, .. } => blocks.push(block.clone()),
        Kind::For(each) => blocks.push(each.body.clone()),
        Kind::Try(attempt) => {
            blocks.push(attempt.body.clone());
            blocks.extend(attempt.handler.iter().cloned());
        }
        Kind::Listen(listen) => blocks.extend(listen.each.iter().filter_map(|each| each.body.clone())),
        _ => {}
    }
    blocks
}

/// The node a JSON pointer leads to.
fn find<'n>(root: &'n Node, pointer: &str) -> Option<&'n Node> {
    pointer.split('/').skip(1).try_fold(root, |node, part| {
        let part = part.replace("~1", "/").replace("~0", "~");
        match &node.data {
            Data::Map(members) => members.iter().find(|(key, _)| key.text == part).map(|(_, node)| node),
            Data::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        }
    })
}

/// Semantic Versioning 2.0.0.
fn is_semantic_version(text: &str) -> bool {
    let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = rest.split_once('-').map_or((rest, None), |(core, pre)| (core, Some(pre)));
    let number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let numeric = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = core.split('.').collect();
    parts.len() == 3
        && parts.iter().all(|part| number(part))
        && pre.is_none_or(|pre| pre.split('.').all(|part| word(part) && (!numeric(part) || number(part))))
        && build.is_none_or(|build| build.split('.').all(word))
}

#[cfg(test)]
mod strictness;
#[cfg(test)]
mod tests;

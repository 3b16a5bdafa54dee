//! Readers of tasks: what all have in common, and the kinds that steer the flow.

use std::collections::HashMap;
use std::sync::Arc;

use model::code::workflow as code;
use model::{EffectClass, Reversibility};

use super::common::is_empty_object;
use super::model::{Backoff, Block, Case, For, Kind, Notes, Retry, Task, Then, Try};
use super::reader::{Fields, Reader, Spot, closest};
use super::source::{Data, Mark};
use crate::limits;

/// Members of every task.
const BASE: &[&str] = &["if", "input", "output", "export", "timeout", "then", "metadata"];

/// What makes a task the kind it is, and its further members. `for` comes before `do`, which it also has.
const KINDS: &[(&str, &[&str])] = &[
    ("for", &["while", "do"]),
    ("call", &["with"]),
    ("emit", &[]),
    ("fork", &[]),
    ("listen", &["foreach"]),
    ("raise", &[]),
    ("run", &[]),
    ("set", &[]),
    ("switch", &[]),
    ("try", &["catch"]),
    ("wait", &[]),
    ("do", &[]),
];

/// Names of the tasks of one list, with their index.
pub(super) type Names = HashMap<String, usize>;

impl Reader<'_> {
    /// A list of named tasks.
    pub(super) fn block(&mut self, spot: &Spot<'_>) -> Option<Arc<Block>> {
        let items = self.list(spot, "a task list")?;
        let mut names = Names::new();
        let mut named = Vec::new();
        for item in &items {
            let Some(entry) = self.object(item, "an item of a task list") else { continue };
            let entries: Vec<_> = entry.all().collect();
            let [(key, task)] = entries.as_slice() else {
                let message =
                    format!("an item of a task list has exactly one name, this has {}", entries.len());
                self.error_hint(code::WRONG_TYPE, item, message, "put a dash before each task's name");
                continue;
            };
            if names.insert(key.text.clone(), named.len()).is_some() {
                let message = format!("there are two tasks named `{}` in one list", key.text);
                self.error_at(code::DUPLICATE, key.at, &task.path, message, None);
            }
            named.push((key.text.clone(), key.at, task.clone()));
        }
        let tasks: Vec<Option<Arc<Task>>> =
            named.iter().map(|(name, at, task)| self.task(name, *at, task, &names)).collect();
        let tasks = tasks.into_iter().collect::<Option<Vec<_>>>()?;
        Some(Arc::new(Block { tasks }))
    }

    /// One task. `None` when something in it is wrong.
    pub(super) fn task(&mut self, name: &str, at: Mark, spot: &Spot<'_>, names: &Names) -> Option<Arc<Task>> {
        self.tasks += 1;
        if self.tasks == limits::DOCUMENT_TASKS + 1 {
            self.error(code::TOO_DEEP, spot, format!("more than {} tasks", limits::DOCUMENT_TASKS));
        }
        if self.tasks > limits::DOCUMENT_TASKS {
            return None;
        }
        let members = self.object(spot, &format!("the task `{name}`"))?;
        let Some((word, extra)) = KINDS.iter().find(|(word, _)| members.has(word)) else {
            self.unknown_kind(name, at, &members);
            return None;
        };
        let allowed: Vec<&str> = BASE.iter().chain(extra.iter()).copied().chain([*word]).collect();
        let fields = self.fields(spot, &format!("a {word} task"), &allowed)?;
        let condition = self.expression_field(&fields, "if");
        let input = self.transform(&fields, "input", "from");
        let output = self.transform(&fields, "output", "as");
        let export = self.transform(&fields, "export", "as");
        let timeout = self.timeout(&fields);
        let then = fields.get("then").and_then(|spot| self.then(&spot, names)).unwrap_or_default();
        let notes = self.notes(&fields);
        let main = fields.get(word)?;
        let (word, kind) = self.kind(word, &fields, &main, names)?;
        Some(Arc::new(Task {
            name: name.into(),
            pointer: spot.path.as_str().into(),
            word,
            condition,
            input,
            output,
            export,
            timeout,
            then,
            notes,
            kind,
            definition: Arc::new(spot.node.to_value()),
        }))
    }

    fn unknown_kind(&mut self, name: &str, at: Mark, members: &Fields<'_>) {
        let words = || KINDS.iter().map(|(word, _)| *word);
        let guess = members.all().find_map(|(key, _)| closest(&key.text, words()));
        let hint = guess.map_or_else(
            || format!("a task is one of: {}", words().collect::<Vec<_>>().join(", ")),
            |word| format!("did you mean `{word}`?"),
        );
        let message = format!("the task `{name}` is of no known kind");
        self.error_at(code::UNKNOWN_TASK, at, &members.spot.path, message, Some(hint));
    }

    fn kind(
        &mut self,
        word: &'static str,
        fields: &Fields<'_>,
        main: &Spot<'_>,
        names: &Names,
    ) -> Option<(&'static str, Kind)> {
        let kind = match word {
            "do" => self.block(main).map(Kind::Do),
            "set" => self.set(main),
            "switch" => self.switch(main, names),
            "for" => self.for_task(fields, main),
            "fork" => self.fork(main),
            "try" => self.try_task(fields, main),
            "raise" => {
                let raise = self.fields(main, "`raise`", &["error"])?;
                let error = self.required(&raise, "error", "`raise`")?;
                self.error_definition(&error).map(Kind::Raise)
            }
            "wait" => self.span(main, "`wait`").map(Kind::Wait),
            "emit" => self.emit(main),
            "listen" => self.listen(fields, main),
            "run" => self.run(main),
            _ => return self.call(fields, main),
        };
        kind.map(|kind| (word, kind))
    }

    fn set(&mut self, main: &Spot<'_>) -> Option<Kind> {
        match &main.node.data {
            Data::Text(_) => self
                .expression(main, "`set`")
                .map(|set| Kind::Set(crate::expression::Template::Expression(set))),
            Data::Map(members) => {
                if members.is_empty() {
                    self.error(code::MISSING_FIELD, main, "`set` needs at least one member");
                }
                self.template(main).map(Kind::Set)
            }
            _ => {
                self.wrong_type(main, "`set`", "an object or a runtime expression");
                None
            }
        }
    }

    /// A flow directive.
    pub(super) fn then(&mut self, spot: &Spot<'_>, names: &Names) -> Option<Then> {
        let text = self.text(spot, "`then`")?;
        match text.as_str() {
            "continue" => Some(Then::Continue),
            "exit" => Some(Then::Exit),
            "end" => Some(Then::End),
            name => {
                let found = names.get(name).map(|index| Then::Task(*index));
                if found.is_none() {
                    let words = names.keys().map(String::as_str).chain(["continue", "exit", "end"]);
                    let hint = closest(name, words).map_or_else(
                        || "a task of the same list, or continue, exit, end".to_owned(),
                        |name| format!("did you mean `{name}`?"),
                    );
                    let message = format!("there is no task `{name}` in this list to go to");
                    self.error_hint(code::BAD_FLOW, spot, message, hint);
                }
                found
            }
        }
    }

    fn notes(&mut self, fields: &Fields<'_>) -> Notes {
        let mut notes = Notes::default();
        let Some(spot) = fields.get("metadata") else { return notes };
        let Some(metadata) = self.object(&spot, "`metadata`") else { return notes };
        let effects = ["read", "idempotent", "verifiable", "once"];
        let ways = ["no-change", "reversible", "irreversible"];
        notes.effect =
            self.choice(&metadata, "effect", &effects).and_then(|word| EffectClass::from_word(&word));
        notes.reversibility =
            self.choice(&metadata, "reversibility", &ways).and_then(|word| Reversibility::from_word(&word));
        notes.compensate = metadata.get("compensate").and_then(|spot| self.block(&spot));
        notes
    }

    fn switch(&mut self, main: &Spot<'_>, names: &Names) -> Option<Kind> {
        let items = self.list(main, "`switch`")?;
        if items.is_empty() {
            self.error(code::MISSING_FIELD, main, "`switch` needs at least one case");
        }
        let mut cases = Vec::new();
        for item in &items {
            let entry = self.object(item, "a case")?;
            let entries: Vec<_> = entry.all().collect();
            let [(key, case)] = entries.as_slice() else {
                self.error(code::WRONG_TYPE, item, "a case has exactly one name");
                continue;
            };
            let Some(fields) = self.fields(case, "a case", &["when", "then"]) else { continue };
            let when = self.expression_field(&fields, "when");
            let target = self.required(&fields, "then", "a case").and_then(|spot| self.then(&spot, names));
            if let Some(then) = target {
                cases.push(Case { name: key.text.as_str().into(), when, then });
            }
        }
        Some(Kind::Switch(cases))
    }

    fn for_task(&mut self, fields: &Fields<'_>, main: &Spot<'_>) -> Option<Kind> {
        let head = self.fields(main, "`for`", &["each", "in", "at"])?;
        let each = self.text_field(&head, "each", "`for`").unwrap_or_else(|| "item".to_owned());
        let at = self.text_field(&head, "at", "`for`").unwrap_or_else(|| "index".to_owned());
        let items = self.required(&head, "in", "`for`").and_then(|spot| self.expression(&spot, "`in`"));
        let body = self.required(fields, "do", "a for task");
        let (condition, body) = self.with_scope(&[&each.clone(), &at.clone()], |reader| {
            let condition = reader.expression_field(fields, "while");
            (condition, body.and_then(|spot| reader.block(&spot)))
        });
        Some(Kind::For(For { each: each.into(), at: at.into(), items: items?, condition, body: body? }))
    }

    fn fork(&mut self, main: &Spot<'_>) -> Option<Kind> {
        let fields = self.fields(main, "`fork`", &["branches", "compete"])?;
        let compete = self.boolean(&fields, "compete").unwrap_or(false);
        let branches = self.required(&fields, "branches", "`fork`")?;
        Some(Kind::Fork { branches: self.block(&branches)?, compete })
    }

    fn try_task(&mut self, fields: &Fields<'_>, main: &Spot<'_>) -> Option<Kind> {
        let body = self.block(main);
        let catch = self.required(fields, "catch", "a try task")?;
        let allowed = ["errors", "as", "when", "exceptWhen", "retry", "do"];
        let catch = self.fields(&catch, "`catch`", &allowed)?;
        let with = match catch.get("errors") {
            None => serde_json::Map::new(),
            Some(spot) => {
                let errors = self.object(&spot, "`errors`")?;
                self.error_filter(&errors)
            }
        };
        let variable = self.text_field(&catch, "as", "`catch`").unwrap_or_else(|| "error".to_owned());
        let (when, except_when, retry, handler) = self.with_scope(&[&variable.clone()], |reader| {
            let when = reader.expression_field(&catch, "when");
            let except_when = reader.expression_field(&catch, "exceptWhen");
            let retry = catch.get("retry").and_then(|spot| reader.retry(&spot));
            let handler = catch.get("do").and_then(|spot| reader.block(&spot));
            (when, except_when, retry, handler)
        });
        Some(Kind::Try(Try {
            body: body?,
            with,
            variable: variable.into(),
            when,
            except_when,
            retry,
            handler,
        }))
    }

    fn error_filter(&mut self, errors: &Fields<'_>) -> serde_json::Map<String, serde_json::Value> {
        let Some(spot) = errors.get("with") else { return serde_json::Map::new() };
        let allowed = ["type", "status", "instance", "title", "details", "detail"];
        if self.fields(&spot, "an error filter", &allowed).is_none() || is_empty_object(&spot.node.to_value())
        {
            self.error(code::MISSING_FIELD, &spot, "an error filter needs at least one member");
        }
        if let Some(fields) = self.object(&spot, "an error filter") {
            self.texts(&fields, &["type", "instance", "title", "details", "detail"], "an error filter");
            let _status = self.integer(&fields, "status");
        }
        let mut filter = self.free(errors, "with");
        // The schema says `details`, the error object `detail`.
        if let Some(details) = filter.remove("details") {
            filter.insert("detail".to_owned(), details);
        }
        filter
    }

    fn retry(&mut self, spot: &Spot<'_>) -> Option<Arc<Retry>> {
        if let Data::Text(name) = &spot.node.data {
            let found = self.known.retries.get(name).cloned();
            if found.is_none() {
                self.unknown_reference(spot, "retries", name);
            }
            return found;
        }
        self.retry_definition(spot)
    }

    pub(super) fn retry_definition(&mut self, spot: &Spot<'_>) -> Option<Arc<Retry>> {
        let allowed = ["when", "exceptWhen", "delay", "backoff", "limit", "jitter"];
        let fields = self.fields(spot, "a retry policy", &allowed)?;
        let mut retry = Retry {
            when: self.expression_field(&fields, "when"),
            except_when: self.expression_field(&fields, "exceptWhen"),
            delay: self.span_field(&fields, "delay"),
            ..Retry::default()
        };
        if let Some(spot) = fields.get("backoff") {
            retry.backoff = self.backoff(&spot)?;
        }
        if let Some(spot) = fields.get("limit") {
            let limit = self.fields(&spot, "`limit`", &["attempt", "duration"])?;
            retry.limit = self.span_field(&limit, "duration");
            if let Some(spot) = limit.get("attempt") {
                let attempt = self.fields(&spot, "`attempt`", &["count", "duration"])?;
                let count = self.integer(&attempt, "count");
                retry.count = count.and_then(|count| u32::try_from(count).ok());
                if count.is_some() && retry.count.is_none() {
                    self.error(code::WRONG_TYPE, &spot, "`count` must be zero or more");
                }
                retry.attempt_limit = self.span_field(&attempt, "duration");
            }
        }
        if let Some(spot) = fields.get("jitter") {
            let jitter = self.fields(&spot, "`jitter`", &["from", "to"])?;
            let from = self.required(&jitter, "from", "`jitter`").and_then(|spot| self.span(&spot, "`from`"));
            let to = self.required(&jitter, "to", "`jitter`").and_then(|spot| self.span(&spot, "`to`"));
            retry.jitter = from.zip(to);
        }
        if retry.count.is_none() && retry.limit.is_none() {
            self.warning(code::MISSING_FIELD, spot, "a retry policy without a limit retries for ever");
        }
        Some(Arc::new(retry))
    }

    fn backoff(&mut self, spot: &Spot<'_>) -> Option<Backoff> {
        let words = ["constant", "linear", "exponential"];
        let fields = self.fields(spot, "`backoff`", &words)?;
        self.objects(&fields, &words);
        let given: Vec<_> = words.into_iter().filter(|word| fields.has(word)).collect();
        match given.as_slice() {
            ["constant"] => Some(Backoff::Constant),
            ["linear"] => Some(Backoff::Linear),
            ["exponential"] => Some(Backoff::Exponential),
            _ => {
                self.error(
                    code::WRONG_TYPE,
                    spot,
                    format!("`backoff` is exactly one of: {}", words.join(", ")),
                );
                None
            }
        }
    }
}

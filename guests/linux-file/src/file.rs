//! `linux.file::file`, and what a template has in common with it.

use provider_kit::{
    Answer, Application, Ask, Content, FileKind, Finding, Inspection, Object, Op, Operation, Query, Reading,
    Removal, SetAttributes, Stat, Value, Write, all_done, done, fault, finding, flag, json, present, text,
};

use crate::common::{self, Found, attributes, either, found, observed, sha256, stat};

/// What of a file is read to show how it differs.
const SHOWN_MAX: u64 = 64 << 10;

pub fn check(config: &Object, found: &mut Vec<Finding>) {
    if config.contains_key("content") && config.contains_key("source") {
        found.push(finding("source", "a file has `content` or `source`, not both", None));
    }
}

/// What a file is to hold.
pub enum Wanted {
    /// Whatever it holds.
    Anything,
    /// This, declared by the attribute of that name.
    Bytes(&'static str, Vec<u8>),
    /// The project's file with this digest.
    File(String),
}

impl Wanted {
    fn of(config: &Object) -> Self {
        if let Some(content) = text(config, "content") {
            return Self::Bytes("content", content.as_bytes().to_vec());
        }
        match config.get("source").and_then(|source| source.get("sha256")).and_then(Value::as_str) {
            Some(sha256) => Self::File(sha256.into()),
            None => Self::Anything,
        }
    }

    fn digest(&self) -> Option<String> {
        match self {
            Self::Anything => None,
            Self::Bytes(_, bytes) => Some(sha256(bytes)),
            Self::File(sha256) => Some(sha256.clone()),
        }
    }
}

pub fn inspect(path: &str, config: &Object, answers: &[&Answer]) -> Inspection {
    inspect_wanted(path, config, &Wanted::of(config), answers)
}

pub fn inspect_wanted(path: &str, config: &Object, wanted: &Wanted, answers: &[&Answer]) -> Inspection {
    let Some(first) = answers.first() else {
        return Inspection::More(vec![stat(path, true)]);
    };
    let there = match found(first) {
        Found::Nothing => return Inspection::Absent,
        Found::Unknown(fault) => return Inspection::Unreadable(fault.message.clone()),
        Found::There(there) => there,
    };
    if there.kind != FileKind::File {
        return Inspection::Unreadable(
            [path, " is ", kind_in_words(there.kind), ", not a regular file"].concat(),
        );
    }
    let actual = there.sha256.clone().unwrap_or_default();
    if wanted.digest().is_none_or(|digest| digest == actual) {
        return present(with_content(config, there, None));
    }
    let shown = match (wanted, answers.get(1)) {
        // a text that was made of another one is no template
        (Wanted::Bytes(name, _), Some(read)) if *name != "content" => Some((*name, outline(read, there))),
        (Wanted::Bytes(name, _), Some(read)) => Some((*name, content(read, there))),
        (Wanted::Bytes(..), None) if there.size <= SHOWN_MAX => {
            let reading = Reading { path: path.into(), max: SHOWN_MAX, follow: false };
            return Inspection::More(vec![Query::Read(reading)]);
        }
        (Wanted::Bytes(name, _), None) => Some((*name, shown(in_figures(there)))),
        _ => Some(("source", shown(in_figures(there)))),
    };
    present(with_content(config, there, shown))
}

pub fn kind_in_words(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "a regular file",
        FileKind::Directory => "a directory",
        FileKind::Symlink => "a symbolic link",
        FileKind::Other => "a device, socket or pipe",
    }
}

fn with_content(config: &Object, there: &Stat, differs: Option<(&str, Value)>) -> Object {
    let mut seen = observed(config, there);
    seen.insert("size".into(), there.size.into());
    if let Some(sha256) = &there.sha256 {
        seen.insert("checksum".into(), sha256.as_str().into());
    }
    if let Some((name, value)) = differs {
        seen.insert(name.into(), value);
    }
    seen
}

fn in_figures(there: &Stat) -> String {
    ["(", &there.size.to_string(), " bytes with SHA-256 ", there.sha256.as_deref().unwrap_or("unknown"), ")"]
        .concat()
}

/// A value for people, which nobody can declare: see `inspect` in `wit/provider`.
fn shown(text: String) -> Value {
    json!({"shown": text})
}

fn text_of(read: &Answer) -> Option<&str> {
    match read {
        Answer::Content(content) if content.complete => std::str::from_utf8(&content.data).ok(),
        _ => None,
    }
}

fn content(read: &Answer, there: &Stat) -> Value {
    text_of(read).map_or_else(|| shown(in_figures(there)), Value::from)
}

fn outline(read: &Answer, there: &Stat) -> Value {
    shown(text_of(read).map_or_else(|| in_figures(there), str::to_owned))
}

pub fn apply(change: &Ask, answers: &[&Answer]) -> Application {
    apply_wanted(change, Wanted::of(&change.desired), answers)
}

pub fn apply_wanted(change: &Ask, wanted: Wanted, answers: &[&Answer]) -> Application {
    let Some(path) = either(change, "path") else {
        return provider_kit::failed(provider_kit::FailureClass::Permanent, "`path` is not declared");
    };
    if matches!(change.operation, Operation::Delete) {
        return remove(path, false, answers);
    }
    if answers.is_empty() {
        let first = match wanted {
            // content is not ours: an update sets attributes only
            Wanted::Anything if matches!(change.operation, Operation::Update) => {
                Op::Set(SetAttributes { path: path.into(), attributes: attributes(&change.desired) })
            }
            Wanted::Anything => Op::Query(stat(path, true)),
            Wanted::Bytes(_, bytes) => write(path, Content::Bytes(bytes), &change.desired),
            Wanted::File(sha256) => write(path, Content::File(sha256), &change.desired),
        };
        return Application::More(vec![first, Op::Query(stat(path, true))]);
    }
    // an empty file where content is not declared and nothing was there
    if answers.len() == 2 && matches!(answers, [Answer::File(None), _]) {
        let empty = write(path, Content::Bytes(Vec::new()), &change.desired);
        return Application::More(vec![empty, Op::Query(stat(path, true))]);
    }
    if answers.len() == 2 && matches!(answers, [Answer::File(Some(_)), _]) {
        let set = SetAttributes { path: path.into(), attributes: attributes(&change.desired) };
        return Application::More(vec![Op::Set(set), Op::Query(stat(path, true))]);
    }
    let last = &answers[answers.len() - 2..];
    match (all_done(last), last.last().map(|answer| found(answer))) {
        (Err(why), _) => fault(path, &why),
        (Ok(changed), Some(Found::There(there))) => done(with_content(&change.desired, there, None), changed),
        (Ok(_), _) => provider_kit::failed(
            provider_kit::FailureClass::Conflict,
            [path, " is gone again right after it was written"].concat(),
        ),
    }
}

fn write(path: &str, content: Content, config: &Object) -> Op {
    Op::Write(Write {
        path: path.into(),
        content,
        attributes: attributes(config),
        backup: flag(config, "backup"),
        parents: flag(config, "parents"),
        replaces: None,
    })
}

/// Removes what is at a path.
pub fn remove(path: &str, recursive: bool, answers: &[&Answer]) -> Application {
    if answers.is_empty() {
        return Application::More(vec![Op::Remove(Removal { path: path.into(), recursive })]);
    }
    match all_done(answers) {
        Ok(changed) => done(Object::new(), changed),
        Err(why) => fault(path, &why),
    }
}

/// Ensures something with one operation, then looks at it.
pub fn ensure(
    path: &str,
    op: impl FnOnce() -> Op,
    answers: &[&Answer],
    seen: impl FnOnce(&Stat) -> Object,
) -> Application {
    if answers.is_empty() {
        return Application::More(vec![op(), Op::Query(common::stat(path, false))]);
    }
    match (all_done(answers), answers.last().map(|answer| found(answer))) {
        (Err(why), _) => fault(path, &why),
        (Ok(changed), Some(Found::There(there))) => done(seen(there), changed),
        (Ok(_), _) => provider_kit::failed(
            provider_kit::FailureClass::Conflict,
            [path, " is gone again right after it was made"].concat(),
        ),
    }
}

//! `linux.file::symlink`.

use provider_kit::{
    Answer, Application, Ask, FileKind, Inspection, Object, Op, Operation, Stat, Symlink, flag, present, text,
};

use crate::common::{Found, either, found, stat};
use crate::file::{ensure, kind_in_words, remove};

pub fn inspect(path: &str, config: &Object, answers: &[&Answer]) -> Inspection {
    let Some(first) = answers.first() else {
        return Inspection::More(vec![stat(path, false)]);
    };
    match found(first) {
        Found::Nothing => Inspection::Absent,
        Found::Unknown(fault) => Inspection::Unreadable(fault.message.clone()),
        Found::There(there) if there.kind == FileKind::Symlink => present(seen(config, there)),
        // it is replaced, which is creating the link
        Found::There(there) if there.kind == FileKind::File && flag(config, "force") => Inspection::Absent,
        Found::There(there) => {
            let hint = if there.kind == FileKind::File { "; `force: true` replaces it" } else { "" };
            Inspection::Unreadable(
                [path, " is ", kind_in_words(there.kind), ", not a symbolic link", hint].concat(),
            )
        }
    }
}

fn seen(config: &Object, there: &Stat) -> Object {
    let mut seen = config.clone();
    seen.insert("state".into(), "present".into());
    seen.insert("target".into(), there.target.clone().unwrap_or_default().into());
    seen
}

pub fn apply(change: &Ask, answers: &[&Answer]) -> Application {
    let Some(path) = either(change, "path") else {
        return provider_kit::failed(provider_kit::FailureClass::Permanent, "`path` is not declared");
    };
    if matches!(change.operation, Operation::Delete) {
        return remove(path, false, answers);
    }
    let config = &change.desired;
    let op = || {
        Op::Symlink(Symlink {
            path: path.into(),
            target: text(config, "target").unwrap_or_default().into(),
            force: flag(config, "force"),
        })
    };
    ensure(path, op, answers, |there| seen(config, there))
}

//! `linux.file::directory`.

use provider_kit::{
    Answer, Application, Ask, Directory, FileKind, Inspection, Object, Op, Operation, flag, present,
};

use crate::common::{Found, attributes, either, found, observed, stat};
use crate::file::{ensure, kind_in_words, remove};

pub fn inspect(path: &str, config: &Object, answers: &[&Answer]) -> Inspection {
    let Some(first) = answers.first() else {
        return Inspection::More(vec![stat(path, false)]);
    };
    match found(first) {
        Found::Nothing => Inspection::Absent,
        Found::Unknown(fault) => Inspection::Unreadable(fault.message.clone()),
        Found::There(there) if there.kind == FileKind::Directory => present(observed(config, there)),
        Found::There(there) => {
            Inspection::Unreadable([path, " is ", kind_in_words(there.kind), ", not a directory"].concat())
        }
    }
}

pub fn apply(change: &Ask, answers: &[&Answer]) -> Application {
    let Some(path) = either(change, "path") else {
        return provider_kit::failed(provider_kit::FailureClass::Permanent, "`path` is not declared");
    };
    if matches!(change.operation, Operation::Delete) {
        let recursive = flag(&change.desired, "recursive") || flag(&change.prior, "recursive");
        return remove(path, recursive, answers);
    }
    let config = &change.desired;
    let op = || {
        Op::Directory(Directory {
            path: path.into(),
            parents: flag(config, "parents"),
            attributes: attributes(config),
        })
    };
    ensure(path, op, answers, |there| observed(config, there))
}

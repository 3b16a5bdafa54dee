//! From a command to what does it.

use std::sync::Arc;

use crate::control::Control;
use crate::file::Range;
use crate::output::Output;
use crate::path::Roots;
use crate::protocol::{Answer, Command, Fault, FaultCode, FromRunner, Grants, Input, Op};
use crate::{change, exec, facts, file};

/// What a session may touch, as it is looked up.
pub(crate) struct Granted {
    exec: Vec<String>,
    read: Roots,
    write: Roots,
}

impl From<Grants> for Granted {
    fn from(grants: Grants) -> Self {
        let Grants { exec, read, write } = grants;
        Self { exec, read: read.into_iter().collect(), write: write.into_iter().collect() }
    }
}

pub(crate) fn perform(
    command: Command,
    control: &Arc<Control>,
    grants: &Granted,
    out: &Output,
) -> Result<Answer, Fault> {
    let Command { id, input, op, .. } = command;
    let credit = {
        let out = out.clone();
        move |bytes| match input {
            Input::Stream => out.send(&FromRunner::Credit { id, bytes }).map_err(Fault::from),
            Input::None | Input::Body => Ok(()),
        }
    };
    if input != Input::None && !matches!(op, Op::Exec(_) | Op::Write(_)) {
        return Err(Fault::new(FaultCode::InvalidCmd, "input for a command that takes none"));
    }
    match op {
        Op::Exec(exec) => exec::run(id, control, &grants.exec, &exec, input, out, credit),
        Op::Read { path, offset, length, follow } => {
            file::read(id, control, &grants.read, out, &path, &Range { offset, length, follow })
        }
        Op::Stat { path, digest, follow } => file::stat(control, &grants.read, &path, digest, follow),
        Op::Write(write) => change::write(control, &grants.write, &write, &credit),
        Op::Set { path, attributes } => change::set(control, &grants.write, &path, &attributes),
        Op::Remove { path, recursive } => change::remove(control, &grants.write, &path, recursive),
        Op::Directory { path, parents, attributes } => {
            change::directory(control, &grants.write, &path, parents, &attributes)
        }
        Op::Symlink { path, target, force } => change::symlink(control, &grants.write, &path, &target, force),
        Op::Facts { parts } => facts::collect(control, &parts).map(|facts| Answer::Facts(Box::new(facts))),
    }
}

//! From how a program ended to a step's output.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use serde_json::{Value, json};
use workflow::action_input::ProcessReturn;

use super::ProgramError;
use super::launch::Ended;
use crate::limits::QUOTED_CHARS_MAX;

/// The exit code; 128 and the signal's number for a program that a signal ended, as shells have it.
fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Text without the newline that ends it.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    text.strip_suffix('\r').unwrap_or(text).to_owned()
}

/// The end of what a program wrote, in one line.
pub(super) fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line: Vec<char> =
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).collect();
    line[line.len().saturating_sub(QUOTED_CHARS_MAX)..].iter().collect()
}

/// What the step returns (DSL reference, "Run", `return`).
pub(super) fn value(name: &str, returns: ProcessReturn, ended: &Ended) -> Result<Value, ProgramError> {
    let code = exit_code(ended.status);
    let is_result = matches!(returns, ProcessReturn::Code | ProcessReturn::All);
    if code != 0 && !is_result {
        let how = match ended.status.signal() {
            Some(signal) => format!("was ended by signal {signal}"),
            None => format!("exited with code {code}"),
        };
        return Err(ProgramError::Exited { program: name.to_owned(), how, said: tail(&ended.stderr) });
    }
    Ok(match returns {
        ProcessReturn::Stdout => Value::String(text(&ended.stdout)),
        ProcessReturn::Stderr => Value::String(text(&ended.stderr)),
        ProcessReturn::Code => Value::from(code),
        ProcessReturn::All => {
            json!({"code": code, "stdout": text(&ended.stdout), "stderr": text(&ended.stderr)})
        }
        ProcessReturn::None => Value::Null,
    })
}

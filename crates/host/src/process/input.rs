//! From an action's input to what a program gets.

use std::path::Path;

use engine::ports::{Context, Failure, Secrets};
use model::Action;
use model::program::secret_names;
use serde_json::{Map, Value};
use workflow::action_input::Process;
use zeroize::Zeroizing;

use super::ProgramError;
use crate::limits;
use crate::secrets::{is_reference_in, no_secret, reveal_text};

/// Refuses text with a secret in it, for places that others can read.
pub(super) fn refuse_secret(text: &str, place: &'static str) -> Result<(), ProgramError> {
    if !is_reference_in(text) {
        return Ok(());
    }
    let secret = secret_names(text).first().copied().unwrap_or("?").to_owned();
    Err(ProgramError::SecretExposed { secret, place })
}

/// What every program finds in its environment.
pub(super) fn base_environment(
    context: &Context,
    action: &Action,
    directory: &Path,
) -> Vec<(String, Zeroizing<String>)> {
    let directory = directory.display().to_string();
    [
        ("PATH", super::path().to_string_lossy().into_owned()),
        ("HOME", directory.clone()),
        ("TMPDIR", directory),
        ("LANG", "C.UTF-8".to_owned()),
        ("AEDILE_RUN", context.run.to_string()),
        ("AEDILE_STEP", context.step.to_string()),
        ("AEDILE_ATTEMPT", context.attempt.to_string()),
        ("AEDILE_IDEMPOTENCY_KEY", action.idempotency_key.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Zeroizing::new(value)))
    .collect()
}

/// The action's own variables, secrets in place.
pub(super) fn variables(
    given: &Map<String, Value>,
    secrets: &dyn Secrets,
) -> Result<Vec<(String, Zeroizing<String>)>, Failure> {
    let mut variables = Vec::with_capacity(given.len());
    for (name, value) in given {
        let bad = |why: &str| ProgramError::BadInput(format!("the variable `{name}` {why}"));
        refuse_secret(name, "the name of a variable")?;
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(bad("has no possible name").into());
        }
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Array(_) | Value::Object(_) => {
                return Err(bad("is neither a text, number nor boolean").into());
            }
        };
        let value = reveal_text(&text, secrets).map_err(|error| no_secret(&error))?;
        if value.contains('\0') {
            return Err(bad("contains a NUL, which no variable can").into());
        }
        variables.push((name.clone(), value));
    }
    Ok(variables)
}

/// Standard input, secrets in place.
pub(super) fn stdin(process: &Process, secrets: &dyn Secrets) -> Result<Option<Zeroizing<String>>, Failure> {
    let Some(text) = &process.stdin else { return Ok(None) };
    let text = reveal_text(text, secrets).map_err(|error| no_secret(&error))?;
    if text.len() > limits::STDIN_BYTES_MAX {
        let why = format!("standard input is larger than {} bytes", limits::STDIN_BYTES_MAX);
        return Err(ProgramError::BadInput(why).into());
    }
    Ok(Some(text))
}

/// Refuses early what the kernel would refuse with a puzzling message.
pub(super) fn check_size(
    arguments: &[String],
    environment: &[(String, Zeroizing<String>)],
) -> Result<(), ProgramError> {
    if arguments.iter().any(|argument| argument.contains('\0')) {
        return Err(ProgramError::BadInput("an argument contains a NUL, which none can".to_owned()));
    }
    let bytes: usize = arguments.iter().map(String::len).sum::<usize>()
        + environment.iter().map(|(name, value)| name.len() + value.len() + 1).sum::<usize>();
    if bytes > limits::ARGUMENT_BYTES_MAX {
        return Err(ProgramError::BadInput(format!(
            "arguments and variables together are larger than {} bytes; pass large data by `stdin`",
            limits::ARGUMENT_BYTES_MAX
        )));
    }
    Ok(())
}

//! Secrets: found at the last moment, put into the input of an action in memory, and taken out of whatever comes back.

use std::path::PathBuf;
use std::sync::Arc;

use engine::ports::{
    BoxFuture, Checked, Context, Failure, FailureClass, Performer, Secret, SecretError, Secrets,
};
use model::program::{SECRET_CLOSE, SECRET_OPEN, secret_reference};
use model::{Action, Problem, code};
use serde_json::Value;

/// Values shorter than this are not searched for in outputs: they would be found everywhere.
const MASKED_MIN: usize = 4;

/// Performs with the secrets in place, and lets none of them out again.
pub(crate) struct Revealing(pub(crate) Arc<dyn Performer>);

impl Performer for Revealing {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let mut known = Known::default();
            let revealed = known.action(context, action)?;
            match self.0.perform(context, revealed.as_ref().unwrap_or(action)).await {
                Ok(mut output) => {
                    known.mask(&mut output);
                    Ok(output)
                }
                Err(mut failure) => {
                    known.mask_problem(&mut failure.problem);
                    Err(failure)
                }
            }
        })
    }

    fn check<'a>(&'a self, context: &'a Context, action: &'a Action) -> BoxFuture<'a, Checked> {
        Box::pin(async move {
            let mut known = Known::default();
            let Ok(revealed) = known.action(context, action) else { return Checked::Unknown };
            match self.0.check(context, revealed.as_ref().unwrap_or(action)).await {
                Checked::Happened(mut output) => {
                    known.mask(&mut output);
                    Checked::Happened(output)
                }
                other => other,
            }
        })
    }
}

/// Values that were put in place in one call.
#[derive(Default)]
struct Known(Vec<(String, Secret)>);

impl Known {
    /// The action with every reference replaced by its value; nothing when there is none in it.
    fn action(&mut self, context: &Context, action: &Action) -> Result<Option<Action>, Failure> {
        if !holds_reference(&action.input) {
            return Ok(None);
        }
        let mut revealed = action.clone();
        self.reveal(&mut revealed.input, context.secrets.as_ref()).map_err(|error| Failure {
            problem: Problem::configuration(error.to_string()).with_code(code::host::NO_SECRET),
            class: FailureClass::Permanent,
            maybe_happened: false,
        })?;
        Ok(Some(revealed))
    }

    fn reveal(&mut self, value: &mut Value, secrets: &dyn Secrets) -> Result<(), SecretError> {
        match value {
            Value::String(text) if text.contains(SECRET_OPEN) => {
                let mut out = String::with_capacity(text.len());
                let mut parts = text.split(SECRET_OPEN);
                out.push_str(parts.next().unwrap_or_default());
                for part in parts {
                    let (name, rest) = part.split_once(SECRET_CLOSE).unwrap_or((part, ""));
                    out.push_str(self.value(name, secrets)?);
                    out.push_str(rest);
                }
                *text = out;
                Ok(())
            }
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.reveal(item, secrets)),
            Value::Object(members) => {
                members.values_mut().try_for_each(|member| self.reveal(member, secrets))
            }
            _ => Ok(()),
        }
    }

    fn value(&mut self, name: &str, secrets: &dyn Secrets) -> Result<&str, SecretError> {
        let index = if let Some(index) = self.0.iter().position(|(known, _)| known == name) {
            index
        } else {
            self.0.push((name.to_owned(), secrets.reveal(name)?));
            self.0.len() - 1
        };
        Ok(self.0[index].1.expose())
    }

    /// Replaces values by references again, wherever they turn up.
    fn mask(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.mask_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.mask(member)),
            _ => {}
        }
    }

    fn mask_text(&self, text: &mut String) {
        for (name, secret) in &self.0 {
            let value = secret.expose();
            if value.len() >= MASKED_MIN && text.contains(value) {
                *text = text.replace(value, &secret_reference(name));
            }
        }
    }

    fn mask_problem(&self, problem: &mut Problem) {
        for text in [&mut problem.title, &mut problem.detail].into_iter().flatten() {
            self.mask_text(text);
        }
    }
}

fn holds_reference(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(SECRET_OPEN),
        Value::Array(items) => items.iter().any(holds_reference),
        Value::Object(members) => members.values().any(holds_reference),
        _ => false,
    }
}

/// Secrets of an environment: a file for each in its `secrets` directory, readable by its owner only.
#[derive(Debug, Clone)]
pub struct SecretFiles {
    directory: PathBuf,
}

impl SecretFiles {
    /// The secrets in `directory`.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }
}

impl Secrets for SecretFiles {
    fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
        use std::os::unix::fs::PermissionsExt;
        let refuse = |why: String| SecretError { name: name.to_owned(), why };
        let plain = !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !plain {
            return Err(refuse("its name is not letters, digits and ._- only".to_owned()));
        }
        let path = self.directory.join(name);
        let missing = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => refuse(format!("there is no file {}", path.display())),
            kind => refuse(format!("{} cannot be read: {kind}", path.display())),
        };
        let mode = fs_err::metadata(&path).map_err(missing)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(refuse(format!("{} can be read by others than its owner", path.display())));
        }
        let text = fs_err::read_to_string(&path).map_err(missing)?;
        Ok(Secret::new(text.trim_end_matches(['\n', '\r']).to_owned()))
    }
}

//! What of a value that is secret, or has secrets in it, is kept: keyed digests, and the references it was made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::program::{SECRET_CLOSE, SECRET_OPEN};
use serde_json::{Value, json};

use crate::value::{Held, Seal, SealingKey, has_secret, whole_secret};

/// The keyed digests of secrets by name, and the key they were made with.
#[derive(Debug, Clone, Copy)]
pub struct Seals<'s> {
    /// Digests of the present values.
    pub secrets: &'s BTreeMap<String, Seal>,
    /// The environment's key.
    pub key: &'s SealingKey,
}

impl Seals<'_> {
    /// The keyed digest of a declared value: of the secret itself where it is nothing else, otherwise of the text around
    /// and the digests of the secrets in it. `None` when a secret in it is not known.
    pub(crate) fn of(&self, desired: &Value) -> Option<Seal> {
        if let Some(name) = whole_secret(desired) {
            return self.secrets.get(name).copied();
        }
        if !has_secret(desired) {
            return Some(self.key.seal(desired));
        }
        let mut seals = Vec::new();
        self.collect(desired, &mut seals)?;
        Some(self.key.seal(&json!({"text": desired, "secrets": seals})))
    }

    fn collect(&self, value: &Value, seals: &mut Vec<String>) -> Option<()> {
        match value {
            Value::String(text) => text.split(SECRET_OPEN).skip(1).try_for_each(|piece| {
                let (name, _) = piece.split_once(SECRET_CLOSE)?;
                seals.push(self.secrets.get(name)?.to_string());
                Some(())
            }),
            Value::Array(items) => items.iter().try_for_each(|item| self.collect(item, seals)),
            Value::Object(members) => members.values().try_for_each(|member| self.collect(member, seals)),
            _ => Some(()),
        }
    }

    /// What may be kept of a declared value that was applied.
    pub fn applied(&self, desired: &Arc<Value>, sensitive: bool) -> Held {
        let refers = has_secret(desired);
        if !(sensitive || refers) {
            return Held::Plain { value: desired.clone() };
        }
        Held::Secret { reference: refers.then(|| desired.clone()), seal: self.of(desired) }
    }

    /// What may be kept of a value that was found. `desired` is what is declared there; `filled` is that with its secrets
    /// filled in, in the caller's memory only.
    pub fn observed(
        &self,
        found: Value,
        desired: Option<&Arc<Value>>,
        filled: Option<&Value>,
        sensitive: bool,
    ) -> Held {
        let refers = desired.filter(|desired| has_secret(desired));
        let Some(desired) = refers else {
            let seal = || Some(self.key.seal(&found));
            return if sensitive {
                Held::Secret { reference: None, seal: seal() }
            } else {
                Held::plain(found)
            };
        };
        let seal = if filled == Some(&found) { self.of(desired) } else { Some(self.key.seal(&found)) };
        Held::Secret { reference: Some(desired.clone()), seal }
    }
}

/// Whether a value refers to a secret anywhere.
pub fn refers_to_secret(value: &Value) -> bool {
    has_secret(value)
}

/// The names of the secrets that a value refers to.
pub fn secrets_in(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => model::program::secret_names(text).into_iter().for_each(found),
        Value::Array(items) => items.iter().for_each(|item| secrets_in(item, found)),
        Value::Object(members) => members.values().for_each(|member| secrets_in(member, found)),
        _ => {}
    }
}

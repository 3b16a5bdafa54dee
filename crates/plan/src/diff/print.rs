//! Fingerprints of what was planned on.

use std::fmt::Write as _;

use model::Digest;

use crate::change::Fingerprint;
use crate::desired::Resource;
use crate::name::{Instance, Name};
use crate::observed::{Applied, Observed};
use crate::schema::{TypeSchema, normalise};
use crate::value::{Held, SealingKey, has_secret};

/// Takes fingerprints, and digests of all of them together.
#[derive(Debug, Default)]
pub(crate) struct Prints {
    observed: Vec<u8>,
    applied: Vec<u8>,
    scratch: Vec<u8>,
}

impl Prints {
    /// Digest of everything that was read and is managed, and of everything that was applied.
    pub(crate) fn digests(&self) -> (Digest, Digest) {
        (Digest::of(&self.observed), Digest::of(&self.applied))
    }

    /// Of a declared instance: only what the configuration or an earlier one declares counts, in one spelling.
    pub(super) fn of_declared(
        &mut self,
        instance: &Instance,
        resource: &Resource,
        schema: &TypeSchema,
        (observed, applied): (Option<&Observed>, Option<&Applied>),
        key: &SealingKey,
    ) -> Fingerprint {
        let is_secret = |name: &Name| {
            schema.attributes.get(name).is_some_and(|attribute| attribute.sensitive)
                || resource.attributes.get(name).is_some_and(|attribute| has_secret(&attribute.value))
                || was_secret(applied, name)
        };
        let counts = |name: &Name| {
            let ours = resource.attributes.contains_key(name)
                || applied.is_some_and(|applied| applied.attributes.contains_key(name));
            ours.then(|| is_secret(name).then_some(key))
        };
        self.take(instance, Some(schema), observed, applied, counts)
    }

    /// Of an instance that is not declared any more.
    pub(super) fn of_removed(
        &mut self,
        instance: &Instance,
        observed: Option<&Observed>,
        applied: &Applied,
        key: &SealingKey,
    ) -> Fingerprint {
        let counts = |name: &Name| {
            let ours = applied.attributes.contains_key(name);
            ours.then(|| was_secret(Some(applied), name).then_some(key))
        };
        self.take(instance, None, observed, Some(applied), counts)
    }

    /// Of what is on record of an instance that nobody looked at.
    pub(crate) fn of_record(&mut self, instance: &Instance, applied: &Applied) -> Fingerprint {
        self.take(instance, None, None, Some(applied), |_| None)
    }

    /// `counts`: whether an attribute does, and the key it is sealed with when it is a secret.
    fn take<'k>(
        &mut self,
        instance: &Instance,
        schema: Option<&TypeSchema>,
        observed: Option<&Observed>,
        applied: Option<&Applied>,
        counts: impl Fn(&Name) -> Option<Option<&'k SealingKey>>,
    ) -> Fingerprint {
        self.scratch.clear();
        match observed {
            None => self.scratch.push(b'n'),
            Some(Observed::Absent) => self.scratch.push(b'a'),
            Some(Observed::Unreadable(_)) => self.scratch.push(b'u'),
            Some(Observed::NotYet { .. }) => self.scratch.push(b'y'),
            Some(Observed::Present(attributes)) => {
                self.scratch.push(b'p');
                for (name, held) in attributes {
                    if let Some(key) = counts(name) {
                        write(schema, name, held, key, &mut self.scratch);
                    }
                }
            }
        }
        let seen = Digest::of(&self.scratch);
        self.scratch.clear();
        if let Some(applied) = applied {
            for (name, held) in &applied.attributes {
                write(None, name, held, None, &mut self.scratch);
            }
        }
        let was = Digest::of(&self.scratch);
        for (all, one) in [(&mut self.observed, seen), (&mut self.applied, was)] {
            all.extend_from_slice(instance.host.as_str().as_bytes());
            all.push(b'/');
            all.extend_from_slice(instance.resource.as_str().as_bytes());
            all.push(0);
            all.extend_from_slice(one.as_bytes());
        }
        Fingerprint { observed: short(&seen), applied: short(&was) }
    }
}

fn was_secret(applied: Option<&Applied>, name: &Name) -> bool {
    let held = applied.and_then(|applied| applied.attributes.get(name));
    matches!(held, Some(Held::Secret { .. }))
}

/// A secret counts by its keyed digest: a plain digest of it could be guessed.
fn write(schema: Option<&TypeSchema>, name: &Name, held: &Held, key: Option<&SealingKey>, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.push(b'=');
    match held {
        Held::Plain { value } if key.is_some() => {
            let seal = key.map(|key| key.seal(value).to_string());
            out.extend_from_slice(seal.unwrap_or_default().as_bytes());
        }
        Held::Plain { value } => {
            let normalisers = schema.and_then(|schema| schema.attributes.get(name));
            let normalisers = normalisers.map_or(&[][..], |attribute| &attribute.normalisers);
            model::canonical::write(&normalise(normalisers, value), out);
        }
        Held::Secret { seal, .. } => {
            out.extend_from_slice(seal.map(|seal| seal.to_string()).unwrap_or_default().as_bytes());
        }
    }
    out.push(0);
}

/// The first 64 bits in hexadecimal.
fn short(digest: &Digest) -> String {
    digest.as_bytes()[..8].iter().fold(String::with_capacity(16), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

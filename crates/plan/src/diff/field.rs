//! One attribute: desired, observed, last applied.

use std::sync::Arc;

use serde_json::Value;

use crate::change::FieldCause;
use crate::observed::World;
use crate::schema::{AttributeSchema, same};
use crate::secret::Seals;
use crate::value::{Held, OutputRef, Seal, Term, has_secret, whole_secret};

/// Everything that is known of one attribute of one instance that is there.
pub(super) struct Sides<'s> {
    pub(super) schema: &'s AttributeSchema,
    pub(super) desired: &'s Arc<Value>,
    pub(super) predicted: bool,
    pub(super) missing: &'s [OutputRef],
    pub(super) observed: Option<&'s Held>,
    pub(super) applied: Option<&'s Held>,
    /// Whether the instance was ever applied.
    pub(super) managed: bool,
}

/// Whether it is to change.
pub(super) enum Compared {
    Same,
    Different { before: Term, after: Term, cause: FieldCause },
}

impl Sides<'_> {
    pub(super) fn compare(&self, world: &World) -> Compared {
        let secret = self.is_secret();
        if !self.missing.is_empty() {
            let on = self.missing.iter().map(ToString::to_string).collect();
            return self.different(world, secret, Term::Unknown { on }, FieldCause::Dependency);
        }
        if secret { self.compare_secret(world) } else { self.compare_plain(world) }
    }

    /// A value that is, was or is to be a secret is handled as one.
    fn is_secret(&self) -> bool {
        let sealed = |held: Option<&Held>| matches!(held, Some(Held::Secret { .. }));
        self.schema.sensitive || sealed(self.observed) || sealed(self.applied) || has_secret(self.desired)
    }

    fn compare_plain(&self, world: &World) -> Compared {
        let same = |a: &Value, b: &Value| same(&self.schema.normalisers, a, b);
        let there = self.observed.and_then(Held::value);
        let was = self.applied.and_then(Held::value);
        let cause = match (there, was) {
            (Some(there), _) if same(there, self.desired) => return Compared::Same,
            // what the provider does not report is trusted to be as it was applied
            (None, Some(was)) if same(was, self.desired) => return Compared::Same,
            (_, None) if !self.managed => FieldCause::Adopted,
            (_, Some(was)) if same(was, self.desired) => FieldCause::Drift,
            (Some(there), Some(was)) if !same(there, was) => FieldCause::Conflict,
            _ => FieldCause::Configuration,
        };
        let value = self.desired.clone();
        let after = if self.predicted { Term::Predicted { value } } else { Term::Known { value } };
        self.different(world, false, after, cause)
    }

    fn compare_secret(&self, world: &World) -> Compared {
        let wanted = Seals { secrets: &world.secrets, key: &world.key }.of(self.desired);
        let reference = || has_secret(self.desired).then(|| self.desired.clone());
        let (was, was_reference) = match self.applied {
            Some(Held::Secret { reference, seal }) => (*seal, reference.as_ref()),
            Some(Held::Plain { value }) => (Some(world.key.seal(value)), None),
            None => (None, None),
        };
        // what a secret is part of has another digest once it is put together, so it can be compared with what is there
        // only if it is whole, or if whoever looked knew what it is made from
        let comparable = whole_secret(self.desired).is_some()
            || !has_secret(self.desired)
            || matches!(self.observed, Some(Held::Secret { reference: Some(_), .. }));
        let there = self.observed.and_then(|held| sealed(held, world)).filter(|_| comparable);
        let as_applied = match (was, wanted) {
            (Some(was), Some(wanted)) => was == wanted,
            _ => was_reference.is_some_and(|was| was == self.desired),
        };
        let cause = match (there, wanted) {
            (Some(there), Some(wanted)) if there == wanted => return Compared::Same,
            (Some(_), Some(_)) if as_applied => FieldCause::Drift,
            (Some(there), Some(_)) if was.is_some_and(|was| was != there) => FieldCause::Conflict,
            _ if as_applied => return Compared::Same,
            _ if !self.managed => FieldCause::Adopted,
            _ => FieldCause::Configuration,
        };
        let after = Term::Secret { reference: reference(), seal: wanted };
        self.different(world, true, after, cause)
    }

    fn different(&self, world: &World, secret: bool, after: Term, cause: FieldCause) -> Compared {
        let before = match self.observed {
            None => Term::Absent,
            Some(held) if secret => {
                let reference = match self.applied {
                    Some(Held::Secret { reference, .. }) => reference.clone(),
                    _ => None,
                };
                Term::Secret { reference, seal: sealed(held, world) }
            }
            Some(held) => held.into(),
        };
        Compared::Different { before, after, cause }
    }
}

fn sealed(held: &Held, world: &World) -> Option<Seal> {
    match held {
        Held::Plain { value } => Some(world.key.seal(value)),
        Held::Secret { seal, .. } => *seal,
    }
}

//! What a plan would do, and why: the words of the plan's file and of the document that policies see.

use std::fmt;

use model::{EffectClass, OnDrift, Problem, Reversibility};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::desired::{DependencyKind, Place};
use crate::name::{Instance, Name, TypeName};
use crate::value::{Term, Values};

/// What is done to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// It is made.
    Create,
    /// Some of its attributes are changed.
    Update,
    /// It is deleted and made anew; or, where a `dispose` follows, made anew.
    Replace,
    /// It is deleted.
    Delete,
    /// The old one of a replacement that created first is deleted.
    Dispose,
    /// Its record gets another name; the host is not touched.
    Move,
    /// Its record is removed, because it is gone already; the host is not touched.
    Forget,
    /// It goes on record as it is, because it is as declared already; the host is not touched.
    Adopt,
    /// Nothing, and it cannot be known whether there would be something.
    Blocked,
}

impl Operation {
    /// The word used in documents, in action kinds (`resource.create`) and on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Dispose => "dispose",
            Self::Move => "move",
            Self::Forget => "forget",
            Self::Adopt => "adopt",
            Self::Blocked => "blocked",
        }
    }
}

impl Operation {
    /// Whether anything is done to a host: by all but those that change a record, and `blocked`.
    pub const fn touches_hosts(self) -> bool {
        !matches!(self, Self::Move | Self::Forget | Self::Adopt | Self::Blocked)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Reason {
    /// It is declared and was never applied.
    New,
    /// It was applied, and is not there any more.
    Missing,
    /// It is no longer in the configuration.
    Removed,
    /// It is declared absent.
    DeclaredAbsent,
    /// It was applied as absent, and is there again.
    Returned,
    /// Its host is no longer in the inventory.
    HostRemoved,
    /// It is not there any more, and nobody wants it.
    AlreadyGone,
    /// Somebody changed it: what was applied is still what is declared, and not what is there.
    Drift {
        /// Where.
        attributes: Vec<Name>,
    },
    /// The configuration changed.
    Configuration {
        /// Where.
        attributes: Vec<Name>,
    },
    /// The configuration changed and so did the world, differently.
    Conflict {
        /// Where.
        attributes: Vec<Name>,
    },
    /// It was there before it was declared, and differs.
    Adopted {
        /// Where.
        attributes: Vec<Name>,
    },
    /// Its values come from another resource, which changes.
    DependsOn {
        /// The other one.
        on: Instance,
        /// Which of its own values are not known before.
        attributes: Vec<Name>,
    },
    /// It cannot be read before something else is there.
    NotYet {
        /// What is missing.
        missing: Instance,
    },
    /// These attributes cannot be changed in place.
    Replaced {
        /// Which.
        attributes: Vec<Name>,
    },
    /// It had another name.
    Moved {
        /// The name it had.
        from: Instance,
    },
    /// It could not be read.
    Unreadable {
        /// Why.
        problem: Problem,
    },
    /// Nobody read it.
    NotRead,
    /// It would be deleted, and its declaration says that it is kept.
    Kept,
    /// It is there as it is declared, and not on record.
    AsDeclared,
    /// A person asked for it: it is about the record only.
    Asked,
    /// An earlier change is taken back.
    Undo {
        /// What had been done.
        operation: Operation,
    },
}

/// Why one attribute differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FieldCause {
    /// The world moved.
    Drift,
    /// The configuration moved.
    Configuration,
    /// Both moved.
    Conflict,
    /// It was there before it was declared.
    Adopted,
    /// Its value depends on a change.
    Dependency,
    /// An earlier change is taken back.
    Undo,
}

/// One attribute that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// What is there.
    pub before: Term,
    /// What will be.
    pub after: Term,
    /// Why.
    pub cause: FieldCause,
    /// Whether it forces replacement.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forces_replacement: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(crate) fn is_false(value: &bool) -> bool {
    !*value
}

/// What one step of a plan comes after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// The other step: changes are numbered from 0, junctions after the last change.
    pub step: u32,
    /// What that means.
    pub kind: DependencyKind,
}

/// Digests (64 bits of SHA-256, hexadecimal) of what a change was planned on, to tell later what moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// Of the managed attributes that were read.
    pub observed: String,
    /// Of what was applied last.
    pub applied: String,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    /// To what.
    pub instance: Instance,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: TypeName,
    /// What is done.
    pub operation: Operation,
    /// Why, the weightiest first; never empty.
    pub reasons: Vec<Reason>,
    /// What differs; empty where everything does (`create`, `delete`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// What is declared, references unresolved where their values are not known yet.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub desired: Values,
    /// What was applied last, for what is deleted or replaced.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub prior: std::collections::BTreeMap<Name, Term>,
    /// The name it had, for what is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<Instance>,
    /// Whether the old one is deleted by a later `dispose`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub create_first: bool,
    /// What may be done after a crash in the middle of it.
    #[serde(with = "effect_word")]
    #[schemars(with = "String")]
    pub effect: EffectClass,
    /// Whether it can be taken back.
    #[serde(with = "reversibility_word")]
    #[schemars(with = "String")]
    pub reversibility: Reversibility,
    /// What it comes after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Edge>,
    /// The instances it depends on as declared, for the record that a later deletion is ordered by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends: Vec<Instance>,
    /// What people group it by.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub labels: std::collections::BTreeMap<String, String>,
    /// What performing it may touch, `write:/etc/motd` for example, where whoever planned it knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<String>,
    /// What its declaration says is done when somebody else changes it.
    #[serde(default, skip_serializing_if = "OnDrift::is_default")]
    #[schemars(with = "String")]
    pub drift: OnDrift,
    /// What it was planned on.
    pub basis: Fingerprint,
    /// Where it is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A point where order meets and nothing is done: all instances of a resource, or one that stays as it is between
/// changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Junction {
    /// What it stands for.
    pub label: String,
    /// What it comes after.
    pub after: Vec<Edge>,
}

/// Something that runs once, after everything it watches, when any of that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Handler {
    /// Whose.
    pub instance: Instance,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: TypeName,
    /// Its name: `restart`, `reload`.
    pub name: Name,
    /// The steps it watches.
    pub triggers: Vec<u32>,
    /// The change of its own resource, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<u32>,
    /// Its resource as declared.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub desired: Values,
    /// What performing it may touch, `write:/etc/motd` for example, where whoever planned it knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<String>,
    /// What may be done after a crash in the middle of it.
    #[serde(with = "effect_word")]
    #[schemars(with = "String")]
    pub effect: EffectClass,
    /// Whether it can be taken back.
    #[serde(with = "reversibility_word")]
    #[schemars(with = "String")]
    pub reversibility: Reversibility,
}

/// A test of a host that the plan changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedCheck {
    /// Where, and its name.
    pub instance: Instance,
    /// What carries it out.
    #[serde(rename = "type")]
    pub kind: TypeName,
    /// Its attributes.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub desired: Values,
    /// What performing it may touch, `write:/etc/motd` for example, where whoever planned it knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<String>,
}

macro_rules! word_module {
    ($module:ident, $type:ident) => {
        mod $module {
            use super::$type;
            use serde::{Deserialize, Deserializer, Serializer};
            use std::borrow::Cow;

            pub(super) fn serialize<S: Serializer>(value: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(value.as_str())
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let word = Cow::<'de, str>::deserialize(deserializer)?;
                $type::from_word(&word)
                    .ok_or_else(|| serde::de::Error::custom(format!("`{word}` is not a word for it")))
            }
        }
    };
}
word_module!(effect_word, EffectClass);
word_module!(reversibility_word, Reversibility);

//! One effect to be judged and performed: [`Action`].

use serde::Serialize;

use crate::{Digest, Json};

/// What may be done with an effect that may or may not have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EffectClass {
    /// Changes nothing: run it again.
    Read,
    /// Doing it twice is doing it once, given the same idempotency key: run it again.
    Idempotent,
    /// Whether it happened can be found out: check first.
    Verifiable,
    /// Neither: after a crash the step is *in doubt* and a person decides.
    Once,
}

/// Whether an effect can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reversibility {
    /// Nothing to take back.
    NoChange,
    /// There is a declared way back.
    Reversible,
    /// There is none.
    Irreversible,
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $name {
            /// Every word there is.
            pub const WORDS: &[&str] = &[$($word),*];

            /// The word used in documents, the journal and on screen.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The value a word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

/// Serialises types with [`words`] as their words.
macro_rules! serde_as_word {
    ($($name:ident),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::from_word(&word).ok_or_else(|| {
                    let words = Self::WORDS.join(", ");
                    serde::de::Error::custom(format!("`{word}` is none of {words}"))
                })
            }
        }
    )*};
}
pub(crate) use serde_as_word;
words!(EffectClass { Read = "read", Idempotent = "idempotent", Verifiable = "verifiable", Once = "once" });
words!(Reversibility { NoChange = "no-change", Reversible = "reversible", Irreversible = "irreversible" });

/// Something an action needs to be let do, for example `http:api.example.org` or `run:shell`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability(pub String);

/// One effect, described fully before anything happens.
///
/// `input` may hold references to secrets (see [`crate::program::secret_reference`]) and never their values.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Kind, dotted, most general first: `http.call`, `openapi.call`, `wasm.echo`, `run.shell`, `event.emit`,
    /// `notify.send`. Quotas and policies name these.
    pub kind: String,
    /// What it acts on, in the kind's own terms: a host, a program, `name@version`.
    pub target: String,
    /// Typed input of the kind. Shared, because an action is proposed, judged, journalled and performed.
    pub input: Json,
    /// What may be done after a crash in the middle of it.
    pub effect: EffectClass,
    /// Whether it can be taken back.
    pub reversibility: Reversibility,
    /// What it needs to be let do.
    pub wants: Vec<Capability>,
    /// Stays the same over every attempt and every crash of the same step of the same run.
    pub idempotency_key: String,
}

impl Action {
    /// The digest that approvals and the journal bind to: over everything but the idempotency key, which
    /// is derived from the run and says nothing about what is done.
    pub fn digest(&self) -> Digest {
        let document = Document {
            effect: self.effect.as_str(),
            input: &self.input,
            kind: &self.kind,
            reversibility: self.reversibility.as_str(),
            target: &self.target,
            wants: self.wants.iter().map(|want| want.0.as_str()).collect(),
        };
        Digest::of_serialized(&document, || serde_json::to_value(&document).unwrap_or_default())
    }
}

/// What an action's digest is over, in the order of the canonical form.
#[derive(Serialize)]
struct Document<'a> {
    effect: &'a str,
    input: &'a Json,
    kind: &'a str,
    reversibility: &'a str,
    target: &'a str,
    wants: Vec<&'a str>,
}

//! Which actions a rule is about: patterns and [`Match`].

use std::fmt;

use model::{Environment, Origin, Principal, Role};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};

use crate::limits;

/// One pattern or a list of them; `*` stands for any text, `?` for one character. Empty: anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Patterns(Vec<String>);

impl Patterns {
    /// Whether the field was left out.
    pub(crate) fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// The patterns, as written.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether one of them matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| glob(pattern, text))
    }

    fn matches_ignoring_case(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        self.0.is_empty() || self.0.iter().any(|pattern| glob(&pattern.to_lowercase(), &lower))
    }
}

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Patterns;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pattern or a list of patterns")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Patterns, E> {
                check(text).map(|()| Patterns(vec![text.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Patterns, A::Error> {
                let mut patterns = Vec::new();
                while let Some(text) = seq.next_element::<String>()? {
                    check(&text)?;
                    if patterns.len() == limits::PATTERNS {
                        return Err(A::Error::custom(format!("more than {} patterns", limits::PATTERNS)));
                    }
                    patterns.push(text);
                }
                if patterns.is_empty() {
                    return Err(A::Error::custom("an empty list of patterns would match nothing"));
                }
                Ok(Patterns(patterns))
            }
        }
        fn check<E: serde::de::Error>(text: &str) -> Result<(), E> {
            match text.len() {
                0 => Err(E::custom("an empty pattern would match nothing")),
                n if n > limits::NAME_BYTES => {
                    Err(E::custom(format!("a pattern is longer than {} bytes", limits::NAME_BYTES)))
                }
                _ => Ok(()),
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl JsonSchema for Patterns {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Patterns".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [
                {"type": "string", "minLength": 1, "maxLength": limits::NAME_BYTES},
                {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": limits::PATTERNS,
                    "items": {"type": "string", "minLength": 1, "maxLength": limits::NAME_BYTES},
                },
            ],
        })
    }
}

/// Whether `text` matches `pattern` as a whole. Takes time proportional to the product of their lengths at worst.
///
/// ```
/// assert!(policy::glob("http.*", "http.call"));
/// assert!(!policy::glob("http.*", "https.call"));
/// ```
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    p = after;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Whether a run as a whole is judged, or one of its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SubjectWord {
    /// The run as a whole, before it starts.
    Run,
    /// One step, before its effect.
    Step,
}

/// The effect class of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EffectWord {
    /// Changes nothing.
    Read,
    /// Twice is once.
    Idempotent,
    /// Whether it happened can be found out.
    Verifiable,
    /// Neither.
    Once,
}

/// Whether an action can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReversibilityWord {
    /// Nothing to take back.
    NoChange,
    /// There is a way back.
    Reversible,
    /// There is none.
    Irreversible,
}

/// What a rule is about. Every field that is given must match; a field that is left out matches anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Match")]
pub(crate) struct Match {
    /// `run`: the run as a whole; `step`: one of its steps.
    pub(crate) subject: Option<SubjectWord>,
    /// Kind of the action: `http.call`, `run.*`; `workflow.run` for a run as a whole.
    pub(crate) action: Patterns,
    /// What the action acts on: a host, a program; `namespace/name` for a run as a whole.
    pub(crate) target: Patterns,
    /// The environment.
    pub(crate) environment: Patterns,
    /// Who acts, `user:maria`.
    pub(crate) principal: Patterns,
    /// A role of who acts, upper and lower case being the same.
    pub(crate) role: Patterns,
    /// The tenant of who acts.
    pub(crate) tenant: Patterns,
    /// The workflow, `namespace/name`.
    pub(crate) workflow: Patterns,
    /// Whose text the workflow is: `project`, or `caller` where whoever asked for the run sent it along. Left out: anybody's where
    /// a rule forbids or asks for something, the project's where it allows or grants something.
    pub(crate) origin: Option<Origin>,
    /// Any of these effect classes.
    pub(crate) effect: Vec<EffectWord>,
    /// Any of these.
    pub(crate) reversibility: Vec<ReversibilityWord>,
}

/// What a [`Match`] looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) subject: SubjectWord,
    pub(crate) kind: &'a str,
    pub(crate) target: &'a str,
    pub(crate) environment: &'a Environment,
    pub(crate) principal: &'a Principal,
    pub(crate) roles: &'a [Role],
    pub(crate) tenant: Option<&'a str>,
    pub(crate) workflow: &'a str,
    pub(crate) origin: Origin,
    pub(crate) effect: Option<model::EffectClass>,
    pub(crate) reversibility: Option<model::Reversibility>,
}

impl Match {
    /// Whether the rule is about this.
    pub(crate) fn matches(&self, seen: &Seen<'_>) -> bool {
        use model::{EffectClass as E, Reversibility as R};
        let effect = seen.effect.map(|effect| match effect {
            E::Read => EffectWord::Read,
            E::Idempotent => EffectWord::Idempotent,
            E::Verifiable => EffectWord::Verifiable,
            E::Once => EffectWord::Once,
        });
        let reversibility = seen.reversibility.map(|reversibility| match reversibility {
            R::NoChange => ReversibilityWord::NoChange,
            R::Reversible => ReversibilityWord::Reversible,
            R::Irreversible => ReversibilityWord::Irreversible,
        });
        self.subject.is_none_or(|subject| subject == seen.subject)
            && self.action.matches(seen.kind)
            && self.target.matches(seen.target)
            && self.environment.matches(seen.environment.as_str())
            && self.principal.matches(seen.principal.as_str())
            && (self.role.is_any() || seen.roles.iter().any(|r| self.role.matches_ignoring_case(r.as_str())))
            && (self.tenant.is_any() || seen.tenant.is_some_and(|tenant| self.tenant.matches(tenant)))
            && self.workflow.matches(seen.workflow)
            && self.origin.is_none_or(|origin| origin == seen.origin)
            && (self.effect.is_empty() || effect.is_some_and(|effect| self.effect.contains(&effect)))
            && (self.reversibility.is_empty()
                || reversibility.is_some_and(|given| self.reversibility.contains(&given)))
    }

    /// Whether a rule that gives something gives it to this: to a text that is not the project's only where it says so.
    pub(crate) fn gives(&self, seen: &Seen<'_>) -> bool {
        (self.origin.is_some() || seen.origin.is_project()) && self.matches(seen)
    }

    /// How specific the scope is, for quotas of one group: tenant and action, tenant, action, neither.
    pub(crate) fn specificity(&self) -> u8 {
        u8::from(!self.tenant.is_any()) * 2 + u8::from(!self.action.is_any())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_the_whole_text() {
        for (pattern, text, wanted) in [
            ("*", "", true),
            ("*", "anything", true),
            ("http.*", "http.call", true),
            ("http.*", "http", false),
            ("*.call", "openapi.call", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
            ("r?n", "run", true),
            ("r?n", "rn", false),
            ("é*", "éa", true),
            ("", "", true),
            ("", "a", false),
            ("a**b", "ab", true),
        ] {
            assert_eq!(glob(pattern, text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn hostile_patterns_end_soon() {
        let pattern = "a*".repeat(64);
        assert!(!glob(&pattern, &format!("{}b", "a".repeat(5_000))) || pattern.ends_with('*'));
        assert!(!glob(&format!("{pattern}c"), &"a".repeat(5_000)));
    }
}

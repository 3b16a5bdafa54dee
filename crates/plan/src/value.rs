//! Values of attributes: references inside of them, and secrets, of which only references and keyed digests exist here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use model::program::{SECRET_CLOSE, SECRET_OPEN};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::name::{Name, ResourceId};

/// Attributes by name.
pub type Values = BTreeMap<Name, Arc<Value>>;

/// Starts a reference to another resource's attribute inside a text (a Unicode private-use character).
pub(crate) const OUTPUT_OPEN: char = '\u{f8f2}';
/// Ends such a reference.
pub(crate) const OUTPUT_CLOSE: char = '\u{f8f3}';

/// The text that stands for `attribute` of `resource` wherever a configuration uses it. A text that is nothing but one
/// reference becomes the attribute's value with its type; inside a longer text the value is written into it.
///
/// It means the resource on the same host or, where it is not there, its only instance.
pub fn output_reference(resource: &ResourceId, attribute: &Name) -> String {
    format!("{OUTPUT_OPEN}{resource}#{attribute}{OUTPUT_CLOSE}")
}

/// An attribute of another resource. Written `file/nginx.conf#checksum`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputRef {
    /// Whose.
    pub resource: ResourceId,
    /// Which.
    pub attribute: Name,
}

impl fmt::Display for OutputRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.resource, self.attribute)
    }
}

impl FromStr for OutputRef {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (resource, attribute) =
            text.split_once('#').ok_or_else(|| format!("`{text}` is not a reference RESOURCE#ATTRIBUTE"))?;
        let resource = resource.parse().map_err(|error: crate::NameError| error.to_string())?;
        let attribute = attribute.parse().map_err(|error: crate::NameError| error.to_string())?;
        Ok(Self { resource, attribute })
    }
}

/// Calls `found` with every reference to an output in `value`; one that cannot be read is answered as an error.
pub(crate) fn each_reference(value: &Value, found: &mut impl FnMut(OutputRef)) -> Result<(), String> {
    match value {
        Value::String(text) if text.contains(OUTPUT_OPEN) => {
            for piece in text.split(OUTPUT_OPEN).skip(1) {
                let (inside, _) =
                    piece.split_once(OUTPUT_CLOSE).ok_or_else(|| "a reference has no end".to_owned())?;
                found(inside.parse()?);
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| each_reference(item, found)),
        Value::Object(members) => members.values().try_for_each(|member| each_reference(member, found)),
        _ => Ok(()),
    }
}

fn any_text(value: &Value, holds: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => holds(text),
        Value::Array(items) => items.iter().any(|item| any_text(item, holds)),
        Value::Object(members) => members.values().any(|member| any_text(member, holds)),
        _ => false,
    }
}

/// Whether `value` refers to a secret anywhere.
pub(crate) fn has_secret(value: &Value) -> bool {
    any_text(value, &|text| text.contains(SECRET_OPEN))
}

/// Whether `value` refers to an output of another resource anywhere.
pub(crate) fn has_reference(value: &Value) -> bool {
    any_text(value, &refers_to_output)
}

/// What a provider shows people in place of a value that nobody could declare: `{"shown": TEXT}`.
pub(crate) fn outline(value: &Value) -> Option<&str> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get("shown")?.as_str()
}

/// Whether `text` refers to an output of another resource.
pub fn refers_to_output(text: &str) -> bool {
    text.contains(OUTPUT_OPEN)
}

/// The name of the secret that `value` is a reference to and nothing else.
pub(crate) fn whole_secret(value: &Value) -> Option<&str> {
    let inside = value.as_str()?.strip_prefix(SECRET_OPEN)?.strip_suffix(SECRET_CLOSE)?;
    (!inside.contains([SECRET_OPEN, SECRET_CLOSE])).then_some(inside)
}

/// `value` with every reference replaced by what `lookup` gives. References it has no value for are left, and named.
pub(crate) fn substitute(
    value: &Value,
    lookup: &mut impl FnMut(&OutputRef) -> Option<Arc<Value>>,
    missing: &mut Vec<OutputRef>,
) -> Value {
    match value {
        Value::String(text) if text.contains(OUTPUT_OPEN) => substitute_text(text, lookup, missing),
        Value::Array(items) => items.iter().map(|item| substitute(item, lookup, missing)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), substitute(member, lookup, missing)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// `value` with every reference to an output replaced by what `lookup` gives, and the references it gave nothing for.
pub fn fill(
    value: &Arc<Value>,
    mut lookup: impl FnMut(&OutputRef) -> Option<Arc<Value>>,
) -> (Arc<Value>, Vec<OutputRef>) {
    if !has_reference(value) {
        return (value.clone(), Vec::new());
    }
    let mut missing = Vec::new();
    let filled = substitute(value, &mut lookup, &mut missing);
    (Arc::new(filled), missing)
}

/// The references to outputs in `value` that can be read.
pub fn references_in(value: &Value) -> Vec<OutputRef> {
    let mut found = Vec::new();
    if has_reference(value) {
        // what cannot be read is refused where the configuration is read
        drop(each_reference(value, &mut |reference| found.push(reference)));
    }
    found
}

fn substitute_text(
    text: &str,
    lookup: &mut impl FnMut(&OutputRef) -> Option<Arc<Value>>,
    missing: &mut Vec<OutputRef>,
) -> Value {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OUTPUT_OPEN) {
        let Some((inside, tail)) = after.split_once(OUTPUT_CLOSE) else { break };
        let Ok(reference) = inside.parse::<OutputRef>() else { break };
        let found = lookup(&reference);
        if let Some(value) = &found
            && before.is_empty()
            && tail.is_empty()
            && out.is_empty()
        {
            return Value::clone(value);
        }
        out.push_str(before);
        match found.as_deref() {
            Some(Value::String(text)) => out.push_str(text),
            Some(other) => out.push_str(&other.to_string()),
            None => {
                out.push_str(&output_reference(&reference.resource, &reference.attribute));
                missing.push(reference);
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    Value::String(out)
}

/// `value` as people may see it: references named in words.
pub(crate) fn for_people(value: &Value) -> String {
    named(match value {
        Value::String(text) => format!("{text:?}"),
        other => outline(other).map_or_else(|| other.to_string(), str::to_owned),
    })
}

/// The same in full: a text of several lines is those lines.
pub(crate) fn in_full(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('\n') => named(text.clone()),
        other => for_people(other),
    }
}

/// The marks of references: how they are escaped, what they are, and words for people.
pub(crate) const MARKS: [(&str, char, &str); 4] = [
    ("\\u{f8f0}", SECRET_OPEN, "(secret "),
    ("\\u{f8f1}", SECRET_CLOSE, ")"),
    ("\\u{f8f2}", OUTPUT_OPEN, "("),
    ("\\u{f8f3}", OUTPUT_CLOSE, ")"),
];

/// A text with words in place of the marks of references.
fn named(mut text: String) -> String {
    for (escaped, mark, words) in MARKS {
        if text.contains(mark) || text.contains(escaped) {
            text = text.replace(mark, words).replace(escaped, words);
        }
    }
    text
}

/// A keyed digest of a secret value: tells that two are the same without telling what they are. Written `hmac-sha256:`
/// and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seal([u8; 32]);

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hmac-sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Seal {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is not a keyed digest");
        let hex = text.strip_prefix("hmac-sha256:").ok_or_else(refuse)?;
        let digest: model::Digest = format!("sha256:{hex}").parse().map_err(|_| refuse())?;
        Ok(Self(*digest.as_bytes()))
    }
}

impl Serialize for Seal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Seal {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Seal".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^hmac-sha256:[0-9a-f]{64}$", "description": "a keyed digest" })
    }
}

/// The environment's key for [`Seal`]s. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

impl SealingKey {
    /// A key of 32 random bytes, drawn by the caller.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The keyed digest (HMAC-SHA-256, RFC 2104) of the canonical form of `value`.
    pub fn seal(&self, value: &Value) -> Seal {
        let bytes = Zeroizing::new(model::canonical::to_vec(value));
        let mut mac =
            Hmac::<sha2::Sha256>::new_from_slice(&*self.0).expect("HMAC takes keys of every length");
        mac.update(&bytes);
        Seal(mac.finalize().into_bytes().into())
    }
}

/// A value that was found or applied. What is secret is here as a keyed digest only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Held {
    /// A plain value.
    Plain {
        /// It.
        value: Arc<Value>,
    },
    /// A secret.
    Secret {
        /// The text with references that it was applied from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Arc<Value>>,
        /// Its keyed digest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seal: Option<Seal>,
    },
}

impl Held {
    /// A plain value.
    pub fn plain(value: impl Into<Value>) -> Self {
        Self::Plain { value: Arc::new(value.into()) }
    }

    /// The value, when it is plain.
    pub fn value(&self) -> Option<&Arc<Value>> {
        match self {
            Self::Plain { value } => Some(value),
            Self::Secret { .. } => None,
        }
    }
}

/// What a plan knows of one side of one attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Term {
    /// There is none.
    Absent,
    /// A value that is known.
    Known {
        /// It.
        value: Arc<Value>,
    },
    /// A value that the provider expects, and that applying may prove wrong.
    Predicted {
        /// It.
        value: Arc<Value>,
    },
    /// Not known before other changes are made.
    Unknown {
        /// The outputs it comes from, `RESOURCE#ATTRIBUTE`; empty when the resource itself yields it.
        on: Vec<String>,
    },
    /// A secret.
    Secret {
        /// The text with references.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Arc<Value>>,
        /// Its keyed digest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seal: Option<Seal>,
    },
}

impl From<&Held> for Term {
    fn from(held: &Held) -> Self {
        match held {
            Held::Plain { value } => Self::Known { value: value.clone() },
            Held::Secret { reference, seal } => Self::Secret { reference: reference.clone(), seal: *seal },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reference(text: &str) -> String {
        let reference: OutputRef = text.parse().unwrap();
        output_reference(&reference.resource, &reference.attribute)
    }

    #[test]
    fn a_whole_reference_keeps_its_type_and_a_part_becomes_text() {
        let value = json!({"port": reference("svc#port"), "url": format!("http://x:{}/", reference("svc#port")), "n": 1});
        let mut missing = Vec::new();
        let mut lookup = |_: &OutputRef| Some(Arc::new(json!(8080)));
        assert_eq!(
            substitute(&value, &mut lookup, &mut missing),
            json!({"port": 8080, "url": "http://x:8080/", "n": 1})
        );
        assert!(missing.is_empty());
        let mut nothing = |_: &OutputRef| None;
        assert_eq!(substitute(&value, &mut nothing, &mut missing), value, "what is missing is left as it is");
        assert_eq!(missing.len(), 2);
    }

    #[test]
    fn seals_tell_same_from_different_and_are_bound_to_the_key() {
        let (a, b) = (SealingKey::new([1; 32]), SealingKey::new([2; 32]));
        assert_eq!(a.seal(&json!("x")), a.seal(&json!("x")));
        assert_ne!(a.seal(&json!("x")), a.seal(&json!("y")));
        assert_ne!(a.seal(&json!("x")), b.seal(&json!("x")));
        assert_eq!(a.seal(&json!(1)).to_string().parse::<Seal>().unwrap(), a.seal(&json!(1.0)));
        assert_eq!(format!("{a:?}"), "SealingKey(..)");
    }
}

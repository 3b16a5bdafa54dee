//! Values that are handed on more often than they are looked into: [`Json`].

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::canonical::{self, CanonicalError, DEPTH_MAX, Raw, SERDE_JSON_PRIVATE, Text};

/// A JSON value that is shared, as a text, as a tree, or as both. It is a [`Value`] to whoever looks into it; where nobody does,
/// what was made or read as text is written, digested, kept and dropped without a tree of it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let made = model::Json::of(&[1.0, 2.5])?;
/// assert_eq!(serde_json::to_string(&made)?, "[1,2.5]");
/// assert_eq!(made[1], 2.5);
/// assert_eq!(made.read::<(u8, f64)>()?, (1, 2.5));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Json(Arc<Form>);

/// The levels at which values stand in a record, and some more.
pub const PART_DEPTH: usize = 16;

/// The tree of a text, once somebody has looked into it.
type Looked = OnceLock<Value>;

enum Form {
    Tree(Value),
    /// In canonical form.
    Text(Text, Looked),
    /// In the form it was read in, which may be another.
    Read(Box<str>, Looked),
}

impl Json {
    /// What a value is as JSON, written once, in canonical form. Numbers are those that a reader gets.
    ///
    /// # Errors
    /// It has no canonical form, or nests so deep that no record can hold it ([`PART_DEPTH`] levels less than
    /// [`canonical::DEPTH_MAX`]).
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, CanonicalError> {
        let mut text = Vec::with_capacity(512);
        canonical::serialize_below(value, &mut text, PART_DEPTH)?;
        Ok(Self(Arc::new(Form::Text(Text::of_bytes(text), Looked::new()))))
    }

    /// What it stands for as a type, without a tree of it where there is a text.
    ///
    /// # Errors
    /// It is not of that type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match self.text() {
            Some(text) => serde_json::from_str(text),
            None => T::deserialize(&**self),
        }
    }

    /// Whether it is an object.
    pub fn is_map(&self) -> bool {
        self.text().map_or_else(|| self.is_object(), |text| text.starts_with('{'))
    }

    /// Whether an object in it, itself or deeper, may have a member of this plain ASCII name. No is certain, and needs no tree.
    pub fn may_have(&self, name: &str) -> bool {
        // letters in a text are not escaped: one where they are was made a tree
        let Some(mut rest) = self.text() else { return true };
        while let Some((_, after)) = rest.split_once(name) {
            if after.starts_with('"') {
                return true;
            }
            rest = after;
        }
        false
    }

    /// The text that it is, if it is one.
    fn text(&self) -> Option<&str> {
        match &*self.0 {
            Form::Tree(_) => None,
            Form::Text(text, _) => Some(text.as_str()),
            Form::Read(text, _) => Some(text),
        }
    }

    /// Its canonical form has no more bytes than this.
    pub fn most_bytes(&self) -> usize {
        match &*self.0 {
            Form::Text(text, _) => text.as_str().len(),
            Form::Tree(_) | Form::Read(..) => canonical::most_bytes(self),
        }
    }

    /// Makes its numbers those that a reader of its canonical form gets ([`canonical::normalize`]).
    pub fn normalize(&mut self) {
        // what is shared is not copied without need
        if !matches!(&*self.0, Form::Text(..)) && !canonical::is_normal(self) {
            let mut tree = Value::clone(self);
            canonical::normalize(&mut tree);
            *self = tree.into();
        }
    }
}

/// The tree, which is made when it is first asked for.
impl Deref for Json {
    type Target = Value;

    fn deref(&self) -> &Value {
        let read = |text: &str| serde_json::from_str(text).expect("what can fail was tried when it was read");
        match &*self.0 {
            Form::Tree(tree) => tree,
            Form::Text(text, looked) => looked.get_or_init(|| text.value()),
            Form::Read(text, looked) => looked.get_or_init(|| read(text)),
        }
    }
}

impl From<Value> for Json {
    fn from(tree: Value) -> Self {
        Self(Arc::new(Form::Tree(tree)))
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        match (&*self.0, &*other.0) {
            _ if Arc::ptr_eq(&self.0, &other.0) => true,
            (Form::Text(one, _), Form::Text(other, _)) => one.as_str() == other.as_str(),
            _ => **self == **other,
        }
    }
}

impl Eq for Json {}

impl PartialEq<Value> for Json {
    fn eq(&self, other: &Value) -> bool {
        **self == *other
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            Form::Tree(tree) => tree.serialize(serializer),
            Form::Text(text, _) => text.serialize(serializer),
            Form::Read(text, _) => Raw(text).serialize(serializer),
        }
    }
}

/// From JSON only, by `serde_json`, and where nothing has put the value aside before (`untagged`, `flatten`).
impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<str>::from(Box::<RawValue>::deserialize(deserializer)?);
        if is_plain(&text) {
            return Ok(Self(Arc::new(Form::Read(text, Looked::new()))));
        }
        serde_json::from_str::<Value>(&text).map(Self::from).map_err(D::Error::custom)
    }
}

/// Digits in a row that no reader has trouble with.
const DIGITS_MAX: u32 = 15;

/// Whether a text that is JSON by its syntax is a value for certain. Where it says no, it may be one all the same: an escape may
/// stand for half a character, a number be too large, arrays nest deeper than readers go, a name mean something else to a reader.
fn is_plain(text: &str) -> bool {
    if text.contains(SERDE_JSON_PRIVATE) {
        return false;
    }
    let (mut depth, mut digits, mut quoted) = (0_usize, 0_u32, false);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if quoted {
            match byte {
                b'"' => quoted = false,
                b'\\' if bytes.next() == Some(b'u') => return false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                if digits > DIGITS_MAX {
                    return false;
                }
                continue;
            }
            b'e' | b'E' if digits > 0 => return false,
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return false;
                }
            }
            b']' | b'}' => depth -= 1,
            b'"' => quoted = true,
            _ => {}
        }
        digits = 0;
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn written(json: &Json) -> String {
        let mut out = Vec::new();
        canonical::serialize(json, &mut out).expect("canonical");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn however_it_was_made_it_is_the_value() {
        let value = json!({"b": [1, 2.5, null], "a": {"text": "\u{1f600}\"\\"}, "c": true});
        let read = serde_json::from_str::<Json>(&value.to_string()).expect("read");
        let spaced =
            serde_json::from_str::<Json>(&serde_json::to_string_pretty(&value).expect("JSON")).expect("read");
        for json in [Json::from(value.clone()), Json::of(&value).expect("canonical"), read, spaced] {
            assert_eq!(json, value);
            assert_eq!(json, Json::from(value.clone()));
            assert_eq!(json["b"][1], 2.5);
            assert_eq!(json.read::<Value>().expect("read"), value);
            assert_eq!(serde_json::to_value(&json).expect("JSON"), value);
            assert_eq!(serde_json::from_value::<Json>(value.clone()).expect("read"), value);
            assert_eq!(
                written(&json),
                "{\"a\":{\"text\":\"\u{1f600}\\\"\\\\\"},\"b\":[1,2.5,null],\"c\":true}"
            );
            assert!(json.most_bytes() >= written(&json).len());
            assert_eq!(format!("{json:?}"), format!("{value:?}"));
            assert!(json.may_have("a") && json.may_have("text"));
        }
        assert_ne!(Json::of(&1).expect("canonical"), Json::of(&2).expect("canonical"));
        for (value, is_map) in [(json!({}), true), (json!([{}]), false), (json!("{"), false)] {
            assert_eq!(Json::from(value.clone()).is_map(), is_map);
            assert_eq!(Json::of(&value).expect("canonical").is_map(), is_map);
        }
    }

    #[test]
    fn what_was_made_fits_into_what_can_be_read() {
        let nested = |depth: usize| (0..depth).fold(json!(1), |value, _| json!([value]));
        let most = DEPTH_MAX - PART_DEPTH;
        let made = Json::of(&nested(most)).expect("canonical");
        let mut around = Vec::new();
        canonical::serialize_below(&made, &mut around, PART_DEPTH).expect("canonical");
        let around =
            "[".repeat(PART_DEPTH) + std::str::from_utf8(&around).expect("text") + &"]".repeat(PART_DEPTH);
        assert!(serde_json::from_str::<Value>(&around).is_ok());
        assert_eq!(Json::of(&nested(most + 1)), Err(CanonicalError::TooDeep));
    }

    #[test]
    fn numbers_are_those_of_the_canonical_form_where_they_were_made_so_or_asked_for() {
        let large = (1_u64 << 53) + 1;
        assert_eq!(Json::of(&json!([1.0, large])).expect("canonical"), json!([1, 1_u64 << 53]));
        assert_eq!(Json::from(json!([1.0, large])), json!([1.0, large]));
        let mut made = Json::from(json!([1.0, large]));
        made.normalize();
        assert_eq!(made, json!([1, 1_u64 << 53]));
    }

    #[test]
    fn what_is_no_value_is_refused_when_it_is_read() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for text in [r#"["\ud800"]"#, &deep, "[1,]", ""] {
            assert!(serde_json::from_str::<Json>(text).is_err(), "{text}");
        }
        let at_the_limit = "[".repeat(DEPTH_MAX) + &"]".repeat(DEPTH_MAX);
        for text in ["12345678901234567890", "1e3", r#""\u00e9""#, "-0", "0.1234567890123456", &at_the_limit]
        {
            let read = serde_json::from_str::<Json>(text).expect("a value");
            assert_eq!(read, serde_json::from_str::<Value>(text).expect("a value"), "{text}");
        }
        // another value, or none, to who reads it
        let private = r#"{"$serde_json::private::RawValue":"1","a":1}"#;
        assert_eq!(
            serde_json::from_str::<Json>(private).ok(),
            serde_json::from_str::<Value>(private).ok().map(Json::from)
        );
        assert!(Json::of(&json!({"a": 1, "$serde_json::private::RawValue": "x"})).is_err());
        // a number or not, as serde_json was built
        let (read, tree) = (serde_json::from_str::<Json>("1e999"), serde_json::from_str::<Value>("1e999"));
        assert_eq!(read.is_ok(), tree.is_ok());
    }

    proptest! {
        /// Whatever can be read has a tree, and it is the one that `serde_json` makes of the text.
        #[test]
        fn what_is_read_as_text_can_be_looked_into(text in r#"[\[\]{}",:0-9eE.+\-\\u dtrfalsn]{0,40}"#) {
            let tree = serde_json::from_str::<Value>(&text).ok();
            let json = serde_json::from_str::<Json>(&text).ok();
            prop_assert_eq!(json.map(|json| Value::clone(&json)), tree);
        }
    }
}

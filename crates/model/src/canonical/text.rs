//! Values that stay in the text they were written in.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use serde_json::Value;

/// The name under which a [`Text`] reaches the serializer of this module, which takes it as it stands.
pub(super) const VERBATIM: &str = "$aedile::canonical::Text";

/// The name under which `serde_json` knows text that is JSON already. It is in `serde_json`'s `raw.rs`, which says that data
/// formats need not care for it: its own do.
pub(super) const SERDE_JSON_RAW: &str = "$serde_json::private::RawValue";

/// A value in canonical form: a part of a text that is shared. However large the value is, to keep it costs nothing, and what
/// it is a member of is digested without a tree of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    whole: Arc<str>,
    part: Range<usize>,
}

impl Text {
    /// What was written in canonical form.
    pub(crate) fn of_bytes(written: Vec<u8>) -> Self {
        let text = String::from_utf8(written).expect("canonical JSON is text");
        Self { part: 0..text.len(), whole: text.into() }
    }

    /// The value that is a part of a text. The caller knows that the part is one value in canonical form; nothing if it lies
    /// outside the text.
    ///
    /// ```
    /// let text = model::canonical::Text::within(r#"{"plan":[1]}"#.into(), 8..11).unwrap();
    /// assert_eq!((text.as_str(), text.value()), ("[1]", serde_json::json!([1])));
    /// ```
    pub fn within(whole: Arc<str>, part: Range<usize>) -> Option<Self> {
        whole.get(part.clone())?;
        Some(Self { whole, part })
    }

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.whole[self.part.clone()]
    }

    /// The value as a tree.
    ///
    /// # Panics
    /// The text is no value, against the word of who made this; or it nests deeper than any reader goes (127 levels).
    pub fn value(&self) -> Value {
        serde_json::from_str(self.as_str()).expect("it is the canonical form of a value")
    }
}

impl From<&Value> for Text {
    fn from(value: &Value) -> Self {
        Self::of_bytes(super::to_vec(value))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes the value. To the serializers of this module and of `serde_json` that costs no more than its bytes; others are not
/// for what holds one.
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(VERBATIM, &Raw(self.as_str()))
    }
}

/// Text that is JSON, as `serde_json` knows it.
pub(crate) struct Raw<'a>(pub(crate) &'a str);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut raw = serializer.serialize_struct(SERDE_JSON_RAW, 1)?;
        raw.serialize_field(SERDE_JSON_RAW, self.0)?;
        raw.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::serialize;
    use super::*;

    #[test]
    fn a_text_is_written_as_the_value_it_is_the_form_of() {
        #[derive(serde::Serialize)]
        struct Holding<T> {
            z: T,
            a: T,
        }
        for value in [json!(null), json!("\"a\\\u{1f600}"), json!({"b": [1.5, 2], "a": {}})] {
            let text = Text::from(&value);
            assert_eq!(text.value(), value);
            let (mut of_text, mut of_value) = (Vec::new(), Vec::new());
            let holding = Holding { z: &text, a: &text };
            serialize(&holding, &mut of_text).unwrap();
            serialize(&Holding { z: &value, a: &value }, &mut of_value).unwrap();
            assert_eq!(of_text, of_value);
            assert_eq!(serde_json::to_value(&holding).unwrap(), json!({ "z": value, "a": value }));
            let said = serde_json::to_string(&holding).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), json!({ "z": value, "a": value }));
        }
    }

    #[test]
    fn what_lies_outside_a_text_is_no_part_of_it() {
        for part in [0..4, 1..3, 1..2] {
            assert_eq!(Text::within("\u{e9}1".into(), part.clone()), None, "{part:?}");
        }
    }
}

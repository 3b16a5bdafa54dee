//! Values that stay in the text they were written in.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::ser::{Serialize, Serializer};
use serde_json::Value;

/// The name under which [`Text::verbatim`] reaches the serializer of this module.
pub(super) const VERBATIM: &str = "$aedile::canonical::Text";

/// A value in canonical form: a part of a text that is shared. However large the value is, to keep it costs nothing, and what
/// it is a member of is digested without a tree of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    whole: Arc<str>,
    part: Range<usize>,
}

impl Text {
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

    /// The value as [`super::serialize`] writes it. Any other serializer makes a string of it.
    pub const fn verbatim(&self) -> Verbatim<'_> {
        Verbatim(self)
    }
}

impl From<&Value> for Text {
    fn from(value: &Value) -> Self {
        let text = String::from_utf8(super::to_vec(value)).expect("canonical JSON is text");
        Self { part: 0..text.len(), whole: text.into() }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// See [`Text::verbatim`].
#[derive(Debug, Clone, Copy)]
pub struct Verbatim<'a>(&'a Text);

impl Serialize for Verbatim<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(VERBATIM, self.0.as_str())
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
            serialize(&Holding { z: text.verbatim(), a: text.verbatim() }, &mut of_text).unwrap();
            serialize(&Holding { z: &value, a: &value }, &mut of_value).unwrap();
            assert_eq!(of_text, of_value);
        }
    }

    #[test]
    fn what_lies_outside_a_text_is_no_part_of_it() {
        for part in [0..4, 1..3, 1..2] {
            assert_eq!(Text::within("\u{e9}1".into(), part.clone()), None, "{part:?}");
        }
    }
}

//! Text of a syntax tree, shared with the source it was read from.

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Deref, Range};

use arcstr::{ArcStr, Substr};

/// A piece of source text, or a text made without a source. Cloning it copies no text, and neither does reading one
/// from a source: all pieces of one source share it, and keep it alive.
///
/// ```
/// use cue::syntax::Text;
///
/// let name = Text::from("port");
/// assert_eq!(name, "port");
/// assert!(name.starts_with('p'));
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Substr);

impl Text {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// A piece of `source`; nothing where the range is not one of whole characters within it.
    pub(crate) fn slice(source: &ArcStr, range: Range<usize>) -> Self {
        if source.get(range.clone()).is_some() { Self(source.substr(range)) } else { Self::default() }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Substr::from(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Substr::from(text))
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

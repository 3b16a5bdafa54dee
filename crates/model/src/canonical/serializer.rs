//! Writes any [`serde::Serialize`] straight into canonical form, without a tree in between.
//!
//! Members are written as they come and put in order when their object ends; where they came in order, as
//! they do from maps and from types that declare their fields so, nothing is moved.

use std::fmt::{self, Display};

use serde::ser::{self, Serialize};

mod members;

use self::members::{Object, Struct};
use super::text::{SERDE_JSON_RAW, VERBATIM};
use super::{compare_names, write_decimal, write_double, write_string, write_string_content};

/// How deep arrays and objects may nest. Readers (`serde_json`) stop at 127; an envelope takes some of that.
pub const DEPTH_MAX: usize = 120;

/// Numbers of `serde_json` arrive under this name where some crate turned its arbitrary precision on.
const SERDE_JSON_NUMBER: &str = "$serde_json::private::Number";

/// What names begin with that `serde_json` keeps for itself: it reads an object whose first member has one as something else, or
/// not at all.
pub(crate) const SERDE_JSON_PRIVATE: &str = "$serde_json::private::";

/// A value that has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// JSON has no form for it.
    #[error("{0} has no canonical form")]
    Impossible(&'static str),
    /// It nests deeper than [`DEPTH_MAX`], with what it is a part of.
    #[error("it nests deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// Its own serialisation failed.
    #[error("{0}")]
    Custom(String),
}

impl ser::Error for CanonicalError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

/// Appends the canonical form of `value` to `out`. After an error `out` is as it was.
///
/// ```
/// #[derive(serde::Serialize)]
/// struct Point { y: f64, x: u8 }
/// let mut out = Vec::new();
/// model::canonical::serialize(&Point { y: 2.0, x: 1 }, &mut out).unwrap();
/// assert_eq!(out, br#"{"x":1,"y":2}"#);
/// ```
pub fn serialize<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    serialize_and_tell(value, out).map(drop)
}

/// The same, and tells whether a reader gets the very numbers that were written: false where one of them was larger than
/// a double holds exactly, or a whole one in a double. Those are other values in memory ([`super::normalize`]).
///
/// # Errors
/// As [`serialize`].
pub fn serialize_and_tell<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<bool, CanonicalError> {
    serialize_below(value, out, 0)
}

/// The same of a value that is going to be a part of another, so many levels down.
pub(crate) fn serialize_below<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<bool, CanonicalError> {
    let start = out.len();
    let (members, scratch) = (Vec::new(), Vec::new());
    let mut serializer = Canonical { out, members, scratch, depth, verbatim: false, normal: true };
    let result = value.serialize(&mut serializer).map(|()| serializer.normal);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// One member of an object that is being written: where it lies in the output.
#[derive(Clone, Copy)]
struct Member {
    /// Its opening quote.
    start: usize,
    /// Its closing quote.
    name_end: usize,
    /// One past its value.
    end: usize,
}

pub(crate) struct Canonical<'o> {
    out: &'o mut Vec<u8>,
    /// Members of all open objects; each object knows where its own begin.
    members: Vec<Member>,
    scratch: Vec<u8>,
    depth: usize,
    /// What comes next is the form of a value ([`super::Text`]).
    verbatim: bool,
    /// Every number so far is the one that its reader gets.
    normal: bool,
}

impl<'o> Canonical<'o> {
    fn enter(&mut self) -> Result<(), CanonicalError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(CanonicalError::TooDeep) } else { Ok(()) }
    }

    fn open<'a>(&'a mut self, close: &'static [u8]) -> Result<Object<'a, 'o>, CanonicalError> {
        self.enter()?;
        self.out.push(b'{');
        let base = self.members.len();
        Ok(Object { serializer: self, base, close })
    }

    fn begin_member(&mut self, base: usize, name: &str) {
        if self.members.len() > base {
            self.out.push(b',');
        }
        let start = self.out.len();
        write_string(name, self.out);
        self.named(start);
    }

    fn named(&mut self, start: usize) {
        let name_end = self.out.len() - 1;
        self.members.push(Member { start, name_end, end: 0 });
        self.out.push(b':');
    }

    /// The text that a value is, which is not written.
    fn text_of<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<String, CanonicalError> {
        let start = self.out.len();
        value.serialize(&mut *self)?;
        let text = serde_json::from_slice(&self.out[start..]);
        self.out.truncate(start);
        text.map_err(|_| CanonicalError::Impossible("a value in disguise that is no text"))
    }

    fn end_member(&mut self, index: usize) {
        self.members[index].end = self.out.len();
    }

    fn name<'b>(bytes: &'b [u8], member: &Member) -> &'b [u8] {
        &bytes[member.start + 1..member.name_end]
    }

    /// Orders two members by name as RFC 8785 section 3.2.3 says.
    fn order(bytes: &[u8], a: &Member, b: &Member) -> std::cmp::Ordering {
        let (a, b) = (Self::name(bytes, a), Self::name(bytes, b));
        // what both begin with says nothing, unless it ends within an escape or a character
        let plain = |byte: &u8| byte.is_ascii() && *byte != b'\\';
        let same = a.iter().zip(b).take_while(|(a, b)| a == b && plain(a)).count();
        match (a.get(same), b.get(same)) {
            (Some(a), Some(b)) if plain(a) && plain(b) => return a.cmp(b),
            (None, rest) => {
                return if rest.is_some() { std::cmp::Ordering::Less } else { std::cmp::Ordering::Equal };
            }
            (_, None) => return std::cmp::Ordering::Greater,
            _ => {}
        }
        // escapes and other scripts are rare in names: unescape and compare as the RFC puts it
        let text = |name: &[u8]| {
            let mut quoted = Vec::with_capacity(name.len() + 2);
            quoted.push(b'"');
            quoted.extend_from_slice(name);
            quoted.push(b'"');
            serde_json::from_slice::<String>(&quoted).unwrap_or_default()
        };
        compare_names(&text(a), &text(b))
    }

    /// Puts the members from `base` on in order and forgets them.
    fn close_object(&mut self, base: usize) -> Result<(), CanonicalError> {
        use std::cmp::Ordering;

        let bytes = &self.out[..];
        let mut sorted = true;
        for pair in self.members[base..].windows(2) {
            match Self::order(bytes, &pair[0], &pair[1]) {
                Ordering::Less => {}
                Ordering::Equal => return Err(CanonicalError::Impossible("an object with a name twice")),
                Ordering::Greater => sorted = false,
            }
        }
        if !sorted {
            let from = self.members[base].start;
            self.members[base..].sort_by(|a, b| Self::order(bytes, a, b));
            self.scratch.clear();
            for (index, member) in self.members[base..].iter().enumerate() {
                if index > 0 {
                    if Self::order(bytes, &self.members[base + index - 1], member) == Ordering::Equal {
                        return Err(CanonicalError::Impossible("an object with a name twice"));
                    }
                    self.scratch.push(b',');
                }
                self.scratch.extend_from_slice(&bytes[member.start..member.end]);
            }
            self.out.truncate(from);
            self.out.extend_from_slice(&self.scratch);
        }
        self.members.truncate(base);
        self.depth -= 1;
        Ok(())
    }
}

/// Escapes what is formatted into it.
struct Escaped<'o>(&'o mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_string_content(text, self.0);
        Ok(())
    }
}

impl<'a, 'o> ser::Serializer for &'a mut Canonical<'o> {
    type Ok = ();
    type Error = CanonicalError;
    type SerializeSeq = Array<'a, 'o>;
    type SerializeTuple = Array<'a, 'o>;
    type SerializeTupleStruct = Array<'a, 'o>;
    type SerializeTupleVariant = Array<'a, 'o>;
    type SerializeMap = Object<'a, 'o>;
    type SerializeStruct = Struct<'a, 'o>;
    type SerializeStructVariant = Object<'a, 'o>;

    fn serialize_bool(self, value: bool) -> Result<(), CanonicalError> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), CanonicalError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), CanonicalError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), CanonicalError> {
        self.serialize_i64(value.into())
    }

    #[expect(clippy::cast_precision_loss, reason = "RFC 8785 demands the nearest double")]
    fn serialize_i64(self, value: i64) -> Result<(), CanonicalError> {
        if value < 0 {
            if value.unsigned_abs() > super::EXACT {
                self.normal = false;
                write_double(value as f64, self.out);
                return Ok(());
            }
            self.out.push(b'-');
        }
        self.serialize_u64(value.unsigned_abs())
    }

    fn serialize_u8(self, value: u8) -> Result<(), CanonicalError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), CanonicalError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), CanonicalError> {
        self.serialize_u64(value.into())
    }

    #[expect(clippy::cast_precision_loss, reason = "RFC 8785 demands the nearest double")]
    fn serialize_u64(self, value: u64) -> Result<(), CanonicalError> {
        if value <= super::EXACT {
            write_decimal(value, self.out);
        } else {
            self.normal = false;
            write_double(value as f64, self.out);
        }
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), CanonicalError> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), CanonicalError> {
        if !value.is_finite() {
            return Err(CanonicalError::Impossible("a number that is not finite"));
        }
        self.normal &= value.fract() != 0.0;
        write_double(value, self.out);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), CanonicalError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), CanonicalError> {
        if std::mem::take(&mut self.verbatim) {
            self.out.extend_from_slice(value.as_bytes());
        } else {
            write_string(value, self.out);
        }
        Ok(())
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), CanonicalError> {
        use fmt::Write as _;
        self.out.push(b'"');
        write!(Escaped(self.out), "{value}")
            .map_err(|_| CanonicalError::Impossible("a value that cannot be displayed"))?;
        self.out.push(b'"');
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), CanonicalError> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<(), CanonicalError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CanonicalError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), CanonicalError> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), CanonicalError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), CanonicalError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        self.verbatim = name == VERBATIM;
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        self.enter()?;
        self.out.push(b'{');
        write_string(variant, self.out);
        self.out.push(b':');
        value.serialize(&mut *self)?;
        self.out.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Self::SerializeSeq, CanonicalError> {
        self.enter()?;
        self.out.push(b'[');
        Ok(Array { serializer: self, first: true, close: b"]" })
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, CanonicalError> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, CanonicalError> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, CanonicalError> {
        self.enter()?;
        self.out.push(b'{');
        write_string(variant, self.out);
        self.out.extend_from_slice(b":[");
        Ok(Array { serializer: self, first: true, close: b"]}" })
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Self::SerializeMap, CanonicalError> {
        self.open(b"}")
    }

    fn serialize_struct(
        self,
        name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStruct, CanonicalError> {
        match name {
            SERDE_JSON_NUMBER => Ok(Struct::Number(self)),
            SERDE_JSON_RAW if self.verbatim => Ok(Struct::Form(self)),
            SERDE_JSON_RAW => Ok(Struct::Raw(self)),
            _ => self.open(b"}").map(Struct::Object),
        }
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant, CanonicalError> {
        self.out.push(b'{');
        write_string(variant, self.out);
        self.out.push(b':');
        self.open(b"}}")
    }
}

/// An array being written.
pub(crate) struct Array<'a, 'o> {
    serializer: &'a mut Canonical<'o>,
    first: bool,
    close: &'static [u8],
}

impl Array<'_, '_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        if !std::mem::take(&mut self.first) {
            self.serializer.out.push(b',');
        }
        value.serialize(&mut *self.serializer)
    }

    fn finish(self) {
        self.serializer.out.extend_from_slice(self.close);
        self.serializer.depth -= 1;
    }
}

macro_rules! arrays {
    ($($trait:ident::$method:ident),*) => {$(
        impl ser::$trait for Array<'_, '_> {
            type Ok = ();
            type Error = CanonicalError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
                self.item(value)
            }

            fn end(self) -> Result<(), CanonicalError> {
                self.finish();
                Ok(())
            }
        }
    )*};
}
arrays!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

#[cfg(test)]
mod tests;

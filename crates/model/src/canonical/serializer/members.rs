//! Objects and structs being written.

use serde::ser::{self, Serialize};
use serde_json::Value;

use super::{Canonical, CanonicalError, SERDE_JSON_PRIVATE, write_string};

/// An object being written.
pub(crate) struct Object<'a, 'o> {
    pub(super) serializer: &'a mut Canonical<'o>,
    pub(super) base: usize,
    pub(super) close: &'static [u8],
}

impl Object<'_, '_> {
    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), CanonicalError> {
        self.serializer.begin_member(self.base, name);
        self.value(value)
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        let index = self.serializer.members.len() - 1;
        value.serialize(&mut *self.serializer)?;
        self.serializer.end_member(index);
        Ok(())
    }

    fn finish(self) -> Result<(), CanonicalError> {
        self.serializer.close_object(self.base)?;
        self.serializer.out.extend_from_slice(self.close);
        Ok(())
    }
}

impl ser::SerializeMap for Object<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CanonicalError> {
        if self.serializer.members.len() > self.base {
            self.serializer.out.push(b',');
        }
        let start = self.serializer.out.len();
        key.serialize(&mut *self.serializer)?;
        let written = &self.serializer.out[start..];
        if written.first() != Some(&b'"') {
            // as serde_json does: integers and booleans may be names
            let text = match written {
                [b'0'..=b'9' | b'-' | b't' | b'f', ..] => String::from_utf8_lossy(written).into_owned(),
                _ => return Err(CanonicalError::Impossible("an object whose names are not text")),
            };
            self.serializer.out.truncate(start);
            write_string(&text, self.serializer.out);
        }
        if self.serializer.out[start + 1..].starts_with(SERDE_JSON_PRIVATE.as_bytes()) {
            return Err(CanonicalError::Impossible(
                "an object with a name that readers of JSON keep for themselves",
            ));
        }
        self.serializer.named(start);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        self.value(value)
    }

    fn end(self) -> Result<(), CanonicalError> {
        self.finish()
    }
}

/// A struct being written.
pub(crate) enum Struct<'a, 'o> {
    Object(Object<'a, 'o>),
    /// A `serde_json` number in disguise: its one field is its text.
    Number(&'a mut Canonical<'o>),
    /// JSON as a text of `serde_json`, in whatever form.
    Raw(&'a mut Canonical<'o>),
    /// The canonical form of a value.
    Form(&'a mut Canonical<'o>),
}

impl Struct<'_, '_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CanonicalError> {
        match self {
            Self::Object(object) => object.member(name, value),
            Self::Number(serializer) => {
                let text = serializer.text_of(value)?;
                let number: serde_json::Number = serde_json::from_str(&text)
                    .map_err(|_| CanonicalError::Impossible("a number that is not one"))?;
                serializer.normal &= super::super::is_normal(&Value::Number(number.clone()));
                super::super::write_number(&number, serializer.out);
                Ok(())
            }
            Self::Raw(serializer) => {
                let text = serializer.text_of(value)?;
                let value: Value = serde_json::from_str(&text)
                    .map_err(|_| CanonicalError::Impossible("text that is no JSON"))?;
                value.serialize(&mut **serializer)
            }
            Self::Form(serializer) => value.serialize(&mut **serializer),
        }
    }

    fn finish(self) -> Result<(), CanonicalError> {
        match self {
            Self::Object(object) => object.finish(),
            Self::Number(_) | Self::Raw(_) | Self::Form(_) => Ok(()),
        }
    }
}

impl ser::SerializeStruct for Struct<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), CanonicalError> {
        self.finish()
    }
}

/// A struct of an enum is an object always: numbers and texts in disguise are structs of their own.
impl ser::SerializeStructVariant for Object<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        self.member(name, value)
    }

    fn end(self) -> Result<(), CanonicalError> {
        self.finish()
    }
}

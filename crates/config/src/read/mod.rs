//! From evaluated values to types: fields one by one, and everything that is wrong with them.

pub(crate) mod concise;
pub(crate) mod host;
pub(crate) mod resource;
pub(crate) mod selector;
pub(crate) mod target;
pub(crate) mod value;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;

use cue::{Located, LocatedData, Spot};
use model::{Code, Diagnostic, code::config as code};
use plan::Place;

use crate::limits;

/// Where in the document; written out only when something is wrong.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(crate) fn field(&'a self, name: &'a str) -> Self {
        Self::Field(self, name)
    }

    /// As a JSON pointer (RFC 6901).
    pub(crate) fn pointer(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Root => {}
            Self::Field(up, name) => {
                up.write(out);
                out.push('/');
                out.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Self::Item(up, index) => {
                up.write(out);
                // writing to a text cannot fail
                let _ = write!(out, "/{index}");
            }
        }
    }
}

/// The fields of a struct.
pub(crate) type Fields = [(Arc<str>, Located)];

/// A field by name.
pub(crate) fn get<'f>(fields: &'f Fields, name: &str) -> Option<&'f Located> {
    fields.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
}

pub(crate) fn place(spot: &Spot) -> Place {
    Place::new(&spot.file, spot.line, spot.column)
}

/// What was found wrong so far.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Findings {
    pub(crate) fn full(&self) -> bool {
        self.errors.len() >= limits::DIAGNOSTICS_MAX
    }

    pub(crate) fn error(
        &mut self,
        code: &'static Code,
        spot: &Spot,
        path: &Path<'_>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.error_at(code, &place(spot), path, message)
    }

    pub(crate) fn error_at(
        &mut self,
        code: &'static Code,
        place: &Place,
        path: &Path<'_>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.errors.push(Diagnostic::error(code, message, place.location(path.pointer())));
        let last = self.errors.len() - 1;
        &mut self.errors[last]
    }

    pub(crate) fn warning(&mut self, spot: &Spot, path: &Path<'_>, message: impl Into<String>) {
        let location = place(spot).location(path.pointer());
        self.warnings.push(Diagnostic::warning(code::UNKNOWN_FIELD, message, location));
    }

    /// The value has the wrong form.
    pub(crate) fn wrong(&mut self, value: &Located, path: &Path<'_>, wanted: &str) {
        let message = format!("this must be {wanted}, and is {}", kind_of(value));
        self.error(code::BAD_VALUE, &value.spot, path, message);
    }

    /// A name is none of those there are.
    pub(crate) fn unknown<'c>(
        &mut self,
        spot: &Spot,
        path: &Path<'_>,
        message: String,
        name: &str,
        known: impl IntoIterator<Item = &'c str> + Clone,
    ) {
        let hint = suggestion(name, known);
        self.error(code::UNKNOWN_FIELD, spot, path, message).hint = hint;
    }

    /// Refuses fields that are not among `known`.
    pub(crate) fn only(&mut self, fields: &Fields, path: &Path<'_>, known: &[&str]) {
        for (name, value) in fields {
            if !known.contains(&&**name) {
                let message = format!("there is no field `{name}` here");
                self.unknown(&value.spot, &path.field(name), message, name, known.iter().copied());
            }
        }
    }

    pub(crate) fn object<'v>(&mut self, value: &'v Located, path: &Path<'_>) -> Option<&'v Fields> {
        let LocatedData::Object(fields) = &value.data else {
            self.wrong(value, path, "an object");
            return None;
        };
        Some(fields)
    }

    pub(crate) fn list<'v>(&mut self, value: &'v Located, path: &Path<'_>) -> Option<&'v [Located]> {
        let LocatedData::List(items) = &value.data else {
            self.wrong(value, path, "a list");
            return None;
        };
        Some(items)
    }

    pub(crate) fn text<'v>(&mut self, value: &'v Located, path: &Path<'_>) -> Option<&'v Arc<str>> {
        let LocatedData::String(text) = &value.data else {
            self.wrong(value, path, "a text");
            return None;
        };
        if text.contains(is_reserved) {
            let message = "this text holds a character that is reserved for references (U+F8F0 to U+F8F3)";
            self.error(code::BAD_VALUE, &value.spot, path, message);
            return None;
        }
        Some(text)
    }

    pub(crate) fn boolean(&mut self, value: &Located, path: &Path<'_>) -> Option<bool> {
        let LocatedData::Bool(value) = value.data else {
            self.wrong(value, path, "true or false");
            return None;
        };
        Some(value)
    }

    /// A text that is a name of some kind.
    pub(crate) fn name<T>(&mut self, value: &Located, path: &Path<'_>) -> Option<T>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.text(value, path)?;
        self.parsed(text, &value.spot, path)
    }

    pub(crate) fn parsed<T>(&mut self, text: &str, spot: &Spot, path: &Path<'_>) -> Option<T>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        match text.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                self.error(code::BAD_VALUE, spot, path, error.to_string());
                None
            }
        }
    }

    pub(crate) fn names<T>(&mut self, value: &Located, path: &Path<'_>) -> Vec<T>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let Some(items) = self.list(value, path) else { return Vec::new() };
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| self.name(item, &Path::Item(path, index)))
            .collect()
    }

    /// Texts by name; numbers and truths are taken as they are written.
    pub(crate) fn texts(&mut self, value: &Located, path: &Path<'_>) -> BTreeMap<String, String> {
        let Some(fields) = self.object(value, path) else { return BTreeMap::new() };
        let mut found = BTreeMap::new();
        for (name, field) in fields {
            if let Some(text) = self.scalar(field, &path.field(name)) {
                found.insert(name.to_string(), text);
            }
        }
        found
    }

    /// A text, or a number or truth as it is written.
    pub(crate) fn scalar(&mut self, value: &Located, path: &Path<'_>) -> Option<String> {
        match &value.data {
            LocatedData::Number(number) => Some(number.to_string()),
            LocatedData::Bool(value) => Some(value.to_string()),
            _ => self.text(value, path).map(ToString::to_string),
        }
    }
}

/// A hint that names the nearest, or all when there are few.
pub(crate) fn suggestion<'c>(name: &str, known: impl IntoIterator<Item = &'c str> + Clone) -> Option<String> {
    if let Some(nearest) = plan::nearest(name, known.clone()) {
        return Some(format!("did you mean `{nearest}`?"));
    }
    let all: Vec<&str> = known.into_iter().take(21).collect();
    (1..=20).contains(&all.len()).then(|| format!("there are: {}", all.join(", ")))
}

/// Whether a character marks references to secrets and outputs inside of texts.
pub(crate) fn is_reserved(c: char) -> bool {
    ('\u{f8f0}'..='\u{f8f3}').contains(&c)
}

fn kind_of(value: &Located) -> &'static str {
    match &value.data {
        LocatedData::Null => "null",
        LocatedData::Bool(true) => "true",
        LocatedData::Bool(false) => "false",
        LocatedData::Number(_) => "a number",
        LocatedData::String(_) => "a text",
        LocatedData::Bytes(_) => "bytes",
        LocatedData::List(_) => "a list",
        LocatedData::Object(_) => "an object",
    }
}

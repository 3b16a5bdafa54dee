//! Source texts, values with the place they came from, and YAML that is read with positions.

use std::borrow::Cow;
use std::ops::Deref;

use model::{Code, Diagnostic, Location, code};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::limits;

/// One text of a policy set, as the caller read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name as shown to people, for example `policy/policy.yaml`. Its file name decides what it is.
    pub name: String,
    /// The text.
    pub text: String,
}

impl Source {
    /// A source.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The part of the name after the last slash.
    pub(crate) fn file_name(&self) -> &str {
        self.name.rsplit(['/', '\\']).next().unwrap_or(&self.name)
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct At<T>(serde_saphyr::Spanned<T>);

impl<T> Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> At<T> {
    /// Where it stands, `path` being its JSON pointer.
    pub(crate) fn location(&self, file: &str, path: impl Into<String>) -> Location {
        place(file, self.0.referenced, path.into())
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

fn place(file: &str, at: serde_saphyr::Location, path: String) -> Location {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Location { file: file.to_owned(), line: number(at.line()), column: number(at.column()), path }
}

/// The beginning of a source, for findings about all of it.
pub(crate) fn start(source: &Source) -> Location {
    Location { file: source.name.clone(), line: 1, column: 1, path: String::new() }
}

/// Reads YAML into `T`. The error names the place and the JSON pointer of what is wrong.
pub(crate) fn read_yaml<T: DeserializeOwned>(
    source: &Source,
    code: &'static Code,
) -> Result<T, Box<Diagnostic>> {
    if source.text.len() > limits::SOURCE_BYTES {
        let message = format!("the file has {} bytes, more than {}", source.text.len(), limits::SOURCE_BYTES);
        return Err(Box::new(Diagnostic::error(code, message, start(source))));
    }
    let options = serde_saphyr::options! { with_snippet: false };
    let mut path = String::new();
    let answer = serde_saphyr::with_deserializer_from_str_with_options(&source.text, options, |yaml| {
        serde_path_to_error::deserialize::<_, T>(yaml).map_err(|error| {
            path = pointer(error.path());
            error.into_inner()
        })
    });
    answer.map_err(|error| {
        let location = match error.location() {
            Some(at) => place(&source.name, at, path),
            None => Location { path, ..start(source) },
        };
        Box::new(Diagnostic::error(code, one_line(&error), location))
    })
}

/// The message of a YAML error without its position (which the diagnostic has) and without line breaks.
fn one_line(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    // "line 3 column 5: unknown field ..." and "... at line 3, column 5" both occur
    let first = match first.split_once(": ") {
        Some((head, rest)) if head.starts_with("line ") => rest,
        _ => first,
    };
    let first = first.find(" at line ").map_or(first, |end| &first[..end]);
    first.trim_end_matches('.').to_owned()
}

/// The JSON pointer of a path. Values with positions are read as `{value: ...}`, so that member is left out.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                out.push('/');
                out.push_str(&index.to_string());
            }
            Segment::Map { key } if key == "value" => {}
            Segment::Map { key } | Segment::Enum { variant: key } => {
                out.push('/');
                out.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {}
        }
    }
    out
}

/// A finding that refuses a policy.
pub(crate) fn bad_policy(message: impl Into<String>, location: Location) -> Diagnostic {
    Diagnostic::error(code::policy::BAD_POLICY, message, location)
}

//! Attributes' values: plain data, references to secrets (`{"$secret": ..}`) and to other resources' outputs
//! (`{"$output": ..}`), and texts put together from them (`{"$join": [..]}`).

use std::collections::BTreeSet;

use cue::{Located, LocatedData};
use model::{SecretPlace, code::config as code, program::secret_reference};
use plan::{OutputRef, output_reference};
use serde_json::{Map, Number, Value};

use super::{Fields, Findings, Path, is_reserved, suggestion};

/// What an object with one member that begins with `$` stands for.
const FORMS: [&str; 3] = ["$secret", "$output", "$join"];

/// What values refer to.
#[derive(Default)]
pub(crate) struct References {
    pub(crate) secrets: BTreeSet<String>,
}

/// The value as plans hold it. References are written the way [`plan::output_reference`] and
/// [`model::program::secret_reference`] do.
pub(crate) fn read(
    value: &Located,
    path: &Path<'_>,
    references: &mut References,
    found: &mut Findings,
) -> Option<Value> {
    Some(match &value.data {
        LocatedData::Null => Value::Null,
        LocatedData::Bool(value) => Value::Bool(*value),
        LocatedData::Number(number) => Value::Number(self::number(number).or_else(|| {
            let message = format!("{number} is not a number that plans can hold; write it as a text");
            found.error(code::BAD_VALUE, &value.spot, path, message);
            None
        })?),
        LocatedData::String(_) => Value::String(found.text(value, path)?.to_string()),
        LocatedData::Bytes(_) => {
            let message = "bytes have no form in a plan; encode them as a text (encoding/base64)";
            found.error(code::BAD_VALUE, &value.spot, path, message);
            return None;
        }
        LocatedData::List(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| read(item, &Path::Item(path, index), references, found))
                .collect::<Option<Vec<_>>>()?
                .into()
        }
        LocatedData::Object(fields) => return object(value, fields, path, references, found),
    })
}

fn object(
    value: &Located,
    fields: &Fields,
    path: &Path<'_>,
    references: &mut References,
    found: &mut Findings,
) -> Option<Value> {
    if let Some((form, inner)) = fields.iter().find(|(name, _)| name.starts_with('$')) {
        if fields.len() > 1 || !FORMS.contains(&&**form) {
            let message = if fields.len() > 1 {
                format!("`{form}` stands alone in its object")
            } else {
                format!("there is no reference `{form}`")
            };
            let hint = suggestion(form, FORMS);
            found.error(code::BAD_REFERENCE, &value.spot, &path.field(form), message).hint = hint;
            return None;
        }
        return reference(form, inner, &path.field(form), references, found).map(Value::String);
    }
    let mut members = Map::new();
    for (name, field) in fields {
        if name.contains(is_reserved) {
            let message = "this name holds a character that is reserved for references";
            found.error(code::BAD_VALUE, &field.spot, path, message);
            return None;
        }
        members.insert(name.to_string(), read(field, &path.field(name), references, found)?);
    }
    Some(Value::Object(members))
}

fn reference(
    form: &str,
    inner: &Located,
    path: &Path<'_>,
    references: &mut References,
    found: &mut Findings,
) -> Option<String> {
    if form == "$join" {
        return join(inner, path, references, found);
    }
    let text = found.text(inner, path)?.clone();
    if form == "$secret" {
        if let Err(reason) = text.parse::<SecretPlace>() {
            let hint = "write a name, env:NAME, file:PATH or age:PATH";
            found.error(code::BAD_REFERENCE, &inner.spot, path, reason).hint = Some(hint.to_owned());
            return None;
        }
        references.secrets.insert(text.to_string());
        return Some(secret_reference(&text));
    }
    match text.parse::<OutputRef>() {
        Ok(output) => Some(output_reference(&output.resource, &output.attribute)),
        Err(reason) => {
            found.error(code::BAD_REFERENCE, &inner.spot, path, reason).hint =
                Some("write RESOURCE#ATTRIBUTE".to_owned());
            None
        }
    }
}

/// A text put together: texts, numbers and references one after the other.
fn join(
    inner: &Located,
    path: &Path<'_>,
    references: &mut References,
    found: &mut Findings,
) -> Option<String> {
    let mut out = String::new();
    for (index, item) in found.list(inner, path)?.iter().enumerate() {
        let path = Path::Item(path, index);
        match read(item, &path, references, found)? {
            Value::String(text) => out.push_str(&text),
            Value::Number(number) => out.push_str(&number.to_string()),
            Value::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
            _ => {
                found.wrong(item, &path, "a text, a number, true, false or a reference");
                return None;
            }
        }
    }
    Some(out)
}

/// The number as JSON has it; whole numbers exactly or not at all.
pub(crate) fn number(number: &cue::Number) -> Option<Number> {
    if number.is_int() {
        let text = number.to_integer()?.to_string();
        return text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok();
    }
    Number::from_f64(number.to_f64())
}

/// What [`plain`] takes, in words.
pub(crate) const PLAIN: &str = "text, numbers of 64 bits, true, false, lists or objects";

/// Plain data as JSON, references and all; for variables and what helpers are given.
pub(crate) fn plain(value: &Located) -> Option<Value> {
    Some(match &value.data {
        LocatedData::Null => Value::Null,
        LocatedData::Bool(value) => Value::Bool(*value),
        LocatedData::Number(value) => Value::Number(number(value)?),
        LocatedData::String(text) => Value::String(text.to_string()),
        LocatedData::Bytes(_) => return None,
        LocatedData::List(items) => items.iter().map(plain).collect::<Option<Vec<_>>>()?.into(),
        LocatedData::Object(fields) => fields
            .iter()
            .map(|(name, field)| plain(field).map(|field| (name.to_string(), field)))
            .collect::<Option<Map<_, _>>>()?
            .into(),
    })
}

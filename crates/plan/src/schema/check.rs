//! Declared attributes against their type's schema.

use std::collections::BTreeMap;

use model::{Diagnostic, Location, code::plan as code};
use serde_json::Value;

use super::{AttributeSchema, AttributeType, Computed, Schemas, TypeSchema};
use crate::desired::{Attribute, Check, Place, Resource, pointer};
use crate::limits;
use crate::name::{Name, TypeName, did_you_mean};
use crate::value;

/// Something that is declared of a type: a resource, or a check.
#[derive(Clone, Copy)]
struct Subject<'d> {
    kind: &'d TypeName,
    attributes: &'d BTreeMap<Name, Attribute>,
    place: &'d Place,
    list: &'static str,
    name: &'d str,
}

impl Subject<'_> {
    fn location(&self) -> Location {
        self.place.location(format!("/{}/{}", self.list, pointer(self.name)))
    }

    fn location_of(&self, name: &str, attribute: &Attribute) -> Location {
        let path = format!("/{}/{}/config/{}", self.list, pointer(self.name), pointer(name));
        attribute.place.location(path)
    }
}

/// What is wrong with one declared resource, apart from others.
pub(crate) fn check_resource(resource: &Resource, schemas: &Schemas, found: &mut Vec<Diagnostic>) {
    let subject = Subject {
        kind: &resource.kind,
        attributes: &resource.attributes,
        place: &resource.place,
        list: "resources",
        name: resource.id.as_str(),
    };
    if let Some(schema) = check_subject(subject, schemas, found) {
        check_handler(resource, schema, found);
    }
}

/// What is wrong with one check.
pub(crate) fn check_check(check: &Check, schemas: &Schemas, found: &mut Vec<Diagnostic>) {
    let subject = Subject {
        kind: &check.kind,
        attributes: &check.attributes,
        place: &check.place,
        list: "checks",
        name: check.name.as_str(),
    };
    check_subject(subject, schemas, found);
}

fn check_subject<'s>(
    subject: Subject<'_>,
    schemas: &'s Schemas,
    found: &mut Vec<Diagnostic>,
) -> Option<&'s TypeSchema> {
    let Some((_, schema)) = schemas.find(subject.kind) else {
        found.push(unknown_type(subject, schemas));
        return None;
    };
    for (name, attribute) in subject.attributes {
        if let Some(known) = schema.attributes.get(name) {
            check_attribute(subject, name.as_str(), known, attribute, found);
            continue;
        }
        let message = format!("`{}` has no attribute `{name}`", subject.kind);
        let mut diagnostic =
            Diagnostic::error(code::UNKNOWN_NAME, message, subject.location_of(name.as_str(), attribute));
        diagnostic.hint = did_you_mean(name.as_str(), schema.attributes.keys().map(Name::as_str));
        found.push(diagnostic);
    }
    for (name, known) in &schema.attributes {
        if known.required && !subject.attributes.contains_key(name) {
            let message = format!("`{}` needs the attribute `{name}`", subject.kind);
            found.push(Diagnostic::error(code::BAD_RESOURCE, message, subject.location()));
        }
    }
    Some(schema)
}

fn unknown_type(subject: Subject<'_>, schemas: &Schemas) -> Diagnostic {
    let (kind, provider) = (subject.kind.as_str(), subject.kind.provider());
    let message = if schemas.providers.contains_key(provider) {
        format!("the provider `{provider}` has no type `{kind}`")
    } else {
        format!("there is no provider `{provider}`")
    };
    let mut diagnostic = Diagnostic::error(code::UNKNOWN_NAME, message, subject.location());
    let near = || did_you_mean(provider, schemas.providers.keys().map(String::as_str));
    diagnostic.hint = did_you_mean(kind, schemas.types().map(TypeName::as_str)).or_else(near);
    diagnostic
}

fn check_handler(resource: &Resource, schema: &TypeSchema, found: &mut Vec<Diagnostic>) {
    let Some(handler) = &resource.handler else { return };
    if !schema.handlers.contains(handler) {
        let message = format!("`{}` has no handler `{handler}`", resource.kind);
        let mut diagnostic = Diagnostic::error(code::UNKNOWN_NAME, message, resource.location());
        diagnostic.hint = did_you_mean(handler.as_str(), schema.handlers.iter().map(Name::as_str));
        found.push(diagnostic);
    }
}

fn check_attribute(
    subject: Subject<'_>,
    name: &str,
    known: &AttributeSchema,
    attribute: &Attribute,
    found: &mut Vec<Diagnostic>,
) {
    let mut refuse = |message: String, hint: Option<&str>| {
        let mut diagnostic =
            Diagnostic::error(code::BAD_RESOURCE, message, subject.location_of(name, attribute));
        diagnostic.hint = hint.map(str::to_owned);
        found.push(diagnostic);
    };
    if depth(&attribute.value) > limits::VALUE_DEPTH_MAX {
        return refuse(format!("`{name}` nests deeper than {} levels", limits::VALUE_DEPTH_MAX), None);
    }
    if known.computed != Computed::No
        && !known.required
        && known.default.is_none()
        && known.ownership == super::Ownership::Foreign
    {
        return refuse(format!("`{name}` is what the resource yields and cannot be declared"), None);
    }
    if known.sensitive && !value::has_secret(&attribute.value) {
        // the value itself is not repeated: it may be the secret
        return refuse(
            format!("`{name}` is a secret and must be given by reference, not as a value"),
            Some("declare a secret and refer to it"),
        );
    }
    if let Err(reason) = value::each_reference(&attribute.value, &mut |_| {}) {
        return refuse(format!("`{name}`: {reason}"), None);
    }
    if let Err(wanted) = fits(&known.kind, &attribute.value) {
        refuse(format!("`{name}` must be {wanted}, and is {}", kind_of(&attribute.value)), None);
    }
}

/// Whether a value has a type. A text that is one reference may become anything.
fn fits(kind: &AttributeType, value: &Value) -> Result<(), String> {
    if value.as_str().is_some_and(|text| text.starts_with([value::OUTPUT_OPEN, model::program::SECRET_OPEN]))
    {
        return Ok(());
    }
    let (holds, wanted) = match kind {
        AttributeType::Any => return Ok(()),
        AttributeType::Text => (value.is_string(), "a text"),
        AttributeType::Integer => {
            let whole = value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0);
            (whole, "a whole number")
        }
        AttributeType::Number => (value.is_number(), "a number"),
        AttributeType::Boolean => (value.is_boolean(), "true or false"),
        AttributeType::Word(words) => {
            let holds = value.as_str().is_some_and(|text| words.iter().any(|word| **word == *text));
            return if holds { Ok(()) } else { Err(format!("one of {}", words.join(", "))) };
        }
        AttributeType::List(items) => {
            let Some(values) = value.as_array() else { return Err("a list".to_owned()) };
            return values
                .iter()
                .try_for_each(|value| fits(items, value))
                .map_err(|wanted| format!("a list in which every item is {wanted}"));
        }
        AttributeType::Map(items) => {
            let Some(members) = value.as_object() else { return Err("an object".to_owned()) };
            return members
                .values()
                .try_for_each(|value| fits(items, value))
                .map_err(|wanted| format!("an object in which every member is {wanted}"));
        }
    };
    if holds { Ok(()) } else { Err(wanted.to_owned()) }
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.len() <= 40 && !value::has_secret(value) => format!("{text:?}"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

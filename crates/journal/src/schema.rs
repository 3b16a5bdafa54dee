//! The JSON Schema of records: `schemas/events.schema.json`.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::Event;

/// The schema of a record: its envelope, and the data that belongs to each type.
pub fn records() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let types: Vec<Value> = Event::schemas(&mut generator)
        .into_iter()
        .map(|(kind, data)| json!({"properties": {"type": {"const": kind}, "data": data}}))
        .collect();
    let count = json!({"type": "string", "pattern": "^[1-9][0-9]*$"});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A record of the journal",
        "description": "A CloudEvent 1.0 in canonical form (RFC 8785).",
        "type": "object",
        "properties": {
            "actor": {"type": "string", "description": "who acted"},
            "data": {"description": "the event's data"},
            "id": count,
            "previous": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$", "description": "digest of the record before"},
            "sequence": count,
            "source": {"type": "string", "description": "which journal"},
            "specversion": {"const": "1.0"},
            "subject": {"type": "string", "description": "the stream"},
            "time": {"type": "string", "format": "date-time"},
            "type": {"type": "string"},
        },
        "required": ["actor", "data", "id", "previous", "sequence", "source", "specversion", "subject", "time", "type"],
        "additionalProperties": false,
        "oneOf": types,
        "$defs": generator.definitions(),
    })
}

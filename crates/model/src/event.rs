//! CloudEvents 1.0, the events workflows emit and listen for.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One CloudEvent (CloudEvents 1.0.2, JSON format). Extension attributes are kept as they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CloudEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// Unique together with `source`.
    pub id: String,
    /// Context in which it happened, a URI reference.
    pub source: String,
    /// What happened, for example `com.example.order.placed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<String>,
    /// What it is about, within `source`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// Media type of `data`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub datacontenttype: Option<String>,
    /// Schema that `data` adheres to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dataschema: Option<String>,
    /// The payload.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub data: Option<Value>,
    /// Extension attributes.
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

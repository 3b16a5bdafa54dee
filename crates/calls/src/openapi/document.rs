//! An OpenAPI document: parsing, and references inside it.

use serde_json::Value;
use url::Url;

use crate::{CallError, access, limits};

/// A parsed document and where it came from.
pub(crate) struct Document {
    pub(super) uri: Url,
    pub(super) root: Value,
}

impl Document {
    /// Reads JSON or YAML.
    pub(super) fn parse(uri: Url, bytes: &[u8]) -> Result<Self, CallError> {
        let bad = |why: String| CallError::BadOpenApi(format!("{} {why}", access::shown(&uri)));
        let root: Value = match bytes.trim_ascii_start().first() {
            Some(b'{') => {
                serde_json::from_slice(bytes).map_err(|error| bad(format!("is not JSON: {error}")))?
            }
            Some(_) => {
                let text = std::str::from_utf8(bytes).map_err(|_| bad("is not text".to_owned()))?;
                serde_saphyr::from_str(text)
                    .map_err(|error| bad(format!("is neither JSON nor YAML: {error}")))?
            }
            None => return Err(bad("is empty".to_owned())),
        };
        let version = root["swagger"].as_str().or_else(|| root["openapi"].as_str()).unwrap_or_default();
        if version != "2.0" && !version.starts_with("3.") {
            return Err(bad("is not an OpenAPI document of version 2.0 or 3.x".to_owned()));
        }
        Ok(Self { uri, root })
    }

    pub(super) fn is_swagger(&self) -> bool {
        self.root["swagger"].is_string()
    }

    /// A member, references followed.
    pub(super) fn at<'a>(&'a self, value: &'a Value, member: &str) -> Result<&'a Value, CallError> {
        self.resolve(&value[member])
    }

    /// The value itself, or what its `$ref` leads to.
    pub(super) fn resolve<'a>(&'a self, mut value: &'a Value) -> Result<&'a Value, CallError> {
        for _ in 0..limits::REFERENCES_MAX {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Ok(value) };
            let bad = |why: &str| {
                CallError::BadOpenApi(format!(
                    "the reference {reference} in {} {why}",
                    access::shown(&self.uri)
                ))
            };
            let pointer = reference
                .strip_prefix('#')
                .ok_or_else(|| bad("leads out of the document, which is not supported"))?;
            let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy();
            value = self.root.pointer(&pointer).ok_or_else(|| bad("leads nowhere"))?;
        }
        Err(CallError::BadOpenApi(format!("references in {} go round in circles", access::shown(&self.uri))))
    }
}

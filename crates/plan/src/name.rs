//! Names of resources, types, hosts and attributes, and [`Instance`]: a resource on a host.
//!
//! All of them are shared texts: cloning one counts a reference and copies nothing.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;

/// A text that is not a name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {wanted}", text.escape_debug())]
pub struct NameError {
    text: String,
    wanted: &'static str,
}

fn is_word(text: &str, longest: usize, also: &[u8]) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
}

/// Anything but white space, control characters, `#` and the characters that mark references.
fn is_resource(text: &str) -> bool {
    let allowed = |c: char| {
        !c.is_whitespace() && !c.is_control() && c != '#' && !('\u{e000}'..='\u{f8ff}').contains(&c)
    };
    (1..=limits::RESOURCE_ID_BYTES_MAX).contains(&text.len()) && text.chars().all(allowed)
}

fn is_host(text: &str) -> bool {
    is_word(text, limits::HOST_BYTES_MAX, b".-_") && !text.starts_with(['.', '-'])
}

fn is_type(text: &str) -> bool {
    is_word(text, limits::NAME_BYTES_MAX, b".-_:") && text.starts_with(|c: char| c.is_ascii_alphabetic())
}

fn is_name(text: &str) -> bool {
    is_word(text, limits::NAME_BYTES_MAX, b".-_") && !text.starts_with(['.', '-'])
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $check:ident, $wanted:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                if $check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(NameError { text: text.to_owned(), wanted: $wanted })
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "minLength": 1, "description": $wanted })
            }
        }
    )*};
}

names! {
    /// Names one declared resource within a configuration: a map key such as `nginx-pkg` or `file/nginx.conf`.
    ResourceId, is_resource, "a resource id (1 to 256 bytes without white space or #)";
    /// Names a type of resource: `linux.pkg::package`, or `linux.pkg` where a provider has one type only.
    TypeName, is_type, "a resource type (letters, digits and .-_:, such as linux.pkg::package)";
    /// Names a host of the inventory.
    Host, is_host, "a host (letters, digits and .-_)";
    /// Names an attribute, a handler or a check.
    Name, is_name, "a name (letters, digits and .-_)";
}

impl TypeName {
    /// The provider's part: what stands before `::`.
    pub fn provider(&self) -> &str {
        self.0.split_once("::").map_or(&self.0, |(provider, _)| provider)
    }
}

/// One resource on one host. Written `web-1/file/nginx.conf`: a host has no slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    /// Where.
    pub host: Host,
    /// What.
    pub resource: ResourceId,
}

impl Instance {
    /// A resource on a host.
    pub fn new(host: Host, resource: ResourceId) -> Self {
        Self { host, resource }
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.host.as_str())?;
        f.write_str("/")?;
        f.write_str(self.resource.as_str())
    }
}

impl FromStr for Instance {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let wanted = "a resource on a host (HOST/RESOURCE)";
        let (host, resource) =
            text.split_once('/').ok_or_else(|| NameError { text: text.to_owned(), wanted })?;
        Ok(Self { host: host.parse()?, resource: resource.parse()? })
    }
}

impl Serialize for Instance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Instance {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Instance".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[^/]+/.+$", "description": "HOST/RESOURCE" })
    }
}

/// The candidate that is most like `typed`, when one is like it.
pub fn nearest<'c>(typed: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let close = typed.chars().count() / 3 + 1;
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(typed.len()) <= close * 4)
        .map(|candidate| (strsim::osa_distance(typed, candidate), candidate))
        .filter(|(distance, _)| *distance <= close)
        .min()
        .map(|(_, candidate)| candidate)
}

/// A hint that names the nearest candidate.
pub(crate) fn did_you_mean<'c>(typed: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    nearest(typed, candidates).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_read_two_ways_are_refused() {
        for bad in ["", "a b", "a#b", "a\nb", "a\u{f8f0}b", &"x".repeat(257)] {
            assert!(bad.parse::<ResourceId>().is_err(), "{bad:?}");
        }
        for bad in ["", "a/b", "-a", ".a", "a b"] {
            assert!(bad.parse::<Host>().is_err(), "{bad:?}");
        }
        let instance: Instance = "web-1/file/nginx.conf".parse().unwrap();
        assert_eq!((instance.host.as_str(), instance.resource.as_str()), ("web-1", "file/nginx.conf"));
        assert_eq!(instance.to_string(), "web-1/file/nginx.conf");
    }

    #[test]
    fn the_nearest_name_is_suggested_and_nothing_far_off() {
        let known = ["package", "version", "state"];
        assert_eq!(nearest("pakage", known), Some("package"));
        assert_eq!(nearest("vresion", known), Some("version"));
        assert_eq!(nearest("owner", known), None);
    }
}

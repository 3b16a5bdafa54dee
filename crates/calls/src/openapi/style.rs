//! How parameters are written (OpenAPI 3.1.0, "Style Values"; Swagger 2.0, `collectionFormat`).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::CallError;
use crate::request::scalar;

/// RFC 3986's unreserved characters stay as they are.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
    Cookie,
    /// Swagger 2.0 only.
    Form,
    /// Swagger 2.0 only.
    Body,
}

/// How its value is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Style {
    /// Items separated by this text, `name,value` for objects unless exploded to `name=value`.
    Simple {
        explode: bool,
    },
    Label {
        explode: bool,
    },
    Matrix {
        explode: bool,
    },
    /// `name=a&name=b` exploded, else items separated by the text.
    Form {
        explode: bool,
        separator: &'static str,
    },
    /// `name[key]=value`.
    DeepObject,
    /// JSON text (`content: application/json`).
    Json,
}

/// One parameter of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) required: bool,
    pub(super) style: Style,
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

impl Parameter {
    fn bad(&self, why: &str) -> CallError {
        CallError::BadParameter(format!("the parameter `{}` {why}", self.name))
    }

    fn text(&self, value: &Value) -> Result<String, CallError> {
        scalar(value).ok_or_else(|| self.bad("holds a value that is neither a text, number nor boolean"))
    }

    /// The items of a value: one for a scalar, each of a list, name and value for each member of an object.
    fn items(&self, value: &Value, joint: Option<&str>) -> Result<Vec<String>, CallError> {
        match value {
            Value::Array(items) => items.iter().map(|item| Ok(encode(&self.text(item)?))).collect(),
            Value::Object(members) => {
                let mut items = Vec::new();
                for (name, value) in members {
                    let value = encode(&self.text(value)?);
                    match joint {
                        Some(joint) => items.push(format!("{}{joint}{value}", encode(name))),
                        None => items.extend([encode(name), value]),
                    }
                }
                Ok(items)
            }
            one => Ok(vec![encode(&self.text(one)?)]),
        }
    }

    /// The text that replaces `{name}` in a path.
    pub(super) fn in_path(&self, value: &Value) -> Result<String, CallError> {
        let joint = |explode: bool| explode.then_some("=");
        let text = match &self.style {
            Style::Json => encode(&value.to_string()),
            Style::Label { explode } => {
                let separator = if *explode { "." } else { "," };
                format!(".{}", self.items(value, joint(*explode))?.join(separator))
            }
            Style::Matrix { explode: true } if value.is_object() => {
                format!(";{}", self.items(value, Some("="))?.join(";"))
            }
            Style::Matrix { explode } => {
                let separator = if *explode { format!(";{}=", encode(&self.name)) } else { ",".to_owned() };
                format!(";{}={}", encode(&self.name), self.items(value, None)?.join(&separator))
            }
            Style::Simple { explode } => self.items(value, joint(*explode))?.join(","),
            Style::Form { separator, .. } => self.items(value, None)?.join(separator),
            Style::DeepObject => return Err(self.bad("cannot be written in a path as its document says")),
        };
        // a URI's path is normalised: `..` would lead to another operation
        match text.as_str() {
            "" => Err(self.bad("is empty, and the path needs it")),
            "." | ".." => Err(self.bad("cannot be `.` or `..`")),
            _ => Ok(text),
        }
    }

    /// What is added to the query or to a form, `name=value`, already encoded.
    pub(super) fn in_query(&self, value: &Value) -> Result<Vec<String>, CallError> {
        let name = encode(&self.name);
        match (&self.style, value) {
            (Style::Json, value) => Ok(vec![format!("{name}={}", encode(&value.to_string()))]),
            (Style::DeepObject, Value::Object(members)) => members
                .iter()
                .map(|(key, value)| Ok(format!("{name}%5B{}%5D={}", encode(key), encode(&self.text(value)?))))
                .collect(),
            (Style::DeepObject, _) => Err(self.bad("must be an object")),
            (Style::Form { explode: true, .. }, Value::Object(_)) => self.items(value, Some("=")),
            (Style::Form { explode: true, .. }, _) => {
                Ok(self.items(value, None)?.into_iter().map(|item| format!("{name}={item}")).collect())
            }
            (Style::Form { separator, .. }, _) => {
                Ok(vec![format!("{name}={}", self.items(value, None)?.join(separator))])
            }
            (Style::Simple { .. } | Style::Label { .. } | Style::Matrix { .. }, _) => {
                Ok(vec![format!("{name}={}", self.items(value, None)?.join(","))])
            }
        }
    }

    /// A header's value. Not encoded: headers are not URIs.
    pub(super) fn in_header(&self, value: &Value) -> Result<String, CallError> {
        match (&self.style, value) {
            (Style::Json, value) => Ok(value.to_string()),
            (_, Value::Array(items)) => {
                Ok(items.iter().map(|item| self.text(item)).collect::<Result<Vec<_>, _>>()?.join(","))
            }
            (Style::Simple { explode }, Value::Object(members)) => {
                let joint = if *explode { "=" } else { "," };
                let pairs =
                    members.iter().map(|(name, value)| Ok(format!("{name}{joint}{}", self.text(value)?)));
                Ok(pairs.collect::<Result<Vec<_>, CallError>>()?.join(","))
            }
            (_, one) => self.text(one),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parameter(style: Style) -> Parameter {
        Parameter { name: "color".to_owned(), place: Place::Query, required: false, style }
    }

    /// The table of OpenAPI 3.1.0, "Style Examples".
    #[test]
    fn styles_are_written_as_the_specifications_table_says() {
        let array = json!(["blue", "black", "brown"]);
        let object = json!({"R": 100, "G": 200, "B": 150});
        for (style, text, list, members) in [
            (
                Style::Matrix { explode: false },
                ";color=blue",
                ";color=blue,black,brown",
                ";color=R,100,G,200,B,150",
            ),
            (
                Style::Matrix { explode: true },
                ";color=blue",
                ";color=blue;color=black;color=brown",
                ";R=100;G=200;B=150",
            ),
            (Style::Label { explode: false }, ".blue", ".blue,black,brown", ".R,100,G,200,B,150"),
            (Style::Label { explode: true }, ".blue", ".blue.black.brown", ".R=100.G=200.B=150"),
            (Style::Simple { explode: false }, "blue", "blue,black,brown", "R,100,G,200,B,150"),
            (Style::Simple { explode: true }, "blue", "blue,black,brown", "R=100,G=200,B=150"),
        ] {
            let parameter = parameter(style.clone());
            assert_eq!(parameter.in_path(&json!("blue")).unwrap(), text, "{style:?}");
            assert_eq!(parameter.in_path(&array).unwrap(), list, "{style:?}");
            assert_eq!(sorted(&parameter.in_path(&object).unwrap()), sorted(members), "{style:?}");
        }
        for (style, list, members) in [
            (
                Style::Form { explode: true, separator: "," },
                "color=blue&color=black&color=brown",
                "R=100&G=200&B=150",
            ),
            (
                Style::Form { explode: false, separator: "," },
                "color=blue,black,brown",
                "color=R,100,G,200,B,150",
            ),
            (
                Style::Form { explode: false, separator: "%20" },
                "color=blue%20black%20brown",
                "color=R%20100%20G%20200%20B%20150",
            ),
            (
                Style::Form { explode: false, separator: "|" },
                "color=blue|black|brown",
                "color=R|100|G|200|B|150",
            ),
        ] {
            let parameter = parameter(style.clone());
            assert_eq!(parameter.in_query(&array).unwrap().join("&"), list, "{style:?}");
            assert_eq!(sorted(&parameter.in_query(&object).unwrap().join("&")), sorted(members), "{style:?}");
        }
        let deep = parameter(Style::DeepObject).in_query(&object).unwrap().join("&");
        assert_eq!(sorted(&deep), sorted("color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"));
    }

    /// Members of a JSON object have no order.
    fn sorted(text: &str) -> Vec<char> {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    }

    #[test]
    fn values_cannot_leave_their_place() {
        let simple = parameter(Style::Simple { explode: false });
        assert_eq!(simple.in_path(&json!("a/b?c#d")).unwrap(), "a%2Fb%3Fc%23d");
        for bad in [json!(""), json!("."), json!(".."), json!({"a": {}}), json!(null)] {
            assert!(simple.in_path(&bad).is_err(), "{bad}");
        }
        let form = parameter(Style::Form { explode: true, separator: "," });
        assert_eq!(form.in_query(&json!("a&b=c")).unwrap(), ["color=a%26b%3Dc"]);
    }
}

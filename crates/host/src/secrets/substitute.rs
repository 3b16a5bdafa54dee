//! References to values, in memory.

use engine::ports::{SecretError, Secrets};
use model::program::{SECRET_CLOSE, SECRET_OPEN};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use zeroize::Zeroizing;

/// [`SECRET_OPEN`] and [`SECRET_CLOSE`] as a URI template writes them.
const ENCODED_OPEN: &str = "%EF%A3%B0";
const ENCODED_CLOSE: &str = "%EF%A3%B1";

/// Whether a reference to a secret is anywhere in `value`, names of members included.
pub fn holds_reference(value: &Value) -> bool {
    match value {
        Value::String(text) => is_reference_in(text),
        Value::Array(items) => items.iter().any(holds_reference),
        Value::Object(members) => {
            members.iter().any(|(name, value)| is_reference_in(name) || holds_reference(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

pub(crate) fn is_reference_in(text: &str) -> bool {
    text.contains(SECRET_OPEN) || text.contains(ENCODED_OPEN)
}

/// `value` with every reference replaced. A reference that a URI template has percent-encoded becomes the
/// percent-encoded value.
pub fn reveal(value: &Value, secrets: &dyn Secrets) -> Result<Value, SecretError> {
    Ok(match value {
        Value::String(text) => Value::String(reveal_text(text, secrets)?.as_str().to_owned()),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| reveal(item, secrets)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| {
                    Ok((reveal_text(name, secrets)?.as_str().to_owned(), reveal(value, secrets)?))
                })
                .collect::<Result<_, SecretError>>()?,
        ),
        other => other.clone(),
    })
}

/// `text` with every reference replaced.
pub(crate) fn reveal_text(text: &str, secrets: &dyn Secrets) -> Result<Zeroizing<String>, SecretError> {
    let mut revealed = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    loop {
        let plain = rest.find(SECRET_OPEN);
        let encoded = rest.find(ENCODED_OPEN);
        let (at, open, close) = match (plain, encoded) {
            (None, None) => break,
            (Some(plain), None) => (plain, SECRET_OPEN.len_utf8(), Close::Plain),
            (Some(plain), Some(encoded)) if plain < encoded => (plain, SECRET_OPEN.len_utf8(), Close::Plain),
            (_, Some(encoded)) => (encoded, ENCODED_OPEN.len(), Close::Encoded),
        };
        revealed.push_str(&rest[..at]);
        let after = &rest[at + open..];
        let ends = match close {
            Close::Plain => after.find(SECRET_CLOSE).map(|end| (end, SECRET_CLOSE.len_utf8())),
            Close::Encoded => after.find(ENCODED_CLOSE).map(|end| (end, ENCODED_CLOSE.len())),
        };
        let Some((end, width)) = ends else {
            return Err(SecretError { name: "?".to_owned(), why: "a reference to it is cut off".to_owned() });
        };
        match close {
            Close::Plain => revealed.push_str(secrets.reveal(&after[..end])?.expose()),
            Close::Encoded => {
                let name = percent_encoding::percent_decode_str(&after[..end]).decode_utf8_lossy();
                let secret = secrets.reveal(&name)?;
                revealed.extend(utf8_percent_encode(secret.expose(), NON_ALPHANUMERIC));
            }
        }
        rest = &after[end + width..];
    }
    revealed.push_str(rest);
    Ok(revealed)
}

enum Close {
    Plain,
    Encoded,
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ports::Secret;
    use model::program::secret_reference;
    use serde_json::json;

    struct Two;
    impl Secrets for Two {
        fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
            match name {
                "a" => Ok(Secret::new("x&y".to_owned())),
                "b" => Ok(Secret::new(secret_reference("a"))),
                _ => Err(SecretError { name: name.to_owned(), why: "no".to_owned() }),
            }
        }
    }

    #[test]
    fn references_are_replaced_wherever_they_are_and_once() {
        let a = secret_reference("a");
        let value = json!({"h": [format!("Bearer {a}"), 1], a.clone(): null});
        assert!(holds_reference(&value));
        let revealed = reveal(&value, &Two).unwrap();
        assert_eq!(revealed, json!({"h": ["Bearer x&y", 1], "x&y": null}));
        // a secret that looks like a reference is not one
        assert_eq!(reveal(&json!(secret_reference("b")), &Two).unwrap(), json!(a));
        assert!(reveal(&json!(secret_reference("missing")), &Two).is_err());
        assert!(reveal(&json!("\u{f8f0}cut"), &Two).is_err());
    }

    #[test]
    fn references_inside_uris_become_encoded_values() {
        let uri = "https://example.org/?k=%EF%A3%B0a%EF%A3%B1&z=1";
        assert!(holds_reference(&json!(uri)));
        assert_eq!(reveal(&json!(uri), &Two).unwrap(), json!("https://example.org/?k=x%26y&z=1"));
    }
}

//! Values to references: what comes back from the world must not hold a secret.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use model::program::secret_reference;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::limits::SCRUB_BYTES_MIN;

/// The characters that most encoders leave alone.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Encoded forms shorter than this occur by chance.
const ENCODED_BYTES_MIN: usize = 6;
/// Lines of a secret (a key in PEM) that are looked for on their own.
const LINE_BYTES_MIN: usize = 16;
/// Members of a secret in JSON form that are credentials.
const CREDENTIALS: [&str; 6] = ["password", "secret", "token", "assertion", "key", "passphrase"];

/// Replaces secrets by their references: the value itself, its JSON, percent, base64 (standard and URL-safe, at every
/// alignment) and hexadecimal forms, each longer line of it, and, if it is a JSON object, the credentials in it.
///
/// It cannot find a secret that was transformed in another way (hashed, reversed, split).
#[derive(Default)]
pub struct Scrubber {
    /// What to look for and what to put there, longest first.
    needles: Vec<(Zeroizing<String>, String)>,
    /// Secrets too short to be looked for inside other text.
    whole: Vec<(Zeroizing<String>, String)>,
}

impl std::fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrubber").field("needles", &self.needles.len()).finish_non_exhaustive()
    }
}

impl Scrubber {
    /// Whether it looks for nothing.
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty() && self.whole.is_empty()
    }

    /// Looks for this secret too.
    pub fn add(&mut self, name: &str, value: &str) {
        let reference = secret_reference(name);
        if self
            .needles
            .iter()
            .chain(&self.whole)
            .any(|(known, put)| known.as_str() == value && *put == reference)
        {
            return;
        }
        self.add_value(&reference, value);
        if let Ok(Value::Object(members)) = serde_json::from_str::<Value>(value) {
            self.add_credentials(&reference, &Value::Object(members));
        }
        self.needles.sort_by_key(|(needle, _)| std::cmp::Reverse(needle.len()));
    }

    fn add_credentials(&mut self, reference: &str, value: &Value) {
        let Value::Object(members) = value else { return };
        for (name, member) in members {
            let name = name.to_ascii_lowercase();
            match member {
                Value::String(text) if CREDENTIALS.iter().any(|credential| name.contains(credential)) => {
                    self.add_value(reference, text);
                }
                other => self.add_credentials(reference, other),
            }
        }
    }

    fn add_value(&mut self, reference: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        if value.len() < SCRUB_BYTES_MIN {
            self.whole.push((Zeroizing::new(value.to_owned()), reference.to_owned()));
            return;
        }
        let mut forms = vec![value.to_owned(), value.trim().to_owned()];
        forms.extend(
            value.lines().map(str::trim).filter(|line| line.len() >= LINE_BYTES_MIN).map(str::to_owned),
        );
        let escaped = Value::from(value).to_string();
        let mut encoded = vec![escaped[1..escaped.len() - 1].to_owned()];
        let component = utf8_percent_encode(value, COMPONENT).to_string();
        encoded.push(component.replace("%20", "+"));
        encoded.push(component.to_lowercase());
        encoded.push(component);
        encoded.push(hex::encode(value));
        encoded.push(hex::encode_upper(value));
        for offset in 0..3 {
            encoded.extend(aligned(value.as_bytes(), offset));
        }
        forms.extend(encoded.into_iter().filter(|form| form.len() >= ENCODED_BYTES_MIN));
        forms.retain(|form| form.len() >= SCRUB_BYTES_MIN);
        forms.sort_unstable();
        forms.dedup();
        self.needles.extend(forms.into_iter().map(|form| (Zeroizing::new(form), reference.to_owned())));
    }

    /// Replaces secrets everywhere in `value`.
    pub fn scrub(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.scrub_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.scrub(item)),
            Value::Object(members) => {
                let taken = std::mem::take(members);
                for (name, mut value) in taken {
                    self.scrub(&mut value);
                    members.insert(self.scrub_text(&name), value);
                }
            }
            // a secret of digits, printed by something that takes it for a number
            Value::Number(number) => {
                let text = number.to_string();
                let clean = self.scrub_text(&text);
                if clean != text {
                    *value = Value::String(clean);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Replaces secrets in `text`.
    pub fn scrub_text(&self, text: &str) -> String {
        if let Some((_, reference)) = self.whole.iter().find(|(whole, _)| whole.as_str() == text) {
            return reference.clone();
        }
        let mut clean = text.to_owned();
        for (needle, reference) in &self.needles {
            if clean.contains(needle.as_str()) {
                clean = clean.replace(needle.as_str(), reference);
            }
        }
        clean
    }
}

/// The characters of base64 that depend on `secret` alone when it begins `offset` bytes into what is encoded.
fn aligned(secret: &[u8], offset: usize) -> Vec<String> {
    let mut bytes = Zeroizing::new(vec![0; offset]);
    bytes.extend_from_slice(secret);
    let from = (offset * 8).div_ceil(6);
    let to = bytes.len() * 8 / 6;
    if to <= from {
        return Vec::new();
    }
    [STANDARD_NO_PAD.encode(bytes.as_slice()), URL_SAFE_NO_PAD.encode(bytes.as_slice())]
        .into_iter()
        .map(|encoded| encoded[from..to].to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;
    use serde_json::json;

    fn scrubber(value: &str) -> Scrubber {
        let mut scrubber = Scrubber::default();
        scrubber.add("s", value);
        scrubber
    }

    #[test]
    fn encoded_forms_are_found() {
        let secret = "p\u{e4}ss w/rd\"1\n";
        let scrubber = scrubber(secret);
        let basic = STANDARD.encode(format!("user:{secret}"));
        let mut output = json!({
            "plain": format!("the password is {secret}!"),
            "json": json!({"k": secret}).to_string(),
            "uri": format!("https://x/?p={}", utf8_percent_encode(secret, COMPONENT)),
            "basic": format!("Basic {basic}"),
            "hex": hex::encode(secret),
            secret: [secret],
        });
        scrubber.scrub(&mut output);
        let text = output.to_string();
        assert!(!text.contains("ss w") && !text.contains("rd\\"), "{text}");
        assert!(text.contains(&secret_reference("s")));
        assert!(!text.contains(&basic[8..]), "{text}");
        assert!(!text.contains(&hex::encode("ss w")), "{text}");
    }

    #[test]
    fn short_secrets_are_removed_only_where_they_are_everything() {
        let scrubber = scrubber("no");
        assert_eq!(scrubber.scrub_text("no"), secret_reference("s"));
        assert_eq!(scrubber.scrub_text("nothing"), "nothing");
    }

    #[test]
    fn numbers_and_credentials_inside_json_are_secrets_too() {
        let mut output = json!({"pin": 123_456, "other": 12});
        scrubber("123456").scrub(&mut output);
        assert_eq!(output, json!({"pin": secret_reference("s"), "other": 12}));
        let login = scrubber("{\"username\": \"maria\", \"password\": \"hunter22\"}");
        assert_eq!(login.scrub_text("maria hunter22"), format!("maria {}", secret_reference("s")));
    }

    proptest! {
        #[test]
        fn no_output_holds_the_secret(
            secret in "[ -~]{8,40}", before in "[ -~]{0,7}", after in "[ -~]{0,7}",
        ) {
            let scrubber = scrubber(&secret);
            let around = format!("{before}{secret}{after}");
            prop_assert!(!scrubber.scrub_text(&around).contains(&secret));
            // whatever is left of the base64 form, the middle of the secret cannot be decoded from it
            for encoded in [STANDARD.encode(&around), URL_SAFE.encode(&around)] {
                let clean = scrubber.scrub_text(&encoded);
                prop_assert!(clean.contains(&secret_reference("s")), "{encoded} {clean}");
            }
        }
    }
}

//! Texts of others, made fit to be shown: no character that redraws or reorders, no text without end.

use std::borrow::Cow;
use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};
use model::program::{SECRET_CLOSE, SECRET_OPEN};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::limits;

/// Bytes that stand for themselves in a part of a path and in a query (RFC 3986, "unreserved").
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text for one part of a path or query.
pub(super) fn encoded(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, PLAIN).into()
}

/// Whether a character may be shown: no control character but line ends and tabs, nothing that changes the direction or that
/// nobody sees. What an approver reads has to be what is there.
fn is_shown(c: char) -> bool {
    match c {
        '\n' | '\t' => true,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => false,
        c => !c.is_control(),
    }
}

/// A text of at most `max` characters in which what cannot be shown is visible, and secrets are named as such.
fn bounded(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max * 2));
    for (index, c) in text.chars().enumerate() {
        if index == max {
            out.push('\u{2026}');
            break;
        }
        match c {
            SECRET_OPEN => out.push_str("secret("),
            SECRET_CLOSE => out.push(')'),
            c if is_shown(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
    out
}

/// One line.
pub(super) fn line(text: &str) -> String {
    bounded(text, limits::LINE_CHARS_MAX).replace(['\n', '\t'], " ")
}

/// A paragraph; line ends stay.
pub(super) fn paragraph(text: &str) -> String {
    bounded(text, limits::TEXT_CHARS_MAX)
}

/// A principal as people call them: a user by name, Aedile itself as that, a run as one, others whole.
pub(super) fn person(principal: &str) -> String {
    match principal {
        "system:aedile" => "Aedile".to_owned(),
        "drift:aedile" => "Aedile (drift)".to_owned(),
        // its id stands beside it wherever that counts, as the stream or the link
        other if other.starts_with("workflow:run_") => "the run".to_owned(),
        other => line(other.strip_prefix("user:").unwrap_or(other)),
    }
}

/// Names in a row: `lea`, `lea and omar`, `lea, omar and maria`.
pub(super) fn people(principals: &[String]) -> String {
    let names: Vec<String> = principals.iter().map(|name| person(name)).collect();
    enumerate(&names, "and")
}

/// Words in a row, the last after `joint`.
pub(super) fn enumerate(words: &[String], joint: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} {joint} {last}", rest.join(", ")),
    }
}

/// A number of things: `1 run`, `2 runs`.
pub(super) fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{} {thing}s", grouped(number)) }
}

/// A number with thin spaces between groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A number of bytes in the unit that suits it.
pub(super) fn bytes(number: u64) -> String {
    const UNITS: &[&str] = &["KiB", "MiB", "GiB", "TiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let (mut tenths, mut unit) = (number * 10 / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// The first and last characters of an id, which people compare; the whole of a short one.
pub(super) fn short_id(id: &str) -> String {
    match id.split_once('_') {
        Some((prefix, rest)) if rest.len() == 26 && rest.is_ascii() => {
            format!("{prefix}_{}\u{2026}{}", &rest[..4], &rest[20..])
        }
        _ => line(id),
    }
}

/// The first twelve digits of a digest.
pub(super) fn short_digest(digest: &str) -> String {
    let digits = digest.rsplit_once(':').map_or(digest, |(_, digits)| digits);
    digits.chars().take(12).collect()
}

/// A digest that can be looked at whole.
pub(super) fn digest(digest: &str) -> Markup {
    html! { code.digest title=(line(digest)) { (short_digest(digest)) } }
}

/// A JSON document, indented and coloured.
pub(super) fn json(value: &Value) -> Markup {
    let mut out = Json { text: String::new(), full: false };
    out.value(value, 0);
    html! {
        pre.json tabindex="0" { code { (PreEscaped(out.text)) } }
        @if out.full {
            p.note { "This is the beginning. The whole of it is in the answer of the API and of the command line." }
        }
    }
}

/// A coloured JSON document in the making; everything in it is escaped.
struct Json {
    text: String,
    full: bool,
}

impl Json {
    fn escaped(&mut self, class: &str, text: &str) {
        let shown = html! { span class=(class) { (text) } };
        self.text.push_str(&shown.into_string());
    }

    fn line(&mut self, depth: usize) {
        // indentation is white space, which needs no escape
        let _infallible = write!(self.text, "\n{:width$}", "", width = depth * 2);
    }

    fn value(&mut self, value: &Value, depth: usize) {
        if self.text.len() > limits::JSON_BYTES_MAX || depth > limits::JSON_DEPTH_MAX {
            self.full = true;
            self.text.push('\u{2026}');
            return;
        }
        match value {
            Value::Null => self.escaped("l", "null"),
            Value::Bool(flag) => self.escaped("l", if *flag { "true" } else { "false" }),
            Value::Number(number) => self.escaped("n", &number.to_string()),
            Value::String(text) => self.string("s", text),
            Value::Array(items) if items.is_empty() => self.text.push_str("[]"),
            Value::Object(members) if members.is_empty() => self.text.push_str("{}"),
            Value::Array(items) => {
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.text.push(',');
                    }
                    if self.full {
                        break;
                    }
                    self.line(depth + 1);
                    self.value(item, depth + 1);
                }
                self.line(depth);
                self.text.push(']');
            }
            Value::Object(members) => self.object(members, depth),
        }
    }

    fn object(&mut self, members: &serde_json::Map<String, Value>, depth: usize) {
        self.text.push('{');
        for (index, (name, member)) in members.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            if self.full {
                break;
            }
            self.line(depth + 1);
            self.string("k", name);
            self.text.push_str(": ");
            self.value(member, depth + 1);
        }
        self.line(depth);
        self.text.push('}');
    }

    fn string(&mut self, class: &str, text: &str) {
        let shown = bounded(text, limits::TEXT_CHARS_MAX);
        // the one form of a text in JSON; it cannot fail
        let quoted = serde_json::to_string(&shown).unwrap_or_default();
        self.escaped(class, &quoted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redraws_or_reorders_is_made_visible() {
        assert_eq!(line("a\u{202e}b\u{1b}[2Jc\nd"), "a\u{fffd}b\u{fffd}[2Jc d");
        assert_eq!(line(&"x".repeat(400)).chars().count(), limits::LINE_CHARS_MAX + 1);
        assert_eq!(line(&format!("k={SECRET_OPEN}db{SECRET_CLOSE}")), "k=secret(db)");
    }

    #[test]
    fn principals_are_called_as_people_call_them() {
        for (principal, called) in [
            ("user:lea", "lea"),
            ("token:ci", "token:ci"),
            ("system:aedile", "Aedile"),
            ("workflow:run_01m7zyapx6mbh2svc0dj30p1ve", "the run"),
        ] {
            assert_eq!(person(principal), called);
        }
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(grouped(18_207), "18\u{202f}207");
        assert_eq!(grouped(999), "999");
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(3 << 20), "3.0 MiB");
        assert_eq!(count(1, "run"), "1 run");
    }

    #[test]
    fn json_is_escaped() {
        let shown = json(&serde_json::json!({"<b>": ["</pre>", 1, null, true, {}]})).into_string();
        assert!(!shown.contains("<b>") && !shown.contains("\"</pre>"), "{shown}");
        assert!(shown.contains("&lt;/pre&gt;"), "{shown}");
    }

    #[test]
    fn documents_without_end_are_cut() {
        let mut value = Value::Null;
        for _ in 0..100 {
            value = Value::Array(vec![value]);
        }
        assert!(json(&value).into_string().contains("This is the beginning"));
        let wide = Value::Array(vec![Value::from("x".repeat(1_000)); 1_000]);
        assert!(json(&wide).into_string().len() < 2 * limits::JSON_BYTES_MAX);
    }
}

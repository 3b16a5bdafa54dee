//! Reads the outside of a record without building anything.

use std::cmp::Ordering;

use model::Digest;

use crate::limits::DEPTH_MAX;

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {what}")]
pub struct RecordError {
    /// Offset from the start of the record.
    pub at: usize,
    /// What is wrong there.
    pub what: String,
}

impl model::Coded for RecordError {
    fn code(&self) -> &'static model::Code {
        model::code::journal::UNREADABLE_RECORD
    }

    fn hint(&self) -> Option<String> {
        Some("aedile journal verify".to_owned())
    }
}

/// The members of a record, borrowed from its bytes.
///
/// A record has exactly one form, so reading is strict: the members of the envelope in canonical order, nothing between
/// them, no other member. `data` is checked to be one JSON value without insignificant white space, with strictly
/// ascending names in each object, at most [`DEPTH_MAX`] deep; whether it fits its type is for [`crate::record::decode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Who acted, unparsed.
    pub actor: &'a str,
    /// The JSON text of the data.
    pub data: &'a str,
    /// Place in the whole journal (member `id`).
    pub position: u64,
    /// Digest of the record before.
    pub previous: Digest,
    /// Place in the stream.
    pub sequence: u64,
    /// Which journal.
    pub source: &'a str,
    /// The stream (member `subject`).
    pub stream: &'a str,
    /// RFC 3339 in UTC with three fraction digits: sorts as text.
    pub time: &'a str,
    /// The event's type.
    pub kind: &'a str,
}

impl<'a> Envelope<'a> {
    /// Reads a record's bytes.
    pub fn read(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| RecordError { at: error.valid_up_to(), what: "not UTF-8".to_owned() })?;
        let mut cursor = Cursor { text, at: 0 };
        cursor.expect("{\"actor\":\"")?;
        let actor = cursor.word("actor")?;
        cursor.expect(",\"data\":")?;
        let start = cursor.at;
        cursor.value(0)?;
        let data = &text[start..cursor.at];
        cursor.expect(",\"id\":\"")?;
        let position = cursor.count("id")?;
        cursor.expect(",\"previous\":\"")?;
        let previous = cursor.digest()?;
        cursor.expect(",\"sequence\":\"")?;
        let sequence = cursor.count("sequence")?;
        cursor.expect(",\"source\":\"")?;
        let source = cursor.word("source")?;
        cursor.expect(",\"specversion\":\"1.0\",\"subject\":\"")?;
        let stream = cursor.word("subject")?;
        cursor.expect(",\"time\":\"")?;
        let time = cursor.time()?;
        cursor.expect(",\"type\":\"")?;
        let kind = cursor.word("type")?;
        cursor.expect("}")?;
        if cursor.at != bytes.len() {
            return Err(cursor.error("something follows the record"));
        }
        Ok(Self { actor, data, position, previous, sequence, source, stream, time, kind })
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn error(&self, what: impl Into<String>) -> RecordError {
        RecordError { at: self.at, what: what.into() }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn expect(&mut self, literal: &str) -> Result<(), RecordError> {
        if self.rest().starts_with(literal.as_bytes()) {
            self.at += literal.len();
            Ok(())
        } else {
            Err(self.error(format!("expected `{literal}`")))
        }
    }

    /// A text of one or more printable ASCII characters that need no escape, and its closing quote.
    fn word(&mut self, member: &str) -> Result<&'a str, RecordError> {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !is_word_byte(*byte)).unwrap_or(rest.len());
        if length == 0 || rest.get(length) != Some(&b'"') {
            self.at += length;
            return Err(
                self.error(format!("`{member}` is empty, not closed or has a character it may not have"))
            );
        }
        let word = &self.text[self.at..self.at + length];
        self.at += length + 1;
        Ok(word)
    }

    /// A decimal number from 1, without leading zeros.
    fn count(&mut self, member: &str) -> Result<u64, RecordError> {
        let start = self.at;
        let word = self.word(member)?;
        let number = if word.starts_with('0') || !word.bytes().all(|byte| byte.is_ascii_digit()) {
            None
        } else {
            word.parse().ok()
        };
        number.ok_or_else(|| RecordError { at: start, what: format!("`{member}` is not a number from 1") })
    }

    fn digest(&mut self) -> Result<Digest, RecordError> {
        let start = self.at;
        let word = self.word("previous")?;
        word.parse().map_err(|_| RecordError { at: start, what: "`previous` is not a digest".to_owned() })
    }

    fn time(&mut self) -> Result<&'a str, RecordError> {
        const FORM: &[u8] = b"dddd-dd-ddTdd:dd:dd.dddZ";
        let start = self.at;
        let word = self.word("time")?;
        let fits = word.len() == FORM.len()
            && word.bytes().zip(FORM).all(|(byte, form)| match form {
                b'd' => byte.is_ascii_digit(),
                other => byte == *other,
            });
        if fits {
            Ok(word)
        } else {
            Err(RecordError {
                at: start,
                what: "`time` is not of the form 2026-11-21T09:00:00.000Z".to_owned(),
            })
        }
    }

    /// Skips one JSON value.
    fn value(&mut self, depth: usize) -> Result<(), RecordError> {
        match self.rest().first() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'-' | b'0'..=b'9') => {
                let number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e');
                self.at += self.rest().iter().take_while(|byte| number(byte)).count();
                Ok(())
            }
            Some(b't') => self.expect("true"),
            Some(b'f') => self.expect("false"),
            Some(b'n') => self.expect("null"),
            _ => Err(self.error("expected a JSON value")),
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), RecordError> {
        self.enter(depth)?;
        if self.rest().first() == Some(&b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if self.closes(b']')? {
                return Ok(());
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), RecordError> {
        self.enter(depth)?;
        if self.rest().first() == Some(&b'}') {
            self.at += 1;
            return Ok(());
        }
        let mut before: Option<&str> = None;
        loop {
            let start = self.at;
            let name = self.string()?;
            if before.is_some_and(|before| compare(before, name) != Ordering::Less) {
                return Err(RecordError { at: start, what: "names are not in ascending order".to_owned() });
            }
            before = Some(name);
            self.expect(":")?;
            self.value(depth)?;
            if self.closes(b'}')? {
                return Ok(());
            }
        }
    }

    fn enter(&mut self, depth: usize) -> Result<(), RecordError> {
        if depth > DEPTH_MAX {
            return Err(self.error(format!("data nests deeper than {DEPTH_MAX} levels")));
        }
        self.at += 1;
        Ok(())
    }

    /// Past a comma, or past the closing byte.
    fn closes(&mut self, close: u8) -> Result<bool, RecordError> {
        let byte = self.rest().first().copied();
        if byte != Some(close) && byte != Some(b',') {
            return Err(self.error(format!("expected `,` or `{}`", char::from(close))));
        }
        self.at += 1;
        Ok(byte == Some(close))
    }

    /// Skips a string; what stands between its quotes.
    fn string(&mut self) -> Result<&'a str, RecordError> {
        if self.rest().first() != Some(&b'"') {
            return Err(self.error("expected a string"));
        }
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut at = start;
        loop {
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                Some(0x20..) => at += 1,
                _ => {
                    self.at = at.min(bytes.len());
                    return Err(self.error("a string is not closed or holds a raw control character"));
                }
            }
        }
        self.at = at + 1;
        Ok(&self.text[start..at])
    }
}

/// Bytes of actors, streams, sources and types.
pub(crate) const fn is_word_byte(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && byte != b'"' && byte != b'\\'
}

/// Orders two names, as they stand between their quotes, as RFC 8785 section 3.2.3 says.
fn compare(a: &str, b: &str) -> Ordering {
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii() && byte != b'\\');
    if plain(a) && plain(b) {
        return a.cmp(b);
    }
    let text = |name: &str| serde_json::from_str::<String>(&format!("\"{name}\"")).unwrap_or_default();
    text(a).encode_utf16().cmp(text(b).encode_utf16())
}

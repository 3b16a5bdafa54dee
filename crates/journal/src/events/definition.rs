//! Definitions of what runs carry out, kept so that runs can be replayed from the journal alone.

use model::Digest;
use serde::{Deserialize, Serialize};

use super::vocabulary;
use crate::limits::{DEFINITION_BYTES_MAX, DEFINITION_PART_BYTES};
use crate::{Event, Journal, JournalError, StreamId};

vocabulary! {
    /// What happens to a definition. Stream `definition/DIGEST`.
    DefinitionEvent {
        /// Its text, or the beginning of it where it is too long for one record.
        Registered(Box<Definition>) = "definition.registered",
        /// More of its text, in order, in the same append.
        Continued(DefinitionPart) = "definition.continued",
    }
}

/// Data of `definition.registered`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Definition {
    /// Digest of the whole text.
    pub digest: Digest,
    /// `workflow`, `policy`, `plan`.
    pub kind: String,
    /// The text, exactly; or its beginning.
    pub text: String,
    /// How many records of `definition.continued` follow; none when left out.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub more: u32,
}

/// Data of `definition.continued`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DefinitionPart {
    /// What follows in the text.
    pub text: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl DefinitionEvent {
    /// The events that keep a text, to be appended at once; `None` when it is longer than [`DEFINITION_BYTES_MAX`].
    pub fn keeping(digest: Digest, kind: &str, text: &str) -> Option<Vec<Self>> {
        if text.len() > DEFINITION_BYTES_MAX {
            return None;
        }
        let mut parts = Vec::with_capacity(text.len() / DEFINITION_PART_BYTES + 1);
        let mut rest = text;
        loop {
            let (part, after) = rest.split_at(rest.floor_char_boundary(DEFINITION_PART_BYTES));
            parts.push(part.to_owned());
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let more = u32::try_from(parts.len() - 1).ok()?;
        let mut parts = parts.into_iter();
        let first = Definition { digest, kind: kind.to_owned(), text: parts.next()?, more };
        let mut events = vec![Self::Registered(Box::new(first))];
        events.extend(parts.map(|text| Self::Continued(DefinitionPart { text })));
        Some(events)
    }
}

impl Definition {
    /// How many records a stream of definitions has at most.
    pub const RECORDS_MAX: usize = DEFINITION_BYTES_MAX.div_ceil(DEFINITION_PART_BYTES - 3) + 1;

    /// The stream it is kept in.
    pub fn stream(digest: &Digest) -> StreamId {
        format!("definition/{digest}").into()
    }

    /// The whole text of the definition with this digest; `None` unless `journal` has all of it.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read(journal: &dyn Journal, digest: &Digest) -> Result<Option<String>, JournalError> {
        let records = journal.read_stream(&Self::stream(digest), 0, Self::RECORDS_MAX)?;
        Ok(Self::text_of(records.iter().map(|record| &record.event)))
    }

    /// The whole text, from the events of its stream; `None` unless all of it is there and has the digest.
    pub fn text_of<'e>(events: impl IntoIterator<Item = &'e Event>) -> Option<String> {
        let mut events = events.into_iter();
        let Event::Definition(DefinitionEvent::Registered(first)) = events.next()? else { return None };
        let mut text = first.text.clone();
        for _ in 0..first.more {
            let Event::Definition(DefinitionEvent::Continued(part)) = events.next()? else { return None };
            text.push_str(&part.text);
        }
        (Digest::of(text.as_bytes()) == first.digest).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_kept_in_parts_and_read_back_exactly() {
        // a character of three bytes does not fit the parts evenly
        for length in [0, 1, DEFINITION_PART_BYTES / 3, DEFINITION_PART_BYTES, DEFINITION_PART_BYTES + 1] {
            let text = "\u{2026}".repeat(length);
            let digest = Digest::of(text.as_bytes());
            let events = DefinitionEvent::keeping(digest, "plan", &text).unwrap();
            let events: Vec<Event> = events.into_iter().map(Event::from).collect();
            assert!(events.len() <= Definition::RECORDS_MAX);
            assert_eq!(Definition::text_of(&events).as_deref(), Some(&*text));
            assert_eq!(Definition::text_of(&events[..events.len() - 1]), None, "a part is missing");
        }
        let long = "x".repeat(DEFINITION_BYTES_MAX + 1);
        assert_eq!(DefinitionEvent::keeping(Digest::of(b""), "plan", &long), None);
    }
}

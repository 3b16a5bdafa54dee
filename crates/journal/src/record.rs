//! The one form of a record: CloudEvents 1.0 JSON, canonical (RFC 8785).
//!
//! | member | what |
//! |---|---|
//! | `actor` | who acted (extension) |
//! | `data` | the event's data |
//! | `id` | the position in the journal, decimal: unique within `source` |
//! | `previous` | digest of the record before (extension) |
//! | `sequence` | the place in the stream, decimal (the CloudEvents extension `sequence`) |
//! | `source` | which journal |
//! | `specversion` | `1.0` |
//! | `subject` | the stream |
//! | `time` | RFC 3339, UTC, milliseconds |
//! | `type` | what happened |
//!
//! Positions and sequences are texts because a CloudEvents integer has 32 bits. A record's digest is its RFC 9162 leaf
//! hash, so that the chain and the Merkle tree share one hash per record.

use std::sync::Arc;

use model::{Digest, Principal, Timestamp, canonical, code};

use crate::envelope::is_word_byte;
pub use crate::envelope::{Envelope, RecordError};
use crate::limits::{RECORD_BYTES_MAX, STREAM_BYTES_MAX};
use crate::{Event, JournalError, NewEvent, Record, StreamId, merkle};

/// The digest of a record's bytes: SHA-256 over a zero byte and the bytes (RFC 9162 section 2.1.1).
pub fn digest(bytes: &[u8]) -> Digest {
    merkle::leaf_hash(bytes)
}

/// An event whose members that do not depend on its place are encoded already. Made by the caller's thread, so that a
/// storage engine's single writer has little left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    stream: StreamId,
    kind: &'static str,
    head: Vec<u8>,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// In the whole journal, from 1.
    pub position: u64,
    /// In its stream, from 1.
    pub sequence: u64,
    /// When, as [`model::time::rfc3339`] writes it. A text so that records of one moment share the work.
    pub time: &'a str,
    /// Digest of the record before.
    pub previous: &'a Digest,
    /// Which journal; see [`is_source`].
    pub source: &'a str,
}

/// What a record needs besides what was prepared and stream, source and type: names, quotes, digest, numbers, time.
const PLACE_BYTES: usize = 256;

/// Whether a text can be a journal's `source`: 1 to 128 printable ASCII characters without quotes, backslashes and spaces.
pub fn is_source(text: &str) -> bool {
    (1..=STREAM_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_word_byte)
}

/// Encodes what can be encoded before an event's place is known.
///
/// # Errors
/// [`JournalError::TooLarge`] for more than [`RECORD_BYTES_MAX`]; codes `E0115` for a bad stream name and `E0109` for data
/// without canonical form or nested too deep.
pub fn prepare(new: &NewEvent) -> Result<Prepared, JournalError> {
    if !is_source(&new.stream) {
        return Err(JournalError::Storage {
            code: code::journal::BAD_APPEND,
            what: format!("{:?} cannot name a stream", &new.stream),
            hint: None,
        });
    }
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(b"{\"actor\":\"");
    // a principal's characters never need an escape
    head.extend_from_slice(new.actor.as_str().as_bytes());
    head.extend_from_slice(b"\",\"data\":");
    canonical::serialize(&new.event, &mut head).map_err(|error| JournalError::Storage {
        code: code::journal::RECORD_TOO_LARGE,
        what: format!("data of {} cannot be recorded: {error}", new.event.kind()),
        hint: None,
    })?;
    let bytes = head.len() + PLACE_BYTES + 3 * STREAM_BYTES_MAX;
    if bytes > RECORD_BYTES_MAX {
        return Err(JournalError::TooLarge { bytes });
    }
    Ok(Prepared { stream: new.stream.clone(), kind: new.event.kind(), head })
}

impl Prepared {
    /// The stream it goes to.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// Upper bound of the finished record's size.
    pub fn size(&self) -> usize {
        self.head.len() + PLACE_BYTES + 3 * STREAM_BYTES_MAX
    }

    /// Appends the whole record to `out`.
    pub fn finish(&self, place: &Place<'_>, out: &mut Vec<u8>) {
        out.reserve(self.head.len() + PLACE_BYTES + self.stream.len());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"id\":\"");
        canonical::write_decimal(place.position, out);
        out.extend_from_slice(b"\",\"previous\":\"");
        write_digest(place.previous, out);
        out.extend_from_slice(b"\",\"sequence\":\"");
        canonical::write_decimal(place.sequence, out);
        out.extend_from_slice(b"\",\"source\":\"");
        out.extend_from_slice(place.source.as_bytes());
        out.extend_from_slice(b"\",\"specversion\":\"1.0\",\"subject\":\"");
        out.extend_from_slice(self.stream.as_bytes());
        out.extend_from_slice(b"\",\"time\":\"");
        out.extend_from_slice(place.time.as_bytes());
        out.extend_from_slice(b"\",\"type\":\"");
        out.extend_from_slice(self.kind.as_bytes());
        out.extend_from_slice(b"\"}");
    }
}

fn write_digest(digest: &Digest, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"sha256:");
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest.as_bytes()) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    out.extend_from_slice(&text);
}

/// Reads a record.
///
/// # Errors
/// What is wrong with the bytes and at which of them; an event type of a newer version is such an error too.
pub fn decode(bytes: impl Into<Arc<[u8]>>) -> Result<Record, RecordError> {
    let bytes: Arc<[u8]> = bytes.into();
    let envelope = Envelope::read(&bytes)?;
    let offset = |part: &str| part.as_ptr().addr() - bytes.as_ptr().addr();
    let actor: Principal = envelope
        .actor
        .parse()
        .map_err(|error| RecordError { at: offset(envelope.actor), what: format!("`actor`: {error}") })?;
    let at: Timestamp = envelope
        .time
        .parse()
        .map_err(|error| RecordError { at: offset(envelope.time), what: format!("`time`: {error}") })?;
    let event = Event::decode(envelope.kind, envelope.data).map_err(|error| {
        let why = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        RecordError { at: offset(envelope.data), what: format!("{error}{why}") }
    })?;
    Ok(Record {
        position: envelope.position,
        stream: envelope.stream.into(),
        sequence: envelope.sequence,
        at,
        actor,
        event,
        previous: envelope.previous,
        bytes: bytes.clone(),
    })
}

/// Turns an unreadable record into the journal's error, naming its position.
pub fn unreadable(position: u64, error: &RecordError) -> JournalError {
    JournalError::Storage {
        code: code::journal::UNREADABLE_RECORD,
        what: format!("record {position} cannot be decoded: {error}"),
        hint: Some("aedile journal verify".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use model::RunId;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::events::{BusEvent, Published, RunEvent, Signal};

    fn place(previous: &Digest) -> Place<'_> {
        Place { position: 7, sequence: 3, time: "2026-11-21T09:00:00.000Z", previous, source: "aedile/dev" }
    }

    fn encode(event: impl Into<Event>) -> Vec<u8> {
        let new = NewEvent {
            stream: RunId::from_parts(1, 1).to_string().into(),
            actor: Principal::user("maria").unwrap(),
            event: event.into(),
        };
        let mut out = Vec::new();
        prepare(&new).unwrap().finish(&place(&Digest::of(b"x")), &mut out);
        out
    }

    fn signal(data: Value) -> Event {
        RunEvent::Signalled(Signal { name: "go".to_owned(), data }).into()
    }

    #[test]
    fn a_record_is_canonical_cloudevents_json() {
        let bytes = encode(signal(json!({"b": 1.0, "a": ["\u{e9}"]})));
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(model::canonical::to_vec(&value), bytes, "RFC 8785");
        let event: model::CloudEvent = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((event.specversion.as_str(), event.id.as_str()), ("1.0", "7"));
        assert_eq!(event.kind, "run.signalled");
        assert_eq!(event.extensions["sequence"], "3");
        assert_eq!(event.extensions["actor"], "user:maria");
        assert_eq!(event.extensions["previous"], Digest::of(b"x").to_string());
    }

    proptest! {
        #[test]
        fn records_round_trip(text in "\\PC{0,20}", number: i64, float in any::<f64>()) {
            let mut data = json!({"text": text, "number": number, "float": float, "a": [null, {"z": 1, "b": {}}]});
            model::canonical::normalize(&mut data);
            let event = signal(data);
            let bytes = encode(event.clone());
            let record = decode(&bytes[..]).unwrap();
            prop_assert_eq!((record.position, record.sequence, record.previous), (7, 3, Digest::of(b"x")));
            prop_assert_eq!(&record.event, &event);
            prop_assert_eq!(&record.bytes[..], &bytes[..]);
        }

        #[test]
        fn a_changed_byte_never_passes_for_the_same_record(index in 0usize..300, byte: u8) {
            let bytes = encode(signal(json!({"k": [1, 2]})));
            let mut changed = bytes.clone();
            let index = index % changed.len();
            changed[index] = byte;
            if changed != bytes {
                prop_assert_ne!(digest(&changed), digest(&bytes));
                if let Ok(record) = decode(&changed[..]) {
                    prop_assert_eq!(&record.bytes[..], &changed[..]);
                }
            }
        }
    }

    #[test]
    fn errors_name_the_byte() {
        let good = String::from_utf8(encode(signal(json!({"a": 1, "b": 2})))).unwrap();
        assert!(decode(good.as_bytes()).is_ok());
        for (from, to, wanted) in [
            ("{\"actor\"", "{ \"actor\"", "at byte 0: expected `{\"actor\":\"`"),
            ("user:maria", "root:maria", "`actor`"),
            ("\"id\":\"7\"", "\"id\":\"07\"", "`id` is not a number from 1"),
            ("\"id\":\"7\"", "\"id\":\"0\"", "`id` is not a number from 1"),
            ("\"a\":1,\"b\":2", "\"b\":2,\"a\":1", "ascending order"),
            ("\"a\":1,\"b\":2", "\"a\":1,\"a\":2", "ascending order"),
            ("\"a\":1", "\"a\": 1", "expected a JSON value"),
            ("sha256:", "sha512:", "`previous` is not a digest"),
            (".000Z", ".00Z", "`time` is not of the form"),
            ("2026-11-21", "2026-13-21", "`time`"),
            ("run.signalled", "run.levitated", "unknown to this version"),
            ("\"name\":\"go\"", "\"name\":5", "data of event type run.signalled is malformed"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            let error = decode(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(wanted), "{from} -> {to}: {error}");
        }
        assert!(decode(&good.as_bytes()[..good.len() - 1]).is_err());
        assert!(decode(format!("{good} ").as_bytes()).is_err());
        assert!(decode(&b"\xff"[..]).is_err());
    }

    #[test]
    fn streams_sizes_and_depth_are_limited() {
        let mut new =
            NewEvent { stream: "a b".into(), actor: Principal::system(), event: signal(Value::Null) };
        assert_eq!(model::Coded::code(&prepare(&new).unwrap_err()).id, "E0115");
        new.stream = "x".repeat(129).into();
        assert!(prepare(&new).is_err());
        new.stream = "x".into();
        new.event = signal(Value::from("x".repeat(RECORD_BYTES_MAX)));
        assert!(matches!(prepare(&new), Err(JournalError::TooLarge { .. })));
        let mut deep = json!(1);
        for _ in 0..200 {
            deep = json!([deep]);
        }
        new.event = signal(deep);
        assert_eq!(model::Coded::code(&prepare(&new).unwrap_err()).id, "E0109");
    }

    #[test]
    fn events_with_flattened_members_are_canonical_too() {
        let event: model::CloudEvent = serde_json::from_value(json!({
            "specversion": "1.0", "id": "1", "source": "s", "type": "t", "zext": "z", "aext": 1, "data": {"x": 1}
        }))
        .unwrap();
        let bytes = encode(BusEvent::Published(Box::new(Published { event: event.clone(), run: None })));
        let Event::Bus(BusEvent::Published(read)) = decode(bytes).unwrap().event else { panic!() };
        assert_eq!(read.event, event);
    }
}

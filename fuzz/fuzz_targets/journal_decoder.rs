//! Any bytes are read without a panic, and what is accepted has exactly one form.
#![no_main]

use journal::record::{self, Envelope, Place};
use journal::{NewEvent, Note, Proof};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(record) = record::decode(data) {
        let envelope = Envelope::read(data).expect("what decodes has an envelope");
        let new =
            NewEvent { stream: record.stream.clone(), actor: record.actor.clone(), event: record.event.clone() };
        if let Ok(prepared) = record::prepare(&new) {
            let place = Place {
                position: record.position,
                sequence: record.sequence,
                time: envelope.time,
                previous: &record.previous,
                source: envelope.source,
            };
            let mut again = Vec::new();
            prepared.finish(&place, &mut again);
            // members that this version does not know are dropped, and numbers take their one form (`-0` is `0`);
            // written again, the rest stays the same for good
            let second = record::decode(&again[..]).expect("what is written can be read");
            let new = NewEvent { event: second.event.clone(), ..new };
            let mut third = Vec::new();
            record::prepare(&new).expect("what is written can be written again").finish(&place, &mut third);
            assert_eq!(String::from_utf8_lossy(&third), String::from_utf8_lossy(&again));
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(note) = text.parse::<Note>() {
            assert_eq!(note.to_string().parse::<Note>().as_ref(), Ok(&note));
        }
        if let Ok(proof) = text.parse::<Proof>() {
            assert_eq!(proof.to_string().parse::<Proof>().as_ref(), Ok(&proof));
        }
    }
});

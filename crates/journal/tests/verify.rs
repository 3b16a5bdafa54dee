//! Whatever is done to a journal, verification says what and to which record.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use futures_executor::block_on;
use journal::events::{CheckpointSigned, EnvironmentEvent, KeyAdded, KeyRetired};
use journal::merkle::CompactRange;
use journal::verify::{Fault, Options, Report, verify};
use journal::{
    Append, Checkpoint, Journal, JournalError, MemoryJournal, NewEvent, Signer, conformance, record,
};
use model::{CheckpointId, Coded, Digest, Principal, Timestamp};

type Stored = Vec<(u64, Vec<u8>)>;

struct World {
    journal: MemoryJournal,
}

impl World {
    fn new() -> Self {
        Self { journal: MemoryJournal::new(|| Timestamp::UNIX_EPOCH) }
    }

    fn fill(&self, count: u64) {
        for number in 0..count {
            let stream = format!("s{}", number % 3);
            let append = Append { events: vec![conformance::event(&stream, number)], ..Append::default() };
            block_on(self.journal.append(append)).unwrap();
        }
    }

    fn environment(&self, event: EnvironmentEvent) {
        let new = NewEvent { stream: "environment".into(), actor: Principal::system(), event: event.into() };
        block_on(self.journal.append(Append { events: vec![new], ..Append::default() })).unwrap();
    }

    fn stored(&self) -> Stored {
        let records = self.journal.read(0, 10_000).unwrap();
        records.iter().map(|record| (record.position, record.bytes.to_vec())).collect()
    }

    fn head(&self) -> Checkpoint {
        let mut tree = CompactRange::default();
        self.stored().iter().for_each(|(_, bytes)| tree.push(record::digest(bytes)));
        Checkpoint { origin: "memory".to_owned(), size: tree.size(), root: tree.root() }
    }

    /// Signs the head, records it, and gives the note.
    fn checkpoint(&self, signers: &[&Signer]) -> String {
        let head = self.head();
        let note = head.sign(signers).unwrap().to_string();
        self.environment(EnvironmentEvent::CheckpointSigned(Box::new(CheckpointSigned {
            checkpoint: CheckpointId::from_parts(head.size, 0),
            size: head.size,
            root: head.root.to_string().trim_start_matches("sha256:").to_owned(),
            note: note.clone(),
        })));
        note
    }
}

fn key(seed: u8) -> Signer {
    Signer::from_seed(&format!("key{seed}"), &[seed; 32]).unwrap()
}

fn trusting(signers: &[&Signer]) -> Options {
    let trusted = signers.iter().map(|signer| signer.verifier().clone()).collect();
    Options { trusted, ..Options::default() }
}

fn check(stored: &Stored, options: &Options) -> Result<Report, Box<Fault>> {
    let of = |threads| {
        let records = stored.iter().map(|(position, bytes)| Ok((*position, bytes)));
        verify(records, &Options { threads, ..options.clone() })
    };
    let (one, four) = (of(1), of(4));
    match (&one, &four) {
        (Ok(a), Ok(b)) => assert_eq!(a, b),
        (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
        _ => panic!("the result depends on the number of threads"),
    }
    one
}

fn edit(stored: &mut Stored, position: usize, from: &str, to: &str) {
    let text = String::from_utf8(stored[position - 1].1.clone()).unwrap();
    assert!(text.contains(from), "{text}");
    stored[position - 1].1 = text.replacen(from, to, 1).into_bytes();
}

/// Makes the chain whole again after an edit, as somebody with write access could.
fn rechain(stored: &mut Stored) {
    let mut previous = Digest::ZERO;
    for (_, bytes) in stored {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let at = text.find("\"previous\":\"").unwrap() + "\"previous\":\"".len();
        let length = Digest::ZERO.to_string().len();
        *bytes = format!("{}{previous}{}", &text[..at], &text[at + length..]).into_bytes();
        previous = record::digest(bytes);
    }
}

#[test]
fn a_good_journal_verifies_with_signatures() {
    let world = World::new();
    world.fill(20);
    world.checkpoint(&[&key(1)]);
    world.fill(5);
    let report = check(&world.stored(), &trusting(&[&key(1)])).unwrap();
    assert_eq!((report.head.position, report.signed, report.checkpoints), (26, 20, 1));
    assert_eq!(report.head, world.journal.head().unwrap());
    assert_eq!(report.root, world.head().root);
    assert_eq!(report.streams, 4);
    let unsigned = check(&world.stored(), &Options::default()).unwrap();
    assert_eq!(unsigned.signed, 0, "nobody to trust, nothing signed");
}

#[test]
fn an_edit_is_found_and_the_edited_record_named() {
    let world = World::new();
    world.fill(20);
    for position in 1..20 {
        let mut stored = world.stored();
        edit(&mut stored, position, "\"name\":\"n\"", "\"name\":\"m\"");
        let fault = check(&stored, &Options::default()).unwrap_err();
        assert!(matches!(*fault, Fault::Edited { .. }), "{fault}");
        assert_eq!((fault.position(), fault.code().id), (Some(position as u64), "E0101"));
    }
}

#[test]
fn an_edited_link_is_told_from_an_edited_predecessor() {
    let world = World::new();
    world.fill(10);
    let mut stored = world.stored();
    let link = record::digest(&stored[3].1).to_string();
    edit(&mut stored, 5, &link, &Digest::of(b"forged").to_string());
    assert_eq!(check(&stored, &Options::default()).unwrap_err().position(), Some(5));
}

#[test]
fn an_edit_of_the_last_record_is_found_by_a_checkpoint() {
    let world = World::new();
    world.fill(10);
    let note = world.head().sign(&[&key(1)]).unwrap().to_string();
    let mut stored = world.stored();
    edit(&mut stored, 10, "\"name\":\"n\"", "\"name\":\"m\"");
    let options = Options { notes: vec![note], ..trusting(&[&key(1)]) };
    let fault = check(&stored, &options).unwrap_err();
    assert!(matches!(*fault, Fault::Root { from: 1, size: 10, .. }), "{fault}");
}

#[test]
fn deletions_and_reorderings_name_the_first_record() {
    let world = World::new();
    world.fill(20);
    let mut deleted = world.stored();
    deleted.remove(6);
    let fault = check(&deleted, &Options::default()).unwrap_err();
    assert!(matches!(*fault, Fault::Missing { position: 7, found: 8 }), "{fault}");

    let mut closed = world.stored();
    closed.remove(6);
    closed.iter_mut().zip(1..).for_each(|(record, position)| record.0 = position);
    let fault = check(&closed, &Options::default()).unwrap_err();
    assert!(matches!(*fault, Fault::Misplaced { position: 7, says: 8 }), "{fault}");

    let mut swapped = world.stored();
    let (a, b) = (swapped[4].1.clone(), swapped[9].1.clone());
    (swapped[4].1, swapped[9].1) = (b, a);
    let fault = check(&swapped, &Options::default()).unwrap_err();
    assert!(matches!(*fault, Fault::Misplaced { position: 5, says: 10 }), "{fault}");

    let mut first = world.stored();
    first.remove(0);
    assert_eq!(check(&first, &Options::default()).unwrap_err().position(), Some(1));
}

#[test]
fn truncation_shows_against_the_last_checkpoint() {
    let world = World::new();
    world.fill(20);
    let note = world.checkpoint(&[&key(1)]);
    let mut stored = world.stored();
    stored.truncate(15);
    assert!(check(&stored, &trusting(&[&key(1)])).is_ok(), "the journal alone cannot know");
    let options = Options { notes: vec![note], ..trusting(&[&key(1)]) };
    let fault = check(&stored, &options).unwrap_err();
    assert!(matches!(*fault, Fault::Truncated { records: 15, size: 20 }), "{fault}");
    assert_eq!(fault.code().id, "E0103");

    let forged = world.head().sign(&[&key(2)]).unwrap().to_string();
    let options = Options { notes: vec![forged], ..trusting(&[&key(1)]) };
    assert_eq!(check(&stored, &options).unwrap_err().code().id, "E0111", "a stranger cannot cry wolf");
}

#[test]
fn a_journal_rewritten_chain_and_all_does_not_have_the_signed_root() {
    let world = World::new();
    world.fill(10);
    world.checkpoint(&[&key(1)]);
    world.fill(10);
    world.checkpoint(&[&key(1)]);
    let mut stored = world.stored();
    edit(&mut stored, 15, "\"name\":\"n\"", "\"name\":\"m\"");
    rechain(&mut stored);
    let fault = check(&stored, &trusting(&[&key(1)])).unwrap_err();
    assert!(matches!(*fault, Fault::Root { from: 11, size: 21, .. }), "{fault}");
}

#[test]
fn sequences_times_and_sources_are_checked_even_when_the_chain_holds() {
    let world = World::new();
    world.fill(12);
    for (position, from, to, wanted) in [
        (8, "\"sequence\":\"3\"", "\"sequence\":\"4\"", "number 4 of stream s1, which is at 2"),
        (2, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.001Z", "before its predecessor's"),
        (6, "\"source\":\"memory\"", "\"source\":\"elsewhere\"", "belongs to elsewhere"),
        (4, "\"type\":\"run.signalled\"", "\"type\":\"run signalled\"", "cannot be decoded"),
    ] {
        let mut stored = world.stored();
        edit(&mut stored, position, from, to);
        rechain(&mut stored);
        let fault = check(&stored, &Options::default()).unwrap_err();
        assert!(fault.to_string().contains(wanted), "{fault}");
    }
}

#[test]
fn keys_rotate_and_retired_ones_are_refused() {
    let (old, new) = (key(1), key(2));
    let world = World::new();
    let added = |signer: &Signer| KeyAdded {
        name: signer.verifier().name().to_owned(),
        verifier: signer.verifier().to_string(),
    };
    world.environment(EnvironmentEvent::KeyAdded(added(&old)));
    world.fill(5);
    world.environment(EnvironmentEvent::KeyAdded(added(&new)));
    world.environment(EnvironmentEvent::KeyRetired(KeyRetired { verifier: old.verifier().to_string() }));
    world.checkpoint(&[&old]);
    world.fill(5);
    let retired = world.stored();
    world.checkpoint(&[&new]);
    let report = check(&world.stored(), &trusting(&[&old])).unwrap();
    assert_eq!((report.signed, report.trusted), (14, vec![new.verifier().clone()]));

    let other = World { journal: MemoryJournal::new(|| Timestamp::UNIX_EPOCH) };
    for (_, bytes) in &retired {
        let record = record::decode(&bytes[..]).unwrap();
        let new = NewEvent { stream: record.stream, actor: record.actor, event: record.event };
        block_on(other.journal.append(Append { events: vec![new], ..Append::default() })).unwrap();
    }
    other.checkpoint(&[&old]);
    assert_eq!(check(&other.stored(), &trusting(&[&old])).unwrap_err().code().id, "E0111");
}

#[test]
fn strangers_cannot_sign_and_keys_cannot_introduce_themselves() {
    let world = World::new();
    world.fill(5);
    let stranger = key(9);
    let verifier = stranger.verifier().to_string();
    world.environment(EnvironmentEvent::KeyAdded(KeyAdded { name: "key9".to_owned(), verifier }));
    world.checkpoint(&[&stranger]);
    let fault = check(&world.stored(), &trusting(&[&key(1)])).unwrap_err();
    assert!(matches!(*fault, Fault::Signature { .. }), "{fault}");
}

#[test]
fn checkpoints_that_contradict_themselves_are_refused() {
    let world = World::new();
    world.fill(5);
    world.checkpoint(&[&key(1)]);
    for (from, to) in [("\"size\":5", "\"size\":4"), ("\"root\":\"", "\"root\":\"00")] {
        let mut stored = world.stored();
        edit(&mut stored, 6, from, to);
        let fault = check(&stored, &Options::default()).unwrap_err();
        assert!(matches!(*fault, Fault::Checkpoint(_)), "{fault}");
    }
}

#[test]
fn an_error_while_reading_is_told_after_what_was_read() {
    let world = World::new();
    world.fill(5);
    let mut stored = world.stored();
    let failure = JournalError::stopped();
    let reading = |stored: &Stored| {
        let good: Vec<_> = stored.iter().map(|(position, bytes)| Ok((*position, bytes.clone()))).collect();
        verify(good.into_iter().chain([Err(failure.clone())]), &Options::default())
    };
    assert!(matches!(*reading(&stored).unwrap_err(), Fault::Read(_)));
    edit(&mut stored, 2, "\"name\":\"n\"", "\"name\":\"m\"");
    assert!(matches!(*reading(&stored).unwrap_err(), Fault::Edited { position: 2, .. }));
}

//! Checkpoints sign what is in the file, and proofs lead to them.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use futures_executor::block_on;
use journal::verify::{self, verify};
use journal::{Append, Journal, Signer, conformance, merkle};
use model::{CheckpointId, Coded, Principal};
use store::{Options, Sealed, SqliteJournal};
use tempfile::TempDir;

struct World {
    journal: SqliteJournal,
    directory: TempDir,
    signer: Signer,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { create: true, source: "aedile/test".to_owned(), ..Options::default() };
        let journal = SqliteJournal::open(directory.path().join("journal.db"), &options).unwrap();
        Self { journal, directory, signer: Signer::from_seed("aedile/test", &[5; 32]).unwrap() }
    }

    fn fill(&self, count: u64) {
        for number in 0..count {
            let events = vec![conformance::event("s", number)];
            block_on(self.journal.append(Append { events, ..Append::default() })).unwrap();
        }
    }

    fn seal(&self) -> Option<Sealed> {
        let id = CheckpointId::from_parts(self.journal.head().unwrap().position, 0);
        self.journal.checkpoint(id, &Principal::system(), &[&self.signer]).unwrap()
    }

    /// The same file, of which nothing is remembered.
    fn reopened(&self) -> SqliteJournal {
        SqliteJournal::open(self.directory.path().join("journal.db"), &Options::default()).unwrap()
    }

    fn tamper(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.directory.path().join("journal.db")).unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

#[test]
fn checkpoints_grow_and_the_journal_verifies_against_all_of_them() {
    let world = World::new();
    assert_eq!(world.seal(), None, "nothing to sign");
    let mut notes = Vec::new();
    for count in [1, 5, 17] {
        world.fill(count);
        notes.push(world.seal().unwrap().note);
    }
    let options = verify::Options {
        trusted: vec![world.signer.verifier().clone()],
        notes,
        ..verify::Options::default()
    };
    let report = verify(world.journal.scan(0), &options).unwrap();
    assert_eq!((report.head.position, report.signed, report.checkpoints), (26, 25, 6));
    assert_eq!(world.journal.checkpoints(10).unwrap().len(), 3);
    assert_eq!(world.journal.compare_views().unwrap(), []);
}

#[test]
fn a_remembered_tree_that_lies_is_not_used() {
    let world = World::new();
    world.fill(6);
    world.seal().unwrap();
    world.fill(3);
    world.tamper("UPDATE trees SET peaks = zeroblob(64)");
    let sealed = world.seal().unwrap();
    assert_eq!(sealed.checkpoint.size, 10);
    assert_eq!(verify(world.journal.scan(0), &verify::Options::default()).unwrap().checkpoints, 2);
}

#[test]
fn nothing_damaged_is_signed() {
    let world = World::new();
    world.fill(6);
    world.tamper(
        "UPDATE records SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"n\"', '\"m\"') AS BLOB) WHERE position = 4",
    );
    let id = CheckpointId::from_parts(1, 0);
    let error = world.journal.checkpoint(id, &Principal::system(), &[&world.signer]).unwrap_err();
    assert_eq!(error.code().id, "E0101");
    assert!(error.to_string().starts_with("record 4 was changed"), "{error}");
    assert_eq!(world.journal.head().unwrap().position, 6);
}

#[test]
fn records_are_proved_to_be_below_the_newest_checkpoint() {
    let world = World::new();
    world.fill(9);
    assert_eq!(world.journal.prove(3).unwrap_err().hint().as_deref(), Some("aedile journal checkpoint"));
    let first = world.seal().unwrap();
    world.fill(4);
    let second = world.seal().unwrap();
    world.fill(1);
    for position in 1..=14 {
        let proof = world.journal.prove(position).unwrap();
        let record = &world.journal.read(position - 1, 1).unwrap()[0];
        let checkpoint = proof.verify(&record.bytes, [world.signer.verifier()]).unwrap();
        assert_eq!(checkpoint, second.checkpoint);
    }
    assert_eq!(world.journal.prove(15).unwrap_err().code().id, "E0113");
    assert_eq!(world.journal.prove(0).unwrap_err().code().id, "E0113");
    let (newest, proof) = world.journal.prove_consistency(first.checkpoint.size).unwrap();
    assert_eq!(newest.size, second.checkpoint.size);
    let (old, new) = (&first.checkpoint, &second.checkpoint);
    merkle::verify_consistency((old.size, &old.root), (new.size, &new.root), &proof).unwrap();
}

#[test]
fn proofs_are_the_same_from_what_is_remembered_of_the_records() {
    let world = World::new();
    world.fill(2_500);
    let first = world.seal().unwrap();
    let asked = [1, 2, 1_024, 1_025, 2_048, 2_049, 2_500];
    let fresh: Vec<_> = asked.map(|position| world.journal.prove(position).unwrap()).into();
    // more parts are complete than the first proofs had seen
    world.fill(1_000);
    let second = world.seal().unwrap();
    let reopened = world.reopened();
    for (position, before) in asked.into_iter().zip(fresh) {
        let record = &world.journal.read(position - 1, 1).unwrap()[0];
        let proof = world.journal.prove(position).unwrap();
        assert_eq!(proof.path, reopened.prove(position).unwrap().path, "record {position}");
        let keys = || [world.signer.verifier()];
        assert_eq!(proof.verify(&record.bytes, keys()).unwrap(), second.checkpoint, "record {position}");
        assert_eq!(before.verify(&record.bytes, keys()).unwrap(), first.checkpoint, "record {position}");
    }
    for old in [1, 1_024, 2_500, 3_000] {
        let proved = world.journal.prove_consistency(old).unwrap().1;
        assert_eq!(proved, world.reopened().prove_consistency(old).unwrap().1, "{old}");
    }
}

#[test]
fn a_proof_reads_no_record_that_is_far_from_it_again() {
    let world = World::new();
    world.fill(2_500);
    let sealed = world.seal().unwrap();
    let path = |journal: &SqliteJournal| journal.prove(2_400).unwrap().path;
    let before = path(&world.journal);
    world.tamper("CREATE TABLE kept AS SELECT bytes FROM records WHERE position = 7; UPDATE records SET bytes = x'7b7d' WHERE position = 7");
    assert_eq!(path(&world.journal), before);
    // who has to read it makes a proof that does not hold, and keeps nothing of what led there
    let other = world.reopened();
    assert_ne!(path(&other), before);
    world.tamper("UPDATE records SET bytes = (SELECT bytes FROM kept) WHERE position = 7");
    assert_eq!(path(&other), before);
    let record = &world.journal.read(2_399, 1).unwrap()[0];
    let proof = other.prove(2_400).unwrap();
    assert_eq!(proof.verify(&record.bytes, [world.signer.verifier()]).unwrap(), sealed.checkpoint);
}

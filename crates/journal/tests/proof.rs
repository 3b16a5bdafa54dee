//! A record, a proof file and a public key are enough.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use futures_executor::block_on;
use journal::merkle::{CompactRange, Prover};
use journal::{Append, Checkpoint, Journal, MemoryJournal, Proof, Signer, conformance, record};
use model::{Coded, Timestamp};

fn world() -> (Vec<Vec<u8>>, Proof, Signer) {
    let journal = MemoryJournal::new(|| Timestamp::UNIX_EPOCH);
    for number in 0..11 {
        let append = Append { events: vec![conformance::event("s", number)], ..Append::default() };
        block_on(journal.append(append)).unwrap();
    }
    let records: Vec<_> = journal.read(0, 100).unwrap().iter().map(|record| record.bytes.to_vec()).collect();
    let (mut tree, mut prover) = (CompactRange::default(), Prover::inclusion(6, 11).unwrap());
    for bytes in &records {
        tree.push(record::digest(bytes));
        prover.push(record::digest(bytes));
    }
    let signer = Signer::from_seed("k", &[3; 32]).unwrap();
    let head = Checkpoint { origin: "memory".to_owned(), size: 11, root: tree.root() };
    let proof = Proof { index: 6, path: prover.proof().unwrap(), note: head.sign(&[&signer]).unwrap() };
    (records, proof, signer)
}

#[test]
fn a_proof_file_round_trips_and_verifies() {
    let (records, proof, signer) = world();
    let again: Proof = proof.to_string().parse().unwrap();
    assert_eq!(again, proof);
    assert_eq!(again.verify(&records[6], [signer.verifier()]).unwrap().size, 11);
}

#[test]
fn other_records_keys_and_hashes_are_refused() {
    let (records, mut proof, signer) = world();
    let known = [signer.verifier()];
    assert_eq!(
        proof.verify(&records[5], known).unwrap_err().to_string(),
        "the proof is for record 7, the record says it is 6"
    );
    let stranger = Signer::from_seed("k", &[4; 32]).unwrap();
    assert_eq!(proof.verify(&records[6], [stranger.verifier()]).unwrap_err().code().id, "E0111");
    let changed = String::from_utf8(records[6].clone()).unwrap().replace("\"name\":\"n\"", "\"name\":\"m\"");
    assert_eq!(proof.verify(changed.as_bytes(), known).unwrap_err().code().id, "E0113");
    proof.path.pop();
    assert_eq!(proof.verify(&records[6], known).unwrap_err().code().id, "E0113");
}

#[test]
fn malformed_proofs_name_the_line() {
    let (_, proof, _) = world();
    let good = proof.to_string();
    for (bad, line) in [
        (good.replace("@v1", "@v2"), 1),
        (good.replace("index 6", "index six"), 2),
        (good.replacen("=\n", "\n", 1), 3),
        (good.replace("\n\n", "\n"), 1),
    ] {
        let error = bad.parse::<Proof>().unwrap_err();
        assert!(error.to_string().starts_with(&format!("line {line}: ")), "{error}");
    }
}

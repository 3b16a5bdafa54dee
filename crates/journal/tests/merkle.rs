//! The tree against vectors of others, and against another implementation.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

use std::path::{Path, PathBuf};

use base64::Engine as _;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use journal::merkle::{self, CompactRange, Prover};
use model::Digest;
use proptest::prelude::*;
use serde_json::Value;
use sha2::Sha256;

fn vectors() -> Option<PathBuf> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/merkle-vectors/testdata");
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}

/// A hash of a vector. Some are not 32 bytes long on purpose; a hash of ours always is, so these become one that nothing
/// else is equal to but the same bytes.
fn hash(value: &Value) -> Digest {
    let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or("")).unwrap();
    match <[u8; 32]>::try_from(&bytes[..]) {
        Ok(bytes) => Digest::from_bytes(bytes),
        Err(_) => Digest::of(&bytes),
    }
}

/// Whether a hash of a vector is one at all.
fn is_hash(value: &Value) -> bool {
    let text = value.as_str().unwrap_or("");
    base64::engine::general_purpose::STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

fn proof(value: &Value) -> Vec<Digest> {
    value["proof"].as_array().map(|items| items.iter().map(hash).collect()).unwrap_or_default()
}

/// Runs every vector below a directory; how many there were.
fn run(kind: &str, check: impl Fn(&Value) -> bool) -> usize {
    let Some(vectors) = vectors() else { return 0 };
    let (mut directories, mut seen) = (vec![vectors.join(kind)], 0);
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let vector: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let refused = !check(&vector);
            assert_eq!(
                refused,
                vector["wantErr"].as_bool().unwrap(),
                "{}: {}",
                path.display(),
                vector["desc"]
            );
            seen += 1;
        }
    }
    println!("{seen} vectors of {kind}");
    seen
}

fn number(vector: &Value, name: &str) -> u64 {
    vector[name].as_u64().unwrap()
}

#[test]
fn inclusion_vectors_pass_in_full() {
    let seen = run("inclusion", |vector| {
        let (index, size) = (number(vector, "leafIdx"), number(vector, "treeSize"));
        let (leaf, root) = (hash(&vector["leafHash"]), hash(&vector["root"]));
        is_hash(&vector["leafHash"])
            && merkle::verify_inclusion(&leaf, index, size, &proof(vector), &root).is_ok()
    });
    assert!(vectors().is_none() || seen == 98, "{seen}");
}

#[test]
fn consistency_vectors_pass_in_full() {
    let seen = run("consistency", |vector| {
        let old = hash(&vector["root1"]);
        let new = hash(&vector["root2"]);
        let (old_size, new_size) = (number(vector, "size1"), number(vector, "size2"));
        merkle::verify_consistency((old_size, &old), (new_size, &new), &proof(vector)).is_ok()
    });
    assert!(vectors().is_none() || seen == 98, "{seen}");
}

#[test]
fn subtree_inclusion_vectors_pass_in_full() {
    let seen = run("subtreeinclusion", |vector| {
        let range = number(vector, "start")..number(vector, "end");
        let (leaf, root) = (hash(&vector["leafHash"]), hash(&vector["root"]));
        let index = number(vector, "leafIdx");
        is_hash(&vector["leafHash"])
            && merkle::verify_subtree_inclusion(&leaf, index, range, &proof(vector), &root).is_ok()
    });
    assert!(vectors().is_none() || seen == 204, "{seen}");
}

#[test]
fn subtree_consistency_vectors_pass_in_full() {
    let seen = run("subtreeconsistency", |vector| {
        let range = number(vector, "start")..number(vector, "end");
        let (sub, root) = (hash(&vector["root1"]), hash(&vector["root2"]));
        let size = number(vector, "size");
        merkle::verify_subtree_consistency(range, &sub, (size, &root), &proof(vector)).is_ok()
    });
    assert!(vectors().is_none() || seen == 118, "{seen}");
}

fn leaf(number: u64) -> Digest {
    merkle::leaf_hash(&number.to_be_bytes())
}

fn prove(mut prover: Prover, size: u64) -> Vec<Digest> {
    (0..size).for_each(|number| prover.push(leaf(number)));
    prover.proof().unwrap()
}

fn tree(size: u64) -> CompactRange {
    let mut tree = CompactRange::default();
    (0..size).for_each(|number| tree.push(leaf(number)));
    tree
}

fn other(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|number| tree.push(number.to_be_bytes().to_vec()));
    tree
}

fn bytes(proof: &[Digest]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

proptest! {
    #[test]
    fn roots_and_proofs_agree_with_ct_merkle(size in 1u64..300, index: u64, old: u64) {
        let (ours, theirs) = (tree(size), other(size));
        let (root, expected) = (ours.root(), theirs.root());
        prop_assert_eq!(&root.as_bytes()[..], &expected.as_bytes()[..]);

        let index = index % size;
        let inclusion = prove(Prover::inclusion(index, size).unwrap(), size);
        let expected = theirs.prove_inclusion(usize::try_from(index).unwrap());
        prop_assert_eq!(&bytes(&inclusion), expected.as_bytes());
        prop_assert!(merkle::verify_inclusion(&leaf(index), index, size, &inclusion, &ours.root()).is_ok());

        let old = 1 + old % size;
        let consistency = prove(Prover::consistency(old, size).unwrap(), size);
        if old < size {
            let expected = theirs.prove_consistency(usize::try_from(size - old).unwrap());
            prop_assert_eq!(&bytes(&consistency), expected.as_bytes());
        }
        let (first, second) = (tree(old).root(), ours.root());
        prop_assert!(merkle::verify_consistency((old, &first), (size, &second), &consistency).is_ok());
    }

    #[test]
    fn parts_shown_by_their_roots_make_the_same_proofs(size in 1u64..300, index: u64, old: u64, level in 0u32..6) {
        let (index, old) = (index % size, 1 + old % size);
        for prover in [Prover::inclusion(index, size).unwrap(), Prover::consistency(old, size).unwrap()] {
            let expected = prove(prover.clone(), size);
            let (mut prover, mut at, width, mut taken) = (prover, 0, 1 << level, 0);
            while at + width <= size {
                let mut part = CompactRange::default();
                (at..at + width).for_each(|number| part.push(leaf(number)));
                if prover.push_subtree(part.root(), level) {
                    taken += 1;
                } else {
                    (at..at + width).for_each(|number| prover.push(leaf(number)));
                }
                at += width;
            }
            (at..size).for_each(|number| prover.push(leaf(number)));
            prop_assert_eq!(prover.proof().unwrap(), expected);
            // all but the one part with what is proved
            prop_assert!(taken + 1 >= size / width, "{taken} of {}", size / width);
        }
    }

    #[test]
    fn a_proof_holds_for_nothing_else(size in 2u64..100, index: u64, flip in 0usize..2000) {
        let (root, index) = (tree(size).root(), index % size);
        let proof = prove(Prover::inclusion(index, size).unwrap(), size);
        prop_assert!(merkle::verify_inclusion(&leaf(index + 1), index, size, &proof, &root).is_err());
        prop_assert!(merkle::verify_inclusion(&leaf(index), index, size, &proof[1..], &root).is_err());
        let mut wrong = proof.clone();
        let (place, bit) = (flip / 8 % (32 * wrong.len()), flip % 8);
        let mut changed = *wrong[place / 32].as_bytes();
        changed[place % 32] ^= 1 << bit;
        wrong[place / 32] = Digest::from_bytes(changed);
        prop_assert!(merkle::verify_inclusion(&leaf(index), index, size, &wrong, &root).is_err());
    }
}

#[test]
fn an_empty_tree_has_the_hash_of_nothing() {
    assert_eq!(CompactRange::default().root(), Digest::of(b""));
    assert!(Prover::inclusion(0, 0).is_none());
    assert!(Prover::consistency(0, 5).is_none());
    assert!(CompactRange::from_parts(3, vec![leaf(0)]).is_none());
}

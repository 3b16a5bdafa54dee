//! The Merkle tree of RFC 9162 section 2.1 over records: hashing, proofs, verification.
//!
//! Nothing here holds a tree. [`CompactRange`] holds the roots of its complete subtrees, which is all that appending
//! needs; a [`Prover`] is shown every leaf once and keeps what its proof needs.

use std::ops::Range;

use model::{Digest, code};
use sha2::{Digest as _, Sha256};

/// The hash of a leaf: SHA-256 over a zero byte and the bytes.
pub fn leaf_hash(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::new().chain_update([0]).chain_update(bytes).finalize().into())
}

/// The hash of an inner node: SHA-256 over a one byte and both children.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left.as_bytes());
    bytes[33..].copy_from_slice(right.as_bytes());
    Digest::of(&bytes)
}

/// The root of the tree without leaves: SHA-256 over nothing.
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// A tree reduced to the roots of its complete subtrees, largest first.
///
/// ```
/// use journal::merkle::{CompactRange, leaf_hash, node_hash};
/// let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
/// let mut tree = CompactRange::default();
/// tree.push(a);
/// tree.push(b);
/// assert_eq!((tree.size(), tree.root()), (2, node_hash(&a, &b)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    peaks: Vec<Digest>,
}

impl CompactRange {
    /// A tree from its parts, if there are as many subtrees as a tree of that size has.
    pub fn from_parts(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the complete subtrees, largest first.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Digest) {
        // any tree can be gone on with by one leaf
        let _begins = self.push_subtree(leaf, 0);
    }

    /// Appends a complete subtree of two to the power of `level` leaves by its root. `false`: none of that size can begin where
    /// the tree ends, and nothing was appended.
    #[must_use]
    pub fn push_subtree(&mut self, root: Digest, level: u32) -> bool {
        let width = 1_u64.checked_shl(level).filter(|width| self.size.is_multiple_of(*width));
        let Some(size) = width.and_then(|width| self.size.checked_add(width)) else { return false };
        let mut node = root;
        // a subtree is complete for every one bit that the new one carries over
        for _ in 0..(self.size >> level).trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size = size;
        true
    }

    /// The root of the whole tree.
    pub fn root(&self) -> Digest {
        let folded = self.peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        folded.unwrap_or_else(empty_root)
    }
}

/// A proof that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Index, size or range do not make sense together.
    #[error("there is no such place in a tree of that size")]
    Place,
    /// The proof has more or fewer hashes than it needs.
    #[error("the proof does not have the number of hashes it needs")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

impl model::Coded for ProofError {
    fn code(&self) -> &'static model::Code {
        code::journal::BAD_PROOF
    }
}

/// Checks that the leaf at `index` (from 0) is in the tree of `size` leaves with this root (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    path: &[Digest],
    root: &Digest,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Place);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    finish(last, [(hash, root)])
}

/// Checks that the tree of `old` leaves is the beginning of the tree of `new` leaves (RFC 9162 section 2.1.4.2). A proof from
/// the empty tree proves nothing and is refused.
pub fn verify_consistency(
    (old, old_root): (u64, &Digest),
    (new, new_root): (u64, &Digest),
    proof: &[Digest],
) -> Result<(), ProofError> {
    if old == 0 {
        return Err(ProofError::Place);
    }
    verify_subtree_consistency(0..old, old_root, (new, new_root), proof)
}

/// Whether leaves `range` make a subtree of every tree that has them: the start is a multiple of the smallest power of two
/// that is not smaller than their number (draft-ietf-plants-merkle-tree-certs, section "Subtrees").
fn is_subtree(range: &Range<u64>) -> bool {
    range.start < range.end
        && (range.end - range.start)
            .checked_next_power_of_two()
            .map_or(range.start == 0, |width| range.start.is_multiple_of(width))
}

/// Checks that the leaf at `index` (from 0, in the whole tree) is in the subtree of leaves `range` with this root.
pub fn verify_subtree_inclusion(
    leaf: &Digest,
    index: u64,
    range: Range<u64>,
    path: &[Digest],
    root: &Digest,
) -> Result<(), ProofError> {
    if !is_subtree(&range) || !range.contains(&index) {
        return Err(ProofError::Place);
    }
    verify_inclusion(leaf, index - range.start, range.end - range.start, path, root)
}

/// Checks that the subtree of leaves `range` with root `subroot` is part of the tree of `size` leaves with root `root`. The
/// empty subtree is part of every tree that reaches to where it is.
pub fn verify_subtree_consistency(
    range: Range<u64>,
    subroot: &Digest,
    (size, root): (u64, &Digest),
    proof: &[Digest],
) -> Result<(), ProofError> {
    if range.start == range.end && range.end <= size {
        let empty = *subroot == empty_root() && proof.is_empty();
        return if empty { Ok(()) } else { Err(ProofError::Root) };
    }
    if !is_subtree(&range) || range.end > size {
        return Err(ProofError::Place);
    }
    let (mut first, mut node, mut last) = (range.start, range.end - 1, size - 1);
    while first != node && (node == last || node & 1 == 1) {
        first >>= 1;
        node >>= 1;
        last >>= 1;
    }
    // a complete subtree is a node of the tree itself; else the proof begins with its last complete part
    let (mut hash, rest) = if first == node {
        (*subroot, proof)
    } else {
        let (hash, rest) = proof.split_first().ok_or(ProofError::Length)?;
        (*hash, rest)
    };
    let mut sub = hash;
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            if first < node {
                sub = node_hash(sibling, &sub);
            }
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                first >>= 1;
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        first >>= 1;
        node >>= 1;
        last >>= 1;
    }
    finish(last, [(sub, subroot), (hash, root)])
}

fn finish<const N: usize>(rest: u64, roots: [(Digest, &Digest); N]) -> Result<(), ProofError> {
    if rest != 0 {
        return Err(ProofError::Length);
    }
    if roots.iter().all(|(found, wanted)| found == *wanted) { Ok(()) } else { Err(ProofError::Root) }
}

/// Makes a proof from the leaves of a tree, each shown once, in order.
///
/// ```
/// use journal::merkle::{CompactRange, Prover, leaf_hash, verify_inclusion};
/// let leaves: Vec<_> = (0..5u8).map(|n| leaf_hash(&[n])).collect();
/// let mut tree = CompactRange::default();
/// let mut prover = Prover::inclusion(3, 5).unwrap();
/// for leaf in &leaves {
///     tree.push(*leaf);
///     prover.push(*leaf);
/// }
/// verify_inclusion(&leaves[3], 3, 5, &prover.proof().unwrap(), &tree.root()).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Prover {
    size: u64,
    seen: u64,
    /// The subtrees whose roots the proof consists of, in the proof's order. They do not overlap.
    parts: Vec<(Range<u64>, CompactRange)>,
}

impl Prover {
    /// For a proof that the leaf at `index` (from 0) is in the tree of `size` leaves. `None`: there is no such leaf.
    pub fn inclusion(index: u64, size: u64) -> Option<Self> {
        if index >= size {
            return None;
        }
        let mut parts = Vec::new();
        let mut tree = 0..size;
        while tree.end - tree.start > 1 {
            let middle = split(&tree);
            let (inside, sibling) = if index < middle {
                (tree.start..middle, middle..tree.end)
            } else {
                (middle..tree.end, tree.start..middle)
            };
            parts.push(sibling);
            tree = inside;
        }
        Some(Self::new(size, parts))
    }

    /// For a proof that the tree of `old` leaves is the beginning of the tree of `size` leaves. `None`: it is empty or larger.
    pub fn consistency(old: u64, size: u64) -> Option<Self> {
        if old == 0 || old > size {
            return None;
        }
        let mut parts = Vec::new();
        let mut tree = 0..size;
        while old < tree.end {
            let middle = split(&tree);
            if old <= middle {
                parts.push(middle..tree.end);
                tree = tree.start..middle;
            } else {
                parts.push(tree.start..middle);
                tree = middle..tree.end;
            }
        }
        if tree.start != 0 {
            parts.push(tree);
        }
        Some(Self::new(size, parts))
    }

    /// `outermost_first`: siblings from the root down; a proof lists them from the leaf up.
    fn new(size: u64, outermost_first: Vec<Range<u64>>) -> Self {
        let parts = outermost_first.into_iter().rev().map(|part| (part, CompactRange::default())).collect();
        Self { size, seen: 0, parts }
    }

    /// Shows the next leaf. Leaves beyond the tree are ignored.
    pub fn push(&mut self, leaf: Digest) {
        // one leaf is in one part or in none
        let _taken = self.push_subtree(leaf, 0);
    }

    /// Shows the next leaves, two to the power of `level` of them, at once by the root of their subtree. `false`: something of the
    /// proof is among them, so that they have to be shown one by one, and nothing was taken.
    #[must_use]
    pub fn push_subtree(&mut self, root: Digest, level: u32) -> bool {
        let Some(end) = 1_u64.checked_shl(level).and_then(|width| self.seen.checked_add(width)) else {
            return false;
        };
        let apart = |part: &Range<u64>| part.end <= self.seen || end <= part.start;
        let taken = match self.parts.iter_mut().find(|(part, _)| !apart(part)) {
            // the proof has nothing to do with them
            None => true,
            Some((part, _)) if part.start > self.seen || part.end < end => false,
            Some((_, part)) => part.push_subtree(root, level),
        };
        if taken {
            self.seen = end;
        }
        taken
    }

    /// The proof. `None`: not all leaves have been shown.
    pub fn proof(&self) -> Option<Vec<Digest>> {
        (self.seen >= self.size).then(|| self.parts.iter().map(|(_, part)| part.root()).collect())
    }
}

/// Where a tree of more than one leaf divides: after the largest power of two smaller than their number.
fn split(tree: &Range<u64>) -> u64 {
    let half = (tree.end - tree.start).div_ceil(2);
    tree.start + half.checked_next_power_of_two().unwrap_or(1 << 63)
}

//! The Merkle tree of RFC 9162 section 2.1 over records.

use model::Digest;
use sha2::{Digest as _, Sha256};

/// The hash of a leaf: SHA-256 over a zero byte and the bytes.
pub fn leaf_hash(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::new().chain_update([0]).chain_update(bytes).finalize().into())
}

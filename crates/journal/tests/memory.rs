//! The journal in memory keeps the contract.

use std::sync::Arc;

use journal::{MemoryJournal, conformance};
use model::Timestamp;

#[test]
fn memory_keeps_the_contract_of_the_seam() {
    conformance::suite(&mut || Arc::new(MemoryJournal::new(|| Timestamp::UNIX_EPOCH)));
}

//! The ground truth: what happened, in order, provable.
//!
//! This crate defines the record, its canonical bytes, the hash chain and Merkle tree over them, signed
//! checkpoints, verification, the event vocabulary, and [`Journal`], the trait a storage engine implements.
//! It never chooses storage, and it is the only vocabulary of events in Aedile.

pub mod checkpoint;
pub mod envelope;
pub mod events;
pub mod limits;
pub mod memory;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod record;
#[cfg(feature = "schema")]
pub mod schema;
pub mod seam;
pub mod verify;
pub mod watch;

#[cfg(feature = "test-util")]
pub mod conformance;

pub use checkpoint::Checkpoint;
pub use events::Event;
pub use memory::MemoryJournal;
pub use note::{Note, Signer, Verifier};
pub use proof::Proof;
pub use seam::{
    Append, Appended, Appending, Expect, Head, Journal, JournalError, NewEvent, Record, StreamId,
};

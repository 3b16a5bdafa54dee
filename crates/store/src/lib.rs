//! The journal of an environment on SQLite: durable, shared by processes, with views that can be thrown away.
//!
//! [`SqliteJournal`] implements [`journal::Journal`]: write-ahead log, `synchronous=FULL`, one writer thread that commits
//! what has queued up in one transaction and answers after it. The same transaction folds the new records into views (runs,
//! approvals, timers, quotas, checkpoints, counters), which [`SqliteJournal::rebuild`] makes again from the records.
//! Leases say which process carries a run out; [`Blobs`] keeps what is too large for a record,
//! and [`KeyValues`] what actions keep for themselves. [`snapshot`] copies either while others write.
//!
//! It never decides anything: no rule of policy, engine or workflow lives here. It never acknowledges what is not durable.
//!
//! ```
//! use journal::{Append, Journal, NewEvent, events::{Nothing, RunEvent}};
//! use model::Principal;
//! use store::{Options, SqliteJournal};
//!
//! # let directory = tempfile::tempdir().unwrap();
//! let options = Options { create: true, source: "aedile/dev".to_owned(), ..Options::default() };
//! let journal = SqliteJournal::open(directory.path().join("journal.db"), &options).unwrap();
//! let started = NewEvent {
//!     stream: "run_1".into(),
//!     actor: Principal::system(),
//!     event: RunEvent::Started(Nothing {}).into(),
//! };
//! let appending = journal.append(Append { events: vec![started], ..Append::default() });
//! assert_eq!(futures_executor::block_on(appending).unwrap().last, 1);
//! assert_eq!(journal.status().unwrap().head.position, 1);
//! ```

mod answers;
mod blob;
mod checkpoint;
mod connection;
mod error;
mod holder;
mod keyvalue;
mod lease;
mod ledger;
pub mod limits;
mod poller;
mod query;
mod reader;
mod readonly;
mod scan;
mod snapshot;
mod sqlite;
mod tiles;
mod unwritten;
mod views;
mod writer;

pub use blob::Blobs;
pub use checkpoint::Sealed;
pub use connection::FORMAT;
pub use keyvalue::KeyValues;
pub use lease::{Acquired, Holder, Lease};
pub use query::{ApprovalFilter, CheckpointRow, Page, RunFilter, Status, TimerRow};
pub use readonly::ReadOnlyJournal;
pub use scan::{Scan, Stored};
pub use snapshot::snapshot;
pub use sqlite::{Options, SqliteJournal};
pub use views::{ApprovalRow, ApprovalStatus, Difference, ResourceRow, RunRow, RunStatus, WaitingOn};
pub use writer::{Pending, WallClock};

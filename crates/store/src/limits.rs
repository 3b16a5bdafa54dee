//! Every limit of the store in one place.

use std::time::Duration;

/// Most requests that wait for the writer; one more is answered with `E0114`.
pub const QUEUE_REQUESTS_MAX: usize = 16_384;

/// Most bytes of records that wait for the writer; more are answered with `E0114`.
pub const QUEUE_BYTES_MAX: usize = 256 << 20;

/// Most requests that share one transaction, and so one flush.
pub const GROUP_REQUESTS_MAX: usize = 1024;

/// Bytes of records after which a group takes no further request.
pub const GROUP_BYTES_MAX: usize = 16 << 20;

/// How long the writer tries to get the file's lock from another process before it gives up with `E0104`.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// How often commits of other processes are looked for at most, while somebody waits for them and the journal is written.
pub const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How often they are looked for while the kernel tells of no write.
pub const QUIET_INTERVAL: Duration = Duration::from_secs(1);

/// How long a journal has to be open before the kernel is asked to tell of writes to it. Where somebody waits for commits before
/// that, they are looked for often.
pub const UNASKED: Duration = Duration::from_secs(5);

/// How long after a write they are looked for often: what is written can be seen when it has been flushed.
pub const LIVELY: Duration = Duration::from_secs(1);

/// Most connections that read at the same time.
pub const READERS_MAX: usize = 8;

/// How long a reader waits for its turn.
pub const READER_TIMEOUT: Duration = Duration::from_secs(30);

/// Records after which the places of the newest ones are sorted into the index of streams. Until then they stand in a
/// short table in the order of the journal, which many streams written at once share, so that a commit touches few pages.
pub(crate) const TAIL_RECORDS: u64 = 1_024;

/// Most streams, and most rows of each view, that the writer remembers between transactions.
pub const CACHE_ROWS_MAX: usize = 16_384;

/// Most rows a query returns.
pub const QUERY_ROWS_MAX: usize = 1_000;

/// Largest blob in bytes.
pub const BLOB_BYTES_MAX: usize = 64 << 20;

/// Most keys of one namespace of actions' values.
pub const KEYS_PER_NAMESPACE_MAX: i64 = 100_000;

/// Most bytes that the keys and values of one namespace take together.
pub const NAMESPACE_VALUE_BYTES_MAX: i64 = 64 << 20;

/// Longest name of a lease, and of who holds it, in bytes.
pub const LEASE_NAME_BYTES_MAX: usize = 256;

/// Longest time a lease is given for without renewal.
pub const LEASE_TTL_MAX: Duration = Duration::from_hours(24);

/// Pages after which SQLite moves the write-ahead log into the file.
pub(crate) const CHECKPOINT_PAGES: u32 = 4_000;

/// Size to which the write-ahead log is cut back after a burst.
pub(crate) const WAL_BYTES_KEPT: u64 = 64 << 20;

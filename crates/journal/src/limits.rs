//! Every limit of the journal in one place.

/// Largest record in bytes of its canonical form: 4 MiB.
pub const RECORD_BYTES_MAX: usize = 4 << 20;

/// Longest text of a definition in bytes: 256 MiB, a plan of some 300,000 changes.
pub const DEFINITION_BYTES_MAX: usize = 256 << 20;

/// What one record holds of a definition's text at most. As JSON it can be six times as long, and is below the limit of a
/// record all the same.
pub const DEFINITION_PART_BYTES: usize = 512 << 10;

/// Longest stream name in bytes.
pub const STREAM_BYTES_MAX: usize = 128;

/// Most events in one append.
pub const APPEND_EVENTS_MAX: usize = 1024;

/// Most callers that may wait for news of one journal at a time.
pub const WAITERS_MAX: usize = 65_536;

/// Most records that one read returns, whatever the caller asks for.
pub const READ_RECORDS_MAX: usize = 10_000;

/// Deepest nesting of a record's data.
pub const DEPTH_MAX: usize = model::canonical::DEPTH_MAX;

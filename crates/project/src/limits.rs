//! Every limit of this crate, in one place.

/// Bytes of any one file of a project that is read as text.
pub const FILE_BYTES_MAX: u64 = 4 << 20;
/// Files of one kind in a project (workflows, policies).
pub const FILES_MAX: usize = 1_000;
/// Directories walked up to find a project.
pub const PARENTS_MAX: usize = 64;
/// Bytes of a run's input as given on the command line, in a file or on standard input.
pub const INPUT_BYTES_MAX: u64 = 4 << 20;
/// Parsed documents kept in memory.
pub const PARSED_MAX: usize = 1_000;
/// Bytes of a key's file.
pub const KEY_BYTES_MAX: u64 = 4 << 10;

//! Every limit of the runner and of its protocol, in one place. READY repeats those a caller must know.

use std::time::Duration;

/// The JSON part of a frame to the runner: 1 MiB.
pub const HEAD_MAX: usize = 1 << 20;
/// What the JSON part of a frame to the runner seldom exceeds, to make room for it: 512 bytes.
pub const HEAD_USUAL: usize = 512;
/// The JSON part of a frame from the runner: 8 MiB, for the facts of a host with many packages.
pub const ANSWER_MAX: usize = 8 << 20;
/// The raw part of a frame, either way: 256 KiB.
pub const BODY_MAX: usize = 256 << 10;
/// A frame that claims more than this cannot be skipped and ends the session: 64 MiB.
pub const SKIP_MAX: u64 = 64 << 20;
/// Bytes before the greeting that a login shell may print and that are skipped: 64 KiB.
pub const PREAMBLE_MAX: usize = 64 << 10;
/// Input that may be on its way to one command without having been asked for: 1 MiB.
pub const WINDOW: u64 = 1 << 20;
/// Commands with streamed input that are open at the same time.
pub const STREAMS_MAX: usize = 64;
/// Commands that are waiting or being carried out.
pub const PENDING_MAX: usize = 10_000;
/// Commands in one session.
pub const COMMANDS_MAX: u64 = 1_000_000;
/// Commands carried out at the same time.
pub const WORKERS: usize = 16;
/// Idempotency keys remembered in one session.
pub const KEYS_MAX: usize = 100_000;
/// An idempotency key's length in bytes.
pub const KEY_MAX: usize = 256;
/// A path's length in bytes.
pub const PATH_MAX: usize = 4096;
/// Symbolic links followed on the way to one file.
pub const LINKS_MAX: usize = 40;
/// Arguments of a program.
pub const ARGS_MAX: usize = 10_000;
/// What a program may print before the rest is counted but dropped, unless the command says less: 64 MiB a stream.
pub const OUTPUT_MAX: u64 = 64 << 20;
/// The smallest buffer a file is hashed through: 4 KiB.
pub const HASH_MIN: usize = 4 << 10;
/// A file that is written or read: 1 TiB.
pub const FILE_MAX: u64 = 1 << 40;
/// Entries removed by one recursive removal.
pub const REMOVE_MAX: u64 = 1_000_000;
/// Depth of a recursive removal.
pub const REMOVE_DEPTH_MAX: usize = 256;
/// A command's time limit: 24 hours.
pub const TIMEOUT_MAX: Duration = Duration::from_hours(24);
/// The runner's own lifetime when none is given: one hour.
pub const LIFETIME_DEFAULT: Duration = Duration::from_hours(1);
/// The longest lifetime: 7 days.
pub const LIFETIME_MAX: Duration = Duration::from_hours(7 * 24);
/// Between asking a program to stop (SIGTERM) and stopping it (SIGKILL).
pub const TERM_GRACE: Duration = Duration::from_secs(2);
/// How long the output of something that outlives its program is still read.
pub const DRAIN_GRACE: Duration = Duration::from_millis(500);
/// How long the farewell may take to be read before the runner ends without it.
pub const FAREWELL_GRACE: Duration = Duration::from_secs(1);
/// Frames waiting to be written.
pub const OUT_QUEUE: usize = 64;
/// How long ends of commands are gathered while more of them wait than are carried out at a time.
pub const BACKLOG_PAUSE: Duration = Duration::from_micros(300);
/// Frames joined into one write: 256 KiB.
pub const OUT_JOIN: usize = 256 << 10;
/// One file of the system read for facts: 64 MiB.
pub const FACT_FILE_MAX: u64 = 64 << 20;
/// Entries of one list of facts.
pub const FACT_LIST_MAX: usize = 20_000;
/// How long a program that is asked for facts may take.
/// systemd gives up a question after 25 s and says so, which is better than an end of our own.
pub const FACT_PROGRAM: Duration = Duration::from_secs(30);

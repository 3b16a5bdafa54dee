//! Every limit of what is done on this machine, in one place.

use std::time::Duration;

/// How long nobody could look for drift before people are told.
pub const DRIFT_UNSEEN_TOLD: model::time::SignedDuration = model::time::SignedDuration::from_hours(1);
/// Time a program may run unless the action says otherwise.
pub const PROGRAM_TIMEOUT: Duration = Duration::from_mins(10);
/// The longest time an action may ask for.
pub const PROGRAM_TIMEOUT_MAX: Duration = Duration::from_hours(24);
/// Bytes of each output stream of a program.
pub const STREAM_BYTES_MAX: usize = 1 << 20;
/// Bytes given to a program's standard input.
pub const STDIN_BYTES_MAX: usize = 8 << 20;
/// Bytes of a script.
pub const SCRIPT_BYTES_MAX: usize = 1 << 20;
/// Bytes of all arguments and variables together; Linux itself refuses more than 128 KiB in one of them.
pub const ARGUMENT_BYTES_MAX: usize = 120 << 10;
/// Files a program may have open.
pub const OPEN_FILES_MAX: u64 = 1_024;
/// Bytes of a file that a program may write.
pub const FILE_BYTES_MAX: u64 = 1 << 30;
/// Programs that go on after their step (`await: false`), in one process of Aedile.
pub const DETACHED_MAX: usize = 64;
/// Characters of standard error that a failure quotes.
pub const QUOTED_CHARS_MAX: usize = 600;
/// How long output is still read after a program has ended and everything it started was killed.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// How long removing a container may take.
pub const CONTAINER_CLEANUP_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a secret.
pub const SECRET_BYTES_MAX: u64 = 64 << 10;
/// Bytes of an encrypted file of the project: a secret, and what the format and its text form add for as many keys as may be.
pub const AGE_FILE_BYTES_MAX: u64 = 256 << 10;
/// Bytes of a file with keys for encrypted files.
pub const IDENTITY_BYTES_MAX: u64 = 16 << 10;
/// Keys in such a file.
pub const IDENTITIES_MAX: usize = 64;
/// Keys that one file is encrypted for.
pub const RECIPIENTS_MAX: usize = 128;
/// Secrets shorter than this are only removed where they are a whole text: they occur everywhere by chance.
pub const SCRUB_BYTES_MIN: usize = 4;
/// How long delivering a notification may take.
pub const NOTIFY_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest single sleep: afterwards the wall clock is looked at again, because the machine may have slept or its clock
/// been set.
pub const NAP_MAX: Duration = Duration::from_millis(500);

//! Every limit of the engine, in one place.

use std::time::Duration;

use model::time::SignedDuration;

/// Effects performed at the same time in one process; more wait their turn.
pub const EFFECTS_MAX: usize = 256;
/// Messages waiting for one run's driver; senders wait when it is full.
pub const MAILBOX_MAX: usize = 256;
/// Runs driven at the same time in one process; submitting more is refused with `E0407`.
pub const RUNS_MAX: usize = 100_000;
/// Events appended in one batch; longer ones are cut.
pub const BATCH_MAX: usize = 512;
/// Events of one run, after which it fails with `E0407`: an endless loop must end.
pub const RUN_EVENTS_MAX: u64 = 200_000;
/// Bytes of a run's input in canonical form.
pub const INPUT_BYTES_MAX: usize = 2 << 20;
/// Bytes of one step's output in canonical form.
pub const OUTPUT_BYTES_MAX: usize = 2 << 20;
/// How deep runs may start runs.
pub const DEPTH_MAX: u32 = 32;
/// How often a conditional append is tried again before somebody else is said to be faster.
pub const CONFLICTS_MAX: u32 = 64;
/// Records read at once.
pub const READ_MAX: usize = 1_000;
/// How often a long-lived engine looks for runs whose engine died.
pub const ADOPTION_INTERVAL: Duration = Duration::from_secs(1);
/// Looks for runs that have to go by without new trouble before the last one is taken to be over.
pub const QUIET_ROUNDS: u32 = 3;
/// Runs that listen for one start of a schedule, one after the other, where the ones before were cancelled or failed.
pub const LISTENERS_MAX: u32 = 1_000;
/// Resources that one run puts right; more wait for the next round.
pub const DRIFT_RUN_MAX: usize = 1_000;
/// How often putting the same state of a resource right may fail before it is left alone.
pub const DRIFT_FAILURES_MAX: u32 = 3;
/// Repairs of one resource that are remembered.
pub const DRIFT_REMEMBERED: usize = 1_000;
/// Resources that one `drift.*` append is about.
pub const DRIFT_APPEND_MAX: usize = 500;
/// Changes of one attribute of a resource within the time of a fight that are told one by one; with the next it flaps.
pub const DRIFT_CHANGES_MAX: usize = 4;
/// How often it is recorded and told that something still flaps.
pub const DRIFT_FLAPS_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Rounds that one process skips in a row before that is recorded; applying something takes a moment.
pub const DRIFT_SKIPS_MAX: u64 = 3;

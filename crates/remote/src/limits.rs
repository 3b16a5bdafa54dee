//! Every limit of reaching a target, in one place.

use std::time::Duration;

/// From the start of a connection to an open socket.
pub const CONNECT: Duration = Duration::from_secs(10);
/// Key exchange and authentication together.
pub const HANDSHAKE: Duration = Duration::from_secs(20);
/// Starting the runner, from the request to READY.
pub const START: Duration = Duration::from_secs(30);
/// How long a runner that was started for a session to come waits for it.
pub const SPARE: Duration = Duration::from_secs(5);
/// Uploading the runner.
pub const UPLOAD: Duration = Duration::from_mins(2);
/// Silence after which the other side is asked whether it is there.
pub const KEEPALIVE: Duration = Duration::from_secs(15);
/// Questions without an answer after which the connection counts as cut.
pub const KEEPALIVE_MAX: usize = 3;
/// Reads of a new connection that are acknowledged at once: enough for the login and the first session.
pub const PROMPT_READS: u32 = 128;
/// Beyond a command's own limit, before its answer is given up.
pub const ANSWER_MARGIN: Duration = Duration::from_secs(15);
/// How long the farewell is waited for.
pub const FAREWELL: Duration = Duration::from_secs(5);
/// Attempts to reach a target again for work that can be repeated.
pub const ATTEMPTS: u32 = 4;
/// The first pause between attempts; each is twice the one before.
pub const BACKOFF: Duration = Duration::from_millis(200);
/// Hosts in a chain of jumps.
pub const JUMPS_MAX: usize = 8;
/// Private keys tried for one host.
pub const KEYS_MAX: usize = 8;
/// A file of keys or of known hosts that is read: 16 MiB.
pub const FILE_MAX: u64 = 16 << 20;
/// What a program started for the upload may say: 128 MiB, for the runner is read back where no digest program exists.
pub const OUTPUT_MAX: usize = 128 << 20;
/// The end of standard error that is kept for messages: 16 KiB.
pub const STDERR_MAX: usize = 16 << 10;
/// Pieces of output waiting for a reader, for each command.
pub const EVENTS: usize = 32;
/// The SSH window: 16 MiB.
pub const WINDOW: u32 = 16 << 20;
/// The SSH packet: 64 KiB less one.
pub const PACKET: u32 = 65_535;
/// The runner's file: 4 MiB when it is released. A development build is larger, so that the limit is 128 MiB.
pub const RUNNER_MAX: u64 = 128 << 20;
/// Sessions with one host at the same time when nothing else is said; sshd's own default is 10.
pub const PER_HOST: usize = 4;
/// Sessions in all when nothing else is said.
pub const OVERALL: usize = 64;
/// Commands of one batch when providers ask: half of what a runner takes, so that answers and new commands overlap.
pub const BATCH_MAX: usize = 5000;
/// How long looking at one thing may take on a target.
pub const LOOK_TIMEOUT: Duration = Duration::from_mins(2);
/// How long changing one file may take on a target; a large one is sent meanwhile.
pub const OP_TIMEOUT: Duration = Duration::from_hours(1);
/// How long one thing may take on a host that is onboarded.
pub const ONBOARD_STEP: Duration = Duration::from_mins(2);
/// A file of a host that onboarding reads: 1 MiB.
pub const ONBOARD_FILE_MAX: u64 = 1 << 20;
/// Logins that are tried after sshd was told to read its configuration again, and that it answered.
pub const ONBOARD_LOGINS: u32 = 5;
/// Logins that are tried while nobody answers: 30 s of pauses. A slow machine takes seconds to start sshd anew.
pub const ONBOARD_CALLS: u32 = 100;
/// The pause between them.
pub const ONBOARD_PAUSE: Duration = Duration::from_millis(300);
/// How much of a file of a private key is read: 64 KiB.
pub const KEY_BYTES_MAX: u64 = 64 << 10;

//! One program from start to end: its environment, its limits, its process group, its output.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use engine::ports::Cancellation;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::error::ProgramError;
use super::lifeline::{Held, Keeper};
use crate::limits;

/// Waits for its first line, so that nothing runs before it is held; lowers limits; becomes the program, with the rest
/// of the input as that program's. Limits that are already lower stay.
const LAUNCH: &str = r#"
IFS= read -r go && [ "$go" = go ] || exit 125
ulimit -c 0
ulimit -n "$1"
ulimit -f "$2"
shift 2
exec "$@"
"#;
const GO: &[u8] = b"go\n";
/// The unit of `ulimit -f` (POSIX).
const BLOCK_BYTES: u64 = 512;
/// How long a program may tidy up after being asked to end.
const GRACE: Duration = Duration::from_secs(2);

/// What is to be started.
pub(crate) struct Launch {
    /// What messages call it.
    pub(crate) name: String,
    /// Absolute path.
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, Zeroizing<String>)>,
    pub(crate) stdin: Option<Zeroizing<String>>,
    pub(crate) directory: TempDir,
    pub(crate) timeout: Duration,
}

/// A program that runs. Dropping it kills its whole process group.
pub(crate) struct Running {
    name: String,
    // before the child, whose drop may give its number back
    group: Group,
    child: Child,
    stdin: Option<Zeroizing<String>>,
    timeout: Duration,
    deadline: Instant,
    // after everything that may use it
    _directory: TempDir,
}

struct Group {
    leader: Option<Pid>,
    _held: Held,
}

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // an error means that nobody is left
            let _ = kill_process_group(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// How a program ended, and what it wrote.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

enum Stop {
    Timeout,
    Cancelled,
    TooMuch(&'static str),
}

impl Launch {
    pub(crate) fn start(self, keeper: &Arc<Keeper>) -> Result<Running, ProgramError> {
        let failed =
            |error: io::Error| ProgramError::Missing { program: self.name.clone(), why: error.to_string() };
        let mut child = Command::new("/bin/sh")
            .args(["-c", LAUNCH, "aedile"])
            .arg(limits::OPEN_FILES_MAX.to_string())
            .arg((limits::FILE_BYTES_MAX / BLOCK_BYTES).to_string())
            .arg(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value.as_str())))
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let Some(leader) = leader else {
            // not yet told to go, so it has done nothing
            drop(child.start_kill());
            return Err(failed(io::Error::other("it has no process id")));
        };
        // an error here leaves the child waiting for a word that never comes; dropping it kills it
        let held = keeper.group(leader.as_raw_nonzero().get()).map_err(failed)?;
        Ok(Running {
            name: self.name,
            child,
            group: Group { leader: Some(leader), _held: held },
            stdin: self.stdin,
            timeout: self.timeout,
            deadline: Instant::now() + self.timeout,
            _directory: self.directory,
        })
    }
}

impl Running {
    /// Lets it go, and waits for its end, or brings it about.
    pub(crate) async fn finish(mut self, mut cancellation: Cancellation) -> Result<Ended, ProgramError> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let stopped = self.attend(&mut stdout, &mut stderr, &mut cancellation).await;
        if let Err(stop) = &stopped
            && !matches!(stop, Stop::TooMuch(_))
        {
            self.group.signal(Signal::TERM);
            drop(tokio::time::timeout(GRACE, exited(&self.child)).await);
        }
        // while the leader is not waited for, its number is not given to another group
        self.group.signal(Signal::KILL);
        self.group.leader = None;
        let status = self.child.wait().await;
        let program = self.name;
        match stopped {
            Err(Stop::Timeout) => Err(ProgramError::Timeout { program, limit: self.timeout }),
            Err(Stop::Cancelled) => Err(ProgramError::Cancelled { program }),
            Err(Stop::TooMuch(stream)) => {
                Err(ProgramError::TooMuchOutput { program, stream, limit: limits::STREAM_BYTES_MAX })
            }
            Ok(()) => match status {
                Ok(status) => Ok(Ended { status, stdout, stderr }),
                Err(error) => Err(ProgramError::Missing { program, why: error.to_string() }),
            },
        }
    }

    /// Feeds it and reads from it until it has ended.
    async fn attend(
        &mut self,
        stdout: &mut Vec<u8>,
        stderr: &mut Vec<u8>,
        cancellation: &mut Cancellation,
    ) -> Result<(), Stop> {
        let (input, output, errors) =
            (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take());
        let text = self.stdin.take();
        let feed = async move {
            if let Some(mut input) = input {
                // a program that does not read its input is free not to
                drop(input.write_all(GO).await);
                if let Some(text) = text {
                    drop(input.write_all(text.as_bytes()).await);
                }
            }
            Ok(())
        };
        let io = async {
            tokio::try_join!(
                feed,
                capture(output, stdout, "standard output"),
                capture(errors, stderr, "standard error")
            )
            .map(drop)
        };
        tokio::pin!(io);
        let exit = exited(&self.child);
        tokio::pin!(exit);
        let mut io_open = true;
        loop {
            tokio::select! {
                biased;
                () = cancellation.cancelled() => return Err(Stop::Cancelled),
                () = tokio::time::sleep_until(self.deadline) => return Err(Stop::Timeout),
                read = &mut io, if io_open => {
                    read?;
                    io_open = false;
                }
                () = &mut exit => break,
            }
        }
        // what it left behind would keep the pipes open
        self.group.signal(Signal::KILL);
        if io_open {
            // only what has left the process group can still hold them
            tokio::time::timeout(limits::DRAIN_TIMEOUT, io).await.unwrap_or(Ok(()))?;
        }
        Ok(())
    }
}

/// Resolves when the process has ended, without waiting for it in the sense of `wait(2)`: it stays a zombie, and its
/// number its own, until that is done.
#[cfg(target_os = "linux")]
async fn exited(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let Some(pid) = pid else { return };
    let Ok(descriptor) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::NONBLOCK) else {
        return poll(pid).await;
    };
    #[expect(
        deprecated,
        reason = "its replacement is unsafe to call; an OwnedFd keeps the promise that one asks for"
    )]
    let registered = tokio::io::unix::AsyncFd::with_interest(descriptor, tokio::io::Interest::READABLE);
    match registered {
        Ok(descriptor) => drop(descriptor.readable().await.map(|mut guard| guard.retain_ready())),
        Err(_) => poll(pid).await,
    }
}

#[cfg(not(target_os = "linux"))]
async fn exited(child: &Child) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        poll(pid).await;
    }
}

/// The same where there are no process descriptors.
async fn poll(pid: Pid) {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    const PAUSE: Duration = Duration::from_millis(20);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while let Ok(None) = waitid(WaitId::Pid(pid), options) {
        tokio::time::sleep(PAUSE).await;
    }
}

async fn capture(
    stream: Option<impl AsyncRead + Unpin>,
    into: &mut Vec<u8>,
    name: &'static str,
) -> Result<(), Stop> {
    let Some(mut stream) = stream else { return Ok(()) };
    let mut chunk = vec![0; 16 << 10];
    loop {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(read) if into.len() + read > limits::STREAM_BYTES_MAX => return Err(Stop::TooMuch(name)),
            Ok(read) => into.extend_from_slice(&chunk[..read]),
        }
    }
}

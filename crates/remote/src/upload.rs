//! Getting the runner onto a target and started, with nothing there but a POSIX shell.
//!
//! It is content-addressed: the file's name and what is checked before every start is the SHA-256 of its bytes. By default it
//! is uploaded once for each host and version, into `~/.cache/aedile` (mode 0700), and verified there before it runs; where
//! that cannot be written, or when asked, it goes to a new directory under `/tmp` with an unpredictable name and removes
//! itself at the end. A target without any program for digests has the file read back and compared here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use runner::limits::PREAMBLE_MAX;
use runner::protocol::GREETING;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::error::RemoteError;
use crate::limits::{RUNNER_MAX, START, UPLOAD};
use crate::link::{Link, Process, output};
use crate::session::Streams;

/// Architectures there can be a runner for, as Rust and as others name them.
const ARCHES: [(&str, &str); 2] = [("x86_64", "amd64"), ("aarch64", "arm64")];

/// The file `aedile-runner`, for one architecture or for each of several.
#[derive(Clone)]
pub struct Runner {
    first: Build,
    others: Vec<Build>,
}

/// The file for one architecture.
#[derive(Clone)]
struct Build {
    bytes: Arc<[u8]>,
    sha256: String,
    arch: &'static str,
}

impl Build {
    fn load(path: &Path) -> Result<Self, RemoteError> {
        let bad = |why: String| RemoteError::RunnerFile { why: format!("{}: {why}", path.display()) };
        let size = path.metadata().map_err(|why| bad(why.to_string()))?.len();
        if size > RUNNER_MAX {
            return Err(bad(format!("{size} bytes, more than {RUNNER_MAX}")));
        }
        let bytes = std::fs::read(path).map_err(|why| bad(why.to_string()))?;
        // ELF: the machine is the half-word at 18, see elf(5).
        let arch = match (bytes.starts_with(b"\x7fELF"), bytes.get(18..20)) {
            (true, Some([62, 0])) => "x86_64",
            (true, Some([183, 0])) => "aarch64",
            _ => return Err(bad("not a program for x86_64 or aarch64".to_owned())),
        };
        Ok(Self { sha256: hex::encode(Sha256::digest(&bytes)), bytes: bytes.into(), arch })
    }

    fn is_for(&self, machine: &str) -> bool {
        ARCHES.iter().any(|(arch, alias)| *arch == self.arch && (*arch == machine || *alias == machine))
    }
}

impl Runner {
    /// Reads the file and what it was built for.
    pub fn load(path: &Path) -> Result<Self, RemoteError> {
        Ok(Self { first: Build::load(path)?, others: Vec::new() })
    }

    /// The same with another file, for targets of another architecture.
    pub fn and(mut self, path: &Path) -> Result<Self, RemoteError> {
        self.others.push(Build::load(path)?);
        Ok(self)
    }

    /// The file that the environment variable `AEDILE_RUNNER` names, or `aedile-runner` beside this program; with it whichever of
    /// `aedile-runner-x86_64` and `aedile-runner-aarch64` are beside it.
    pub fn find() -> Result<Self, RemoteError> {
        let beside = || std::env::current_exe().ok().map(|own| own.with_file_name("aedile-runner"));
        let Some(path) = std::env::var_os("AEDILE_RUNNER").map(PathBuf::from).or_else(beside) else {
            return Err(RemoteError::RunnerFile { why: "this program's own place is not known".to_owned() });
        };
        let others = ARCHES.map(|(arch, _)| path.with_file_name(format!("aedile-runner-{arch}")));
        let others = others.iter().filter(|other| other.exists());
        others.into_iter().try_fold(Self::load(&path)?, |runner, other| runner.and(other))
    }

    /// Of the first file's bytes.
    pub fn sha256(&self) -> &str {
        &self.first.sha256
    }
}

/// Whether and how the runner becomes root.
#[derive(Debug, Clone, Default)]
pub enum Sudo {
    /// It runs as the user who logs in.
    #[default]
    No,
    /// `sudo -n`: without a password, or not at all.
    WithoutPassword,
    /// `sudo -S`: the password is written to its standard input when it asks, never an argument, never in a frame.
    Password(Zeroizing<String>),
}

/// How the runner is started.
#[derive(Debug, Clone)]
pub struct Start {
    /// Become root.
    pub sudo: Sudo,
    /// It ends after this.
    pub lifetime: Duration,
    /// Leave nothing: not in the cache, and removed at the end.
    pub ephemeral: bool,
}

impl Default for Start {
    fn default() -> Self {
        Self { sudo: Sudo::No, lifetime: runner::limits::LIFETIME_DEFAULT, ephemeral: false }
    }
}

/// Where the file is on the target. Shell text without anything that would need quoting.
struct Spot {
    directory: String,
    file: String,
    ephemeral: bool,
}

const CACHE: &str = "${HOME:-/}/.cache/aedile";
const NEED: u32 = 94;
const NO_DIGEST: u32 = 95;
const OTHER_ARCH: u32 = 93;

fn random() -> Result<String, RemoteError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|why| RemoteError::RunnerFile { why: format!("no randomness: {why}") })?;
    Ok(hex::encode(bytes))
}

fn quoted(script: &str) -> String {
    // The user's shell may be any; inside is POSIX, on one line and without single quotes.
    format!("exec sh -c '{script}'")
}

impl Spot {
    fn new(runner: &Build, ephemeral: bool) -> Result<Self, RemoteError> {
        let name = &runner.sha256;
        Ok(if ephemeral {
            let directory = format!("/tmp/.aedile-{}", random()?);
            Self { file: format!("{directory}/runner-{name}"), directory, ephemeral }
        } else {
            Self { file: format!("{CACHE}/runner-{name}"), directory: CACHE.to_owned(), ephemeral }
        })
    }

    /// Looks, verifies, and becomes the runner.
    fn start(&self, runner: &Build, start: &Start, marker: &str, verified: bool) -> String {
        let sudo = match start.sudo {
            Sudo::No => String::new(),
            Sudo::WithoutPassword => "sudo -n -- ".to_owned(),
            Sudo::Password(_) => format!("sudo -S -p {marker} -- "),
        };
        let delete = if self.ephemeral { " --delete-self" } else { "" };
        let run = format!("exec {sudo}\"$f\" --lifetime-ms {}{delete}", start.lifetime.as_millis());
        let (sha, machine) = (&runner.sha256, runner.arch);
        let alias = ARCHES.iter().find(|(arch, _)| *arch == machine).map_or(machine, |(_, alias)| alias);
        let check = if verified {
            run
        } else {
            let digest =
                "{ sha256sum \"$f\" || shasum -a 256 \"$f\" || openssl dgst -r -sha256 \"$f\"; } 2>/dev/null";
            format!(
                "h=$({digest}); case \"$h\" in {sha}*) {run};; \"\") exit {NO_DIGEST};; *) rm -f \"$f\";; esac"
            )
        };
        quoted(&format!(
            "umask 077; a=$(uname -m); case \"$a\" in {machine}|{alias}) ;; *) echo \"$a\"; exit {OTHER_ARCH};; esac; \
             d=\"{}\"; f=\"{}\"; if [ -f \"$f\" ] && [ ! -h \"$f\" ] && [ ! -h \"$d\" ]; then {check}; fi; exit {NEED}",
            self.directory, self.file,
        ))
    }

    /// Writes under another name, then renames.
    fn upload(&self) -> Result<String, RemoteError> {
        // A directory under /tmp must be new: one that is there may be somebody else's.
        let make = if self.ephemeral {
            "mkdir \"$d\""
        } else {
            "mkdir -p \"$d\" && [ ! -h \"$d\" ] && chmod 700 \"$d\""
        };
        let clean = if self.ephemeral { "; rmdir \"$d\"" } else { "" };
        Ok(quoted(&format!(
            "umask 077; d=\"{}\"; f=\"{}\"; t=\"$d/.{}\"; {{ {make} && cat > \"$t\" && chmod 700 \"$t\" && \
             mv -f \"$t\" \"$f\"; }} || {{ rm -f \"$t\"{clean}; exit 1; }}",
            self.directory,
            self.file,
            random()?,
        )))
    }
}

/// How an attempt to start ended.
enum Started {
    Running(Box<Streams>),
    Need,
    NoDigest,
}

/// The runner, started: the first build that is for the target's architecture.
pub(crate) async fn bring_up(
    link: &dyn Link,
    runner: &Runner,
    start: &Start,
) -> Result<Streams, RemoteError> {
    match bring_up_build(link, &runner.first, start).await {
        Err(RemoteError::NoRunner { host, arch }) => {
            match runner.others.iter().find(|other| other.is_for(&arch)) {
                Some(other) => bring_up_build(link, other, start).await,
                None => Err(RemoteError::NoRunner { host, arch }),
            }
        }
        other => other,
    }
}

async fn bring_up_build(link: &dyn Link, runner: &Build, start: &Start) -> Result<Streams, RemoteError> {
    let spot = Spot::new(runner, start.ephemeral)?;
    if !spot.ephemeral {
        match attempt(link, runner, start, &spot, false).await? {
            Started::Running(streams) => return Ok(*streams),
            Started::NoDigest => return read_back(link, runner, start, &spot).await,
            Started::Need => {}
        }
    }
    match put(link, runner, &spot).await {
        Ok(()) => settle(link, runner, start, &spot).await,
        Err(RemoteError::Upload { why, .. }) if !spot.ephemeral => {
            let elsewhere = Spot::new(runner, true)?;
            put(link, runner, &elsewhere).await.map_err(|other| match other {
                RemoteError::Upload { host, why: other } => {
                    RemoteError::Upload { host, why: format!("{why}; {other}") }
                }
                other => other,
            })?;
            settle(link, runner, start, &elsewhere).await
        }
        Err(why) => Err(why),
    }
}

async fn put(link: &dyn Link, runner: &Build, spot: &Spot) -> Result<(), RemoteError> {
    let host = link.host();
    let script = spot.upload()?;
    let said = timeout(UPLOAD, output(link, &script, &runner.bytes)).await.map_err(|_| {
        RemoteError::Timeout { host: host.clone(), what: "uploading the runner", limit_s: UPLOAD.as_secs() }
    })??;
    match said.code {
        Some(0) => Ok(()),
        None if link.is_closed() => {
            Err(RemoteError::Cut { host, during: " while the runner was uploaded".to_owned() })
        }
        _ if said.stderr.is_empty() => {
            Err(RemoteError::Upload { host, why: "the target does not say why".to_owned() })
        }
        _ => Err(RemoteError::Upload { host, why: said.stderr }),
    }
}

async fn settle(link: &dyn Link, runner: &Build, start: &Start, spot: &Spot) -> Result<Streams, RemoteError> {
    match attempt(link, runner, start, spot, false).await? {
        Started::Running(streams) => Ok(*streams),
        Started::NoDigest => read_back(link, runner, start, spot).await,
        Started::Need => {
            let why = "what arrived is not what was sent".to_owned();
            Err(RemoteError::Upload { host: link.host(), why })
        }
    }
}

/// Verifies here what the target has no program to verify.
async fn read_back(
    link: &dyn Link,
    runner: &Build,
    start: &Start,
    spot: &Spot,
) -> Result<Streams, RemoteError> {
    let differs = |why: &str| RemoteError::Upload { host: link.host(), why: why.to_owned() };
    let script = quoted(&format!("exec cat \"{}\"", spot.file));
    let said = timeout(UPLOAD, output(link, &script, &[]))
        .await
        .map_err(|_| differs("reading it back took too long"))??;
    if said.stdout != *runner.bytes {
        return Err(differs("what is there is not what was sent"));
    }
    match attempt(link, runner, start, spot, true).await? {
        Started::Running(streams) => Ok(*streams),
        Started::Need | Started::NoDigest => Err(differs("it disappeared")),
    }
}

async fn attempt(
    link: &dyn Link,
    runner: &Build,
    start: &Start,
    spot: &Spot,
    verified: bool,
) -> Result<Started, RemoteError> {
    let marker = format!("aedile-{}", random()?);
    let process = link.start(&spot.start(runner, start, &marker, verified)).await?;
    let greeted = greet(link, process, &start.sudo, &marker);
    let limit_s = START.as_secs();
    timeout(START, greeted).await.map_err(|_| RemoteError::Timeout {
        host: link.host(),
        what: "starting the runner",
        limit_s,
    })?
}

/// Skips what a login shell says, answers sudo, and stops after the greeting.
async fn greet(link: &dyn Link, process: Process, sudo: &Sudo, marker: &str) -> Result<Started, RemoteError> {
    let Process { mut stdin, mut stdout, stderr, exit } = process;
    let host = link.host();
    let mut first = Vec::new();
    let mut asked = 0;
    loop {
        tokio::select! {
            piece = stdout.recv() => match piece {
                Some(piece) => first.extend_from_slice(&piece),
                None => break,
            },
            () = stderr.more() => {
                let asks = stderr.text().matches(marker).count();
                if asks > 1 {
                    return Err(RemoteError::SudoRefused { host, why: "the password is wrong".to_owned() });
                }
                if let (Sudo::Password(password), true) = (sudo, asks > asked) {
                    asked = asks;
                    let mut line = Zeroizing::new(password.as_bytes().to_vec());
                    line.push(b'\n');
                    // If sudo is gone, the end of its output says so.
                    let _gone = stdin.write_all(&line).await;
                    let _gone = stdin.flush().await;
                }
            }
        }
        if let Some(at) = first.windows(GREETING.len()).position(|window| window == GREETING) {
            first.drain(..at + GREETING.len());
            return Ok(Started::Running(Box::new(Streams {
                host,
                first,
                incoming: stdout,
                outgoing: stdin,
            })));
        }
        if first.len() > PREAMBLE_MAX {
            let why = format!("more than {PREAMBLE_MAX} bytes and no greeting");
            return Err(RemoteError::Protocol { host, why });
        }
    }
    let why = stderr.text().replace(marker, "");
    match exit.await.ok().flatten() {
        Some(NEED) => Ok(Started::Need),
        Some(NO_DIGEST) => Ok(Started::NoDigest),
        Some(OTHER_ARCH) => {
            Err(RemoteError::NoRunner { host, arch: String::from_utf8_lossy(&first).trim().to_owned() })
        }
        Some(_) if !matches!(sudo, Sudo::No) => {
            Err(RemoteError::SudoRefused { host, why: why.trim().to_owned() })
        }
        Some(code) => {
            Err(RemoteError::Upload { host, why: format!("it does not start (exit code {code}): {why}") })
        }
        None if link.is_closed() => {
            Err(RemoteError::Cut { host, during: " while the runner was started".to_owned() })
        }
        None => Err(RemoteError::Upload { host, why: format!("it was killed before it was ready: {why}") }),
    }
}

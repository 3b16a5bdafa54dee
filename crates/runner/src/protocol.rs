//! The messages, both ways. `docs/reference/runner.md` shows them as JSON.

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
pub use crate::op::{Attributes, Effect, Exec, Op, Part, Write};

/// The version of the protocol this code speaks.
pub const VERSION: u32 = 1;

/// What the runner prints before its first frame, so that a login shell's greetings can be told from it.
pub const GREETING: &[u8] = b"\n*AEDILE-RUNNER*\n";

/// To the runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToRunner {
    /// First; can be sent without waiting for READY, together with the first commands.
    Hello(Hello),
    /// One command. The frame's body is its input when `input` is `body`.
    Run(Command),
    /// Streamed input of a command, in the frame's body.
    Data {
        /// Whose.
        id: u64,
        /// Nothing follows.
        #[serde(default)]
        last: bool,
    },
    /// Stop a command. It answers with the fault `cancelled` if it had not ended.
    Cancel {
        /// Which.
        id: u64,
    },
    /// Finish what is pending, then leave.
    Exit,
}

/// What the caller wants of this session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The protocol version the caller speaks.
    pub protocol: u32,
    /// What this session may touch.
    #[serde(default)]
    pub grants: Grants,
}

/// What a session may touch. Nothing that is not listed; a command outside of it is refused with `not_granted`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// Programs: a bare name (found in the standard directories only), an absolute path, or `*`.
    #[serde(default)]
    pub exec: Vec<String>,
    /// Directories, with all that is below them, that may be read.
    #[serde(default)]
    pub read: Vec<String>,
    /// Directories, with all that is below them, that may be changed.
    #[serde(default)]
    pub write: Vec<String>,
}

impl Grants {
    /// Everything: what a person's own session gets.
    pub fn everything() -> Self {
        Self { exec: vec!["*".into()], read: vec!["/".into()], write: vec!["/".into()] }
    }
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Unique in the session; every answer carries it.
    pub id: u64,
    /// Carried out once per key and session; repeating it answers the earlier result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Commands of one lane are carried out one after the other, in the order sent; others concurrently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<u32>,
    /// From the start of the command, in milliseconds; more than 0.
    pub timeout_ms: u64,
    /// Where its input comes from.
    #[serde(default)]
    pub input: Input,
    /// What to do.
    pub op: Op,
}

/// Where a command's input (standard input, a file's content) comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// There is none.
    #[default]
    None,
    /// The body of the command's own frame.
    Body,
    /// `data` frames, as far as `credit` allows.
    Stream,
}

/// From the runner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromRunner {
    /// First.
    Ready(Ready),
    /// Output of a command, in the frame's body.
    Event {
        /// Whose.
        id: u64,
        /// Which.
        stream: Stream,
    },
    /// Something a person may want to know about a command.
    Log {
        /// Whose.
        id: u64,
        /// How important.
        level: Level,
        /// The text.
        message: String,
    },
    /// A command with streamed input took in this many bytes, so as many more may be sent.
    Credit {
        /// Whose.
        id: u64,
        /// How many.
        bytes: u64,
    },
    /// A command ended.
    Done(Done),
    /// A frame could not be used. The session goes on unless EXIT follows.
    Error {
        /// The command the frame was about, if that could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// Why.
        fault: Fault,
    },
    /// Last.
    Exit(Farewell),
}

/// What a stream of output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// A program's standard output.
    Stdout,
    /// A program's standard error.
    Stderr,
    /// A file's content.
    Content,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For whoever looks for a mistake.
    Debug,
    /// Worth knowing.
    Info,
    /// Worth looking at.
    Warn,
}

/// The runner's first message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The oldest protocol version it speaks.
    pub protocol_min: u32,
    /// The newest.
    pub protocol_max: u32,
    /// Its own version.
    pub version: String,
    /// As Rust names it: `x86_64`, `aarch64`.
    pub arch: String,
    /// The effective user's number.
    pub uid: u32,
    /// The process's number.
    pub pid: u32,
    /// Milliseconds it will live at most.
    pub lifetime_ms: u64,
    /// What a caller must keep to.
    pub limits: Bounds,
}

/// The limits a caller must keep to, in bytes or pieces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// JSON part of a frame.
    pub head_max: usize,
    /// Raw part of a frame.
    pub body_max: usize,
    /// Input sent ahead of credit, per command.
    pub window: u64,
    /// Commands with streamed input at the same time.
    pub streams_max: usize,
    /// Commands waiting or under way.
    pub pending_max: usize,
}

/// A command's end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Whose.
    pub id: u64,
    /// This is the result of an earlier command with the same key.
    #[serde(default)]
    pub replayed: bool,
    /// From its start.
    pub elapsed_ms: u64,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was carried out. A program that exited with an error was carried out too: look at the answer.
    Ok(Answer),
    /// It was not, or not to the end.
    Fault(Fault),
}

/// What a command found or did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Answer {
    /// A program ran and ended.
    Exec {
        /// How.
        ended: Ended,
        /// Bytes it printed, also those that were dropped.
        stdout_bytes: u64,
        /// The same for standard error.
        stderr_bytes: u64,
        /// Something was dropped.
        truncated: bool,
    },
    /// What is there.
    Stat {
        /// Nothing if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<Stat>,
    },
    /// A file was streamed.
    Read {
        /// Bytes sent.
        bytes: u64,
        /// Of the bytes sent.
        sha256: String,
        /// There was nothing after them.
        complete: bool,
    },
    /// A file has the content.
    Written {
        /// Its size.
        bytes: u64,
        /// Of its content.
        sha256: String,
        /// Something had to be changed.
        changed: bool,
        /// Where the former content is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backup: Option<String>,
    },
    /// It is as asked.
    Ensured {
        /// Something had to be changed.
        changed: bool,
    },
    /// What kind of host this is.
    Facts(Box<Facts>),
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// By itself, with this code; 0 is success.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

impl Ended {
    /// Exit code 0.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Exited(0))
    }
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// In bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Owner's name, if `/etc/passwd` has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Group's name, if `/etc/group` has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Last change of content, seconds since 1970.
    pub mtime: i64,
    /// What a symbolic link says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Of a regular file's content, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket or pipe.
    Other,
}

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// For programs.
    pub code: FaultCode,
    /// For people. Never holds content, input or environment values.
    pub message: String,
}

/// Why, for programs. A code a reader does not know reads as `io`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// The frame is not a valid message.
    InvalidCmd,
    /// The frame is larger than allowed.
    TooLarge,
    /// No common protocol version.
    Version,
    /// Too many at the same time, or in all.
    TooMany,
    /// The session was not granted this.
    NotGranted,
    /// A path leads out of where it may, or is not absolute and plain.
    Traversal,
    /// A symbolic link is where none may be.
    Symlink,
    /// Nothing is there.
    NotFound,
    /// Something else is there.
    WrongKind,
    /// The operating system said no.
    Denied,
    /// The disk or quota is full.
    NoSpace,
    /// The file system is read-only.
    ReadOnly,
    /// The program is not there or cannot be started.
    ProgramMissing,
    /// The content is not what was said.
    Mismatch,
    /// What is there is not what was expected.
    Precondition,
    /// The key was used for something else.
    KeyReused,
    /// The time limit passed.
    Timeout,
    /// It was cancelled, or the session ended.
    Cancelled,
    /// Anything else the operating system reports.
    #[serde(other)]
    Io,
}

/// The runner's last message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Farewell {
    /// Commands that ended, also those with a fault.
    pub commands_total: u64,
    /// Those with a fault.
    pub faults_total: u64,
    /// The runner's own file is gone.
    pub self_deleted: bool,
    /// Why it left.
    pub reason: Reason,
}

/// Why the runner left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It was asked to.
    Asked,
    /// Its input ended: the connection is gone.
    Closed,
    /// Its lifetime is over.
    Deadline,
    /// The other side cannot be talked with.
    Protocol,
}

//! What is exchanged with a provider: queries, operations, answers. The same as in `wit/provider`, whose comments hold.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A resource's attributes.
pub type Attributes = Map<String, Value>;

/// Something wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The attribute, and what is below it with dots; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A part of a target's facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Distribution.
    Os,
    /// Kernel and host name.
    Kernel,
    /// Processors.
    Cpu,
    /// Memory.
    Memory,
    /// File systems.
    Disks,
    /// Interfaces and addresses.
    Network,
    /// Installed packages.
    Packages,
    /// Services.
    Services,
    /// Users and groups.
    Users,
    /// The target's clock.
    Time,
}

/// What can happen when something is done twice, or left half done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Twice is the same as once.
    Idempotent,
    /// Must not be repeated without looking.
    Once,
}

/// A program to run on the target, without a shell.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// A bare name or an absolute path.
    pub program: String,
    /// Every user of the target sees them: never a secret.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment, in order.
    #[serde(default)]
    pub env: Vec<(String, String)>,
    /// Where it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// For its standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Vec<u8>>,
    /// Bytes kept of each stream.
    pub output_max: u64,
    /// What repeating it would do.
    pub effect: Effect,
    /// Seconds.
    pub timeout_s: u32,
}

/// Something to find out. Changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "query", rename_all = "snake_case", deny_unknown_fields)]
pub enum Query {
    /// What is at a path.
    Stat {
        /// Absolute.
        path: String,
        /// Also the SHA-256 of a regular file's content.
        #[serde(default)]
        digest: bool,
        /// Follow a symbolic link at the end of the path.
        #[serde(default)]
        follow: bool,
    },
    /// A file's content, from its start.
    Read {
        /// Absolute.
        path: String,
        /// Bytes at most.
        max: u64,
        /// Follow a symbolic link at the end of the path.
        #[serde(default)]
        follow: bool,
    },
    /// A program that only looks.
    Exec(Run),
    /// Facts about the target.
    Facts {
        /// Which.
        parts: Vec<Part>,
    },
    /// A connection, tried from where Aedile runs.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// Milliseconds.
        timeout_ms: u32,
    },
    /// A request, sent from where Aedile runs.
    Http {
        /// Such as `GET`.
        method: String,
        /// Absolute.
        url: String,
        /// Header fields.
        headers: Vec<(String, String)>,
        /// Milliseconds.
        timeout_ms: u32,
        /// Bytes of the body that are kept.
        body_max: u32,
    },
}

/// Mode, owner and group. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ownership {
    /// Permission bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// A name or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// A name or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// A file's content to be. Never shown by `Debug`: it may be a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// All of it.
    Bytes(Vec<u8>),
    /// The project's file with this SHA-256 (lower-case hexadecimal digits), which the host has and streams.
    File(String),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::File(sha256) => f.debug_tuple("File").field(sha256).finish(),
        }
    }
}

/// Something to do on the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// Only find something out.
    Query {
        /// What.
        query: Query,
    },
    /// Replace a file's content, atomically.
    Write {
        /// Absolute.
        path: String,
        /// What it is to hold.
        content: Content,
        /// Of the file.
        #[serde(default)]
        attributes: Ownership,
        /// Keep what was there as `PATH.bak`.
        #[serde(default)]
        backup: bool,
        /// Create missing directories.
        #[serde(default)]
        parents: bool,
        /// Refuse unless this is the SHA-256 of what is there now; `absent` for nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<String>,
    },
    /// Set mode, owner and group of what is there.
    Set {
        /// Absolute.
        path: String,
        /// What to set.
        attributes: Ownership,
    },
    /// Remove a file, link or directory.
    Remove {
        /// Absolute.
        path: String,
        /// Also a directory that is not empty.
        #[serde(default)]
        recursive: bool,
    },
    /// Ensure a directory.
    Directory {
        /// Absolute.
        path: String,
        /// Also its parents.
        #[serde(default)]
        parents: bool,
        /// Of the directory itself.
        #[serde(default)]
        attributes: Ownership,
    },
    /// Ensure a symbolic link.
    Symlink {
        /// The link itself, absolute.
        path: String,
        /// What it says.
        target: String,
        /// Replace a regular file that is in the way.
        #[serde(default)]
        force: bool,
    },
    /// Run a program.
    Exec(Run),
}

impl Op {
    /// What repeating it would do.
    pub const fn effect(&self) -> Effect {
        match self {
            Self::Query { .. } => Effect::Read,
            Self::Exec(run) => run.effect,
            _ => Effect::Idempotent,
        }
    }
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket or pipe.
    Other,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// In bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Owner's name, where the target knows it.
    #[serde(default)]
    pub owner: Option<String>,
    /// Group's name, where the target knows it.
    #[serde(default)]
    pub group: Option<String>,
    /// What a symbolic link says.
    #[serde(default)]
    pub target: Option<String>,
    /// Of a regular file's content, when asked for.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// With this code; 0 is success.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

/// Why something could not be found out or done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The runner's word for it (`not_found`, `denied`, `no_space`, ..), or `unreachable`.
    pub code: String,
    /// For people; never holds content.
    pub message: String,
}

/// The answer to a query or an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "is", rename_all = "snake_case")]
pub enum Answer {
    /// To [`Query::Stat`].
    File(Option<Stat>),
    /// To [`Query::Read`].
    Content {
        /// What was read.
        data: Vec<u8>,
        /// There is nothing after it.
        complete: bool,
    },
    /// To [`Query::Exec`] and [`Op::Exec`].
    Ran {
        /// How it ended.
        ended: Ended,
        /// What was kept of its output.
        stdout: Vec<u8>,
        /// The same for standard error.
        stderr: Vec<u8>,
        /// Something was dropped.
        truncated: bool,
    },
    /// To [`Query::Facts`].
    Facts(Value),
    /// To [`Query::Tcp`]: milliseconds until connected.
    Connected(u32),
    /// To [`Query::Http`].
    Responded {
        /// Status code.
        status: u16,
        /// Header fields.
        headers: Vec<(String, String)>,
        /// What was kept of the body.
        body: Vec<u8>,
        /// Milliseconds.
        elapsed_ms: u32,
    },
    /// To every other operation: whether anything had to be changed.
    Done(bool),
    /// To anything that could not be carried out.
    Fault(Fault),
}

/// One resource to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Declared values and defaults.
    pub config: Attributes,
    /// The place of each of its answers in the list of all answers, in the order it asked.
    pub asked: Vec<u32>,
}

/// What a resource is, or what has to be known first.
#[derive(Debug, Clone, PartialEq)]
pub enum Inspection {
    /// More has to be known.
    More(Vec<Query>),
    /// It is not there.
    Absent,
    /// It is there.
    Present(Attributes),
    /// It cannot be told.
    Unreadable(String),
}

/// What to do with a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// It is not there and shall be.
    Create,
    /// It is there and shall be different.
    Update,
    /// It shall not be there.
    Delete,
    /// Run this handler.
    Handle(String),
}

/// One resource to change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What to do.
    pub operation: Operation,
    /// What it is to be, secrets as they are.
    pub desired: Attributes,
    /// What was there, or was applied last, as far as it is known.
    pub prior: Attributes,
    /// The attributes that differ.
    pub fields: Vec<String>,
    /// As in [`Question`]. Empty at the start.
    pub asked: Vec<u32>,
}

/// Decides whether trying again is worth it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// May succeed later.
    Transient,
    /// The target is not in the state the change assumes.
    Conflict,
    /// Cannot succeed.
    Permanent,
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind.
    pub class: FailureClass,
    /// For people.
    pub problem: String,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The resource as it is now.
    pub attributes: Attributes,
    /// Something had to be changed.
    pub changed: bool,
}

/// What has to be done for a change, or what became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Application {
    /// To be carried out in this order.
    More(Vec<Op>),
    /// What the change at this place asks for is done for this one too.
    Join(u32),
    /// It is made.
    Done(Outcome),
    /// It is not.
    Failed(Failure),
}

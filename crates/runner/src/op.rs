//! The operations a command can ask for. `protocol` shows them to callers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What can happen to the world when a command is repeated, or left half done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Doing it twice is the same as doing it once.
    Idempotent,
    /// Must not be repeated without looking.
    Once,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", deny_unknown_fields)]
pub enum Op {
    /// Run a program, no shell.
    #[serde(rename = "exec")]
    Exec(Exec),
    /// Stream a file.
    #[serde(rename = "file.read")]
    Read {
        /// Absolute.
        path: String,
        /// Bytes to skip.
        #[serde(default)]
        offset: u64,
        /// Bytes at most; the file is refused if it has more and this is absent and over the limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        length: Option<u64>,
        /// Follow a symbolic link at the end of the path.
        #[serde(default)]
        follow: bool,
    },
    /// What is there, if anything.
    #[serde(rename = "file.stat")]
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
    /// Replace a file's content, atomically.
    #[serde(rename = "file.write")]
    Write(Write),
    /// Mode, owner and group of what is there.
    #[serde(rename = "file.set")]
    Set {
        /// Absolute.
        path: String,
        /// What to set.
        #[serde(default)]
        attributes: Attributes,
    },
    /// Remove a file, link or directory.
    #[serde(rename = "file.remove")]
    Remove {
        /// Absolute.
        path: String,
        /// Also a directory that is not empty.
        #[serde(default)]
        recursive: bool,
    },
    /// Ensure a directory.
    #[serde(rename = "directory")]
    Directory {
        /// Absolute.
        path: String,
        /// Also its parents.
        #[serde(default)]
        parents: bool,
        /// Of the directory itself.
        #[serde(default)]
        attributes: Attributes,
    },
    /// Ensure a symbolic link.
    #[serde(rename = "symlink")]
    Symlink {
        /// Absolute: the link itself.
        path: String,
        /// What it says.
        target: String,
        /// Replace a regular file that is in the way.
        #[serde(default)]
        force: bool,
    },
    /// What kind of host this is.
    #[serde(rename = "facts")]
    Facts {
        /// Which parts; all when empty.
        #[serde(default)]
        parts: Vec<Part>,
    },
}

impl Op {
    /// What repeating it would do.
    pub const fn effect(&self) -> Effect {
        match self {
            Self::Read { .. } | Self::Stat { .. } | Self::Facts { .. } => Effect::Read,
            Self::Exec(exec) => exec.effect,
            _ => Effect::Idempotent,
        }
    }
}

/// Run a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// A bare name or an absolute path.
    pub program: String,
    /// Visible to every user of the target: never a secret.
    #[serde(default)]
    pub args: Vec<String>,
    /// The whole environment, apart from PATH, HOME and LANG, which have defaults.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Absolute; `/` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// What is printed beyond this is counted and dropped, for each stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_max: Option<u64>,
    /// The caller knows what the program does; the runner does not.
    pub effect: Effect,
}

/// Mode, owner and group. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attributes {
    /// Permission bits, such as 0o644 (420 in JSON).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// A name in the target's `/etc/passwd`, or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// A name in the target's `/etc/group`, or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Replace a file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// Absolute.
    pub path: String,
    /// Of the file. A new file without a mode gets 0600.
    #[serde(default)]
    pub attributes: Attributes,
    /// Keep what was there as `PATH.bak`.
    #[serde(default)]
    pub backup: bool,
    /// Create missing directories, mode 0755.
    #[serde(default)]
    pub parents: bool,
    /// Refuse content that does not have this SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Refuse unless this is the SHA-256 of what is there now; `absent` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// A part of the facts.
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

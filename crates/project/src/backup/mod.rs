//! One file with the state of an environment, and the way back from it.
//!
//! The file is a tar archive: [`MANIFEST`] first, then what the manifest lists with sizes and digests; encrypted in the age
//! format where there are recipients. In it is everything that cannot be made again: the journal, what actions keep, keys,
//! secrets, host keys that were accepted, and what was on hosts before they were onboarded. Not in it are caches and facts,
//! which are asked for again, nor anything of the project's own files, which a repository keeps.
//!
//! A backup is made while others write, and is what was committed at one moment. What a restore cannot verify it refuses,
//! before anything is replaced; what it replaces it keeps.

mod examine;
mod make;
mod restore;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use host::secrets::age::AgeError;
use journal::JournalError;
use journal::verify::Fault;
use model::{Code, Coded, Digest, code};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{PlaceError, ProjectError};

pub use make::{Made, Making, make};
pub use restore::{Restored, Restoring, restore};

/// The one format this version reads and writes.
pub const FORMAT: &str = "aedile.backup/1";
/// Name of the manifest in the archive.
pub const MANIFEST: &str = "manifest.json";
/// The two databases, in the archive as in the state.
const JOURNAL: &str = "journal.db";
const VALUES: &str = "values.db";
/// What of a state is not in a backup: what can be made again, and what says that an engine lives.
const LEFT_OUT: [&str; 3] = ["cache", "engines", "facts"];

/// What a backup says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// Of which project and environment: `shop/dev`.
    pub source: String,
    /// When it was made, RFC 3339 in UTC.
    pub made: String,
    /// The version of Aedile that made it.
    pub version: String,
    /// How many records the journal in it has.
    pub position: u64,
    /// Digest of the last of them.
    pub digest: Digest,
    /// What is in it.
    pub files: Vec<Listed>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Where it belongs, relative to the environment's state.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
}

/// Why a backup cannot be made or restored. Nothing was replaced.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Because of the project, or of a file.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Because of the environment's store.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Because of a key.
    #[error(transparent)]
    Key(#[from] AgeError),
    /// There is a file of that name.
    #[error("{} is there already", path.display())]
    FileExists {
        /// Which.
        path: PathBuf,
    },
    /// What would be in the backup could not be restored.
    #[error("the journal does not verify, so a backup of it could not be restored")]
    Unsound(#[source] Box<Fault>),
    /// It is no backup, or not the one that was made.
    #[error("{} cannot be restored: {why}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The first thing that is wrong.
        why: String,
    },
    /// It is of another place.
    #[error("the backup is of {theirs}, and this is {ours}")]
    Other {
        /// Whose it is.
        theirs: String,
        /// Where it was to be restored.
        ours: String,
        /// The file.
        file: PathBuf,
    },
    /// There is something that would be lost.
    #[error("there is state in {} already", root.display())]
    Exists {
        /// Where.
        root: PathBuf,
        /// The file.
        file: PathBuf,
    },
    /// Somebody works on what would be replaced.
    #[error("{} at work in the environment", engines(.living))]
    InUse {
        /// The engines that live.
        living: Vec<String>,
    },
}

fn engines(living: &[String]) -> String {
    match living {
        [one] => format!("engine {one} is"),
        many => format!("{} engines are", many.len()),
    }
}

impl From<PlaceError> for BackupError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Project(error) => Self::Project(error),
            PlaceError::Journal(error) => Self::Journal(error),
        }
    }
}

impl Coded for BackupError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Project(error) => error.code(),
            Self::Journal(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::FileExists { .. } => code::general::UNWRITABLE,
            Self::Unsound(fault) => fault.code(),
            Self::Damaged { .. } => code::journal::BAD_BACKUP,
            Self::Other { .. } => code::journal::OTHER_BACKUP,
            Self::Exists { .. } => code::journal::STATE_EXISTS,
            Self::InUse { .. } => code::journal::IN_USE,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Project(error) => error.hint(),
            Self::Journal(error) => error.hint(),
            Self::Key(error) => error.hint(),
            Self::FileExists { path } => Some(format!("aedile backup --force {}", path.display())),
            Self::Unsound(_) => Some("aedile journal verify".to_owned()),
            Self::Damaged { .. } => None,
            Self::Other { theirs, file, .. } => {
                // as a word of a shell, which a name in a file that anybody wrote need not be
                let theirs = theirs.replace(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c), "?");
                Some(format!("aedile restore {} --from {theirs}", file.display()))
            }
            Self::Exists { file, .. } => Some(format!("aedile restore {} --replace", file.display())),
            Self::InUse { .. } => Some("aedile runs list".to_owned()),
        }
    }
}

/// A digest that is taken piece by piece.
#[derive(Default)]
struct Sum(Sha256);

impl Sum {
    fn add(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    fn take(self) -> Digest {
        let text = format!("sha256:{}", hex::encode(self.0.finalize()));
        text.parse().expect("32 bytes in hexadecimal digits are a digest")
    }
}

fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> ProjectError {
    let what = path.display().to_string();
    move |source| ProjectError::Unreadable { what, source }
}

fn unwritable(path: &Path) -> impl FnOnce(std::io::Error) -> ProjectError {
    let what = path.display().to_string();
    move |source| ProjectError::Unwritable { what, source }
}

/// What a directory is made with that holds what only its owner may see.
fn private() -> Permissions {
    Permissions::from_mode(0o700)
}

/// The directory that a file is in.
fn directory(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

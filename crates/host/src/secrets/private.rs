//! Opens files that hold secrets, and refuses those that somebody else could have read or put there. Every check is of
//! what was opened, so that nothing can be exchanged between the check and the reading.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// Whose business a file's content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Its owner's only: nobody else may read the file, nor write to the directory it is in.
    Private,
    /// Anybody's: it is encrypted.
    Encrypted,
}

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory {
    open: OwnedFd,
    path: PathBuf,
    content: Content,
}

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

fn io(errno: Errno) -> String {
    std::io::Error::from(errno).to_string()
}

/// Files of this process's user and of root are trusted.
fn is_ours(owner: u32) -> bool {
    owner == rustix::process::geteuid().as_raw() || owner == 0
}

impl Directory {
    /// Opens `path`, following links on the way. `None` where there is nothing.
    pub(crate) fn open(path: &Path, content: Content) -> Result<Option<Self>, String> {
        match rustix::fs::open(path, FLAGS | OFlags::DIRECTORY, Mode::empty()) {
            Ok(open) => Self { open, path: path.to_owned(), content }.checked().map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(io(error)),
        }
    }

    /// Opens a directory in this one. A link is refused.
    fn enter(&self, name: &Path) -> Result<Option<Self>, String> {
        let path = self.path.join(name);
        match rustix::fs::openat(
            &self.open,
            name,
            FLAGS | OFlags::DIRECTORY | OFlags::NOFOLLOW,
            Mode::empty(),
        ) {
            Ok(open) => Self { open, path, content: self.content }.checked().map(Some),
            Err(Errno::NOENT) => Ok(None),
            // what is no directory is either a link or a file
            Err(Errno::NOTDIR | Errno::LOOP) => {
                Err(format!("{} is not a directory of its own, or a symbolic link", path.display()))
            }
            Err(error) => Err(io(error)),
        }
    }

    fn checked(self) -> Result<Self, String> {
        if self.content == Content::Private {
            let status = rustix::fs::fstat(&self.open).map_err(io)?;
            if status.st_mode & 0o022 != 0 || !is_ours(status.st_uid) {
                return Err(format!("others may write {}; chmod 700 it", self.path.display()));
            }
        }
        Ok(self)
    }

    /// Reads a file in this directory, at most `limit` bytes. A link, a file that is none, and, where the content is
    /// private, one that others may read, are refused. `None` where there is nothing.
    pub(crate) fn read(&self, name: &Path, limit: u64) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        let path = self.path.join(name);
        let opened =
            rustix::fs::openat(&self.open, name, FLAGS | OFlags::NOFOLLOW | OFlags::NONBLOCK, Mode::empty());
        let file = match opened {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(format!("the file {} is a symbolic link", path.display())),
            Err(error) => return Err(io(error)),
        };
        let status = rustix::fs::fstat(&file).map_err(io)?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Err(format!("{} is not a file", path.display()));
        }
        if self.content == Content::Private && (status.st_mode & 0o077 != 0 || !is_ours(status.st_uid)) {
            return Err(format!("others may read {}; chmod 600 it", path.display()));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity(status.st_size, limit)));
        File::from(file).take(limit + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > limit {
            return Err(format!("{} is larger than {limit} bytes", path.display()));
        }
        Ok(Some(bytes))
    }
}

/// Room for the whole file at once: a buffer that grows leaves copies behind.
fn capacity(size: i64, limit: u64) -> usize {
    usize::try_from(u64::try_from(size).unwrap_or(0).min(limit) + 1).unwrap_or(0)
}

/// Reads a file below `root`. No link is followed from there on, and no part of the path leads up.
pub(crate) fn read_below(
    root: &Path,
    path: &Path,
    content: Content,
    limit: u64,
) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let mut names: Vec<&Path> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(Path::new(name)),
            Component::CurDir => {}
            _ => return Err(format!("{} is not below the project's directory", path.display())),
        }
    }
    let Some(file) = names.pop() else { return Err(format!("{} is not a file", path.display())) };
    let Some(mut directory) = Directory::open(root, content)? else { return Ok(None) };
    for name in names {
        let Some(inner) = directory.enter(name)? else { return Ok(None) };
        directory = inner;
    }
    directory.read(file, limit)
}

/// Reads the file at `path`. Links on the way to its directory are followed, as whoever wrote the path meant them.
pub(crate) fn read_at(
    path: &Path,
    content: Content,
    limit: u64,
) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(format!("{} is not a file", path.display()));
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    match Directory::open(parent, content)? {
        Some(directory) => directory.read(Path::new(name), limit),
        None => Ok(None),
    }
}

/// Writes a new file that only its owner may read, and makes the directories that lead to it, for their owner only. A file
/// that is there is left alone, and is an error.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    let parent =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // half a key is worse than none; that it cannot be removed either changes nothing about the error
        drop(std::fs::remove_file(path));
    }
    written?;
    File::open(parent)?.sync_all()
}

/// The text in `bytes`, without one line end at the end.
pub(crate) fn text(bytes: &[u8]) -> Result<Zeroizing<String>, std::io::Error> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "it is not text"))?;
    let end = text.strip_suffix('\n').unwrap_or(text);
    Ok(Zeroizing::new(end.strip_suffix('\r').unwrap_or(end).to_owned()))
}

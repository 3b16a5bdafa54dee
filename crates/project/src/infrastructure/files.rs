//! The project's files as changes of resources need them: by digest, and never from outside the project's directory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use provider::Files;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Opens a file of the project. Neither `..` nor a symbolic link leads out.
pub(super) fn open(root: &Path, path: &str) -> io::Result<File> {
    let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
    let written = Path::new(path);
    if path.is_empty()
        || !written.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    {
        return Err(refused("a file of the project is named by a path below its directory, without `..`"));
    }
    let file = match beneath(root, written) {
        Some(file) => file,
        None => walked(root, written)?,
    };
    if !file.metadata()?.is_file() {
        return Err(refused("it is not a regular file"));
    }
    Ok(file)
}

/// How a file is opened. What is no file is not waited for.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// The file, where the kernel can be asked to lead nowhere but below a directory (`openat2`, Linux 5.6) and no link is absolute.
fn beneath(root: &Path, path: &Path) -> Option<File> {
    let directory =
        openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    openat2(directory, path, READ, Mode::empty(), ResolveFlags::BENEATH).ok().map(File::from)
}

/// The same by looking at where the path really leads. Also says what is the matter with it.
fn walked(root: &Path, path: &Path) -> io::Result<File> {
    let (root, whole) = (root.canonicalize()?, root.join(path).canonicalize()?);
    if !whole.starts_with(&root) {
        let why = "it is a link that leads out of the project's directory";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok(openat(CWD, &whole, READ, Mode::empty())?.into())
}

/// The SHA-256 of a file in hexadecimal digits, and its size. However large it is, little of it is in memory.
pub(super) fn digest(mut file: File) -> io::Result<(String, u64)> {
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    // most files are small, and clearing a large buffer costs more than reading them
    let mut buffer = vec![0; size.clamp(4 << 10, 256 << 10)];
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex::encode(hasher.finalize()), bytes));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}

/// The project's files by digest. A digest is known once a value that names it was seen.
pub(super) struct ByDigest {
    root: PathBuf,
    paths: Mutex<HashMap<String, String>>,
}

impl ByDigest {
    /// Files below `root`.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, paths: Mutex::default() }
    }

    /// Learns the digests in a declared value ([`provider::ProjectFile::value`]).
    pub(super) fn learn(&self, value: &Value) {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        if let (Some(path), Some(sha256)) = (text("path"), text("sha256")) {
            let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
            paths.insert(sha256.to_owned(), path.to_owned());
        }
    }
}

impl Files for ByDigest {
    fn open(&self, sha256: &str) -> io::Result<(u64, Box<dyn Read + Send>)> {
        let path = self.paths.lock().unwrap_or_else(PoisonError::into_inner).get(sha256).cloned();
        let path = path.ok_or_else(|| io::Error::other("no file of the project has this digest"))?;
        let file = open(&self.root, &path)?;
        let bytes = file.metadata()?.len();
        Ok((
            bytes,
            Box::new(Checked { file, path, hasher: Some(Sha256::new()), expected: sha256.to_owned() }),
        ))
    }
}

/// A file that ends with an error when it is not the one that was meant.
struct Checked {
    file: File,
    path: String,
    /// Gone once the end was reached.
    hasher: Option<Sha256>,
    expected: String,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if buffer.is_empty() {
            return Ok(0);
        }
        if read > 0 {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..read]);
            }
            return Ok(read);
        }
        let found = self.hasher.take().map(|hasher| hex::encode(hasher.finalize()));
        if found.is_some_and(|found| found != self.expected) {
            return Err(io::Error::other(format!("{} changed after it was planned", self.path)));
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infrastructure_31_nothing_outside_the_project_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let (root, beside) = (directory.path().join("x"), directory.path().join("x-evil"));
        fs_err::create_dir_all(root.join("sub")).unwrap();
        fs_err::create_dir_all(&beside).unwrap();
        fs_err::write(beside.join("secret"), "s").unwrap();
        fs_err::write(root.join("sub/motd"), "hi").unwrap();
        fs_err::os::unix::fs::symlink(beside.join("secret"), root.join("link")).unwrap();
        fs_err::os::unix::fs::symlink("sub/motd", root.join("inside")).unwrap();
        for (path, fine) in [
            ("sub/motd", true),
            ("./sub/motd", true),
            ("inside", true),
            ("sub", false),
            ("link", false),
            ("../x-evil/secret", false),
            ("sub/../../x-evil/secret", false),
            ("/etc/passwd", false),
            ("", false),
        ] {
            assert_eq!(open(&root, path).is_ok(), fine, "{path}");
        }
    }

    #[test]
    fn a_file_that_changed_after_it_was_planned_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("motd"), "hello").unwrap();
        let files = ByDigest::new(directory.path().to_owned());
        let file = provider::ProjectFile::new("motd", b"hello", provider::FileUse::Reference).unwrap();
        assert!(files.open(&file.sha256).is_err(), "not known yet");
        files.learn(&file.value());
        let mut text = String::new();
        let (bytes, mut content) = files.open(&file.sha256).unwrap();
        content.read_to_string(&mut text).unwrap();
        assert_eq!((bytes, text.as_str()), (5, "hello"));
        fs_err::write(directory.path().join("motd"), "other").unwrap();
        let error = files.open(&file.sha256).unwrap().1.read_to_string(&mut text).unwrap_err();
        assert!(error.to_string().contains("changed after it was planned"), "{error}");
    }
}

//! The project's files as changes of resources need them: by digest, and never from outside the project's directory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use provider::Files;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::limits;

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
    let mut buffer = vec![0; size.clamp(limits::PIECE_MIN, limits::PIECE_MAX)];
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
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Where the file with a digest is.
    paths: HashMap<String, String>,
    /// Small files as they were read: one goes to many hosts.
    read: HashMap<String, Arc<[u8]>>,
    /// How large those are together.
    held: usize,
}

impl ByDigest {
    /// Files below `root`.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns the digests in a declared value ([`provider::ProjectFile::value`]).
    pub(super) fn learn(&self, value: &Value) {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        if let (Some(path), Some(sha256)) = (text("path"), text("sha256")) {
            self.known().paths.insert(sha256.to_owned(), path.to_owned());
        }
    }

    /// Reads a small file, and keeps it for the next who wants it.
    fn read(&self, sha256: &str, bytes: u64, mut checked: Checked) -> io::Result<Arc<[u8]>> {
        let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
        Read::by_ref(&mut checked).take(bytes + 1).read_to_end(&mut content)?;
        if content.len() as u64 > bytes {
            // it grows, and was not read to its end
            return Err(checked.changed());
        }
        let content: Arc<[u8]> = content.into();
        let mut known = self.known();
        if known.held + content.len() > limits::FILES_HELD_BYTES_MAX {
            known.read.clear();
            known.held = 0;
        }
        if known.read.insert(sha256.to_owned(), Arc::clone(&content)).is_none() {
            known.held += content.len();
        }
        Ok(content)
    }
}

impl Files for ByDigest {
    fn open(&self, sha256: &str) -> io::Result<(u64, Box<dyn Read + Send>)> {
        let path = {
            let known = self.known();
            if let Some(content) = known.read.get(sha256) {
                return Ok((content.len() as u64, Box::new(io::Cursor::new(Arc::clone(content)))));
            }
            known.paths.get(sha256).cloned()
        };
        let path = path.ok_or_else(|| io::Error::other("no file of the project has this digest"))?;
        let file = open(&self.root, &path)?;
        let bytes = file.metadata()?.len();
        let checked = Checked { file, path, hasher: Some(Sha256::new()), expected: sha256.to_owned() };
        if bytes > limits::FILE_HELD_BYTES_MAX {
            return Ok((bytes, Box::new(checked)));
        }
        let content = self.read(sha256, bytes, checked)?;
        Ok((content.len() as u64, Box::new(io::Cursor::new(content))))
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

impl Checked {
    fn changed(&self) -> io::Error {
        io::Error::other(format!("{} changed after it was planned", self.path))
    }
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
            return Err(self.changed());
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
        let long = "o".repeat(usize::try_from(limits::FILE_HELD_BYTES_MAX).unwrap() + 1);
        for content in ["hello", &long] {
            let path = directory.path().join("motd");
            fs_err::write(&path, content).unwrap();
            let files = ByDigest::new(directory.path().to_owned());
            let file =
                provider::ProjectFile::new("motd", content.as_bytes(), provider::FileUse::Reference).unwrap();
            let read = || {
                let (bytes, mut content) = files.open(&file.sha256)?;
                let mut text = String::new();
                content.read_to_string(&mut text).map(|_| (bytes, text))
            };
            assert!(read().is_err(), "not known yet");
            files.learn(&file.value());
            for other in ["other", ""] {
                fs_err::write(&path, other).unwrap();
                let error = read().unwrap_err();
                assert!(error.to_string().contains("changed after it was planned"), "{error}");
            }
            fs_err::write(&path, content).unwrap();
            assert_eq!(read().unwrap(), (content.len() as u64, content.to_owned()));
            fs_err::write(&path, "other").unwrap();
            match read() {
                // what was read is what was meant, whatever the file has become
                Ok((_, held)) => assert!(held == content && content == "hello"),
                Err(error) => assert!(content == long, "{error}"),
            }
        }
    }

    #[test]
    fn what_is_kept_of_files_has_a_limit() {
        let directory = tempfile::tempdir().unwrap();
        let files = ByDigest::new(directory.path().to_owned());
        let size = usize::try_from(limits::FILE_HELD_BYTES_MAX).unwrap();
        for n in 0..300_u32 {
            let content = [n.to_le_bytes().as_slice(), &vec![b'x'; size - 4]].concat();
            fs_err::write(directory.path().join("file"), &content).unwrap();
            let file = provider::ProjectFile::new("file", &content, provider::FileUse::Reference).unwrap();
            files.learn(&file.value());
            let mut read = Vec::new();
            files.open(&file.sha256).unwrap().1.read_to_end(&mut read).unwrap();
            assert!(read == content);
            let known = files.known();
            let held: usize = known.read.values().map(|content| content.len()).sum();
            assert!(held == known.held && held <= limits::FILES_HELD_BYTES_MAX);
        }
    }
}

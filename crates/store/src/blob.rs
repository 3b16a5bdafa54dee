//! Content-addressed files beside the journal, for what is too large for a record.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use journal::JournalError;
use model::{Digest, code};

use crate::error::from_io;
use crate::limits::BLOB_BYTES_MAX;

/// Blobs of one environment, in one directory.
///
/// ```
/// # let directory = tempfile::tempdir().unwrap();
/// let blobs = store::Blobs::open(directory.path().join("blobs")).unwrap();
/// let digest = blobs.put(b"artifact").unwrap();
/// assert_eq!(blobs.get(&digest).unwrap().as_deref(), Some(&b"artifact"[..]));
/// ```
#[derive(Debug, Clone)]
pub struct Blobs {
    directory: PathBuf,
}

impl Blobs {
    /// Opens the directory, and makes it if it is not there.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let directory = directory.into();
        fs_err::create_dir_all(&directory).map_err(|error| from_io("cannot open the blobs", &error))?;
        Ok(Self { directory })
    }

    fn place(&self, digest: &Digest) -> PathBuf {
        let text = digest.to_string();
        let hex = text.trim_start_matches("sha256:");
        self.directory.join(&hex[..2]).join(hex)
    }

    /// Stores bytes; durable once it returns. The same bytes are stored once.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, JournalError> {
        if bytes.len() > BLOB_BYTES_MAX {
            return Err(JournalError::Storage {
                code: code::journal::RECORD_TOO_LARGE,
                what: format!("a blob of {} bytes is larger than the limit of {BLOB_BYTES_MAX}", bytes.len()),
                hint: None,
            });
        }
        let digest = Digest::of(bytes);
        let place = self.place(&digest);
        if self.get(&digest).is_ok_and(|found| found.is_some()) {
            return Ok(digest);
        }
        write_durably(&place, bytes).map_err(|error| from_io("cannot store a blob", &error))?;
        Ok(digest)
    }

    /// The bytes with this digest, checked against it; `None`: there are none.
    ///
    /// # Errors
    /// `E0117` if the file's bytes are not those that were stored.
    pub fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, JournalError> {
        let place = self.place(digest);
        let failed = |error: &std::io::Error| from_io("cannot read a blob", error);
        let file = match fs_err::File::open(&place) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let mut bytes = Vec::new();
        file.take(BLOB_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        if Digest::of(&bytes) != *digest {
            return Err(JournalError::Storage {
                code: code::journal::BAD_BLOB,
                what: format!("{} does not hold the bytes its name says", place.display()),
                hint: Some(format!("rm {}", place.display())),
            });
        }
        Ok(Some(bytes))
    }
}

/// Writes a file so that after a crash it is there whole or not at all.
fn write_durably(place: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = place.parent().unwrap_or_else(|| Path::new("."));
    fs_err::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(place).map_err(|error| error.error)?;
    fs_err::File::open(directory)?.sync_all()?;
    if let Some(parent) = directory.parent() {
        fs_err::File::open(parent)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_blobs_are_found_out_and_healed_by_storing_again() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(directory.path()).unwrap();
        let digest = blobs.put(b"one").unwrap();
        assert_eq!(digest, Digest::of(b"one"));
        assert_eq!(blobs.get(&Digest::of(b"two")).unwrap(), None);
        std::fs::write(blobs.place(&digest), b"tampered").unwrap();
        assert_eq!(model::Coded::code(&blobs.get(&digest).unwrap_err()).id, "E0117");
        blobs.put(b"one").unwrap();
        assert_eq!(blobs.get(&digest).unwrap().unwrap(), b"one");
    }
}

//! The keys of an environment: one that signs, and the public halves of all that ever did.
//!
//! `signing.key` is its owner's only (0600) and refused otherwise; public keys are `ID.pub`. A rotated key's private half is
//! destroyed: what it signed stays verifiable, and nothing new can be signed with it.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use journal::{Signer, Verifier};
use model::Digest;
use zeroize::Zeroizing;

use crate::layout::create_private;
use crate::{ProjectError, limits, text};

/// Name of the file with the private key.
const SIGNING: &str = "signing.key";
/// Name of the file with the key for digests of secrets, as hexadecimal digits.
const SEALING: &str = "sealing.key";

/// The keys in one directory.
#[derive(Debug, Clone)]
pub struct Keys {
    directory: PathBuf,
}

impl Keys {
    /// Keys in `directory`, which need not exist.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Whether there is a key that signs.
    pub fn exist(&self) -> bool {
        self.directory.join(SIGNING).is_file()
    }

    /// The text of a private key.
    fn private(path: &Path) -> Result<Zeroizing<String>, ProjectError> {
        let bad = |why: String| ProjectError::BadKey { path: path.to_owned(), why };
        let mode =
            fs_err::metadata(path).map_err(|error| bad(error.kind().to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(bad(format!("others than its owner can read it (mode {:o})", mode & 0o777)));
        }
        text::read(path, &path.display().to_string(), limits::KEY_BYTES_MAX).map(Zeroizing::new)
    }

    /// The key for digests of secrets; none where none was made.
    pub(crate) fn sealing(&self) -> Result<Option<Zeroizing<[u8; 32]>>, ProjectError> {
        let path = self.directory.join(SEALING);
        if !path.is_file() {
            return Ok(None);
        }
        let text = Self::private(&path)?;
        let bad =
            || ProjectError::BadKey { path: path.clone(), why: "it is not 64 hexadecimal digits".to_owned() };
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_end(), key.as_mut_slice()).map_err(|_| bad())?;
        Ok(Some(key))
    }

    /// Keeps a key for digests of secrets.
    pub(crate) fn make_sealing(&self, key: Zeroizing<[u8; 32]>) -> Result<Zeroizing<[u8; 32]>, ProjectError> {
        create_private(&self.directory)?;
        let text = Zeroizing::new(hex::encode(key.as_slice()));
        write_private(&self.directory.join(SEALING), text.as_bytes())?;
        Ok(key)
    }

    /// The key that signs.
    pub fn signer(&self) -> Result<Signer, ProjectError> {
        let path = self.directory.join(SIGNING);
        let secret = Self::private(&path)?;
        let bad = |why: String| ProjectError::BadKey { path: path.clone(), why };
        secret.trim_end().parse().map_err(|error: journal::note::NoteError| bad(error.to_string()))
    }

    /// Every public key that is kept, sorted by file name.
    pub fn verifiers(&self) -> Result<Vec<Verifier>, ProjectError> {
        let unreadable =
            |source| ProjectError::Unreadable { what: self.directory.display().to_string(), source };
        let entries = match fs_err::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "pub") {
                paths.push(path);
            }
        }
        paths.sort();
        paths.iter().map(|path| verifier(path)).collect()
    }

    /// Makes a key called `name` from 32 bytes of entropy and makes it the one that signs. The private half of the key before
    /// it is destroyed, its public half is kept.
    pub fn renew(&self, name: &str, seed: &[u8; 32]) -> Result<Signer, ProjectError> {
        let signer = Signer::from_seed(name, seed).map_err(|error| ProjectError::BadKey {
            path: self.directory.join(SIGNING),
            why: error.to_string(),
        })?;
        self.replace(&signer)?;
        Ok(signer)
    }

    /// Makes a key the one that signs.
    pub(crate) fn replace(&self, signer: &Signer) -> Result<(), ProjectError> {
        create_private(&self.directory)?;
        let public = format!("{}\n", signer.verifier());
        let id = Digest::of(public.as_bytes()).to_string();
        let id = id.rsplit(':').next().unwrap_or_default();
        let id = id.get(..16).unwrap_or(id);
        write_private(&self.directory.join(format!("{id}.pub")), public.as_bytes())?;
        write_private(&self.directory.join(SIGNING), signer.to_secret_text().as_bytes())
    }
}

/// Reads a public key from a file.
pub fn verifier(path: &Path) -> Result<Verifier, ProjectError> {
    let text = text::read(path, &path.display().to_string(), limits::KEY_BYTES_MAX)?;
    text.trim_end().parse().map_err(|error: journal::note::NoteError| ProjectError::BadKey {
        path: path.to_owned(),
        why: error.to_string(),
    })
}

/// Writes a file that only its owner can read, all of it or nothing.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), ProjectError> {
    let unwritable = |source| ProjectError::Unwritable { what: path.display().to_string(), source };
    let beside = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs_err::rename(&beside, path)
    };
    write().map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewed_key_signs_and_the_old_one_still_verifies() {
        let directory = tempfile::tempdir().unwrap();
        let keys = Keys::new(directory.path().join("keys"));
        assert!(!keys.exist());
        let first = keys.renew("shop/dev", &[1; 32]).unwrap();
        let second = keys.renew("shop/dev", &[2; 32]).unwrap();
        assert_eq!(keys.signer().unwrap().verifier(), second.verifier());
        let known = keys.verifiers().unwrap();
        assert!(known.contains(first.verifier()) && known.contains(second.verifier()));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let keys = Keys::new(directory.path().to_owned());
        keys.renew("shop/dev", &[1; 32]).unwrap();
        let path = directory.path().join(SIGNING);
        assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(keys.signer(), Err(ProjectError::BadKey { .. })));
    }
}

//! Compiled code on disk, so that a component is compiled once per machine and engine.
//!
//! Loading compiled code means running it as native code, so the cache trusts nothing it finds: the directory must
//! belong to this user and be writable by nobody else, and an artefact is used only if its header names exactly this
//! component and this engine and the digest of the code matches. Anything else is compiled again and replaced.

use std::hash::{Hash as _, Hasher};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err as fs;
use model::Digest;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::SandboxError;
use crate::limits::{MAX_ARTEFACT_BYTES, MAX_ARTEFACTS};

const MAGIC: &[u8; 16] = b"aedile compiled\n";
const HEADER: usize = MAGIC.len() + 3 * 32;
const EXTENSION: &str = "cwasm";

/// Where a module's compiled code came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Compiled now; the text says why the cache could not serve or keep it, if it was asked to.
    Compiled(Option<String>),
    /// Taken from the cache after verification.
    Cached,
}

pub(crate) struct Cache {
    directory: PathBuf,
    engine: Digest,
}

/// Feeds `std::hash` into SHA-256: wasmtime offers its compatibility key only as something hashable.
struct Sha(Sha256);

impl Hasher for Sha {
    fn finish(&self) -> u64 {
        0 // nobody asks: the digest is taken from the inside
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

impl Cache {
    /// Opens the cache in `directory`, making it if it is not there.
    pub(crate) fn open(directory: &Path, engine: &Engine) -> Result<Self, SandboxError> {
        let unsafe_directory = |why: String| SandboxError::Setup {
            why: format!("cache directory {}: {why}", directory.display()),
        };
        private_directory(directory).map_err(unsafe_directory)?;
        let mut sha = Sha(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut sha);
        Ok(Self { directory: directory.to_owned(), engine: Digest::from_bytes(sha.0.finalize().into()) })
    }

    fn path(&self, component: &Digest) -> PathBuf {
        let key = Digest::of(&[component.as_bytes().as_slice(), self.engine.as_bytes()].concat());
        self.directory.join(hex::encode(key.as_bytes())).with_extension(EXTENSION)
    }

    /// The compiled component, if there is a good artefact of it; otherwise why not (`None`: there is none).
    pub(crate) fn load(&self, engine: &Engine, component: &Digest) -> Result<Component, Option<String>> {
        let path = self.path(component);
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(None),
            Err(error) => return Err(Some(error.to_string())),
        };
        let mut bytes = Vec::new();
        file.take(MAX_ARTEFACT_BYTES + 1).read_to_end(&mut bytes).map_err(|e| Some(e.to_string()))?;
        let code =
            self.verify(&bytes, component).map_err(|why| Some(format!("{}: {why}", path.display())))?;
        // SAFETY: `deserialize` requires bytes made by `Component::serialize` of a compatible engine and not changed
        // since. The bytes are in our memory (no file mapping that could change under us) and their digest has just
        // been compared with the header, which names this component and this engine's compatibility key. The header
        // is trusted because only this user can write to the directory, which `private_directory` has checked; who
        // can act as this user needs no forged artefact to run code as this user.
        #[allow(unsafe_code, reason = "the only way to load compiled code")]
        let component = unsafe { Component::deserialize(engine, code) };
        component.map_err(|error| Some(format!("{}: {error:#}", path.display())))
    }

    fn verify<'a>(&self, bytes: &'a [u8], component: &Digest) -> Result<&'a [u8], &'static str> {
        let (header, code) = bytes.split_at_checked(HEADER).ok_or("cut short")?;
        if bytes.len() as u64 > MAX_ARTEFACT_BYTES {
            return Err("larger than any artefact may be");
        }
        if header == self.header(component, code) {
            Ok(code)
        } else {
            Err("not what the cache wrote for this component")
        }
    }

    fn header(&self, component: &Digest, code: &[u8]) -> Vec<u8> {
        [MAGIC.as_slice(), component.as_bytes(), self.engine.as_bytes(), Digest::of(code).as_bytes()].concat()
    }

    /// Keeps the compiled component; a reader sees the whole artefact or none.
    pub(crate) fn store(&self, component: &Digest, compiled: &Component) -> Result<(), String> {
        let code = compiled.serialize().map_err(|error| format!("{error:#}"))?;
        if (code.len() + HEADER) as u64 > MAX_ARTEFACT_BYTES {
            return Err(format!("the compiled code is {} bytes, too large to keep", code.len()));
        }
        self.make_room();
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
            file.write_all(&self.header(component, &code))?;
            file.write_all(&code)?;
            file.persist(self.path(component))?;
            Ok(())
        };
        write().map_err(|error| format!("{}: {error}", self.directory.display()))
    }

    /// Removes the oldest artefacts until there is room for one more. Best effort: what stays is checked again next time.
    fn make_room(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        let mut artefacts: Vec<_> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().extension().is_some_and(|e| e == EXTENSION))
            .map(|entry| {
                (entry.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH), entry.path())
            })
            .collect();
        artefacts.sort();
        let surplus = (artefacts.len() + 1).saturating_sub(MAX_ARTEFACTS);
        for (_, path) in artefacts.into_iter().take(surplus) {
            drop(fs::remove_file(path));
        }
    }
}

#[cfg(unix)]
fn private_directory(directory: &Path) -> Result<(), String> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|e| e.to_string())?;
    let metadata = fs::symlink_metadata(directory).map_err(|e| e.to_string())?;
    if !metadata.is_dir() {
        return Err("is not a directory".to_owned());
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err("belongs to another user, who could put code there that would run as you".to_owned());
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(format!(
            "is writable by others (mode {:o}), who could put code there that would run as you; chmod 700 it",
            metadata.mode() & 0o777
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn private_directory(_: &Path) -> Result<(), String> {
    Err("is supported on Unix only, where its owner and mode can be checked".to_owned())
}

//! [`Catalog`]: the actions a project knows, by name and version, each pinned to a digest.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use fs_err as fs;
use model::Digest;

use crate::limits::{MAX_ACTIONS, MAX_COMPONENT_BYTES};
use crate::{Module, Sandbox, SandboxError};

/// One action of a catalog.
#[derive(Debug)]
struct Entry {
    digest: Digest,
    path: PathBuf,
    module: OnceLock<Arc<Module>>,
}

/// Actions by name and version. The file is read and compiled on the first use of an action and stays loaded.
///
/// Where the names, digests and paths come from is the caller's business; the catalog believes no file about itself.
#[derive(Debug, Default)]
pub struct Catalog {
    actions: BTreeMap<String, BTreeMap<String, Entry>>,
    count: usize,
}

impl Catalog {
    /// An empty catalog.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an action. The file is not touched yet.
    ///
    /// # Errors
    /// [`SandboxError::Setup`] if the name and version are taken by another digest, or the catalog is full.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        version: impl Into<String>,
        digest: Digest,
        path: impl Into<PathBuf>,
    ) -> Result<(), SandboxError> {
        let (name, version) = (name.into(), version.into());
        if self.count == MAX_ACTIONS {
            return Err(SandboxError::Setup {
                why: format!("a catalog holds at most {MAX_ACTIONS} actions"),
            });
        }
        let versions = self.actions.entry(name.clone()).or_default();
        if let Some(known) = versions.get(&version) {
            if known.digest == digest {
                return Ok(());
            }
            let why = format!(
                "action `{name}` version `{version}` is there twice, as {} and {digest}",
                known.digest
            );
            return Err(SandboxError::Setup { why });
        }
        versions.insert(version, Entry { digest, path: path.into(), module: OnceLock::new() });
        self.count += 1;
        Ok(())
    }

    /// Every action: name, version, digest.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, Digest)> {
        self.actions.iter().flat_map(|(name, versions)| {
            versions.iter().map(move |(version, entry)| (name.as_str(), version.as_str(), entry.digest))
        })
    }

    /// The digest an action is pinned to.
    pub fn digest(&self, name: &str, version: &str) -> Option<Digest> {
        Some(self.actions.get(name)?.get(version)?.digest)
    }

    /// The module of an action. Blocks on its first use; see [`Sandbox::load`].
    ///
    /// # Errors
    /// [`SandboxError::UnknownAction`], [`SandboxError::Unreadable`], and what [`Sandbox::load`] answers.
    pub fn module(&self, sandbox: &Sandbox, name: &str, version: &str) -> Result<Arc<Module>, SandboxError> {
        let versions = self.actions.get(name);
        let Some(entry) = versions.and_then(|versions| versions.get(version)) else {
            let known = match versions {
                Some(versions) => {
                    format!("there is {}", versions.keys().cloned().collect::<Vec<_>>().join(", "))
                }
                None => String::new(),
            };
            return Err(SandboxError::UnknownAction {
                name: name.to_owned(),
                version: version.to_owned(),
                known,
            });
        };
        if let Some(module) = entry.module.get() {
            return Ok(Arc::clone(module));
        }
        let unreadable = |source| SandboxError::Unreadable { path: entry.path.clone(), source };
        let size = fs::metadata(&entry.path).map_err(unreadable)?.len();
        if size > MAX_COMPONENT_BYTES as u64 {
            let why = format!("{size} bytes; at most {MAX_COMPONENT_BYTES} are loaded");
            return Err(SandboxError::BadComponent { digest: entry.digest, why });
        }
        let bytes = fs::read(&entry.path).map_err(unreadable)?;
        let module = sandbox.load(&bytes, entry.digest)?;
        Ok(Arc::clone(entry.module.get_or_init(|| module)))
    }
}

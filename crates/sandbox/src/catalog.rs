//! [`Catalog`]: the actions a project knows, by name and version, each pinned to a digest.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fs_err as fs;
use model::Digest;
use semver::Version;

use crate::limits::{MAX_ACTIONS, MAX_COMPONENT_BYTES};
use crate::{Module, Sandbox, SandboxError};

/// One action of a catalog.
#[derive(Debug)]
struct Entry {
    digest: Digest,
    path: PathBuf,
    module: OnceLock<Arc<Module>>,
    /// Held while the module is loaded, so that many first uses at once compile it once.
    loading: Mutex<()>,
}

/// Actions by name and semantic version. The file is read and compiled on the first use of an action and stays loaded.
///
/// Where the names, digests and paths come from is the caller's business; the catalog believes no file about itself.
#[derive(Debug, Default)]
pub struct Catalog {
    actions: BTreeMap<String, BTreeMap<Version, Entry>>,
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
    /// [`SandboxError::Setup`] if the version is not a semantic one, the name and version are taken by another digest, or
    /// the catalog is full.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        version: &str,
        digest: Digest,
        path: impl Into<PathBuf>,
    ) -> Result<(), SandboxError> {
        let name = name.into();
        let setup = |why: String| Err(SandboxError::Setup { why });
        let version = match Version::parse(version) {
            Ok(version) => version,
            Err(error) => return setup(format!("action `{name}`: `{version}` is not a version: {error}")),
        };
        if self.count == MAX_ACTIONS {
            return setup(format!("a catalog holds at most {MAX_ACTIONS} actions"));
        }
        let versions = self.actions.entry(name.clone()).or_default();
        if let Some(known) = versions.get(&version) {
            if known.digest == digest {
                return Ok(());
            }
            let digests = format!("{} and {digest}", known.digest);
            return setup(format!("action `{name}` version `{version}` is there twice, as {digests}"));
        }
        versions.insert(
            version,
            Entry { digest, path: path.into(), module: OnceLock::new(), loading: Mutex::default() },
        );
        self.count += 1;
        Ok(())
    }

    /// Every action: name, version, digest; by name, oldest version first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Version, Digest)> {
        self.actions.iter().flat_map(|(name, versions)| {
            versions.iter().map(move |(version, entry)| (name.as_str(), version, entry.digest))
        })
    }

    /// The newest version of an action; a pre-release only if there is nothing else.
    pub fn newest(&self, name: &str) -> Option<&Version> {
        let versions = self.actions.get(name)?;
        versions.keys().rfind(|version| version.pre.is_empty()).or_else(|| versions.keys().next_back())
    }

    /// The digest an action is pinned to.
    pub fn digest(&self, name: &str, version: &str) -> Option<Digest> {
        Some(self.actions.get(name)?.get(&Version::parse(version).ok()?)?.digest)
    }

    /// The module of an action if it has been used before. Never blocks.
    pub fn loaded(&self, name: &str, version: &str) -> Option<Arc<Module>> {
        self.actions.get(name)?.get(&Version::parse(version).ok()?)?.module.get().cloned()
    }

    /// The module of an action. Blocks on its first use; see [`Sandbox::load`].
    ///
    /// # Errors
    /// [`SandboxError::UnknownAction`], [`SandboxError::Unreadable`], and what [`Sandbox::load`] answers.
    pub fn module(&self, sandbox: &Sandbox, name: &str, version: &str) -> Result<Arc<Module>, SandboxError> {
        let versions = self.actions.get(name);
        let parsed = Version::parse(version).ok();
        let Some(entry) = parsed.and_then(|version| versions?.get(&version)) else {
            let known: Vec<_> =
                versions.into_iter().flat_map(BTreeMap::keys).map(ToString::to_string).collect();
            let known =
                if known.is_empty() { String::new() } else { format!("there is {}", known.join(", ")) };
            let (name, version) = (name.to_owned(), version.to_owned());
            return Err(SandboxError::UnknownAction { name, version, known });
        };
        if let Some(module) = entry.module.get() {
            return Ok(Arc::clone(module));
        }
        let _loading = entry.loading.lock().unwrap_or_else(PoisonError::into_inner);
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

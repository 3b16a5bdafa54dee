//! Where things are in a project's directory.

use std::path::{Path, PathBuf};

use model::Environment;

use crate::{ProjectError, limits};

/// Name of the project's own file.
pub const MANIFEST: &str = "aedile.yaml";
/// Name of the file that says who may do what.
pub const ACCESS: &str = "access.yaml";
/// Directory of the project's policy.
pub const POLICY: &str = "policy";
/// Directory of the project's workflows.
pub const WORKFLOWS: &str = "workflows";
/// Directory of the project's infrastructure: one CUE package.
pub const INFRASTRUCTURE: &str = "infrastructure";
/// Directory of the project's own providers: a directory for each, with its manifest.
pub const PROVIDERS: &str = "providers";
/// Texts of the project's policy.
pub(crate) const POLICY_TEXTS: Texts = Texts { directory: POLICY, extensions: &["yaml", "yml", "rego"] };
/// Texts of the project's workflows.
pub(crate) const WORKFLOW_TEXTS: Texts = Texts { directory: WORKFLOWS, extensions: &["yaml", "yml", "json"] };
/// Directory of everything Aedile writes; git ignores it.
pub const STATE: &str = ".aedile";

/// The environment of a project that names none.
pub fn default_environment() -> Environment {
    "dev".parse().expect("`dev` is letters only, which every name may be")
}

/// Finds the directory of the project that `start` is in.
pub fn discover(start: &Path) -> Result<PathBuf, ProjectError> {
    start
        .ancestors()
        .take(limits::PARENTS_MAX)
        .find(|directory| directory.join(MANIFEST).is_file())
        .map(Path::to_owned)
        .ok_or_else(|| ProjectError::NoProject { start: start.to_owned() })
}

/// Texts of one kind, which are all that a directory of the project has with certain extensions.
pub(crate) struct Texts {
    pub(crate) directory: &'static str,
    extensions: &'static [&'static str],
}

impl Texts {
    /// Whether a file of this name is one.
    pub(crate) fn knows(&self, name: &Path) -> bool {
        name.extension()
            .and_then(|known| known.to_str())
            .is_some_and(|known| self.extensions.contains(&known))
    }

    /// Those of the project in `root`, sorted, relative to it; none where there is no directory.
    pub(crate) fn listed(&self, root: &Path) -> Result<Vec<PathBuf>, ProjectError> {
        let unreadable = |source| ProjectError::Unreadable { what: self.directory.to_owned(), source };
        let entries = match fs_err::read_dir(root.join(self.directory)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let name = PathBuf::from(entry.map_err(unreadable)?.file_name());
            if self.knows(&name) {
                files.push(Path::new(self.directory).join(name));
            }
            if files.len() > limits::FILES_MAX {
                let what = format!("the number of files in {}", self.directory);
                return Err(ProjectError::TooLarge { what, limit: limits::FILES_MAX as u64 });
            }
        }
        files.sort();
        Ok(files)
    }
}

/// Directories and files of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// Of an environment of the project in `project`.
    pub fn of(project: &Path, environment: &Environment) -> Self {
        Self { root: project.join(STATE).join(environment.as_str()) }
    }

    /// A directory of its own, outside any project.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The journal's database.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.db")
    }

    /// What actions keep for themselves (see [`store::KeyValues`]).
    pub fn values(&self) -> PathBuf {
        self.root.join("values.db")
    }

    /// What was learnt about hosts, a file for each.
    pub fn facts(&self) -> PathBuf {
        self.root.join("facts")
    }

    /// Host keys that were accepted, in the form of OpenSSH.
    pub fn known_hosts(&self) -> PathBuf {
        self.root.join("known_hosts")
    }

    /// What there was on hosts before they were onboarded, a file for each.
    pub fn onboarded(&self) -> PathBuf {
        self.root.join("onboarded")
    }

    /// Keys that service users of onboarded hosts log in with, each readable by its owner only.
    pub fn ssh(&self) -> PathBuf {
        self.root.join("ssh")
    }

    /// Keys that sign checkpoints, each readable by its owner only.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// Lock files of living engines.
    pub fn engines(&self) -> PathBuf {
        self.root.join("engines")
    }

    /// Secrets, a file for each, readable by its owner only.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// What can be made again at any time.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Whether the environment has a journal.
    pub fn exists(&self) -> bool {
        self.journal().is_file()
    }

    /// Makes the directory, for its owner only.
    pub fn create(&self) -> Result<(), ProjectError> {
        create_private(&self.root)?;
        for directory in [self.keys(), self.engines(), self.cache(), self.secrets()] {
            create_private(&directory)?;
        }
        Ok(())
    }
}

/// Makes a directory with everything above it; it and what is made is its owner's only.
pub(crate) fn create_private(path: &Path) -> Result<(), ProjectError> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(path)
        .map_err(|source| ProjectError::Unwritable { what: path.display().to_string(), source })
}

/// Where an environment of its own is kept for workflow files outside any project: `$XDG_STATE_HOME/aedile`, or
/// `~/.local/state/aedile`.
pub fn loose_state(xdg_state_home: Option<&Path>, home: Option<&Path>) -> Option<PathBuf> {
    let absolute = xdg_state_home.filter(|path| path.is_absolute()).map(Path::to_owned);
    absolute.or_else(|| Some(home?.join(".local").join("state"))).map(|base| base.join("aedile"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_found_from_below_and_not_from_beside() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("a/workflows");
        fs_err::create_dir_all(&below).unwrap();
        fs_err::write(directory.path().join("a/aedile.yaml"), "name: a\n").unwrap();
        assert_eq!(discover(&below).unwrap(), directory.path().join("a"));
        assert!(matches!(discover(directory.path()), Err(ProjectError::NoProject { .. })));
    }

    #[test]
    fn state_outside_a_project_follows_the_xdg_directories() {
        let xdg = Path::new("/state");
        assert_eq!(loose_state(Some(xdg), None).unwrap(), Path::new("/state/aedile"));
        let relative = loose_state(Some(Path::new("state")), Some(Path::new("/home/m")));
        assert_eq!(relative.unwrap(), Path::new("/home/m/.local/state/aedile"));
        assert_eq!(loose_state(None, None), None);
    }
}

//! What the checks look at: the files git would commit, read once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files larger than this are not text that a person wrote.
const TEXT_BYTES_MAX: u64 = 2 << 20;

/// The files of the workspace by path relative to its root, with `/` as the separator.
pub(crate) struct Tree {
    /// Text files and their content.
    pub(crate) files: BTreeMap<String, String>,
    /// Every path, binary files included.
    pub(crate) paths: Vec<String>,
    /// Paths that git neither tracks nor ignores.
    pub(crate) untracked: Vec<String>,
}

impl Tree {
    /// Reads the tree below `root`: what git tracks and what it would track after `git add --all`.
    pub(crate) fn load(root: &Path) -> Result<Self, String> {
        let tracked = git(root, &["ls-files", "--cached", "-z"])?;
        let untracked = git(root, &["ls-files", "--others", "--exclude-standard", "-z"])?;
        let mut tree = Self { files: BTreeMap::new(), paths: Vec::new(), untracked };
        for path in tracked.iter().chain(&tree.untracked) {
            let full: PathBuf = root.join(path);
            let Ok(metadata) = std::fs::symlink_metadata(&full) else {
                continue; // deleted but not yet committed
            };
            if !metadata.is_file() {
                continue;
            }
            tree.paths.push(path.clone());
            if metadata.len() <= TEXT_BYTES_MAX
                && let Ok(bytes) = std::fs::read(&full)
                && !bytes.contains(&0)
                && let Ok(text) = String::from_utf8(bytes)
            {
                tree.files.insert(path.clone(), text);
            }
        }
        tree.paths.sort();
        tree.paths.dedup();
        Ok(tree)
    }

    /// A tree made of texts, for tests of checks.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files: BTreeMap<String, String> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Self { paths: files.keys().cloned().collect(), files, untracked: Vec::new() }
    }

    /// The content of one file.
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Files with this extension.
    pub(crate) fn with_extension<'a>(
        &'a self,
        extension: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.rsplit_once('.').is_some_and(|(_, found)| found == extension))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Rust sources of the product and its tools: not guests and not vendored or fixture code.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.with_extension("rs").filter(|(path, _)| !path.contains("/fixtures/"))
    }

    /// Whether a path, file or directory, is in the tree.
    pub(crate) fn has(&self, path: &str) -> bool {
        let directory = format!("{path}/");
        path.is_empty() || self.paths.iter().any(|known| known == path || known.starts_with(&directory))
    }
}

fn git(root: &Path, arguments: &[&str]) -> Result<Vec<String>, String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().map_err(|error| {
        format!("tidy asks git which files there are, and git cannot be started: {error}")
    })?;
    if !output.status.success() {
        return Err(format!(
            "git {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_knows_files_and_directories() {
        let tree = Tree::of(&[("crates/a/src/lib.rs", ""), ("README.md", "# x")]);
        assert!(tree.has("crates/a") && tree.has("README.md") && tree.has(""));
        assert!(!tree.has("crates/b") && !tree.has("crates/a/src/l"));
        assert_eq!(tree.rust().count(), 1);
    }

    #[test]
    fn the_workspace_loads_without_what_git_ignores() {
        let tree = Tree::load(crate::workspace()).unwrap();
        assert!(tree.get("Cargo.toml").is_some());
        assert!(!tree.paths.iter().any(|path| path.starts_with("target/")));
    }
}

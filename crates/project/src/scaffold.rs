//! Starts a project: writes its first files and overwrites none.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::ProjectError;
use crate::layout::{ACCESS, MANIFEST, POLICY, WORKFLOWS};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The project's directory.
    pub root: PathBuf,
    /// Its name.
    pub name: String,
    /// Files that were written, below the directory.
    pub written: Vec<String>,
    /// Files that were there already and stay as they are.
    pub kept: Vec<String>,
}

/// Starts a project called `name` in `directory`, whose owner is the operating system's user `user`.
///
/// Refuses a directory that has an `aedile.yaml`; keeps every other file that is there.
pub fn start(directory: &Path, name: Option<&str>, user: &str) -> Result<Started, ProjectError> {
    let unwritable =
        |path: &Path, source| ProjectError::Unwritable { what: path.display().to_string(), source };
    fs_err::create_dir_all(directory).map_err(|source| unwritable(directory, source))?;
    let root = fs_err::canonicalize(directory).map_err(|source| unwritable(directory, source))?;
    if root.join(MANIFEST).exists() {
        return Err(ProjectError::Exists { root });
    }
    let name = name.map_or_else(|| name_of(&root), name_from);
    let mut started = Started { root, name, written: Vec::new(), kept: Vec::new() };
    for (file, template) in [
        (MANIFEST.to_owned(), include_str!("../templates/aedile.yaml")),
        (ACCESS.to_owned(), include_str!("../templates/access.yaml")),
        (format!("{POLICY}/policy.yaml"), include_str!("../templates/policy.yaml")),
        (format!("{WORKFLOWS}/hello.yaml"), include_str!("../templates/hello.yaml")),
        (".gitignore".to_owned(), include_str!("../templates/gitignore")),
    ] {
        let text = template.replace("{name}", &started.name).replace("{user}", user);
        let path = started.root.join(&file);
        match write_new(&path, &text) {
            Ok(()) => started.written.push(file),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => started.kept.push(file),
            Err(source) => return Err(unwritable(&path, source)),
        }
    }
    Ok(started)
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    let mut file = fs_err::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn name_of(root: &Path) -> String {
    name_from(&root.file_name().map(|name| name.to_string_lossy()).unwrap_or_default())
}

/// A name that documents and URLs take: lower-case letters, digits and hyphens (the DSL's form of a namespace).
fn name_from(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(63) {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => out.push(c),
            _ if out.is_empty() || out.ends_with('-') => {}
            _ => out.push('-'),
        }
    }
    let name = out.trim_end_matches('-');
    if name.is_empty() { "project".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_started_once_and_overwrites_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("My Shop!");
        fs_err::create_dir_all(&root).unwrap();
        fs_err::write(root.join(".gitignore"), "target/\n").unwrap();
        let started = start(&root, None, "maria").unwrap();
        assert_eq!(started.name, "my-shop");
        assert_eq!(started.kept, [".gitignore"]);
        assert_eq!(fs_err::read_to_string(root.join(".gitignore")).unwrap(), "target/\n");
        assert!(fs_err::read_to_string(root.join(ACCESS)).unwrap().contains("user:maria"));
        assert!(matches!(start(&root, None, "maria"), Err(ProjectError::Exists { .. })));
    }

    #[test]
    fn what_is_started_is_a_valid_project() {
        let directory = tempfile::tempdir().unwrap();
        let started = start(directory.path(), Some("Été 2026"), "maria").unwrap();
        assert_eq!(started.name, "t-2026");
        let text = fs_err::read_to_string(started.root.join(MANIFEST)).unwrap();
        let manifest = crate::Manifest::parse(&text, MANIFEST).unwrap();
        assert_eq!(manifest.environment_names(), ["dev", "prod"]);
    }
}

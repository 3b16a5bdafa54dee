//! Where secrets come from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::ports::{Secret, SecretError, Secrets};

use super::private::{self, Content, Directory};
use crate::limits::SECRET_BYTES_MAX;

/// One place where secrets are kept.
pub trait SecretSource: Send + Sync {
    /// The value; `None` if this place does not have it; an error if it has it and cannot give it.
    fn find(&self, name: &str) -> Result<Option<Secret>, SecretError>;

    /// Where a secret of this name would be, for a message.
    fn place(&self, name: &str) -> String;
}

/// The value of a variable of this process.
pub(crate) fn variable(name: &str) -> Result<Option<Secret>, String> {
    match std::env::var(name) {
        Ok(value) if value.len() as u64 > SECRET_BYTES_MAX => {
            Err(format!("the variable {name} is larger than {SECRET_BYTES_MAX} bytes"))
        }
        Ok(value) => Ok(Some(Secret::new(value))),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("the variable {name} is not text")),
    }
}

/// Secrets in variables of this process: `AEDILE_SECRET_` and the name in upper case, with `_` for everything that is
/// neither letter nor digit. They are never passed on to programs, whose environment begins empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct EnvSecrets;

impl EnvSecrets {
    fn variable(name: &str) -> String {
        let name = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
        format!("AEDILE_SECRET_{}", name.collect::<String>())
    }
}

impl SecretSource for EnvSecrets {
    fn find(&self, name: &str) -> Result<Option<Secret>, SecretError> {
        variable(&Self::variable(name)).map_err(|why| SecretError { name: name.to_owned(), why })
    }

    fn place(&self, name: &str) -> String {
        format!("the variable {}", Self::variable(name))
    }
}

/// Secrets in files of one directory, a file for each, named as the secret. The file and the directory must belong to
/// this process's user; nobody else may read or write the file (mode 0600 or 0400) or write the directory. One newline
/// at the end of a file is not part of the value.
#[derive(Debug, Clone)]
pub struct FileSecrets {
    directory: PathBuf,
}

impl FileSecrets {
    /// Files in `directory`, which need not exist.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    fn read(&self, name: &str) -> Result<Option<Secret>, String> {
        if name.is_empty()
            || name.starts_with('.')
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        {
            return Err("such a name cannot be a file (letters, digits, `.`, `_` and `-`)".to_owned());
        }
        let Some(directory) = Directory::open(&self.directory, Content::Private)? else { return Ok(None) };
        let Some(bytes) = directory.read(Path::new(name), SECRET_BYTES_MAX)? else { return Ok(None) };
        let value = private::text(&bytes)
            .map_err(|_| format!("{} is not text", self.directory.join(name).display()))?;
        Ok(Some(Secret::new(value.as_str().to_owned())))
    }
}

impl SecretSource for FileSecrets {
    fn find(&self, name: &str) -> Result<Option<Secret>, SecretError> {
        self.read(name).map_err(|why| SecretError { name: name.to_owned(), why })
    }

    fn place(&self, name: &str) -> String {
        format!("the file {}", self.directory.join(name).display())
    }
}

/// Several places, the first that has a secret giving it. A place that has it and cannot give it is an error: the next
/// one may hold something older.
#[derive(Clone, Default)]
pub struct LayeredSecrets {
    sources: Vec<Arc<dyn SecretSource>>,
}

impl fmt::Debug for LayeredSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayeredSecrets").field("sources", &self.sources.len()).finish()
    }
}

impl LayeredSecrets {
    /// No place yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks here after the others.
    #[must_use]
    pub fn then(mut self, source: impl SecretSource + 'static) -> Self {
        self.sources.push(Arc::new(source));
        self
    }
}

impl Secrets for LayeredSecrets {
    fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
        for source in &self.sources {
            if let Some(secret) = source.find(name)? {
                return Ok(secret);
            }
        }
        let places: Vec<String> = self.sources.iter().map(|source| source.place(name)).collect();
        let why = match places.as_slice() {
            [] => "there is no place for secrets".to_owned(),
            places => format!("neither {} has it", places.join(" nor ")),
        };
        Err(SecretError { name: name.to_owned(), why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn directory(mode: u32, file_mode: u32) -> (tempfile::TempDir, FileSecrets) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("token"), "hush\n").unwrap();
        let chmod = |path: &std::path::Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        chmod(&directory.path().join("token"), file_mode);
        chmod(directory.path(), mode);
        let secrets = FileSecrets::new(directory.path());
        (directory, secrets)
    }

    #[test]
    fn files_are_read_only_if_nobody_else_can() {
        let (_keep, secrets) = directory(0o700, 0o600);
        assert_eq!(secrets.find("token").unwrap().unwrap().expose(), "hush");
        assert!(secrets.find("other").unwrap().is_none());
        for (mode, file_mode) in [(0o700, 0o640), (0o700, 0o604), (0o777, 0o600), (0o720, 0o600)] {
            let (_keep, secrets) = directory(mode, file_mode);
            let error = secrets.find("token").unwrap_err().to_string();
            assert!(error.contains("others may") && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn names_cannot_leave_the_directory_and_links_are_not_followed() {
        let (keep, secrets) = directory(0o700, 0o600);
        for name in ["../token", "a/b", "", ".hidden", "..", "a\0b"] {
            assert!(secrets.find(name).is_err(), "{name}");
        }
        std::os::unix::fs::symlink("/etc/passwd", keep.path().join("link")).unwrap();
        assert!(secrets.find("link").unwrap_err().to_string().contains("symbolic link"));
        std::fs::create_dir(keep.path().join("folder")).unwrap();
        assert!(secrets.find("folder").is_err());
        assert!(FileSecrets::new("/nowhere/at/all").find("token").unwrap().is_none());
    }

    #[test]
    fn the_first_place_wins_and_the_message_names_all() {
        let (_keep, secrets) = directory(0o700, 0o600);
        let layered = LayeredSecrets::new().then(EnvSecrets).then(secrets);
        assert_eq!(layered.reveal("token").unwrap().expose(), "hush");
        let error = layered.reveal("db-password").unwrap_err().to_string();
        assert!(error.contains("AEDILE_SECRET_DB_PASSWORD") && error.contains("the file"), "{error}");
    }
}

//! Secrets whose names say where they are, and no other than those that a configuration declares.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::ports::{Secret, SecretError, Secrets};
use model::SecretPlace;

use super::private::{self, Content};
use super::{age, sources};
use crate::limits::SECRET_BYTES_MAX;

/// The secrets that a configuration declares, each taken from where its name says ([`SecretPlace`]): the environment's own,
/// a variable, a file, an encrypted file of the project.
///
/// A name that is not declared is refused: whoever makes up a reference at run time (a provider, a host) would otherwise
/// have any variable and any file of this machine.
#[derive(Clone)]
pub struct PlacedSecrets {
    declared: Arc<BTreeSet<String>>,
    own: Arc<dyn Secrets>,
    root: PathBuf,
    identity: Option<PathBuf>,
}

impl fmt::Debug for PlacedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlacedSecrets").field("declared", &self.declared).finish_non_exhaustive()
    }
}

impl PlacedSecrets {
    /// The `declared` secrets of the project in `root`. `own` has those that are the environment's, `identity` is the file
    /// with the key for encrypted ones.
    pub fn new(
        declared: impl IntoIterator<Item = String>,
        own: Arc<dyn Secrets>,
        root: impl Into<PathBuf>,
        identity: Option<PathBuf>,
    ) -> Self {
        Self { declared: Arc::new(declared.into_iter().collect()), own, root: root.into(), identity }
    }

    /// The names, in order.
    pub fn declared(&self) -> impl Iterator<Item = &str> {
        self.declared.iter().map(String::as_str)
    }

    fn file(&self, path: &str) -> Result<Secret, String> {
        let path = Path::new(path);
        let read = if path.is_absolute() {
            private::read_at(path, Content::Private, SECRET_BYTES_MAX)
        } else {
            private::read_below(&self.root, path, Content::Private, SECRET_BYTES_MAX)
        };
        taken(path, read?)
    }

    fn encrypted(&self, path: &str) -> Result<Secret, String> {
        let path = Path::new(path);
        taken(path, age::reveal(&self.root, path, self.identity.as_deref())?)
    }
}

fn taken(path: &Path, read: Option<zeroize::Zeroizing<Vec<u8>>>) -> Result<Secret, String> {
    let bytes = read.ok_or_else(|| format!("there is no file {}", path.display()))?;
    let text = private::text(&bytes).map_err(|_| format!("{} is not text", path.display()))?;
    Ok(Secret::new(text.as_str().to_owned()))
}

impl Secrets for PlacedSecrets {
    fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
        if !self.declared.contains(name) {
            // what was made up is not repeated beyond what a name may be
            let name = name.chars().filter(|c| !c.is_control()).take(model::secret::NAME_BYTES_MAX).collect();
            return Err(SecretError { name, why: "the configuration does not declare it".to_owned() });
        }
        let error = |why: String| SecretError { name: name.to_owned(), why };
        match name.parse::<SecretPlace>().map_err(error)? {
            SecretPlace::Own(name) => self.own.reveal(&name),
            SecretPlace::Variable(variable) => match sources::variable(&variable) {
                Ok(Some(secret)) => Ok(secret),
                Ok(None) => Err(error(format!("the variable {variable} is not set"))),
                Err(why) => Err(error(why)),
            },
            SecretPlace::File(path) => self.file(&path).map_err(error),
            SecretPlace::Age(path) => self.encrypted(&path).map_err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::secrets::{FileSecrets, LayeredSecrets};

    struct Place {
        root: tempfile::TempDir,
        identity: PathBuf,
    }

    impl Place {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let identity = root.path().join("elsewhere/key");
            let public = age::generate(&identity).unwrap();
            for (path, text) in [
                ("own/token", "own-value\n"),
                ("project/secrets/db", "file-value\n"),
                ("elsewhere/plain", "absolute-value"),
            ] {
                private::write_new(&root.path().join(path), text.as_bytes()).unwrap();
            }
            let text = age::encrypt(b"age-value\n", &[public]).unwrap();
            std::fs::write(root.path().join("project/secrets/db.age"), text).unwrap();
            Self { root, identity }
        }

        fn path(&self, below: &str) -> PathBuf {
            self.root.path().join(below)
        }

        fn secrets(&self, declared: &[&str]) -> PlacedSecrets {
            let own = LayeredSecrets::new().then(FileSecrets::new(self.path("own")));
            let declared = declared.iter().map(|&name| name.to_owned());
            PlacedSecrets::new(declared, Arc::new(own), self.path("project"), Some(self.identity.clone()))
        }

        fn reveal(&self, name: &str) -> Result<String, String> {
            let found = self.secrets(&[name]).reveal(name);
            found.map(|secret| secret.expose().to_owned()).map_err(|error| error.to_string())
        }

        fn chmod(&self, path: &str, mode: u32) {
            std::fs::set_permissions(self.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    #[test]
    fn each_is_taken_from_where_its_name_says() {
        let place = Place::new();
        let absolute = format!("file:{}", place.path("elsewhere/plain").display());
        for (name, value) in [
            ("token", "own-value"),
            ("file:secrets/db", "file-value"),
            ("file:./secrets/db", "file-value"),
            (&absolute, "absolute-value"),
            ("age:secrets/db.age", "age-value"),
        ] {
            assert_eq!(place.reveal(name).as_deref(), Ok(value), "{name}");
        }
        // whatever runs the tests has a path
        assert_eq!(place.reveal("env:PATH").unwrap(), std::env::var("PATH").unwrap());
        let missing = place.reveal("env:AEDILE_TEST_NOT_SET").unwrap_err();
        assert!(missing.contains("AEDILE_TEST_NOT_SET is not set"), "{missing}");
        assert!(place.reveal("file:secrets/none").unwrap_err().contains("no file secrets/none"));
        assert!(place.reveal("age:none/x").unwrap_err().contains("no file none/x"));
    }

    #[test]
    fn what_is_not_declared_is_refused_wherever_it_is() {
        let place = Place::new();
        let secrets = place.secrets(&["token"]);
        assert!(secrets.reveal("token").is_ok());
        for name in ["env:PATH", "file:secrets/db", "age:secrets/db.age", "other"] {
            let error = secrets.reveal(name).unwrap_err().to_string();
            assert!(error.contains("does not declare"), "{name}: {error}");
        }
    }

    #[test]
    fn infrastructure_31_no_link_leads_out_of_the_project_and_no_stranger_may_read() {
        let place = Place::new();
        symlink(place.path("elsewhere/plain"), place.path("project/link")).unwrap();
        symlink(place.path("elsewhere"), place.path("project/way")).unwrap();
        symlink(place.path("project/secrets/db.age"), place.path("project/link.age")).unwrap();
        for name in ["file:link", "file:way/plain", "age:link.age", "age:way/plain"] {
            let error = place.reveal(name).unwrap_err();
            assert!(error.contains("symbolic link"), "{name}: {error}");
        }
        for name in ["file:../elsewhere/plain", "age:../elsewhere/plain"] {
            assert!(place.reveal(name).unwrap_err().contains("go up"), "{name}");
        }
        place.chmod("project/secrets/db", 0o640);
        assert!(place.reveal("file:secrets/db").unwrap_err().contains("others may read"));
        place.chmod("project/secrets/db", 0o600);
        place.chmod("project/secrets", 0o770);
        assert!(place.reveal("file:secrets/db").unwrap_err().contains("others may write"));
        // what is encrypted may be read by everybody
        place.chmod("project/secrets/db.age", 0o644);
        assert_eq!(place.reveal("age:secrets/db.age").as_deref(), Ok("age-value"));
        place.chmod("elsewhere/key", 0o644);
        let error = place.reveal("age:secrets/db.age").unwrap_err();
        assert!(error.contains("others may read") && !error.contains("AGE-SECRET"), "{error}");
    }

    #[test]
    fn what_is_no_text_or_too_large_is_refused() {
        let place = Place::new();
        private::write_new(&place.path("project/raw"), &[0xff, 0xfe]).unwrap();
        assert!(place.reveal("file:raw").unwrap_err().contains("not text"));
        let large = vec![b'x'; usize::try_from(SECRET_BYTES_MAX).unwrap() + 1];
        private::write_new(&place.path("project/large"), &large).unwrap();
        assert!(place.reveal("file:large").unwrap_err().contains("larger than"));
        assert!(place.reveal("file:secrets").unwrap_err().contains("not a file"));
    }
}

//! The secrets that a project's infrastructure declares: where they are, their keyed digests, and the keys for both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::ports::{Entropy, SecretError, Secrets};
use host::PlacedSecrets;
use model::{Diagnostic, SecretPlace, code};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use plan::{Desired, Seal, SealingKey};
use serde_json::Value;

use super::prepare::declarations;
use super::providers::Providers;
use crate::{Keys, Place, ProjectError, workshop};

/// What a file's name may hold of a project's name.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The secrets that `config` declares, each from where its name says. The values are read when they are asked for and not
/// kept. `identity` is the file with the keys for `age:` secrets ([`Identities::of`]).
///
/// A secret that the configuration does not declare is refused, whoever asks.
pub fn secrets(config: &config::Project, place: &Place, identity: Option<PathBuf>) -> Arc<PlacedSecrets> {
    let own = workshop::secrets(&place.state);
    let root = place.project.as_ref().map_or_else(|| place.state.root(), |project| project.root.as_path());
    Arc::new(PlacedSecrets::new(config.secrets.iter().cloned(), own, root, identity))
}

/// Where the keys for `age:` secrets are: outside of every repository.
#[derive(Debug, Clone, Default)]
pub struct Identities {
    /// The file that a person named (`AEDILE_IDENTITY`); for every environment.
    pub named: Option<PathBuf>,
    /// Otherwise, a file for each environment of each project in here.
    pub directory: Option<PathBuf>,
}

impl Identities {
    /// As the variables say: the file that is named, or below a person's own configuration (`$XDG_CONFIG_HOME/aedile`, or
    /// `~/.config/aedile`).
    pub fn new(named: Option<PathBuf>, xdg_config_home: Option<&Path>, home: Option<&Path>) -> Self {
        let absolute = xdg_config_home.filter(|path| path.is_absolute()).map(Path::to_owned);
        let base = absolute.or_else(|| Some(home?.join(".config")));
        Self { named, directory: base.map(|base| base.join("aedile/identities")) }
    }

    /// The file with the keys of an environment, which need not exist.
    pub fn of(&self, place: &Place) -> Option<PathBuf> {
        if self.named.is_some() {
            return self.named.clone();
        }
        let project = place.project.as_ref().map_or("aedile", |project| project.manifest.name.as_str());
        let project = utf8_percent_encode(project, FILE_NAME).to_string();
        Some(self.directory.as_ref()?.join(project).join(format!("{}.key", place.environment)))
    }
}

/// The keyed digests of the secrets that `names` lists, as a plan compares them. Nothing else of the values leaves.
///
/// # Errors
/// Every secret that cannot be had.
pub fn seals<'a>(
    names: impl IntoIterator<Item = &'a str>,
    secrets: &dyn Secrets,
    key: &SealingKey,
) -> Result<BTreeMap<String, Seal>, Vec<SecretError>> {
    let (mut seals, mut missing) = (BTreeMap::new(), Vec::new());
    for name in names {
        match secrets.reveal(name) {
            Ok(secret) => {
                let value = Wiped(Value::from(secret.expose()));
                seals.insert(name.to_owned(), key.seal(&value.0));
            }
            Err(error) => missing.push(error),
        }
    }
    if missing.is_empty() { Ok(seals) } else { Err(missing) }
}

/// A text that is overwritten when it is not needed any more.
struct Wiped(Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        if let Value::String(text) = &mut self.0 {
            drop(zeroize::Zeroizing::new(std::mem::take(text)));
        }
    }
}

/// The environment's key for keyed digests. Made when there is none yet, unless `entropy` is left out: a command that
/// writes nothing gets `None` then.
///
/// # Errors
/// The key is readable by others, is none, or cannot be written.
pub fn sealing_key(place: &Place, entropy: Option<&dyn Entropy>) -> Result<Option<SealingKey>, ProjectError> {
    let keys = Keys::new(place.state.keys());
    if let Some(bytes) = keys.sealing()? {
        return Ok(Some(SealingKey::new(*bytes)));
    }
    let Some(entropy) = entropy else { return Ok(None) };
    place.state.create()?;
    // two processes that make one each would not know each other's digests
    let _turn = workshop::turn(&place.state)?;
    let bytes = match keys.sealing()? {
        Some(bytes) => bytes,
        None => keys.make_sealing(zeroize::Zeroizing::new(workshop::seed(entropy)))?,
    };
    Ok(Some(SealingKey::new(*bytes)))
}

/// Secrets in attributes that a capability of their type names: plans show those, and they become paths and the arguments of
/// programs, which everybody on a host can read.
pub(super) fn exposed(desired: &Desired, providers: &Providers) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for declaration in declarations(desired) {
        let Some((_, kind)) = providers.find(declaration.kind) else { continue };
        for (name, attribute) in declaration.attributes {
            let mut holds = false;
            plan::secrets_in(&attribute.value, &mut |_| holds = true);
            let mark = format!("{{{name}}}");
            let shown = kind.schema.capabilities.iter().any(|capability| capability.0.contains(&mark));
            if holds && shown {
                let message = format!(
                    "a secret in `{name}` could be read by others: it is a path, an address, or a part of a command"
                );
                let at = declaration.place_of(name.as_str());
                found.push(Diagnostic::error(code::host::SECRET_EXPOSED, message, at));
            }
        }
    }
    found
}

/// A declared secret and whether it can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its name, which says where it is.
    pub name: String,
    /// What kind of place that is.
    pub source: &'static str,
    /// Nothing, or why it cannot be had; never a part of its value.
    pub missing: Option<String>,
}

/// What became of looking for every declared secret, in the order of their names.
pub fn declared(secrets: &PlacedSecrets) -> Vec<Declared> {
    let look = |name: &str| Declared {
        name: name.to_owned(),
        source: name.parse::<SecretPlace>().map_or("own", |place| place.source()),
        missing: secrets.reveal(name).err().map(|error| error.why),
    };
    secrets.declared().map(look).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Project;
    use crate::machine::SystemEntropy;

    const SITE: &str = r#"
        hosts: web: address: "192.0.2.1"
        resources: app: {
            type: "linux.file"
            config: {
                path:    "/etc/app"
                content: {"$join": ["a=", {"$secret": "token"}, " b=", {"$secret": "age:secrets/b.age"}]}
                owner:   {"$secret": "file:secrets/c"}
            }
        }
    "#;

    fn place(directory: &Path) -> Place {
        fs_err::write(directory.join("aedile.yaml"), "name: shop/eu\nenvironments: {dev: {}}\n").unwrap();
        Place::in_project(Project::open(directory).unwrap(), None).unwrap()
    }

    fn site() -> config::Project {
        config::load(&config::Sources::of("site.cue", SITE), &config::Options::default()).unwrap()
    }

    #[test]
    fn what_a_configuration_declares_is_found_or_said_to_be_missing() {
        let directory = tempfile::tempdir().unwrap();
        let place = place(directory.path());
        place.state.create().unwrap();
        let identity = directory.path().join("key");
        let public = host::secrets::age::generate(&identity).unwrap();
        let secrets = secrets(&site(), &place, Some(identity));
        let missing = |secrets: &PlacedSecrets| -> Vec<bool> {
            declared(secrets).iter().map(|one| one.missing.is_some()).collect()
        };
        assert_eq!(missing(&secrets), [true, true, true]);
        let kinds: Vec<_> = declared(&secrets).iter().map(|one| (one.source, one.name.clone())).collect();
        assert_eq!(
            kinds,
            [
                ("age", "age:secrets/b.age".to_owned()),
                ("file", "file:secrets/c".to_owned()),
                ("own", "token".to_owned())
            ]
        );
        let private = |path: PathBuf, text: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            fs_err::write(&path, text).unwrap();
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        fs_err::create_dir(directory.path().join("secrets")).unwrap();
        private(place.state.secrets().join("token"), "t");
        private(directory.path().join("secrets/c"), "c");
        let text = host::secrets::age::encrypt(b"b", &[public]).unwrap();
        fs_err::write(directory.path().join("secrets/b.age"), text).unwrap();
        assert_eq!(missing(&secrets), [false, false, false]);
        assert!(secrets.reveal("env:PATH").is_err(), "nobody declared it");

        let key = sealing_key(&place, Some(&SystemEntropy)).unwrap().unwrap();
        let sealed = seals(secrets.declared(), &*secrets, &key).unwrap();
        assert_eq!(sealed["age:secrets/b.age"], key.seal(&Value::from("b")));
        let wanted = seals(["token", "nobody"], &*secrets, &key).unwrap_err();
        assert_eq!(wanted.iter().map(|error| error.name.as_str()).collect::<Vec<_>>(), ["nobody"]);
    }

    #[test]
    fn the_key_for_digests_is_made_once_and_only_by_what_may_write() {
        let directory = tempfile::tempdir().unwrap();
        let place = place(directory.path());
        assert!(sealing_key(&place, None).unwrap().is_none());
        assert!(!place.state.root().exists());
        let seal = |key: &SealingKey| key.seal(&Value::from("x"));
        let first = sealing_key(&place, Some(&SystemEntropy)).unwrap().unwrap();
        let again = sealing_key(&place, None).unwrap().unwrap();
        assert_eq!(seal(&first), seal(&again));
        fs_err::write(place.state.keys().join("sealing.key"), "short").unwrap();
        assert!(matches!(sealing_key(&place, None), Err(ProjectError::BadKey { .. })));
    }

    #[test]
    fn a_key_for_encrypted_files_is_outside_of_every_repository() {
        let directory = tempfile::tempdir().unwrap();
        let place = place(directory.path());
        let file = |named: Option<&str>, xdg: Option<&str>, home: Option<&str>| {
            Identities::new(named.map(Into::into), xdg.map(Path::new), home.map(Path::new)).of(&place)
        };
        let home = Some("/home/m");
        assert_eq!(
            file(None, Some("/x"), home).unwrap(),
            Path::new("/x/aedile/identities/shop%2Feu/dev.key")
        );
        assert_eq!(
            file(None, Some("x"), home).unwrap(),
            Path::new("/home/m/.config/aedile/identities/shop%2Feu/dev.key")
        );
        assert_eq!(file(Some("/run/key"), None, home).unwrap(), Path::new("/run/key"));
        assert_eq!(file(None, None, None), None);
    }
}

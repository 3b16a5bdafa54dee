//! The providers there are: those that come with the program and those of the project, by name and version.

mod check;
mod manifest;

use std::path::{Path, PathBuf};

use model::Digest;
use provider::{Description, Provider as _};
use sandbox::{ProviderModule, SHIPPED, Sandbox};
use semver::{Version, VersionReq};

use crate::layout::PROVIDERS;
use crate::{Project, ProjectError, limits};

pub use check::{Checked, ProjectFiles, check, shipped_cases};
pub use manifest::Manifest;

/// A project's provider is described by this file.
pub const MANIFEST: &str = "manifest.yaml";

/// A provider that can be used. Nothing of it has run yet.
#[derive(Debug, Clone)]
pub struct Known {
    /// What stands before `::` in the names of its types.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a provider comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// It is a part of this program.
    Shipped(&'static [u8]),
    /// A manifest of the project, and where that is.
    Manifest(Box<Manifest>, PathBuf),
    /// A component on its own, to be tried; nothing grants it anything.
    File(PathBuf),
}

/// A provider that has been loaded and has said what it is.
#[derive(Debug)]
pub struct Loaded {
    /// What runs it.
    pub module: ProviderModule,
    /// What it says about itself.
    pub description: Description,
    /// Its component.
    pub digest: Digest,
}

/// Every provider, by name, the newest version first. Opens manifests and no components.
///
/// # Errors
/// A manifest cannot be used, or two are for the same version of one provider.
pub fn known(project: Option<&Project>) -> Result<Vec<Known>, ProjectError> {
    let mut all = Vec::new();
    for shipped in SHIPPED {
        let version = Version::parse(shipped.version())
            .map_err(|error| bad(shipped.file, format!("it has no version: {error}")))?;
        let origin = Origin::Shipped(shipped.component);
        all.push(Known { name: shipped.name.to_owned(), version, origin });
    }
    for path in project.map_or(Ok(Vec::new()), manifests)? {
        all.push(at(&path, &project_relative(project, &path))?);
    }
    all.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| b.version.cmp(&a.version)));
    for pair in all.windows(2) {
        if let [a, b] = pair
            && a.name == b.name
            && a.version == b.version
        {
            let at = [a, b].map(Known::place).join(" and ");
            return Err(bad(&at, format!("{} {} is there twice", a.name, a.version)));
        }
    }
    Ok(all)
}

fn bad(at: &str, why: String) -> ProjectError {
    ProjectError::BadProvider { at: at.to_owned(), why }
}

fn project_relative(project: Option<&Project>, path: &Path) -> String {
    let root = project.map(|project| project.root.as_path());
    let inner = root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path);
    inner.display().to_string()
}

/// The project's manifests, sorted.
fn manifests(project: &Project) -> Result<Vec<PathBuf>, ProjectError> {
    let unreadable = |source| ProjectError::Unreadable { what: PROVIDERS.to_owned(), source };
    let entries = match fs_err::read_dir(project.root.join(PROVIDERS)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let manifest = entry.map_err(unreadable)?.path().join(MANIFEST);
        if manifest.is_file() {
            found.push(manifest);
        }
        if found.len() > limits::PROVIDERS_MAX {
            let what = format!("the number of providers in {PROVIDERS}");
            return Err(ProjectError::TooLarge { what, limit: limits::PROVIDERS_MAX as u64 });
        }
    }
    found.sort();
    Ok(found)
}

/// The provider that a file or directory is: a directory with a manifest, a manifest, or a component on its own.
///
/// # Errors
/// The manifest cannot be used.
pub fn at(path: &Path, shown: &str) -> Result<Known, ProjectError> {
    if path.is_dir() {
        return at(&path.join(MANIFEST), &format!("{shown}/{MANIFEST}"));
    }
    if path.extension().is_some_and(|extension| extension == "wasm") {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(Known { name, version: Version::new(0, 0, 0), origin: Origin::File(path.to_owned()) });
    }
    let manifest = Manifest::read(path, shown)?;
    let (name, version) = (manifest.name.to_string(), manifest.version.clone());
    Ok(Known { name, version, origin: Origin::Manifest(Box::new(manifest), PathBuf::from(shown)) })
}

/// The newest provider of a name that meets a requirement: nothing or `latest` for any, `1.2.0` for exactly that one, else
/// what Cargo takes (`~1.0.0`, `^1`, `>=1.0.0, <2`). A pre-release only where there is nothing else or it is asked for.
///
/// # Errors
/// The requirement cannot be read, or nothing meets it.
pub fn choose<'a>(all: &'a [Known], name: &str, requirement: &str) -> Result<&'a Known, ProjectError> {
    let none = |known: Vec<String>| ProjectError::NoProvider {
        name: name.to_owned(),
        requirement: requirement.to_owned(),
        known,
    };
    let mut versions: Vec<&Known> = all.iter().filter(|one| one.name == name).collect();
    if versions.is_empty() {
        let mut names: Vec<String> = all.iter().map(|one| one.name.clone()).collect();
        names.dedup();
        return Err(none(names));
    }
    versions.sort_by(|a, b| b.version.cmp(&a.version));
    let asked = requirement.trim();
    let found = if asked.is_empty() || asked == "latest" {
        let released = versions.iter().find(|one| one.version.pre.is_empty());
        released.or_else(|| versions.first())
    } else {
        let wanted = match Version::parse(asked) {
            Ok(_) => VersionReq::parse(&format!("={asked}")),
            Err(_) => VersionReq::parse(asked),
        };
        let wanted = wanted
            .map_err(|error| bad(name, format!("{asked:?} is not a requirement of a version: {error}")))?;
        versions.iter().find(|one| wanted.matches(&one.version))
    };
    found.copied().ok_or_else(|| none(versions.iter().map(|one| one.version.to_string()).collect()))
}

impl Known {
    /// Where it comes from, for people.
    pub fn place(&self) -> String {
        match &self.origin {
            Origin::Shipped(_) => "shipped".to_owned(),
            Origin::Manifest(_, shown) => shown.display().to_string(),
            Origin::File(path) => path.display().to_string(),
        }
    }

    /// The digest that its component must have; none where nothing pins it.
    pub fn pinned(&self) -> Option<Digest> {
        match &self.origin {
            Origin::Shipped(component) => Some(Digest::of(component)),
            Origin::Manifest(manifest, _) => manifest.digest,
            Origin::File(_) => None,
        }
    }

    /// Loads it and asks what it is. Blocks while the component is compiled.
    ///
    /// # Errors
    /// The component cannot be read, is not the one that is pinned, or says something else than its manifest; a capability that
    /// the manifest does not list is not granted.
    pub async fn load(&self, sandbox: &Sandbox) -> Result<Loaded, ProjectError> {
        let owned;
        let bytes: &[u8] = match &self.origin {
            Origin::Shipped(component) => component,
            Origin::Manifest(manifest, _) => {
                owned = component(&manifest.component)?;
                &owned
            }
            Origin::File(path) => {
                owned = component(path)?;
                &owned
            }
        };
        let digest = Digest::of(bytes);
        let module = sandbox.load_provider(&self.name, bytes, self.pinned().unwrap_or(digest))?;
        let schema = module.schema().await.map_err(Box::new)?;
        let description = Description::parse(&self.name, &schema).map_err(Box::new)?;
        if let Origin::Manifest(manifest, shown) = &self.origin {
            agree(manifest, &description, &shown.display().to_string())?;
        }
        Ok(Loaded { module, description, digest })
    }
}

fn component(path: &Path) -> Result<Vec<u8>, ProjectError> {
    use std::io::Read as _;
    let what = path.display().to_string();
    let limit = sandbox::limits::MAX_COMPONENT_BYTES as u64;
    let unreadable = |source| ProjectError::Unreadable { what: what.clone(), source };
    let mut bytes = Vec::new();
    let file = fs_err::File::open(path).map_err(unreadable)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(ProjectError::TooLarge { what, limit });
    }
    Ok(bytes)
}

/// A component is what its manifest says, and wants no more.
fn agree(manifest: &Manifest, description: &Description, at: &str) -> Result<(), ProjectError> {
    if manifest.name.as_str() != description.name || manifest.version.to_string() != description.version {
        let why = format!(
            "the manifest is of {} {}, the component is {} {}",
            manifest.name, manifest.version, description.name, description.version
        );
        return Err(bad(at, why));
    }
    let listed = manifest.capabilities.iter().chain(manifest.types.values().flatten());
    for capability in listed {
        // the host offers nothing else, whatever a manifest asks for
        if let Err(why) = provider::check_capability(capability) {
            return Err(ProjectError::NotGranted { capability: capability.clone(), why });
        }
    }
    for (name, kind) in &description.types {
        let Some(own) = manifest.types.get(name.as_str()) else {
            return Err(bad(
                at,
                format!("the component has a type {name}, which the manifest does not list"),
            ));
        };
        for wanted in &kind.schema.capabilities {
            if !own.iter().chain(&manifest.capabilities).any(|granted| *granted == wanted.0) {
                let why = format!("{name} wants it, and {at} does not list it");
                return Err(ProjectError::NotGranted { capability: wanted.0.clone(), why });
            }
        }
    }
    if let Some(name) = manifest.types.keys().find(|name| !description.types.contains_key(name.as_str())) {
        return Err(bad(at, format!("the manifest lists a type {name}, which the component does not have")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(versions: &[&str]) -> Vec<Known> {
        let one = |version: &&str| Known {
            name: "linux.motd".to_owned(),
            version: version.parse().unwrap(),
            origin: Origin::File(PathBuf::from("x.wasm")),
        };
        versions.iter().map(one).collect()
    }

    #[test]
    fn infrastructure_32_a_requirement_picks_by_version_and_not_by_letters() {
        let few = of(&["1.0.0", "1.0.1", "1.1.0"]);
        let ten = of(&["1.9.0", "1.10.0", "10.0.0", "2.0.0-rc.1"]);
        for (all, requirement, expected) in [
            (&few, "~1.0.0", Some("1.0.1")),
            (&few, "1.0.0", Some("1.0.0")),
            (&few, "latest", Some("1.1.0")),
            (&few, "", Some("1.1.0")),
            (&few, ">=1.0.0", Some("1.1.0")),
            (&few, ">=1.0.0, <1.1", Some("1.0.1")),
            (&few, "^2", None),
            (&ten, "^1", Some("1.10.0")),
            (&ten, "^1.0.0", Some("1.10.0")),
            (&ten, "latest", Some("10.0.0")),
            (&ten, "2.0.0-rc.1", Some("2.0.0-rc.1")),
            (&ten, "^2", None),
        ] {
            let found = choose(all, "linux.motd", requirement).ok().map(|one| one.version.to_string());
            assert_eq!(found.as_deref(), expected, "{requirement}");
        }
        let error = choose(&few, "linux.motd", "^2").unwrap_err().to_string();
        assert!(error.contains("of version ^2; there is 1.1.0, 1.0.1, 1.0.0"), "{error}");
        assert!(matches!(choose(&few, "linux.motd", "one"), Err(ProjectError::BadProvider { .. })));
        let error = choose(&few, "linux.mtd", "").unwrap_err().to_string();
        assert!(error.contains("there is linux.motd"), "{error}");
        let only = of(&["1.0.0-rc.1"]);
        assert_eq!(choose(&only, "linux.motd", "latest").unwrap().version.to_string(), "1.0.0-rc.1");
    }

    /// A project with a provider whose component is the sandbox's test guest.
    fn project(manifest: &str) -> (tempfile::TempDir, Project) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs_err::write(root.join("aedile.yaml"), "name: shop\n").unwrap();
        fs_err::create_dir_all(root.join("providers/own")).unwrap();
        fs_err::write(root.join("providers/own/manifest.yaml"), manifest).unwrap();
        let guest =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/components/probe-net-0.1.0.wasm");
        fs_err::copy(guest, root.join("providers/own/plugin.wasm")).unwrap();
        let project = Project::open(root).unwrap();
        (directory, project)
    }

    const OWN: &str = r#"metadata: {name: probe.net, version: 0.1.0, author: A, license: MIT}
schema:
  version: "1"
  resource_types:
    probe.tcp: {capabilities: ["tcp:{host}:{port}"]}
    probe.http: {capabilities: ["http:{url}"]}
entrypoint: plugin.wasm
"#;

    async fn load(sandbox: &Sandbox, manifest: &str) -> Result<Loaded, ProjectError> {
        let (_directory, project) = project(manifest);
        at(&project.root.join("providers/own"), "providers/own")?.load(sandbox).await
    }

    #[tokio::test]
    async fn infrastructure_30_31_a_component_is_what_its_manifest_says_and_gets_no_more() {
        let cache = tempfile::tempdir().unwrap();
        let cache_dir = Some(cache.path().join("wasm"));
        let sandbox = Sandbox::new(sandbox::Config { cache_dir, ..sandbox::Config::default() }).unwrap();
        let load = async |manifest: &str| load(&sandbox, manifest).await;
        let loaded = load(OWN).await.unwrap();
        assert_eq!(loaded.description.types.len(), 2);
        let pinned = format!("{OWN}checksum: {}\n", loaded.digest);
        assert!(load(&pinned).await.is_ok());
        let wrong = format!("{OWN}checksum: {}\n", Digest::of(b"another"));
        let error = load(&wrong).await.unwrap_err();
        assert!(
            matches!(&error, ProjectError::Sandbox(sandbox::SandboxError::DigestMismatch { .. })),
            "{error}"
        );
        for (from, to, words) in [
            ("[\"http:{url}\"]", "[]", "capability http:{url} not granted"),
            ("[\"http:{url}\"]", "[\"http:{url}\", \"secrets:read\"]", "capability secrets:read not granted"),
            ("version: 0.1.0", "version: 0.2.0", "the component is probe.net 0.1.0"),
            ("    probe.tcp: {capabilities: [\"tcp:{host}:{port}\"]}\n", "", "does not list"),
            ("    probe.tcp:", "    probe.dns: {}\n    probe.tcp:", "lists a type probe.dns"),
            ("plugin.wasm", "gone.wasm", "cannot be read"),
        ] {
            assert!(OWN.contains(from), "{from}");
            let error = load(&OWN.replace(from, to)).await.unwrap_err().to_string();
            assert!(error.contains(words), "{to}: {error}");
        }
    }

    #[test]
    fn a_version_is_there_once() {
        let (_directory, project) = project(OWN);
        let error = known(Some(&project)).unwrap_err().to_string();
        assert!(error.contains("probe.net 0.1.0 is there twice"), "{error}");
        let (_directory, project) = self::project(&OWN.replace("0.1.0", "0.2.0"));
        let all = known(Some(&project)).unwrap();
        assert_eq!(all.len(), SHIPPED.len() + 1);
        assert_eq!(choose(&all, "probe.net", "").unwrap().place(), "providers/own/manifest.yaml");
        assert_eq!(choose(&all, "probe.net", "0.1.0").unwrap().place(), "shipped");
    }
}

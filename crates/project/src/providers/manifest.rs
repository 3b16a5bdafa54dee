//! `manifest.yaml`: what a provider of the project says about itself, and what the project lets it have.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use model::{Diagnostic, Digest, code};
use plan::TypeName;
use semver::Version;
use serde::Deserialize;

use crate::{ProjectError, limits, text};

/// A provider's manifest, in the form that `docs/reference/providers.md` documents.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// What stands before `::` in the names of its types.
    pub name: TypeName,
    /// Its version.
    pub version: Version,
    /// Who made it.
    pub author: String,
    /// Under which licence.
    pub license: String,
    /// One line for people.
    pub description: String,
    /// What every type may have.
    pub capabilities: Vec<String>,
    /// What each type may have besides, by full name.
    pub types: BTreeMap<String, Vec<String>>,
    /// The component.
    pub component: PathBuf,
    /// The only component that is accepted. Without it every one is.
    pub digest: Option<Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    metadata: Metadata,
    schema: Schema,
    entrypoint: String,
    #[serde(default)]
    checksum: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
    version: String,
    author: String,
    license: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    required_capabilities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Schema {
    version: String,
    resource_types: BTreeMap<String, ResourceType>,
}

/// The schemas of a type are the component's own; what a manifest says about them is read and has no effect.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceType {
    #[serde(default, rename = "name")]
    _name: String,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "config_schema")]
    _config_schema: String,
    #[serde(default, rename = "state_schema")]
    _state_schema: String,
    #[serde(default)]
    capabilities: Vec<String>,
}

impl Manifest {
    /// Reads the manifest at `path`, which people know as `shown`. The component is not opened.
    ///
    /// # Errors
    /// Everything that is wrong in it, each with its place or its field.
    pub fn read(path: &Path, shown: &str) -> Result<Self, ProjectError> {
        Self::parse(&text::read(path, shown, limits::FILE_BYTES_MAX)?, path, shown)
    }

    pub(crate) fn parse(text: &str, path: &Path, shown: &str) -> Result<Self, ProjectError> {
        let written: Written = text::yaml(text, shown).map_err(coded)?;
        written.check(path, shown)
    }
}

/// Findings about YAML are about a manifest here.
fn coded(error: ProjectError) -> ProjectError {
    let ProjectError::Bad { findings } = error else { return error };
    let about = |finding| Diagnostic { code: code::provider::BAD_MANIFEST, ..finding };
    ProjectError::Bad { findings: findings.into_iter().map(about).collect() }
}

impl Written {
    fn check(self, path: &Path, shown: &str) -> Result<Manifest, ProjectError> {
        let bad = |why: String| ProjectError::BadProvider { at: shown.to_owned(), why };
        let metadata = self.metadata;
        for (field, value) in [
            ("metadata.name", &metadata.name),
            ("metadata.version", &metadata.version),
            ("metadata.author", &metadata.author),
            ("metadata.license", &metadata.license),
            ("schema.version", &self.schema.version),
            ("entrypoint", &self.entrypoint),
        ] {
            if value.trim().is_empty() {
                return Err(bad(format!("{field} is missing")));
            }
        }
        if self.schema.resource_types.is_empty() {
            return Err(bad("schema.resource_types has no resource type".to_owned()));
        }
        let name =
            metadata.name.parse().map_err(|error: plan::NameError| bad(format!("metadata.name: {error}")))?;
        let version = Version::parse(&metadata.version)
            .map_err(|error| bad(format!("metadata.version: {:?}: {error}", metadata.version)))?;
        Ok(Manifest {
            name,
            version,
            author: metadata.author,
            license: metadata.license,
            description: metadata.description,
            capabilities: metadata.required_capabilities,
            types: self
                .schema
                .resource_types
                .into_iter()
                .map(|(name, declared)| (name, declared.capabilities))
                .collect(),
            component: entrypoint(path, &self.entrypoint).map_err(bad)?,
            digest: checksum(&self.checksum).map_err(bad)?,
        })
    }
}

/// The component's file: below the manifest's directory, by its name and by what the name leads to.
fn entrypoint(manifest: &Path, entrypoint: &str) -> Result<PathBuf, String> {
    let traversal = || Err(format!("path traversal detected: entrypoint {entrypoint:?} leads elsewhere"));
    let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(entrypoint).components().all(plain) {
        return traversal();
    }
    let directory = manifest.parent().unwrap_or_else(|| Path::new("."));
    let component = directory.join(entrypoint);
    // a component that is not there is found out when it is loaded
    let (Ok(inside), Ok(real)) = (directory.canonicalize(), component.canonicalize()) else {
        return Ok(component);
    };
    if real.starts_with(&inside) { Ok(component) } else { traversal() }
}

fn checksum(text: &str) -> Result<Option<Digest>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
    let refuse = |_| "checksum is not a SHA-256 (64 hexadecimal digits)".to_owned();
    format!("sha256:{digits}").parse().map(Some).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = r#"metadata: { name: test-provider, version: 1.0.0, author: A, license: MIT, description: d, required_capabilities: ["net:outbound", "fs:temp"] }
schema: { version: "1.0", resource_types: { test_resource: { name: test_resource, description: d, config_schema: '{"type":"object"}', state_schema: '{"type":"object"}', capabilities: ["net:outbound"] } } }
entrypoint: plugin.wasm
checksum: ""
"#;

    fn parse(text: &str) -> Result<Manifest, ProjectError> {
        Manifest::parse(text, Path::new("providers/test/manifest.yaml"), "providers/test/manifest.yaml")
    }

    fn said(error: &ProjectError) -> String {
        match error {
            ProjectError::Bad { findings } => {
                let found = &findings[0];
                assert_eq!(found.code, code::provider::BAD_MANIFEST);
                assert!(found.location.line > 0, "{found:?}");
                found.message.clone()
            }
            other => other.to_string(),
        }
    }

    #[test]
    fn infrastructure_30_the_documented_manifest_loads() {
        let manifest = parse(DOCUMENTED).unwrap();
        assert_eq!(
            (manifest.name.as_str(), manifest.version.to_string().as_str()),
            ("test-provider", "1.0.0")
        );
        assert_eq!(manifest.capabilities, ["net:outbound", "fs:temp"]);
        assert_eq!(manifest.types["test_resource"], ["net:outbound"]);
        assert_eq!(manifest.component, Path::new("providers/test/plugin.wasm"));
        assert_eq!(manifest.digest, None);
        let digest = Digest::of(b"x");
        for written in [digest.to_string(), digest.to_string().replace("sha256:", "").to_uppercase()] {
            let text = DOCUMENTED.replace("checksum: \"\"", &format!("checksum: {written:?}"));
            assert_eq!(parse(&text).unwrap().digest, Some(digest));
        }
    }

    #[test]
    fn infrastructure_30_what_is_missing_is_named() {
        for (part, field) in [
            (" name: test-provider,", "name"),
            (" version: 1.0.0,", "version"),
            (" author: A,", "author"),
            (" license: MIT,", "license"),
            ("entrypoint: plugin.wasm\n", "entrypoint"),
            (
                "metadata: { name: test-provider, version: 1.0.0, author: A, license: MIT, description: d, required_capabilities: [\"net:outbound\", \"fs:temp\"] }\n",
                "metadata",
            ),
        ] {
            assert!(DOCUMENTED.contains(part), "{part}");
            let message = said(&parse(&DOCUMENTED.replacen(part, "", 1)).unwrap_err());
            assert!(message.contains("missing") && message.contains(field), "{field}: {message}");
        }
        let schema = DOCUMENTED.lines().nth(1).unwrap();
        let message = said(&parse(&DOCUMENTED.replace(&format!("{schema}\n"), "")).unwrap_err());
        assert!(message.contains("schema"), "{message}");
        let message = said(
            &parse(&DOCUMENTED.replace(schema, "schema: {version: '1', resource_types: {}}")).unwrap_err(),
        );
        assert!(message.contains("no resource type"), "{message}");
        let message = said(&parse(&DOCUMENTED.replace("author: A", "author: ''")).unwrap_err());
        assert!(message.contains("metadata.author is missing"), "{message}");
        let message =
            said(&parse(&DOCUMENTED.replace("license: MIT", "licence: MIT, license: MIT")).unwrap_err());
        assert!(message.contains("licence"), "{message}");
        for (from, to, words) in [
            ("version: 1.0.0", "version: one", "metadata.version"),
            ("checksum: \"\"", "checksum: abc", "SHA-256"),
        ] {
            let message = said(&parse(&DOCUMENTED.replace(from, to)).unwrap_err());
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn infrastructure_31_an_entrypoint_that_leads_elsewhere_is_refused() {
        for path in ["../plugin.wasm", "/etc/passwd", "a/../../x.wasm"] {
            let error = parse(&DOCUMENTED.replace("plugin.wasm", path)).unwrap_err().to_string();
            assert!(error.contains("path traversal detected"), "{path}: {error}");
        }
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("p");
        // a sibling whose name begins the same is no part of it
        for name in ["p", "p-evil"] {
            fs_err::create_dir(root.path().join(name)).unwrap();
        }
        fs_err::write(root.path().join("p-evil/x.wasm"), "x").unwrap();
        std::os::unix::fs::symlink("../p-evil/x.wasm", directory.join("plugin.wasm")).unwrap();
        let error = Manifest::parse(DOCUMENTED, &directory.join("manifest.yaml"), "m").unwrap_err();
        assert!(error.to_string().contains("path traversal detected"), "{error}");
    }
}

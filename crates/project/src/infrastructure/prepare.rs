//! From a configuration as it was read to what plans are made from: files in place of their paths, what providers have
//! against it, and which secrets it needs.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use engine::ports::{SecretError, Secrets};
use model::{Diagnostic, Digest, Location, Severity, code};
use plan::{Attribute, Desired, Name, Place, Seal, SealingKey, TypeName};
use provider::{Attributes, FileUse, ProjectFile};
use serde_json::{Value, json};

use super::files;
use super::providers::Providers;
use crate::limits;

/// A configuration that can be planned.
pub(super) struct Prepared {
    /// What should be, with files filled in.
    pub(super) desired: Desired,
    /// Of the configuration, the files it names, and the secrets' values: what a plan is made from.
    pub(super) digest: Digest,
    /// Keyed digests of the secrets.
    pub(super) seals: BTreeMap<String, Seal>,
}

/// A configuration with the project's files in place of their paths.
pub(super) struct Filled {
    /// What should be.
    pub(super) desired: Desired,
    /// Digests of the files by their paths.
    digests: BTreeMap<String, String>,
}

/// A resource or a check: something that is declared of a type.
pub(super) struct Declaration<'d> {
    /// Its name.
    pub(super) name: &'d str,
    pub(super) kind: &'d TypeName,
    pub(super) attributes: &'d BTreeMap<Name, Attribute>,
    place: &'d Place,
    /// The list it is in.
    list: &'static str,
}

impl Declaration<'_> {
    /// Where one of its attributes is declared.
    pub(super) fn place_of(&self, attribute: &str) -> Location {
        let declared = attribute.parse::<Name>().ok().and_then(|name| self.attributes.get(&name));
        let place = declared.map_or(self.place, |declared| &declared.place);
        place.location(format!("/{}/{}/config/{attribute}", self.list, self.name))
    }
}

/// Everything that is declared of a type.
pub(super) fn declarations(desired: &Desired) -> impl Iterator<Item = Declaration<'_>> {
    let resources = desired.resources.iter().map(|one| Declaration {
        name: one.id.as_str(),
        kind: &one.kind,
        attributes: &one.attributes,
        place: &one.place,
        list: "resources",
    });
    let checks = desired.checks.iter().map(|one| Declaration {
        name: one.name.as_str(),
        kind: &one.kind,
        attributes: &one.attributes,
        place: &one.place,
        list: "checks",
    });
    resources.chain(checks)
}

/// Fills in files, and finds what schemas and providers have against the configuration. Reads the project's files and
/// nothing else.
///
/// # Errors
/// Everything that is wrong, at its place.
pub(super) async fn fill(
    config: &config::Project,
    root: &Path,
    providers: &Providers,
) -> Result<Filled, Vec<Diagnostic>> {
    let mut found = super::secrets::exposed(&config.desired, providers);
    let mut desired = config.desired.clone();
    let mut files = Known { root, read: BTreeMap::new() };
    let mut fill = |list: &str, name: &str, kind: &TypeName, attributes: &mut BTreeMap<Name, Attribute>| {
        let Some((_, kind)) = providers.find(kind) else { return };
        for (file_name, wanted) in &kind.files {
            let Some(attribute) = attributes.get_mut(file_name) else { continue };
            let Some(path) = attribute.value.as_str() else { continue };
            match files.get(path, *wanted) {
                Ok(file) => attribute.value = Arc::clone(&file.value),
                Err(why) => {
                    let at = attribute.place.location(format!("/{list}/{name}/config/{file_name}"));
                    found.push(Diagnostic::error(code::plan::BAD_RESOURCE, why.clone(), at));
                }
            }
        }
    };
    for resource in &mut desired.resources {
        if let Some(notes) = config.notes.get(&resource.id) {
            resource.labels.clone_from(&notes.labels);
        }
        fill("resources", resource.id.as_str(), &resource.kind, &mut resource.attributes);
    }
    for check in &mut desired.checks {
        fill("checks", check.name.as_str(), &check.kind, &mut check.attributes);
    }
    // providers are only asked about what fits their schemas
    found.extend(plan::check(&desired, &config.inventory, providers.schemas()));
    if found.is_empty() {
        validate(&desired, providers, &mut found).await;
    }
    if !found.is_empty() {
        return Err(found);
    }
    let digests = files.read.into_values().flatten().map(|file| (file.path, file.sha256)).collect();
    Ok(Filled { desired, digests })
}

/// Prepares a configuration. Reads the project's files and reveals its secrets; keeps neither.
///
/// # Errors
/// Everything that is wrong, at its place.
pub(super) async fn prepare(
    config: &config::Project,
    root: &Path,
    providers: &Providers,
    (secrets, key): (&dyn Secrets, &SealingKey),
) -> Result<Prepared, Vec<Diagnostic>> {
    let filled = fill(config, root, providers).await;
    let names = config.secrets.iter().map(String::as_str);
    let sealed = super::seals(names, secrets, key).map_err(|missing| {
        let at_use = |error: &SecretError| {
            let at = secret_place(config, &error.name);
            Diagnostic::error(code::workflow::MISSING_SECRET, error.to_string(), at)
        };
        missing.iter().map(at_use).collect::<Vec<_>>()
    });
    let (Filled { desired, digests }, seals) = match (filled, sealed) {
        (Ok(filled), Ok(seals)) => (filled, seals),
        (filled, sealed) => {
            let found = filled.err().into_iter().chain(sealed.err());
            return Err(found.flatten().collect());
        }
    };
    let digest = if digests.is_empty() && seals.is_empty() {
        config.digest
    } else {
        Digest::of_json(&json!({"configuration": config.digest, "files": digests, "secrets": seals}))
    };
    Ok(Prepared { desired, digest, seals })
}

/// The project's files as they were read. Each is read once, however many resources it is for, so that it is the same for all.
struct Known<'r> {
    root: &'r Path,
    /// By path, and whether the text is wanted.
    read: BTreeMap<(String, bool), Result<Read, String>>,
}

/// A file that was read.
struct Read {
    path: String,
    sha256: String,
    value: Arc<Value>,
}

impl Known<'_> {
    fn get(&mut self, path: &str, wanted: FileUse) -> Result<&Read, &String> {
        let read = self.read.entry((path.to_owned(), wanted == FileUse::Text)).or_insert_with(|| {
            let file = file(self.root, path, wanted)?;
            let value = Arc::new(file.value());
            Ok(Read { path: file.path, sha256: file.sha256, value })
        });
        read.as_ref()
    }
}

/// One of the project's files, as a provider gets it.
fn file(root: &Path, path: &str, wanted: FileUse) -> Result<ProjectFile, String> {
    let mut opened = files::open(root, path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    if wanted == FileUse::Text {
        let mut content = Vec::new();
        let limit = provider::limits::FILE_TEXT_BYTES_MAX as u64 + 1;
        opened.by_ref().take(limit).read_to_end(&mut content).map_err(|error| format!("{path}: {error}"))?;
        return ProjectFile::new(path, &content, wanted);
    }
    let (sha256, bytes) = files::digest(opened).map_err(|error| format!("{path}: {error}"))?;
    Ok(ProjectFile::streamed(path, sha256, bytes))
}

/// Where a secret is first used.
fn secret_place(config: &config::Project, name: &str) -> Location {
    for declaration in declarations(&config.desired) {
        for (attribute, declared) in declaration.attributes {
            let mut here = false;
            plan::secrets_in(&declared.value, &mut |known| here |= known == name);
            if here {
                return declaration.place_of(attribute.as_str());
            }
        }
    }
    Location::default()
}

/// What providers have against what is declared, each at the attribute it is about.
async fn validate(desired: &Desired, providers: &Providers, found: &mut Vec<Diagnostic>) {
    let mut by_kind: BTreeMap<&TypeName, Vec<Declaration<'_>>> = BTreeMap::new();
    for declaration in declarations(desired) {
        by_kind.entry(declaration.kind).or_default().push(declaration);
    }
    for (kind, declared) in by_kind {
        let Some((_, described)) = providers.find(kind) else { continue };
        for portion in declared.chunks(provider::limits::RESOURCES_MAX) {
            let configs: Vec<Attributes> = portion
                .iter()
                .map(|one| {
                    let attributes = one.attributes.iter();
                    let values = attributes.map(|(name, one)| (name.to_string(), Value::clone(&one.value)));
                    described.complete(values.collect())
                })
                .collect();
            let findings = providers.validate(kind, &configs).await;
            for (one, findings) in portion.iter().zip(findings) {
                for finding in findings {
                    let path = finding.path.trim_start_matches('/');
                    let attribute = path.split(['/', '.', '[']).next().unwrap_or_default();
                    let at = Location {
                        path: format!("/{}/{}/config/{path}", one.list, one.name),
                        ..one.place_of(attribute)
                    };
                    let message = format!("`{}`: {}", one.name, finding.message);
                    found.push(Diagnostic {
                        severity: Severity::Error,
                        hint: finding.hint,
                        ..Diagnostic::error(code::plan::BAD_RESOURCE, message, at)
                    });
                    if found.len() >= limits::FINDINGS_MAX {
                        return;
                    }
                }
            }
        }
    }
}

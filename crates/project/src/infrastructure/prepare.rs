//! From a configuration as it was read to what plans are made from: files in place of their paths, what providers have
//! against it, and which secrets it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use engine::ports::Secrets;
use model::{Diagnostic, Digest, Severity, code};
use plan::{Desired, Name, Seal, SealingKey, TypeName};
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
    let mut found = super::secrets::exposed(&config.desired, providers);
    let mut desired = config.desired.clone();
    let mut digests = BTreeMap::new();
    for resource in &mut desired.resources {
        if let Some(notes) = config.notes.get(&resource.id) {
            resource.labels.clone_from(&notes.labels);
        }
        let Some((_, kind)) = providers.find(&resource.kind) else { continue };
        for (name, wanted) in &kind.files {
            let Some(attribute) = resource.attributes.get_mut(name) else { continue };
            let Some(path) = attribute.value.as_str() else { continue };
            match file(root, path, *wanted) {
                Ok(file) => {
                    digests.insert(file.path.clone(), file.sha256.clone());
                    attribute.value = Arc::new(file.value());
                }
                Err(why) => {
                    let at = attribute.place.location(format!("/resources/{}/config/{name}", resource.id));
                    found.push(Diagnostic::error(code::plan::BAD_RESOURCE, why, at));
                }
            }
        }
    }
    let names = config.secrets.iter().map(String::as_str);
    let seals = super::seals(names, secrets, key).unwrap_or_else(|missing| {
        found.extend(missing.iter().map(|error| {
            let at = secret_place(config, &error.name);
            Diagnostic::error(code::workflow::MISSING_SECRET, error.to_string(), at)
        }));
        BTreeMap::new()
    });
    validate(&desired, providers, &mut found).await;
    if !found.is_empty() {
        return Err(found);
    }
    let digest = if digests.is_empty() && seals.is_empty() {
        config.digest
    } else {
        Digest::of_json(&json!({"configuration": config.digest, "files": digests, "secrets": seals}))
    };
    Ok(Prepared { desired, digest, seals })
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
fn secret_place(config: &config::Project, name: &str) -> model::Location {
    for resource in &config.desired.resources {
        for (attribute, declared) in &resource.attributes {
            let mut here = false;
            plan::secrets_in(&declared.value, &mut |known| here |= known == name);
            if here {
                return declared.place.location(format!("/resources/{}/config/{attribute}", resource.id));
            }
        }
    }
    model::Location::default()
}

/// What providers have against resources, each at the attribute it is about.
async fn validate(desired: &Desired, providers: &Providers, found: &mut Vec<Diagnostic>) {
    let kinds: BTreeSet<&TypeName> = desired.resources.iter().map(|resource| &resource.kind).collect();
    for kind in kinds {
        let Some((_, described)) = providers.find(kind) else { continue };
        let of_kind: Vec<_> = desired.resources.iter().filter(|resource| resource.kind == *kind).collect();
        for portion in of_kind.chunks(provider::limits::RESOURCES_MAX) {
            let configs: Vec<Attributes> = portion
                .iter()
                .map(|resource| {
                    let attributes = resource.attributes.iter();
                    let declared = attributes.map(|(name, one)| (name.to_string(), Value::clone(&one.value)));
                    described.complete(declared.collect())
                })
                .collect();
            let findings = providers.validate(kind, &configs).await;
            for (resource, findings) in portion.iter().zip(findings) {
                for finding in findings {
                    let attribute = finding.path.trim_start_matches('/').split(['/', '.', '[']).next();
                    let declared = attribute
                        .and_then(|name| name.parse::<Name>().ok())
                        .and_then(|name| resource.attributes.get(&name));
                    let place = declared.map_or(&resource.place, |declared| &declared.place);
                    let message = format!("`{}`: {}", resource.id, finding.message);
                    let at = place.location(format!("/resources/{}/config/{}", resource.id, finding.path));
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

//! What is on a host already, as the configuration that declares it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Coded, Digest, Problem, code};
use plan::schema::Computed;
use plan::{Held, Host, Instance, Name, Observed, ResourceId, Seals, TypeName, World, nearest};
use provider::TypeDescription;
use serde_json::{Value, json};

use super::look::Sight;
use super::planning::Wanted;
use super::site::Site;
use crate::layout::INFRASTRUCTURE;
use crate::onboarding::record::{configuration, package};
use crate::{ProjectError, limits};

/// What is imported.
#[derive(Debug, Clone)]
pub struct Importing {
    /// From where.
    pub host: String,
    /// Of which type.
    pub kind: String,
    /// Which, as the type names things: each with the resource's name, where one is wanted.
    pub ids: Vec<(String, Option<String>)>,
    /// Variables of the configuration.
    pub variables: BTreeMap<String, String>,
    /// Where the text is going to be, relative to the project's directory; so that it is read with the rest from there.
    pub file: Option<PathBuf>,
}

/// What was found of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// The resource that it is declared as.
    pub resource: ResourceId,
    /// What of it is not in the text, and why.
    pub left_out: Vec<(Name, &'static str)>,
}

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The configuration, as CUE. It was read with the rest of the project's.
    pub text: String,
    /// What is in it.
    pub found: Vec<Found>,
}

/// Why something cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A name stands for nothing.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// Of what it would be the name.
        what: &'static str,
        /// It.
        name: String,
        /// What may be meant.
        near: Option<String>,
    },
    /// Nothing of the type can be imported, or not this.
    #[error("{what} cannot be imported: {why}")]
    Refused {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
    /// It is not there.
    #[error("there is no {kind} {id} on {host}")]
    Absent {
        /// Its type.
        kind: String,
        /// Which.
        id: String,
        /// Where.
        host: String,
    },
    /// It could not be looked at.
    #[error("{id} on {host} could not be looked at: {problem}")]
    Unreadable {
        /// Which.
        id: String,
        /// Where.
        host: String,
        /// Why.
        problem: Box<Problem>,
    },
    /// Because of the project.
    #[error(transparent)]
    Project(#[from] ProjectError),
}

impl Coded for ImportError {
    fn code(&self) -> &'static model::Code {
        match self {
            Self::Unknown { .. } => code::plan::UNKNOWN_NAME,
            Self::Refused { .. } => code::plan::BAD_RESOURCE,
            Self::Absent { .. } => code::general::NOT_FOUND,
            Self::Unreadable { .. } => code::plan::BLOCKED,
            Self::Project(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::Unknown { .. } | Self::Absent { .. } | Self::Unreadable { .. } => None,
            Self::Refused { .. } => Some("aedile provider list".to_owned()),
            Self::Project(error) => error.hint(),
        }
    }
}

fn unknown<'a>(what: &'static str, name: &str, known: impl Iterator<Item = &'a str>) -> ImportError {
    let near = nearest(name, known).map(str::to_owned);
    ImportError::Unknown { what, name: name.to_owned(), near }
}

impl Site {
    /// Looks at things on a host and writes the configuration that declares them as they are. Nothing is changed: the session
    /// that looks may read what the type declares, and no value of a secret is in the text. The text is read together with the
    /// rest of the configuration before it is answered.
    ///
    /// # Errors
    /// A name is unknown, something is not there or cannot be imported, or the configuration would be wrong with it.
    pub async fn import(&self, wanted: &Importing) -> Result<Imported, ImportError> {
        let config = self.configuration(&wanted.variables)?;
        let hosts = &config.inventory.hosts;
        let host = wanted.host.parse::<Host>().ok().filter(|host| hosts.contains_key(host));
        let host = host.ok_or_else(|| unknown("host", &wanted.host, hosts.keys().map(Host::as_str)))?;
        let providers = self.providers().await?;
        let types = || providers.schemas().types().map(TypeName::as_str);
        let kind = wanted.kind.parse::<TypeName>().ok();
        let found = kind.as_ref().and_then(|kind| providers.find(kind));
        let (provider, kind) = found.ok_or_else(|| unknown("type", &wanted.kind, types()))?;
        let refused = |why: String| ImportError::Refused { what: kind.name.to_string(), why };
        if kind.import.is_none() {
            return Err(refused("its type knows no ids for that".to_owned()));
        }
        let ids: Vec<String> = wanted.ids.iter().map(|(id, _)| id.clone()).collect();
        let named = provider.import(kind.name.as_str(), &ids).await;
        let named = named.map_err(|error| refused(error.to_string()))?;
        let mut sights = Vec::new();
        for ((id, name), config) in wanted.ids.iter().zip(named) {
            let config = config.map_err(|why| ImportError::Refused { what: id.clone(), why })?;
            let resource = resource(name.as_deref(), kind, id)?;
            let mut declared = plan::Values::new();
            for (name, value) in config {
                let name: Name = name.parse().map_err(|error: plan::NameError| refused(error.to_string()))?;
                declared.insert(name, Arc::new(value));
            }
            let instance = Instance::new(host.clone(), resource);
            sights.push(Sight { instance, kind: kind.name.clone(), declared });
        }
        let distinct: BTreeSet<&Instance> = sights.iter().map(|sight| &sight.instance).collect();
        if distinct.len() != wanted.ids.len() {
            return Err(refused(
                "two of them would have the same name; import them one by one, with --as".to_owned(),
            ));
        }
        let observed = self.seen(&sights).await?;
        let (mut found, mut resources) = (Vec::new(), Vec::new());
        for ((id, _), sight) in wanted.ids.iter().zip(&sights) {
            let there = there(id, sight, observed.get(&sight.instance))?;
            let (config, left_out) = configured(kind, there);
            resources.push(declaration(sight, &config, &left_out));
            found.push(Found { id: id.clone(), resource: sight.instance.resource.clone(), left_out });
        }
        let text = self.checked(wanted, &resources).await?;
        Ok(Imported { text, found })
    }

    /// What is wrong with a configuration as far as a plan of it would tell, two resources for one thing included. Nothing is
    /// looked at.
    async fn planned(&self, config: &config::Project) -> Result<(), ImportError> {
        let world = World::new(config.inventory.clone(), self.key().await?.clone());
        let header = self.header(&Wanted::default(), 0, Digest::of(b""));
        let planned = plan::plan(&config.desired, &world, self.providers().await?.schemas(), &header);
        planned.map(drop).map_err(|findings| ProjectError::Bad { findings }.into())
    }

    async fn seen(
        &self,
        sights: &[Sight],
    ) -> Result<std::collections::HashMap<Instance, Observed>, ImportError> {
        let secrets = self.secrets().ok_or(ProjectError::NoInfrastructure)?;
        let seals = BTreeMap::new();
        let seals = Seals { secrets: &seals, key: self.key().await? };
        let looking = self.looking(self.providers().await?, &*secrets, seals);
        Ok(looking.look(sights).await)
    }

    /// The whole text, once it was read with the rest.
    async fn checked(&self, wanted: &Importing, resources: &[String]) -> Result<String, ImportError> {
        let project = &self.parts.project;
        let text = format!("package {}\n\n{}", package(project)?, resources.join("\n"));
        let file = wanted.file.clone().unwrap_or_else(|| Path::new(INFRASTRUCTURE).join("imported.cue"));
        let shown = file.display().to_string();
        let text = cue::fmt::format(&shown, &text)
            .map_err(|error| ImportError::Refused { what: shown.clone(), why: error.to_string() })?;
        if text.len() as u64 > limits::FILE_BYTES_MAX {
            return Err(ProjectError::TooLarge { what: shown, limit: limits::FILE_BYTES_MAX }.into());
        }
        let variables: Vec<(String, String)> =
            wanted.variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let with = BTreeMap::from([(file, Some(text.clone()))]);
        let config = configuration(project, &self.parts.place.environment, &variables, &with)?;
        if let Some(config) = &config {
            self.planned(config).await?;
        }
        Ok(text)
    }
}

/// The name of a resource: the one that is wanted, or one made of type and id.
fn resource(wanted: Option<&str>, kind: &TypeDescription, id: &str) -> Result<ResourceId, ImportError> {
    let name = wanted.map_or_else(
        || {
            let kind = kind.name.as_str().rsplit([':', '.']).next().unwrap_or_default();
            let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' };
            let id: String = id.chars().map(plain).collect();
            format!("{kind}-{}", id.trim_matches('-'))
        },
        str::to_owned,
    );
    name.parse().map_err(|error: plan::NameError| ImportError::Refused {
        what: id.to_owned(),
        why: format!("{error}; name it with --as"),
    })
}

/// What is there of one thing.
fn there<'o>(
    id: &str,
    sight: &Sight,
    observed: Option<&'o Observed>,
) -> Result<&'o BTreeMap<Name, Held>, ImportError> {
    let host = sight.instance.host.to_string();
    match observed {
        Some(Observed::Present(there)) => Ok(there),
        Some(Observed::Unreadable(problem)) => {
            Err(ImportError::Unreadable { id: id.to_owned(), host, problem: Box::new(problem.clone()) })
        }
        _ => Err(ImportError::Absent { kind: sight.kind.to_string(), id: id.to_owned(), host }),
    }
}

/// Attributes that go into the text, and those that do not.
type Configured = (BTreeMap<Name, Value>, Vec<(Name, &'static str)>);

/// What of it can be declared: what a host says is data, and never a reference to anything.
fn configured(kind: &TypeDescription, there: &BTreeMap<Name, Held>) -> Configured {
    let (mut config, mut left_out) = (BTreeMap::new(), Vec::new());
    for (name, held) in there {
        let Some(schema) = kind.schema.attributes.get(name) else { continue };
        if schema.computed != Computed::No {
            continue;
        }
        let why = match held {
            _ if schema.sensitive => Some("it is secret: declare a reference to a secret"),
            Held::Secret { .. } => Some("it is secret: declare a reference to a secret"),
            Held::Plain { .. } if kind.files.contains_key(name) => {
                Some("it is a file of the project: name the file")
            }
            Held::Plain { value } if looks_like_a_reference(value) => {
                Some("what is there would be read as a reference: write it yourself")
            }
            Held::Plain { value } => {
                config.insert(name.clone(), Value::clone(value));
                None
            }
        };
        left_out.extend(why.map(|why| (name.clone(), why)));
    }
    (config, left_out)
}

/// Whether a configuration would take a value for something else than itself.
fn looks_like_a_reference(value: &Value) -> bool {
    match value {
        // the marks that references are written with inside of texts
        Value::String(text) => text.chars().any(|c| ('\u{e000}'..='\u{f8ff}').contains(&c)),
        Value::Array(items) => items.iter().any(looks_like_a_reference),
        Value::Object(members) => {
            members.iter().any(|(name, member)| name.starts_with('$') || looks_like_a_reference(member))
        }
        _ => false,
    }
}

/// One resource as CUE. JSON's texts are CUE's.
fn declaration(sight: &Sight, config: &BTreeMap<Name, Value>, left_out: &[(Name, &'static str)]) -> String {
    let mut lines: Vec<String> =
        config.iter().map(|(name, value)| format!("\t\t{}: {value}", json!(name))).collect();
    lines.extend(left_out.iter().map(|(name, why)| format!("\t\t// {name}: {why}")));
    format!(
        "resources: {}: {{\n\ttype: {}\n\ttarget: hosts: [{}]\n\tconfig: {{\n{}\n\t}}\n}}\n",
        json!(sight.instance.resource),
        json!(sight.kind),
        json!(sight.instance.host),
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_says_is_never_taken_for_a_reference() {
        for value in
            [json!({"$secret": "token"}), json!([{"a": {"$join": []}}]), json!("\u{f8f0}token\u{f8f1}")]
        {
            assert!(looks_like_a_reference(&value), "{value}");
        }
        for value in [json!("$secret ${x} \\(y)"), json!({"a": ["b", 1, null]}), json!("motd: hello\n")] {
            assert!(!looks_like_a_reference(&value), "{value}");
        }
    }
}

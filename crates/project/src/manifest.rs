//! `aedile.yaml`: what a project is called and what it is made of.

use std::collections::BTreeMap;

use model::{Digest, Environment};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::ProjectError;

/// A project's own file, `aedile.yaml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Project")]
pub struct Manifest {
    /// The project's name.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// The environment that commands use without `--env`; `dev` when left out.
    #[serde(default = "dev")]
    #[schemars(with = "String")]
    pub default_environment: Environment,
    /// The environments there are, and what is different in each. When left out there is only the default one.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Overrides>")]
    pub environments: BTreeMap<String, Overrides>,
    /// WASM actions that workflows may call, each pinned to the digest of its component.
    #[serde(default)]
    pub actions: Vec<ActionEntry>,
    /// Where people are told that something waits for them, by name of the channel.
    #[serde(default)]
    pub notify: BTreeMap<String, Channel>,
    /// Who can read the secrets that are encrypted for this project.
    #[serde(default)]
    pub secrets: Secrets,
    /// How hosts are watched. What is done about a resource's drift is said in its declaration.
    #[serde(default)]
    pub drift: Drift,
}

/// How hosts are watched for drift.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Drift {
    /// How often it is looked, for example `10m`, where `aedile drift --every` is given no value.
    pub every: Option<String>,
    /// The chain of approval that proposals wait for; policy's `defaultChain` when left out.
    pub chain: Option<String>,
    /// How much is put right without anybody being asked.
    pub repairs: Repairs,
    /// When putting right is given up because somebody else writes there, too.
    pub fights: Fights,
}

/// How much is put right without anybody being asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Repairs {
    /// Most repairs of all resources together within an hour; 50 when left out.
    #[schemars(range(min = 1))]
    pub per_hour: u32,
    /// Most repairs of one resource on one host within an hour; 5 when left out.
    #[schemars(range(min = 1))]
    pub per_hour_each: u32,
    /// Whether what cannot be taken back is repaired as well; it is proposed when left out.
    pub irreversible: bool,
}

impl Default for Repairs {
    fn default() -> Self {
        let rules = engine::drift::Rules::default();
        Self { per_hour: rules.repairs_all, per_hour_each: rules.repairs_each, irreversible: false }
    }
}

/// When putting right is given up because somebody else writes there, too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Fights {
    /// How often the same attribute is put right before its coming back is a fight; 3 when left out.
    #[schemars(range(min = 1))]
    pub repairs: u32,
    /// Within which time; and how long it has to be quiet for a fight to end by itself. `6h` when left out.
    pub within: String,
}

impl Default for Fights {
    fn default() -> Self {
        Self { repairs: engine::drift::Rules::default().fight_repairs, within: "6h".to_owned() }
    }
}

/// Encrypted secrets.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Secrets {
    /// Public halves of age keys (`age1...`): `aedile secrets encrypt` encrypts for all of them.
    pub recipients: Vec<String>,
}

/// What is different in one environment.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Overrides {
    /// Channels that replace or join the project's.
    pub notify: BTreeMap<String, Channel>,
    /// Who can read this environment's encrypted secrets, instead of the project's.
    pub secrets: Option<Secrets>,
    /// How this environment's hosts are watched, instead of what the project says.
    pub drift: Option<Drift>,
}

/// One WASM action.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Action")]
pub struct ActionEntry {
    /// Its name, as workflows call it.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// Its version, three numbers (`1.0.0`).
    pub version: String,
    /// The component's file, below the project's directory.
    pub path: String,
    /// Digest of that file, `sha256:` and 64 hexadecimal digits. Another file is refused.
    #[schemars(with = "String")]
    pub digest: Digest,
}

/// Where people are told.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, tag = "kind")]
pub enum Channel {
    /// A line on the terminal or in the log of whoever runs the engine.
    Log {},
    /// A line of JSON appended to a file below the project's directory.
    #[serde(rename_all = "camelCase")]
    File {
        /// The file.
        path: String,
    },
    /// An HTTP POST of JSON.
    #[serde(rename_all = "camelCase")]
    Webhook {
        /// Where to.
        url: String,
    },
}

fn dev() -> Environment {
    crate::layout::default_environment()
}

impl Manifest {
    /// Reads the text of an `aedile.yaml`; `shown` names it in findings.
    pub fn parse(text: &str, shown: &str) -> Result<Self, ProjectError> {
        let manifest: Self = crate::text::yaml(text, shown)?;
        for name in manifest.environments.keys() {
            name.parse::<Environment>()?;
        }
        Ok(manifest)
    }

    /// What it says of anything but actions, to be compared with what another one says.
    pub(crate) fn without_actions(&self) -> String {
        format!("{:?}", Self { actions: Vec::new(), ..self.clone() })
    }

    /// The environment asked for, or the default one. Refuses one that the project does not have.
    pub fn environment(&self, asked: Option<&str>) -> Result<Environment, ProjectError> {
        let Some(asked) = asked else { return Ok(self.default_environment.clone()) };
        let environment: Environment = asked.parse()?;
        if environment == self.default_environment || self.environments.contains_key(asked) {
            return Ok(environment);
        }
        Err(ProjectError::NoEnvironment { name: asked.to_owned(), known: self.environment_names() })
    }

    /// Every environment there is, sorted.
    pub fn environment_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.environments.keys().cloned().collect();
        names.push(self.default_environment.to_string());
        names.sort();
        names.dedup();
        names
    }

    /// Whom the secrets of an environment are encrypted for: what it says itself, or what the project does.
    pub fn recipients(&self, environment: &Environment) -> &[String] {
        let own = self.environments.get(environment.as_str()).and_then(|own| own.secrets.as_ref());
        &own.unwrap_or(&self.secrets).recipients
    }

    /// How the hosts of an environment are watched: as it says itself, or as the project does.
    pub fn drift(&self, environment: &Environment) -> &Drift {
        let own = self.environments.get(environment.as_str()).and_then(|own| own.drift.as_ref());
        own.unwrap_or(&self.drift)
    }

    /// The channels of an environment: the project's, and the environment's own over them.
    pub fn channels(&self, environment: &Environment) -> BTreeMap<String, Channel> {
        let mut channels = self.notify.clone();
        if let Some(overrides) = self.environments.get(environment.as_str()) {
            channels.extend(overrides.notify.clone());
        }
        channels
    }
}

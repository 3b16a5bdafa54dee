//! The plan as a document: the body of a plan file, and what policies see.

use std::collections::BTreeMap;

use model::{Digest, Environment, PlanId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::change::{Change, Fingerprint, Handler, Junction, PlannedCheck};
use crate::name::{Host, Instance, ResourceId, TypeName};

/// What a plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Basis {
    /// Position in the environment's journal that the state was read at.
    pub position: u64,
    /// Digest of the configuration.
    pub configuration: Digest,
    /// Digest of the policy.
    pub policy: Digest,
    /// Digest of the facts that the configuration used.
    pub facts: Digest,
    /// Digest of what was read and is managed.
    pub observed: Digest,
    /// Digest of what was applied last.
    pub applied: Digest,
}

/// What the plan uses of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypeUse {
    /// Exact version of its provider.
    pub version: String,
    /// What applying it needs to be let do.
    pub capabilities: Vec<String>,
}

impl TypeUse {
    /// The version with as much of the component's digest as people compare.
    pub(crate) fn version_for_people(&self) -> String {
        match self.version.split_once('@') {
            Some((version, digest)) => match digest.parse::<Digest>() {
                Ok(digest) => format!("{version} ({})", digest.short()),
                Err(_) => self.version.clone(),
            },
            None => self.version.clone(),
        }
    }
}

/// How many changes of each operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Counts {
    /// Created.
    pub create: u64,
    /// Updated.
    pub update: u64,
    /// Replaced.
    pub replace: u64,
    /// Deleted, without what is replaced.
    pub delete: u64,
    /// Moved: another name, nothing on a host.
    #[serde(rename = "move")]
    pub moved: u64,
    /// Forgotten: gone already.
    pub forget: u64,
    /// Adopted: on record as they are.
    #[serde(skip_serializing_if = "is_zero")]
    pub adopt: u64,
    /// Blocked.
    pub blocked: u64,
    /// As they should be.
    pub unchanged: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How far the plan reaches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reach {
    /// The hosts it changes.
    pub hosts: Vec<Host>,
    /// Hosts in the inventory.
    pub hosts_known: u64,
    /// Resources on hosts that it changes.
    pub resources: u64,
    /// Resources on hosts, declared or to be deleted.
    pub resources_known: u64,
    /// Share of the resources that it changes, in thousandths, rounded up.
    pub share_permille: u64,
    /// Changes that cannot be taken back.
    pub irreversible: u64,
    /// Changes that put right what somebody else changed.
    pub drifted: u64,
}

/// Everything in a plan but its digest, which is taken of this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Plan")]
pub struct Body {
    /// Its id.
    #[schemars(with = "String")]
    pub id: PlanId,
    /// When it was made, RFC 3339 in UTC with milliseconds.
    pub created: String,
    /// The environment it is for.
    pub environment: Environment,
    /// The variables that the configuration was read with, as they were given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Only these resources and what they depend on were planned; everything when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub focus: Vec<ResourceId>,
    /// Only these resources on hosts are changed, whatever else differs; all that differ when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Instance>,
    /// Nothing of what is declared was wanted: everything that was applied goes.
    #[serde(default, skip_serializing_if = "crate::change::is_false")]
    pub destroy: bool,
    /// Digest of the plan it follows: for an undo, the one that is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Digest>,
    /// What it was made from.
    pub basis: Basis,
    /// How many changes of each operation.
    pub counts: Counts,
    /// How far it reaches.
    pub reach: Reach,
    /// The types it uses.
    pub types: BTreeMap<TypeName, TypeUse>,
    /// What it would do, each after all that it comes after.
    pub changes: Vec<Change>,
    /// Points where order meets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub junctions: Vec<Junction>,
    /// What runs once at the end when something it watches changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handlers: Vec<Handler>,
    /// Tests of the hosts it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<PlannedCheck>,
    /// What stays as it is, with what that was told from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unchanged: BTreeMap<Instance, Fingerprint>,
}

/// JSON Schema (draft 2020-12) of the plan document, `schemas/plan.schema.json`.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Body).into()
}

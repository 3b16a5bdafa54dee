//! A configuration that was read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Diagnostic, Digest};
use plan::{Desired, Host, Inventory, Place, ResourceId};
use serde_json::Value;

/// A configuration, typed.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its name: `workspace.name`, empty when it has none.
    pub name: String,
    /// Its own version: `workspace.version`.
    pub version: Option<String>,
    /// The providers it asks for: name to version requirement (`>=1.0.0`; empty: any).
    pub providers: BTreeMap<String, String>,
    /// The names of its environments; empty when it declares none.
    pub environments: BTreeSet<String>,
    /// Variables with the values they have in this environment.
    pub variables: BTreeMap<String, Value>,
    /// Hosts and how to reach them.
    pub hosts: BTreeMap<Host, HostConfig>,
    /// What should be.
    pub desired: Desired,
    /// Hosts with their labels, as a plan needs them.
    pub inventory: Inventory,
    /// What people said about resources, and no plan needs.
    pub notes: BTreeMap<ResourceId, Notes>,
    /// The names of the secrets that are referred to.
    pub secrets: BTreeSet<String>,
    /// Identifies everything that plans are made from: two configurations that mean the same have one digest, whatever
    /// they are written like.
    pub digest: Digest,
    /// What is worth knowing although the configuration is accepted.
    pub warnings: Vec<Diagnostic>,
    /// What it was read from; gone once [`Project::forget_values`] was called.
    pub(crate) root: Option<cue::Value>,
    pub(crate) origins: Arc<crate::explain::Origins>,
}

impl Project {
    /// Gives up what only [`Project::explain`] needs, which is most of the memory of a large configuration.
    pub fn forget_values(&mut self) {
        self.root = None;
    }
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostConfig {
    /// Name or number in the network; the host's own name unless it says otherwise.
    pub address: String,
    /// 22 unless it says otherwise.
    pub port: u16,
    /// Whom to log in as; the caller's choice when it does not say.
    pub user: Option<String>,
    /// Labels, for selectors.
    pub labels: BTreeMap<String, String>,
    /// Hosts of the inventory to go through, the first is reached directly.
    pub jump: Vec<Host>,
    /// The file of the private key, as it is written.
    pub key: Option<String>,
    /// The only host key accepted, as `SHA256:...`.
    pub host_key: Option<String>,
    /// How to become root.
    pub sudo: Sudo,
    /// Where it is declared.
    pub place: Place,
}

/// How what needs it becomes root on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sudo {
    /// It does not: the login has the rights there are.
    #[default]
    No,
    /// By sudo without a password.
    Yes,
}

/// What people said about a resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// `name`.
    pub name: Option<String>,
    /// `labels`: what policies and people group resources by.
    pub labels: BTreeMap<String, String>,
    /// `annotations`.
    pub annotations: BTreeMap<String, String>,
}

impl Notes {
    pub(crate) fn is_empty(&self) -> bool {
        self.name.is_none() && self.labels.is_empty() && self.annotations.is_empty()
    }
}

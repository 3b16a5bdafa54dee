//! What is, and what was applied.

use std::collections::{BTreeMap, HashMap};

use model::Problem;

use crate::inventory::Inventory;
use crate::name::{Instance, Name, TypeName};
use crate::value::{Held, Seal, SealingKey, Values};

/// What reading an instance told.
#[derive(Debug, Clone, PartialEq)]
pub enum Observed {
    /// It is not there.
    Absent,
    /// It is there, with these attributes.
    Present(BTreeMap<Name, Held>),
    /// Reading it failed.
    Unreadable(Problem),
    /// It cannot be read before something else is there (the database of a user, the host of a file).
    NotYet {
        /// What is missing.
        missing: Instance,
    },
}

/// What was last applied to an instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// Its type.
    pub kind: TypeName,
    /// Version of the provider that applied it.
    pub provider: String,
    /// The declared values; secrets as references with their keyed digests.
    pub attributes: BTreeMap<Name, Held>,
    /// What it depended on.
    pub depends: Vec<Instance>,
}

/// Everything a plan is made from besides the configuration and the schemas.
#[derive(Debug, Clone)]
pub struct World {
    /// Hosts.
    pub inventory: Inventory,
    /// What was read. An instance that is declared and not here is blocked: it was not read.
    pub observed: HashMap<Instance, Observed>,
    /// What was applied before.
    pub applied: HashMap<Instance, Applied>,
    /// What was applied as absent: it was there, and was deleted because it is declared so. Of these nothing but type and provider is
    /// known, and none of them is in `applied`.
    pub absent: HashMap<Instance, Applied>,
    /// What providers expect computed attributes to become.
    pub predicted: HashMap<Instance, Values>,
    /// What changing an instance, or testing a host, needs to be let do, with the paths, programs and addresses it is about.
    pub needs: HashMap<Instance, Vec<String>>,
    /// Keyed digests of the secrets' present values, by name.
    pub secrets: BTreeMap<String, Seal>,
    /// The environment's key for seals.
    pub key: SealingKey,
}

impl World {
    /// A world of these hosts in which nothing was read or applied.
    pub fn new(inventory: Inventory, key: SealingKey) -> Self {
        Self {
            inventory,
            observed: HashMap::new(),
            applied: HashMap::new(),
            absent: HashMap::new(),
            predicted: HashMap::new(),
            needs: HashMap::new(),
            secrets: BTreeMap::new(),
            key,
        }
    }
}

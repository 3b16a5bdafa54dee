//! Hosts, and which of them a resource means.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::name::Host;

/// Every host with its labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// Labels by host.
    pub hosts: BTreeMap<Host, BTreeMap<String, String>>,
}

/// Which hosts a resource is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// Every host.
    All,
    /// These.
    Hosts(Vec<Host>),
    /// Those that have this label with this value.
    Label(String, String),
    /// Those that every one of these selects.
    AllOf(Vec<Selector>),
    /// Those that one of these selects.
    AnyOf(Vec<Selector>),
    /// Those that this does not select.
    Not(Box<Selector>),
}

impl Selector {
    /// Whether it selects a host.
    pub fn selects(&self, host: &Host, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::All => true,
            Self::Hosts(hosts) => hosts.contains(host),
            Self::Label(name, value) => labels.get(name) == Some(value),
            Self::AllOf(parts) => parts.iter().all(|part| part.selects(host, labels)),
            Self::AnyOf(parts) => parts.iter().any(|part| part.selects(host, labels)),
            Self::Not(part) => !part.selects(host, labels),
        }
    }

    /// Every host that is named in it.
    fn named<'s>(&'s self, hosts: &mut Vec<&'s Host>) {
        match self {
            Self::Hosts(named) => hosts.extend(named),
            Self::AllOf(parts) | Self::AnyOf(parts) => parts.iter().for_each(|part| part.named(hosts)),
            Self::Not(part) => part.named(hosts),
            Self::All | Self::Label(..) => {}
        }
    }
}

/// Expands selectors, each distinct one once.
pub(crate) struct Expander<'i> {
    inventory: &'i Inventory,
    names: Vec<&'i Host>,
    index: HashMap<&'i Host, u32>,
    known: HashMap<&'i Selector, Arc<[u32]>>,
}

impl<'i> Expander<'i> {
    pub(crate) fn new(inventory: &'i Inventory) -> Self {
        let names: Vec<_> = inventory.hosts.keys().collect();
        let index = names.iter().zip(0..).map(|(host, index)| (*host, index)).collect();
        Self { inventory, names, index, known: HashMap::new() }
    }

    pub(crate) fn host(&self, index: u32) -> &'i Host {
        self.names[index as usize]
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'i str> {
        self.names.iter().map(|host| host.as_str())
    }

    pub(crate) fn index_of(&self, host: &Host) -> Option<u32> {
        self.index.get(host).copied()
    }

    /// Hosts that a selector names and nobody knows.
    pub(crate) fn unknown<'s>(&self, selector: &'s Selector) -> Vec<&'s Host> {
        let mut named = Vec::new();
        selector.named(&mut named);
        named.retain(|host| !self.index.contains_key(host));
        named
    }

    /// The hosts a selector means, in order of their names.
    pub(crate) fn expand(&mut self, selector: &'i Selector) -> Arc<[u32]> {
        if let Some(known) = self.known.get(selector) {
            return known.clone();
        }
        let hosts: Arc<[u32]> = match selector {
            Selector::Hosts(hosts) => {
                let mut found: Vec<u32> = hosts.iter().filter_map(|host| self.index_of(host)).collect();
                found.sort_unstable();
                found.dedup();
                found.into()
            }
            other => (0..)
                .zip(&self.inventory.hosts)
                .filter(|(_, (host, labels))| other.selects(host, labels))
                .map(|(index, _)| index)
                .collect(),
        };
        self.known.insert(selector, hosts.clone());
        hosts
    }
}

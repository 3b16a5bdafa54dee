//! Names to addresses, by the operating system, without the addresses that may not be called.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::access::Addresses;

/// All addresses of a name are forbidden. Found again in the chain of the connection's error.
#[derive(Debug, thiserror::Error)]
#[error("{host} stands for {address}: {why}")]
pub(crate) struct AddressForbidden {
    pub(crate) host: String,
    pub(crate) address: std::net::IpAddr,
    pub(crate) why: &'static str,
}

pub(crate) struct Resolver {
    pub(crate) mapped: BTreeMap<String, SocketAddr>,
    pub(crate) rule: Addresses,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        if let Some(address) = self.mapped.get(&host.to_ascii_lowercase()).copied() {
            return Box::pin(async move { Ok(Box::new(std::iter::once(address)) as Addrs) });
        }
        let rule = self.rule;
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(Box::new(sift(&host, found, rule)?.into_iter()) as Addrs)
        })
    }
}

/// Those of a name's addresses that may be connected to; an error if there are some and all are forbidden.
pub(crate) fn sift(
    host: &str,
    found: impl Iterator<Item = SocketAddr>,
    rule: Addresses,
) -> Result<Vec<SocketAddr>, AddressForbidden> {
    let mut refused = None;
    let mut allowed = Vec::new();
    for socket in found {
        match rule.admit_named(host, socket.ip()) {
            Ok(()) => allowed.push(socket),
            Err(why) => refused = Some(AddressForbidden { host: host.to_owned(), address: socket.ip(), why }),
        }
    }
    match refused {
        Some(refused) if allowed.is_empty() => Err(refused),
        _ => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a name stands for can change between two lookups, so each one is sifted.
    #[test]
    fn a_name_cannot_be_rebound_to_this_machine_or_its_metadata() {
        for (host, found, expected) in [
            ("api.example.org", vec!["192.0.2.7", "127.0.0.1"], Some(vec!["192.0.2.7"])),
            ("api.example.org", vec!["127.0.0.1", "::1"], None),
            ("api.example.org", vec!["::ffff:127.0.0.1"], None),
            ("api.example.org", vec!["169.254.169.254"], None),
            ("localhost.example.org", vec!["127.0.0.1"], None),
            ("api.example.org", vec!["10.0.0.7"], Some(vec!["10.0.0.7"])),
            ("localhost", vec!["127.0.0.1", "::1"], Some(vec!["127.0.0.1", "::1"])),
            ("LOCALHOST.", vec!["127.0.0.1"], Some(vec!["127.0.0.1"])),
            ("app.localhost", vec!["127.0.0.1"], Some(vec!["127.0.0.1"])),
            ("nowhere.example.org", vec![], Some(vec![])),
        ] {
            let sockets = |texts: Vec<&str>| -> Vec<SocketAddr> {
                texts.into_iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect()
            };
            let sifted = sift(host, sockets(found.clone()).into_iter(), Addresses::default()).ok();
            assert_eq!(sifted, expected.map(sockets), "{host} {found:?}");
        }
    }
}

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
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let mut refused = None;
            let mut allowed = Vec::with_capacity(found.len());
            for socket in found {
                match rule.admit(socket.ip()) {
                    Ok(()) => allowed.push(socket),
                    Err(why) => {
                        refused = Some(AddressForbidden { host: host.clone(), address: socket.ip(), why });
                    }
                }
            }
            match refused {
                Some(refused) if allowed.is_empty() => Err(refused.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

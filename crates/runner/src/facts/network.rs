//! Interfaces from `/sys/class/net`, addresses from the kernel's routing tables: IPv4 has no file that lists addresses by
//! interface, so each local address is given to the interface whose directly reached network it lies in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Interface, text};
use crate::limits::FACT_LIST_MAX;

pub(super) fn interfaces() -> Result<Vec<Interface>, String> {
    let entries = std::fs::read_dir("/sys/class/net").map_err(|why| format!("/sys/class/net: {why}"))?;
    let mut names: Vec<String> =
        entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names.truncate(FACT_LIST_MAX);
    let routes = text("/proc/net/route").map(|text| routes(&text)).unwrap_or_default();
    let v4 = text("/proc/net/fib_trie").map(|text| local_v4(&text)).unwrap_or_default();
    let v6 = text("/proc/net/if_inet6").map(|text| local_v6(&text)).unwrap_or_default();
    let owner = |address: Ipv4Addr| {
        if address.is_loopback() {
            return Some("lo");
        }
        let number = u32::from(address);
        let near = routes.iter().filter(|(_, network, mask)| number & mask == *network);
        near.max_by_key(|(_, _, mask)| *mask).map(|(name, ..)| name.as_str())
    };
    Ok(names
        .iter()
        .map(|name| {
            let read = |file: &str| {
                text(&format!("/sys/class/net/{name}/{file}")).unwrap_or_default().trim().to_owned()
            };
            let mut addresses: Vec<IpAddr> = v4
                .iter()
                .filter(|address| owner(**address) == Some(name))
                .map(|address| IpAddr::V4(*address))
                .collect();
            addresses.extend(v6.iter().filter(|(_, on)| on == name).map(|(address, _)| IpAddr::V6(*address)));
            Interface {
                mac: read("address"),
                mtu: read("mtu").parse().unwrap_or_default(),
                state: read("operstate"),
                name: name.clone(),
                addresses,
            }
        })
        .collect())
}

/// Networks that are reached without a gateway: interface, network, mask.
fn routes(text: &str) -> Vec<(String, u32, u32)> {
    // The kernel prints the bytes as they lie in memory.
    let number = |field: &str| {
        u32::from_str_radix(field, 16)
            .ok()
            .map(u32::from_be)
            .map(|n| if cfg!(target_endian = "little") { n } else { n.swap_bytes() })
    };
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (name, network, gateway, mask) =
                (fields.first()?, fields.get(1)?, fields.get(2)?, fields.get(7)?);
            (number(gateway)? == 0).then_some(((*name).to_owned(), number(network)?, number(mask)?))
        })
        .collect()
}

/// The host's own addresses: leaves of the trie that say `/32 host LOCAL`.
fn local_v4(text: &str) -> Vec<Ipv4Addr> {
    let mut found: Vec<Ipv4Addr> = Vec::new();
    let mut leaf = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line.starts_with("/32 host LOCAL")
            && let Some(address) = leaf.filter(|address| !found.contains(address))
        {
            found.push(address);
        }
    }
    found
}

fn local_v6(text: &str) -> Vec<(Ipv6Addr, String)> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let address = u128::from_str_radix(fields.first()?, 16).ok()?;
            Some((Ipv6Addr::from(address), (*fields.get(5)?).to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_tables_are_read() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 10.1.2.3\n        /32 host LOCAL\n     |-- 10.1.2.255\n        /32 link BROADCAST\nLocal:\n     |-- 10.1.2.3\n        /32 host LOCAL\n";
        assert_eq!(local_v4(trie), [Ipv4Addr::new(10, 1, 2, 3)]);
        let v6 = "00000000000000000000000000000001 01 80 10 80       lo\n";
        assert_eq!(local_v6(v6), [(Ipv6Addr::LOCALHOST, "lo".to_owned())]);
        if cfg!(target_endian = "little") {
            let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\neth0\t0002010A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n";
            assert_eq!(routes(table), [("eth0".to_owned(), 0x0a01_0200, 0xffff_ff00)]);
        }
    }
}

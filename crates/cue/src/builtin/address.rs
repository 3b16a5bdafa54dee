//! The addresses of package `net`. An address is text, or the list of its 4 or 16 bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use num_traits::ToPrimitive;

use super::{Call, Fail, Outcome};
use crate::value::Value;

fn of_list(c: &mut Call<'_>, i: usize) -> Option<IpAddr> {
    let numbers = c.numbers(i).ok()?;
    let bytes: Option<Vec<u8>> = numbers.iter().map(|n| n.as_int().and_then(ToPrimitive::to_u8)).collect();
    let bytes = bytes?;
    match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(four) => Some(IpAddr::from(four)),
        Err(_) => <[u8; 16]>::try_from(bytes.as_slice()).ok().map(IpAddr::from),
    }
}

fn address(c: &mut Call<'_>, i: usize) -> Option<IpAddr> {
    match c.args.get(i) {
        Some(Value::Node(_)) => of_list(c, i),
        _ => c.text(i).ok()?.parse().ok(),
    }
}

fn given(c: &mut Call<'_>, i: usize) -> Result<IpAddr, Fail> {
    address(c, i).ok_or_else(|| "invalid IP address".into())
}

/// A check. What is not concrete yet may still become an address.
fn check(c: &mut Call<'_>, test: impl Fn(IpAddr) -> bool) -> Outcome {
    Ok(Value::Bool(address(c, 0).is_some_and(test)))
}

pub(super) fn ip(c: &mut Call<'_>) -> Outcome {
    check(c, |_| true)
}

pub(super) fn ipv4(c: &mut Call<'_>) -> Outcome {
    check(c, |a| a.is_ipv4())
}

pub(super) fn ipv6(c: &mut Call<'_>) -> Outcome {
    check(c, |a| a.is_ipv6())
}

pub(super) fn loopback(c: &mut Call<'_>) -> Outcome {
    check(c, |a| a.is_loopback())
}

pub(super) fn multicast(c: &mut Call<'_>) -> Outcome {
    check(c, |a| a.is_multicast())
}

/// The low four bits of a multicast address's second byte are its scope (RFC 4291, section 2.7).
fn scope(a: Ipv6Addr) -> Option<u16> {
    a.is_multicast().then(|| a.segments()[0] & 0xf)
}

pub(super) fn interface_local_multicast(c: &mut Call<'_>) -> Outcome {
    check(c, |a| matches!(a, IpAddr::V6(a) if scope(a) == Some(1)))
}

pub(super) fn link_local_multicast(c: &mut Call<'_>) -> Outcome {
    check(c, |a| match a {
        IpAddr::V4(a) => a.octets()[..3] == [224, 0, 0],
        IpAddr::V6(a) => scope(a) == Some(2),
    })
}

fn is_link_local(a: IpAddr) -> bool {
    match a {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    }
}

pub(super) fn link_local_unicast(c: &mut Call<'_>) -> Outcome {
    check(c, is_link_local)
}

pub(super) fn global_unicast(c: &mut Call<'_>) -> Outcome {
    check(c, |a| {
        let broadcast = a == IpAddr::V4(Ipv4Addr::BROADCAST);
        !(broadcast || a.is_unspecified() || a.is_loopback() || a.is_multicast() || is_link_local(a))
    })
}

pub(super) fn unspecified(c: &mut Call<'_>) -> Outcome {
    check(c, |a| a.is_unspecified())
}

fn bytes(c: &mut Call<'_>, bytes: &[u8]) -> Value {
    let items = bytes.iter().map(|b| Value::int(i64::from(*b))).collect();
    c.list(items)
}

pub(super) fn to_ip4(c: &mut Call<'_>) -> Outcome {
    let four = match given(c, 0)? {
        IpAddr::V4(a) => a,
        IpAddr::V6(a) => a.to_ipv4_mapped().ok_or_else(|| Fail::from("not an IPv4 address"))?,
    };
    Ok(bytes(c, &four.octets()))
}

pub(super) fn to_ip16(c: &mut Call<'_>) -> Outcome {
    let sixteen = match given(c, 0)? {
        IpAddr::V4(a) => a.to_ipv6_mapped(),
        IpAddr::V6(a) => a,
    };
    Ok(bytes(c, &sixteen.octets()))
}

pub(super) fn parse_ip(c: &mut Call<'_>) -> Outcome {
    Ok(match given(c, 0)? {
        IpAddr::V4(a) => bytes(c, &a.octets()),
        IpAddr::V6(a) => bytes(c, &a.octets()),
    })
}

pub(super) fn ip_string(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(given(c, 0)?.to_string()))
}

fn cidr(text: &str) -> Option<(IpAddr, u32)> {
    let (addr, bits) = text.split_once('/')?;
    let addr: IpAddr = addr.parse().ok()?;
    let plain = !bits.is_empty()
        && bits.bytes().all(|b| b.is_ascii_digit())
        && (bits == "0" || !bits.starts_with('0'));
    let bits: u32 = bits.parse().ok()?;
    (plain && bits <= if addr.is_ipv4() { 32 } else { 128 }).then_some((addr, bits))
}

pub(super) fn ip_cidr(c: &mut Call<'_>) -> Outcome {
    match cidr(&c.text(0)?) {
        Some(_) => Ok(Value::Bool(true)),
        None => Err("invalid CIDR address".into()),
    }
}

fn masked(addr: IpAddr, bits: u32) -> IpAddr {
    match addr {
        IpAddr::V4(a) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(a) & mask))
        }
        IpAddr::V6(a) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::V6((u128::from(a) & mask).into())
        }
    }
}

pub(super) fn in_cidr(c: &mut Call<'_>) -> Outcome {
    let addr = given(c, 0)?;
    let (net, bits) = cidr(&c.text(1)?).ok_or_else(|| Fail::from("invalid CIDR address"))?;
    Ok(Value::Bool(addr.is_ipv4() == net.is_ipv4() && masked(addr, bits) == masked(net, bits)))
}

//! Packages `net`, `net/url`, `html` and `uuid`: the checks and conversions of text.

use std::net::{IpAddr, Ipv4Addr};

use super::{Call, Fail, Outcome};
use crate::value::Value;

fn ip_of(c: &Call<'_>, i: usize) -> Option<IpAddr> {
    c.text(i).ok()?.parse().ok()
}

fn check(c: &Call<'_>, test: impl Fn(IpAddr) -> bool) -> Outcome {
    Ok(Value::Bool(ip_of(c, 0).is_some_and(test)))
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

pub(super) fn unspecified(c: &mut Call<'_>) -> Outcome {
    check(c, |a| a.is_unspecified())
}

pub(super) fn to_ip4(c: &mut Call<'_>) -> Outcome {
    match ip_of(c, 0) {
        Some(IpAddr::V4(a)) => Ok(Value::string(a.to_string())),
        Some(IpAddr::V6(a)) => match a.to_ipv4_mapped() {
            Some(a) => Ok(Value::string(a.to_string())),
            None => Err("not an IPv4 address".into()),
        },
        None => Err("invalid IP address".into()),
    }
}

pub(super) fn parse_ip(c: &mut Call<'_>) -> Outcome {
    match ip_of(c, 0) {
        Some(a) => Ok(Value::string(a.to_string())),
        None => Err("invalid IP address".into()),
    }
}

fn cidr(text: &str) -> Option<(IpAddr, u32)> {
    let (addr, bits) = text.split_once('/')?;
    let addr: IpAddr = addr.parse().ok()?;
    let bits: u32 = bits.parse().ok()?;
    (bits <= if addr.is_ipv4() { 32 } else { 128 }).then_some((addr, bits))
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
    let addr = ip_of(c, 0).ok_or_else(|| Fail::from("invalid IP address"))?;
    let (net, bits) = cidr(&c.text(1)?).ok_or_else(|| Fail::from("invalid CIDR address"))?;
    Ok(Value::Bool(addr.is_ipv4() == net.is_ipv4() && masked(addr, bits) == masked(net, bits)))
}

pub(super) fn fqdn(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let name = text.strip_suffix('.').unwrap_or(&text);
    let ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    Ok(Value::Bool(name.len() <= 253 && name.split('.').all(ok)))
}

pub(super) fn split_host_port(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| Fail::Eval(format!("address {text}: missing port in address")))?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner
            .strip_suffix(']')
            .ok_or_else(|| Fail::Eval(format!("address {text}: missing ']' in address")))?,
        None if host.contains(':') => {
            return Err(Fail::Eval(format!("address {text}: too many colons in address")));
        }
        None => host,
    };
    let pair = [host.to_owned(), port.to_owned()];
    Ok(c.text_list(pair))
}

pub(super) fn join_host_port(c: &mut Call<'_>) -> Outcome {
    let host = c.text(0)?;
    let port = match &c.args[1] {
        Value::Number(n) => n.to_string(),
        _ => c.text(1)?,
    };
    Ok(Value::string(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }))
}

fn escape(text: &str, plain: impl Fn(u8) -> bool, space_plus: bool) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        if b == b' ' && space_plus {
            out.push('+');
        } else if b.is_ascii_alphanumeric() || plain(b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

fn unescape(text: &str, plus_space: bool) -> Result<String, Fail> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'%' => {
                let hex = text.get(i + 1..i + 3).and_then(|h| u8::from_str_radix(h, 16).ok());
                out.push(hex.ok_or_else(|| Fail::Eval(format!("invalid URL escape in {text:?}")))?);
                i += 2;
            }
            b'+' if plus_space => out.push(b' '),
            b => out.push(b),
        }
        i += 1;
    }
    String::from_utf8(out).map_err(|_| "not valid UTF-8".into())
}

pub(super) fn query_escape(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(query_escaped(&c.text(0)?)))
}

pub(super) fn query_escaped(text: &str) -> String {
    escape(text, |b| b"-_.~".contains(&b), true)
}

pub(super) fn path_escape(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(escape(&c.text(0)?, |b| b"-_.~$&+:=@".contains(&b), false)))
}

pub(super) fn query_unescape(c: &mut Call<'_>) -> Outcome {
    unescape(&c.text(0)?, true).map(Value::string)
}

pub(super) fn path_unescape(c: &mut Call<'_>) -> Outcome {
    unescape(&c.text(0)?, false).map(Value::string)
}

pub(super) fn url(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let ok = !text.contains(|ch: char| ch.is_control() || ch == ' ')
        && !text.starts_with(':')
        && unescape(&text, false).is_ok();
    Ok(Value::Bool(ok))
}

pub(super) fn abs_url(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let scheme = text.split(':').next().unwrap_or("");
    let ok = text.contains(':')
        && scheme.starts_with(|ch: char| ch.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        && !text.contains(|ch: char| ch.is_control() || ch == ' ');
    Ok(Value::Bool(ok))
}

pub(super) fn html_escape(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let text = text.replace('&', "&amp;").replace('\'', "&#39;").replace('<', "&lt;");
    Ok(Value::string(text.replace('>', "&gt;").replace('"', "&#34;")))
}

pub(super) fn html_unescape(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", "\"").replace("&quot;", "\"");
    Ok(Value::string(text.replace("&#39;", "'").replace("&apos;", "'").replace("&amp;", "&")))
}

fn uuid_parts(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split('-').collect();
    let lens: Vec<usize> = groups.iter().map(|g| g.len()).collect();
    let hex = groups.iter().all(|g| g.bytes().all(|b| b.is_ascii_hexdigit()));
    (lens == [8, 4, 4, 4, 12] && hex).then(|| groups.concat().to_lowercase())
}

pub(super) fn uuid_valid(c: &mut Call<'_>) -> Outcome {
    match uuid_parts(&c.text(0)?) {
        Some(_) => Ok(Value::Bool(true)),
        None => Err("invalid UUID".into()),
    }
}

pub(super) fn uuid_parse(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?.to_lowercase();
    uuid_parts(&text).map(|_| Value::string(text)).ok_or_else(|| "invalid UUID".into())
}

//! Where calls may go: [`Access`]. A workflow chooses URIs, often from data; this is what keeps it from turning the
//! machine it runs on into a way into the network behind it (server-side request forgery).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use url::{Host, Url};

use crate::CallError;

/// A place a call is about to connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host name, or address as text (IPv6 without brackets).
    pub host: &'a str,
    /// Port.
    pub port: u16,
}

/// Asked before every connection and at every redirect. `Err` refuses, with the reason.
pub type Check = Arc<dyn Fn(&Destination<'_>) -> Result<(), String> + Send + Sync>;

/// Which addresses a host name may stand for. Checked after the name is resolved, on the very addresses that are
/// then connected to, so a name cannot change its meaning in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addresses {
    /// All but link-local (where clouds keep their metadata services), multicast and unspecified ones.
    #[default]
    NotLinkLocal,
    /// Only what is routed on the internet: no loopback, private, shared or unique-local ones either.
    PublicOnly,
    /// All.
    Any,
}

/// How far one call reaches.
#[derive(Debug, Clone)]
pub enum Reach {
    /// To these hosts, as patterns (see [`Access::only`]), with any method.
    Hosts(Vec<String>),
    /// As far as policy granted: to hosts, by methods.
    Granted(Arc<policy::Granted>),
}

impl Reach {
    fn covers(&self, method: &str, url: &Url, (name, port): (&str, u16)) -> bool {
        match self {
            Self::Hosts(patterns) => patterns.iter().any(|pattern| matches(pattern, name, port)),
            Self::Granted(granted) => granted.allows_request(method, url.as_str()),
        }
    }
}

/// Which hosts may be called. A call goes through when its host is granted (to the call, or to all calls here)
/// *and* the check, if there is one, agrees *and* the address is allowed.
#[derive(Clone, Default)]
pub struct Access {
    hosts: Vec<String>,
    check: Option<Check>,
    addresses: Addresses,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("hosts", &self.hosts)
            .field("check", &self.check.is_some())
            .field("addresses", &self.addresses)
            .finish()
    }
}

impl Access {
    /// Every host may be called. Link-local addresses still may not.
    pub fn any() -> Self {
        Self::only(["*"])
    }

    /// Hosts that every call may reach in addition to what is granted to it: `api.example.org`,
    /// `*.example.org` (every host below), `localhost:8080` (one port only), `*`.
    pub fn only<T: Into<String>>(hosts: impl IntoIterator<Item = T>) -> Self {
        Self { hosts: hosts.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Asks `check` as well.
    #[must_use]
    pub fn checked(mut self, check: Check) -> Self {
        self.check = Some(check);
        self
    }

    /// Restricts addresses otherwise.
    #[must_use]
    pub fn addresses(mut self, addresses: Addresses) -> Self {
        self.addresses = addresses;
        self
    }

    pub(crate) fn address_rule(&self) -> Addresses {
        self.addresses
    }

    /// Whether a request may be sent by a call that reaches this far.
    pub(crate) fn admit(&self, method: &str, url: &Url, reach: &Reach) -> Result<(), CallError> {
        let port = url.port_or_known_default().unwrap_or(0);
        let (name, literal) = match url.host() {
            Some(Host::Domain(name)) => (name.trim_end_matches('.').to_owned(), None),
            Some(Host::Ipv4(address)) => (address.to_string(), Some(IpAddr::V4(address))),
            Some(Host::Ipv6(address)) => (address.to_string(), Some(IpAddr::V6(address))),
            None => return Err(CallError::BadCall(format!("{} names no host", shown(url)))),
        };
        let refuse = |why: String| CallError::Forbidden { target: format!("{name}:{port}"), why };
        let everybodys = self.hosts.iter().any(|pattern| matches(pattern, &name, port));
        if !everybodys && !reach.covers(method, url, (&name, port)) {
            return Err(refuse(format!("{method} to this host is not granted")));
        }
        if let Some(check) = &self.check {
            check(&Destination { scheme: url.scheme(), host: &name, port }).map_err(refuse)?;
        }
        match literal {
            Some(address) => self.addresses.admit(address).map_err(|why| refuse(why.to_owned())),
            None => Ok(()),
        }
    }
}

impl Addresses {
    /// Whether `address` may be connected to, or why not.
    pub(crate) fn admit(self, address: IpAddr) -> Result<(), &'static str> {
        // ::ffff:169.254.169.254 is 169.254.169.254
        let address = address.to_canonical();
        if self == Self::Any {
            return Ok(());
        }
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            // AWS serves metadata on a unique-local address too
            IpAddr::V6(v6) => {
                v6.is_unicast_link_local() || v6.segments()[..] == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
            }
        };
        if link_local {
            return Err("link-local addresses are not called");
        }
        if address.is_multicast() || address.is_unspecified() || is_broadcast(address) {
            return Err("the address is not one host's");
        }
        if self == Self::PublicOnly && is_internal(address) {
            return Err("only addresses on the internet may be called");
        }
        Ok(())
    }

    /// Whether `address`, for which `name` stands, may be connected to, or why not. This machine itself is reached only
    /// by a name that says so: whoever owns any other name could make it stand for what listens here.
    pub(crate) fn admit_named(self, name: &str, address: IpAddr) -> Result<(), &'static str> {
        self.admit(address)?;
        if self != Self::Any && address.to_canonical().is_loopback() && !is_local_name(name) {
            return Err("that is this machine, which only localhost or the address itself may name");
        }
        Ok(())
    }
}

/// RFC 6761, 6.3.
fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}

fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_loopback()
                || v4.is_private()
                || v4.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b))
        }
        // 64:ff9b::/96 and 2002::/16 lead to IPv4 addresses that are not seen here
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unique_local()
                || matches!(v6.segments(), [0x64, 0xff9b, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..])
        }
    }
}

fn matches(pattern: &str, host: &str, port: u16) -> bool {
    // an IPv6 address has colons of its own, and then no port
    let (name, wanted) = match pattern.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') => match digits.parse::<u16>() {
            Ok(number) => (name, Some(number)),
            Err(_) => return false,
        },
        _ => (pattern, None),
    };
    if wanted.is_some_and(|number| number != port) {
        return false;
    }
    match name.strip_prefix("*.") {
        Some(parent) => host
            .len()
            .checked_sub(parent.len() + 1)
            .is_some_and(|cut| host.as_bytes()[cut] == b'.' && host[cut + 1..].eq_ignore_ascii_case(parent)),
        None => name == "*" || name.eq_ignore_ascii_case(host),
    }
}

/// A URI as it may be shown: without user information, query and fragment, where credentials hide.
pub(crate) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // both fail only for URLs that cannot have user information in the first place
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(access: &Access, granted: &[&str], uri: &str) -> bool {
        let granted: Vec<String> = granted.iter().map(|&host| host.to_owned()).collect();
        access.admit("GET", &uri.parse().unwrap(), &Reach::Hosts(granted)).is_ok()
    }

    #[test]
    fn hosts_are_granted_by_name_subdomain_and_port() {
        let none = Access::default();
        for (pattern, uri, expected) in [
            ("api.example.org", "https://api.example.org/x", true),
            ("api.example.org", "https://API.example.ORG./x", true),
            ("api.example.org", "https://evil-api.example.org/", false),
            ("api.example.org", "https://api.example.org.evil.net/", false),
            ("*.example.org", "https://a.b.example.org/", true),
            ("*.example.org", "https://example.org/", false),
            ("*.example.org", "https://badexample.org/", false),
            ("localhost:8080", "http://localhost:8080/", true),
            ("localhost:8080", "http://localhost:8081/", false),
            ("example.org:443", "https://example.org/", true),
            ("::1", "http://[::1]:80/", true),
            ("*", "http://anything/", true),
            ("example.org:x", "https://example.org/", false),
        ] {
            assert_eq!(admit(&none, &[pattern], uri), expected, "{pattern} {uri}");
        }
        assert!(!admit(&none, &[], "https://example.org/"));
        assert!(admit(&Access::any(), &[], "https://example.org/"));
    }

    #[test]
    fn addresses_hide_in_no_notation() {
        let any = Access::any();
        for uri in [
            "http://169.254.169.254/latest/meta-data",
            "http://2852039166/",
            "http://0xa9.0xfe.0xa9.0xfe/",
            "http://[::ffff:169.254.169.254]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "http://0.0.0.0/",
            "http://255.255.255.255/",
            "http://224.0.0.1/",
        ] {
            assert!(!admit(&any, &[], uri), "{uri}");
        }
        assert!(admit(&any, &[], "http://127.0.0.1/"));
        let public = Access::any().addresses(Addresses::PublicOnly);
        for uri in [
            "http://127.1/",
            "http://10.0.0.1/",
            "http://192.168.1.1/",
            "http://100.64.0.1/",
            "http://[::1]/",
            "http://[fc00::1]/",
            "http://[64:ff9b::a00:1]/",
            "http://[2002:a00:1::]/",
            "http://[::ffff:10.0.0.1]/",
        ] {
            assert!(!admit(&public, &[], uri), "{uri}");
        }
        assert!(admit(&public, &[], "http://1.1.1.1/"));
        assert!(admit(&public, &[], "http://[2606:4700::1]/"));
    }

    #[test]
    fn the_check_has_the_last_word() {
        let access = Access::any()
            .checked(Arc::new(|to| if to.port == 22 { Err("no ssh".to_owned()) } else { Ok(()) }));
        assert!(admit(&access, &[], "http://example.org/"));
        assert!(!admit(&access, &["*"], "http://example.org:22/"));
    }

    #[test]
    fn shown_uris_hold_no_credentials() {
        let url: Url = "https://user:pw@example.org/path?token=x#frag".parse().unwrap();
        assert_eq!(shown(&url), "https://example.org/path");
    }
}

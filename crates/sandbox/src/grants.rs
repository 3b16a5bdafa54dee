//! What a project lets an action use: [`Grants`], nothing by default.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::limits::{MAX_GRANTS, NAMESPACE_BYTES};
use crate::{Capability, SandboxError};

/// One thing a project grants.
///
/// The text form is what a project writes:
///
/// | text | grants |
/// | --- | --- |
/// | `log`, `clock`, `random` | that capability |
/// | `kv:NAMESPACE`, `kv:NAMESPACE read` | a key-value namespace, or reading from it |
/// | `http:HOST[:PORT] [METHOD ...]` | requests to that host; every method unless some are named |
///
/// Without a port, 80 is meant for `http` and 443 for `https`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Log lines.
    Log,
    /// The time.
    Clock,
    /// Random bytes.
    Random,
    /// A namespace of the key-value store.
    Kv(KvGrant),
    /// One host.
    Http(HostGrant),
}

/// A namespace of the key-value store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvGrant {
    /// Its name. Two actions with the same namespace share their keys.
    pub namespace: String,
    /// Whether values may be set and deleted.
    pub write: bool,
}

/// One host, and what may be asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostGrant {
    host: Host<String>,
    port: Option<u16>,
    methods: BTreeSet<String>,
}

impl HostGrant {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut words = text.split_ascii_whitespace();
        let address = words.next().ok_or("a host is missing")?;
        if address.contains("//") || address.contains(['/', '@', '?', '#', '\\', '*', '%']) {
            return Err("write a plain HOST or HOST:PORT, without scheme, path, user or wildcard");
        }
        let (host, port) = match address.rsplit_once(':') {
            // the colons of an IPv6 address are inside its brackets
            Some((host, port)) if !port.ends_with(']') => {
                let port = port
                    .parse::<u16>()
                    .ok()
                    .filter(|p| *p != 0)
                    .ok_or("the port is not a number from 1 to 65535")?;
                (host, Some(port))
            }
            _ => (address, None),
        };
        let host = Host::parse(host).map_err(|_| "the host is not a name or an address")?;
        let mut methods = BTreeSet::new();
        for method in words {
            if !is_method(method) {
                return Err("a method is an HTTP token in capitals, and neither CONNECT nor TRACE");
            }
            methods.insert(method.to_owned());
        }
        Ok(Self { host, port, methods })
    }

    fn allows(&self, method: &str, url: &Url) -> bool {
        let default = match url.scheme() {
            "http" => 80,
            "https" => 443,
            _ => return false,
        };
        url.host().is_some_and(|host| host.to_owned() == self.host)
            && url.port().unwrap_or(default) == self.port.unwrap_or(default)
            && (self.methods.is_empty() || self.methods.contains(method))
    }
}

/// Whether `text` may be the method of a request.
pub(crate) fn is_method(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        && !matches!(text, "CONNECT" | "TRACE")
}

impl FromStr for Grant {
    type Err = SandboxError;

    fn from_str(text: &str) -> Result<Self, SandboxError> {
        let refuse = |why: &'static str| SandboxError::BadGrant { grant: text.to_owned(), why };
        match text {
            "log" => return Ok(Self::Log),
            "clock" => return Ok(Self::Clock),
            "random" => return Ok(Self::Random),
            _ => {}
        }
        match text.split_once(':') {
            Some(("http", rest)) => HostGrant::parse(rest).map(Self::Http).map_err(refuse),
            Some(("kv", rest)) => {
                let (namespace, write) =
                    rest.strip_suffix(" read").map_or((rest, true), |name| (name, false));
                let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
                if namespace.is_empty() || namespace.len() > NAMESPACE_BYTES || !namespace.bytes().all(plain)
                {
                    return Err(refuse("a namespace is letters, digits and - _ . / only"));
                }
                Ok(Self::Kv(KvGrant { namespace: namespace.to_owned(), write }))
            }
            _ => Err(refuse("expected log, clock, random, kv:NAMESPACE or http:HOST")),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => f.write_str("log"),
            Self::Clock => f.write_str("clock"),
            Self::Random => f.write_str("random"),
            Self::Kv(kv) => write!(f, "kv:{}{}", kv.namespace, if kv.write { "" } else { " read" }),
            Self::Http(http) => {
                write!(f, "http:{}", http.host)?;
                if let Some(port) = http.port {
                    write!(f, ":{port}")?;
                }
                http.methods.iter().try_for_each(|method| write!(f, " {method}"))
            }
        }
    }
}

/// Everything one action may use. Given by the project, never read from a package; the default is nothing.
///
/// ```
/// # use sandbox::{Capability, Grants};
/// let grants = Grants::parse(["log", "http:api.example.org GET HEAD"])?;
/// assert!(grants.has(Capability::Http) && !grants.has(Capability::Clock));
/// # Ok::<(), sandbox::SandboxError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    log: bool,
    clock: bool,
    random: bool,
    kv: Option<KvGrant>,
    http: Vec<HostGrant>,
}

impl Grants {
    /// Nothing at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// Grants from their text form.
    ///
    /// # Errors
    /// [`SandboxError::BadGrant`] names the first one that is not valid, a second `kv` grant, or the one too many.
    pub fn parse<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Result<Self, SandboxError> {
        let mut grants = Self::default();
        for (count, text) in texts.into_iter().enumerate() {
            let text = text.as_ref();
            let refuse = |why| Err(SandboxError::BadGrant { grant: text.to_owned(), why });
            if count == MAX_GRANTS {
                return refuse("an action can hold 256 grants");
            }
            match text.parse()? {
                Grant::Log => grants.log = true,
                Grant::Clock => grants.clock = true,
                Grant::Random => grants.random = true,
                Grant::Kv(_) if grants.kv.is_some() => {
                    return refuse("an action has one key-value namespace");
                }
                Grant::Kv(kv) => grants.kv = Some(kv),
                Grant::Http(host) => grants.http.push(host),
            }
        }
        Ok(grants)
    }

    /// Whether the capability is granted at all.
    pub fn has(&self, capability: Capability) -> bool {
        match capability {
            Capability::Log => self.log,
            Capability::Clock => self.clock,
            Capability::Random => self.random,
            Capability::Kv => self.kv.is_some(),
            Capability::Http => !self.http.is_empty(),
        }
    }

    /// The key-value namespace.
    pub fn kv(&self) -> Option<&KvGrant> {
        self.kv.as_ref()
    }

    /// Whether a request is within the grants. `url` must be the parsed form that is then sent.
    pub fn allows(&self, method: &str, url: &Url) -> bool {
        self.http.iter().any(|grant| grant.allows(method, url))
    }

    /// The grants as texts, for records.
    pub fn to_texts(&self) -> Vec<String> {
        let plain = [(self.log, Grant::Log), (self.clock, Grant::Clock), (self.random, Grant::Random)];
        let plain = plain.into_iter().filter_map(|(given, grant)| given.then_some(grant));
        let kv = self.kv.clone().map(Grant::Kv);
        plain
            .chain(kv)
            .chain(self.http.iter().cloned().map(Grant::Http))
            .map(|grant| grant.to_string())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive_a_round_trip() {
        for text in
            ["log", "clock", "random", "kv:team/a", "kv:x read", "http:a.example", "http:[::1]:8080 GET POST"]
        {
            assert_eq!(text.parse::<Grant>().unwrap().to_string(), text);
        }
        let texts = ["log", "kv:x read", "http:a.example:8443"];
        assert_eq!(Grants::parse(texts).unwrap().to_texts(), texts);
    }

    #[test]
    fn bad_grants_are_refused() {
        for text in [
            "",
            "all",
            "http:",
            "http:https://a.example",
            "http:*.example",
            "http:user@a.example",
            "http:a.example/path",
            "http:a.example:0",
            "http:a.example:65536",
            "http:a.example get",
            "http:a.example CONNECT",
            "kv:",
            "kv:a b",
        ] {
            assert!(matches!(text.parse::<Grant>(), Err(SandboxError::BadGrant { .. })), "{text}");
        }
        assert!(Grants::parse(["kv:a", "kv:b"]).is_err());
        assert!(Grants::parse(std::iter::repeat_n("log", MAX_GRANTS + 1)).is_err());
    }

    #[test]
    fn hosts_ports_and_methods_are_matched_in_their_canonical_form() {
        let grants =
            Grants::parse(["http:Api.Example.ORG GET", "http:127.0.0.1:8080", "http:bücher.example"])
                .unwrap();
        let table = [
            ("GET", "https://api.example.org/x", true),
            ("GET", "http://API.EXAMPLE.org:80/", true),
            ("POST", "https://api.example.org/x", false),
            ("GET", "https://api.example.org:8443/", false),
            ("GET", "https://api.example.org.evil.example/", false),
            ("GET", "https://evil.example/api.example.org", false),
            ("POST", "http://127.0.0.1:8080/", true),
            ("POST", "http://0x7f.1:8080/", true),
            ("POST", "http://127.0.0.1/", false),
            ("GET", "https://xn--bcher-kva.example/", true),
            ("GET", "ftp://127.0.0.1:8080/", false),
        ];
        for (method, url, allowed) in table {
            assert_eq!(grants.allows(method, &url.parse().unwrap()), allowed, "{method} {url}");
        }
        assert!(!Grants::none().allows("GET", &"https://api.example.org/".parse().unwrap()));
    }
}

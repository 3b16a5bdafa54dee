//! [`ClientProbes`]: tests of ports and URLs, made from this machine.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use engine::ports::{Cancellation, Secret, SecretError, Secrets};
use provider::Probes;
use provider::exchange::{Answer, Fault, Query};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use crate::access::Reach;
use crate::resolve::sift;
use crate::{CallError, Client, RawRequest, Scope, limits};

/// Methods that only look.
const METHODS: [&str; 2] = ["GET", "HEAD"];

/// Carries out probes with the rules of a [`Client`]: names are resolved and sifted as for every other call, redirects are not
/// followed, nothing is retried, and only places that were granted are reached.
///
/// What cannot be probed is [`Answer::Fault`] with the code `unreachable`, `timeout`, `not_granted` (nothing was sent),
/// `invalid` or `protocol`.
#[derive(Debug, Clone)]
pub struct ClientProbes {
    client: Client,
    /// None: whoever asks has checked it.
    granted: Option<BTreeSet<(String, u16)>>,
}

impl ClientProbes {
    /// Probes that reach what `capabilities` say, as plans show them: `tcp:HOST:PORT` and `http:URL`. Others grant nothing here.
    pub fn new<'a>(client: Client, capabilities: impl IntoIterator<Item = &'a str>) -> Self {
        Self { client, granted: Some(capabilities.into_iter().filter_map(place).collect()) }
    }

    /// Probes for callers that hold every query to what its resource declares, as [`provider::inspect`] does
    /// ([`provider::Needs::allow_query`]). What no call reaches, these do not either.
    pub fn as_declared(client: Client) -> Self {
        Self { client, granted: None }
    }

    fn allows(&self, host: &str, port: u16) -> bool {
        self.granted.as_ref().is_none_or(|granted| granted.contains(&(plain(host), port)))
    }

    async fn connect(&self, host: &str, port: u16, timeout: Duration) -> Answer {
        if !self.allows(host, port) {
            return fault("not_granted", format!("a connection to {host}:{port} is not granted"));
        }
        if timeout.is_zero() || timeout > limits::CALL_TIMEOUT_MAX {
            return fault("invalid", format!("a probe cannot take {timeout:?}"));
        }
        let begun = Instant::now();
        match timeout_at(begun + timeout, self.reach(host, port)).await {
            Ok(Ok(())) => Answer::Connected(milliseconds(begun)),
            Ok(Err(refused)) => refused,
            Err(_) => fault("timeout", format!("{host}:{port} took no connection within {timeout:?}")),
        }
    }

    async fn reach(&self, host: &str, port: u16) -> Result<(), Answer> {
        let unreachable =
            |why: String| fault("unreachable", format!("{host}:{port} cannot be reached: {why}"));
        let mut last = "the name stands for no address".to_owned();
        for address in self.addresses(host, port).await? {
            match TcpStream::connect(address).await {
                Ok(_) => return Ok(()),
                Err(error) => last = error.to_string(),
            }
        }
        Err(unreachable(last))
    }

    /// The addresses that a host stands for and that may be connected to.
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Answer> {
        let config = self.client.config();
        if let Some(mapped) = config.host_map.get(&plain(host)) {
            return Ok(vec![*mapped]);
        }
        let refused = |why: String| fault("not_granted", why);
        let rule = config.access.address_rule();
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            rule.admit(address).map_err(|why| refused(format!("{host}: {why}")))?;
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let found = tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| fault("unreachable", format!("{host} cannot be resolved: {error}")))?;
        sift(host, found, rule).map_err(|error| refused(error.to_string()))
    }

    async fn request(&self, query: &Query) -> Answer {
        let Query::Http { method, url, headers, timeout_ms, body_max } = query else {
            return fault("invalid", "this is not a request".to_owned());
        };
        let Ok(url) = Url::parse(url) else { return fault("invalid", "the URL cannot be read".to_owned()) };
        let place = url.host_str().zip(url.port_or_known_default());
        if !place.is_some_and(|(host, port)| self.allows(host, port)) {
            return fault(
                "not_granted",
                format!("a request to {} is not granted", crate::access::shown(&url)),
            );
        }
        if !METHODS.contains(&method.as_str()) {
            return fault("not_granted", "a probe only looks: GET or HEAD".to_owned());
        }
        let request = RawRequest {
            method: method.clone(),
            headers: headers.clone(),
            body: None,
            timeout: Duration::from_millis((*timeout_ms).into()),
            bytes_max: usize::try_from(*body_max).unwrap_or(usize::MAX),
            url,
        };
        let (_canceller, never) = Cancellation::new();
        let reach = Reach::Hosts(pattern(&request.url).into_iter().collect());
        let scope = Scope { reach, idempotency_key: None, secrets: &NoSecrets, cancellation: never };
        let begun = Instant::now();
        match self.client.raw_body(request, &scope, true).await {
            Ok(response) => Answer::Responded {
                status: response.status,
                headers: response.headers,
                body: response.body,
                elapsed_ms: milliseconds(begun),
            },
            Err(error) => fault(word(&error), error.to_string()),
        }
    }
}

impl Probes for ClientProbes {
    fn tcp<'a>(&'a self, host: &'a str, port: u16, timeout: Duration) -> provider::BoxFuture<'a, Answer> {
        Box::pin(self.connect(host, port, timeout))
    }

    fn http<'a>(&'a self, probe: &'a Query) -> provider::BoxFuture<'a, Answer> {
        Box::pin(self.request(probe))
    }
}

/// Probes send no credentials of ours.
struct NoSecrets;

impl Secrets for NoSecrets {
    fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
        Err(SecretError { name: name.to_owned(), why: "probes have no secrets".to_owned() })
    }
}

/// Host and port that a capability grants.
fn place(capability: &str) -> Option<(String, u16)> {
    if let Some(place) = capability.strip_prefix("tcp:") {
        let (host, port) = place.rsplit_once(':')?;
        return Some((plain(host), port.parse().ok()?));
    }
    let url = Url::parse(capability.strip_prefix("http:")?).ok()?;
    Some((plain(url.host_str()?), url.port_or_known_default()?))
}

/// A host as it is compared: in lower case, without the brackets of an address and without the root's dot.
fn plain(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// What lets the client send to exactly this place.
fn pattern(url: &Url) -> Option<String> {
    let port = url.port_or_known_default()?;
    Some(match url.host()? {
        // its colons leave no room for a port
        Host::Ipv6(address) => address.to_string(),
        Host::Ipv4(address) => format!("{address}:{port}"),
        Host::Domain(name) => format!("{}:{port}", name.trim_end_matches('.')),
    })
}

fn word(error: &CallError) -> &'static str {
    match error {
        CallError::Timeout { .. } => "timeout",
        CallError::Forbidden { .. } => "not_granted",
        CallError::BadCall(_) | CallError::BadParameter(_) => "invalid",
        CallError::Unreachable { .. } | CallError::Broken { .. } => "unreachable",
        _ => "protocol",
    }
}

fn fault(code: &str, message: String) -> Answer {
    Answer::Fault(Fault { code: code.to_owned(), message })
}

fn milliseconds(begun: Instant) -> u32 {
    u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_grants_one_place() {
        for (capability, expected) in [
            ("tcp:db:5432", Some(("db", 5432))),
            ("tcp:DB.example.org.:5432", Some(("db.example.org", 5432))),
            ("tcp:::1:22", Some(("::1", 22))),
            ("tcp:[::1]:22", Some(("::1", 22))),
            ("http:https://shop.example.org/health", Some(("shop.example.org", 443))),
            ("http:http://[::1]:8080/", Some(("::1", 8080))),
            ("tcp:db", None),
            ("tcp:db:x", None),
            ("http:not a url", None),
            ("write:/etc", None),
        ] {
            assert_eq!(
                place(capability),
                expected.map(|(host, port)| (host.to_owned(), port)),
                "{capability}"
            );
        }
    }
}

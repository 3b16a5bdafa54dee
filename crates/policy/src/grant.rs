//! What actions may reach. What is not granted is denied; the only thing a WASM action has without a grant is
//! the log ([`WASM_DEFAULT`]).
//!
//! What an action needs is taken from what it declares ([`Action::wants`]) **and** from its kind and input, so an
//! action that forgets to declare is not let through: a `run.shell` needs `run:shell`, an `http.call` needs the host
//! of its `uri`, and so on.

use model::{Action, Diagnostic, time::SignedDuration, time::parse_duration};
use serde_json::Value;
use url::Url;

use crate::file::{GrantFile, LimitsFile};
use crate::limits;
use crate::matching::{Match, Patterns, Seen, glob};
use crate::source::{At, bad_policy};

/// What a WASM action has without any grant.
pub const WASM_DEFAULT: &[&str] = &["log"];

/// Kinds of actions that need the grant beside them.
const KINDS: &[(&str, &str)] = &[
    ("run.shell", "run:shell"),
    ("run.script", "run:script"),
    ("run.container", "run:container"),
    ("run.workflow", "run:workflow"),
];

/// What actions may declare without a grant, because it reaches nothing that is not granted elsewhere: to call an
/// installed WASM action (what that may reach is granted to it by name), to publish an event, to tell people, to ask a host
/// what it is.
const SAFE: &[&str] = &["event:", "notify:", "wasm:", "facts"];

/// What changes of resources do on a host, and the grants that let them.
const ON_HOSTS: &[(&str, &[&str])] = &[
    ("read", &["read", "write"]),
    ("write", &["write"]),
    ("parents", &["write"]),
    ("query", &["query", "exec"]),
    ("exec", &["exec"]),
    ("tcp", &["tcp"]),
];

/// What one call of a WASM action may use, where policy says so; the sandbox's defaults otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActionLimits {
    /// Linear memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Wall-clock time.
    pub time: Option<SignedDuration>,
    /// Instructions.
    pub fuel: Option<u64>,
    /// Size of the output in bytes.
    pub output_bytes: Option<u64>,
    /// HTTP requests.
    pub http_requests: Option<u32>,
}

/// What an action is granted. Performers enforce it again where the world can move under them (redirects, servers
/// named by an OpenAPI document, hosts a WASM action asks for).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    /// In the text form of `policy.yaml`, in its order, without duplicates: `log`, `http:api.example.org GET`.
    pub capabilities: Vec<String>,
    /// For WASM actions.
    pub limits: ActionLimits,
}

impl Granted {
    /// Whether an HTTP request is within the grants. `url` must be what is then sent.
    pub fn allows_request(&self, method: &str, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        Host::of(&url).is_some_and(|host| {
            self.capabilities
                .iter()
                .filter_map(|text| HttpGrant::parse(text.strip_prefix("http:")?).ok())
                .any(|grant| grant.covers(&host, Some(method)))
        })
    }
}

/// One entry of `grants`.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) rule: String,
    matching: Match,
    wasm: Patterns,
    capabilities: Vec<String>,
    limits: ActionLimits,
}

impl Grant {
    /// What it grants, in a few words.
    pub(crate) fn says(&self) -> String {
        let actions = self.wasm.iter().map(|name| format!("wasm {name}"));
        actions.chain(self.capabilities.iter().cloned()).collect::<Vec<_>>().join(", ")
    }
}

/// A host as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    name: String,
    port: u16,
    /// The port that is meant when a grant names none.
    default_port: Option<u16>,
}

impl Host {
    fn of(url: &Url) -> Option<Self> {
        let default = match url.scheme() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let name = url.host_str()?.to_owned();
        Some(Self { name, port: url.port().unwrap_or(default), default_port: Some(default) })
    }
}

/// Which ports a grant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    /// 80 for `http`, 443 for `https`.
    Default,
    Any,
    Only(u16),
}

/// `HOST[:PORT] [METHOD ...]`; the host may hold `*`, the port may be `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HttpGrant {
    host: String,
    port: Port,
    methods: Vec<String>,
}

impl HttpGrant {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut words = text.split_ascii_whitespace();
        let address = words.next().ok_or("a host is missing after http:")?;
        if address.contains(['/', '@', '?', '#', '\\', '%']) {
            return Err("write http:HOST or http:HOST:PORT, without scheme, path or user");
        }
        let (host, port) = match address.rsplit_once(':') {
            // the colons of an IPv6 address are inside its brackets
            Some((host, "*")) => (host, Port::Any),
            Some((host, port)) if !port.ends_with(']') => {
                let number = port.parse::<u16>().ok().filter(|n| *n > 0);
                (host, Port::Only(number.ok_or("the port is neither * nor a number from 1 to 65535")?))
            }
            _ => (address, Port::Default),
        };
        let host = if host.contains('*') {
            let rest = host.strip_prefix("*.").unwrap_or(if host == "*" { "" } else { host });
            if rest.contains('*') {
                return Err("a wildcard is `*` alone or the first label, as in *.example.org");
            }
            match host.strip_prefix("*.").map(url::Host::parse) {
                Some(Ok(parent)) => format!("*.{parent}"),
                Some(Err(_)) => return Err("the host is not a name or an address"),
                None => host.to_lowercase(),
            }
        } else {
            url::Host::parse(host).map_err(|_| "the host is not a name or an address")?.to_string()
        };
        let mut methods = Vec::new();
        for method in words {
            if method.len() > 32 || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
                return Err("a method is written in capitals");
            }
            methods.push(method.to_owned());
        }
        Ok(Self { host, port, methods })
    }

    /// Without a method: whether any is granted.
    fn covers(&self, host: &Host, method: Option<&str>) -> bool {
        let named =
            if self.host.contains('*') { glob(&self.host, &host.name) } else { self.host == host.name };
        let port = match self.port {
            Port::Any => true,
            Port::Only(port) => port == host.port,
            Port::Default => host.default_port == Some(host.port),
        };
        let method = self.methods.is_empty()
            || method.is_none_or(|method| self.methods.iter().any(|m| m.eq_ignore_ascii_case(method)));
        named && port && method
    }
}

/// Something an action needs.
#[derive(Debug, Clone)]
enum Need {
    /// A request; shown as the text.
    Http { host: Host, method: Option<String>, text: String },
    /// A capability by its word.
    Word(String),
    /// Something on a host: the verbs that let it, what it is about, and the whole as a text.
    OnHost { by: &'static [&'static str], what: String, text: String },
    /// Something that cannot be made out, which nothing grants.
    Unknown(String),
}

impl Need {
    fn request(uri: &str, method: Option<&str>) -> Option<Self> {
        let Ok(url) = Url::parse(uri) else { return Some(Self::Unknown(format!("the host of `{uri}`"))) };
        if url.scheme() == "file" {
            return None;
        }
        let Some(host) = Host::of(&url) else {
            return Some(Self::Unknown(format!("a `{}` address", url.scheme())));
        };
        let shown = if host.default_port == Some(host.port) {
            host.name.clone()
        } else {
            format!("{}:{}", host.name, host.port)
        };
        let text = method.map_or_else(|| format!("http:{shown}"), |method| format!("http:{shown} {method}"));
        Some(Self::Http { host, method: method.map(str::to_owned), text })
    }

    /// Reads what a change of a resource does on a host.
    fn on_host(text: &str) -> Option<Self> {
        let (verb, what) = text.split_once(':')?;
        let (_, by) = ON_HOSTS.iter().find(|(known, _)| *known == verb)?;
        // a pattern that was never filled in means everything it could be, and so nothing that can be granted
        let vague = what.contains(['{', '}']) || what.split('/').any(|name| name == "..");
        if vague {
            return Some(Self::Unknown(format!("`{text}`")));
        }
        Some(Self::OnHost { by, what: what.to_owned(), text: text.to_owned() })
    }

    fn declared(text: &str) -> Self {
        if let Some(need) = Self::on_host(text) {
            return need;
        }
        if let Some(url) = text.strip_prefix("http:").filter(|rest| rest.contains("://")) {
            return Self::request(url, Some("GET")).unwrap_or_else(|| Self::Unknown(format!("`{text}`")));
        }
        let Some(rest) = text.strip_prefix("http:") else { return Self::Word(text.to_owned()) };
        match HttpGrant::parse(rest) {
            Ok(grant) if !grant.host.contains('*') && grant.port != Port::Any => {
                // what is declared has no scheme, so a default port is meant as either
                let (port, default_port) = match grant.port {
                    Port::Only(port) => (port, matches!(port, 80 | 443).then_some(port)),
                    Port::Default | Port::Any => (443, Some(443)),
                };
                let host = Host { name: grant.host, port, default_port };
                Self::Http { host, method: grant.methods.into_iter().next(), text: text.to_owned() }
            }
            _ => Self::Unknown(format!("`{text}`")),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Http { text, .. } | Self::OnHost { text, .. } | Self::Word(text) | Self::Unknown(text) => {
                text
            }
        }
    }

    fn met_by(&self, capability: &str) -> bool {
        match self {
            Self::Word(word) => word == capability,
            Self::OnHost { by, what, .. } => capability
                .split_once(':')
                .is_some_and(|(verb, pattern)| by.contains(&verb) && glob(pattern, what)),
            Self::Http { host, method, .. } => capability
                .strip_prefix("http:")
                .and_then(|rest| HttpGrant::parse(rest).ok())
                .is_some_and(|grant| grant.covers(host, method.as_deref())),
            Self::Unknown(_) => false,
        }
    }
}

/// What `action` needs to be granted.
fn needs(action: &Action) -> Vec<Need> {
    // the address in the input says more than the host that is declared for it
    let addressed = matches!(action.kind.as_str(), "http.call" | "openapi.call");
    let declared = action.wants.iter().map(|want| want.0.as_str()).filter(|want| {
        let safe = SAFE.iter().any(|safe| want.starts_with(safe));
        let said_better = addressed && want.starts_with("http:");
        !(safe || said_better)
    });
    let mut needs: Vec<Need> = declared.map(Need::declared).collect();
    if let Some((_, word)) = KINDS.iter().find(|(kind, _)| *kind == action.kind) {
        needs.push(Need::Word((*word).to_owned()));
    }
    let text = |pointer: &str| action.input.pointer(pointer).and_then(Value::as_str);
    let mut request = |uri: Option<&str>, method: Option<&str>| {
        needs.extend(uri.and_then(|uri| Need::request(uri, method)));
    };
    match action.kind.as_str() {
        "http.call" => {
            // an http.call without an address is not let through on the strength of having none
            request(Some(text("/uri").unwrap_or_default()), Some(text("/method").unwrap_or("GET")));
        }
        "openapi.call" => request(text("/document/uri"), Some("GET")),
        "run.script" => request(text("/source/uri"), Some("GET")),
        _ => {}
    }
    if action.input.may_have("authentication") {
        for scheme in ["oauth2", "oidc"] {
            request(text(&format!("/authentication/{scheme}/authority")), Some("POST"));
        }
    }
    needs.sort_by(|a, b| a.text().cmp(b.text()));
    needs.dedup_by(|a, b| a.text() == b.text());
    needs
}

/// What grants say about an action.
#[derive(Debug, Clone, Default)]
pub(crate) struct GrantsSay {
    pub(crate) granted: Granted,
    /// What is needed and not granted, as texts.
    pub(crate) missing: Vec<String>,
    /// Rules that granted something needed.
    pub(crate) by: Vec<(String, String)>,
}

/// Judges what `action` needs.
pub(crate) fn judge(grants: &[Grant], seen: &Seen<'_>, action: &Action) -> GrantsSay {
    let wasm = action.kind.strip_prefix("wasm.");
    let mut say = GrantsSay::default();
    let add = |say: &mut GrantsSay, text: &str| {
        let second_kv =
            text.starts_with("kv:") && say.granted.capabilities.iter().any(|c| c.starts_with("kv:"));
        if !second_kv && !say.granted.capabilities.iter().any(|known| known == text) {
            say.granted.capabilities.push(text.to_owned());
        }
    };
    let applying: Vec<&Grant> = grants
        .iter()
        .filter(|grant| match wasm {
            Some(name) => !grant.wasm.is_any() && grant.wasm.matches(name),
            None => grant.wasm.is_any(),
        })
        .filter(|grant| grant.matching.gives(seen))
        .collect();
    for grant in &applying {
        for text in &grant.capabilities {
            add(&mut say, text);
        }
        let (own, more) = (&mut say.granted.limits, &grant.limits);
        own.memory_bytes = own.memory_bytes.or(more.memory_bytes);
        own.time = own.time.or(more.time);
        own.fuel = own.fuel.or(more.fuel);
        own.output_bytes = own.output_bytes.or(more.output_bytes);
        own.http_requests = own.http_requests.or(more.http_requests);
    }
    if wasm.is_some() {
        for text in WASM_DEFAULT {
            add(&mut say, text);
        }
    }
    for need in needs(action) {
        if !say.granted.capabilities.iter().any(|capability| need.met_by(capability)) {
            say.missing.push(need.text().to_owned());
        } else if let Some(grant) = applying.iter().find(|g| g.capabilities.iter().any(|c| need.met_by(c))) {
            say.by.push((grant.rule.clone(), need.text().to_owned()));
        }
    }
    say
}

/// Reads an entry; findings go to `out`.
pub(crate) fn read(
    index: usize,
    grant: &At<GrantFile>,
    file: &str,
    out: &mut Vec<Diagnostic>,
) -> Option<Grant> {
    let before = out.len();
    let path = format!("/grants/{index}");
    let is_wasm = !grant.wasm.is_any();
    if grant.capabilities.is_empty() || grant.capabilities.len() > 256 {
        let message =
            format!("grants[{index}] has {} capabilities; 1 to 256 are possible", grant.capabilities.len());
        out.push(bad_policy(message, grant.location(file, format!("{path}/capabilities"))));
    }
    let mut capabilities = Vec::new();
    for (number, text) in grant.capabilities.iter().enumerate() {
        match check_capability(text, is_wasm) {
            Ok(()) => capabilities.push(text.to_string()),
            Err(why) => {
                let message = format!("grants[{index}].capabilities[{number}]: `{}`: {why}", **text);
                out.push(bad_policy(message, text.location(file, format!("{path}/capabilities/{number}"))));
            }
        }
    }
    let mut action_limits = ActionLimits::default();
    if let Some(given) = &grant.limits {
        if !is_wasm {
            let message = format!("grants[{index}].limits: only WASM actions have limits; add `wasm: NAME`");
            out.push(bad_policy(message, given.location(file, format!("{path}/limits"))));
        }
        action_limits = read_limits(index, given, file, out);
    }
    (out.len() == before).then(|| Grant {
        rule: format!("{file}#{path}"),
        matching: grant.matching.clone(),
        wasm: grant.wasm.clone(),
        capabilities,
        limits: action_limits,
    })
}

fn read_limits(index: usize, given: &LimitsFile, file: &str, out: &mut Vec<Diagnostic>) -> ActionLimits {
    let time = given.time.as_ref().and_then(|time| match parse_duration(time) {
        Ok(time) if time > SignedDuration::ZERO => Some(time),
        _ => {
            let message =
                format!("grants[{index}].limits.time: `{}` is not a duration such as PT10S", **time);
            out.push(bad_policy(message, time.location(file, format!("/grants/{index}/limits/time"))));
            None
        }
    });
    ActionLimits {
        memory_bytes: given.memory_bytes,
        time,
        fuel: given.fuel,
        output_bytes: given.output_bytes,
        http_requests: given.http_requests,
    }
}

fn check_capability(text: &str, is_wasm: bool) -> Result<(), String> {
    if text.len() > limits::MESSAGE_BYTES {
        return Err("it is too long".to_owned());
    }
    if let Some(rest) = text.strip_prefix("http:") {
        let grant = HttpGrant::parse(rest)?;
        let wild = grant.host.contains('*') || grant.port == Port::Any;
        return if is_wasm && wild {
            Err("a WASM action is granted hosts by name, without wildcards".to_owned())
        } else {
            Ok(())
        };
    }
    if is_wasm {
        if matches!(text, "log" | "clock" | "random") {
            return Ok(());
        }
        if let Some(rest) = text.strip_prefix("kv:") {
            let name = rest.strip_suffix(" read").unwrap_or(rest);
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
            return if (1..=limits::NAME_BYTES).contains(&name.len()) && name.bytes().all(plain) {
                Ok(())
            } else {
                Err("a namespace is letters, digits and - _ . / only".to_owned())
            };
        }
        return Err("expected log, clock, random, kv:NAMESPACE or http:HOST".to_owned());
    }
    if KINDS.iter().any(|(_, word)| *word == text) {
        return Ok(());
    }
    if let Some((verb, what)) = text.split_once(':')
        && ON_HOSTS.iter().any(|(known, _)| *known == verb && verb != "parents")
    {
        return check_on_host(verb, what);
    }
    match text {
        "log" | "clock" | "random" => {
            Err("only WASM actions need it; add `wasm: NAME` to the grant".to_owned())
        }
        _ => Err(
            "expected run:shell, run:script, run:container, run:workflow, http:HOST, read:PATH, write:PATH, \
                  exec:PROGRAM, query:PROGRAM or tcp:HOST:PORT"
                .to_owned(),
        ),
    }
}

fn check_on_host(verb: &str, what: &str) -> Result<(), String> {
    let rooted = what.starts_with('/') || what.starts_with('*');
    match verb {
        "read" | "write" if !rooted => Err("a path begins with / (or is *)".to_owned()),
        "read" | "write" if what.split('/').any(|name| matches!(name, "." | "..")) => {
            Err("a path is plain, without . and ..".to_owned())
        }
        "exec" | "query" if !rooted => {
            Err("a program is named by its path, as in exec:/usr/bin/apt-get *".to_owned())
        }
        _ if what.is_empty() => Err("something is missing after the colon".to_owned()),
        _ => Ok(()),
    }
}

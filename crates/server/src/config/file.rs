//! `server.yaml` as it is written, and what is checked of it.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use model::{Diagnostic, Location, code};
use project::ProjectError;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_saphyr::Spanned;
use url::Url;

use super::Settings;
use crate::identity::oidc::{self, SecretFrom, is_safe};
use crate::{Tls, limits};

/// A server's settings, `server.yaml`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Server")]
pub(super) struct File {
    /// Where it listens: an address and a port, `127.0.0.1:8420` when left out.
    #[schemars(with = "Option<String>")]
    listen: Option<Spanned<String>>,
    /// Where browsers reach it: `https://` and a name, without a path. On this very machine `http://` will do.
    #[schemars(with = "Option<String>")]
    public_url: Option<Spanned<String>>,
    /// How it encrypts.
    #[schemars(with = "Option<TlsFile>")]
    tls: Option<Spanned<TlsFile>>,
    /// Whether something in front of it encrypts.
    #[schemars(with = "Option<bool>")]
    behind_proxy: Option<Spanned<bool>>,
    /// Whether it keeps the schedules of workflows.
    schedules: bool,
    /// Limits that can be set.
    limits: LimitsFile,
    /// The provider of identities.
    oidc: Option<OidcFile>,
}

/// Limits that can be set.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Limits")]
struct LimitsFile {
    /// Most requests of one caller within a second, on average.
    #[schemars(with = "Option<u32>", range(min = 1, max = limits::REQUESTS_PER_SECOND_MAX))]
    requests_per_second: Option<Spanned<u32>>,
}

/// A provider of identities that people sign in by way of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Oidc")]
struct OidcFile {
    /// Its address, exactly as its tokens say it.
    #[schemars(with = "String")]
    issuer: Spanned<String>,
    /// What this server is called there.
    #[schemars(with = "String", length(min = 1))]
    client_id: Spanned<String>,
    /// Where the secret is that this server proves that by.
    #[schemars(with = "Option<SecretFile>")]
    client_secret: Option<Spanned<SecretFile>>,
    /// The claim with somebody's groups; `groups` when left out.
    #[schemars(with = "Option<String>")]
    groups_claim: Option<Spanned<String>>,
    /// The claim with somebody's name here.
    #[schemars(with = "Option<String>")]
    user_claim: Option<Spanned<String>>,
    /// Scopes that are asked for beside `openid`.
    #[schemars(with = "Option<Vec<String>>", length(max = oidc::SCOPES_MAX))]
    scopes: Option<Spanned<Vec<String>>>,
}

/// `self`, or what `TlsMap` says.
#[derive(Debug, Default)]
struct TlsFile(Option<TlsMap>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsMap {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(rename = "self")]
    own: Option<Vec<String>>,
}

impl<'de> Deserialize<'de> for TlsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = TlsFile;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`self`, or a `certificate` and its `key`")
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<TlsFile, E> {
                if word == "self" {
                    Ok(TlsFile(None))
                } else {
                    Err(E::custom("tls is `self`, or a `certificate` and its `key`"))
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TlsFile, A::Error> {
                TlsMap::deserialize(MapAccessDeserializer::new(map)).map(|map| TlsFile(Some(map)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for TlsFile {
    fn schema_name() -> Cow<'static, str> {
        "Tls".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A certificate that is made here (`self`), for more names than its own where they are listed; or files.",
            "oneOf": [
                { "const": "self" },
                {
                    "type": "object",
                    "properties": { "self": { "type": "array", "items": { "type": "string" } } },
                    "required": ["self"],
                    "additionalProperties": false
                },
                {
                    "type": "object",
                    "properties": {
                        "certificate": { "type": "string", "description": "File of the certificate and those above it, PEM." },
                        "key": { "type": "string", "description": "File of its private key, PEM." }
                    },
                    "required": ["certificate", "key"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

impl JsonSchema for SecretFile {
    fn schema_name() -> Cow<'static, str> {
        "SecretFrom".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Where a secret is; it is never in this file.",
            "type": "object",
            "properties": {
                "env": { "type": "string", "description": "Name of a variable." },
                "file": { "type": "string", "description": "Path of a file." }
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false
        })
    }
}

/// Where a secret is. Whatever else is written there is not repeated in any message: it may be the secret.
#[derive(Debug)]
struct SecretFile(Option<SecretFrom>);

impl<'de> Deserialize<'de> for SecretFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Place;
        impl<'de> Visitor<'de> for Place {
            type Value = SecretFile;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("where the secret is")
            }
            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<SecretFile, E> {
                Ok(SecretFile(None))
            }
            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<SecretFile, E> {
                Ok(SecretFile(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretFile, A::Error> {
                let mut places = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    places.push(match key.as_str() {
                        "env" => Some(SecretFrom::Env(value)),
                        "file" => Some(SecretFrom::File(value.into())),
                        _ => None,
                    });
                }
                let one = (places.len() == 1).then(|| places.pop().flatten()).flatten();
                Ok(SecretFile(one))
            }
        }
        deserializer.deserialize_any(Place)
    }
}

/// What is wrong, as it is found.
struct Findings<'a> {
    shown: &'a str,
    found: Vec<Diagnostic>,
}

impl Findings<'_> {
    fn add<T>(&mut self, at: &Spanned<T>, path: &str, message: impl Into<String>) {
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let location = Location {
            file: self.shown.to_owned(),
            line: number(at.referenced.line()),
            column: number(at.referenced.column()),
            path: path.to_owned(),
        };
        self.found.push(Diagnostic::error(code::server::BAD_CONFIG, message, location));
    }

    /// The value, or a finding.
    fn take<T, U>(
        &mut self,
        at: Option<&Spanned<T>>,
        path: &str,
        read: impl FnOnce(&T) -> Result<U, String>,
    ) -> Option<U> {
        let at = at?;
        match read(&at.value) {
            Ok(value) => Some(value),
            Err(why) => {
                self.add(at, path, why);
                None
            }
        }
    }
}

pub(super) fn parse(text: &str, shown: &str, directory: &Path) -> Result<Settings, Vec<Diagnostic>> {
    let file: File = project::text::yaml(text, shown).map_err(|error| recoded(error, shown))?;
    let mut findings = Findings { shown, found: Vec::new() };
    let listen = findings.take(file.listen.as_ref(), "/listen", |text| {
        let why = || format!("`{text}` is not an address and a port, for example 127.0.0.1:8420");
        text.parse::<SocketAddr>().map_err(|_| why())
    });
    let url = findings.take(file.public_url.as_ref(), "/publicUrl", |text| public_url(text));
    let tls = findings.take(file.tls.as_ref(), "/tls", |tls| tls_of(tls, directory));
    if let Some(behind) = file.behind_proxy.as_ref().filter(|behind| behind.value)
        && file.tls.is_some()
    {
        let why = "either the server encrypts (tls), or what is in front of it does (behindProxy)";
        findings.add(behind, "/behindProxy", why);
    }
    let per_second = file.limits.requests_per_second.as_ref();
    let requests_per_second = findings.take(per_second, "/limits/requestsPerSecond", |count| {
        let most = limits::REQUESTS_PER_SECOND_MAX;
        if (1..=most).contains(count) { Ok(*count) } else { Err(format!("it is from 1 to {most}")) }
    });
    let oidc =
        file.oidc.as_ref().map(|oidc| oidc_of(oidc, file.public_url.is_some(), directory, &mut findings));
    if !findings.found.is_empty() {
        return Err(findings.found);
    }
    Ok(Settings {
        listen,
        tls,
        behind_proxy: file.behind_proxy.is_some_and(|behind| behind.value),
        public_url: url,
        requests_per_second: requests_per_second.unwrap_or(limits::REQUESTS_PER_SECOND),
        schedules: file.schedules,
        oidc,
    })
}

/// The findings of the reader of a project's files, as ours. A value with a place is read as a member `value` of itself.
fn recoded(error: ProjectError, shown: &str) -> Vec<Diagnostic> {
    let mut findings = match error {
        ProjectError::Bad { findings } => findings,
        other => {
            let location = Location { file: shown.to_owned(), ..Location::default() };
            vec![Diagnostic::error(code::server::BAD_CONFIG, other.to_string(), location)]
        }
    };
    for finding in &mut findings {
        finding.code = code::server::BAD_CONFIG;
        finding.location.path = finding.location.path.replace("/value", "");
    }
    findings
}

/// The address that browsers use. Whoever could read what is sent there would have everybody's session.
pub(super) fn public_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error: url::ParseError| format!("it is not an address: {error}"))?;
    if !is_safe(&url) {
        return Err("it begins with https://, or with http:// on this very machine".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it is an address without a name or password".to_owned());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("it is an address without a path: the server is at the root of its name".to_owned());
    }
    Ok(url)
}

fn tls_of(tls: &TlsFile, directory: &Path) -> Result<Tls, String> {
    let Some(map) = &tls.0 else { return Ok(Tls::SelfMade { names: Vec::new() }) };
    match (&map.certificate, &map.key, &map.own) {
        (Some(certificate), Some(key), None) => {
            Ok(Tls::Files { certificate: directory.join(certificate), key: directory.join(key) })
        }
        (None, None, Some(names)) => Ok(Tls::SelfMade { names: names.clone() }),
        (Some(_), None, None) => Err("a `certificate` needs its `key`".to_owned()),
        (None, Some(_), None) => Err("a `key` needs its `certificate`".to_owned()),
        _ => Err("tls is `self`, or a `certificate` and its `key`".to_owned()),
    }
}

fn oidc_of(file: &OidcFile, has_url: bool, directory: &Path, findings: &mut Findings<'_>) -> oidc::Settings {
    if !has_url {
        let why = "a provider sends people back to `publicUrl`, which is missing";
        findings.add(&file.issuer, "/oidc/issuer", why);
    }
    let issuer = findings.take(Some(&file.issuer), "/oidc/issuer", |text| {
        let url: Url =
            text.parse().map_err(|error: url::ParseError| format!("it is not an address: {error}"))?;
        if is_safe(&url) {
            // exactly as it is written: the provider's tokens say it like that
            Ok(text.clone())
        } else {
            Err("it begins with https://, or with http:// on this very machine".to_owned())
        }
    });
    let secret = findings.take(file.client_secret.as_ref(), "/oidc/clientSecret", |secret| match &secret.0 {
        Some(SecretFrom::File(path)) => Ok(SecretFrom::File(directory.join(path))),
        Some(from) => Ok(from.clone()),
        None => {
            Err("a secret is never in this file; say where it is: `{env: NAME}` or `{file: PATH}`".to_owned())
        }
    });
    let mut word = |at: Option<&Spanned<String>>, path: &str| {
        findings.take(at, path, |text| {
            let fits =
                (1..=oidc::CLAIM_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
            if fits { Ok(text.clone()) } else { Err(format!("it has 1 to {} bytes", oidc::CLAIM_BYTES_MAX)) }
        })
    };
    let client = word(Some(&file.client_id), "/oidc/clientId");
    let groups_claim = word(file.groups_claim.as_ref(), "/oidc/groupsClaim");
    let user_claim = word(file.user_claim.as_ref(), "/oidc/userClaim");
    let usual = oidc::Settings::new(issuer.unwrap_or_default(), client.unwrap_or_default());
    let scopes = findings.take(file.scopes.as_ref(), "/oidc/scopes", |scopes| {
        // RFC 6749, section 3.3
        let is_scope = |scope: &String| {
            (1..=oidc::CLAIM_BYTES_MAX).contains(&scope.len())
                && scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        };
        if scopes.len() <= oidc::SCOPES_MAX && scopes.iter().all(is_scope) {
            Ok(scopes.clone())
        } else {
            Err(format!("it has at most {} scopes without blanks and quotes", oidc::SCOPES_MAX))
        }
    });
    oidc::Settings {
        secret,
        groups_claim: groups_claim.unwrap_or(usual.groups_claim),
        user_claim: user_claim.unwrap_or(usual.user_claim),
        scopes: scopes.unwrap_or(usual.scopes),
        ..oidc::Settings::new(usual.issuer, usual.client)
    }
}

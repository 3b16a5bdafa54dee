//! Access tokens: OAuth 2.0 (RFC 6749, token exchange RFC 8693) and `OpenID` Connect discovery.
//!
//! Tokens live in memory only, under the digest of the settings they were got with, until shortly before they end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::Url;
use workflow::action_input::OAuth2;
use zeroize::{Zeroize, Zeroizing};

use crate::auth::sensitive;
use crate::client::{Client, Progress, Request, Response, Scope};
use crate::{CallError, limits};

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a token endpoint says about a failure (RFC 6749, 5.2; RFC 8693, 2.2.2).
const TOKEN_ERRORS: [&str; 7] = [
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "unauthorized_client",
    "unsupported_grant_type",
];

/// How to get a token. Wiped when dropped.
#[derive(Clone)]
pub(crate) struct Grant {
    settings: OAuth2,
    discover: bool,
    key: model::Digest,
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.settings.password.zeroize();
        if let Some(client) = &mut self.settings.client {
            client.secret.zeroize();
            client.assertion.zeroize();
        }
        for token in [&mut self.settings.subject, &mut self.settings.actor].into_iter().flatten() {
            token.token.zeroize();
        }
    }
}

struct Held {
    header: HeaderValue,
    refresh: Option<Zeroizing<String>>,
    ends: Instant,
    /// Where it came from.
    endpoint: Url,
}

type Slot = Arc<tokio::sync::Mutex<Option<Held>>>;

/// Tokens and discovered endpoints in memory. One slot for each grant, so that many calls at once ask for one token.
#[derive(Default)]
pub(crate) struct Tokens {
    slots: Mutex<HashMap<model::Digest, Slot>>,
    endpoints: Mutex<HashMap<String, (Url, Instant)>>,
}

impl Tokens {
    fn slot(&self, key: model::Digest) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= limits::TOKENS_MAX && !slots.contains_key(&key) {
            // in use are those that somebody else holds too; the others can be had again
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(key).or_default())
    }

    fn endpoint(&self, authority: &str) -> Option<Url> {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.get(authority).filter(|(_, ends)| *ends > Instant::now()).map(|(url, _)| url.clone())
    }

    fn remember(&self, authority: &str, url: &Url) {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if endpoints.len() >= limits::TOKENS_MAX {
            endpoints.clear();
        }
        endpoints.insert(authority.to_owned(), (url.clone(), Instant::now() + limits::DOCUMENT_LIFETIME));
    }
}

impl Grant {
    pub(crate) fn new(settings: OAuth2, discover: bool) -> Result<Self, CallError> {
        let bad = |why: String| Err(CallError::BadCall(why));
        match settings.grant.as_str() {
            "client_credentials" => {}
            "password" if settings.username.is_some() && settings.password.is_some() => {}
            "password" => return bad("the grant `password` needs `username` and `password`".to_owned()),
            "refresh_token" | TOKEN_EXCHANGE if settings.subject.is_some() => {}
            "refresh_token" => {
                return bad("the grant `refresh_token` needs the token as `subject`".to_owned());
            }
            TOKEN_EXCHANGE => return bad("token exchange needs `subject`".to_owned()),
            "authorization_code" => {
                return bad(
                    "the grant `authorization_code` needs a person and a browser; a workflow has neither: \
                            use `client_credentials`"
                        .to_owned(),
                );
            }
            other => return bad(format!("`{other}` is not a grant")),
        }
        let value = serde_json::to_value(&settings)
            .map_err(|_| CallError::BadCall("the OAuth2 settings cannot be read".to_owned()))?;
        let key = model::Digest::of_json(&serde_json::json!([discover, value]));
        Ok(Self { settings, discover, key })
    }

    /// `OpenID` Connect Discovery 1.0, 4.
    fn configuration_uri(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.settings.authority.trim_end_matches('/'))
    }

    /// The members of the token request, `extra` among them, and the header that names the client, if one does.
    fn members(&self, refresh: Option<&str>) -> Result<(Map<String, Value>, Option<HeaderValue>), CallError> {
        let settings = &self.settings;
        let mut members = Map::new();
        let mut put = |name: &str, value: &str| members.insert(name.to_owned(), Value::from(value));
        put("grant_type", if refresh.is_some() { "refresh_token" } else { &settings.grant });
        if let Some(token) = refresh {
            put("refresh_token", token);
        } else {
            match settings.grant.as_str() {
                "password" => {
                    put("username", settings.username.as_deref().unwrap_or_default());
                    put("password", settings.password.as_deref().unwrap_or_default());
                }
                "refresh_token" => {
                    put("refresh_token", settings.subject.as_ref().map_or("", |token| &token.token));
                }
                _ => {
                    for (name, token) in [("subject", &settings.subject), ("actor", &settings.actor)] {
                        if let Some(token) = token {
                            put(&format!("{name}_token"), &token.token);
                            put(&format!("{name}_token_type"), &token.kind);
                        }
                    }
                }
            }
        }
        if !settings.scopes.is_empty() {
            put("scope", &settings.scopes.join(" "));
        }
        match settings.audiences.as_slice() {
            [] => {}
            [one] => drop(put("audience", one)),
            many => drop(members.insert("audience".to_owned(), Value::from(many))),
        }
        let header = self.identify(&mut members)?;
        Ok((members, header))
    }

    /// RFC 6749, 2.3.1, and RFC 7521, 4.2.
    fn identify(&self, members: &mut Map<String, Value>) -> Result<Option<HeaderValue>, CallError> {
        let Some(client) = &self.settings.client else { return Ok(None) };
        let need = |what: &Option<String>, name: &str, method: &str| {
            what.clone().ok_or_else(|| {
                CallError::BadCall(format!("client authentication `{method}` needs `client.{name}`"))
            })
        };
        let mut put = |name: &str, value: String| members.insert(name.to_owned(), Value::from(value));
        match client.authentication.as_deref().unwrap_or("client_secret_post") {
            method @ "client_secret_post" => {
                put("client_id", need(&client.id, "id", method)?);
                put("client_secret", need(&client.secret, "secret", method)?);
                Ok(None)
            }
            method @ "client_secret_basic" => {
                let encode = |text: String| {
                    url::form_urlencoded::byte_serialize(Zeroizing::new(text).as_bytes()).collect::<String>()
                };
                let id = encode(need(&client.id, "id", method)?);
                let secret = Zeroizing::new(encode(need(&client.secret, "secret", method)?));
                let pair = Zeroizing::new(format!("{id}:{}", *secret));
                sensitive(&Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))).map(Some)
            }
            method @ ("client_secret_jwt" | "private_key_jwt") => {
                put("client_assertion_type", JWT_ASSERTION.to_owned());
                put("client_assertion", need(&client.assertion, "assertion", method)?);
                if let Some(id) = &client.id {
                    put("client_id", id.clone());
                }
                Ok(None)
            }
            method @ "none" => {
                put("client_id", need(&client.id, "id", method)?);
                Ok(None)
            }
            other => Err(CallError::BadCall(format!("`{other}` is not a way for a client to authenticate"))),
        }
    }

    fn check_issuer(&self, token: &str) -> Result<(), CallError> {
        if self.settings.issuers.is_empty() {
            return Ok(());
        }
        let refuse = |why: String| CallError::Unauthenticated { why, transient: false };
        // the token is for the service to verify; here it only must come from where it should
        let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims: Option<Value> = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(issuer) = claims.as_ref().and_then(|claims| claims["iss"].as_str()) else {
            return Err(refuse(
                "the token does not say who issued it, and `issuers` wants to know".to_owned(),
            ));
        };
        if self.settings.issuers.iter().any(|one| one == issuer) {
            Ok(())
        } else {
            Err(refuse(format!("the token was issued by {issuer}, which is not among `issuers`")))
        }
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: Zeroizing<String>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<f64>,
    #[serde(default)]
    refresh_token: Option<Zeroizing<String>>,
}

/// The URI of an endpoint of the authority.
fn endpoint(text: &str) -> Result<Url, CallError> {
    // what is not a URI may have anything in it
    let bad = |_| CallError::BadCall("the authority is not a URI".to_owned());
    let url: Url = text.parse().map_err(bad)?;
    crate::request::check_uri(&url)?;
    Ok(url)
}

impl Client {
    /// The `Authorization` header for a grant: the one in memory unless it is `stale` or about to end.
    pub(crate) async fn access_token(
        &self,
        grant: &Grant,
        scope: &Scope<'_>,
        progress: &Progress,
        stale: Option<&HeaderValue>,
    ) -> Result<HeaderValue, CallError> {
        // neither a token nor an endpoint in memory is a way round the grant
        let admit =
            |method: Method, url: &Url| self.config().access.admit(method.as_str(), url, &scope.reach);
        if grant.discover {
            admit(Method::GET, &endpoint(&grant.configuration_uri())?)?;
        }
        let slot = self.tokens().slot(grant.key);
        let mut held = slot.lock().await;
        if let Some(held) = held.as_ref()
            && held.ends > Instant::now()
            && stale != Some(&held.header)
        {
            admit(Method::POST, &held.endpoint)?;
            return Ok(held.header.clone());
        }
        let source = self.token_endpoint(grant, scope, progress).await?;
        let refresh = held.take().and_then(|held| held.refresh);
        let refreshed = match &refresh {
            Some(token) => self.request_token(grant, &source, Some(token), scope, progress).await.ok(),
            None => None,
        };
        let fresh = match refreshed {
            Some(fresh) => fresh,
            None => self.request_token(grant, &source, None, scope, progress).await?,
        };
        let header = fresh.header.clone();
        *held = Some(fresh);
        Ok(header)
    }

    async fn token_endpoint(
        &self,
        grant: &Grant,
        scope: &Scope<'_>,
        progress: &Progress,
    ) -> Result<Url, CallError> {
        let authority = grant.settings.authority.trim_end_matches('/');
        if !grant.discover {
            let path =
                grant.settings.endpoints.as_ref().map_or("/oauth2/token", |given| given.token.as_str());
            return endpoint(&format!("{authority}/{}", path.trim_start_matches('/')));
        }
        if let Some(known) = self.tokens().endpoint(authority) {
            return Ok(known);
        }
        let url = endpoint(&grant.configuration_uri())?;
        let refuse = |why: String| CallError::Unauthenticated { why, transient: false };
        let response = self.ask(Method::GET, url, HeaderMap::new(), None, scope, progress).await?;
        let target = response.target();
        let found: Value = serde_json::from_slice(&response.body)
            .map_err(|_| refuse(format!("{target} did not answer with an OpenID configuration")))?;
        // OpenID Connect Discovery 1.0, 4.3: else one authority could speak for another
        let issuer = found["issuer"].as_str().unwrap_or_default().trim_end_matches('/');
        if issuer != authority
            && !grant.settings.issuers.iter().any(|one| one.trim_end_matches('/') == issuer)
        {
            return Err(refuse(format!("{target} speaks for the issuer `{issuer}`, not for {authority}")));
        }
        let named = found["token_endpoint"].as_str().unwrap_or_default();
        let named: Url = named.parse().map_err(|_| refuse(format!("{target} names no token endpoint")))?;
        crate::request::check_uri(&named)?;
        self.tokens().remember(authority, &named);
        Ok(named)
    }

    async fn request_token(
        &self,
        grant: &Grant,
        endpoint: &Url,
        refresh: Option<&str>,
        scope: &Scope<'_>,
        progress: &Progress,
    ) -> Result<Held, CallError> {
        let (members, identity) = grant.members(refresh)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(identity) = identity {
            headers.insert(header::AUTHORIZATION, identity);
        }
        let encoding = grant.settings.request.as_ref().map(|request| request.encoding.as_str());
        let (kind, body) = match encoding.unwrap_or("application/x-www-form-urlencoded") {
            kind @ "application/x-www-form-urlencoded" => {
                (kind, crate::request::form(&members)?.into_bytes())
            }
            kind @ "application/json" => (kind, Value::Object(members).to_string().into_bytes()),
            other => {
                return Err(CallError::BadCall(format!("`{other}` is not an encoding of token requests")));
            }
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).expect("one of two literals"));
        let response = self.ask(Method::POST, endpoint.clone(), headers, Some(body), scope, progress).await?;
        let refuse = |why: String| CallError::Unauthenticated { why, transient: false };
        // the parser's message may quote the token
        let granted: Granted = serde_json::from_slice(&response.body)
            .map_err(|_| refuse(format!("{} did not answer with a token", response.target())))?;
        match granted.token_type.as_deref() {
            // the type is the server's word, and might hold what it must not
            Some(kind) if !kind.eq_ignore_ascii_case("bearer") => {
                return Err(refuse(
                    "the token is of another type than bearer, which alone is known".to_owned(),
                ));
            }
            _ => {}
        }
        grant.check_issuer(&granted.access_token)?;
        let lifetime = granted
            .expires_in
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or(limits::TOKEN_LIFETIME_UNSAID)
            .saturating_sub(limits::TOKEN_MARGIN)
            .min(limits::RETRY_AFTER_MAX);
        // RFC 6749, 6: without a new one, the old one stays good
        let kept = || refresh.map(|token| Zeroizing::new(token.to_owned()));
        Ok(Held {
            header: sensitive(&Zeroizing::new(format!("Bearer {}", *granted.access_token)))?,
            refresh: granted.refresh_token.or_else(kept),
            ends: Instant::now() + lifetime,
            endpoint: endpoint.clone(),
        })
    }

    /// One request to an authorization server, no redirects.
    async fn ask(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Option<Vec<u8>>,
        scope: &Scope<'_>,
        progress: &Progress,
    ) -> Result<Response, CallError> {
        self.config().access.admit(method.as_str(), &url, &scope.reach)?;
        let request = Request {
            method,
            url,
            headers,
            body,
            scheme: None,
            follow: false,
            bytes_max: limits::TOKEN_BYTES_MAX,
            cut: false,
        };
        let response = match self.once(&request, None, scope, &mut progress.aside()).await {
            Ok(response) => response,
            Err(error @ (CallError::Forbidden { .. } | CallError::BadCall(_))) => return Err(error),
            Err(CallError::Cancelled { .. }) => return Err(CallError::Cancelled { sent: false }),
            Err(error) => return Err(CallError::Unauthenticated { why: error.to_string(), transient: true }),
        };
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        let said: Option<Value> = serde_json::from_slice(&response.body).ok();
        let said = said.as_ref().and_then(|said| said["error"].as_str());
        // any other word might be what was sent, given back
        let said = said.filter(|word| TOKEN_ERRORS.contains(word)).map(|word| format!(" ({word})"));
        Err(CallError::Unauthenticated {
            why: format!("{} answered {}{}", response.target(), response.status, said.unwrap_or_default()),
            transient: response.status == 429 || response.status >= 500,
        })
    }
}

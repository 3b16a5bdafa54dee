//! One login, from the redirect to the provider to the person it sends back.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use journal::events::Federated;
use model::{Principal, Timestamp};
use openidconnect::core::{CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthorizationCode, ClaimsVerificationError, CsrfToken, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RequestTokenError, Scope,
    SignatureVerificationError, SubjectIdentifier, TokenResponse as _, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;
use url::Url;

use super::provider::{Extra, Provider, known};
use super::{LOGIN_LIFETIME, Oidc, Person};
use crate::identity::csrf::keyed;
use crate::identity::{IdentityError, Secret, cookie, limits};

/// Longest way to go to after a login, in bytes.
const NEXT_BYTES_MAX: usize = 1_024;
/// Longest code or state of a provider's answer, in bytes.
const ANSWER_PART_MAX: usize = 4_096;

/// What a browser is told to do when a login begins.
#[derive(Debug)]
pub struct Begun {
    /// Where to go.
    pub url: Url,
    /// The `Set-Cookie` to come back with.
    pub cookie: HeaderValue,
}

/// What a provider's answer says, in the query of the request that it has the browser make.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Callback {
    /// What identity and access tokens are got for.
    pub code: Option<String>,
    /// What this server sent along.
    pub state: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// Which provider it is (RFC 9207).
    pub iss: Option<String>,
}

/// What the browser keeps while its person is at the provider.
#[derive(Serialize, Deserialize)]
struct Kept {
    secret: String,
    /// Milliseconds since 1970.
    expires: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    next: Option<String>,
}

pub(super) const fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-aedile-login" } else { "aedile-login" }
}

fn refused(why: impl Into<String>) -> IdentityError {
    IdentityError::ProviderRefused(why.into())
}

/// State, nonce and verifier of a login, all made of the one secret in the cookie: whoever lacks it can finish nothing.
struct Parts {
    state: String,
    nonce: String,
    verifier: String,
}

impl Parts {
    fn of(secret: &str) -> Self {
        let part = |purpose: &[u8]| URL_SAFE_NO_PAD.encode(keyed(secret.as_bytes(), purpose));
        Self {
            state: part(b"aedile oidc state"),
            nonce: part(b"aedile oidc nonce"),
            verifier: part(b"aedile oidc verifier"),
        }
    }
}

/// A way on this server, and nowhere else: whoever makes somebody sign in must not choose where they end.
pub(crate) fn local(next: &str) -> Option<&str> {
    let fits =
        next.len() <= NEXT_BYTES_MAX && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (fits && next.starts_with('/') && !next.starts_with("//")).then_some(next)
}

fn seal(oidc: &Oidc, kept: &Kept) -> String {
    let text = serde_json::to_vec(kept).unwrap_or_default();
    let mac = keyed(&*oidc.key, &text);
    format!("{}.{}", URL_SAFE_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(mac))
}

fn unseal(oidc: &Oidc, headers: &HeaderMap, secure: bool, now: Timestamp) -> Result<Kept, IdentityError> {
    let elsewhere =
        || refused("it was begun in another browser, before the server was started, or too long ago");
    let value = cookie::find(headers, cookie_name(secure)).ok_or_else(elsewhere)?;
    let (text, mac) = value.split_once('.').ok_or_else(elsewhere)?;
    let (text, mac) = (URL_SAFE_NO_PAD.decode(text).ok(), URL_SAFE_NO_PAD.decode(mac).ok());
    let (Some(text), Some(mac)) = (text, mac) else { return Err(elsewhere()) };
    if !bool::from(mac.ct_eq(&keyed(&*oidc.key, &text))) {
        return Err(elsewhere());
    }
    let kept: Kept = serde_json::from_slice(&text).map_err(|_| elsewhere())?;
    if kept.expires <= now.as_millisecond() { Err(elsewhere()) } else { Ok(kept) }
}

pub(super) async fn begin(oidc: &Oidc, next: Option<&str>, secure: bool) -> Result<Begun, IdentityError> {
    let provider = known(oidc, None).await?;
    let secret = Secret::draw(&*oidc.entropy);
    let Parts { state, nonce, verifier } = Parts::of(secret.expose());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
    let (url, _, _) = oidc
        .settings
        .scopes
        .iter()
        .fold(
            provider.client.authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            ),
            |request, scope| request.add_scope(Scope::new(scope.clone())),
        )
        .set_pkce_challenge(challenge)
        .url();
    let expires = (oidc.clock.now() + LOGIN_LIFETIME).as_millisecond();
    let next = next.and_then(local).map(str::to_owned);
    let value = seal(oidc, &Kept { secret: secret.expose().to_owned(), expires, next });
    let cookie = cookie::set(cookie_name(secure), &value, LOGIN_LIFETIME, secure)
        .ok_or_else(|| refused("the way to go to afterwards cannot be kept"))?;
    Ok(Begun { url, cookie })
}

pub(super) async fn finish(
    oidc: &Oidc,
    headers: &HeaderMap,
    callback: &Callback,
    secure: bool,
) -> Result<Person, IdentityError> {
    let now = oidc.clock.now();
    let kept = unseal(oidc, headers, secure, now)?;
    let parts = Parts::of(&kept.secret);
    let state = callback.state.as_deref().unwrap_or_default();
    if !bool::from(state.as_bytes().ct_eq(parts.state.as_bytes())) {
        return Err(refused("it answers another login than the one that was begun in this browser"));
    }
    if callback.iss.as_ref().is_some_and(|issuer| *issuer != oidc.settings.issuer) {
        return Err(refused("another provider answered than the one that was asked"));
    }
    if let Some(error) = &callback.error {
        return Err(refused(declined(error)));
    }
    let code = callback.code.as_ref().filter(|code| (1..=ANSWER_PART_MAX).contains(&code.len()));
    let code = code.ok_or_else(|| refused("there is no code in it"))?;
    let provider = known(oidc, None).await?;
    let claims = exchange(oidc, &provider, code.clone(), &parts).await?;
    person(oidc, &claims, kept.next)
}

/// What a provider says when there is no code, in our words. The text is in an address that anybody can have made up.
fn declined(error: &str) -> String {
    match error {
        "access_denied" => "signing in was declined there".to_owned(),
        "login_required" | "interaction_required" | "consent_required" => {
            "somebody has to sign in there first".to_owned()
        }
        "temporarily_unavailable" | "server_error" => "it has trouble; try again later".to_owned(),
        _ => "it refused to sign anybody in".to_owned(),
    }
}

/// Gets what is known of the person for the code.
async fn exchange(
    oidc: &Oidc,
    provider: &Arc<Provider>,
    code: String,
    parts: &Parts,
) -> Result<Map<String, Value>, IdentityError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| IdentityError::ProviderFailed {
        what: "its tokens",
        source,
    };
    let answer = provider
        .client
        .exchange_code(AuthorizationCode::new(code))
        .map_err(|error| failed(Box::new(error)))?
        .set_pkce_verifier(PkceCodeVerifier::new(parts.verifier.clone()))
        .request_async(&oidc.http)
        .await
        .map_err(|error| match error {
            RequestTokenError::ServerResponse(answer)
                if *answer.error() == CoreErrorResponseType::InvalidGrant =>
            {
                refused("the code is used, has run out or is not this server's")
            }
            RequestTokenError::ServerResponse(answer) => {
                failed(format!("it answered {}", answer.error()).into())
            }
            // what could not be read may hold tokens
            RequestTokenError::Parse(error, _) => {
                failed(format!("its answer cannot be read: {}", error.path()).into())
            }
            RequestTokenError::Request(error) => failed(Box::new(error)),
            RequestTokenError::Other(what) => failed(what.into()),
        })?;
    let token = answer.id_token().ok_or_else(|| refused("it holds no identity token"))?;
    let nonce = Nonce::new(parts.nonce.clone());
    let mut used = Arc::clone(provider);
    let mut verified = token.claims(&verifier(oidc, &used), &nonce);
    if matches!(
        verified,
        Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey))
    ) {
        // the provider has new keys
        used = known(oidc, Some(provider)).await?;
        verified = token.claims(&verifier(oidc, &used), &nonce);
    }
    let claims = verified.map_err(|error| refused(format!("its identity token: {error}")))?;
    if let Some(wanted) = claims.access_token_hash() {
        let wrong = |_| refused("its identity token cannot be compared with its access token");
        let algorithm = token.signing_alg().map_err(|_| refused("its identity token names no algorithm"))?;
        let verifier = verifier(oidc, &used);
        let key = token.signing_key(&verifier).map_err(wrong)?;
        let found = AccessTokenHash::from_token(answer.access_token(), algorithm, key)
            .map_err(|_| refused("its identity token cannot be compared with its access token"))?;
        if found != *wanted {
            return Err(refused("its identity token belongs to another access token"));
        }
    }
    let mut all = object(claims)?;
    let wanted = [&oidc.settings.user_claim, &oidc.settings.groups_claim];
    if wanted.iter().any(|claim| !all.contains_key(claim.as_str())) {
        let more = userinfo(oidc, &used, answer.access_token().clone(), claims.subject().clone()).await?;
        // what is signed goes before what is not
        for (claim, value) in more {
            all.entry(claim).or_insert(value);
        }
    }
    Ok(all)
}

fn verifier<'a>(
    oidc: &'a Oidc,
    provider: &'a Provider,
) -> openidconnect::IdTokenVerifier<'a, openidconnect::core::CoreJsonWebKey> {
    let clock = Arc::clone(&oidc.clock);
    provider
        .client
        .id_token_verifier()
        .set_allowed_algs(provider.algorithms.clone())
        .set_other_audience_verifier_fn(|_| false)
        .set_time_fn(move || std::time::SystemTime::from(clock.now()).into())
}

/// Claims as the members of one object, those that the standard names and those that it does not.
fn object(claims: &impl Serialize) -> Result<Map<String, Value>, IdentityError> {
    match serde_json::to_value(claims) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(refused("its claims cannot be read")),
    }
}

/// What the provider tells besides the identity token, if it does. It has to be about the same person.
async fn userinfo(
    oidc: &Oidc,
    provider: &Provider,
    token: AccessToken,
    subject: SubjectIdentifier,
) -> Result<Map<String, Value>, IdentityError> {
    let Ok(request) = provider.client.user_info(token, Some(subject)) else { return Ok(Map::new()) };
    let claims: UserInfoClaims<Extra, CoreGenderClaim> =
        request.request_async(&oidc.http).await.map_err(|error| {
            let source: Box<dyn std::error::Error + Send + Sync> = error.to_string().into();
            IdentityError::ProviderFailed { what: "what it knows of the person", source }
        })?;
    object(&claims)
}

fn person(oidc: &Oidc, claims: &Map<String, Value>, next: Option<String>) -> Result<Person, IdentityError> {
    let settings = &oidc.settings;
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
    let subject = text("sub").filter(|subject| (1..=255).contains(&subject.len()));
    let subject = subject.ok_or_else(|| refused("it does not say whom it means (`sub`)"))?;
    let claim = settings.user_claim.as_str();
    let name = text(claim)
        .ok_or_else(|| refused(format!("it sends no `{claim}`, which is to be the person's name")))?;
    // anybody can say that an address is theirs
    if claim == "email" && claims.get("email_verified").and_then(Value::as_bool) != Some(true) {
        return Err(refused("nobody has verified that the address is the person's (`email_verified`)"));
    }
    let account = Principal::user(name).map_err(|_| IdentityError::BadAccount {
        name: name.chars().filter(|letter| !letter.is_control()).take(limits::ACCOUNT_NAME_BYTES).collect(),
        why: format!("the provider sends it as `{claim}`, and a name has letters, digits and ._@+-"),
    })?;
    let groups = groups(claims.get(&settings.groups_claim), &settings.groups_claim)?;
    let federated = Federated { issuer: settings.issuer.clone(), subject: subject.to_owned() };
    Ok(Person { federated, account, groups, next })
}

/// The names of groups: a list of texts, or one text.
fn groups(claim: Option<&Value>, name: &str) -> Result<Vec<String>, IdentityError> {
    let all: Vec<&Value> = match claim {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
    };
    if all.len() > limits::GROUPS_MAX {
        let limit = limits::GROUPS_MAX;
        return Err(refused(format!("it sends {} groups, more than {limit}", all.len())));
    }
    all.into_iter()
        .map(|group| match group.as_str() {
            Some(group) if (1..=limits::GROUP_BYTES_MAX).contains(&group.len()) => Ok(group.to_owned()),
            _ => Err(refused(format!(
                "`{name}` is no list of names of up to {} bytes",
                limits::GROUP_BYTES_MAX
            ))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere_after_they_signed_in() {
        for good in ["/", "/shop/dev/runs?status=failed", "/a//b"] {
            assert_eq!(local(good), Some(good));
        }
        for bad in
            ["", "runs", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb", "/ü", "\\/a"]
        {
            assert_eq!(local(bad), None, "{bad:?}");
        }
        assert_eq!(local(&format!("/{}", "a".repeat(NEXT_BYTES_MAX))), None);
    }

    #[test]
    fn groups_are_names_and_not_too_many() {
        assert_eq!(groups(None, "groups").unwrap(), Vec::<String>::new());
        assert_eq!(groups(Some(&json!(["a", "b c"])), "groups").unwrap(), ["a", "b c"]);
        assert_eq!(groups(Some(&json!("a")), "groups").unwrap(), ["a"]);
        for bad in [json!([1]), json!({"a": 1}), json!([""]), json!(["x".repeat(129)]), json!(vec!["a"; 501])]
        {
            assert!(groups(Some(&bad), "groups").is_err());
        }
    }

    #[test]
    fn parts_of_a_login_are_all_different_and_say_nothing_of_the_secret() {
        let (one, other) = (Parts::of("one"), Parts::of("other"));
        let all = [&one.state, &one.nonce, &one.verifier, &other.state, &other.nonce, &other.verifier];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 6);
        // RFC 7636, section 4.1
        assert!(all.iter().all(|part| part.len() == 43));
        assert_eq!(Parts::of("one").verifier, one.verifier);
    }
}

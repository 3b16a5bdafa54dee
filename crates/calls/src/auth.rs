//! How a call proves who it is.

pub(crate) mod digest;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::ports::Secrets;
use reqwest::header::HeaderValue;
use serde::de::DeserializeOwned;
use workflow::action_input::{Authentication, Login, Settings, Token};
use zeroize::Zeroizing;

use crate::CallError;
use crate::oauth::Grant;

/// Credentials in memory, wiped when dropped. Deliberately not `Debug`.
#[derive(Clone)]
pub(crate) enum Scheme {
    Basic(Credentials),
    Bearer(BearerToken),
    Digest(Credentials),
    OAuth2(Box<Grant>),
}

#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) username: Zeroizing<String>,
    pub(crate) password: Zeroizing<String>,
}

#[derive(Clone)]
pub(crate) struct BearerToken(Zeroizing<String>);

impl Scheme {
    /// Finds the credentials an action names.
    pub(crate) fn resolve(asked: &Authentication, secrets: &dyn Secrets) -> Result<Self, CallError> {
        Ok(match asked {
            Authentication::Basic(settings) => Self::Basic(login(settings, secrets)?),
            Authentication::Digest(settings) => Self::Digest(login(settings, secrets)?),
            Authentication::Bearer(Settings::Inline(token)) => {
                Self::Bearer(BearerToken(Zeroizing::new(token.token.clone())))
            }
            Authentication::Bearer(Settings::Secret { name }) => {
                let value = reveal(name, secrets)?;
                // a token store seldom holds JSON, so the bare token will do
                let token = if value.trim_start().starts_with('{') {
                    Zeroizing::new(parse::<Token>(name, &value)?.token)
                } else {
                    Zeroizing::new(value.trim().to_owned())
                };
                Self::Bearer(BearerToken(token))
            }
            Authentication::Oauth2(settings) => Self::OAuth2(Box::new(grant(settings, false, secrets)?)),
            Authentication::Oidc(settings) => Self::OAuth2(Box::new(grant(settings, true, secrets)?)),
        })
    }
}

fn grant(
    settings: &Settings<Box<workflow::action_input::OAuth2>>,
    discover: bool,
    secrets: &dyn Secrets,
) -> Result<Grant, CallError> {
    let settings = match settings {
        Settings::Inline(settings) => settings.as_ref().clone(),
        Settings::Secret { name } => parse(name, &reveal(name, secrets)?)?,
    };
    Grant::new(settings, discover)
}

fn login(settings: &Settings<Login>, secrets: &dyn Secrets) -> Result<Credentials, CallError> {
    let login = match settings {
        Settings::Inline(login) => login.clone(),
        Settings::Secret { name } => parse(name, &reveal(name, secrets)?)?,
    };
    Ok(Credentials { username: Zeroizing::new(login.username), password: Zeroizing::new(login.password) })
}

fn reveal(name: &str, secrets: &dyn Secrets) -> Result<Zeroizing<String>, CallError> {
    let secret = secrets.reveal(name).map_err(|error| CallError::NoSecret(error.to_string()))?;
    Ok(Zeroizing::new(secret.expose().to_owned()))
}

/// Settings kept in a secret. The parser's own message is not passed on: it quotes what it read.
fn parse<T: DeserializeOwned>(name: &str, value: &str) -> Result<T, CallError> {
    serde_json::from_str(value).map_err(|error| {
        CallError::NoSecret(format!(
            "secret {name} does not hold the settings that the authentication needs, as JSON (line {}, column {})",
            error.line(),
            error.column()
        ))
    })
}

/// A header value that is kept out of logs.
pub(crate) fn sensitive(text: &str) -> Result<HeaderValue, CallError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| CallError::Unauthenticated {
        why: "the credentials hold characters that no header can carry".to_owned(),
        transient: false,
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl Credentials {
    /// RFC 7617, section 2.
    pub(crate) fn basic(&self) -> Result<HeaderValue, CallError> {
        if self.username.contains(':') {
            return Err(CallError::BadCall(
                "a user name for basic authentication cannot contain a colon".to_owned(),
            ));
        }
        let pair = Zeroizing::new(format!("{}:{}", *self.username, *self.password));
        let encoded = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        sensitive(&encoded)
    }
}

impl BearerToken {
    /// RFC 6750, section 2.1.
    pub(crate) fn header(&self) -> Result<HeaderValue, CallError> {
        sensitive(&Zeroizing::new(format!("Bearer {}", *self.0)))
    }
}

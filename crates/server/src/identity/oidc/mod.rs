//! Signing in by way of a provider of identities: `OpenID` Connect Core 1.0, authorization code with PKCE (RFC 7636).
//!
//! What belongs to one login is in a cookie of the browser that began it, so that nobody finishes another one's login, and
//! nobody can fill the server's memory by beginning many. The provider's description and keys are kept for an hour.

mod http;
mod login;
mod provider;

use std::path::PathBuf;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};
use engine::ports::{Clock, Entropy};
use journal::events::{AccountAdded, AccountBound, Federated, IdentityEvent, LoginMeans, ScopeRecord};
use model::Principal;
use model::time::SignedDuration;
use openidconnect::{ClientSecret, RedirectUrl};
use url::Url;
use zeroize::Zeroizing;

use super::accounts::{adding, check_name};
use super::secret::seed;
use super::sessions::Opening;
use super::state::State;
use super::{Change, Identity, IdentityError, NewSession, account_stream};

pub(crate) use http::is_safe;
pub(crate) use login::local;
pub use login::{Begun, Callback};

/// Where the provider sends people back to.
pub const CALLBACK: &str = "/login/oidc/callback";
/// How long a login by a provider may take.
pub const LOGIN_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// How long the provider's description and keys are kept.
pub const PROVIDER_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// How long after a fetch of them an unknown key does not lead to another one; and how long a failed one stands.
pub const PROVIDER_PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// Longest answer of a provider, in bytes.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long a provider may take for one answer.
pub const ANSWER_TIME: std::time::Duration = std::time::Duration::from_secs(10);
/// Longest name of a claim or scope, in bytes.
pub const CLAIM_BYTES_MAX: usize = 128;
/// Most scopes that are asked for.
pub const SCOPES_MAX: usize = 16;
/// Largest file with a client's secret, in bytes.
const SECRET_FILE_BYTES_MAX: u64 = 4 << 10;

/// Where the client's secret is. Never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFrom {
    /// In a variable of the environment.
    Env(String),
    /// In a file.
    File(PathBuf),
}

/// A provider of identities, and what it knows this server as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The provider, exactly as it calls itself.
    pub issuer: String,
    /// What it knows this server as.
    pub client: String,
    /// How the server shows that it is that; `None`: by PKCE alone.
    pub secret: Option<SecretFrom>,
    /// The claim with a person's groups.
    pub groups_claim: String,
    /// The claim with a person's name.
    pub user_claim: String,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
}

impl Settings {
    /// The usual ones: `preferred_username` is who somebody is, `groups` what they belong to.
    pub fn new(issuer: String, client: String) -> Self {
        Self {
            issuer,
            client,
            secret: None,
            groups_claim: "groups".to_owned(),
            user_claim: "preferred_username".to_owned(),
            scopes: vec!["profile".to_owned()],
        }
    }
}

/// A person, as a provider knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Whom the provider means.
    pub federated: Federated,
    /// Whose account that is to be.
    pub account: Principal,
    /// The groups they belong to.
    pub groups: Vec<String>,
    /// Where they wanted to go before they had to sign in.
    pub next: Option<String>,
}

/// The way to a provider of identities.
pub struct Oidc {
    settings: Settings,
    secret: Option<ClientSecret>,
    redirect: RedirectUrl,
    http: http::Http,
    /// Signs what is put into browsers. Another one after each start: a login that is under way then begins again.
    key: Zeroizing<[u8; 32]>,
    provider: provider::Cache,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oidc").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Oidc {
    /// Prepares the way. Nothing is asked of the provider before somebody signs in. `public`: where browsers reach this server.
    ///
    /// # Errors
    /// The client's secret is not where it is said to be.
    pub fn new(
        settings: Settings,
        public: &Url,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, IdentityError> {
        let secret = settings.secret.as_ref().map(reveal).transpose()?;
        let failed = |what, source| IdentityError::ProviderFailed { what, source };
        let redirect = public
            .join(CALLBACK)
            .map(RedirectUrl::from_url)
            .map_err(|error| failed("the server's own address", Box::new(error)))?;
        let http = http::Http::new().map_err(|error| failed("the HTTP client", Box::new(error)))?;
        let key = seed(&*entropy);
        Ok(Self {
            settings,
            secret,
            redirect,
            http,
            key,
            provider: provider::Cache::default(),
            clock,
            entropy,
        })
    }

    /// What people know the provider by: the name of its host.
    pub fn name(&self) -> String {
        let issuer = &self.settings.issuer;
        let url: Option<Url> = issuer.parse().ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| issuer.clone())
    }

    /// Sends somebody to the provider. `next`: where on this server they wanted to go. `secure`: whether this server is
    /// reached over TLS.
    ///
    /// # Errors
    /// The provider cannot be asked.
    pub async fn begin(&self, next: Option<&str>, secure: bool) -> Result<Begun, IdentityError> {
        login::begin(self, next, secure).await
    }

    /// Receives somebody back from the provider. `headers`: of their request, with the cookie they were given.
    ///
    /// # Errors
    /// The provider cannot be asked, or what it said is not accepted.
    pub async fn finish(
        &self,
        headers: &HeaderMap,
        callback: &Callback,
        secure: bool,
    ) -> Result<Person, IdentityError> {
        login::finish(self, headers, callback, secure).await
    }

    /// The `Set-Cookie` that takes the cookie of a login away.
    pub fn end_cookie(secure: bool) -> Option<HeaderValue> {
        super::cookie::clear(login::cookie_name(secure), secure)
    }
}

/// Reads the client's secret.
fn reveal(from: &SecretFrom) -> Result<ClientSecret, IdentityError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| IdentityError::ProviderFailed {
        what: "the client's secret",
        source,
    };
    let text = match from {
        SecretFrom::Env(name) => {
            let missing = || format!("the variable {name} of the environment is not set, or not text");
            std::env::var(name).map_err(|_| failed(missing().into()))?
        }
        SecretFrom::File(path) => {
            let shown = path.display().to_string();
            project::text::read(path, &shown, SECRET_FILE_BYTES_MAX)
                .map_err(|error| failed(Box::new(error)))?
        }
    };
    let text = Zeroizing::new(text);
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(failed("it is empty".into()));
    }
    Ok(ClientSecret::new(secret.to_owned()))
}

impl Identity {
    /// The same, with a provider of identities.
    #[must_use]
    pub fn with_provider(mut self, provider: Oidc) -> Self {
        self.provider = Some(provider);
        self
    }

    /// The provider of identities, if there is one.
    pub fn provider(&self) -> Option<&Oidc> {
        self.provider.as_ref()
    }

    /// Signs in whom the provider sent. Their account is added where there is none; it may nothing until `access.yaml` says so.
    ///
    /// # Errors
    /// The account is somebody else's or disabled, there can be none of that name, or there were too many failures.
    pub async fn use_person(
        &self,
        person: Person,
        from: Option<std::net::IpAddr>,
    ) -> Result<NewSession, IdentityError> {
        check_name(&person.account)?;
        let opening = Opening {
            account: person.account.clone(),
            via: None,
            groups: person.groups,
            means: LoginMeans::Oidc(person.federated.clone()),
            scope: ScopeRecord::default(),
            until: None,
        };
        let new = self.new_session(person.account.clone(), None);
        let opened = self
            .change(person.account.as_str(), |state| {
                let change = federating(state, Change::new(), &person.account, &person.federated)?;
                if state.accounts.contains_key(&person.account) {
                    return Self::opening(state, change, &new, &opening);
                }
                let event = Self::opened(&new, &opening);
                Ok(change.event(format!("session/{}", new.session), &person.account, event))
            })
            .await;
        match opened {
            Ok(()) => Ok(new),
            Err(error @ (IdentityError::WrongPerson(_) | IdentityError::Disabled(_))) => {
                Err(self.refuse(error, from, Some(&person.account)).await)
            }
            Err(error) => Err(error),
        }
    }

    /// Counts and records a login by the provider that failed.
    pub async fn refused_by_provider(
        &self,
        error: IdentityError,
        from: Option<std::net::IpAddr>,
    ) -> IdentityError {
        self.refuse(error, from, None).await
    }
}

/// What has to be recorded about the account of somebody whom the provider sent by a name. An account belongs to one person of
/// one provider for ever: names are given away again, subjects are not (`OpenID` Connect Core 1.0, section 5.7).
fn federating(
    state: &State,
    change: Change,
    account: &Principal,
    federated: &Federated,
) -> Result<Change, IdentityError> {
    if state.bound_to(federated).is_some_and(|bound| bound != account) {
        return Err(IdentityError::WrongPerson(account.clone()));
    }
    let Some(known) = state.accounts.get(account) else {
        let federated = Some(federated.clone());
        return adding(
            state,
            change,
            account,
            &AccountAdded { account: account.clone(), provided: true, federated },
        );
    };
    match &known.federated {
        Some(bound) if bound == federated => Ok(change),
        None if known.provided => {
            let bound = AccountBound { account: account.clone(), federated: federated.clone() };
            let stream = account_stream(account);
            // the condition on the stream comes with the session that is opened
            Ok(change.event(stream, account, IdentityEvent::AccountBound(bound)))
        }
        _ => Err(IdentityError::WrongPerson(account.clone())),
    }
}

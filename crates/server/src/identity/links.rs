//! Links: how a person signs in without a password, once each.

use std::net::IpAddr;

use journal::events::{
    AccountAdded, AccountChanged, IdentityEvent, LinkIssued, LinkUsed, LoginMeans, ScopeRecord,
};
use model::{Digest, Principal, Timestamp};

use super::accounts::{adding, check_name, person};
use super::error::no_account;
use super::sessions::{NewSession, Opening};
use super::state::{Link, State};
use super::{ADMINISTRATORS, Caller, Change, Identity, IdentityError, Secret, account_stream, limits};

/// Sequence of a link's stream as long as it is not used.
const ISSUED: u64 = 1;

/// A link that was made just now. Its secret exists here only.
#[derive(Debug)]
pub struct NewLink {
    /// The secret at the end of its address: `/login/link/SECRET`.
    pub secret: Secret,
    /// Who signs in with it.
    pub account: Principal,
    /// It opens nothing from this moment on.
    pub expires: Timestamp,
}

/// What a link that is still good is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkFor {
    /// To become the first administrator, under a name of one's choice.
    Setup,
    /// To sign in.
    Account(Principal),
}

fn stream(digest: Digest) -> String {
    format!("link/{digest}")
}

fn issuing(
    state: &State,
    change: Change,
    by: &Principal,
    issued: LinkIssued,
) -> Result<Change, IdentityError> {
    if state.links.len() >= limits::LINKS_MAX {
        return Err(IdentityError::Limit { what: "unused links", limit: limits::LINKS_MAX });
    }
    let stream = stream(issued.digest);
    Ok(change.expecting(stream.clone(), 0).event(stream, by, IdentityEvent::LinkIssued(issued)))
}

/// The link, if it is still good.
fn good(state: &State, digest: Digest, now: Timestamp) -> Result<&Link, IdentityError> {
    state.links.get(&digest).filter(|link| link.expires > now).ok_or(IdentityError::LinkSpent)
}

fn using(change: Change, digest: Digest, by: &Principal) -> Change {
    let stream = stream(digest);
    let used = IdentityEvent::LinkUsed(LinkUsed { digest });
    change.expecting(stream.clone(), ISSUED).event(stream, by, used)
}

impl Identity {
    /// A link for whoever is to be the first administrator. `None`: there is one.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn setup(&self) -> Result<Option<Secret>, IdentityError> {
        self.catch_up()?;
        if !self.state().administrators.is_empty() {
            return Ok(None);
        }
        let secret = Secret::draw(self.entropy());
        let expires = self.now() + limits::SETUP_LIFETIME;
        let issued = LinkIssued { digest: secret.digest(), account: None, via: None, expires };
        self.change("the links", |state| issuing(state, Change::new(), &Principal::system(), issued.clone()))
            .await?;
        Ok(Some(secret))
    }

    /// What a link is for, without using it: programs that look at every address in a message must not use it up.
    pub fn link(&self, secret: &Secret) -> Option<LinkFor> {
        let state = self.state();
        let link = good(&state, secret.digest(), self.now()).ok()?;
        Some(link.account.clone().map_or(LinkFor::Setup, LinkFor::Account))
    }

    /// Makes a link for somebody's account: their own, for another browser, or anybody's by an administrator.
    ///
    /// # Errors
    /// The caller may not, or there is no such account, or its person signs in otherwise.
    pub async fn issue_link(&self, caller: &Caller, account: &Principal) -> Result<NewLink, IdentityError> {
        // a session from a link is not limited, so nobody who is makes one
        if !caller.scope.is_open() {
            return Err(IdentityError::TooWide("a link opens a session that is not limited"));
        }
        let own = caller.principal == *account && caller.is_session();
        if !own {
            caller.may_administer_server("make links for others")?;
        }
        let via = caller.via.as_ref().filter(|_| own);
        self.new_link(&caller.principal, account, via).await
    }

    /// Makes a link for whoever sits at the server's machine and may write to its directory: adds the account where there is
    /// none, and makes it an administrator where nobody is. `via`: the operating system's user, if that is somebody else.
    ///
    /// # Errors
    /// The account is disabled, or its person signs in otherwise.
    pub async fn admit_local(
        &self,
        account: &Principal,
        via: Option<&Principal>,
    ) -> Result<NewLink, IdentityError> {
        check_name(account)?;
        let by = via.unwrap_or(account);
        let added = AccountAdded { account: account.clone(), provided: false, federated: None };
        self.change(account.as_str(), |state| {
            let mut change = Change::new();
            if !state.accounts.contains_key(account) {
                change = adding(state, change, by, &added)?;
            }
            if state.administrators.is_empty() {
                let given = AccountChanged { account: account.clone(), reason: None };
                change = change.expecting(ADMINISTRATORS, state.administrators_at).event(
                    ADMINISTRATORS,
                    by,
                    IdentityEvent::AdministratorGiven(given),
                );
            }
            Ok(change)
        })
        .await?;
        self.new_link(by, account, via).await
    }

    async fn new_link(
        &self,
        by: &Principal,
        account: &Principal,
        via: Option<&Principal>,
    ) -> Result<NewLink, IdentityError> {
        let secret = Secret::draw(self.entropy());
        let expires = self.now() + limits::LINK_LIFETIME;
        let issued = LinkIssued {
            digest: secret.digest(),
            account: Some(account.clone()),
            via: via.cloned(),
            expires,
        };
        self.change(account.as_str(), |state| {
            let known = state.accounts.get(account).ok_or_else(|| no_account(account))?;
            if !known.enabled {
                return Err(IdentityError::Disabled(account.clone()));
            }
            if known.provided || account.kind() != "user" {
                let why = if known.provided {
                    "its person signs in with the identity provider"
                } else {
                    "a program signs in with a token"
                };
                return Err(IdentityError::BadAccount { name: account.to_string(), why: why.to_owned() });
            }
            let change = Change::new().expecting(account_stream(account), known.sequence);
            issuing(state, change, by, issued.clone())
        })
        .await?;
        Ok(NewLink { secret, account: account.clone(), expires })
    }

    /// Signs in with a link. Of any number who try, one gets in.
    ///
    /// # Errors
    /// The link opens nothing (any more), the account is disabled, or there were too many failures.
    pub async fn use_link(&self, secret: &Secret, from: Option<IpAddr>) -> Result<NewSession, IdentityError> {
        let digest = secret.digest();
        let Some(LinkFor::Account(account)) = self.link(secret) else {
            return Err(self.refuse(IdentityError::LinkSpent, from, None).await);
        };
        let via = self.state().links.get(&digest).and_then(|link| link.via.clone());
        let opening = Opening {
            account: account.clone(),
            via,
            groups: Vec::new(),
            means: LoginMeans::Link { digest },
            scope: ScopeRecord::default(),
            until: None,
        };
        let opened = self
            .open_session(&opening, |state| {
                good(state, digest, self.now())?;
                Ok(using(Change::new(), digest, &account))
            })
            .await;
        match opened {
            Err(error @ IdentityError::LinkSpent) => Err(self.refuse(error, from, Some(&account)).await),
            answer => answer,
        }
    }

    /// Becomes the first administrator, under a name of one's choice, and signs in.
    ///
    /// # Errors
    /// The link opens nothing (any more), there can be no account of that name, or there were too many failures.
    pub async fn use_setup(
        &self,
        secret: &Secret,
        name: &str,
        from: Option<IpAddr>,
    ) -> Result<NewSession, IdentityError> {
        let digest = secret.digest();
        if self.link(secret) != Some(LinkFor::Setup) {
            return Err(self.refuse(IdentityError::LinkSpent, from, None).await);
        }
        let account = person(name)?;
        let opening = Opening {
            account: account.clone(),
            via: None,
            groups: Vec::new(),
            means: LoginMeans::Link { digest },
            scope: ScopeRecord::default(),
            until: None,
        };
        let new = self.new_session(account.clone(), None);
        let added = AccountAdded { account: account.clone(), provided: false, federated: None };
        let given = AccountChanged { account: account.clone(), reason: None };
        let done = self
            .change(account.as_str(), |state| {
                good(state, digest, self.now())?;
                let change = using(Change::new(), digest, &account);
                let change = adding(state, change, &account, &added)?
                    .expecting(ADMINISTRATORS, state.administrators_at)
                    .event(ADMINISTRATORS, &account, IdentityEvent::AdministratorGiven(given.clone()));
                Ok(change.event(format!("session/{}", new.session), &account, Self::opened(&new, &opening)))
            })
            .await;
        match done {
            Ok(()) => Ok(new),
            Err(error @ IdentityError::LinkSpent) => Err(self.refuse(error, from, None).await),
            Err(error) => Err(error),
        }
    }
}

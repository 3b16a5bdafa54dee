//! Accounts: who can sign in at all, and who of them administers the server.

use journal::events::{AccountAdded, AccountChanged, IdentityEvent};
use model::{Principal, Timestamp};

use super::error::no_account;
use super::state::{Account, State};
use super::{ADMINISTRATORS, Change, Identity, IdentityError, account_stream, limits};

/// One account, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Whose.
    pub account: Principal,
    /// Whether a provider of identities says who they are.
    pub provided: bool,
    /// Which provider, once they have signed in.
    pub issuer: Option<String>,
    /// Whether it can be signed in by.
    pub enabled: bool,
    /// Whether it administers the server.
    pub administrator: bool,
    /// When it was added.
    pub since: Timestamp,
    /// How many sessions are open.
    pub sessions: usize,
    /// How many tokens are good.
    pub tokens: usize,
}

/// The account of a person.
pub(super) fn person(name: &str) -> Result<Principal, IdentityError> {
    let account = Principal::user(name).map_err(|error| bad(name, error.to_string()))?;
    check_name(&account)?;
    Ok(account)
}

fn bad(name: &str, why: impl Into<String>) -> IdentityError {
    // what was given may be long, and anything
    let shown = name.chars().filter(|letter| !letter.is_control()).take(limits::ACCOUNT_NAME_BYTES).collect();
    IdentityError::BadAccount { name: shown, why: why.into() }
}

/// Whether there can be an account of this name.
pub(super) fn check_name(account: &Principal) -> Result<(), IdentityError> {
    if !matches!(account.kind(), "user" | "token") {
        return Err(bad(account.as_str(), "an account is `user:NAME` or `token:NAME`"));
    }
    if account.name().len() > limits::ACCOUNT_NAME_BYTES {
        let why = format!("its name has more than {} characters", limits::ACCOUNT_NAME_BYTES);
        return Err(bad(account.as_str(), why));
    }
    Ok(())
}

fn check_reason(reason: Option<&str>) -> Result<(), IdentityError> {
    match reason {
        Some(reason) if reason.len() > limits::REASON_BYTES_MAX => {
            let limit = limits::REASON_BYTES_MAX;
            Err(IdentityError::BadToken(format!("a reason has at most {limit} bytes")))
        }
        _ => Ok(()),
    }
}

fn view(state: &State, name: &Principal, account: &Account, now: Timestamp) -> AccountView {
    let good = |token: &&super::state::Token| token.account == *name && token.expires > now;
    AccountView {
        account: name.clone(),
        provided: account.provided,
        issuer: account.federated.as_ref().map(|federated| federated.issuer.clone()),
        enabled: account.enabled,
        administrator: state.administrators.contains(name),
        since: account.since,
        sessions: state.sessions.values().filter(|session| session.account == *name).count(),
        tokens: state.tokens.values().filter(good).count(),
    }
}

/// The change that adds an account.
pub(super) fn adding(
    state: &State,
    change: Change,
    by: &Principal,
    added: &AccountAdded,
) -> Result<Change, IdentityError> {
    if state.accounts.contains_key(&added.account) {
        return Err(IdentityError::AccountExists(added.account.clone()));
    }
    if state.accounts.len() >= limits::ACCOUNTS_MAX {
        return Err(IdentityError::Limit { what: "accounts", limit: limits::ACCOUNTS_MAX });
    }
    let stream = account_stream(&added.account);
    let event = IdentityEvent::AccountAdded(added.clone());
    Ok(change.expecting(stream.clone(), 0).event(stream, by, event))
}

/// The change that gives somebody the right to administer, or takes it.
fn administering(
    state: &State,
    change: Change,
    by: &Principal,
    changed: &AccountChanged,
    give: bool,
) -> Result<Change, IdentityError> {
    let account = &changed.account;
    if !give && state.administrators.iter().all(|one| one == account) {
        return Err(IdentityError::LastAdministrator(account.clone()));
    }
    let event = if give {
        IdentityEvent::AdministratorGiven(changed.clone())
    } else {
        IdentityEvent::AdministratorTaken(changed.clone())
    };
    Ok(change.expecting(ADMINISTRATORS, state.administrators_at).event(ADMINISTRATORS, by, event))
}

impl Identity {
    /// Every account, by name.
    pub fn accounts(&self) -> Vec<AccountView> {
        let (state, now) = (self.state(), self.now());
        state.accounts.iter().map(|(name, account)| view(&state, name, account, now)).collect()
    }

    /// One account.
    pub fn account(&self, name: &Principal) -> Option<AccountView> {
        let (state, now) = (self.state(), self.now());
        state.accounts.get(name).map(|account| view(&state, name, account, now))
    }

    /// Adds an account. `provided`: a provider of identities says who they are, and the first person it sends by that name is
    /// who the account belongs to for ever.
    ///
    /// # Errors
    /// There is one, there can be none of that name, or there are too many.
    pub async fn add_account(
        &self,
        by: &Principal,
        account: &Principal,
        provided: bool,
    ) -> Result<(), IdentityError> {
        check_name(account)?;
        if provided && account.kind() != "user" {
            return Err(bad(account.as_str(), "an identity provider knows people only"));
        }
        let added = AccountAdded { account: account.clone(), provided, federated: None };
        self.change(account.as_str(), |state| adding(state, Change::new(), by, &added)).await
    }

    /// Disables an account, with its sessions, links and right to administer, or enables it again. Does nothing where it is so.
    ///
    /// # Errors
    /// There is none, or it is the last administrator's.
    pub async fn set_enabled(
        &self,
        by: &Principal,
        account: &Principal,
        enabled: bool,
        reason: Option<String>,
    ) -> Result<(), IdentityError> {
        check_reason(reason.as_deref())?;
        let changed = AccountChanged { account: account.clone(), reason };
        self.change(account.as_str(), |state| {
            let known = state.accounts.get(account).ok_or_else(|| no_account(account))?;
            let mut change = Change::new();
            if known.enabled == enabled {
                return Ok(change);
            }
            if !enabled && state.administrators.contains(account) {
                change = administering(state, change, by, &changed, false)?;
            }
            let event = if enabled {
                IdentityEvent::AccountEnabled(changed.clone())
            } else {
                IdentityEvent::AccountDisabled(changed.clone())
            };
            let stream = account_stream(account);
            Ok(change.expecting(stream.clone(), known.sequence).event(stream, by, event))
        })
        .await
    }

    /// Gives an account the right to administer the server, or takes it. Does nothing where it is so.
    ///
    /// # Errors
    /// There is none, it is disabled or a program's, or it is the last one that has the right.
    pub async fn set_administrator(
        &self,
        by: &Principal,
        account: &Principal,
        administrator: bool,
        reason: Option<String>,
    ) -> Result<(), IdentityError> {
        check_reason(reason.as_deref())?;
        let changed = AccountChanged { account: account.clone(), reason };
        self.change("the administrators", |state| {
            let known = state.accounts.get(account).ok_or_else(|| no_account(account))?;
            if state.administrators.contains(account) == administrator {
                return Ok(Change::new());
            }
            if !known.enabled {
                return Err(IdentityError::Disabled(account.clone()));
            }
            // it must not be disabled meanwhile
            let change = Change::new().expecting(account_stream(account), known.sequence);
            administering(state, change, by, &changed, administrator)
        })
        .await
    }
}

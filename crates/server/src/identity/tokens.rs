//! Tokens: what programs sign in with, and people who have no browser at hand.

use std::sync::atomic::Ordering;

use journal::events::{IdentityEvent, TokenIssued, TokenRevoked};
use model::time::SignedDuration;
use model::{Principal, Timestamp, TokenId};

use super::error::{no_account, no_token};
use super::sessions::unix_ms;
use super::state::{State, Token};
use super::{Caller, Change, Identity, IdentityError, Means, Scope, Secret, account_stream, limits};

/// Sequence of a token's stream as long as it is not revoked.
pub(super) const ISSUED: u64 = 1;

pub(super) fn stream(token: TokenId) -> String {
    format!("token/{token}")
}

/// What somebody wants a token to be.
#[derive(Debug, Clone, Default)]
pub struct TokenWish {
    /// What people are to call it.
    pub name: String,
    /// Who is to act with it; whoever makes it, when left out.
    pub account: Option<Principal>,
    /// What it is to be limited to.
    pub scope: Scope,
    /// How long it is to be good for; [`limits::TOKEN_LIFETIME_DEFAULT`] when left out.
    pub lifetime: Option<SignedDuration>,
}

/// One token, as people see it. Its secret is nobody's to see again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenView {
    /// Its id.
    pub token: TokenId,
    /// Who acts with it.
    pub account: Principal,
    /// Who is behind them.
    pub via: Option<Principal>,
    /// What people call it.
    pub name: String,
    /// What it is limited to.
    pub scope: Scope,
    /// When it was made.
    pub issued: Timestamp,
    /// By whom.
    pub by: Principal,
    /// It is good for nothing from this moment on.
    pub expires: Timestamp,
    /// When it was used last, if it was since the server began.
    pub used: Option<Timestamp>,
}

/// A token that was made just now. Its secret exists here only.
#[derive(Debug)]
pub struct NewToken {
    /// Its id.
    pub token: TokenId,
    /// Its secret, to be shown once.
    pub secret: Secret,
    /// Who acts with it.
    pub account: Principal,
    /// It is good for nothing from this moment on.
    pub expires: Timestamp,
}

fn view(id: TokenId, token: &Token) -> TokenView {
    let used = token.used.load(Ordering::Relaxed);
    TokenView {
        token: id,
        account: token.account.clone(),
        via: token.via.clone(),
        name: token.name.clone(),
        scope: Scope::from(&token.scope),
        issued: token.issued,
        by: token.by.clone(),
        expires: token.expires,
        used: Timestamp::from_millisecond(used).ok().filter(|_| used > 0),
    }
}

fn check(wish: &TokenWish) -> Result<SignedDuration, IdentityError> {
    let bad = |why: String| Err(IdentityError::BadToken(why));
    let name = wish.name.trim();
    if !(1..=limits::TOKEN_NAME_CHARS).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return bad(format!("a token's name has 1 to {} characters in one line", limits::TOKEN_NAME_CHARS));
    }
    let lifetime = wish.lifetime.unwrap_or(limits::TOKEN_LIFETIME_DEFAULT);
    if lifetime <= SignedDuration::ZERO || lifetime > limits::TOKEN_LIFETIME_MAX {
        let days = limits::TOKEN_LIFETIME_MAX.as_hours() / 24;
        return bad(format!("a token is good for a moment at least and {days} days at most"));
    }
    let Scope { permissions, projects, environments } = &wish.scope;
    let lists = [
        ("permissions", permissions.as_ref().map(std::collections::BTreeSet::len)),
        ("projects", projects.as_ref().map(std::collections::BTreeSet::len)),
        ("environments", environments.as_ref().map(std::collections::BTreeSet::len)),
    ];
    for (what, count) in lists {
        if count.is_some_and(|count| !(1..=limits::SCOPE_ENTRIES_MAX).contains(&count)) {
            let most = limits::SCOPE_ENTRIES_MAX;
            return bad(format!("a token is limited to 1 to {most} {what}, or not by {what} at all"));
        }
    }
    let too_long = |project: &String| project.is_empty() || project.len() > limits::GROUP_BYTES_MAX;
    if projects.iter().flatten().any(too_long) {
        return bad(format!("the name of a project has 1 to {} bytes", limits::GROUP_BYTES_MAX));
    }
    Ok(lifetime)
}

impl Identity {
    /// The tokens of an account, or all of them, oldest first, also those that ran out lately.
    pub fn tokens(&self, of: Option<&Principal>) -> Vec<TokenView> {
        let wanted = |token: &Token| of.is_none_or(|of| token.account == *of);
        let state = self.state();
        state.tokens.iter().filter(|(_, token)| wanted(token)).map(|(id, token)| view(*id, token)).collect()
    }

    /// Makes a token: for oneself, within one's own limits; or, as an administrator, for a program's account. What is done with
    /// a program's token is done by way of whoever made it, who therefore cannot approve it.
    ///
    /// # Errors
    /// The caller came with a token, which makes no other (it would outlive being revoked); it is for somebody else or for
    /// more than the caller has; it cannot be a token; there are too many.
    pub async fn issue_token(&self, caller: &Caller, wish: TokenWish) -> Result<NewToken, IdentityError> {
        if !caller.is_session() {
            return Err(IdentityError::TooWide("a token makes no tokens; sign in with a browser"));
        }
        if !wish.scope.is_within(&caller.scope) {
            return Err(IdentityError::TooWide("you are limited to less yourself"));
        }
        let account = wish.account.clone().unwrap_or_else(|| caller.principal.clone());
        let own = account == caller.principal;
        if !own {
            caller.may_administer_server("make tokens for others")?;
            if account.kind() != "token" {
                return Err(IdentityError::TooWide("people make their tokens themselves"));
            }
        }
        let behind = caller.via.clone().or_else(|| (!own).then(|| caller.principal.clone()));
        self.issue_token_as(&caller.principal, &account, behind, wish).await
    }

    /// Makes a token for whoever sits at the server's machine and may write to its directory. `via`: who is behind the account.
    ///
    /// # Errors
    /// There is no such account, it is disabled, it cannot be a token, or there are too many.
    pub async fn issue_token_as(
        &self,
        by: &Principal,
        account: &Principal,
        via: Option<Principal>,
        wish: TokenWish,
    ) -> Result<NewToken, IdentityError> {
        let lifetime = check(&wish)?;
        let now = self.now();
        let secret = Secret::draw_token(self.entropy());
        let token = TokenId::from_parts(unix_ms(now), self.entropy().draw());
        let expires = now + lifetime;
        let issued = TokenIssued {
            token,
            account: account.clone(),
            via,
            name: wish.name.trim().to_owned(),
            scope: (&wish.scope).into(),
            digest: secret.digest(),
            expires,
        };
        self.change(account.as_str(), |state| issuing(state, by, &issued, now)).await?;
        Ok(NewToken { token, secret, account: account.clone(), expires })
    }

    /// Revokes a token: one's own, or anybody's as an administrator. It and the sessions opened with it are good for nothing
    /// from this moment on.
    ///
    /// # Errors
    /// There is no such token, or it is not the caller's to know of.
    pub async fn revoke_token(
        &self,
        caller: &Caller,
        token: TokenId,
        reason: Option<String>,
    ) -> Result<(), IdentityError> {
        let of = self.state().tokens.get(&token).map(|token| token.account.clone());
        let itself = caller.means == Means::Token(token);
        let own = of.as_ref() == Some(&caller.principal) && caller.scope.is_open();
        if of.is_none() || !(itself || own || caller.may_administer_server("revoke").is_ok()) {
            return Err(no_token(token));
        }
        self.revoke_token_as(&caller.principal, token, reason).await
    }

    /// Revokes a token for whoever sits at the server's machine and may write to its directory.
    ///
    /// # Errors
    /// There is no such token.
    pub async fn revoke_token_as(
        &self,
        by: &Principal,
        token: TokenId,
        reason: Option<String>,
    ) -> Result<(), IdentityError> {
        if reason.as_ref().is_some_and(|reason| reason.len() > limits::REASON_BYTES_MAX) {
            let limit = limits::REASON_BYTES_MAX;
            return Err(IdentityError::BadToken(format!("a reason has at most {limit} bytes")));
        }
        let revoked = IdentityEvent::TokenRevoked(TokenRevoked { token, reason });
        self.change("the token", |state| {
            if !state.tokens.contains_key(&token) {
                return Err(no_token(token));
            }
            Ok(Change::new().expecting(stream(token), ISSUED).event(stream(token), by, revoked.clone()))
        })
        .await
    }
}

fn issuing(
    state: &State,
    by: &Principal,
    issued: &TokenIssued,
    now: Timestamp,
) -> Result<Change, IdentityError> {
    let account = &issued.account;
    let known = state.accounts.get(account).ok_or_else(|| no_account(account))?;
    if !known.enabled {
        return Err(IdentityError::Disabled(account.clone()));
    }
    let good = |token: &&Token| token.account == *account && token.expires > now;
    if state.tokens.values().filter(good).count() >= limits::TOKENS_PER_ACCOUNT_MAX {
        return Err(IdentityError::Limit { what: "tokens", limit: limits::TOKENS_PER_ACCOUNT_MAX });
    }
    let stream = stream(issued.token);
    let event = IdentityEvent::TokenIssued(Box::new(issued.clone()));
    Ok(Change::new()
        .expecting(account_stream(account), known.sequence)
        .expecting(stream.clone(), 0)
        .event(stream, by, event))
}

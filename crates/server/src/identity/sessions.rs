//! Sessions: how long somebody who signed in with a browser stays.

use std::sync::atomic::Ordering;

use axum::http::HeaderValue;
use journal::events::{IdentityEvent, LoginMeans, ScopeRecord, SessionClosed, SessionEnd, SessionOpened};
use journal::{Append, Journal as _};
use model::{Principal, SessionId, Timestamp};

use super::state::{Session, State};
use super::{
    Caller, Change, Csrf, Identity, IdentityError, Means, Scope, Secret, account_stream, cookie, limits,
};

/// A session that was opened just now. Its secret exists here, and in the browser.
#[derive(Debug)]
pub struct NewSession {
    /// Its id.
    pub session: SessionId,
    /// Who signed in.
    pub account: Principal,
    /// The secret for the cookie.
    pub cookie: Secret,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it is over at the latest.
    pub expires: Timestamp,
}

impl NewSession {
    /// The `Set-Cookie` that gives it to the browser. `secure`: whether the server is reached over TLS.
    pub fn set_cookie(&self, secure: bool) -> Option<HeaderValue> {
        let lifetime = self.expires.duration_since(self.opened);
        cookie::set(cookie::session_name(secure), self.cookie.expose(), lifetime, secure)
    }
}

/// What a session is opened with.
pub(super) struct Opening {
    pub(super) account: Principal,
    pub(super) via: Option<Principal>,
    pub(super) groups: Vec<String>,
    pub(super) means: LoginMeans,
    pub(super) scope: ScopeRecord,
    /// It is over no later than this, whatever its own limits.
    pub(super) until: Option<Timestamp>,
}

fn stream(session: SessionId) -> String {
    format!("session/{session}")
}

impl Identity {
    /// Draws the secret of a session that is to be opened.
    pub(super) fn new_session(&self, account: Principal, until: Option<Timestamp>) -> NewSession {
        let opened = self.now();
        let own = opened + limits::SESSION_LIFETIME;
        NewSession {
            session: SessionId::from_parts(unix_ms(opened), self.entropy.draw()),
            account,
            cookie: Secret::draw(&*self.entropy),
            opened,
            expires: until.map_or(own, |until| until.min(own)),
        }
    }

    /// Adds to a change that the session is opened, unless its account changes meanwhile. The oldest sessions of an account with
    /// too many of them end.
    pub(super) fn opening(
        state: &State,
        change: Change,
        new: &NewSession,
        opening: &Opening,
    ) -> Result<Change, IdentityError> {
        let account = &opening.account;
        let known = state.accounts.get(account).ok_or(IdentityError::NotSignedIn)?;
        if !known.enabled {
            return Err(IdentityError::Disabled(account.clone()));
        }
        let mut change = change.expecting(account_stream(account), known.sequence);
        let theirs: Vec<SessionId> = state
            .sessions
            .iter()
            .filter(|(_, session)| session.account == *account)
            .map(|(id, _)| *id)
            .collect();
        let over = (theirs.len() + 1).saturating_sub(limits::SESSIONS_PER_ACCOUNT_MAX);
        for session in &theirs[..over] {
            let closed = SessionClosed { session: *session, why: SessionEnd::Ended };
            change = change.event(stream(*session), account, IdentityEvent::SessionClosed(closed));
        }
        Ok(change.event(stream(new.session), account, Self::opened(new, opening)))
    }

    /// The event of a session that is opened.
    pub(super) fn opened(new: &NewSession, opening: &Opening) -> IdentityEvent {
        IdentityEvent::SessionOpened(Box::new(SessionOpened {
            session: new.session,
            account: opening.account.clone(),
            via: opening.via.clone(),
            groups: opening.groups.clone(),
            means: opening.means.clone(),
            scope: opening.scope.clone(),
            digest: new.cookie.digest(),
            expires: new.expires,
        }))
    }

    pub(super) fn by_cookie(&self, secret: &Secret, now: Timestamp) -> Result<Caller, IdentityError> {
        let state = self.state();
        let (id, session) = state
            .session_of(&secret.digest())
            .filter(|(_, session)| session.expires > now)
            .ok_or(IdentityError::NotSignedIn)?;
        let used = session.used.load(Ordering::Relaxed);
        if now.as_millisecond().saturating_sub(used) >= ms(limits::SESSION_IDLE) {
            self.end_idle(id, session);
            return Err(IdentityError::NotSignedIn);
        }
        session.used.fetch_max(now.as_millisecond(), Ordering::Relaxed);
        Ok(Caller {
            principal: session.account.clone(),
            via: session.via.clone(),
            groups: session.groups.clone(),
            scope: Scope::from(&session.scope),
            means: Means::Session { id, csrf: Csrf::of(secret) },
            administrator: state.administrators.contains(&session.account),
            expires: session.expires,
        })
    }

    /// Records once that a session is over. Nobody waits for that: it is refused from here on in any case, and after a restart
    /// by the record.
    fn end_idle(&self, session: SessionId, known: &Session) {
        if known.closing.swap(true, Ordering::Relaxed) {
            return;
        }
        let closed = SessionClosed { session, why: SessionEnd::Idle };
        let change =
            Change::new().event(stream(session), &Principal::system(), IdentityEvent::SessionClosed(closed));
        drop(self.journal.append(Append { expect: Vec::new(), events: change.events, at: None }));
    }

    /// Signs somebody out. Does nothing for whoever came with a token.
    ///
    /// # Errors
    /// The journal cannot be written: they are still signed in.
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), IdentityError> {
        let Means::Session { id, .. } = caller.means else { return Ok(()) };
        let closed = IdentityEvent::SessionClosed(SessionClosed { session: id, why: SessionEnd::SignedOut });
        self.change("the session", |state| {
            let change = Change::new();
            // somebody else may have ended it
            if !state.sessions.contains_key(&id) {
                return Ok(change);
            }
            Ok(change.event(stream(id), &caller.principal, closed.clone()))
        })
        .await
    }

    /// Signs in with a token, for a browser: the session can do what the token can, and ends with it.
    ///
    /// # Errors
    /// The token is good for nothing, its account is disabled, or there were too many failures.
    pub async fn use_token(
        &self,
        token: &Secret,
        from: Option<std::net::IpAddr>,
    ) -> Result<NewSession, IdentityError> {
        let caller = match self.by_token(token, self.now()) {
            Ok(caller) => caller,
            Err(error) => {
                let account = match &error {
                    IdentityError::Disabled(account) => Some(account.clone()),
                    _ => None,
                };
                return Err(self.refuse(error, from, account.as_ref()).await);
            }
        };
        let Means::Token(id) = caller.means else { return Err(IdentityError::NotSignedIn) };
        let opening = Opening {
            account: caller.principal.clone(),
            via: caller.via.clone(),
            groups: caller.groups.clone(),
            means: LoginMeans::Token { token: id },
            scope: (&caller.scope).into(),
            until: Some(caller.expires),
        };
        self.open_session(&opening, move |state| {
            // it may have been revoked this very moment
            if !state.tokens.contains_key(&id) {
                return Err(IdentityError::NotSignedIn);
            }
            Ok(Change::new().expecting(super::tokens::stream(id), super::tokens::ISSUED))
        })
        .await
    }

    /// The `Set-Cookie` that takes a session's cookie away. `secure`: whether the server is reached over TLS.
    pub fn end_cookie(secure: bool) -> Option<HeaderValue> {
        cookie::clear(cookie::session_name(secure), secure)
    }

    /// Opens a session together with what `with` decides.
    pub(super) async fn open_session(
        &self,
        opening: &Opening,
        with: impl Fn(&State) -> Result<Change, IdentityError>,
    ) -> Result<NewSession, IdentityError> {
        let new = self.new_session(opening.account.clone(), opening.until);
        self.change("the account", |state| Self::opening(state, with(state)?, &new, opening)).await?;
        Ok(new)
    }
}

/// Milliseconds since 1970.
pub(super) fn unix_ms(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0)
}

fn ms(duration: model::time::SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

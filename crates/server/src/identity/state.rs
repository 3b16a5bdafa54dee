//! What the server's journal says: a pure fold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64};

use journal::events::{Federated, IdentityEvent, LoginMeans, ScopeRecord};
use journal::{Event, Record};
use model::{Digest, Principal, SessionId, Timestamp, TokenId};

use super::limits;

/// Everything that is known of who signs in.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Position of the last record that is in it.
    pub(crate) position: u64,
    pub(crate) accounts: BTreeMap<Principal, Account>,
    pub(crate) administrators: BTreeSet<Principal>,
    /// Last sequence of the stream `administrators`.
    pub(crate) administrators_at: u64,
    pub(crate) tokens: BTreeMap<TokenId, Token>,
    tokens_by_digest: HashMap<Digest, TokenId>,
    pub(crate) links: HashMap<Digest, Link>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    sessions_by_digest: HashMap<Digest, SessionId>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) provided: bool,
    pub(crate) federated: Option<Federated>,
    pub(crate) enabled: bool,
    pub(crate) since: Timestamp,
    /// What its provider said last, and when.
    pub(crate) groups: Option<(Vec<String>, Timestamp)>,
    /// Last sequence of its stream.
    pub(crate) sequence: u64,
}

impl Account {
    /// The groups that count for what is not a session of the person.
    pub(crate) fn groups_at(&self, now: Timestamp) -> &[String] {
        match &self.groups {
            Some((groups, said)) if now.duration_since(*said) < limits::GROUPS_LIFETIME => groups,
            _ => &[],
        }
    }
}

/// One token that is not revoked.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) account: Principal,
    pub(crate) via: Option<Principal>,
    pub(crate) name: String,
    pub(crate) scope: ScopeRecord,
    pub(crate) issued: Timestamp,
    pub(crate) by: Principal,
    pub(crate) expires: Timestamp,
    digest: Digest,
    /// When it was used last since this process began, in milliseconds since 1970; 0: not yet.
    pub(crate) used: AtomicI64,
}

/// One link that is not used.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// `None`: whoever opens it becomes the first administrator.
    pub(crate) account: Option<Principal>,
    pub(crate) via: Option<Principal>,
    pub(crate) expires: Timestamp,
}

/// One session that is not over.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) account: Principal,
    pub(crate) via: Option<Principal>,
    pub(crate) groups: Vec<String>,
    pub(crate) scope: ScopeRecord,
    pub(crate) means: LoginMeans,
    pub(crate) expires: Timestamp,
    digest: Digest,
    /// When it was used last, in milliseconds since 1970.
    pub(crate) used: AtomicI64,
    /// Whether it is on its way out.
    pub(crate) closing: AtomicBool,
}

impl State {
    /// Takes notice of one record. `seen`: when, for how long sessions have not been used.
    pub(crate) fn apply(&mut self, record: &Record, seen: Timestamp) {
        self.position = record.position;
        let Event::Identity(event) = &record.event else { return };
        match event {
            IdentityEvent::AccountAdded(added) => {
                let account = Account {
                    provided: added.provided,
                    federated: added.federated.clone(),
                    enabled: true,
                    since: record.at,
                    groups: None,
                    sequence: record.sequence,
                };
                self.accounts.insert(added.account.clone(), account);
            }
            IdentityEvent::AccountBound(bound) => self.account(&bound.account, record, |account| {
                account.federated = Some(bound.federated.clone());
            }),
            IdentityEvent::AccountDisabled(changed) => {
                self.account(&changed.account, record, |account| account.enabled = false);
                self.end_sessions(|session| session.account == changed.account);
                self.links.retain(|_, link| link.account.as_ref() != Some(&changed.account));
            }
            IdentityEvent::AccountEnabled(changed) => {
                self.account(&changed.account, record, |account| account.enabled = true);
            }
            IdentityEvent::AdministratorGiven(changed) => {
                self.administrators_at = record.sequence;
                self.administrators.insert(changed.account.clone());
                // there is an administrator, so nobody becomes the first one any more
                self.links.retain(|_, link| link.account.is_some());
            }
            IdentityEvent::AdministratorTaken(changed) => {
                self.administrators_at = record.sequence;
                self.administrators.remove(&changed.account);
            }
            IdentityEvent::TokenIssued(_)
            | IdentityEvent::TokenRevoked(_)
            | IdentityEvent::LinkIssued(_)
            | IdentityEvent::LinkUsed(_) => self.credential(event, record),
            IdentityEvent::SessionOpened(_) => self.opened(event, record, seen),
            IdentityEvent::SessionClosed(closed) => {
                self.end_sessions_by_id(&[closed.session]);
            }
            IdentityEvent::LoginRefused(_) => {}
        }
    }

    fn credential(&mut self, event: &IdentityEvent, record: &Record) {
        match event {
            IdentityEvent::TokenIssued(issued) => {
                let token = Token {
                    account: issued.account.clone(),
                    via: issued.via.clone(),
                    name: issued.name.clone(),
                    scope: issued.scope.clone(),
                    issued: record.at,
                    by: record.actor.clone(),
                    expires: issued.expires,
                    digest: issued.digest,
                    used: AtomicI64::new(0),
                };
                self.tokens_by_digest.insert(issued.digest, issued.token);
                self.tokens.insert(issued.token, token);
            }
            IdentityEvent::TokenRevoked(revoked) => {
                if let Some(token) = self.tokens.remove(&revoked.token) {
                    self.tokens_by_digest.remove(&token.digest);
                }
                let by_it = |session: &Session| matches!(session.means, LoginMeans::Token { token } if token == revoked.token);
                self.end_sessions(by_it);
            }
            IdentityEvent::LinkIssued(issued) => {
                let link = Link {
                    account: issued.account.clone(),
                    via: issued.via.clone(),
                    expires: issued.expires,
                };
                self.links.insert(issued.digest, link);
            }
            IdentityEvent::LinkUsed(used) => {
                self.links.remove(&used.digest);
            }
            _ => {}
        }
    }

    fn opened(&mut self, event: &IdentityEvent, record: &Record, seen: Timestamp) {
        let IdentityEvent::SessionOpened(opened) = event else { return };
        if let LoginMeans::Oidc(_) = opened.means
            && let Some(account) = self.accounts.get_mut(&opened.account)
        {
            account.groups = Some((opened.groups.clone(), record.at));
        }
        if !self.accounts.get(&opened.account).is_some_and(|account| account.enabled) {
            return;
        }
        let session = Session {
            account: opened.account.clone(),
            via: opened.via.clone(),
            groups: opened.groups.clone(),
            scope: opened.scope.clone(),
            means: opened.means.clone(),
            expires: opened.expires,
            digest: opened.digest,
            used: AtomicI64::new(seen.as_millisecond()),
            closing: AtomicBool::new(false),
        };
        self.sessions_by_digest.insert(opened.digest, opened.session);
        self.sessions.insert(opened.session, session);
    }

    fn account(&mut self, name: &Principal, record: &Record, change: impl FnOnce(&mut Account)) {
        if let Some(account) = self.accounts.get_mut(name) {
            account.sequence = record.sequence;
            change(account);
        }
    }

    fn end_sessions(&mut self, over: impl Fn(&Session) -> bool) {
        let ids: Vec<SessionId> =
            self.sessions.iter().filter(|(_, session)| over(session)).map(|(id, _)| *id).collect();
        self.end_sessions_by_id(&ids);
    }

    fn end_sessions_by_id(&mut self, ids: &[SessionId]) {
        for id in ids {
            if let Some(session) = self.sessions.remove(id) {
                self.sessions_by_digest.remove(&session.digest);
            }
        }
    }

    /// Forgets what time has ended: it opens nothing any more, and takes room.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        self.links.retain(|_, link| link.expires > now);
        self.end_sessions(|session| session.expires <= now);
        let digests = &mut self.tokens_by_digest;
        self.tokens.retain(|_, token| {
            let listed = now.duration_since(token.expires) < limits::TOKEN_LISTED;
            if !listed {
                digests.remove(&token.digest);
            }
            listed
        });
    }

    /// The token with a secret of this digest.
    pub(crate) fn token_of(&self, digest: &Digest) -> Option<(TokenId, &Token)> {
        let id = self.tokens_by_digest.get(digest)?;
        Some((*id, self.tokens.get(id)?))
    }

    /// The session with a cookie of this digest.
    pub(crate) fn session_of(&self, digest: &Digest) -> Option<(SessionId, &Session)> {
        let id = self.sessions_by_digest.get(digest)?;
        Some((*id, self.sessions.get(id)?))
    }

    /// The account that a provider's person is bound to.
    pub(crate) fn bound_to(&self, federated: &Federated) -> Option<&Principal> {
        let bound = |account: &Account| account.federated.as_ref() == Some(federated);
        self.accounts.iter().find(|(_, account)| bound(account)).map(|(name, _)| name)
    }
}

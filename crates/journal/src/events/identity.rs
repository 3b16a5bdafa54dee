//! Events about who may sign in to a server, and who did. They are in the server's own journal, never in an environment's. Of
//! secrets there are digests only, each of 256 random bits, so that a digest leads nobody back.

use model::{Digest, Environment, Permission, Principal, SessionId, Timestamp, TokenId};
use serde::{Deserialize, Serialize};

use super::vocabulary;

vocabulary! {
    /// What happens to accounts, tokens, links and sessions of a server.
    ///
    /// | stream | events |
    /// |---|---|
    /// | `account/PRINCIPAL` | `account.*` |
    /// | `administrators` | `administrator.*`: who takes the right from the last one is refused by the stream's condition |
    /// | `token/ID` | `token.*` |
    /// | `link/DIGEST` | `link.*` |
    /// | `session/ID` | `session.*` |
    /// | `logins` | `login.refused` |
    IdentityEvent {
        /// Somebody can sign in from here on. Always the first event of its stream.
        AccountAdded(AccountAdded) = "account.added",
        /// The provider's person who is this account is known from here on.
        AccountBound(AccountBound) = "account.bound",
        /// Nobody signs in by it any more, and its sessions are over.
        AccountDisabled(AccountChanged) = "account.disabled",
        /// It can be signed in by again, with new sessions.
        AccountEnabled(AccountChanged) = "account.enabled",
        /// It may administer everything.
        AdministratorGiven(AccountChanged) = "administrator.given",
        /// It may not any more.
        AdministratorTaken(AccountChanged) = "administrator.taken",
        /// A token was made. Always the first event of its stream.
        TokenIssued(Box<TokenIssued>) = "token.issued",
        /// It is good for nothing from here on.
        TokenRevoked(TokenRevoked) = "token.revoked",
        /// A link was made. Always the first event of its stream.
        LinkIssued(LinkIssued) = "link.issued",
        /// It was used, which can happen once.
        LinkUsed(LinkUsed) = "link.used",
        /// Somebody signed in with a browser. Always the first event of its stream.
        SessionOpened(Box<SessionOpened>) = "session.opened",
        /// They are signed out.
        SessionClosed(SessionClosed) = "session.closed",
        /// Somebody could not sign in. Not every one of a flood is recorded.
        LoginRefused(LoginRefused) = "login.refused",
    }
}

/// Who somebody is at a provider of identities (`OpenID` Connect).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Federated {
    /// The provider.
    pub issuer: String,
    /// Whom it means, in a word that it gives to nobody else, ever.
    pub subject: String,
}

/// Data of `account.added`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountAdded {
    /// Whose.
    pub account: Principal,
    /// Whether a provider says who they are; otherwise they sign in with links and tokens of this server.
    pub provided: bool,
    /// The provider's person, where known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub federated: Option<Federated>,
}

/// Data of `account.bound`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountBound {
    /// The account.
    pub account: Principal,
    /// The provider's person.
    pub federated: Federated,
}

/// Data of the events that only name an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountChanged {
    /// The account.
    pub account: Principal,
    /// Why, in the words of who did it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// What a token is limited to, on top of what its account may do. A list that is absent limits nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScopeRecord {
    /// Nothing but these.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub permissions: Option<Vec<Permission>>,
    /// Nowhere but in these projects.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub projects: Option<Vec<String>>,
    /// Nowhere but in environments of these names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub environments: Option<Vec<Environment>>,
}

impl ScopeRecord {
    /// Whether it limits nothing.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// Data of `token.issued`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenIssued {
    /// Its id, also the stream's name.
    pub token: TokenId,
    /// Who acts with it.
    pub account: Principal,
    /// Who was behind them when it was made, and so is behind whatever is done with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub via: Option<Principal>,
    /// What people call it.
    pub name: String,
    /// What it is limited to.
    #[serde(skip_serializing_if = "ScopeRecord::is_open", default)]
    pub scope: ScopeRecord,
    /// Digest of its secret.
    pub digest: Digest,
    /// It is good for nothing from this moment on.
    pub expires: Timestamp,
}

/// Data of `token.revoked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenRevoked {
    /// The token.
    pub token: TokenId,
    /// Why, in the words of who did it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// Data of `link.issued`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkIssued {
    /// Digest of its secret, also in the stream's name.
    pub digest: Digest,
    /// Who signs in with it. Absent: whoever opens it chooses their name and becomes the first administrator.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<Principal>,
    /// Who is behind them, where it was made for somebody who acts as another principal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub via: Option<Principal>,
    /// It opens nothing from this moment on.
    pub expires: Timestamp,
}

/// Data of `link.used`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkUsed {
    /// Digest of its secret.
    pub digest: Digest,
}

/// How somebody showed who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum LoginMeans {
    /// By a link.
    Link {
        /// Digest of its secret.
        digest: Digest,
    },
    /// By a token.
    Token {
        /// Its id.
        token: TokenId,
    },
    /// By a provider.
    Oidc(Federated),
}

/// Data of `session.opened`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionOpened {
    /// Its id, also the stream's name.
    pub session: SessionId,
    /// Who acts in it.
    pub account: Principal,
    /// Who is behind them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub via: Option<Principal>,
    /// The groups that the provider says they belong to.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub groups: Vec<String>,
    /// How they showed who they are.
    pub means: LoginMeans,
    /// What it is limited to: as the token that it was opened with.
    #[serde(skip_serializing_if = "ScopeRecord::is_open", default)]
    pub scope: ScopeRecord,
    /// Digest of the secret in the cookie.
    pub digest: Digest,
    /// It is over at this moment at the latest.
    pub expires: Timestamp,
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SessionEnd {
    /// They signed out.
    SignedOut,
    /// Nobody used it for too long.
    Idle,
    /// An administrator, or the account's owner from elsewhere, ended it.
    Ended,
}

/// Data of `session.closed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionClosed {
    /// The session.
    pub session: SessionId,
    /// Why.
    pub why: SessionEnd,
}

/// Data of `login.refused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoginRefused {
    /// Why, one of a few words that no part of what was presented is in.
    pub why: String,
    /// From which address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    /// Whose account it would have been, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<Principal>,
    /// How many others were refused since the last such record, and have none.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub unrecorded: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

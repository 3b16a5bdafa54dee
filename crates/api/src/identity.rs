//! Who asks, and who may sign in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Project;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// Who acts.
    pub principal: String,
    /// Who is behind them, where that is somebody else. Counts as the same person in approvals.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub via: Option<String>,
    /// Groups that the identity provider says they belong to.
    pub groups: Vec<String>,
    /// What they came with: `token` or `session`.
    pub means: String,
    /// The id of the token or session.
    pub id: String,
    /// When they have to show again who they are, at the latest.
    pub expires_at: String,
    /// Whether they administer the server.
    pub administrator: bool,
    /// What they are limited to, besides what their roles give.
    pub scope: Scope,
    /// What a browser's requests that change something carry as `x-csrf-token`. Absent for tokens, which need none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub csrf: Option<String>,
    /// The environments that they may see, and what they may do there.
    pub projects: Vec<Project>,
}

/// What a token is limited to. A list that is absent limits nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scope {
    /// Nothing but these: `read`, `operate`, `approve`, `administer`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub permissions: Option<Vec<String>>,
    /// Nowhere but in these projects.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub projects: Option<Vec<String>>,
    /// Nowhere but in environments of these names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub environments: Option<Vec<String>>,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// Its id.
    pub token: String,
    /// What people call it.
    pub name: String,
    /// Who acts with it.
    pub account: String,
    /// Who is behind them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub via: Option<String>,
    /// What it is limited to.
    pub scope: Scope,
    /// When it was made.
    pub issued_at: String,
    /// By whom.
    pub issued_by: String,
    /// It is good for nothing from this moment on.
    pub expires_at: String,
    /// Whether that moment has passed.
    pub expired: bool,
    /// When it was used last, if it was since the server began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub used_at: Option<String>,
}

/// Tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// The tokens, oldest first.
    pub items: Vec<Token>,
}

/// What a token is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewToken {
    /// What people are to call it, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Who is to act with it; the caller when left out. For a program's account (`token:NAME`) by an administrator only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<String>,
    /// What it is to be limited to; nothing when left out.
    #[serde(default)]
    pub scope: Scope,
    /// How long it is to be good for, in milliseconds; 90 days when left out, 366 days at most.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 1)]
    pub lifetime_ms: Option<u64>,
}

/// A token that was made just now.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedToken {
    /// Its id.
    pub token: String,
    /// Its secret, which is told this once. Send it as `Authorization: Bearer SECRET`.
    pub secret: String,
    /// Who acts with it.
    pub account: String,
    /// It is good for nothing from this moment on.
    pub expires_at: String,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Whose: `user:NAME` or `token:NAME`.
    pub account: String,
    /// Whether a provider of identities says who they are.
    pub provided: bool,
    /// Which provider, once they have signed in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issuer: Option<String>,
    /// Whether it can be signed in by.
    pub enabled: bool,
    /// Whether it administers the server.
    pub administrator: bool,
    /// When it was added.
    pub since: String,
    /// How many of its sessions are open.
    pub sessions: u64,
    /// How many of its tokens are good.
    pub tokens: u64,
}

/// Accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accounts {
    /// The accounts, by name.
    pub items: Vec<Account>,
}

/// What an account is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAccount {
    /// Whose: `user:NAME` for a person (or just the name), `token:NAME` for a program.
    pub account: String,
    /// Whether a provider of identities says who they are: the first person it sends by that name is who it belongs to.
    #[serde(default)]
    pub provided: bool,
}

/// A change of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountChange {
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
}

/// Whether an account is to administer the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdministratorChange {
    /// Whether it is.
    pub administrator: bool,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
}

/// Whom a link is to be for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewLink {
    /// Whose account: `user:NAME`, or just the name.
    pub account: String,
}

/// A link that was made just now.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedLink {
    /// The way on this server, secret and all, which is told this once.
    pub path: String,
    /// Who signs in with it.
    pub account: String,
    /// It opens nothing from this moment on.
    pub expires_at: String,
}

impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedToken")
            .field("token", &self.token)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for IssuedLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedLink").field("account", &self.account).finish_non_exhaustive()
    }
}

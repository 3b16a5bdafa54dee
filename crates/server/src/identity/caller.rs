//! Who asks, and what they may do.

use std::collections::BTreeSet;

use journal::events::ScopeRecord;
use model::{Environment, Permission, Principal, Role, SessionId, Timestamp, TokenId};
use project::Access;

use super::{Csrf, IdentityError};

/// Who asks, who is behind them, and what they came with. Only [`super::Identity::authenticate`] makes one.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who acts.
    pub principal: Principal,
    /// Who is behind them, where that is somebody else. Counts as the same person in approvals.
    pub via: Option<Principal>,
    /// Groups that the identity provider says they belong to.
    pub groups: Vec<String>,
    /// What they are limited to, besides what their roles give.
    pub scope: Scope,
    /// What they came with.
    pub means: Means,
    /// Whether they are an administrator of the server.
    pub administrator: bool,
    /// When they have to show again who they are, at the latest.
    pub expires: Timestamp,
}

/// What somebody came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// A token.
    Token(TokenId),
    /// A session in a browser.
    Session {
        /// Its id.
        id: SessionId,
        /// Its token against forged requests.
        csrf: Csrf,
    },
}

/// What a token, or a session opened with one, is limited to. `None`: not limited in this way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Nothing but these.
    pub permissions: Option<BTreeSet<Permission>>,
    /// Nowhere but in these projects.
    pub projects: Option<BTreeSet<String>>,
    /// Nowhere but in environments of these names.
    pub environments: Option<BTreeSet<Environment>>,
}

fn within<T: Ord>(inner: Option<&BTreeSet<T>>, outer: Option<&BTreeSet<T>>) -> bool {
    match (inner, outer) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(inner), Some(outer)) => inner.is_subset(outer),
    }
}

impl Scope {
    /// Whether it limits nothing.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it lets through what is asked for.
    pub fn covers(&self, project: &str, environment: &Environment, permission: Permission) -> bool {
        self.permissions.as_ref().is_none_or(|these| these.contains(&permission))
            && self.projects.as_ref().is_none_or(|these| these.contains(project))
            && self.environments.as_ref().is_none_or(|these| these.contains(environment))
    }

    /// Whether it lets nothing through that `outer` does not.
    pub fn is_within(&self, outer: &Self) -> bool {
        within(self.permissions.as_ref(), outer.permissions.as_ref())
            && within(self.projects.as_ref(), outer.projects.as_ref())
            && within(self.environments.as_ref(), outer.environments.as_ref())
    }

    /// Whether it lets through what is not of any environment, but of the server.
    fn covers_server(&self) -> bool {
        self.projects.is_none()
            && self.environments.is_none()
            && self.permissions.as_ref().is_none_or(|these| these.contains(&Permission::Administer))
    }
}

impl From<&ScopeRecord> for Scope {
    fn from(record: &ScopeRecord) -> Self {
        Self {
            permissions: record.permissions.as_ref().map(|these| these.iter().copied().collect()),
            projects: record.projects.as_ref().map(|these| these.iter().cloned().collect()),
            environments: record.environments.as_ref().map(|these| these.iter().cloned().collect()),
        }
    }
}

impl From<&Scope> for ScopeRecord {
    fn from(scope: &Scope) -> Self {
        Self {
            permissions: scope.permissions.as_ref().map(|these| these.iter().copied().collect()),
            projects: scope.projects.as_ref().map(|these| these.iter().cloned().collect()),
            environments: scope.environments.as_ref().map(|these| these.iter().cloned().collect()),
        }
    }
}

impl Caller {
    /// Whether they may do something in an environment of a project: as far as `access.yaml` lets them (an administrator of the
    /// server as far as they like), and what they came with is not limited to less.
    ///
    /// # Errors
    /// They may not; see [`IdentityError::Forbidden`] and [`IdentityError::OutOfScope`].
    pub fn may(
        &self,
        access: &Access,
        project: &str,
        environment: &Environment,
        permission: Permission,
    ) -> Result<(), IdentityError> {
        if !self.administrator {
            access.permits(&self.principal, &self.groups, environment, permission)?;
        }
        if !self.scope.covers(project, environment, permission) {
            let (project, environment) = (project.to_owned(), environment.clone());
            return Err(IdentityError::OutOfScope { project, environment, permission });
        }
        Ok(())
    }

    /// Everything they may do there.
    pub fn permissions(&self, access: &Access, project: &str, environment: &Environment) -> Vec<Permission> {
        let permitted = |one: &Permission| self.may(access, project, environment, *one).is_ok();
        Permission::ALL.iter().copied().filter(permitted).collect()
    }

    /// The roles that they decide approvals with. A limited token that may not approve decides nothing, whatever they are.
    pub fn roles(&self, access: &Access) -> Vec<Role> {
        access.roles_with(&self.principal, &self.groups)
    }

    /// Whether they may change who signs in to the server. `what` completes "may".
    ///
    /// # Errors
    /// They are no administrator, or came with something that is limited.
    pub fn may_administer_server(&self, what: &'static str) -> Result<(), IdentityError> {
        if self.administrator && self.scope.covers_server() {
            Ok(())
        } else {
            Err(IdentityError::NotAdministrator(what))
        }
    }

    /// Whether they came with a cookie, so that a request may have been sent without their knowing.
    pub fn is_session(&self) -> bool {
        matches!(self.means, Means::Session { .. })
    }

    /// Whether a request that changes something was meant: `presented` is the session's token from the page.
    ///
    /// # Errors
    /// It is not this session's. Who came with a token needs none.
    pub fn check_csrf(&self, presented: &str) -> Result<(), IdentityError> {
        match &self.means {
            Means::Session { csrf, .. } if !csrf.matches(presented) => {
                Err(IdentityError::Forged("it lacks the token of this session's pages"))
            }
            _ => Ok(()),
        }
    }
}

//! `access.yaml` as the project uses it: policy's list ([`policy::Access`]), asked by those who run and decide.

use std::collections::BTreeSet;

use engine::approvals::Persons;
use engine::judge::Roles;
use model::{Environment, Permission, Principal, Role};
use policy::{ActAsError, Forbidden, Source};

use crate::ProjectError;
use crate::layout::ACCESS;

/// A project's access rules, checked.
#[derive(Debug, Clone, Default)]
pub struct Access(policy::Access);

/// Who acts: a principal, and the operating system's user behind it where that is somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// On whose behalf.
    pub principal: Principal,
    /// The user, where they act as another principal.
    pub via: Option<Principal>,
}

/// Reads `maria` as `user:maria`, and `token:ci` as it stands.
pub fn principal(text: &str) -> Result<Principal, ProjectError> {
    Ok(if text.contains(':') { text.parse()? } else { Principal::user(text)? })
}

impl Access {
    /// Nobody holds a role and nobody acts as anybody.
    pub fn nobody() -> Self {
        Self::default()
    }

    /// Reads the text of an `access.yaml`. Every finding names file, line and column.
    pub fn parse(text: &str) -> Result<Self, ProjectError> {
        let (access, findings) = policy::Access::read(&Source::new(ACCESS, text));
        access.map(Self).ok_or(ProjectError::Bad { findings })
    }

    /// Who acts when the operating system's user `user` wants to act as `wanted`, or as nobody else.
    pub fn actor(
        &self,
        environment: &Environment,
        user: &str,
        wanted: Option<&str>,
    ) -> Result<Actor, ProjectError> {
        let wanted = wanted.map(principal).transpose()?;
        match self.0.act_as(environment, user, wanted.as_ref()) {
            Ok(approver) => Ok(Actor { principal: approver.principal, via: approver.via }),
            Err(ActAsError::BadUser(name)) => Err(ProjectError::NoUser { name }),
            Err(ActAsError::NotListed { environment, user, wanted }) => {
                Err(ProjectError::NotAllowed { via: user, principal: wanted, environment })
            }
        }
    }

    /// Whether the operating system's user may act as the principal.
    pub fn may_act_as(&self, environment: &Environment, user: &str, principal: &Principal) -> bool {
        self.0.may_act_as(environment, user, principal)
    }

    /// How people are told apart in an environment.
    pub fn persons(&self, environment: &Environment) -> Persons {
        match self.0.persons(environment) {
            policy::Persons::ByUser => Persons::ByUser,
            policy::Persons::ByPrincipal => Persons::ByPrincipal,
        }
    }

    /// Principals that hold any of the roles, sorted.
    pub fn holders(&self, roles: &[Role]) -> Vec<Principal> {
        self.0.holders(roles).into_iter().cloned().collect()
    }

    /// The roles of a principal who belongs to groups of the identity provider.
    pub fn roles_with(&self, principal: &Principal, groups: &[String]) -> Vec<Role> {
        self.0.roles_with(principal, groups)
    }

    /// What a principal may do in an environment by way of a server.
    pub fn permissions(
        &self,
        principal: &Principal,
        groups: &[String],
        environment: &Environment,
    ) -> BTreeSet<Permission> {
        self.0.permissions(principal, groups, environment)
    }

    /// Whether a principal may do something in an environment by way of a server.
    ///
    /// # Errors
    /// They hold no role that gives it.
    pub fn permits(
        &self,
        principal: &Principal,
        groups: &[String],
        environment: &Environment,
        permission: Permission,
    ) -> Result<(), Forbidden> {
        self.0.permits(principal, groups, environment, permission)
    }

    /// That something is not permitted, to somebody of whom nothing else is said.
    pub fn forbidden(&self, environment: &Environment, permission: Permission) -> Forbidden {
        self.0.forbidden(environment, permission)
    }
}

impl Roles for Access {
    fn roles(&self, principal: &Principal) -> Vec<Role> {
        self.0.roles_of(principal).to_vec()
    }

    fn tenant(&self, principal: &Principal) -> Option<String> {
        self.0.tenant_of(principal).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
        roles: {lead: [user:maria, omar], ops: [user:maria]}
        tenants: {acme: [maria]}
        actAs: {dev: {jo: [maria, token:ci], '*': [guest]}}
        persons: {dev: by-principal}
    ";

    fn environment(name: &str) -> Environment {
        name.parse().unwrap()
    }

    #[test]
    fn roles_and_tenants_are_looked_up_by_principal() {
        let access = Access::parse(TEXT).unwrap();
        let maria = Principal::user("maria").unwrap();
        assert_eq!(access.roles(&maria).iter().map(Role::as_str).collect::<Vec<_>>(), ["lead", "ops"]);
        assert_eq!(access.tenant(&maria).as_deref(), Some("acme"));
        assert!(access.roles(&"token:maria".parse().unwrap()).is_empty());
        assert_eq!(access.holders(&["lead".parse().unwrap()]).len(), 2);
    }

    #[test]
    fn acting_as_somebody_needs_the_project_s_leave_in_that_environment() {
        let access = Access::parse(TEXT).unwrap();
        let actor = access.actor(&environment("dev"), "jo", Some("maria")).unwrap();
        assert_eq!(actor.principal.as_str(), "user:maria");
        assert_eq!(actor.via.unwrap().as_str(), "user:jo");
        assert!(access.actor(&environment("prod"), "jo", Some("maria")).is_err());
        assert!(access.actor(&environment("dev"), "ann", Some("maria")).is_err());
        assert!(access.actor(&environment("dev"), "ann", Some("guest")).is_ok());
        let itself = access.actor(&environment("prod"), "ann", Some("ann")).unwrap();
        assert_eq!(itself.via, None);
        assert!(Access::nobody().actor(&environment("dev"), "jo", Some("root")).is_err());
    }

    #[test]
    fn groups_give_roles_and_roles_give_permissions() {
        let access = Access::parse("roles: {operator: ['group:sre'], viewer: [maria]}").unwrap();
        let (maria, prod) = (Principal::user("maria").unwrap(), environment("prod"));
        let sre = ["sre".to_owned()];
        assert_eq!(access.roles_with(&maria, &sre).len(), 2);
        assert!(access.permits(&maria, &sre, &prod, Permission::Operate).is_ok());
        let refused = access.permits(&maria, &[], &prod, Permission::Operate).unwrap_err();
        assert!(refused.visible);
        assert!(!access.forbidden(&prod, Permission::Operate).visible);
        assert_eq!(access.permissions(&maria, &[], &prod).len(), 1);
        assert!(Access::nobody().permissions(&maria, &sre, &prod).is_empty());
    }

    #[test]
    fn people_are_told_apart_by_user_unless_the_environment_says_otherwise() {
        let access = Access::parse(TEXT).unwrap();
        assert_eq!(access.persons(&environment("dev")), Persons::ByPrincipal);
        assert_eq!(access.persons(&environment("prod")), Persons::ByUser);
    }

    #[test]
    fn wrong_names_are_found_with_their_place() {
        let Err(ProjectError::Bad { findings }) = Access::parse("roles: {lead: ['robot:x', 'a b']}") else {
            panic!("it is wrong")
        };
        assert_eq!(findings[0].location.path, "/roles/lead/0");
        assert_eq!(findings[1].location.path, "/roles/lead/1");
        assert!(Access::parse("rolez: {}").is_err());
    }
}

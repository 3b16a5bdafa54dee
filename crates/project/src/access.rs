//! `access.yaml`: who holds which role, and who may act as whom.

use std::collections::{BTreeMap, BTreeSet};

use engine::approvals::Persons;
use engine::judge::Roles;
use model::{Diagnostic, Environment, Location, Principal, Role, code};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::ProjectError;
use crate::layout::ACCESS;

/// Every operating-system user, where a user's name is expected.
const EVERYBODY: &str = "*";

/// `access.yaml` as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Access")]
pub struct AccessFile {
    /// Who holds a role: principals (`user:maria`, `token:ci`), or bare names, which are users.
    pub roles: BTreeMap<String, Vec<String>>,
    /// Which tenant principals belong to, where quotas are counted by tenant.
    pub tenants: BTreeMap<String, Vec<String>>,
    /// By environment, then by operating-system user (`*` is every user): the principals that user may act as.
    pub act_as: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// By environment: how people are told apart in approvals.
    pub persons: BTreeMap<String, PersonsWord>,
}

/// How people are told apart where one operating-system user may act as several principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Persons")]
pub enum PersonsWord {
    /// One operating-system user is one person, whomever they act as.
    ByUser,
    /// Every principal is a person of its own: for demonstrations and tests on a machine with one user.
    ByPrincipal,
}

/// A project's access rules, checked.
#[derive(Debug, Clone, Default)]
pub struct Access {
    roles: BTreeMap<Principal, BTreeSet<Role>>,
    tenants: BTreeMap<Principal, String>,
    act_as: BTreeMap<(String, String), BTreeSet<Principal>>,
    by_principal: BTreeSet<String>,
}

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

    /// Reads the text of an `access.yaml`.
    pub fn parse(text: &str) -> Result<Self, ProjectError> {
        let file: AccessFile = crate::text::yaml(text, ACCESS)?;
        let mut access = Self::default();
        let mut findings = Vec::new();
        for (role, names) in &file.roles {
            let path = format!("/roles/{role}");
            match role.parse::<Role>() {
                Ok(role) => {
                    for holder in principals(names, &path, &mut findings) {
                        access.roles.entry(holder).or_default().insert(role.clone());
                    }
                }
                Err(error) => findings.push(bad(error.to_string(), &path)),
            }
        }
        for (tenant, names) in &file.tenants {
            for member in principals(names, &format!("/tenants/{tenant}"), &mut findings) {
                if access.tenants.insert(member.clone(), tenant.clone()).is_some() {
                    findings.push(bad(format!("{member} belongs to two tenants"), "/tenants"));
                }
            }
        }
        for (environment, users) in &file.act_as {
            if let Err(error) = environment.parse::<Environment>() {
                findings.push(bad(error.to_string(), "/actAs"));
            }
            for (user, names) in users {
                let path = format!("/actAs/{environment}/{user}");
                let allowed = principals(names, &path, &mut findings);
                access.act_as.insert((environment.clone(), user.clone()), allowed.collect());
            }
        }
        for (environment, word) in &file.persons {
            if *word == PersonsWord::ByPrincipal {
                access.by_principal.insert(environment.clone());
            }
        }
        if findings.is_empty() { Ok(access) } else { Err(ProjectError::Bad { findings }) }
    }

    /// Who acts when the operating system's user `user` wants to act as `wanted`, or as nobody else.
    pub fn actor(
        &self,
        environment: &Environment,
        user: &str,
        wanted: Option<&str>,
    ) -> Result<Actor, ProjectError> {
        let via = Principal::user(user)?;
        let Some(wanted) = wanted else { return Ok(Actor { principal: via, via: None }) };
        let wanted = principal(wanted)?;
        if wanted == via {
            return Ok(Actor { principal: via, via: None });
        }
        if self.may_act_as(environment, user, &wanted) {
            return Ok(Actor { principal: wanted, via: Some(via) });
        }
        Err(ProjectError::NotAllowed { via, principal: wanted, environment: environment.clone() })
    }

    /// Whether the operating system's user may act as the principal.
    pub fn may_act_as(&self, environment: &Environment, user: &str, principal: &Principal) -> bool {
        [user, EVERYBODY].iter().any(|user| {
            let key = (environment.to_string(), (*user).to_owned());
            self.act_as.get(&key).is_some_and(|allowed| allowed.contains(principal))
        })
    }

    /// How people are told apart in an environment.
    pub fn persons(&self, environment: &Environment) -> Persons {
        if self.by_principal.contains(environment.as_str()) { Persons::ByPrincipal } else { Persons::ByUser }
    }

    /// Principals that hold any of the roles, sorted.
    pub fn holders(&self, roles: &[Role]) -> Vec<Principal> {
        self.roles
            .iter()
            .filter(|(_, held)| roles.iter().any(|role| held.contains(role)))
            .map(|(principal, _)| principal.clone())
            .collect()
    }
}

impl Roles for Access {
    fn roles(&self, principal: &Principal) -> Vec<Role> {
        self.roles.get(principal).into_iter().flatten().cloned().collect()
    }

    fn tenant(&self, principal: &Principal) -> Option<String> {
        self.tenants.get(principal).cloned()
    }
}

fn principals<'a>(
    names: &'a [String],
    path: &'a str,
    findings: &mut Vec<Diagnostic>,
) -> std::vec::IntoIter<Principal> {
    let mut good = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match principal(name) {
            Ok(principal) => good.push(principal),
            Err(error) => findings.push(bad(error.to_string(), &format!("{path}/{index}"))),
        }
    }
    good.into_iter()
}

fn bad(message: String, path: &str) -> Diagnostic {
    let location = Location { file: ACCESS.to_owned(), line: 0, column: 0, path: path.to_owned() };
    Diagnostic::error(code::general::BAD_PROJECT, message, location)
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

//! `access.yaml`: who holds which role, who belongs to which tenant, which users of the operating system may act as
//! which principals in which environment, and how people are told apart there.

use std::collections::{BTreeMap, BTreeSet};

use model::{Diagnostic, Environment, Location, Permission, Principal, Role};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::approval::Approver;
use crate::limits;
use crate::permission::{Forbidden, Gifts, Table};
use crate::source::{At, Source, bad_policy, read_yaml, start};

/// Every user of the operating system, where a user's name is expected.
const EVERYBODY: &str = "*";

/// What a member that is a group of the identity provider begins with.
const GROUP: &str = "group:";

/// A project's access list. Principals are written whole (`user:maria`, `token:ci`); a bare name is a user. A role's members may
/// be groups of the identity provider as well (`group:sre`).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Access")]
pub(crate) struct AccessFile {
    /// Members of each role. A role without members is nobody.
    roles: BTreeMap<String, Vec<At<String>>>,
    /// What each role lets its holders do by way of a server. When left out: `viewer` reads, `operator` reads and operates,
    /// `approver` reads and approves, `admin` does everything, everywhere.
    permissions: Option<BTreeMap<String, Gifts>>,
    /// Members of each tenant. A principal belongs to one tenant at most.
    tenants: BTreeMap<String, Vec<At<String>>>,
    /// By environment, then by user of the operating system (`*` is every user): whom they may act as, besides
    /// themselves.
    act_as: BTreeMap<String, BTreeMap<String, Vec<At<String>>>>,
    /// By environment: how people are told apart in approvals.
    persons: BTreeMap<String, Persons>,
}

/// How people are told apart where one user of the operating system may act as several principals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Persons {
    /// One user of the operating system is one person, whomever they act as.
    #[default]
    ByUser,
    /// Every principal is a person of its own: for demonstrations and tests on a machine with one user.
    ByPrincipal,
}

/// Who may do what, as `access.yaml` says.
///
/// ```
/// use policy::{Access, Source};
/// let text = "roles: {team-lead: [user:maria]}\nactAs: {dev: {root: [user:ops]}}";
/// let (access, findings) = Access::read(&Source::new("access.yaml", text));
/// let access = access.expect("there are no errors in it");
/// assert!(findings.is_empty());
/// assert_eq!(access.roles_of(&"user:maria".parse()?)[0].as_str(), "team-lead");
/// let ops = access.act_as(&"dev".parse()?, "root", Some(&"user:ops".parse()?))?;
/// assert_eq!(ops.via, Some("user:root".parse()?));
/// assert!(access.act_as(&"prod".parse()?, "root", Some(&"user:ops".parse()?)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    roles: BTreeMap<Principal, Vec<Role>>,
    groups: BTreeMap<String, Vec<Role>>,
    table: Table,
    tenants: BTreeMap<Principal, String>,
    act_as: BTreeMap<(String, String), BTreeSet<Principal>>,
    persons: BTreeMap<String, Persons>,
}

/// A user of the operating system may not act as they wish.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActAsError {
    /// The name of the operating system's user cannot be a principal's.
    #[error("the user name `{0}` cannot be the name of a principal (letters, digits and ._@+-)")]
    BadUser(String),
    /// `actAs` does not list it.
    #[error("{user} may not act as {wanted} in {environment}; access.yaml does not list it under actAs")]
    NotListed {
        /// The environment.
        environment: Environment,
        /// The user.
        user: Principal,
        /// Whom they wish to act as.
        wanted: Principal,
    },
}

impl model::Coded for ActAsError {
    fn code(&self) -> &'static model::Code {
        model::code::policy::NOT_APPROVER
    }
}

impl Access {
    /// Reads `access.yaml`. Without errors there is a list.
    pub fn read(source: &Source) -> (Option<Self>, Vec<Diagnostic>) {
        let file: AccessFile = match read_yaml(source, model::code::policy::BAD_POLICY) {
            Ok(file) => file,
            Err(error) => return (None, vec![*error]),
        };
        let mut out = Vec::new();
        let mut access = Self::default();
        for (field, count) in [
            ("roles", file.roles.len()),
            ("permissions", file.permissions.as_ref().map_or(0, BTreeMap::len)),
            ("tenants", file.tenants.len()),
            ("actAs", file.act_as.values().map(BTreeMap::len).sum()),
        ] {
            if count > limits::ENTRIES {
                let message = format!("{field} has {count} entries, more than {}", limits::ENTRIES);
                out.push(bad_policy(message, Location { path: format!("/{field}"), ..start(source) }));
            }
        }
        for (name, members) in &file.roles {
            access.add_role(source, name, members, &mut out);
        }
        if let Some(permissions) = file.permissions {
            let roles = file.roles.keys().map(|role| role.to_ascii_lowercase()).collect();
            access.table = Table::read(source, permissions, &roles, &mut out);
        }
        for (tenant, members) in &file.tenants {
            let plain = tenant
                .parse::<Role>()
                .map_err(|_| format!("`{tenant}` is not the name of a tenant (letters, digits and ._@+-)"));
            let members: Vec<_> = members.iter().enumerate().collect();
            for principal in read_members(source, "tenants", tenant, plain.err().as_ref(), &members, &mut out)
            {
                if let Some(other) = access.tenants.insert(principal.clone(), tenant.clone()) {
                    let message = format!("{principal} belongs to tenant {other} already");
                    let path = format!("/tenants/{tenant}");
                    out.push(bad_policy(message, Location { path, ..start(source) }));
                }
            }
        }
        for (environment, users) in &file.act_as {
            check_environment(source, "actAs", environment, &mut out);
            for (user, members) in users {
                let bad =
                    Principal::user(user).err().filter(|_| user != EVERYBODY).map(|error| error.to_string());
                let field = format!("actAs/{environment}");
                let members: Vec<_> = members.iter().enumerate().collect();
                let principals = read_members(source, &field, user, bad.as_ref(), &members, &mut out);
                access.act_as.entry((environment.clone(), user.clone())).or_default().extend(principals);
            }
        }
        for environment in file.persons.keys() {
            check_environment(source, "persons", environment, &mut out);
        }
        access.persons = file.persons;
        let refused = !out.is_empty();
        ((!refused).then_some(access), out)
    }

    fn add_role(&mut self, source: &Source, name: &str, members: &[At<String>], out: &mut Vec<Diagnostic>) {
        let role = name.parse::<Role>().map_err(|error| error.to_string());
        let (groups, principals): (Vec<_>, Vec<_>) =
            members.iter().enumerate().partition(|(_, member)| member.starts_with(GROUP));
        for (index, member) in groups {
            let group = &member[GROUP.len()..];
            if group.is_empty() || group.len() > limits::NAME_BYTES || group.chars().any(char::is_control) {
                let path = format!("/roles/{}/{index}", name.replace('~', "~0").replace('/', "~1"));
                let message =
                    format!("roles.{name}[{index}]: a group's name has 1 to {} bytes", limits::NAME_BYTES);
                out.push(bad_policy(message, member.location(&source.name, path)));
            }
            self.groups.entry(group.to_owned()).or_default().extend(role.clone().ok());
        }
        for principal in read_members(source, "roles", name, role.as_ref().err(), &principals, out) {
            self.roles.entry(principal).or_default().extend(role.clone().ok());
        }
    }

    /// The roles of a principal who belongs to groups of the identity provider: their own and those of the groups, each once.
    pub fn roles_with(&self, principal: &Principal, groups: &[String]) -> Vec<Role> {
        let mut roles = self.roles_of(principal).to_vec();
        for role in groups.iter().filter_map(|group| self.groups.get(group)).flatten() {
            if !roles.contains(role) {
                roles.push(role.clone());
            }
        }
        roles
    }

    /// What a principal may do in an environment. Nothing for somebody who holds no role that gives anything.
    pub fn permissions(
        &self,
        principal: &Principal,
        groups: &[String],
        environment: &Environment,
    ) -> BTreeSet<Permission> {
        let held = self.roles_with(principal, groups);
        let given = |permission: &Permission| self.table.gives(&held, environment, *permission);
        Permission::ALL.iter().copied().filter(given).collect()
    }

    /// Whether a principal may do something in an environment. Whoever may do anything there may read.
    ///
    /// # Errors
    /// They hold no role that gives it: what is not given is forbidden.
    pub fn permits(
        &self,
        principal: &Principal,
        groups: &[String],
        environment: &Environment,
        permission: Permission,
    ) -> Result<(), Forbidden> {
        let held = self.roles_with(principal, groups);
        if self.table.gives(&held, environment, permission) {
            return Ok(());
        }
        Err(Forbidden {
            visible: self.table.gives(&held, environment, Permission::Read),
            ..self.forbidden(environment, permission)
        })
    }

    /// That something is not permitted, to somebody of whom nothing else is said.
    pub fn forbidden(&self, environment: &Environment, permission: Permission) -> Forbidden {
        let deciders: Vec<Role> = self
            .table
            .giving(environment, Permission::Administer)
            .filter_map(|role| role.parse().ok())
            .collect();
        let ask = self.holders(&deciders).into_iter().take(limits::NAMED_PEOPLE).cloned().collect();
        Forbidden {
            environment: environment.clone(),
            permission,
            visible: false,
            roles: self.table.giving(environment, permission).map(str::to_owned).collect(),
            ask,
        }
    }

    /// The roles of a principal. None for somebody who is not listed.
    pub fn roles_of(&self, principal: &Principal) -> &[Role] {
        self.roles.get(principal).map_or(&[], Vec::as_slice)
    }

    /// The tenant of a principal.
    pub fn tenant_of(&self, principal: &Principal) -> Option<&str> {
        self.tenants.get(principal).map(String::as_str)
    }

    /// Principals that hold any of the roles, sorted. Role names compare without regard to case.
    pub fn holders(&self, roles: &[Role]) -> Vec<&Principal> {
        let wanted = |held: &Role| roles.iter().any(|role| role.as_str().eq_ignore_ascii_case(held.as_str()));
        self.roles
            .iter()
            .filter(|(_, held)| held.iter().any(wanted))
            .map(|(principal, _)| principal)
            .collect()
    }

    /// How people are told apart in an environment.
    pub fn persons(&self, environment: &Environment) -> Persons {
        self.persons.get(environment.as_str()).copied().unwrap_or_default()
    }

    /// Whether the user of the operating system may act as the principal.
    pub fn may_act_as(&self, environment: &Environment, user: &str, principal: &Principal) -> bool {
        [user, EVERYBODY].iter().any(|user| {
            let listed = self.act_as.get(&(environment.to_string(), (*user).to_owned()));
            listed.is_some_and(|listed| listed.contains(principal))
        })
    }

    /// Who the operating system's user `user` is: `user:USER`, or `wanted` where `actAs` lists it. The answer has the
    /// roles of whom they act as.
    pub fn act_as(
        &self,
        environment: &Environment,
        user: &str,
        wanted: Option<&Principal>,
    ) -> Result<Approver, ActAsError> {
        let own = Principal::user(user).map_err(|_| ActAsError::BadUser(user.to_owned()))?;
        let (principal, via) = match wanted.filter(|wanted| **wanted != own) {
            None => (own, None),
            Some(wanted) if self.may_act_as(environment, user, wanted) => (wanted.clone(), Some(own)),
            Some(wanted) => {
                let (environment, wanted) = (environment.clone(), wanted.clone());
                return Err(ActAsError::NotListed { environment, user: own, wanted });
            }
        };
        let roles = self.roles_of(&principal).to_vec();
        Ok(Approver { principal, via, roles })
    }
}

fn check_environment(source: &Source, field: &str, name: &str, out: &mut Vec<Diagnostic>) {
    if let Err(error) = name.parse::<Environment>() {
        let path = format!("/{field}/{}", name.replace('~', "~0").replace('/', "~1"));
        out.push(bad_policy(format!("{field}: {error}"), Location { path, ..start(source) }));
    }
}

/// The principals of one list; findings go to `out`.
fn read_members(
    source: &Source,
    field: &str,
    name: &str,
    bad_name: Option<&String>,
    members: &[(usize, &At<String>)],
    out: &mut Vec<Diagnostic>,
) -> Vec<Principal> {
    let path = format!("/{field}/{}", name.replace('~', "~0").replace('/', "~1"));
    if let Some(why) = bad_name {
        out.push(bad_policy(format!("{field}: {why}"), Location { path: path.clone(), ..start(source) }));
    }
    if members.len() > limits::ENTRIES {
        let message = format!("{field}.{name} has {} members, more than {}", members.len(), limits::ENTRIES);
        out.push(bad_policy(message, Location { path: path.clone(), ..start(source) }));
    }
    let mut principals = Vec::new();
    for (index, member) in members {
        let location = member.location(&source.name, format!("{path}/{index}"));
        let read = if member.contains(':') { member.parse() } else { Principal::user(member) };
        match read {
            // the system and a run decide by rules, never as a person would
            Ok(principal) if matches!(principal.kind(), "system" | "workflow") => {
                let message = format!("{field}.{name}[{index}]: `{}` cannot be listed", ***member);
                out.push(bad_policy(message, location));
            }
            Ok(principal) => principals.push(principal),
            Err(error) => out.push(bad_policy(format!("{field}.{name}[{index}]: {error}"), location)),
        }
    }
    principals
}

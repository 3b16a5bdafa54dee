//! `access.yaml`: who holds which role, who belongs to which tenant, and which users of the operating system may
//! act as which principals.

use std::collections::{BTreeMap, BTreeSet};

use model::{Diagnostic, Location, Principal, Role};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::approval::Approver;
use crate::limits;
use crate::source::{At, Source, bad_policy, read_yaml, start};

/// A project's access list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Access")]
pub(crate) struct AccessFile {
    /// Members of each role: principals such as `user:maria` or `token:ci`. A role without members is nobody.
    roles: BTreeMap<String, Vec<At<String>>>,
    /// Members of each tenant. A principal belongs to one tenant at most.
    tenants: BTreeMap<String, Vec<At<String>>>,
    /// For each user of the operating system the principals they may act as, besides `user:NAME` of their own.
    act_as: BTreeMap<String, Vec<At<String>>>,
}

/// Who may do what, as `access.yaml` says.
///
/// ```
/// use policy::{Access, Source};
/// let text = "roles: {team-lead: [user:maria]}\nactAs: {root: [user:ops]}";
/// let (access, findings) = Access::read(&Source::new("access.yaml", text));
/// let access = access.expect("there are no errors in it");
/// assert!(findings.is_empty());
/// assert_eq!(access.roles_of(&"user:maria".parse()?)[0].as_str(), "team-lead");
/// let ops = access.act_as("root", Some(&"user:ops".parse()?))?;
/// assert_eq!(ops.via, Some("user:root".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    roles: BTreeMap<Principal, Vec<Role>>,
    tenants: BTreeMap<Principal, String>,
    act_as: BTreeMap<String, BTreeSet<Principal>>,
}

/// A user of the operating system may not act as they wish.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActAsError {
    /// The name of the operating system's user cannot be a principal's.
    #[error("the user name `{0}` cannot be the name of a principal (letters, digits and ._@+-)")]
    BadUser(String),
    /// `actAs` does not list it.
    #[error("{user} may not act as {wanted}; access.yaml does not list it under actAs")]
    NotListed {
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
        for (field, count) in
            [("roles", file.roles.len()), ("tenants", file.tenants.len()), ("actAs", file.act_as.len())]
        {
            if count > limits::ENTRIES {
                let message = format!("{field} has {count} entries, more than {}", limits::ENTRIES);
                out.push(bad_policy(message, Location { path: format!("/{field}"), ..start(source) }));
            }
        }
        for (name, members) in &file.roles {
            let role = name.parse::<Role>().map_err(|error| error.to_string());
            for principal in read_members(source, "roles", name, role.as_ref().err(), members, &mut out) {
                access.roles.entry(principal).or_default().extend(role.clone().ok());
            }
        }
        for (tenant, members) in &file.tenants {
            let plain = tenant
                .parse::<Role>()
                .map_err(|_| format!("`{tenant}` is not the name of a tenant (letters, digits and ._@+-)"));
            for principal in read_members(source, "tenants", tenant, plain.err().as_ref(), members, &mut out)
            {
                if let Some(other) = access.tenants.insert(principal.clone(), tenant.clone()) {
                    let message = format!("{principal} belongs to tenant {other} already");
                    let path = format!("/tenants/{tenant}");
                    out.push(bad_policy(message, Location { path, ..start(source) }));
                }
            }
        }
        for (user, members) in &file.act_as {
            let bad = Principal::user(user).err().map(|error| error.to_string());
            let principals = read_members(source, "actAs", user, bad.as_ref(), members, &mut out);
            access.act_as.entry(user.clone()).or_default().extend(principals);
        }
        let refused = !out.is_empty();
        ((!refused).then_some(access), out)
    }

    /// The roles of a principal. None for somebody who is not listed.
    pub fn roles_of(&self, principal: &Principal) -> &[Role] {
        self.roles.get(principal).map_or(&[], Vec::as_slice)
    }

    /// The tenant of a principal.
    pub fn tenant_of(&self, principal: &Principal) -> Option<&str> {
        self.tenants.get(principal).map(String::as_str)
    }

    /// Who the operating system's user `user` is: `user:USER`, or `wanted` where `actAs` lists it. The answer has the
    /// roles of whom they act as.
    pub fn act_as(&self, user: &str, wanted: Option<&Principal>) -> Result<Approver, ActAsError> {
        let own = Principal::user(user).map_err(|_| ActAsError::BadUser(user.to_owned()))?;
        let (principal, via) = match wanted.filter(|wanted| **wanted != own) {
            None => (own, None),
            Some(wanted) if self.act_as.get(user).is_some_and(|listed| listed.contains(wanted)) => {
                (wanted.clone(), Some(own))
            }
            Some(wanted) => return Err(ActAsError::NotListed { user: own, wanted: wanted.clone() }),
        };
        let roles = self.roles_of(&principal).to_vec();
        Ok(Approver { principal, via, roles })
    }
}

/// The principals of one list; findings go to `out`.
fn read_members(
    source: &Source,
    field: &str,
    name: &str,
    bad_name: Option<&String>,
    members: &[At<String>],
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
    for (index, member) in members.iter().enumerate() {
        let location = member.location(&source.name, format!("{path}/{index}"));
        match member.parse::<Principal>() {
            // the system and a run decide by rules, never as a person would
            Ok(principal) if matches!(principal.kind(), "system" | "workflow") => {
                let message = format!("{field}.{name}[{index}]: `{}` cannot be listed", **member);
                out.push(bad_policy(message, location));
            }
            Ok(principal) => principals.push(principal),
            Err(error) => {
                let finding = bad_policy(format!("{field}.{name}[{index}]: {error}"), location);
                out.push(finding.with_hint(format!("write user:{} for a person", **member)));
            }
        }
    }
    principals
}

//! Which role gives which permission in which environment: the `permissions` of `access.yaml`, or what stands where it has none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::{Coded, Diagnostic, Environment, Location, Permission, Principal, Role};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::limits;
use crate::source::{At, Source, bad_policy, start};

/// What roles give where `access.yaml` has no `permissions`, in every environment.
pub const DEFAULT_PERMISSIONS: &[(&str, &[Permission])] = &[
    ("viewer", &[Permission::Read]),
    ("operator", &[Permission::Read, Permission::Operate]),
    ("approver", &[Permission::Read, Permission::Approve]),
    ("admin", Permission::ALL),
];

/// What holders of a role may do, and where.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Permissions")]
pub(crate) struct GiftFile {
    /// What they may do. Whoever may do anything may read as well.
    #[schemars(length(min = 1))]
    may: Vec<At<Permission>>,
    /// In which environments; in every one when left out.
    #[serde(rename = "in")]
    #[schemars(length(min = 1))]
    within: Option<Vec<At<String>>>,
}

/// One entry, or several for different environments.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it is the schema of what `Gifts` reads")]
enum OneOrMany {
    One(GiftFile),
    Many(Vec<GiftFile>),
}

/// The entries of one role.
#[derive(Debug, JsonSchema)]
#[schemars(with = "OneOrMany")]
pub(crate) struct Gifts(Vec<GiftFile>);

impl<'de> Deserialize<'de> for Gifts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Gifts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`may` and `in`, or a list of such")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Gifts, A::Error> {
                GiftFile::deserialize(MapAccessDeserializer::new(map)).map(|one| Gifts(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Gifts, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Gifts)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Gift {
    may: BTreeSet<Permission>,
    within: Option<BTreeSet<String>>,
}

impl Gift {
    fn gives(&self, environment: &Environment, permission: Permission) -> bool {
        let here = self.within.as_ref().is_none_or(|within| within.contains(environment.as_str()));
        here && (permission == Permission::Read || self.may.contains(&permission))
    }
}

/// What each role gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table(BTreeMap<String, Vec<Gift>>);

impl Default for Table {
    fn default() -> Self {
        let entry = |(role, may): &(&str, &[Permission])| {
            ((*role).to_owned(), vec![Gift { may: may.iter().copied().collect(), within: None }])
        };
        Self(DEFAULT_PERMISSIONS.iter().map(entry).collect())
    }
}

impl Table {
    /// Checks what the file says. `roles` are the names of the roles that there are.
    pub(crate) fn read(
        source: &Source,
        file: BTreeMap<String, Gifts>,
        roles: &BTreeSet<String>,
        out: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut table = BTreeMap::new();
        for (role, gifts) in file {
            let path = format!("/permissions/{}", role.replace('~', "~0").replace('/', "~1"));
            if !roles.contains(&role.to_ascii_lowercase()) {
                let message = format!("permissions: there is no role `{role}` under roles");
                out.push(bad_policy(message, Location { path: path.clone(), ..start(source) }));
            }
            let several = gifts.0.len() > 1;
            let mut read = Vec::new();
            for (index, gift) in gifts.0.into_iter().enumerate() {
                let path = if several { format!("{path}/{index}") } else { path.clone() };
                read.push(check(source, &path, &role, gift, out));
            }
            if read.is_empty() || read.len() > limits::ENTRIES {
                let message =
                    format!("permissions.{role} has {} entries, not 1 to {}", read.len(), limits::ENTRIES);
                out.push(bad_policy(message, Location { path, ..start(source) }));
            }
            table.insert(role, read);
        }
        Self(table)
    }

    /// Whether any of the roles gives the permission. Role names compare without regard to case.
    pub(crate) fn gives(&self, held: &[Role], environment: &Environment, permission: Permission) -> bool {
        self.giving(environment, permission)
            .any(|role| held.iter().any(|held| held.as_str().eq_ignore_ascii_case(role)))
    }

    /// The roles that give the permission.
    pub(crate) fn giving<'a>(
        &'a self,
        environment: &'a Environment,
        permission: Permission,
    ) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(_, gifts)| gifts.iter().any(|gift| gift.gives(environment, permission)))
            .map(|(role, _)| role.as_str())
    }
}

fn check(source: &Source, path: &str, role: &str, gift: GiftFile, out: &mut Vec<Diagnostic>) -> Gift {
    let whole = || Location { path: path.to_owned(), ..start(source) };
    if gift.may.is_empty() || gift.within.as_ref().is_some_and(Vec::is_empty) {
        out.push(bad_policy(
            format!("permissions.{role}: an empty list gives nothing; leave it out"),
            whole(),
        ));
    }
    let environments = gift.within.as_ref().map_or(0, Vec::len);
    if gift.may.len().max(environments) > limits::ENTRIES {
        let message = format!("permissions.{role} has a list of more than {} entries", limits::ENTRIES);
        out.push(bad_policy(message, whole()));
    }
    for (index, name) in gift.within.iter().flatten().enumerate() {
        if let Err(error) = name.parse::<Environment>() {
            let location = name.location(&source.name, format!("{path}/in/{index}"));
            out.push(bad_policy(format!("permissions.{role}.in[{index}]: {error}"), location));
        }
    }
    Gift {
        may: gift.may.iter().map(|permission| **permission).collect(),
        within: gift.within.map(|within| within.iter().map(|name| (**name).clone()).collect()),
    }
}

/// Somebody may not do something in an environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Forbidden {
    /// Where.
    pub environment: Environment,
    /// What they may not do.
    pub permission: Permission,
    /// Whether they may read there. Who may not is not to be told that the environment exists.
    pub visible: bool,
    /// Roles that would let them, sorted.
    pub roles: Vec<String>,
    /// Some who may administer there, and so know whom to ask, sorted.
    pub ask: Vec<Principal>,
}

impl Forbidden {
    fn sentence(&self) -> String {
        let Self { environment, permission, .. } = self;
        let needs = match self.roles.as_slice() {
            [] => {
                return format!("no role gives `{permission}` in {environment}; access.yaml says which does");
            }
            [one] => one.clone(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
        };
        let ask = match self.ask.as_slice() {
            [] => "whoever keeps access.yaml".to_owned(),
            some => some.iter().map(Principal::as_str).collect::<Vec<_>>().join(" or "),
        };
        format!("`{permission}` needs the role {needs} in {environment}; ask {ask}")
    }
}

impl Coded for Forbidden {
    fn code(&self) -> &'static model::Code {
        model::code::server::FORBIDDEN
    }
}

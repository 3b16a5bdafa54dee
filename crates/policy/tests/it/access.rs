//! The access list.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use model::{Coded, Environment, Permission, Principal};
use policy::{Access, Persons, Source};
use proptest::prelude::*;

use crate::support::*;

fn read(text: &str) -> Result<Access, Vec<String>> {
    let (access, findings) = Access::read(&Source::new("access.yaml", text));
    access.ok_or_else(|| {
        findings
            .iter()
            .map(|f| format!("{}:{} {}: {}", f.location.line, f.location.column, f.location.path, f.message))
            .collect()
    })
}

const GOOD: &str = "
roles:
  team-lead: [user:lea, lars]
  director: [user:dora, user:lea]
tenants:
  acme: [user:lea]
actAs:
  dev:
    root: [user:ops, token:ci]
    '*': [guest]
persons: {dev: by-principal}
";

#[test]
fn roles_tenants_and_acting_as_are_read() {
    let access = read(GOOD).unwrap();
    let (dev, prod) = ("dev".parse().unwrap(), "prod".parse().unwrap());
    let names: Vec<_> = access.roles_of(&user("lea")).iter().map(model::Role::as_str).collect();
    assert_eq!(names, ["director", "team-lead"]);
    assert_eq!(access.holders(&roles(&["Team-Lead"])), [&user("lars"), &user("lea")]);
    assert!(access.roles_of(&user("nobody")).is_empty());
    assert_eq!(access.tenant_of(&user("lea")), Some("acme"));
    assert_eq!(access.tenant_of(&user("lars")), None);
    let own = access.act_as(&prod, "lea", None).unwrap();
    assert_eq!((own.principal, own.via), (user("lea"), None));
    let ci = "token:ci".parse().unwrap();
    let other = access.act_as(&dev, "root", Some(&ci)).unwrap();
    assert_eq!((other.principal, other.via), (ci, Some(user("root"))));
    assert!(access.act_as(&dev, "anybody", Some(&user("guest"))).is_ok());
    assert_eq!((access.persons(&dev), access.persons(&prod)), (Persons::ByPrincipal, Persons::ByUser));
}

#[test]
fn nobody_acts_as_somebody_they_are_not_listed_for() {
    let access = read(GOOD).unwrap();
    for (environment, who, wanted) in [
        ("dev", "lea", "ops"),
        ("dev", "root", "lea"),
        ("dev", "ROOT", "ops"),
        ("prod", "root", "ops"),
        ("prod", "x", "guest"),
    ] {
        let refused = access.act_as(&environment.parse().unwrap(), who, Some(&user(wanted))).unwrap_err();
        assert_eq!(refused.code().id, "E0204", "{environment} {who} {wanted}");
    }
    let dev = "dev".parse().unwrap();
    assert!(access.act_as(&dev, "a b", None).is_err());
    assert_eq!(access.act_as(&dev, "root", Some(&user("root"))).unwrap().via, None);
}

#[test]
fn everything_wrong_is_found_at_its_place() {
    for (text, wanted) in [
        ("roles:\n  lead: ['ma ria']", "2:10 /roles/lead/0: roles.lead[0]: `user:ma ria` is not"),
        ("roles: {lead: [robot:x]}", "`robot:x` is not a principal"),
        ("roles: {a b: [user:x]}", "/roles/a b: roles: `a b` is not a role"),
        ("roles: {lead: [workflow:run_1]}", "`workflow:run_1` cannot be listed"),
        ("actAs: {dev: {root: [system:aedile]}}", "`system:aedile` cannot be listed"),
        ("tenants: {a: [user:x], b: [user:x]}", "user:x belongs to tenant a already"),
        ("actAs: {dev: {a b: [user:x]}}", "/actAs/dev/a b"),
        ("actAs: {d ev: {a: [user:x]}}", "/actAs/d ev: actAs: `d ev` is not an environment"),
        ("persons: {dev: by-name}", "/persons/dev: unknown variant `by-name`"),
        ("roles: {lead: ['group:']}", "1:16 /roles/lead/0: roles.lead[0]: a group's name has"),
        ("tenants: {a: ['group:sre']}", "`group:sre` is not a principal"),
        ("actAs: {dev: {root: ['group:sre']}}", "`group:sre` is not a principal"),
        ("permissions: {lead: {may: [read]}}", "/permissions/lead: permissions: there is no role `lead`"),
        (
            "roles: {a: []}\npermissions: {a: {may: [write]}}",
            "2:25 /permissions/a/may/0: `write` is none of read",
        ),
        (
            "roles: {a: []}\npermissions: {a: {may: [read], in: ['d ev']}}",
            "/permissions/a/in/0: permissions.a.in[0]: `d ev` is not an env",
        ),
        ("roles: {a: []}\npermissions: {a: {may: []}}", "an empty list gives nothing"),
        ("roles: {a: []}\npermissions: {a: {may: [read], in: []}}", "an empty list gives nothing"),
        ("roles: {a: []}\npermissions: {a: []}", "permissions.a has 0 entries"),
        ("roles: {a: []}\npermissions: {a: {can: [read]}}", "unknown field `can`"),
        ("roles: {a: []}\npermissions: {a: read}", "`may` and `in`, or a list of such"),
        ("role: {}", "1:1 /role: unknown field `role`"),
        ("roles: [lead]", "/roles"),
    ] {
        let found = read(text).unwrap_err();
        assert!(found.iter().any(|finding| finding.contains(wanted)), "{text}: {found:?}");
    }
    assert_eq!(read("").unwrap(), Access::default());
}

const ALL: [&str; 4] = ["read", "operate", "approve", "administer"];

fn may(access: &Access, who: &Principal, groups: &[&str], environment: &str) -> Vec<&'static str> {
    let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    let environment: Environment = environment.parse().unwrap();
    let listed = access.permissions(who, &groups, &environment);
    for permission in Permission::ALL {
        let permitted = access.permits(who, &groups, &environment, *permission);
        assert_eq!(permitted.is_ok(), listed.contains(permission), "the two ways to ask agree");
        if let Err(forbidden) = permitted {
            assert_eq!(forbidden.visible, listed.contains(&Permission::Read));
            assert_eq!(forbidden.code().id, "E1203");
        }
    }
    listed.iter().map(|permission| permission.as_str()).collect()
}

#[test]
fn roles_give_these_permissions_where_nothing_else_is_said() {
    let text =
        "roles: {viewer: [v], operator: [o], approver: [a], admin: [d], Operator: [u], team-lead: [t]}";
    let access = read(text).unwrap();
    let table: [(&str, &[&str]); 7] = [
        ("v", &["read"]),
        ("o", &["read", "operate"]),
        ("u", &["read", "operate"]),
        ("a", &["read", "approve"]),
        ("d", &ALL),
        ("t", &[]),
        ("x", &[]),
    ];
    for (name, wanted) in table {
        for environment in ["dev", "stage", "prod"] {
            assert_eq!(may(&access, &user(name), &[], environment), wanted, "{name} in {environment}");
        }
    }
    assert!(may(&Access::default(), &user("root"), &["admin", "sre"], "dev").is_empty());
}

#[test]
fn a_permissions_section_replaces_what_roles_give() {
    let access = read(
        "
roles: {operator: [omar], admin: [dora], watcher: [wim, 'group:on call'], admin-2: []}
permissions:
  operator:
    - {may: [read]}
    - {may: [operate], in: [dev, stage]}
  watcher: {may: [approve], in: [prod]}
  admin-2: {may: [read, operate, approve, administer]}
",
    )
    .unwrap();
    let table: [(&str, &[&str], &str, &[&str]); 9] = [
        ("omar", &[], "dev", &["read", "operate"]),
        ("omar", &[], "stage", &["read", "operate"]),
        ("omar", &[], "prod", &["read"]),
        ("dora", &[], "dev", &[]),
        // whoever may do anything may read
        ("wim", &[], "prod", &["read", "approve"]),
        ("wim", &[], "dev", &[]),
        ("kim", &["on call"], "prod", &["read", "approve"]),
        ("kim", &["On Call", "on call "], "prod", &[]),
        ("omar", &["on call"], "prod", &["read", "approve"]),
    ];
    for (name, groups, environment, wanted) in table {
        assert_eq!(
            may(&access, &user(name), groups, environment),
            wanted,
            "{name} {groups:?} in {environment}"
        );
    }
}

#[test]
fn a_refusal_says_which_role_would_do_and_whom_to_ask() {
    let access = read("roles: {viewer: [vera], operator: [omar], admin: [dora, dirk]}").unwrap();
    let ask = |access: &Access, who: &str, permission| {
        access.permits(&user(who), &[], &"prod".parse().unwrap(), permission).unwrap_err()
    };
    let refused = ask(&access, "vera", Permission::Operate);
    assert_eq!(
        refused.to_string(),
        "`operate` needs the role admin or operator in prod; ask user:dirk or user:dora"
    );
    assert!(refused.visible);
    assert!(!ask(&access, "nobody", Permission::Read).visible);
    let none = read("roles: {viewer: [vera]}\npermissions: {viewer: {may: [read]}}").unwrap();
    assert_eq!(
        ask(&none, "vera", Permission::Operate).to_string(),
        "no role gives `operate` in prod; access.yaml says which does"
    );
    let nobody = ask(&Access::default(), "vera", Permission::Read).to_string();
    assert!(nobody.ends_with(
        "needs the role admin, approver, operator or viewer in prod; ask whoever keeps access.yaml"
    ));
}

proptest! {
    /// A principal has what their own roles and those of their groups give, and nothing else, whatever the table.
    #[test]
    fn permissions_are_the_union_over_roles_and_never_more(
        own in proptest::collection::btree_set(0usize..4, 0..4),
        by_group in proptest::collection::btree_set(0usize..4, 0..4),
        gives in proptest::collection::vec((proptest::collection::btree_set(0usize..4, 1..4), proptest::option::of(0usize..2)), 4),
        environment in 0usize..2,
    ) {
        let environments = ["dev", "prod"];
        let mut text = "roles:\n".to_owned();
        for role in 0..4 {
            let mut members = vec!["somebody-else"];
            if own.contains(&role) { members.push("maria"); }
            if by_group.contains(&role) { members.push("'group:sre'"); }
            writeln!(text, "  r{role}: [{}]", members.join(", ")).unwrap();
        }
        text += "permissions:\n";
        for (role, (may, within)) in gives.iter().enumerate() {
            let may: Vec<&str> = may.iter().map(|one| ALL[*one]).collect();
            let within = within.map_or_else(String::new, |one| format!(", in: [{}]", environments[one]));
            writeln!(text, "  r{role}: {{may: [{}]{within}}}", may.join(", ")).unwrap();
        }
        let access = read(&text).unwrap();
        let mut wanted = BTreeSet::new();
        for role in own.union(&by_group) {
            let (may, within) = &gives[*role];
            if within.is_none_or(|within| within == environment) {
                wanted.insert(0);
                wanted.extend(may);
            }
        }
        let wanted: Vec<&str> = wanted.into_iter().map(|one| ALL[one]).collect();
        prop_assert_eq!(may(&access, &user("maria"), &["sre"], environments[environment]), wanted);
    }
}

//! The access list.

use model::Coded;
use policy::{Access, Persons, Source};

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
        ("role: {}", "1:1 /role: unknown field `role`"),
        ("roles: [lead]", "/roles"),
    ] {
        let found = read(text).unwrap_err();
        assert!(found.iter().any(|finding| finding.contains(wanted)), "{text}: {found:?}");
    }
    assert_eq!(read("").unwrap(), Access::default());
}

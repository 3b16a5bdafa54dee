//! The access list.

use model::Coded;
use policy::{Access, Source};

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
  team-lead: [user:lea, user:lars]
  director: [user:dora, user:lea]
tenants:
  acme: [user:lea]
actAs:
  root: [user:ops, token:ci]
";

#[test]
fn roles_tenants_and_acting_as_are_read() {
    let access = read(GOOD).unwrap();
    let names: Vec<_> = access.roles_of(&user("lea")).iter().map(model::Role::as_str).collect();
    assert_eq!(names, ["director", "team-lead"]);
    assert!(access.roles_of(&user("nobody")).is_empty());
    assert_eq!(access.tenant_of(&user("lea")), Some("acme"));
    assert_eq!(access.tenant_of(&user("lars")), None);
    let own = access.act_as("lea", None).unwrap();
    assert_eq!((own.principal, own.via), (user("lea"), None));
    let ci = "token:ci".parse().unwrap();
    let other = access.act_as("root", Some(&ci)).unwrap();
    assert_eq!((other.principal, other.via), (ci, Some(user("root"))));
}

#[test]
fn nobody_acts_as_somebody_they_are_not_listed_for() {
    let access = read(GOOD).unwrap();
    for (who, wanted) in [("lea", "ops"), ("root", "lea"), ("ROOT", "ops")] {
        let refused = access.act_as(who, Some(&user(wanted))).unwrap_err();
        assert_eq!(refused.code().id, "E0204", "{who} {wanted}");
    }
    assert!(access.act_as("a b", None).is_err());
    assert_eq!(access.act_as("root", Some(&user("root"))).unwrap().via, None);
}

#[test]
fn everything_wrong_is_found_at_its_place() {
    for (text, wanted) in [
        ("roles:\n  lead: [maria]", "2:10 /roles/lead/0: roles.lead[0]: `maria` is not"),
        ("roles: {a b: [user:x]}", "/roles/a b: roles: `a b` is not a role"),
        ("roles: {lead: [workflow:run_1]}", "`workflow:run_1` cannot be listed"),
        ("actAs: {root: [system:aedile]}", "`system:aedile` cannot be listed"),
        ("tenants: {a: [user:x], b: [user:x]}", "user:x belongs to tenant a already"),
        ("actAs: {a b: [user:x]}", "/actAs/a b"),
        ("role: {}", "1:1 /role: unknown field `role`"),
        ("roles: [lead]", "/roles"),
    ] {
        let found = read(text).unwrap_err();
        assert!(found.iter().any(|finding| finding.contains(wanted)), "{text}: {found:?}");
    }
    assert_eq!(read("").unwrap(), Access::default());
}

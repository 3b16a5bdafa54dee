//! What of a plan is drift, and plans that put right nothing else.

use model::{DriftClass, OnDrift, Problem};
use plan::{Drift, Header, Observed, Operation, Plan};

use crate::support::{at, empty, file, header, make, name, needing, schemas, settled, touch};

fn classes(plan: &Plan) -> Vec<(String, DriftClass)> {
    plan.drift().iter().map(|one: &Drift<'_>| (one.change.instance.to_string(), one.class)).collect()
}

#[test]
fn drift_is_told_from_what_the_configuration_says() {
    let file = |id: &str, content: &str| file(id, &format!("/etc/{id}")).with(name("content"), content);
    let applied =
        [file("same", "a"), file("touched", "a"), file("gone", "a"), file("dark", "a"), file("both", "a")];
    let mut world = settled(&["web-1"], &applied);
    touch(&mut world, "web-1/touched", "content", "b");
    touch(&mut world, "web-1/both", "mode", "0600");
    touch(&mut world, "web-1/both", "content", "b");
    // what is foreign, in another order or in another spelling is noise
    touch(&mut world, "web-1/same", "inode", "99");
    touch(&mut world, "web-1/same", "content", "a\n");
    world.observed.insert(at("web-1/gone"), Observed::Absent);
    world.observed.insert(at("web-1/dark"), Observed::Unreadable(Problem::communication("it is off")));
    world.observed.insert(at("web-1/new"), Observed::Absent);
    let mut declared = applied.to_vec();
    declared[4] = file("both", "c");
    declared.push(file("new", "a"));
    let plan = make(&declared, &world);
    let mut found = classes(&plan);
    found.sort();
    assert_eq!(
        found,
        [
            ("web-1/both".to_owned(), DriftClass::Conflict),
            ("web-1/dark".to_owned(), DriftClass::Unreadable),
            ("web-1/gone".to_owned(), DriftClass::Missing),
            ("web-1/touched".to_owned(), DriftClass::Changed),
        ]
    );
}

#[test]
fn what_is_gone_and_declared_otherwise_meanwhile_is_a_conflict() {
    let before = file("motd", "/etc/motd").with(name("content"), "a");
    let mut world = settled(&["web-1"], &[before]);
    world.observed.insert(at("web-1/motd"), Observed::Absent);
    let plan = make(&[file("motd", "/etc/motd").with(name("content"), "b")], &world);
    assert_eq!(classes(&plan), [("web-1/motd".to_owned(), DriftClass::Conflict)]);
}

#[test]
fn a_configuration_that_is_not_applied_yet_is_no_drift() {
    let before = file("motd", "/etc/motd").with(name("content"), "a");
    let world = settled(&["web-1"], &[before]);
    let plan = make(&[file("motd", "/etc/motd").with(name("content"), "b")], &world);
    assert_eq!(plan.changes[0].operation, Operation::Update);
    assert_eq!(classes(&plan), []);
    let removed = make(&[], &world);
    assert_eq!((removed.changes.len(), classes(&removed)), (1, vec![]));
}

#[test]
fn a_state_stays_the_same_as_long_as_what_is_managed_does() {
    let motd = file("motd", "/etc/motd").with(name("content"), "a");
    let mut world = settled(&["web-1"], std::slice::from_ref(&motd));
    touch(&mut world, "web-1/motd", "content", "b");
    let state = |world: &plan::World| make(std::slice::from_ref(&motd), world).drift()[0].state();
    let first = state(&world);
    touch(&mut world, "web-1/motd", "inode", "77");
    assert_eq!(state(&world), first, "nobody manages the inode");
    touch(&mut world, "web-1/motd", "content", "c");
    let second = state(&world);
    assert_ne!(second, first);
    world.observed.insert(at("web-1/motd"), Observed::Absent);
    assert_ne!(state(&world), second);
}

#[test]
fn what_is_declared_about_drift_is_said_by_the_change_and_only_then() {
    let mut motd = file("motd", "/etc/motd");
    let world = empty(&["web-1"], std::slice::from_ref(&motd));
    let plain = make(std::slice::from_ref(&motd), &world);
    assert!(!plain.file().to_string().contains("drift\":\""), "older digests hold");
    motd.drift = OnDrift::Repair;
    let said = make(&[motd], &world);
    assert_eq!(said.changes[0].drift, OnDrift::Repair);
    assert_eq!(Plan::from_file(said.file().as_bytes()).unwrap(), said);
}

#[test]
fn a_plan_can_be_held_to_some_resources() {
    let all = [needing("a", &[]), needing("b", &["a"]), needing("c", &["b"])];
    let mut world = settled(&["web-1", "web-2"], &all);
    for instance in ["web-1/a", "web-1/b", "web-2/b"] {
        touch(&mut world, instance, "owner", "mallory");
    }
    let desired = plan::Desired { resources: all.to_vec(), checks: Vec::new() };
    let only = |only: &[&str]| {
        let header = Header { only: only.iter().map(|one| at(one)).collect(), ..header() };
        plan::plan(&desired, &world, &schemas(), &header).unwrap()
    };
    let everything = only(&[]);
    assert_eq!(everything.changes.len(), 3);
    let one = only(&["web-2/b"]);
    assert_eq!(one.changes.len(), 1);
    assert_eq!(one.changes[0].instance, at("web-2/b"));
    assert_eq!(one.unchanged.len(), 5, "what it rests on is known of the others, too");
    assert_eq!(Plan::from_file(one.file().as_bytes()).unwrap(), one);
    one.check_fresh(plan::Now { fresh: &only(&["web-2/b"]), used: None }).unwrap();
    let gone = plan::plan(
        &plan::Desired::default(),
        &world,
        &schemas(),
        &Header { only: vec![at("web-2/b")], ..header() },
    );
    assert!(gone.unwrap().changes.is_empty(), "what is not declared any more is not its business");
}

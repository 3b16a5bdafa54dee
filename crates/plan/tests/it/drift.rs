//! What of a plan is drift, and plans that put right nothing else.

use model::{DriftClass, OnDrift, Problem};
use plan::{Drift, FieldCause, Header, Observed, Operation, Plan, Reason};

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

/// A file that is declared absent and was deleted for it.
fn deleted() -> (plan::Resource, plan::World) {
    let resource = file("motd", "/etc/motd").with(name("state"), "absent");
    let mut world = settled(&["web-1"], std::slice::from_ref(&resource));
    let applied = world.applied.remove(&at("web-1/motd")).unwrap();
    world.absent.insert(at("web-1/motd"), applied);
    world.observed.insert(at("web-1/motd"), Observed::Absent);
    (resource, world)
}

#[test]
fn what_was_applied_as_absent_and_is_there_again_is_drift() {
    let (mut resource, mut world) = deleted();
    assert!(make(std::slice::from_ref(&resource), &world).is_empty());
    let there =
        [(name("path"), plan::Held::plain("/etc/motd")), (name("state"), plan::Held::plain("present"))];
    world.observed.insert(at("web-1/motd"), Observed::Present(there.into()));
    resource.drift = OnDrift::Repair;
    let plan = make(std::slice::from_ref(&resource), &world);
    assert_eq!(classes(&plan), [("web-1/motd".to_owned(), DriftClass::Changed)]);
    let change = &plan.changes[0];
    assert_eq!((change.operation, &*change.reasons), (Operation::Delete, &[Reason::Returned][..]));
    assert_eq!(change.drift, OnDrift::Repair);
    let [field] = &change.fields[..] else { panic!("{change:?}") };
    assert_eq!((field.name.as_str(), field.cause), ("state", FieldCause::Drift));
    assert_eq!(
        (field.before.to_string(), field.after.to_string()),
        ("\"present\"".to_owned(), "\"absent\"".to_owned())
    );
    assert!(plan.to_string().contains("drift: it was applied as absent and is there again"), "{plan}");
    assert_eq!(Plan::from_file(plan.file().as_bytes()).unwrap(), plan);
    let input = plan::apply::actions(&plan).next().unwrap().input.to_string();
    assert!(input.contains("\"absent\":true"), "that it is deleted goes on record: {input}");

    let state = |world: &plan::World| make(std::slice::from_ref(&resource), world).drift()[0].state();
    let first = state(&world);
    touch(&mut world, "web-1/motd", "content", "whatever");
    assert_eq!(state(&world), first, "it is not to be there, whatever is in it");

    resource.keep = true;
    assert_eq!(classes(&make(&[resource], &world)), [("web-1/motd".to_owned(), DriftClass::Conflict)]);
}

#[test]
fn what_is_declared_absent_and_was_not_deleted_yet_is_no_drift() {
    let resource = file("motd", "/etc/motd").with(name("state"), "absent");
    let world = settled(&["web-1"], std::slice::from_ref(&resource));
    let plan = make(&[resource], &world);
    assert_eq!(plan.changes[0].reasons, [Reason::DeclaredAbsent]);
    assert_eq!(classes(&plan), []);
    let input = plan::apply::actions(&plan).next().unwrap().input.to_string();
    assert!(input.contains("\"absent\":true"), "from then on it is: {input}");
}

#[test]
fn what_was_to_be_absent_and_is_declared_otherwise_or_not_at_all_is_no_drift() {
    let (_, mut world) = deleted();
    let present = [file("motd", "/etc/motd")];
    let plan = make(&present, &world);
    assert_eq!((&*plan.changes[0].reasons, classes(&plan)), (&[Reason::New][..], vec![]));
    for observed in
        [Observed::Absent, Observed::Present([(name("path"), plan::Held::plain("/etc/motd"))].into())]
    {
        world.observed.insert(at("web-1/motd"), observed);
        let plan = make(&[], &world);
        assert_eq!(
            (plan.changes[0].operation, classes(&plan)),
            (Operation::Forget, vec![]),
            "the host is left alone"
        );
        assert!(plan.reach.hosts.is_empty());
    }
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

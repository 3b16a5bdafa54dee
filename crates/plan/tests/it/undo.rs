//! The way back.

use model::Coded;
use plan::apply::Options;
use plan::{DependencyKind, Header, Plan, Undo, undo};

use crate::driver::Driver;
use crate::support::*;

fn back(plan: &Plan) -> Result<Undo, plan::NotUndoable> {
    let header = Header { id: model::PlanId::from_parts(1_700_000_001_000, 43), ..header() };
    undo(plan, |_| true, &schemas(), &header)
}

#[test]
fn what_was_done_is_taken_back_in_reverse_order() {
    let was = [
        needing("a", &[]).with(name("mode"), "0644"),
        service("nginx").after(id("a"), DependencyKind::Notify),
    ];
    let declared = [
        needing("a", &[]).with(name("mode"), "0600"),
        service("nginx").after(id("a"), DependencyKind::Notify),
        service("extra").after(id("a"), DependencyKind::Require),
    ];
    let mut world = settled(&["h"], &was);
    world.observed.insert(at("h/extra"), plan::Observed::Absent);
    let plan = make(&declared, &world);
    assert_eq!(steps(&plan), ["update h/a", "create h/extra"]);
    let undo = back(&plan).unwrap();
    assert_eq!(steps(&undo.plan), ["delete h/extra", "update h/a"]);
    assert_eq!(undo.plan.parent, Some(plan.digest()));
    assert_eq!(*undo.plan.changes[1].desired[&name("mode")], serde_json::json!("0644"));
    assert_eq!(undo.left_out, []);
    assert_eq!(Plan::from_file(undo.plan.file().as_bytes()).unwrap(), undo.plan);
    insta::assert_snapshot!(undo.plan);
    let mut driver = Driver::new(undo.plan, Options::default());
    driver.go();
    assert_eq!(
        driver.performed,
        ["resource.delete h/extra", "resource.update h/a", "resource.handle h/nginx"]
    );
}

#[test]
fn what_cannot_be_taken_back_is_left_out_and_named() {
    let all = [needing("a", &[]), service("s")];
    let plan = make(&[], &settled(&["h"], &all));
    let undo = back(&plan).unwrap();
    assert_eq!(steps(&undo.plan), ["create h/s"], "a service's deletion is reversible, a file's is not");
    assert_eq!(undo.left_out, [(at("h/a"), "its delete cannot be taken back".to_owned())]);

    let only = make(&[], &settled(&["h"], &all[..1]));
    let error = back(&only).unwrap_err();
    assert_eq!(error.code().id, "E0812");
    assert!(error.to_string().contains("h/a: its delete cannot be taken back"), "{error}");
    let nothing = undo_nothing(&plan);
    assert_eq!(nothing.to_string(), "nothing of the plan was done");
}

fn undo_nothing(plan: &Plan) -> plan::NotUndoable {
    undo(plan, |_| false, &schemas(), &header()).unwrap_err()
}

#[test]
fn moves_go_back_to_the_old_name() {
    let world = settled(&["h"], &[file("old", "/etc/a")]);
    let plan = make(&[file("new", "/etc/a")], &world);
    let undo = back(&plan).unwrap();
    assert_eq!(steps(&undo.plan), ["move h/old"]);
    assert_eq!(undo.plan.changes[0].moved_from, Some(at("h/new")));
}

//! What is compared with what, and the reason each difference is given.

use model::Problem;
use plan::{DependencyKind, FieldCause, Held, Observed, Operation, Reason, Term, output_reference};
use serde_json::json;

use crate::support::*;

#[test]
fn infrastructure_08_new_equal_and_changed() {
    let one = [file("a", "/etc/a").with(name("mode"), "0644")];
    assert_eq!(steps(&make(&one, &empty(&["h"], &one))), ["create h/a"]);
    assert!(make(&one, &settled(&["h"], &one)).is_empty());
    let changed = [file("a", "/etc/a").with(name("mode"), "0600")];
    let plan = make(&changed, &settled(&["h"], &one));
    assert_eq!(steps(&plan), ["update h/a"]);
    assert_eq!(plan.changes[0].reasons, [Reason::Configuration { attributes: vec![name("mode")] }]);
    assert!(make(&[], &empty(&["h"], &[])).is_empty(), "nothing declared, nothing planned");
}

#[test]
fn each_field_has_a_cause() {
    let was = [file("a", "/etc/a").with(name("mode"), "0644")];
    let declared = |mode: &str| [file("a", "/etc/a").with(name("mode"), mode)];
    for (mode, there, applied, cause) in [
        ("0644", "0600", true, FieldCause::Drift),
        ("0600", "0644", true, FieldCause::Configuration),
        ("0600", "0777", true, FieldCause::Conflict),
        ("0600", "0644", false, FieldCause::Adopted),
    ] {
        let mut world = settled(&["h"], &was);
        touch(&mut world, "h/a", "mode", there);
        if !applied {
            world.applied.clear();
        }
        let plan = make(&declared(mode), &world);
        assert_eq!(plan.changes[0].fields[0].cause, cause, "declared {mode}, there {there}");
    }
}

#[test]
fn noise_is_silent() {
    let one = [file("a", "/etc/a/")
        .with(name("mode"), "0644")
        .with(name("content"), "x\n")
        .with(name("seed"), "first")
        .with(name("tags"), json!(["b", "a"]))];
    let mut world = settled(&["h"], &one);
    for (attribute, value) in [
        ("mode", json!(0o644)),
        ("path", json!("/etc/a")),
        ("content", json!("x\r\n")),
        ("seed", json!("somebody's own by now")),
        ("tags", json!(["a", "b", "a"])),
        ("nobody", json!("declares this")),
        ("checksum", json!("other")),
    ] {
        touch(&mut world, "h/a", attribute, value);
    }
    let plan = make(&one, &world);
    assert!(plan.is_empty(), "{plan}");
    let mut ignoring = one[0].clone();
    ignoring.ignore = vec![name("mode")];
    touch(&mut world, "h/a", "mode", "0000");
    assert!(make(&[ignoring], &world).is_empty());
    assert_eq!(make(&one, &world).changes.len(), 1, "without `ignore` it would be a change");
}

#[test]
fn what_is_gone_declared_absent_or_unreadable_says_so() {
    let one = [file("a", "/etc/a")];
    let with = |observed: Observed| {
        let mut world = settled(&["h"], &one);
        world.observed.insert(at("h/a"), observed);
        world
    };
    let plan = make(&one, &with(Observed::Absent));
    assert_eq!(
        (steps(&plan), &*plan.changes[0].reasons),
        (vec!["create h/a".into()], &[Reason::Missing][..])
    );

    let absent = [file("a", "/etc/a").with(name("state"), "absent")];
    assert!(make(&absent, &with(Observed::Absent)).is_empty());
    let plan = make(&absent, &settled(&["h"], &one));
    assert_eq!(plan.changes[0].reasons, [Reason::DeclaredAbsent]);
    assert_eq!(plan.changes[0].operation, Operation::Delete);

    let plan = make(&one, &with(Observed::Unreadable(Problem::communication("timed out"))));
    assert_eq!(plan.changes[0].operation, Operation::Blocked);
    assert!(plan.to_string().contains("it could not be read: Communication Error: timed out"), "{plan}");

    let mut unread = settled(&["h"], &one);
    unread.observed.clear();
    assert_eq!(make(&one, &unread).changes[0].reasons, [Reason::NotRead]);
    assert_eq!(make(&[], &unread).changes[0].operation, Operation::Blocked);
    assert_eq!(make(&[], &with(Observed::Absent)).changes[0].operation, Operation::Forget);
    let mut host_gone = settled(&["h"], &one);
    host_gone.inventory = inventory(&["other"]);
    assert_eq!(make(&[], &host_gone).changes[0].reasons, [Reason::HostRemoved]);
}

#[test]
fn what_cannot_be_read_yet_is_created_once_the_other_is() {
    let both = [needing("db", &[]), needing("user", &["db"])];
    let mut world = empty(&["h"], &both);
    world.observed.insert(at("h/user"), Observed::NotYet { missing: at("h/db") });
    let plan = make(&both, &world);
    assert_eq!(steps(&plan), ["create h/db", "create h/user"]);
    assert_eq!(plan.changes[1].reasons[0].to_string(), "cannot be read before h/db is there");
    world.observed.insert(at("h/db"), Observed::Unreadable(Problem::runtime("x")));
    assert_eq!(steps(&make(&both, &world)), ["blocked h/db", "blocked h/user"]);
}

#[test]
fn a_forced_attribute_replaces_and_says_which() {
    let one = [service("nginx")];
    let world = settled(&["h"], &one);
    let renamed = [service("nginx").with(name("name"), "nginx2")];
    let plan = make(&renamed, &world);
    assert_eq!(steps(&plan), ["replace h/nginx"]);
    assert_eq!(plan.changes[0].reasons[0], Reason::Replaced { attributes: vec![name("name")] });
    let mut kept = renamed[0].clone();
    kept.keep = true;
    let plan = make(&[kept], &world);
    assert_eq!((plan.changes[0].operation, &plan.changes[0].reasons[0]), (Operation::Blocked, &Reason::Kept));
}

#[test]
fn a_new_name_is_a_move_said_or_seen() {
    let was = [file("old", "/etc/a")];
    let world = settled(&["h"], &was);
    let mut said = file("new", "/etc/a");
    said.moved_from = vec![id("old")];
    for one in [said, file("new", "/etc/a/")] {
        let plan = make(&[one], &world);
        assert_eq!(steps(&plan), ["move h/new"], "the file itself is left alone");
        assert_eq!(plan.changes[0].reasons, [Reason::Moved { from: at("h/old") }]);
    }
    let mut changed = file("new", "/etc/a").with(name("mode"), "0600");
    changed.moved_from = vec![id("old")];
    let plan = make(&[changed], &world);
    assert_eq!(steps(&plan), ["update h/new"]);
    assert_eq!(plan.changes[0].moved_from, Some(at("h/old")));
    let mut still = file("new", "/etc/b");
    still.moved_from = vec![id("old")];
    assert!(refused(&[still, file("old", "/etc/a")], &world).contains("which is still declared"));
}

#[test]
fn two_resources_are_never_the_same_thing() {
    let both = [file("a", "/etc/x"), file("b", "/etc/x/")];
    let text = refused(&both, &empty(&["h"], &both));
    assert!(text.contains("`b` and `a` (site.cue:1:5) are the same `linux.file::file` on `h`"), "{text}");
}

#[test]
fn values_of_others_are_known_predicted_or_unknown() {
    let refer = |attribute: &str| format!("sum={}", output_reference(&id("a"), &name(attribute)));
    let using = |attribute: &str| {
        let b = file("b", "/etc/b").with(name("content"), refer(attribute));
        [file("a", "/etc/a").with(name("mode"), "0644"), b]
    };
    // known: declared over there, or read and not changing
    let known = using("mode");
    let plan = make(&known, &empty(&["h"], &known));
    assert_eq!(*plan.changes[1].desired[&name("content")], json!("sum=0644"));
    assert_eq!(before(&plan, "h/b"), ["h/a"], "a reference is a dependency");

    let computed = using("checksum");
    let mut world = settled(&["h"], &computed);
    touch(&mut world, "h/b", "content", "sum=c0ffee");
    let plan = make(&computed, &world);
    assert!(plan.is_empty(), "{plan}");

    // unknown: it changes with the other one
    touch(&mut world, "h/a", "mode", "0600");
    let plan = make(&computed, &world);
    assert_eq!(steps(&plan), ["update h/a", "update h/b"]);
    assert_eq!(
        plan.changes[1].reasons,
        [Reason::DependsOn { on: at("h/a"), attributes: vec![name("content")] }]
    );
    assert_eq!(plan.changes[1].reasons[0].to_string(), "depends on a, which changes (content)");
    assert_eq!(plan.changes[1].fields[0].after, Term::Unknown { on: vec!["a#checksum".into()] });

    // kept over updates
    let stable = using("inode");
    let mut same = world.clone();
    touch(&mut same, "h/b", "content", "sum=12");
    assert_eq!(steps(&make(&stable, &same)), ["update h/a"]);

    // predicted by the provider
    world.predicted.insert(at("h/a"), [(name("checksum"), std::sync::Arc::new(json!("beef")))].into());
    let plan = make(&computed, &world);
    assert_eq!(
        plan.changes[1].fields[0].after,
        Term::Predicted { value: std::sync::Arc::new(json!("sum=beef")) }
    );
}

#[test]
fn references_that_lead_nowhere_are_refused() {
    let wrong = file("b", "/etc/b").with(name("content"), output_reference(&id("a"), &name("cheksum")));
    let both = [file("a", "/etc/a"), wrong];
    let text = refused(&both, &empty(&["h"], &both));
    assert!(text.contains("has no attribute `cheksum`") && text.contains("`checksum`"), "{text}");
    let nobody = [file("b", "/etc/b").with(name("content"), output_reference(&id("zz"), &name("path")))];
    assert!(refused(&nobody, &empty(&["h"], &nobody)).contains("`b` depends on `zz`, which is not declared"));
}

#[test]
fn a_plan_reads_like_this() {
    let all = [
        file("conf", "/etc/nginx.conf")
            .with(name("content"), "worker_processes 4;\n")
            .with(name("mode"), "0644"),
        service("nginx").after(id("conf"), DependencyKind::Notify),
        file("new", "/etc/new").with(name("content"), "x".repeat(200)),
        file("gone", "/etc/gone"),
    ];
    let mut world = settled(&["web-1", "web-2"], &all);
    touch(&mut world, "web-1/conf", "mode", "0666");
    for host in ["web-1", "web-2"] {
        world.observed.insert(at(&format!("{host}/new")), Observed::Absent);
        world.applied.remove(&at(&format!("{host}/new")));
    }
    insta::assert_snapshot!(make(&all[..3], &world));
}

#[test]
fn what_a_provider_does_not_report_is_as_it_was_applied() {
    let one = [file("a", "/etc/a").with(name("content"), "x")];
    let mut world = settled(&["h"], &one);
    if let Some(Observed::Present(there)) = world.observed.get_mut(&at("h/a")) {
        there.remove(&name("content"));
    }
    assert!(make(&one, &world).is_empty());
    world.applied.get_mut(&at("h/a")).unwrap().attributes.insert(name("content"), Held::plain("y"));
    assert_eq!(steps(&make(&one, &world)), ["update h/a"]);
}

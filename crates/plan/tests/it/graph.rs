//! Order, cycles, expansion to hosts, deletion in reverse.

use plan::{DependencyKind, Moved, Now, Observed, Selector};
use proptest::prelude::*;

use crate::support::*;

#[test]
fn infrastructure_11_a_new_resource_depends_on_a_new_one_whichever_is_listed_first() {
    let (a, b) = (needing("a", &[]), needing("b", &["a"]));
    for listed in [[a.clone(), b.clone()], [b, a]] {
        let plan = make(&listed, &empty(&["h"], &listed));
        assert_eq!(steps(&plan), ["create h/a", "create h/b"]);
        assert_eq!(before(&plan, "h/b"), ["h/a"]);
        assert_eq!(plan.depth(), 2);
    }
}

#[test]
fn infrastructure_09_cycles_are_refused_and_named_in_full() {
    let mut a = needing("a", &["c"]);
    a.depends[0].place = place(11);
    let mut b = needing("b", &["a"]);
    b.depends[0].place = place(22);
    let mut c = needing("c", &["b"]);
    c.depends[0].place = place(33);
    let three = [a, b, c];
    insta::assert_snapshot!(refused(&three, &empty(&["h"], &three)));
    let two = [needing("x", &["y"]), needing("y", &["x"]), needing("z", &["x"])];
    let text = refused(&two, &empty(&["h"], &two));
    assert!(text.contains("`x` depends on `y`") && text.contains("which depends on `x`"), "{text}");
    assert!(!text.contains("`z`"), "what only hangs on the circle is not in it: {text}");
    let one = [needing("s", &["s"])];
    assert!(refused(&one, &empty(&["h"], &one)).contains("`s` depends on `s`"));
}

#[test]
fn infrastructure_09_unknown_dependencies_and_duplicates_are_refused() {
    let unknown = [needing("nginx", &[]), needing("site", &["ngnix"])];
    insta::assert_snapshot!(refused(&unknown, &empty(&["h"], &unknown)));
    let twice = [needing("a", &[]), file("a", "/etc/other")];
    insta::assert_snapshot!("duplicate", refused(&twice, &empty(&["h"], &twice)));
}

#[test]
fn infrastructure_09_dot_has_every_step_and_edge_escaped() {
    let diamond =
        [needing("a", &[]), needing("b\"q\\", &["a"]), needing("c", &["a"]), needing("d", &["b\"q\\", "c"])];
    let plan = make(&diamond, &empty(&["h"], &diamond));
    assert_eq!((plan.depth(), plan.levels()), (3, vec![1, 2, 2, 3]));
    insta::assert_snapshot!(plan.to_dot());
}

#[test]
fn infrastructure_13_a_label_that_matches_three_hosts_gives_three_instances() {
    let mut world = empty(&["db-1", "web-1", "web-2", "web-3"], &[]);
    for (host, labels) in &mut world.inventory.hosts {
        labels.insert("role".into(), host.as_str()[..host.as_str().len() - 2].into());
    }
    let web = Selector::Label("role".into(), "web".into());
    let one = [needing("a", &[]).on(web.clone())];
    for host in ["web-1", "web-2", "web-3"] {
        world.observed.insert(at(&format!("{host}/a")), Observed::Absent);
    }
    assert_eq!(steps(&make(&one, &world)), ["create web-1/a", "create web-2/a", "create web-3/a"]);

    let both =
        Selector::AllOf(vec![web.clone(), Selector::Not(Box::new(Selector::Hosts(vec![host("web-2")])))]);
    let plan = make(&[needing("a", &[]).on(both)], &world);
    assert_eq!(steps(&plan), ["create web-1/a", "create web-3/a"]);
    assert_eq!(plan.reach.hosts.len(), 2);
    assert_eq!(plan.reach.hosts_known, 4);
}

#[test]
fn a_target_that_matches_nothing_is_refused_unless_allowed() {
    let nothing = Selector::Label("role".into(), "none".into());
    let mut one = needing("a", &[]).on(nothing);
    let text = refused(std::slice::from_ref(&one), &empty(&["h"], &[]));
    assert!(text.contains("no host matches the target of `a`") && text.contains("E0805"), "{text}");
    one.may_match_nothing = true;
    assert!(make(&[one], &empty(&["h"], &[])).is_empty());
    let typo = [needing("a", &[]).on(Selector::Hosts(vec![host("web-11")]))];
    let text = refused(&typo, &empty(&["web-1", "web-2"], &[]));
    assert!(text.contains("did you mean `web-1`?"), "{text}");
}

#[test]
fn dependencies_pair_on_the_same_host_and_otherwise_mean_every_instance() {
    let on = |hosts: &[&str]| Selector::Hosts(hosts.iter().map(|one| host(one)).collect());
    let a = needing("a", &[]).on(on(&["h2", "h3"]));
    let b = needing("b", &["a"]).on(on(&["h1", "h2"]));
    let both = [a, b];
    let plan = make(&both, &empty(&["h1", "h2", "h3"], &both));
    assert_eq!(before(&plan, "h1/b"), ["h2/a", "h3/a"], "none on its own host");
    assert_eq!(before(&plan, "h2/b"), ["h2/a"]);
    assert_eq!(plan.junctions.len(), 1, "one meeting point instead of an edge for each pair");
}

#[test]
fn infrastructure_12_what_is_removed_is_deleted_in_reverse_order() {
    let all = [needing("a", &[]), needing("b", &["a"]), needing("c", &["b"])];
    let world = settled(&["h"], &all);
    let plan = make(&[], &world);
    assert_eq!(steps(&plan), ["delete h/c", "delete h/b", "delete h/a"]);
    assert_eq!(before(&plan, "h/a"), ["h/b"]);

    // what stays and no longer needs the removed one is changed first
    let mut changed = needing("c", &[]);
    changed = changed.with(name("mode"), "0600");
    let plan = make(&[needing("a", &[]), changed], &world);
    assert_eq!(steps(&plan), ["update h/c", "delete h/b"]);
    assert_eq!(before(&plan, "h/b"), ["h/c"]);
}

#[test]
fn order_holds_through_what_does_not_change() {
    let all = [needing("a", &[]), needing("m", &["a"]), needing("z", &["m"])];
    let mut world = settled(&["h"], &all);
    touch(&mut world, "h/a", "owner", "eve");
    touch(&mut world, "h/z", "owner", "eve");
    let plan = make(&all, &world);
    assert_eq!(steps(&plan), ["update h/a", "update h/z"]);
    assert_eq!(before(&plan, "h/z"), ["h/a"]);
    assert_eq!(plan.junctions[0].label, "h/m, unchanged");
}

#[test]
fn a_replacement_that_creates_first_deletes_the_old_one_after_its_dependents() {
    let all = [needing("a", &[]), needing("b", &["a"])];
    let mut world = settled(&["h"], &all);
    world.observed.insert(at("h/a"), Observed::Absent);
    touch(&mut world, "h/b", "owner", "eve");
    let moved = [file("a", "/srv/a"), needing("b", &["a"])];
    let plan = make(&moved, &world);
    assert_eq!(steps(&plan), ["replace h/a", "update h/b", "dispose h/a"]);
    let dispose = &plan.changes[2];
    assert_eq!(dispose.after.iter().map(|edge| edge.step).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(plan.counts.replace, 1);
    insta::assert_snapshot!(plan);
}

#[test]
fn a_focus_takes_what_it_needs_and_nothing_else() {
    let all = [needing("a", &[]), needing("b", &["a"]), needing("c", &[])];
    let desired = plan::Desired { resources: all.to_vec(), checks: Vec::new() };
    let focused = plan::Header { focus: vec![id("b")], ..header() };
    let plan = plan::plan(&desired, &empty(&["h"], &all), &schemas(), &focused).unwrap();
    assert_eq!(steps(&plan), ["create h/a", "create h/b"]);
}

#[test]
fn infrastructure_14_a_stale_plan_says_exactly_what_moved() {
    let all = [needing("a", &[]), needing("b", &["a"])];
    let mut world = settled(&["h"], &all);
    touch(&mut world, "h/a", "owner", "eve");
    let plan = make(&all, &world);
    assert_eq!(plan.check_fresh(Now { fresh: &make(&all, &world), used: None }), Ok(()));

    touch(&mut world, "h/b", "mtime", "now");
    let fresh = make(&all, &world);
    assert_eq!(plan.check_fresh(Now { fresh: &fresh, used: None }), Ok(()), "noise is silent");

    touch(&mut world, "h/b", "path", "/elsewhere");
    let moved = |plan: &plan::Plan, fresh: &plan::Plan| {
        plan.check_fresh(Now { fresh, used: None }).unwrap_err().moved
    };
    assert_eq!(moved(&plan, &make(&all, &world)), [Moved::World(at("h/b"))]);

    let mut applied = settled(&["h"], &all);
    touch(&mut applied, "h/a", "owner", "eve");
    applied.applied.get_mut(&at("h/a")).unwrap().attributes.insert(name("mode"), plan::Held::plain("0600"));
    assert_eq!(moved(&plan, &make(&all, &applied)), [Moved::Applied(at("h/a"))]);

    let run = model::RunId::from_parts(5, 5);
    let used =
        plan.check_fresh(Now { fresh: &make(&all, &settled(&["h"], &all)), used: Some(run) }).unwrap_err();
    assert_eq!(used.moved[0], Moved::Used { by: run });
    let other = plan::Header { configuration: model::Digest::of(b"other"), ..header() };
    let desired = plan::Desired { resources: all.to_vec(), checks: Vec::new() };
    let mut world = settled(&["h"], &all);
    touch(&mut world, "h/a", "owner", "eve");
    let fresh = plan::plan(&desired, &world, &schemas(), &other).unwrap();
    insta::assert_snapshot!(plan.check_fresh(Now { fresh: &fresh, used: None }).unwrap_err());
}

#[test]
fn infrastructure_14_the_second_plan_of_what_was_applied_is_empty() {
    let all = [needing("a", &[]), needing("b", &["a"]), service("s").after(id("b"), DependencyKind::Notify)];
    let plan = make(&all, &settled(&["h1", "h2"], &all));
    assert!(plan.is_empty() && plan.handlers.is_empty(), "{plan}");
    assert_eq!(plan.counts.unchanged, 6);
}

#[test]
fn handlers_are_planned_when_something_they_watch_changes() {
    let all = [
        needing("conf", &[]),
        needing("other", &[]),
        service("nginx").after(id("conf"), DependencyKind::Notify).after(id("other"), DependencyKind::Notify),
    ];
    let mut world = settled(&["h"], &all);
    assert!(make(&all, &world).handlers.is_empty());
    touch(&mut world, "h/conf", "owner", "eve");
    let plan = make(&all, &world);
    assert_eq!(plan.handlers.len(), 1);
    assert_eq!((plan.handlers[0].name.as_str(), &*plan.handlers[0].triggers), ("restart", &[0][..]));
    let wrong = [needing("conf", &[]), needing("b", &[]).after(id("conf"), DependencyKind::Notify)];
    assert!(refused(&wrong, &empty(&["h"], &wrong)).contains("cannot be notified"));
}

/// Resources `r0`..: each may need some of those before it.
fn acyclic() -> impl Strategy<Value = Vec<plan::Resource>> {
    proptest::collection::vec(proptest::collection::vec(any::<prop::sample::Index>(), 0..4), 1..16).prop_map(
        |needs| {
            let all = needs.iter().enumerate().map(|(at, needs)| {
                let mut on: Vec<String> = if at == 0 {
                    Vec::new()
                } else {
                    needs.iter().map(|index| format!("r{}", index.index(at))).collect()
                };
                on.sort();
                on.dedup();
                needing(&format!("r{at}"), &on.iter().map(String::as_str).collect::<Vec<_>>())
            });
            all.collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The order in which resources are listed changes nothing, and everything comes after what it needs.
    #[test]
    fn infrastructure_11_listing_order_does_not_matter(all in acyclic(), seed: u64) {
        let world = empty(&["h1", "h2"], &all);
        let plan = make(&all, &world);
        let mut shuffled = all.clone();
        let mut state = seed | 1;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
        }
        prop_assert_eq!(make(&shuffled, &world).digest(), plan.digest());
        for (at, change) in plan.changes.iter().enumerate() {
            for edge in &change.after {
                prop_assert!((edge.step as usize) < at);
            }
        }
        prop_assert_eq!(plan.counts.create, all.len() as u64 * 2);
        prop_assert!(make(&all, &settled(&["h1", "h2"], &all)).is_empty(), "applied, it is empty");
        let deletes = make(&[], &settled(&["h1"], &all));
        let place = |id: &str| deletes.changes.iter().position(|change| change.instance.resource.as_str() == id);
        for one in &all {
            for needs in &one.depends {
                prop_assert!(place(one.id.as_str()) < place(needs.on.as_str()));
            }
        }
    }
}

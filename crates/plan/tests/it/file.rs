//! The plan file: it comes back as it was, or it is refused with why.

use std::path::Path;

use model::Coded;
use plan::{FileError, Plan};
use serde_json::json;

use crate::support::*;

fn some() -> Plan {
    let all = [needing("a", &[]), needing("b", &["a"])];
    make(&all, &empty(&["h1", "h2"], &all))
}

#[test]
fn a_plan_comes_back_from_its_file() {
    let plan = some();
    assert_eq!(Plan::from_file(plan.file().as_bytes()).unwrap(), plan);
    let pretty = serde_json::to_vec_pretty(
        &serde_json::from_slice::<serde_json::Value>(plan.file().as_bytes()).unwrap(),
    );
    assert_eq!(Plan::from_file(&pretty.unwrap()).unwrap(), plan, "white space is not part of a plan");
}

#[test]
fn numbers_of_a_plan_are_those_of_its_file() {
    let limits = json!([1.0, 9_007_199_254_740_993_u64, 0.5]);
    let probe = plan::Resource::new(id("a"), "probe::http".parse().unwrap(), place(1));
    let all = [probe.with(name("url"), "http://h/").with(name("limits"), limits)];
    let plan = make(&all, &empty(&["h"], &all));
    assert_eq!(plan, Plan::from_file(plan.file().as_bytes()).unwrap());
    let text = format!("{:?}", plan.body());
    assert!(text.contains("Number(9007199254740992)") && !text.contains("Number(1.0)"), "{text}");
}

#[test]
fn a_plan_that_nests_too_deep_is_refused() {
    let mut file: serde_json::Value = serde_json::from_str(some().file()).unwrap();
    let deep = (0..118).fold(json!(1), |value, _| json!([value]));
    file["plan"]["changes"][0]["desired"]["path"] = deep;
    let error = Plan::from_file(file.to_string().as_bytes()).unwrap_err();
    assert!(matches!(&error, FileError::Unsound(why) if why.contains("nests deeper")), "{error}");
}

#[test]
fn a_changed_plan_is_refused() {
    let text = some().file().to_string();
    for (from, to) in [
        ("/etc/a", "/etc/b"),
        ("\"create\"", "\"delete\""),
        ("h1/a", "h3/a"),
        ("\"position\":17", "\"position\":18"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let error = Plan::from_file(changed.as_bytes()).unwrap_err();
        assert!(matches!(error, FileError::Tampered { .. }), "{from}: {error}");
        assert_eq!(error.code().id, "E0808");
    }
}

#[test]
fn infrastructure_10_a_plan_that_makes_no_sense_is_refused() {
    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut file: serde_json::Value = serde_json::from_slice(some().file().as_bytes()).unwrap();
        change(&mut file["plan"]);
        file["digest"] = model::Digest::of_json(&file["plan"]).to_string().into();
        Plan::from_file(file.to_string().as_bytes())
    };
    assert!(changed(&|_| {}).is_ok());
    let after = |step: u32| serde_json::json!([{"step": step, "kind": "require"}]);
    for (what, error) in [
        ("there is no step 99", changed(&|plan| plan["changes"][1]["after"] = after(99))),
        ("in a circle", changed(&|plan| plan["changes"][0]["after"] = after(2))),
    ] {
        let error = error.unwrap_err();
        assert!(matches!(&error, FileError::Unsound(why) if why.contains(what)), "{what}: {error}");
    }
    let unnamed = changed(&|plan| plan["changes"][0]["instance"] = "".into());
    assert!(matches!(unnamed, Err(FileError::Unreadable(_))), "{unnamed:?}");
}

#[test]
fn other_versions_and_strange_members_are_refused() {
    let text = some().file().to_string();
    let newer = text.replace("aedile.plan/1", "aedile.plan/2").replacen("\"changes\"", "\"steps\"", 1);
    assert!(
        matches!(Plan::from_file(newer.as_bytes()), Err(FileError::Format { found }) if found == "aedile.plan/2")
    );
    let more = text.replacen("\"counts\":", "\"extra\":1,\"counts\":", 1);
    assert!(matches!(Plan::from_file(more.as_bytes()), Err(FileError::Unreadable(_))));
    assert!(matches!(Plan::from_file(b"{}"), Err(FileError::Unreadable(_))));
    assert!(matches!(Plan::from_file(&text.as_bytes()[..text.len() - 9]), Err(FileError::Unreadable(_))));
}

#[test]
fn the_schema_that_is_checked_in_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/plan.schema.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&plan::document_schema()).unwrap());
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "UPDATE_SCHEMAS=1 cargo nextest run -p plan the_schema_that_is_checked_in");
}

#[test]
fn the_document_is_the_file_s_plan() {
    let plan = some();
    let file: serde_json::Value = serde_json::from_slice(plan.file().as_bytes()).unwrap();
    assert_eq!(file["plan"], plan.document().value());
    assert_eq!(file["plan"], serde_json::to_value(plan.body()).unwrap());
    assert_eq!(model::Digest::of_json(&file["plan"]), plan.digest());
}

//! Declared values against the provider's schema: what is wrong, where, and what was meant.

use plan::{Attribute, Resource};
use serde_json::json;

use crate::support::*;

#[test]
fn infrastructure_05_bad_declarations_name_place_and_nearest() {
    let mut wrong = Resource::new(id("motd"), "linux.file::file".parse().unwrap(), place(3));
    for (line, attribute, value) in [
        (4, "contnet", json!("x")),
        (5, "owner", json!(5)),
        (6, "state", json!("presnt")),
        (7, "tags", json!(["a", 1])),
        (8, "password", json!("hunter2")),
        (9, "checksum", json!("x")),
    ] {
        wrong.attributes.insert(name(attribute), Attribute::new(value, place(line)));
    }
    let unknown = Resource::new(id("x"), "linux.flie::file".parse().unwrap(), place(20));
    let kind = Resource::new(id("y"), "linux.file::flie".parse().unwrap(), place(21));
    let all = [wrong, unknown, kind];
    let text = refused(&all, &empty(&["h"], &all));
    assert!(!text.contains("hunter2"), "a value that should be a secret is not repeated");
    insta::assert_snapshot!(text);
}

#[test]
fn a_resource_never_becomes_another_type() {
    let world = settled(&["h"], &[file("a", "/etc/a")]);
    assert!(refused(&[service("a")], &world).contains("was a `linux.file::file` and cannot become"));
}

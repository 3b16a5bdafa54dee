//! No secret value is ever in a plan.

use model::program::secret_reference;
use plan::{Applied, Held, Observed, SealingKey, World};
use serde_json::json;

use crate::support::*;

const CANARY: &str = "canary-4f1c9";

fn world_with_canaries(resources: &[plan::Resource]) -> World {
    let key = SealingKey::new(KEY);
    let mut world = empty(&["h"], resources);
    world.secrets.insert("db".into(), key.seal(&json!(CANARY)));
    for one in resources {
        let instance = at(&format!("h/{}", one.id));
        let there = [
            (name("path"), Held::plain(format!("/etc/{}", one.id))),
            (name("owner"), Held::plain("root")),
            // a careless provider reports the secret itself
            (name("password"), Held::plain(format!("{CANARY}-old"))),
            (name("content"), Held::plain(format!("url=postgres://{CANARY}-old@db"))),
        ];
        world.observed.insert(instance.clone(), Observed::Present(there.into()));
    }
    world
}

fn resource() -> plan::Resource {
    file("a", "/etc/a")
        .with(name("password"), secret_reference("db"))
        .with(name("content"), format!("url=postgres://{}@db", secret_reference("db")))
}

#[test]
fn planted_canaries_are_nowhere_in_a_plan() {
    let one = [resource()];
    let mut world = world_with_canaries(&one);
    let mut gone = one[0].clone();
    gone.id = id("gone");
    world.observed.insert(at("h/gone"), world.observed[&at("h/a")].clone());
    let secret = |text: String| Held::Secret { reference: Some(json!(text).into()), seal: None };
    let applied = Applied {
        kind: gone.kind.clone(),
        provider: "1.0.0".into(),
        attributes: [(name("password"), secret(secret_reference("db")))].into(),
        depends: Vec::new(),
    };
    world.applied.insert(at("h/gone"), applied);
    for declared in [
        &one[..],
        &[file("a", "/etc/a")
            .with(name("state"), "absent")
            .with(name("password"), secret_reference("db"))
            .with(name("content"), secret_reference("db"))],
    ] {
        let plan = make(declared, &world);
        assert!(!plan.changes.is_empty());
        let everything = [
            plan.file().to_string(),
            plan.to_string(),
            plan.to_dot(),
            format!("{plan:?}"),
            plan.document().as_str().to_owned(),
        ];
        for text in everything {
            assert!(!text.contains(CANARY), "{text}");
        }
    }
    let plan = make(&one, &world);
    assert_eq!(plan.changes[0].instance, at("h/a"));
    assert!(plan.to_string().contains("password: (secret) -> \"(secret db)\""), "{plan}");
}

#[test]
fn a_rotated_secret_is_seen_by_its_keyed_digest() {
    let one = [resource()];
    let key = SealingKey::new(KEY);
    let mut world = world_with_canaries(&one);
    touch(&mut world, "h/a", "password", CANARY);
    let plan = make(&one, &world);
    let names: Vec<_> = plan.changes[0].fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["content"], "the whole secret is the same; a part of a text cannot be told");

    let composed = |seal: plan::Seal| json!({"text": &*one[0].attributes[&name("content")].value, "secrets": [seal.to_string()]});
    let applied = |seal: plan::Seal| Applied {
        kind: one[0].kind.clone(),
        provider: "1.0.0".into(),
        attributes: [
            (name("path"), Held::plain("/etc/a")),
            (name("password"), Held::Secret { reference: None, seal: Some(seal) }),
            (name("content"), Held::Secret { reference: None, seal: Some(key.seal(&composed(seal))) }),
        ]
        .into(),
        depends: Vec::new(),
    };
    world.applied.insert(at("h/a"), applied(key.seal(&json!(CANARY))));
    assert!(make(&one, &world).is_empty(), "as it was applied");
    world.secrets.insert("db".into(), key.seal(&json!("rotated")));
    let plan = make(&one, &world);
    assert_eq!(plan.changes[0].fields.len(), 2, "{plan}");
    assert_eq!(
        plan.changes[0].reversibility,
        model::Reversibility::Irreversible,
        "the old value is not kept"
    );
}

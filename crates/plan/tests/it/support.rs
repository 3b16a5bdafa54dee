//! A small world to plan in.

use std::sync::Arc;

use model::{Capability, Diagnostic, Digest, EffectClass, PlanId, Reversibility, Timestamp};
use plan::schema::{
    AttributeSchema, AttributeType, Computed, Nature, Normaliser, Ownership, Presence, ProviderSchema,
    ReplaceOrder, TypeSchema,
};
use plan::{
    Applied, DependencyKind, Desired, Header, Held, Host, Instance, Inventory, Name, Observed, Place, Plan,
    Resource, ResourceId, Schemas, SealingKey, TypeName, World,
};
use serde_json::{Value, json};

pub(crate) fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn host(text: &str) -> Host {
    text.parse().unwrap()
}

pub(crate) fn at(text: &str) -> Instance {
    text.parse().unwrap()
}

pub(crate) const KEY: [u8; 32] = [7; 32];

fn file_type() -> TypeSchema {
    let text = || AttributeSchema::new(AttributeType::Text);
    let mut schema = TypeSchema::new([
        (name("path"), text().required().normalised(Normaliser::Path)),
        (name("content"), text().normalised(Normaliser::Lines)),
        (name("mode"), AttributeSchema::new(AttributeType::Any).normalised(Normaliser::Octal)),
        (name("owner"), text().default_value("root")),
        (name("password"), text().sensitive()),
        (name("seed"), text().owned(Ownership::Initial)),
        (
            name("tags"),
            AttributeSchema::new(AttributeType::List(Box::new(AttributeType::Text)))
                .normalised(Normaliser::Set),
        ),
        (name("state"), AttributeSchema::new(AttributeType::Word(vec!["present".into(), "absent".into()]))),
        (name("inode"), text().computed(Computed::AtCreation).owned(Ownership::Foreign)),
        (name("checksum"), text().computed(Computed::Always).owned(Ownership::Foreign)),
    ]);
    schema.identity = vec![name("path")];
    schema.presence = Some(Presence { attribute: name("state"), absent: json!("absent") });
    schema.replace = ReplaceOrder::CreateFirst;
    schema.capabilities = vec![Capability("file:write:/etc".into())];
    schema
}

pub(crate) fn schemas() -> Schemas {
    let text = || AttributeSchema::new(AttributeType::Text);
    let mut service =
        TypeSchema::new([(name("name"), text().required().forces_replacement()), (name("state"), text())]);
    service.handlers = vec![name("restart"), name("reload")];
    service.delete = Nature { effect: EffectClass::Idempotent, reversibility: Reversibility::Reversible };
    let mut package = TypeSchema::new([
        (name("package"), text().required().normalised(Normaliser::Case)),
        (name("version"), text()),
    ]);
    package.identity = vec![name("package")];
    let types: Vec<(&str, TypeSchema)> = vec![
        ("linux.file::file", file_type()),
        ("linux.service::service", service),
        ("linux.pkg::package", package),
        (
            "probe::http",
            TypeSchema::new([
                (name("url"), text().required()),
                (name("limits"), AttributeSchema::new(AttributeType::Any)),
            ]),
        ),
    ];
    let mut schemas = Schemas::default();
    for (kind, schema) in types {
        let kind: TypeName = kind.parse().unwrap();
        let provider = schemas.providers.entry(kind.provider().to_owned()).or_insert_with(|| {
            ProviderSchema { version: "1.0.0".to_owned(), types: std::collections::BTreeMap::new() }
        });
        provider.types.insert(kind, schema);
    }
    schemas
}

pub(crate) fn place(line: u32) -> Place {
    Place::new(&Arc::from("site.cue"), line, 5)
}

pub(crate) fn file(resource: &str, path: &str) -> Resource {
    Resource::new(id(resource), "linux.file::file".parse().unwrap(), place(1)).with(name("path"), path)
}

pub(crate) fn service(resource: &str) -> Resource {
    Resource::new(id(resource), "linux.service::service".parse().unwrap(), place(1))
        .with(name("name"), resource)
}

/// A file that needs others.
pub(crate) fn needing(resource: &str, needs: &[&str]) -> Resource {
    needs.iter().fold(file(resource, &format!("/etc/{resource}")), |one, on| {
        one.after(id(on), DependencyKind::Require)
    })
}

pub(crate) fn inventory(hosts: &[&str]) -> Inventory {
    Inventory { hosts: hosts.iter().map(|one| (host(one), std::collections::BTreeMap::new())).collect() }
}

/// A world of these hosts in which nothing is there.
pub(crate) fn empty(hosts: &[&str], resources: &[Resource]) -> World {
    let mut world = World::new(inventory(hosts), SealingKey::new(KEY));
    for one in resources {
        for at in world.inventory.hosts.keys() {
            world.observed.insert(Instance::new(at.clone(), one.id.clone()), Observed::Absent);
        }
    }
    world
}

/// A world in which everything is there as declared, and was applied.
pub(crate) fn settled(hosts: &[&str], resources: &[Resource]) -> World {
    let mut world = empty(hosts, resources);
    for one in resources {
        let attributes: std::collections::BTreeMap<Name, Held> = one
            .attributes
            .iter()
            .map(|(name, attribute)| (name.clone(), Held::Plain { value: attribute.value.clone() }))
            .collect();
        for at in world.inventory.hosts.keys() {
            let instance = Instance::new(at.clone(), one.id.clone());
            let depends = one
                .depends
                .iter()
                .map(|dependency| Instance::new(at.clone(), dependency.on.clone()))
                .collect();
            let mut there = attributes.clone();
            if one.kind.provider() == "linux.file" {
                there.entry(name("owner")).or_insert_with(|| Held::plain("root"));
                there.insert(name("checksum"), Held::plain("c0ffee"));
                there.insert(name("inode"), Held::plain("12"));
            }
            world.observed.insert(instance.clone(), Observed::Present(there));
            let applied = Applied {
                kind: one.kind.clone(),
                provider: "1.0.0".into(),
                attributes: attributes.clone(),
                depends,
            };
            world.applied.insert(instance, applied);
        }
    }
    world
}

/// Somebody changes an attribute on a host.
pub(crate) fn touch(world: &mut World, instance: &str, attribute: &str, value: impl Into<Value>) {
    match world.observed.get_mut(&at(instance)) {
        Some(Observed::Present(there)) => {
            there.insert(name(attribute), Held::plain(value));
        }
        other => panic!("{instance} is {other:?}"),
    }
}

pub(crate) fn header() -> Header {
    Header {
        id: PlanId::from_parts(1_700_000_000_000, 42),
        created: Timestamp::from_second(1_700_000_000).unwrap(),
        environment: "prod".parse().unwrap(),
        parent: None,
        position: 17,
        configuration: Digest::of(b"configuration"),
        policy: Digest::of(b"policy"),
        facts: Digest::of(b"facts"),
        variables: std::collections::BTreeMap::new(),
        focus: Vec::new(),
        only: Vec::new(),
        destroy: false,
    }
}

pub(crate) fn try_plan(resources: &[Resource], world: &World) -> Result<Plan, Vec<Diagnostic>> {
    let desired = Desired { resources: resources.to_vec(), checks: Vec::new() };
    plan::plan(&desired, world, &schemas(), &header())
}

#[track_caller]
pub(crate) fn make(resources: &[Resource], world: &World) -> Plan {
    try_plan(resources, world).unwrap_or_else(|found| panic!("{found:#?}"))
}

#[track_caller]
pub(crate) fn refused(resources: &[Resource], world: &World) -> String {
    match try_plan(resources, world) {
        Ok(plan) => panic!("it was accepted:\n{plan}"),
        Err(found) => found
            .iter()
            .map(|one| one.hint.iter().fold(one.to_string(), |text, hint| text + " -- " + hint) + "\n")
            .collect(),
    }
}

/// `operation instance`, in the plan's order.
pub(crate) fn steps(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(|change| format!("{} {}", change.operation, change.instance)).collect()
}

/// What a change comes after, junctions looked through.
pub(crate) fn before(plan: &Plan, instance: &str) -> Vec<String> {
    let change = plan.changes.iter().find(|change| change.instance == at(instance)).unwrap();
    let mut open: Vec<u32> = change.after.iter().map(|edge| edge.step).collect();
    let mut names = Vec::new();
    while let Some(step) = open.pop() {
        match plan.changes.get(step as usize) {
            Some(change) => names.push(change.instance.to_string()),
            None => open.extend(
                plan.junctions[step as usize - plan.changes.len()].after.iter().map(|edge| edge.step),
            ),
        }
    }
    names.sort();
    names
}

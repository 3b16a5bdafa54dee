//! The digest of a configuration: over what it means, not over what it is written like.

use model::Digest;
use plan::{Check, Dependency, DependencyKind, Resource, Selector, schema::ReplaceOrder};
use serde_json::{Value, json};

use crate::project::{HostConfig, Project, Sudo};

/// SHA-256 over the canonical form of everything that plans are made from. Places, the order of declarations, variables
/// that nothing uses and descriptions do not count.
pub(crate) fn of(project: &Project) -> Digest {
    let mut resources: Vec<&Resource> = project.desired.resources.iter().collect();
    resources.sort_by(|a, b| a.id.cmp(&b.id));
    let mut checks: Vec<&Check> = project.desired.checks.iter().collect();
    checks.sort_by(|a, b| a.name.cmp(&b.name));
    let mut bytes = Vec::with_capacity(256 * resources.len());
    for resource in resources {
        let mut one = self::resource(resource);
        // what says nothing about it means the same as before there was anything to say
        if !resource.drift.is_default() {
            one["drift"] = json!(resource.drift);
        }
        if let Some(notes) = project.notes.get(&resource.id) {
            one["labels"] = json!(notes.labels);
        }
        model::canonical::write(&one, &mut bytes);
    }
    for check in checks {
        model::canonical::write(&self::check(check), &mut bytes);
    }
    for (name, config) in &project.hosts {
        model::canonical::write(&host(name.as_str(), config), &mut bytes);
    }
    model::canonical::write(&json!({ "name": project.name, "providers": project.providers }), &mut bytes);
    Digest::of(&bytes)
}

fn attributes<'a>(all: impl IntoIterator<Item = (&'a plan::Name, &'a plan::Attribute)>) -> Value {
    let members = all.into_iter().map(|(name, one)| (name.to_string(), Value::clone(&one.value)));
    Value::Object(members.collect())
}

fn resource(resource: &Resource) -> Value {
    let texts = |all: &[plan::Name]| all.iter().map(plan::Name::as_str).collect::<Vec<_>>().join(",");
    json!({
        "resource": resource.id,
        "type": resource.kind,
        "attributes": attributes(&resource.attributes),
        "on": selector(&resource.on),
        "allowEmpty": resource.may_match_nothing,
        "depends": resource.depends.iter().map(dependency).collect::<Vec<_>>(),
        "movedFrom": resource.moved_from,
        "ignore": texts(&resource.ignore),
        "keep": resource.keep,
        "replace": resource.replace.map(|order| order == ReplaceOrder::CreateFirst),
        "handler": resource.handler,
    })
}

fn dependency(dependency: &Dependency) -> Value {
    let kind = match dependency.kind {
        DependencyKind::Require => "require",
        DependencyKind::Order => "order",
        DependencyKind::Notify => "notify",
    };
    json!([dependency.on, kind])
}

fn check(check: &Check) -> Value {
    json!({
        "check": check.name,
        "type": check.kind,
        "attributes": attributes(&check.attributes),
        "on": selector(&check.on),
    })
}

fn selector(one: &Selector) -> Value {
    match one {
        Selector::All => json!("all"),
        Selector::Hosts(hosts) => json!({ "hosts": hosts }),
        Selector::Label(name, value) => json!({ "label": [name, value] }),
        Selector::AllOf(parts) => json!({ "allOf": parts.iter().map(selector).collect::<Vec<_>>() }),
        Selector::AnyOf(parts) => json!({ "anyOf": parts.iter().map(selector).collect::<Vec<_>>() }),
        Selector::Not(part) => json!({ "not": selector(part) }),
    }
}

fn host(name: &str, config: &HostConfig) -> Value {
    json!({
        "host": name,
        "address": config.address,
        "port": config.port,
        "user": config.user,
        "labels": config.labels,
        "jump": config.jump,
        "key": config.key,
        "hostKey": config.host_key,
        "sudo": config.sudo == Sudo::Yes,
    })
}

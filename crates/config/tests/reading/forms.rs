//! Properties: what is written in two ways is the same, and no text breaks the reader.

use std::collections::BTreeMap;

use config::{Options, Project, Sources};
use proptest::prelude::*;
use serde_json::json;

use crate::seeds;

#[derive(Debug, Clone)]
struct Package {
    state: &'static str,
    version: Option<String>,
    labels: BTreeMap<String, String>,
    keep: Option<bool>,
    target: Option<serde_json::Value>,
    after: Option<prop::sample::Index>,
}

fn package() -> impl Strategy<Value = Package> {
    let target = prop_oneof![
        Just(json!({"all": true})),
        Just(json!({"labels": {"role": "web", "env": "prod"}})),
        Just(json!({"hosts": ["a", "b"], "allow_empty": true})),
        Just(json!({"selector": "role in (web, db),env!=dev"})),
    ];
    (
        prop::sample::select(vec!["present", "absent", "latest"]),
        proptest::option::of("[0-9]{1,2}\\.[0-9]{1,2}[a-z~:-]{0,3}"),
        proptest::collection::btree_map("[a-z]{1,5}", "[a-zA-Z0-9 \"\\\\]{0,6}", 0..3),
        proptest::option::of(any::<bool>()),
        proptest::option::of(target),
        proptest::option::of(any::<prop::sample::Index>()),
    )
        .prop_map(|(state, version, labels, keep, target, after)| Package {
            state,
            version,
            labels,
            keep,
            target,
            after,
        })
}

fn packages() -> impl Strategy<Value = BTreeMap<String, Package>> {
    proptest::collection::btree_map("[a-z][a-z0-9.+-]{0,8}", package(), 1..8)
}

/// What both forms say in the same words.
fn words(names: &[&String], one: &Package) -> serde_json::Map<String, serde_json::Value> {
    let mut out = serde_json::Map::new();
    if !one.labels.is_empty() {
        out.insert("labels".into(), json!(one.labels));
    }
    out.extend(one.keep.map(|keep| ("keep".to_owned(), json!(keep))));
    out.extend(one.target.clone().map(|target| ("target".to_owned(), target)));
    if let Some(after) = &one.after {
        let on = format!("linux-pkg-{}", after.get(names));
        out.insert("dependencies".into(), json!([{"resource_id": on, "type": "order"}]));
    }
    out
}

fn read(document: &serde_json::Value) -> Project {
    config::load(&Sources::of("site.cue", document.to_string()), &Options::default()).unwrap()
}

const HOSTS: &str = r#"{"a": {"labels": {"role": "web", "env": "prod"}}, "b": {"labels": {"role": "db"}}}"#;

fn verbose(packages: &BTreeMap<String, Package>) -> serde_json::Value {
    let names: Vec<&String> = packages.keys().collect();
    let resources: serde_json::Map<_, _> = packages
        .iter()
        .map(|(name, one)| {
            let mut config = json!({"package": name, "state": one.state});
            if let Some(version) = &one.version {
                config["version"] = json!(version);
            }
            let mut resource = words(&names, one);
            resource.insert("type".into(), json!("linux.pkg::package"));
            resource.insert("config".into(), config);
            (format!("linux-pkg-{name}"), serde_json::Value::Object(resource))
        })
        .collect();
    json!({"hosts": serde_json::from_str::<serde_json::Value>(HOSTS).unwrap(), "resources": resources})
}

fn concise(packages: &BTreeMap<String, Package>) -> serde_json::Value {
    let names: Vec<&String> = packages.keys().collect();
    let all: serde_json::Map<_, _> = packages
        .iter()
        .map(|(name, one)| {
            let mut resource = words(&names, one);
            if one.state != "present" {
                resource.insert("state".into(), json!(one.state));
            }
            resource.extend(one.version.clone().map(|version| ("version".to_owned(), json!(version))));
            (name.clone(), serde_json::Value::Object(resource))
        })
        .collect();
    json!({"hosts": serde_json::from_str::<serde_json::Value>(HOSTS).unwrap(), "linux": {"pkg": all}})
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn verbose_and_concise_forms_of_the_same_are_equal(packages in packages()) {
        let (verbose, concise) = (read(&verbose(&packages)), read(&concise(&packages)));
        prop_assert_eq!(verbose.digest, concise.digest);
        prop_assert_eq!(&verbose.notes, &concise.notes);
        let strip = |project: &Project| {
            let mut all = project.desired.resources.clone();
            for one in &mut all {
                one.place = plan::Place::default();
                one.depends.iter_mut().for_each(|on| on.place = plan::Place::default());
                one.attributes.values_mut().for_each(|attribute| attribute.place = plan::Place::default());
            }
            all.sort_by(|a, b| a.id.cmp(&b.id));
            all
        };
        prop_assert_eq!(strip(&verbose), strip(&concise));
    }

    #[test]
    fn what_is_declared_decides_the_digest_and_not_its_order(packages in packages(), at in any::<prop::sample::Index>()) {
        let all = verbose(&packages);
        let whole = read(&all).digest;
        let mut text = String::from("package site\n");
        for (id, one) in all["resources"].as_object().unwrap().iter().rev() {
            text.push_str(&format!("resources: {}: {one}\n", json!(id)));
        }
        text.push_str(&format!("hosts: {HOSTS}\n// a comment\n"));
        let turned = config::load(&Sources::of("site.cue", text), &Options::default()).unwrap();
        prop_assert_eq!(turned.digest, whole);

        let mut changed = packages.clone();
        let name = at.get(&packages.keys().cloned().collect::<Vec<_>>()).clone();
        changed.get_mut(&name).unwrap().version = Some("99.99zz".to_owned());
        prop_assert_ne!(read(&verbose(&changed)).digest, whole);
    }

    #[test]
    fn no_text_breaks_the_reader(
        seed in prop::sample::select(vec!["concise-syntax-demo.cue", "complex_dependencies.cue", "with_starlark.cue", "multi_environment.cue"]),
        from in any::<prop::sample::Index>(), length in 0usize..40, insert in "[a-z#_:{}\\[\\]\"\n.$ 0-9&|*]{0,6}",
    ) {
        let Some(text) = seeds::text(seed) else { return Ok(()) };
        let characters: Vec<char> = text.chars().collect();
        let at = from.index(characters.len());
        let cut: String = characters[..at].iter().chain(insert.chars().collect::<Vec<_>>().iter())
            .chain(&characters[(at + length).min(characters.len())..]).collect();
        if let Err(errors) = config::load(&Sources::of("site.cue", cut), &Options::of_environment("dev")) {
            prop_assert!(!errors.is_empty());
        }
    }
}

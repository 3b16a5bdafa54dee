//! The layer table: which crate may use which, read from the manifests and the lock file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use toml::{Table, Value};

use super::Finding;
use super::tree::Tree;

/// A crate uses only crates of lower layers, never one of its own. ARCHITECTURE.md explains the layers.
pub(super) const LAYERS: &[(u8, &[&str])] = &[
    (0, &["model"]),
    (1, &["cue", "policy", "workflow", "plan", "journal"]),
    (2, &["config", "provider"]),
    (3, &["engine", "runner"]),
    (4, &["store", "sandbox", "calls", "host", "remote", "api"]),
    (5, &["project"]),
    (6, &["server"]),
    (7, &["cli"]),
];

/// Crates outside the layers, with what they may use. Nothing in a layer may use them except in its tests.
const OUTSIDE: &[(&str, Reach)] = &[("simulator", Reach::Below(6)), ("xtask", Reach::Below(8))];

/// How far a crate outside the layers reaches.
#[derive(Clone, Copy)]
enum Reach {
    /// Any crate of a layer below this.
    Below(u8),
}

/// Layers that are pure: no asynchronous runtime, no clock, no files, no randomness.
pub(super) const PURE_LAYER_MAX: u8 = 2;

/// Crates that never belong below a pure crate, however far down.
const RUNTIMES: &[&str] = &["tokio", "async-std", "smol", "mio"];

/// Where a crate stands.
pub(super) fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(_, names)| names.contains(&name)).map(|(layer, _)| *layer)
}

/// The crates of the workspace: name and manifest path.
pub(super) fn crates(tree: &Tree) -> Vec<(String, String)> {
    tree.paths
        .iter()
        .filter_map(|path| {
            let directory = path.strip_suffix("/Cargo.toml")?;
            let name = directory.strip_prefix("crates/").unwrap_or(directory);
            (directory == "xtask" || (directory.starts_with("crates/") && !name.contains('/')))
                .then(|| (name.to_owned(), path.clone()))
        })
        .collect()
}

/// A manifest's normal dependencies that are always there: name and the line it stands on.
fn dependencies(manifest: &str) -> Vec<(String, usize)> {
    let Ok(table) = manifest.parse::<Table>() else {
        return Vec::new();
    };
    let mut tables: Vec<&Value> = table.get("dependencies").into_iter().collect();
    if let Some(targets) = table.get("target").and_then(Value::as_table) {
        tables.extend(targets.values().filter_map(|target| target.get("dependencies")));
    }
    let mut names = Vec::new();
    for (name, value) in tables.into_iter().filter_map(Value::as_table).flatten() {
        if value.get("optional").and_then(Value::as_bool) != Some(true) {
            let package = value.get("package").and_then(Value::as_str).unwrap_or(name);
            names.push((package.to_owned(), line_of(manifest, name)));
        }
    }
    names
}

fn line_of(text: &str, word: &str) -> usize {
    text.lines().position(|line| line.trim_start().starts_with(word)).map_or(0, |index| index + 1)
}

/// Every crate has a place in the table, and every arrow points down.
pub(super) fn directions(tree: &Tree) -> Vec<Finding> {
    let crates = crates(tree);
    let own: BTreeSet<&str> = crates.iter().map(|(name, _)| name.as_str()).collect();
    let mut found = Vec::new();
    for (name, path) in &crates {
        let outside = OUTSIDE.iter().find(|(known, _)| known == name);
        let below = match (layer(name), outside) {
            (Some(layer), _) => layer,
            (None, Some((_, Reach::Below(layer)))) => *layer,
            (None, None) => {
                found.push(Finding::new(
                    path,
                    0,
                    format!("crate `{name}` has no layer"),
                    "give it one in xtask/src/tidy/layers.rs and ARCHITECTURE.md",
                ));
                continue;
            }
        };
        for (dependency, line) in dependencies(tree.get(path).unwrap_or_default()) {
            if !own.contains(dependency.as_str()) {
                continue;
            }
            let allowed = match layer(&dependency) {
                Some(layer) => layer < below,
                None => name == "xtask" && dependency == "simulator",
            };
            if !allowed {
                found.push(Finding::new(
                    path,
                    line,
                    format!("`{name}` depends on `{dependency}`, which is not below it"),
                    "move the shared type down, or take what is needed as a trait or an argument",
                ));
            }
        }
    }
    found
}

/// No pure crate reaches an asynchronous runtime through any chain of normal dependencies.
pub(super) fn no_async_runtime(tree: &Tree) -> Vec<Finding> {
    let graph = lock_graph(tree.get("Cargo.lock").unwrap_or_default());
    let mut found = Vec::new();
    for (name, path) in crates(tree) {
        if layer(&name).is_none_or(|layer| layer > PURE_LAYER_MAX) {
            continue;
        }
        for (dependency, line) in dependencies(tree.get(&path).unwrap_or_default()) {
            if let Some(chain) = chain_to_runtime(&graph, &name, &dependency) {
                found.push(Finding::new(
                    &path,
                    line,
                    format!("pure crate `{name}` reaches an asynchronous runtime: {}", chain.join(" -> ")),
                    "drop the dependency or the feature of it that needs the runtime",
                ));
            }
        }
    }
    found
}

/// Package (`name` or `name version`, both are keys) to the packages it is locked to.
type Graph = BTreeMap<String, Vec<String>>;

fn lock_graph(lock: &str) -> Graph {
    let mut graph = Graph::new();
    let Ok(table) = lock.parse::<Table>() else {
        return graph;
    };
    for package in table.get("package").and_then(Value::as_array).into_iter().flatten() {
        let text = |key| package.get(key).and_then(Value::as_str).unwrap_or_default();
        let needs: Vec<String> = package
            .get("dependencies")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|entry| entry.split(" (").next().unwrap_or(entry).to_owned())
            .collect();
        graph.insert(format!("{} {}", text("name"), text("version")), needs.clone());
        graph.insert(text("name").to_owned(), needs);
    }
    graph
}

/// The shortest way from `name` through `dependency` to a runtime.
fn chain_to_runtime(graph: &Graph, name: &str, dependency: &str) -> Option<Vec<String>> {
    // the lock file says which version `name` is locked to where there are several
    let exact = |entry: &&String| entry.split(' ').next() == Some(dependency);
    let start = graph.get(name)?.iter().find(exact)?.clone();
    let mut queue = VecDeque::from([vec![start.clone()]]);
    let mut seen = BTreeSet::from([start]);
    while let Some(chain) = queue.pop_front() {
        let last = chain.last()?;
        if RUNTIMES.contains(&last.split(' ').next().unwrap_or_default()) {
            return Some(chain);
        }
        for next in graph.get(last).into_iter().flatten() {
            if seen.insert(next.clone()) {
                let mut longer = chain.clone();
                longer.push(next.clone());
                queue.push_back(longer);
            }
        }
    }
    None
}

/// Whether a crate's own lints are the workspace's but for unsafe code, which they deny instead of forbidding it.
fn same_lints(tree: &Tree, own: Option<&Value>) -> bool {
    let root = tree.get("Cargo.toml").and_then(|text| text.parse::<Table>().ok());
    let lints = root.as_ref().and_then(|root| root.get("workspace")?.get("lints"));
    let (Some(mut lints), Some(own)) = (lints.cloned(), own) else { return false };
    if let Some(rust) = lints.get_mut("rust").and_then(Value::as_table_mut) {
        rust.insert("unsafe_code".to_owned(), Value::String("deny".to_owned()));
    }
    lints == *own
}

/// Every crate takes the workspace's lints and package fields.
///
/// What the workspace forbids cannot be allowed for one item. A crate that truly needs unsafe code writes the workspace's
/// lints out, every one, with `unsafe_code = "deny"` in place of `"forbid"`.
pub(super) fn manifests(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, path) in crates(tree) {
        let Some(Ok(manifest)) = tree.get(&path).map(str::parse::<Table>) else {
            found.push(Finding::new(&path, 0, "the manifest is not TOML", "mend it"));
            continue;
        };
        let inherits = |table: &str, key: Option<&str>| {
            let value = manifest.get(table);
            let value = key.map_or(value, |key| value.and_then(|value| value.get(key)));
            value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
        };
        if !inherits("lints", None) && !same_lints(tree, manifest.get("lints")) {
            found.push(Finding::new(
                &path,
                0,
                format!("`{name}` does not take the workspace's lints"),
                "add `[lints]` with `workspace = true`",
            ));
        }
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            if !inherits("package", Some(key)) {
                found.push(Finding::new(
                    &path,
                    0,
                    format!("`{name}` does not take `{key}` from the workspace"),
                    format!("write `{key}.workspace = true`"),
                ));
            }
        }
        if manifest.get("package").and_then(|package| package.get("description")).is_none() {
            found.push(Finding::new(&path, 0, format!("`{name}` has no description"), "say what it is for"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_that_points_up_is_found() {
        let tree = Tree::of(&[
            ("crates/model/Cargo.toml", "[dependencies]\nserde.workspace = true\n"),
            (
                "crates/policy/Cargo.toml",
                "[dependencies]\nmodel.workspace = true\nengine = { path = \"../engine\" }\n",
            ),
            (
                "crates/engine/Cargo.toml",
                "[dependencies]\npolicy.workspace = true\n[dev-dependencies]\nstore.workspace = true\n",
            ),
            ("crates/store/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nsandbox.workspace = true\n"),
            ("crates/sandbox/Cargo.toml", "[dependencies]\nsimulator = { workspace = true }\n"),
            ("crates/simulator/Cargo.toml", "[dependencies]\nengine.workspace = true\n"),
        ]);
        let places: Vec<(String, usize)> =
            directions(&tree).into_iter().map(|finding| (finding.path, finding.line)).collect();
        let expected = [
            ("crates/policy/Cargo.toml", 3),
            ("crates/sandbox/Cargo.toml", 2),
            ("crates/store/Cargo.toml", 2),
        ]
        .map(|(path, line)| (path.to_owned(), line));
        let mut places = places;
        places.sort();
        assert_eq!(places, expected);
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        let tree = Tree::of(&[("crates/utils/Cargo.toml", "")]);
        assert!(directions(&tree)[0].what.contains("`utils` has no layer"));
    }

    #[test]
    fn a_runtime_below_a_pure_crate_is_found_with_the_way_to_it() {
        let lock = r#"
            [[package]]
            name = "policy"
            version = "0.1.0"
            dependencies = ["rules 2.0.0", "tester"]
            [[package]]
            name = "rules"
            version = "1.0.0"
            [[package]]
            name = "rules"
            version = "2.0.0"
            dependencies = ["web"]
            [[package]]
            name = "web"
            version = "1.0.0"
            dependencies = ["tokio"]
            [[package]]
            name = "tester"
            version = "1.0.0"
            dependencies = ["tokio"]
            [[package]]
            name = "tokio"
            version = "1.0.0"
        "#;
        let manifest = "[dependencies]\nrules = \"2\"\n[dev-dependencies]\ntester = \"1\"\n";
        let tree = Tree::of(&[("Cargo.lock", lock), ("crates/policy/Cargo.toml", manifest)]);
        let found = no_async_runtime(&tree);
        assert_eq!(found.len(), 1, "the test's own dependency does not count: {found:?}");
        assert!(found[0].what.ends_with("rules 2.0.0 -> web -> tokio"), "{}", found[0]);
        assert_eq!(found[0].line, 2);
    }

    #[test]
    fn a_manifest_that_goes_its_own_way_is_found() {
        let tree =
            Tree::of(&[("crates/model/Cargo.toml", "[package]\nname = \"model\"\nversion = \"2.0.0\"\n")]);
        let found = manifests(&tree);
        assert_eq!(found.len(), 7, "lints, five fields and the description: {found:?}");
    }

    #[test]
    fn lints_of_a_crate_s_own_differ_only_in_unsafe_code() {
        let package = "[package]\ndescription = \"x\"\nversion.workspace = true\nedition.workspace = true\nrust-version.workspace = true\n\
                       license.workspace = true\npublish.workspace = true\n";
        let root = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\nmissing_docs = \"warn\"\n";
        let findings = |lints: &str| {
            let manifest = format!("{package}{lints}");
            manifests(&Tree::of(&[("Cargo.toml", root), ("crates/a/Cargo.toml", &manifest)])).len()
        };
        assert_eq!(findings("[lints.rust]\nunsafe_code = \"deny\"\nmissing_docs = \"warn\"\n"), 0);
        assert_eq!(findings("[lints.rust]\nunsafe_code = \"allow\"\nmissing_docs = \"warn\"\n"), 1);
        assert_eq!(findings("[lints.rust]\nunsafe_code = \"deny\"\n"), 1);
        assert_eq!(findings(""), 1);
    }
}

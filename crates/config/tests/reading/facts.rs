//! The acceptance facts about configurations, by their numbers.

use std::collections::BTreeMap;

use config::{Options, Project, Sources};
use model::Diagnostic;
use plan::schema::{AttributeSchema, AttributeType, ProviderSchema, TypeSchema};
use plan::{DependencyKind, Schemas, Selector};
use serde_json::json;

use crate::seeds;

pub(crate) fn load(text: &str) -> Result<Project, Vec<Diagnostic>> {
    config::load(&Sources::of("site.cue", text), &Options::default())
}

pub(crate) fn said(errors: &[Diagnostic]) -> String {
    let one = |error: &Diagnostic| match &error.hint {
        Some(hint) => format!("{error}\n    hint: {hint}\n"),
        None => format!("{error}\n"),
    };
    errors.iter().map(one).collect()
}

fn ids(project: &Project) -> Vec<&str> {
    project.desired.resources.iter().map(|one| one.id.as_str()).collect()
}

pub(crate) fn schemas() -> Schemas {
    let text = || AttributeSchema::new(AttributeType::Text);
    let package = TypeSchema::new([
        ("package".parse().unwrap(), text().required()),
        ("state".parse().unwrap(), text()),
        ("version".parse().unwrap(), text()),
    ]);
    let file = TypeSchema::new([
        ("path".parse().unwrap(), text().required()),
        ("content".parse().unwrap(), text()),
        ("mode".parse().unwrap(), text()),
    ]);
    let mut service = TypeSchema::new([
        ("name".parse().unwrap(), text().required()),
        ("state".parse().unwrap(), text()),
        ("enabled".parse().unwrap(), AttributeSchema::new(AttributeType::Boolean)),
    ]);
    service.handlers = vec!["restart".parse().unwrap()];
    let user = |name: &str, kind: TypeSchema, full: &str| {
        let provider =
            ProviderSchema { version: "1.0.0".into(), types: [(full.parse().unwrap(), kind)].into() };
        (name.to_owned(), provider)
    };
    let providers = BTreeMap::from([
        user("linux.pkg", package, "linux.pkg::package"),
        user("linux.file", file, "linux.file::file"),
        user("linux.service", service, "linux.service::service"),
    ]);
    Schemas { providers }
}

const ONE: &str = r#"
    workspace: name: "test"
    resources: nginx: {type: "linux.pkg::package", name: "web server", config: {package: "nginx", state: "present"}}
"#;

#[test]
fn infrastructure_01_one_resource_is_read_with_id_type_and_name() {
    let project = load(ONE).unwrap();
    assert_eq!(project.name, "test");
    let [one] = project.desired.resources.as_slice() else { panic!("{:?}", ids(&project)) };
    assert_eq!((one.id.as_str(), one.kind.as_str()), ("nginx", "linux.pkg::package"));
    assert_eq!(project.notes["nginx"].name.as_deref(), Some("web server"));
    assert_eq!(*one.attributes["package"].value, json!("nginx"));
    assert_eq!((one.place.line, one.place.column), (3, 16));
}

#[test]
fn infrastructure_01_broken_cue_and_missing_fields_are_errors_at_their_place() {
    for (text, place, code) in [
        ("workspace: {\n\tname: \"x\"\n", "site.cue:3:1", "E0701"),
        ("a: b\n", "site.cue:1:4", "E0705"),
        ("resources: x: {\n\ttype: \"a.b\"\n\ttype: \"c.d\"\n}", "site.cue:2:8", "E0702"),
        ("resources: {\n\tx: config: a: 1\n}", "site.cue:2:2", "E1002"),
        ("resources: x: {\n\ttype: string\n}", "site.cue:2:8", "E0703"),
        ("checks: up: {\n\tconfig: {}\n}", "site.cue:1:9", "E1002"),
        (
            "resources: x: {type: \"a.b\", dependencies: [\n\t{type: \"require\"},\n]}",
            "site.cue:2:2",
            "E1002",
        ),
    ] {
        let errors = load(text).unwrap_err();
        let first = format!("{}", errors[0]);
        assert!(first.starts_with(place) && first.contains(code), "{text}: {}", said(&errors));
    }
}

#[test]
fn infrastructure_02_concise_packages_are_resources_and_mix_with_verbose_ones() {
    let project = load("linux: pkg: {nginx: {}, postgresql: {}, redis: {}}").unwrap();
    assert_eq!(ids(&project), ["linux-pkg-nginx", "linux-pkg-postgresql", "linux-pkg-redis"]);
    for one in &project.desired.resources {
        assert_eq!(*one.attributes["state"].value, json!("present"));
        assert_eq!(one.kind.as_str(), "linux.pkg::package");
    }
    let mixed =
        load(&format!("{ONE}\nlinux: pkg: redis: {{}}\nlinux: service: nginx: state: \"running\"")).unwrap();
    assert_eq!(ids(&mixed), ["nginx", "linux-pkg-redis", "linux-service-nginx"]);
}

#[test]
fn infrastructure_02_every_concise_form_says_the_same() {
    let want = |state: &str| json!({"package": "nginx", "state": state});
    for (text, state) in [
        ("linux: pkg: nginx: {}", "present"),
        ("linux: pkg: [\"nginx\"]", "present"),
        ("linux: pkg: install: [\"nginx\"]", "present"),
        ("linux: pkg: nginx: state: \"absent\"", "absent"),
        ("linux: pkg: remove: [\"nginx\"]", "absent"),
        ("linux: pkg: upgrade: [\"nginx\"]", "latest"),
    ] {
        let project = load(text).unwrap();
        let one = &project.desired.resources[0];
        assert_eq!(one.id.as_str(), "linux-pkg-nginx", "{text}");
        let attributes: BTreeMap<_, _> =
            one.attributes.iter().map(|(name, one)| (name.as_str(), &*one.value)).collect();
        assert_eq!(json!(attributes), want(state), "{text}");
    }
}

#[test]
fn infrastructure_03_two_files_are_merged_and_one_id_in_both_is_an_error_that_names_both() {
    let second = "package site\nresources: redis: {type: \"linux.pkg\", config: package: \"redis\"}";
    let first = format!("package site\n{ONE}");
    let merged =
        |second: &str| config::load(&Sources::of("a.cue", &first).with("b.cue", second), &Options::default());
    assert_eq!(ids(&merged(second).unwrap()), ["nginx", "redis"]);
    for twice in [
        "package site\nresources: other: {id: \"nginx\", type: \"linux.pkg\", config: package: \"apache2\"}",
        "package site\nresources: nginx: {type: \"linux.pkg::package\", config: version: \"1\"}",
        "package site\nresources: nginx: {type: \"linux.pkg::package\", config: package: \"nginx\"}",
    ] {
        let errors = merged(twice).unwrap_err();
        let places: Vec<String> =
            errors[0].related.iter().chain([&errors[0].location]).map(|place| place.file.clone()).collect();
        assert_eq!(
            (errors[0].code.id, places),
            ("E0803", vec!["a.cue".to_owned(), "b.cue".to_owned()]),
            "{twice}"
        );
    }
    // more about a resource, without a type of its own, is one resource
    let more =
        merged("package site\nresources: nginx: config: version: \"1\"\nresources: [string]: keep: true")
            .unwrap();
    assert!(more.desired.resources[0].keep && more.desired.resources[0].attributes.contains_key("version"));
    let other = merged("package other\n").unwrap_err();
    assert!(other[0].message.contains("package `other`"), "{}", said(&other));
}

#[test]
fn infrastructure_03_one_id_in_two_forms_is_an_error_that_names_both() {
    let text =
        "linux: pkg: nginx: {}\nresources: x: {\n\tid: \"linux-pkg-nginx\"\n\ttype: \"linux.pkg\"\n}\n";
    let errors = load(text).unwrap_err();
    assert_eq!((errors[0].code.id, errors[0].location.line, errors[0].related[0].line), ("E0803", 1, 2));
    let lists = load("linux: pkg: {\n\tinstall: [\"a\"]\n\tremove: [\"a\"]\n}").unwrap_err();
    assert_eq!((lists[0].code.id, lists[0].location.line, lists[0].related[0].line), ("E0803", 3, 2));
}

const TARGETS: &str = r#"
    hosts: {
        a: labels: {role: "web", env: "prod"}
        b: labels: {role: "web", env: "prod"}
        c: labels: {role: "web", env: "prod"}
        d: labels: {role: "db", env: "prod"}
    }
    targets: labels: role: "db"
    resources: {
        pkg: {type: "linux.pkg", config: package: "nginx", target: labels: {role: "web", env: "prod"}}
        conf: {
            type: "linux.file", config: path: "/x", target: {hosts: ["b", "a"]}
            dependencies: [{resource_id: "pkg"}]
        }
        svc: {
            type: "linux.service", config: name: "nginx", target: selector: "role in (web, db), env!=dev"
            dependencies: [{resource_id: "conf", type: "notify"}, {resource_id: "pkg", type: "order"}]
        }
        all: {type: "linux.file", config: path: "/y", target: all: true}
        usual: {type: "linux.file", config: path: "/z"}
    }
"#;

#[test]
fn infrastructure_04_dependencies_and_targets_survive_into_the_plan() {
    let schemas = schemas();
    let project =
        config::load(&Sources::of("site.cue", TARGETS), &Options::default().with_schemas(&schemas)).unwrap();
    let find = |id: &str| project.desired.resources.iter().find(|one| one.id.as_str() == id).unwrap();
    let kinds: Vec<DependencyKind> = find("svc").depends.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [DependencyKind::Notify, DependencyKind::Order]);
    assert_eq!(find("conf").depends[0].kind, DependencyKind::Require);
    assert_eq!(find("all").on, Selector::All);
    assert_eq!(find("usual").on, Selector::Label("role".into(), "db".into()));

    let mut world = plan::World::new(project.inventory.clone(), plan::SealingKey::new([1; 32]));
    for one in &project.desired.resources {
        for (host, labels) in &project.inventory.hosts {
            if one.on.selects(host, labels) {
                world
                    .observed
                    .insert(plan::Instance::new(host.clone(), one.id.clone()), plan::Observed::Absent);
            }
        }
    }
    let header = plan::Header {
        id: model::PlanId::from_parts(0, 1),
        created: model::Timestamp::UNIX_EPOCH,
        environment: "dev".parse().unwrap(),
        parent: None,
        position: 0,
        configuration: project.digest,
        policy: model::Digest::of(b""),
        facts: model::Digest::of(b""),
        variables: std::collections::BTreeMap::new(),
        focus: Vec::new(),
        only: Vec::new(),
        destroy: false,
    };
    let plan = plan::plan(&project.desired, &world, &schemas, &header).unwrap();
    let on = |id: &str| plan.changes.iter().filter(|one| one.instance.resource.as_str() == id).count();
    assert_eq!([on("pkg"), on("conf"), on("svc"), on("all"), on("usual")], [3, 2, 4, 4, 1]);
    let kinds = |id: &str| {
        let one = plan.changes.iter().find(|one| one.instance.to_string() == id).unwrap();
        let mut kinds: Vec<DependencyKind> = one.after.iter().map(|edge| edge.kind).collect();
        kinds.sort_unstable();
        kinds
    };
    assert_eq!(kinds("a/svc"), [DependencyKind::Order, DependencyKind::Notify]);
    assert_eq!(kinds("a/conf"), [DependencyKind::Require]);
}

#[test]
fn infrastructure_05_types_are_known_by_both_names_and_attributes_are_checked() {
    let schemas = schemas();
    let checked =
        |text: &str| config::load(&Sources::of("site.cue", text), &Options::default().with_schemas(&schemas));
    for name in ["linux.pkg::package", "linux.pkg"] {
        let text = format!("resources: x: {{type: \"{name}\", config: package: \"a\"}}\nhosts: h: {{}}");
        assert_eq!(checked(&text).unwrap().desired.resources[0].kind.as_str(), "linux.pkg::package");
    }
    for (text, place, hint) in [
        ("hosts: h: {}\nlinux: pkg: x: {\n\tvresion: \"1\"\n}", "site.cue:3:2", "did you mean `version`?"),
        (
            "hosts: h: {}\nresources: x: {\n\ttype: \"linux.pgk\"\n}",
            "site.cue:2:12",
            "did you mean `linux.pkg`?",
        ),
        ("hosts: h: {}\nlinux: fil: {}", "site.cue:2:8", "did you mean `file`?"),
    ] {
        let errors = checked(text).unwrap_err();
        assert!(format!("{}", errors[0]).starts_with(place), "{}", said(&errors));
        assert_eq!(errors[0].hint.as_deref(), Some(hint), "{}", said(&errors));
    }
    let cycle = "hosts: h: {}\nresources: {\n\ta: {type: \"linux.pkg\", config: package: \"a\", dependencies: [{resource_id: \"b\"}]}\n\
        \tb: {type: \"linux.pkg\", config: package: \"b\", dependencies: [{resource_id: \"a\"}]}\n}";
    let errors = checked(cycle).unwrap_err();
    assert!(
        errors[0].code.id == "E0804" && ["`a`", "`b`"].iter().all(|id| errors[0].message.contains(id)),
        "{}",
        said(&errors)
    );
}

#[test]
fn infrastructure_06_a_script_in_cue_is_blamed_at_its_own_line() {
    let text = "starlark: gen: {\n\tscript: \"\"\"\n\t\tx = 1\n\t\tresult = x + \"a\"\n\t\t\"\"\"\n}\n";
    let errors = load(text).unwrap_err();
    assert!(format!("{}", errors[0]).starts_with("site.cue:4:12 (/starlark/gen)"), "{}", said(&errors));
    // the interpreter does not say where it was stopped: the script is named by where it begins
    let endless = load(&text.replace("x + \"a\"", "[i for i in range(1000000000)]")).unwrap_err();
    assert_eq!((endless[0].code.id, endless[0].location.line, endless[0].location.column), ("E1007", 3, 3));
    let load_refused = load(&text.replace("x = 1", "load(\"a\", \"b\")")).unwrap_err();
    assert_eq!((load_refused[0].code.id, load_refused[0].location.line), ("E1006", 3));
}

#[test]
fn infrastructure_06_what_a_helper_yields_feeds_the_configuration() {
    let text = r#"
variables: count: int | *2
starlark: gen: {
	inputs: {n: variables.count, kinds: ["a", "b"], deep: {yes: true, ratio: 1.5}}
	script: """
		def make(i):
		    return {"type": "linux.file", "config": {"path": "/srv/" + str(i), "content": str(deep["ratio"])}}
		result = {"file-" + str(i): make(i) for i in range(n)}
		"""
}
resources: starlark.gen.result
resources: last: {type: "linux.file", config: path: "/last", config: content: "\(len(starlark.gen.result))"}
"#;
    let options = Options::default().with_variable("count", "3");
    let project = config::load(&Sources::of("site.cue", text), &options).unwrap();
    assert_eq!(ids(&project).len(), 4);
    let find = |id: &str| project.desired.resources.iter().find(|one| one.id.as_str() == id).unwrap();
    assert_eq!(*find("last").attributes["content"].value, json!("3"));
    assert_eq!(*find("file-2").attributes["content"].value, json!("1.5"));
    assert_eq!(find("file-2").place.line, 5, "it comes from the script");
}

#[test]
fn infrastructure_07_the_seed_with_starlark_yields_as_many_resources_as_it_says() {
    let Some(project) = seeds::load("with_starlark.cue") else { return };
    let project = project.unwrap();
    let servers: Vec<&str> = ids(&project).into_iter().filter(|id| id.starts_with("app_server_")).collect();
    assert_eq!(servers, ["app_server_0", "app_server_1", "app_server_2"]);
    assert_eq!(project.variables["server_count"], json!(3));
    let last = project.desired.resources.iter().find(|one| one.id.as_str() == "app_server_2").unwrap();
    assert_eq!(last.attributes["env"].value["SERVER_PORT"], json!("8082"));
}

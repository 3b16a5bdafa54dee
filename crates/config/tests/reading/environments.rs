//! Environments, variables, and references.

use config::{Options, Project, Sources, Sudo};
use model::Diagnostic;
use model::program::secret_reference;
use plan::{Host, output_reference};
use serde_json::json;

use crate::facts::{load, said};

const SITE: &str = r#"
workspace: name: "site"
variables: {
	replicas: int & >0 & <=20 | *2
	domain:   string | *"example.org"
	label:    string | int | *"none"
}
environments: {
	dev: {}
	prod: {
		variables: replicas: 5
		variables: domain:   "example.com"
		hosts: "db-1": {address: "10.1.0.1", labels: env: environment}
	}
}
hosts: "web-1": labels: env: environment
resources: app: {
	type: "linux.service"
	config: {name: "app", replicas: variables.replicas, domain: "app.\(variables.domain)", label: variables.label}
}
"#;

fn read(text: &str, options: &Options<'_>) -> Result<Project, Vec<Diagnostic>> {
    config::load(&Sources::of("site.cue", text), options)
}

fn attribute(project: &Project, name: &str) -> serde_json::Value {
    serde_json::Value::clone(&project.desired.resources[0].attributes[name].value)
}

#[test]
fn what_is_given_wins_over_the_environment_and_that_over_defaults() {
    let dev = || Options::of_environment("dev");
    let prod = || Options::of_environment("prod");
    for (options, replicas, domain) in [
        (dev(), 2, "app.example.org"),
        (prod(), 5, "app.example.com"),
        (prod().with_variable("replicas", "7"), 7, "app.example.com"),
        (dev().with_variable("domain", "a b"), 2, "app.a b"),
        (dev().with_variable("domain", "7"), 2, "app.7"),
    ] {
        let project = read(SITE, &options).unwrap_or_else(|errors| panic!("{}", said(&errors)));
        assert_eq!(attribute(&project, "replicas"), json!(replicas), "{options:?}");
        assert_eq!(attribute(&project, "domain"), json!(domain), "{options:?}");
        assert_eq!(project.variables["replicas"], json!(replicas));
    }
    let label = read(SITE, &dev().with_variable("label", "7")).unwrap();
    assert_eq!(attribute(&label, "label"), json!("7"), "where text is taken, it is text");
    let project = read(SITE, &prod()).unwrap();
    assert_eq!(project.environments, ["dev", "prod"].map(str::to_owned).into());
}

#[test]
fn an_environment_brings_its_hosts() {
    let prod = read(SITE, &Options::of_environment("prod")).unwrap();
    let names: Vec<&str> = prod.hosts.keys().map(Host::as_str).collect();
    assert_eq!(names, ["db-1", "web-1"]);
    assert_eq!(prod.inventory.hosts["db-1"]["env"], "prod");
    assert_eq!((prod.hosts["db-1"].place.line, prod.hosts["db-1"].place.column), (13, 10));
    let dev = read(SITE, &Options::of_environment("dev")).unwrap();
    assert_eq!(dev.inventory.hosts.len(), 1);
    assert_eq!(dev.inventory.hosts["web-1"]["env"], "dev");
    assert_ne!(dev.digest, prod.digest);
}

#[test]
fn wrong_environments_and_variables_are_refused_by_name() {
    let dev = || Options::of_environment("dev");
    for (options, code, message, hint) in [
        (Options::of_environment("prd"), "E1005", "no environment `prd`", "did you mean `prod`?"),
        (dev().with_variable("replica", "1"), "E1004", "no variable `replica`", "did you mean `replicas`?"),
    ] {
        let errors = read(SITE, &options).unwrap_err();
        assert_eq!((errors[0].code.id, errors[0].hint.as_deref()), (code, Some(hint)), "{}", said(&errors));
        assert!(errors[0].message.contains(message), "{}", said(&errors));
    }
    for value in ["0", "21", "many", "1.5"] {
        let errors = read(SITE, &dev().with_variable("replicas", value)).unwrap_err();
        let places: Vec<String> = errors
            .iter()
            .flat_map(|error| [&error.location].into_iter().chain(&error.related))
            .map(|place| place.file.clone())
            .collect();
        assert!(places.iter().any(|file| file == "--var replicas"), "{value}: {}", said(&errors));
        assert!(places.iter().any(|file| file == "site.cue"), "{value}: {}", said(&errors));
        assert!(!said(&errors).contains("<added>"), "{}", said(&errors));
    }
    let fixed = read("variables: n: 3", &Options::default().with_variable("n", "4")).unwrap_err();
    assert!(fixed[0].hint.as_ref().unwrap().contains("with a default"), "{}", said(&fixed));
    assert_eq!((fixed[0].location.file.as_str(), fixed[0].related[0].file.as_str()), ("site.cue", "--var n"));
    let bytes = read("environments: dev: variables: b: 'x'\nvariables: b: _", &dev()).unwrap_err();
    assert_eq!((bytes[0].code.id, bytes[0].location.line), ("E1002", 1));

    let missing = read("variables: size: int", &Options::default()).unwrap_err();
    assert_eq!((missing[0].code.id, missing[0].location.line), ("E1004", 1));
    assert!(missing[0].hint.as_ref().unwrap().contains("--var size=VALUE"), "{}", said(&missing));
    let given = read("variables: size: int", &Options::default().with_variable("size", "3")).unwrap();
    assert_eq!(given.variables["size"], json!(3));
}

#[test]
fn hosts_are_read_whole() {
    let project = load(
        r#"hosts: {
	gate: {address: "gate.example.org", port: 2222, user: "ops"}
	web: {
		address: "10.0.0.2", jump: ["gate"], key: "~/.ssh/id", sudo: true, labels: {rack: 7, spare: false}
		host_key: "SHA256:0123456789012345678901234567890123456789012"
	}
	plain: {}
}"#,
    )
    .unwrap();
    let web = &project.hosts["web"];
    assert_eq!((web.address.as_str(), web.port, web.sudo), ("10.0.0.2", 22, Sudo::Yes));
    assert_eq!(web.jump, ["gate".parse().unwrap()]);
    assert_eq!((web.labels["rack"].as_str(), web.labels["spare"].as_str()), ("7", "false"));
    assert_eq!(
        (project.hosts["plain"].address.as_str(), project.hosts["plain"].user.as_ref()),
        ("plain", None)
    );
    assert_eq!((project.hosts["gate"].port, project.hosts["gate"].user.as_deref()), (2222, Some("ops")));
}

#[test]
fn references_are_written_as_plans_read_them() {
    let project = load(
        r#"resources: {
	key: {type: "linux.file", config: path: "/key"}
	app: {type: "linux.file", config: {
		path: "/app"
		plain: {"$secret": "db-password"}
		env: {"$secret": "env:DB_PASSWORD"}
		file: [{"$secret": "file:secrets/db"}, {"$secret": "age:secrets/db.age"}]
		sum: {"$output": "key#checksum"}
		content: {"$join": ["u=", 1, " p=", {"$secret": "db-password"}, " ", true, {"$output": "key#size"}]}
	}}
}"#,
    )
    .unwrap();
    let of = |name: &str| {
        let one = project.desired.resources.iter().find(|one| one.id.as_str() == "app").unwrap();
        serde_json::Value::clone(&one.attributes[name].value)
    };
    let output = |name: &str| output_reference(&"key".parse().unwrap(), &name.parse().unwrap());
    let secret = secret_reference("db-password");
    assert_eq!(of("plain"), json!(secret));
    assert_eq!(of("env"), json!(secret_reference("env:DB_PASSWORD")));
    assert_eq!(
        of("file"),
        json!([secret_reference("file:secrets/db"), secret_reference("age:secrets/db.age")])
    );
    assert_eq!(of("sum"), json!(output("checksum")));
    assert_eq!(of("content"), json!(format!("u=1 p={secret} true{}", output("size"))));
    let names: Vec<&str> = project.secrets.iter().map(String::as_str).collect();
    assert_eq!(names, ["age:secrets/db.age", "db-password", "env:DB_PASSWORD", "file:secrets/db"]);
}

#[test]
fn what_is_no_reference_is_refused_and_none_can_be_slipped_in() {
    for (value, code, message) in [
        (r#"{"$secret": "vault:x"}"#, "E1003", "no source `vault`"),
        (r#"{"$secret": "file:../x"}"#, "E1003", "does not go up"),
        (r#"{"$secret": ""}"#, "E1003", "a name is"),
        (r#"{"$secret": "env:A B"}"#, "E1003", "a variable is"),
        (r#"{"$secrt": "x"}"#, "E1003", "no reference `$secrt`"),
        (r#"{"$secret": "x", more: 1}"#, "E1003", "stands alone"),
        (r#"{"$output": "x"}"#, "E1003", "RESOURCE#ATTRIBUTE"),
        (r#"{"$join": "x"}"#, "E1002", "a list"),
        (r#"{"$join": [[1]]}"#, "E1002", "a text, a number"),
        ("\"a\u{f8f0}token\u{f8f1}\"", "E1002", "reserved"),
        ("{\"\u{f8f2}x#y\u{f8f3}\": 1}", "E1002", "reserved"),
        ("1 << 70", "E", ""),
        ("'bytes'", "E1002", "base64"),
        ("18446744073709551616", "E1002", "write it as a text"),
    ] {
        let text = format!("resources: x: {{\n\ttype: \"linux.file\"\n\tconfig: value: {value}\n}}");
        let errors = load(&text).unwrap_err();
        let first = &errors[0];
        assert!(
            first.code.id.starts_with(code) && first.message.contains(message),
            "{value}: {}",
            said(&errors)
        );
        assert_eq!(first.location.line, 3, "{value}: {}", said(&errors));
    }
}

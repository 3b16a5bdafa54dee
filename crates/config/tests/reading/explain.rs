//! Where values come from.

use config::{How, Options, Sources};

const SITE: &str = r#"
#Web: {
	type: "linux.service"
	config: {name: string, enabled: true, port: variables.port}
}
variables: port: int | *8080
environments: prod: variables: port: 80
resources: web: #Web & {config: name: "web"}
starlark: gen: script: "result = {'a': {'type': 'linux.file', 'config': {'path': '/a'}}}"
resources: starlark.gen.result
"#;

fn explained(path: &str, options: &Options<'_>) -> (String, Vec<(String, How)>) {
    let project = config::load(&Sources::of("site.cue", SITE), options).unwrap();
    let explanation = project.explain(path).unwrap();
    let sources = explanation.sources.into_iter().map(|one| (one.place.location("").to_string(), one.how));
    (explanation.value, sources.collect())
}

#[test]
fn a_value_names_every_place_it_comes_from() {
    let (value, sources) = explained("resources.web.config.name", &Options::default());
    assert_eq!(value, "\"web\"");
    let place = |at: &str, how: How| (format!("site.cue:{at}"), how);
    assert_eq!(sources[0], place("8:33", How::Declared));
    assert!(sources.contains(&place("4:11", How::Referred)), "{sources:?}");

    // a JSON pointer, as in diagnostics, says the same
    assert_eq!(explained("/resources/web/config/name", &Options::default()).1, sources);
}

#[test]
fn what_was_added_says_why() {
    let (value, sources) = explained("variables.port", &Options::of_environment("prod"));
    assert_eq!(value, "80");
    assert!(
        sources
            .iter()
            .any(|(at, how)| at.starts_with("site.cue:7") && *how == How::Added("environment prod".into())),
        "{sources:?}"
    );
    let (value, sources) = explained("variables.port", &Options::default().with_variable("port", "81"));
    assert_eq!(value, "81");
    assert!(sources.iter().any(|(_, how)| *how == How::Added("--var port".into())), "{sources:?}");
    let (_, sources) = explained("resources.a.config.path", &Options::default());
    assert!(sources.iter().any(|(_, how)| *how == How::Added("starlark gen".into())), "{sources:?}");
    assert!(sources.iter().all(|(at, _)| !at.contains("<added>")), "{sources:?}");
}

#[test]
fn definitions_are_explained_and_what_is_not_there_suggests_the_nearest() {
    let project = config::load(&Sources::of("site.cue", SITE), &Options::default()).unwrap();
    assert!(project.explain("#Web.config.enabled").unwrap().value.contains("true"));
    let error = project.explain("resources.web.confg.name").unwrap_err();
    assert_eq!((error.code.id, error.hint.as_deref()), ("E1009", Some("did you mean `config`?")));
}

//! Helpers in files, and helpers that somebody else runs.

use std::sync::Arc;

use config::script::Script;
use config::{Options, Sources};
use cue::load::MemoryLoader;
use serde_json::json;

use crate::facts::said;

const SITE: &str = "starlark: g: {file: \"lib/files.star\", inputs: n: 2}\nresources: starlark.g.result\n";

fn sources(script: &str) -> Sources {
    let files = [("lib/files.star".to_owned(), script.to_owned())];
    Sources::of("site.cue", SITE).importing(Arc::new(MemoryLoader(files.into())))
}

#[test]
fn a_script_in_a_file_of_the_module_is_run_and_blamed_in_its_own_file() {
    let good =
        "result = {'f' + str(i): {'type': 'linux.file', 'config': {'path': '/' + str(i)}} for i in range(n)}";
    let project =
        config::load(&sources(good), &Options::default()).unwrap_or_else(|e| panic!("{}", said(&e)));
    let places: Vec<String> = project
        .desired
        .resources
        .iter()
        .map(|one| format!("{} {}", one.id, one.place.location("")))
        .collect();
    assert_eq!(places, ["f0 lib/files.star:1:1", "f1 lib/files.star:1:1"]);

    let errors = config::load(&sources("x = 1\nresult = y"), &Options::default()).unwrap_err();
    assert_eq!(format!("{}", errors[0].location), "lib/files.star:2:10 (/starlark/g)");
    let missing = config::load(&Sources::of("site.cue", SITE), &Options::default()).unwrap_err();
    assert_eq!((missing[0].code.id, missing[0].location.line), ("E1006", 1), "{}", said(&missing));
}

#[test]
fn whoever_reads_decides_where_scripts_run() {
    let run = |script: &Script| {
        assert_eq!((&*script.file, &script.inputs["n"]), ("lib/files.star", &json!(2)));
        Ok(json!({"other": {"type": "linux.file", "config": {"path": "/other"}}}))
    };
    let options = Options { scripts: Some(&run), ..Options::default() };
    let project = config::load(&sources("result = {}"), &options).unwrap();
    assert_eq!(project.desired.resources[0].id.as_str(), "other");
}

#[test]
fn packages_are_imported_and_tags_set() {
    let files = [
        (
            "cue.mod/module.cue".to_owned(),
            "module: \"example.org/site\"\nlanguage: version: \"v0.9.0\"".to_owned(),
        ),
        (
            "lib/lib.cue".to_owned(),
            "package lib\n#File: {type: \"linux.file\", config: path: string}".to_owned(),
        ),
    ];
    let text = "package site\nimport \"example.org/site/lib\"\n_where: string @tag(where)\n\
        resources: f: lib.#File & {config: path: \"/\\(_where)\"}";
    let sources = Sources::of("site.cue", text).importing(Arc::new(MemoryLoader(files.into())));
    let options = Options { tags: vec!["where=here".to_owned()], ..Options::default() };
    let project = config::load(&sources, &options).unwrap_or_else(|e| panic!("{}", said(&e)));
    assert_eq!(*project.desired.resources[0].attributes["path"].value, json!("/here"));
}

//! The files that people wrote for the system before this one load, or fail with an error that is theirs.

use std::path::PathBuf;

use config::{Options, Project, Sources};
use model::Diagnostic;

fn directory() -> Option<PathBuf> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/seed-inputs/openfroyo");
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

pub(crate) fn text(name: &str) -> Option<String> {
    Some(std::fs::read_to_string(directory()?.join(name)).unwrap())
}

pub(crate) fn load(name: &str) -> Option<Result<Project, Vec<Diagnostic>>> {
    Some(config::load(&Sources::of(name, text(name)?), &Options::default()))
}

#[test]
fn the_seeds_load_or_fail_with_an_error_that_is_theirs() {
    let Some(directory) = directory() else { return };
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".cue"))
        .collect();
    names.sort();
    let mut out = String::new();
    for name in names {
        out.push_str(&format!("{name}\n"));
        match load(&name).unwrap() {
            Ok(project) => {
                for one in &project.desired.resources {
                    out.push_str(&format!("    {} {} at {}\n", one.id, one.kind, one.place.location("")));
                }
                project.warnings.iter().for_each(|one| out.push_str(&format!("    {one}\n")));
            }
            Err(errors) => errors.iter().for_each(|one| {
                out.push_str(&format!("    {one}\n"));
                one.hint.iter().for_each(|hint| out.push_str(&format!("        hint: {hint}\n")));
            }),
        }
    }
    insta::assert_snapshot!(out);
}

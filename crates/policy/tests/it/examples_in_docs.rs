//! The examples in the documentation are what they say they are.

use std::path::Path;

use policy::{Access, PolicySet, Source, testing};

/// The fenced blocks of a page whose first line is a comment with a file name, each with that name.
fn files(page: &str) -> Vec<Source> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut files = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !matches!(line, "```yaml" | "```rego") {
            continue;
        }
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let name = block[0]
            .strip_prefix("# ")
            .unwrap_or_else(|| panic!("{page}: a block without a name: {block:?}"));
        files.push(Source::new(name, block.join("\n")));
    }
    files
}

fn compiled(sources: &[Source]) {
    let (set, findings) = PolicySet::compile(sources);
    assert!(set.is_some(), "{findings:#?}\n{}", sources[0].text);
}

#[test]
fn every_example_of_the_reference_is_valid() {
    let files = files("reference/policy.md");
    assert!(files.len() >= 8, "{}", files.len());
    for file in &files {
        match file.name.as_str() {
            "policy.yaml" | "policy/release.rego" => compiled(std::slice::from_ref(file)),
            "access.yaml" => assert_eq!(Access::read(file).1, []),
            "policy_test.yaml" => {
                let windows = files.iter().find(|other| other.text.contains("\nwindows:")).unwrap();
                let report = testing::run(&[windows.clone(), file.clone()]);
                assert!(report.passed(), "{report:#?}");
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn the_project_of_the_guide_passes_its_tests() {
    let (access, policy): (Vec<_>, Vec<_>) =
        files("guides/policies.md").into_iter().partition(|file| file.name == "access.yaml");
    assert_eq!(Access::read(&access[0]).1, []);
    compiled(&policy);
    let report = testing::run(&policy);
    assert!(report.passed(), "{report:#?}");
    assert_eq!(report.results.len(), 6);
}

/// The files of a directory, by name; none if there is no such directory.
fn directory(path: &Path) -> Vec<Source> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .map(|entry| {
            Source::new(entry.file_name().to_string_lossy(), std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

#[test]
fn policies_of_the_example_projects_pass_their_tests() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let Ok(projects) = std::fs::read_dir(&examples) else {
        println!("skipped: there is no {}", examples.display());
        return;
    };
    for project in projects.map(|project| project.unwrap().path()) {
        let policy = directory(&project.join("policy"));
        if policy.is_empty() {
            continue;
        }
        let report = testing::run(&policy);
        assert!(report.passed(), "{}: {report:#?}", project.display());
        if let Ok(text) = std::fs::read_to_string(project.join("access.yaml")) {
            assert_eq!(Access::read(&Source::new("access.yaml", text)).1, [], "{}", project.display());
        }
    }
}

//! `validate` over a project's infrastructure: everything that is wrong, with its place, and no host asked.

use crate::terminal::{Said, Terminal};

const HOSTS: &str = "package site\n\nhosts: \"web-1\": {address: \"127.0.0.1\", port: 1, user: \"nobody\"}\n";

fn project(site: &str) -> Terminal {
    let terminal = Terminal::project();
    terminal.write("infrastructure/hosts.cue", HOSTS);
    terminal.write("infrastructure/site.cue", &format!("package site\n\n{site}"));
    terminal
}

fn refused(terminal: &Terminal, site: &str, words: &[&str]) -> Said {
    terminal.write("infrastructure/site.cue", &format!("package site\n\n{site}"));
    let before = terminal.records().len();
    let said = terminal.run(&["validate"]);
    assert_eq!(said.exit, Some(2), "{said:?}");
    for words in words {
        assert!(said.stderr.contains(words), "{words}: {said:?}");
    }
    assert_eq!(terminal.records().len(), before, "validating records nothing");
    said
}

#[test]
fn infrastructure_05_a_configuration_is_validated_without_asking_a_host() {
    let terminal = project(
        "resources: motd: {type: \"linux.file::file\", config: {path: \"/etc/motd\", content: \"a\"}}\n\
         resources: nginx: {type: \"linux.pkg::package\", config: {package: \"nginx\"}}\n",
    );
    let said = terminal.run(&["validate"]).good();
    assert!(said.stdout.contains("valid"), "{said:?}");
    let json = terminal.run(&["validate", "--json"]).good().json();
    let files = json["files"].to_string();
    assert!(
        files.contains("infrastructure/site.cue") && files.contains("infrastructure/hosts.cue"),
        "{json}"
    );
}

#[test]
fn infrastructure_01_what_is_wrong_has_its_file_line_and_column() {
    let terminal = &project("");
    refused(
        terminal,
        "resources: motd: {type: \"linux.file::file\", config: {path: }\n",
        &["infrastructure/site.cue:3:"],
    );
    refused(
        terminal,
        "resources: motd: {\n\ttype: \"linux.file::file\"\n\tconfig: {path: \"/a\", contnt: \"a\"}\n}\n",
        &["infrastructure/site.cue:5:", "did you mean `content`?"],
    );
    refused(
        terminal,
        "resources: motd: {\n\ttype: \"linux.fil::file\"\n\tconfig: {path: \"/a\"}\n}\n",
        &["infrastructure/site.cue:3:", "did you mean `linux.file::file`?"],
    );
    // what only the provider knows
    refused(
        terminal,
        "resources: motd: {\n\ttype: \"linux.file::file\"\n\tconfig: {path: \"a/../b\", content: \"a\"}\n}\n",
        &["infrastructure/site.cue:5:", "E0"],
    );
    refused(
        terminal,
        "resources: motd: {\n\ttype: \"linux.file::file\"\n\tconfig: {path: \"/a\", source: \"files/none\"}\n}\n",
        &["infrastructure/site.cue:5:", "files/none"],
    );
}

#[test]
fn checks_are_validated_like_resources() {
    let terminal = &project("");
    refused(
        terminal,
        "checks: up: {\n\ttype: \"probe.http\"\n\tconfig: {url: \"gopher://x\"}\n}\n",
        &["infrastructure/site.cue:5:", "must begin with http:// or https://"],
    );
    refused(
        terminal,
        "checks: up: {\n\ttype: \"probe.http\"\n\tconfig: {ulr: \"http://x\"}\n}\n",
        &["infrastructure/site.cue:5:", "did you mean `url`?"],
    );
    refused(
        terminal,
        "checks: up: {\n\ttype: \"probe.htp\"\n\tconfig: {url: \"http://x\"}\n}\n",
        &["infrastructure/site.cue:3:", "did you mean `probe.http`?"],
    );
}

#[test]
fn a_variable_without_a_default_is_set_for_validating() {
    let terminal = project(
        "#Word: string @var(word)\nvariables: word: string\nresources: motd: {type: \"linux.file::file\", config: {path: \"/a\", content: variables.word}}\n",
    );
    let said = terminal.run(&["validate", "--var", "word=hello"]).good();
    assert!(said.stdout.contains("valid"), "{said:?}");
    let named = terminal.run(&["validate", "--var", "word"]);
    assert!(named.exit == Some(2) && named.stderr.contains("NAME=VALUE"), "{named:?}");
}

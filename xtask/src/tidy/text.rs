//! What must not be left in any text: markers, blanks at line ends, one developer's paths, files nobody added.

use std::sync::LazyLock;

use regex::Regex;

use super::Finding;
use super::source::{Source, is_test_path};
use super::tree::Tree;

/// Kinds of text that people write here. Recorded fixtures and snapshots keep their bytes as they are.
const WRITTEN: &[&str] = &["rs", "md", "toml", "yaml", "yml", "sh", "wit", "rego", "cue", "json"];
/// Texts without an extension that people write here.
const SCRIPTS: &[&str] = &[".ci/", "scripts/"];

/// What is left behind in texts.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in &tree.files {
        if !is_written(path) {
            continue;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            let line = text.lines().count();
            found.push(Finding::new(path, line, "the last line has no end", "add a newline"));
        }
        let source = path.strip_suffix(".rs").and_then(|_| Source::parse(text));
        let is_test =
            |line: usize| is_test_path(path) || source.as_ref().is_some_and(|source| source.is_test(line));
        for (index, line) in text.lines().enumerate() {
            for (what, fix) in left_behind(line, is_test(index + 1)) {
                found.push(Finding::new(path, index + 1, what, fix));
            }
        }
    }
    found
}

fn is_written(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let fixture = path.contains("/fixtures/") || path.contains("/testdata/") || path.contains("/corpus/");
    !fixture && (WRITTEN.contains(&extension) || SCRIPTS.iter().any(|directory| path.starts_with(directory)))
}

// The words are put together here so that this file does not find itself.
static MARKER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(r"\b(TO", "DO|FIX", "ME|XX", r"X)\b")).expect("the pattern is constant")
});
static DEVELOPER_PATH: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(r#"(^|[\s"'`(=:])(/ho"#, r"me/[a-z]|/Us", r"ers/[a-z]|/ro", r"ot/|/wo", r"rk/)");
    Regex::new(pattern).expect("the pattern is constant")
});

fn left_behind(line: &str, is_test: bool) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    if line.ends_with([' ', '\t']) {
        found.push(("blanks at the end of the line".to_owned(), "remove them"));
    }
    if let Some(marker) = MARKER.find(line) {
        found.push((format!("the marker {}", marker.as_str()), "do it, or open an issue"));
    }
    // a test may make up a home for somebody who does not exist
    if !is_test && DEVELOPER_PATH.is_match(line) {
        found.push((
            "a path of somebody's machine".to_owned(),
            "make it relative, or take it from the environment",
        ));
    }
    if ["<<<<<<< ", ">>>>>>> "].iter().any(|conflict| line.starts_with(conflict)) {
        found.push(("an unresolved conflict".to_owned(), "resolve it"));
    }
    found
}

/// Files that lie about: neither added, nor ignored, nor source that is about to be added.
pub(super) fn untracked(tree: &Tree) -> Vec<Finding> {
    tree.untracked
        .iter()
        .filter(|path| !is_written(path) || path.ends_with(".snap.new"))
        .map(|path| {
            Finding::new(path, 0, "git neither tracks nor ignores it", "add it, or have .gitignore name it")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_behind_is_found() {
        for line in [
            "blank ",
            concat!("// TO", "DO: later"),
            concat!("x = 1 # FIX", "ME"),
            concat!("path = \"/ho", "me/maria/x\""),
            concat!("see `/wo", "rk/x`"),
            "<<<<<<< ours",
        ] {
            assert_eq!(left_behind(line, false).len(), 1, "{line}");
        }
        assert!(left_behind(concat!("path = \"/ho", "me/maria/x\""), true).is_empty());
        let tree = Tree::of(&[("a.md", "# A"), ("b/fixtures/x.md", "blank "), ("c.snap", "blank ")]);
        assert_eq!(check(&tree).len(), 1, "only the missing newline");
    }

    #[test]
    fn ordinary_lines_are_not() {
        for line in ["mktemp -d /tmp/aedile.XXXXXX", "todo list", "https://example.org/work/x", "a/root/b"] {
            assert!(left_behind(line, false).is_empty(), "{line}");
        }
    }

    #[test]
    fn files_nobody_added_are_found() {
        let mut tree = Tree::of(&[]);
        tree.untracked =
            vec!["out.wasm".to_owned(), "crates/a/src/new.rs".to_owned(), "a.snap.new".to_owned()];
        assert_eq!(untracked(&tree).len(), 2);
    }
}

//! The rules of the house, checked by machine. `cargo xtask tidy` runs them all; so does `cargo nextest run -p xtask`.
//!
//! A check is a function from the [`Tree`] to [`Finding`]s. It never changes a file. Each has a test that shows it
//! firing, because a check that cannot fail is worse than none.

mod acceptance;
mod allowed;
mod code;
mod docs;
mod layers;
mod pages;
mod purity;
mod size;
mod source;
mod text;
mod tree;
mod words;

use std::fmt;
use std::process::ExitCode;

use tree::Tree;

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Path relative to the workspace.
    pub(crate) path: String,
    /// From 1; 0 when it is about the file as a whole.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) what: String,
    /// How to put it right.
    pub(crate) fix: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}, {}", self.path, self.what, self.fix),
            line => write!(f, "{}:{line}: {}, {}", self.path, self.what, self.fix),
        }
    }
}

/// Every check, in the order a reader would look for it in CONTRIBUTING.md.
type Check = fn(&Tree) -> Vec<Finding>;
const CHECKS: &[Check] = &[
    layers::directions,
    layers::no_async_runtime,
    layers::manifests,
    purity::check,
    size::check,
    code::check,
    pages::error_pages,
    pages::architecture,
    docs::links,
    text::check,
    text::untracked,
    words::check,
    acceptance::check,
];

/// Every broken rule of the tree, in order of place.
fn findings(tree: &Tree) -> Vec<Finding> {
    let mut all: Vec<Finding> = CHECKS.iter().flat_map(|check| check(tree)).collect();
    all.sort();
    all.dedup();
    all
}

/// `cargo xtask tidy`.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    if let Some(unexpected) = arguments.first() {
        eprintln!("error: tidy takes no argument, got `{unexpected}`");
        return ExitCode::from(crate::USAGE);
    }
    let tree = match Tree::load(crate::workspace()) {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let found = findings(&tree);
    for finding in &found {
        println!("{finding}");
    }
    if found.is_empty() {
        println!("tidy: {} files, {} checks, nothing to say", tree.files.len(), CHECKS.len());
        ExitCode::SUCCESS
    } else {
        println!("tidy: {} to put right", found.len());
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let tree = Tree::load(crate::workspace()).unwrap();
        let found = findings(&tree);
        let lines: Vec<String> = found.iter().map(Finding::to_string).collect();
        assert!(found.is_empty(), "\n{}\n", lines.join("\n"));
    }

    #[test]
    fn a_finding_reads_as_place_what_and_how_to_put_it_right() {
        let finding = Finding::new("a/b.rs", 7, "this is wrong", "do that");
        assert_eq!(finding.to_string(), "a/b.rs:7: this is wrong, do that");
        assert_eq!(Finding::new("a", 0, "gone", "add it").to_string(), "a: gone, add it");
    }
}

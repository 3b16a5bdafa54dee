//! One word for one thing (docs/glossary.md): the words we do not use, where a user would read them.

use std::sync::LazyLock;

use regex::Regex;
use syn::visit::{self, Visit};

use super::Finding;
use super::source::{Source, is_test_path};
use super::tree::Tree;

/// Words of older systems and what we say. A word may still be named in the glossary and in the reader of the older
/// dialect, whose business it is.
const INSTEAD: &[(&str, &str)] = &[
    ("node", "step, host or server"),
    ("job", "run"),
    ("ritual", "workflow or run"),
    ("capsule", "action"),
    ("ward", "policy"),
    ("gate", "approval or check"),
    ("pipeline", "workflow"),
    ("app pack", "package"),
    ("workspace", "project"),
];

static WORDS: LazyLock<Vec<(Regex, &str, &str)>> = LazyLock::new(|| {
    let pattern =
        |word: &str| Regex::new(&format!(r"(?i)\b{word}s?\b")).expect("the words are letters and spaces");
    INSTEAD.iter().map(|(word, instead)| (pattern(word), *word, *instead)).collect()
});

/// Words we do not use, in messages, help and documents.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.rust() {
        if is_test_path(path) || !path.starts_with("crates/") || path.contains("/dialect") {
            continue;
        }
        let Some(source) = Source::parse(text) else { continue };
        let mut messages = Messages { everything: path.starts_with("crates/cli/src/"), texts: Vec::new() };
        messages.visit_file(&source.file);
        for (text, line) in messages.texts {
            if !source.is_test(line) {
                found.extend(words(path, line, &text));
            }
        }
    }
    for (path, text) in tree.with_extension("md") {
        if is_for_users(path) {
            for (index, line) in text.lines().enumerate() {
                found.extend(words(path, index + 1, &without_code(line)));
            }
        }
    }
    found
}

/// Documents for users. Developers' documents say `workspace` of cargo's and name other systems' words.
fn is_for_users(path: &str) -> bool {
    path == "README.md" || path.starts_with("docs/errors/") || path.starts_with("docs/guides/")
}

/// A line of Markdown without its code spans: what is typed is not ours to name.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

fn words(path: &str, line: usize, text: &str) -> Vec<Finding> {
    WORDS
        .iter()
        .filter(|(pattern, ..)| pattern.is_match(text))
        .map(|(_, word, instead)| {
            Finding::new(
                path,
                line,
                format!("the word `{word}`"),
                format!("say {instead} (docs/glossary.md)"),
            )
        })
        .collect()
}

/// Texts that reach a user: `#[error("...")]` everywhere, and every text in the command line's crate.
struct Messages {
    everything: bool,
    texts: Vec<(String, usize)>,
}

impl<'ast> Visit<'ast> for Messages {
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("error")
            && let Ok(literal) = attribute.parse_args::<syn::LitStr>()
        {
            self.texts.push((literal.value(), literal.span().start().line));
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        // one word alone is a key or a name, not a sentence
        if self.everything && literal.value().trim().contains(' ') {
            self.texts.push((literal.value(), literal.span().start().line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_we_do_not_use_are_found_where_users_read() {
        let tree = Tree::of(&[
            (
                "crates/engine/src/a.rs",
                "#[error(\"the job failed\")]\nstruct E;\nconst JOB: &str = \"the job\";\n",
            ),
            ("crates/cli/src/a.rs", "const A: &str = \"start the ritual\";\nconst B: &str = \"ritual\";\n"),
            ("crates/workflow/src/dialect/a.rs", "#[error(\"a ritual without states\")]\nstruct E;\n"),
            ("docs/errors/E0001.md", "# `node`\n\nThe node is down.\n"),
            ("docs/glossary.md", "node\n"),
            ("README.md", "It investigates delegated jobs.\n"),
        ]);
        let found: Vec<(String, usize)> =
            check(&tree).into_iter().map(|finding| (finding.path, finding.line)).collect();
        let expected = [
            ("crates/cli/src/a.rs", 1),
            ("crates/engine/src/a.rs", 1),
            ("README.md", 1),
            ("docs/errors/E0001.md", 3),
        ];
        let mut found = found;
        found.sort();
        let mut expected = expected.map(|(path, line)| (path.to_owned(), line));
        expected.sort();
        assert_eq!(found, expected);
    }
}

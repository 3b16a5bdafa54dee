//! Every error code has its page, every crate its place in ARCHITECTURE.md.

use super::Finding;
use super::layers::crates;
use super::tree::Tree;

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const ARCHITECTURE_LINES_MAX: usize = 300;

/// Codes without a page, pages without a code, pages whose title is not the code's.
pub(super) fn error_pages(tree: &Tree) -> Vec<Finding> {
    let codes: Vec<(&str, &str)> = model::code::all().map(|code| (code.id, code.title)).collect();
    compare(tree, &codes)
}

fn compare(tree: &Tree, codes: &[(&str, &str)]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (id, title) in codes {
        let path = format!("docs/errors/{id}.md");
        let heading = format!("# {id}: {title}");
        match tree.get(&path) {
            None => found.push(Finding::new(
                &path,
                0,
                format!("error {id} ({title}) has no page"),
                "write what it means, why it happens and what to do",
            )),
            Some(text) if text.lines().next() != Some(&heading) => {
                found.push(Finding::new(
                    &path,
                    1,
                    "the page's title is not the code's",
                    format!("write `{heading}`"),
                ));
            }
            Some(_) => {}
        }
    }
    for path in &tree.paths {
        let id = path.strip_prefix("docs/errors/").and_then(|name| name.strip_suffix(".md"));
        if let Some(id) = id.filter(|id| id.starts_with('E'))
            && !codes.iter().any(|(known, _)| *known == id)
        {
            found.push(Finding::new(
                path,
                0,
                format!("no error has the code {id}"),
                "remove the page or add the code",
            ));
        }
    }
    found
}

/// Crates that ARCHITECTURE.md does not name, and its length.
pub(super) fn architecture(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.get(ARCHITECTURE) else {
        return vec![Finding::new(ARCHITECTURE, 0, "it is missing", "write the map of the code")];
    };
    let mut found = Vec::new();
    let lines = text.lines().count();
    if lines >= ARCHITECTURE_LINES_MAX {
        let what = format!("{lines} lines, and nobody reads a map of {ARCHITECTURE_LINES_MAX}");
        found.push(Finding::new(ARCHITECTURE, 0, what, "move detail into the crates' own documentation"));
    }
    for (name, _) in crates(tree) {
        if !text.lines().any(|line| line == format!("### `{name}`")) {
            let what = format!("crate `{name}` is not in the code map");
            found.push(Finding::new(
                ARCHITECTURE,
                0,
                what,
                format!("add a section ### `{name}` with its invariants"),
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_pages_match_both_ways() {
        let tree = Tree::of(&[
            ("docs/errors/E0001.md", "# E0001: wrong\n"),
            ("docs/errors/E0002.md", "# E0002: another title\n"),
            ("docs/errors/E0099.md", "# E0099: gone\n"),
            ("docs/errors/README.md", "# Errors\n"),
        ]);
        let found = compare(&tree, &[("E0001", "wrong"), ("E0002", "bad"), ("E0003", "new")]);
        let paths: Vec<&str> = found.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, ["docs/errors/E0002.md", "docs/errors/E0003.md", "docs/errors/E0099.md"]);
    }

    #[test]
    fn architecture_names_every_crate_and_stays_short() {
        let manifest = ("crates/model/Cargo.toml", "");
        assert_eq!(architecture(&Tree::of(&[manifest])).len(), 1, "missing");
        assert_eq!(architecture(&Tree::of(&[manifest, (ARCHITECTURE, "the `model`")])).len(), 1, "not named");
        assert!(architecture(&Tree::of(&[manifest, (ARCHITECTURE, "### `model`\n")])).is_empty());
        let long = "### `model`\n".repeat(300);
        assert_eq!(architecture(&Tree::of(&[manifest, (ARCHITECTURE, &long)])).len(), 1, "too long");
    }
}

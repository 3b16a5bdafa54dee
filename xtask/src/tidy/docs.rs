//! Links between documents lead somewhere.

use std::collections::BTreeMap;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::Finding;
use super::tree::Tree;

/// Relative links that lead nowhere, in every Markdown file.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.with_extension("md") {
        for (target, line) in targets(text) {
            if is_elsewhere(&target) {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let Some(full) = resolve(path, file) else {
                let what = format!("link `{target}` leads out of the repository");
                found.push(Finding::new(path, line, what, "link what is inside, or give the whole address"));
                continue;
            };
            if !tree.has(&full) {
                let what = format!("link `{target}` leads nowhere");
                found.push(Finding::new(
                    path,
                    line,
                    what,
                    "mend the path, relative to the file it stands in",
                ));
            } else if !anchor.is_empty()
                && let Some(linked) = tree.get(&full)
                && is_markdown(&full)
                && !anchors(linked).contains(&anchor.to_owned())
            {
                let what = format!("`{full}` has no heading `#{anchor}`");
                found.push(Finding::new(path, line, what, "mend the part after `#`"));
            }
        }
    }
    found
}

fn is_markdown(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| extension == "md")
}

fn is_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

/// Every link and image target with its line.
fn targets(text: &str) -> Vec<(String, usize)> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES)
        .into_offset_iter()
        .filter_map(|(event, range)| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some((dest_url.to_string(), text[..range.start].matches('\n').count() + 1))
            }
            _ => None,
        })
        .collect()
}

/// The path a link in `from` means; `None` when it leads out of the tree.
fn resolve(from: &str, link: &str) -> Option<String> {
    if link.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = match link.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => from.rsplit_once('/').map_or(Vec::new(), |(directory, _)| directory.split('/').collect()),
    };
    for part in link.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a document's headings, formed as the usual forges do.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(piece) | Event::Code(piece) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&piece);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let slug: String = heading
                    .take()
                    .unwrap_or_default()
                    .to_lowercase()
                    .chars()
                    .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
                    .map(|letter| if letter == ' ' { '-' } else { letter })
                    .collect();
                let count = seen.entry(slug.clone()).or_default();
                anchors.push(if *count == 0 { slug } else { format!("{slug}-{count}") });
                *count += 1;
            }
            _ => {}
        }
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_found_with_their_line() {
        let tree = Tree::of(&[
            (
                "README.md",
                "# A\n\n[ok](docs/a.md) [ok](docs) [web](https://example.org/x)\n[bad](docs/b.md)\n",
            ),
            (
                "docs/a.md",
                "# A thing, `named`\n\n[up](../README.md#a) [here](#a-thing-named)\n\n[bad](#other) [out](../../x)\n",
            ),
        ]);
        let found: Vec<(String, usize)> =
            links(&tree).into_iter().map(|finding| (finding.path, finding.line)).collect();
        let expected = [("README.md", 4), ("docs/a.md", 5), ("docs/a.md", 5)];
        assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
    }

    #[test]
    fn links_inside_code_are_not_links() {
        assert!(targets("`[a](b)`\n\n```\n[c](d)\n```\n").is_empty());
        assert_eq!(targets("| a |\n|---|\n| [x](y) |\n"), [("y".to_owned(), 3)]);
    }
}

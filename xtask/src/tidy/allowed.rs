//! The one list of exceptions, `xtask/allowed.toml`. It may only shrink: an entry that is not needed any more, or allows
//! more than is there, is itself a finding.

use serde::Deserialize;

use super::Finding;
use super::tree::Tree;

/// Where the list is.
pub(super) const PATH: &str = "xtask/allowed.toml";

/// The list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Allowed {
    /// Files over the limit.
    #[serde(default)]
    pub(super) file: Vec<Entry>,
    /// Functions over the limit.
    #[serde(default)]
    pub(super) function: Vec<Entry>,
}

/// One exception.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The file.
    pub(super) path: String,
    /// The function in it; absent for files.
    #[serde(default)]
    pub(super) name: String,
    /// Exactly how long it is.
    pub(super) lines: usize,
    /// Why it is better whole.
    pub(super) reason: String,
}

impl Allowed {
    /// Reads the list from the tree; an unreadable list allows nothing.
    pub(super) fn load(tree: &Tree) -> Self {
        tree.get(PATH).and_then(|text| toml::from_str(text).ok()).unwrap_or_default()
    }
}

/// Takes the findings that no entry allows, and adds the entries that allow too much.
pub(super) fn settle(entries: &[Entry], over: Vec<(String, String, usize, Finding)>) -> Vec<Finding> {
    let mut found = Vec::new();
    for entry in entries {
        let there = over.iter().find(|(path, name, ..)| *path == entry.path && *name == entry.name);
        let what = format!("{} {}", entry.path, entry.name);
        match there {
            None => found.push(Finding::new(
                PATH,
                0,
                format!("{} is within the limit now", what.trim()),
                "remove its entry",
            )),
            Some((_, _, lines, _)) if *lines < entry.lines => {
                found.push(Finding::new(
                    PATH,
                    0,
                    format!("{} has {lines} lines now", what.trim()),
                    "lower its entry",
                ));
            }
            Some(_) if entry.reason.len() < 20 => {
                found.push(Finding::new(
                    PATH,
                    0,
                    format!("{} has no reason", what.trim()),
                    "say why it is better whole",
                ));
            }
            Some(_) => {}
        }
    }
    for (path, name, lines, finding) in over {
        let allowed =
            entries.iter().any(|entry| entry.path == path && entry.name == name && lines <= entry.lines);
        if !allowed {
            found.push(finding);
        }
    }
    found
}

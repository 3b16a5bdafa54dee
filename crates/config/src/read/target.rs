//! Targets: which hosts a resource or a check is for.

use cue::{Located, LocatedData};
use model::code::config as code;
use plan::{Host, Selector};

use super::{Findings, Path, selector};

const FIELDS: [&str; 5] = ["hosts", "labels", "selector", "all", "allow_empty"];

/// Which hosts, and whether it is fine that there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) on: Selector,
    pub(crate) allow_empty: bool,
}

impl Default for Target {
    fn default() -> Self {
        Self { on: Selector::All, allow_empty: false }
    }
}

/// Everything that is said must hold: `hosts` and `labels` together mean those of the hosts that have the labels.
pub(crate) fn read(value: &Located, path: &Path<'_>, found: &mut Findings) -> Option<Target> {
    let before = found.errors.len();
    let fields = found.object(value, path)?;
    found.only(fields, path, &FIELDS);
    let mut parts = Vec::new();
    let mut allow_empty = false;
    for (name, field) in fields {
        let path = path.field(name);
        match &**name {
            "hosts" => {
                let mut hosts: Vec<Host> = found.names(field, &path);
                hosts.sort();
                hosts.dedup();
                parts.push(Selector::Hosts(hosts));
            }
            "labels" => {
                let labels = found.texts(field, &path);
                parts.extend(labels.into_iter().map(|(name, value)| Selector::Label(name, value)));
            }
            "selector" => {
                let Some(text) = found.text(field, &path) else { continue };
                match selector::parse(text) {
                    Ok(Selector::AllOf(more)) => parts.extend(more),
                    Ok(one) => parts.push(one),
                    Err(reason) => {
                        found.error(code::BAD_VALUE, &field.spot, &path, reason);
                    }
                }
            }
            "all" => match field.data {
                LocatedData::Bool(true) => parts.push(Selector::All),
                _ => found.wrong(field, &path, "true (leave it out otherwise)"),
            },
            "allow_empty" => allow_empty = found.boolean(field, &path).unwrap_or_default(),
            _ => {}
        }
    }
    if parts.is_empty() && found.errors.len() == before {
        let message = "this target selects nothing";
        found.error(code::BAD_VALUE, &value.spot, path, message).hint =
            Some("name hosts, labels or a selector, or write `all: true`".to_owned());
    }
    if parts.len() > 1 {
        parts.retain(|part| *part != Selector::All);
    }
    (found.errors.len() == before).then(|| Target { on: selector::all_of(parts), allow_empty })
}

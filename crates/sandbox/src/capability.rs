//! What an action can ask for: the interfaces of `wit/action`.

use std::collections::BTreeSet;
use std::fmt;

/// The WIT package whose interfaces the sandbox provides.
pub const PACKAGE: &str = "aedile:action";

/// One importable interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Lines for the run's log.
    Log,
    /// Outbound HTTP to granted hosts.
    Http,
    /// A key-value store with a namespace of its own.
    Kv,
    /// The time.
    Clock,
    /// Random bytes.
    Random,
}

impl Capability {
    /// Every capability there is.
    pub const ALL: [Self; 5] = [Self::Log, Self::Http, Self::Kv, Self::Clock, Self::Random];

    /// The interface's name, which is also the word in a grant.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Http => "http",
            Self::Kv => "kv",
            Self::Clock => "clock",
            Self::Random => "random",
        }
    }

    /// The grant a project would write to give it, as a pattern for people.
    pub const fn grant(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Http => "http:HOST",
            Self::Kv => "kv:NAMESPACE",
            Self::Clock => "clock",
            Self::Random => "random",
        }
    }

    fn from_interface(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.as_str() == name)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The capabilities among a component's imports, or the first import that is none.
///
/// Versions are left to the linker, which knows the compatibility rules of the component model.
pub(crate) fn wanted<'a>(imports: impl Iterator<Item = &'a str>) -> Result<BTreeSet<Capability>, String> {
    let mut wanted = BTreeSet::new();
    for import in imports {
        let interface = import
            .strip_prefix(PACKAGE)
            .and_then(|rest| rest.strip_prefix('/'))
            .map(|rest| rest.split_once('@').map_or(rest, |(name, _)| name));
        match interface {
            // types only: there is nothing to call in it
            Some("types") => {}
            Some(name) => {
                wanted.insert(Capability::from_interface(name).ok_or_else(|| import.to_owned())?);
            }
            None => return Err(import.to_owned()),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_become_capabilities() {
        let imports = ["aedile:action/http@0.1.0", "aedile:action/types@0.1.0", "aedile:action/log"];
        let wanted = wanted(imports.into_iter()).unwrap();
        assert_eq!(wanted.into_iter().collect::<Vec<_>>(), [Capability::Log, Capability::Http]);
    }

    #[test]
    fn anything_else_is_named() {
        for import in ["wasi:cli/environment@0.2.3", "aedile:action/shell@0.1.0", "aedile:actionx/log", "log"]
        {
            assert_eq!(wanted(std::iter::once(import)), Err(import.to_owned()));
        }
    }
}

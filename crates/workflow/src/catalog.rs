//! Where functions come from that a document does not define itself.

use serde_json::Value;

/// What a catalog knows a function as.
#[derive(Debug, Clone, PartialEq)]
pub enum Function {
    /// A WASM action.
    Wasm {
        /// Its name.
        name: String,
        /// The exact version, once chosen.
        version: Option<String>,
    },
    /// One task of the DSL as JSON, like an entry of `use.functions`.
    Task(Value),
}

/// Resolves the name in `call: NAME` when neither the DSL, nor `use.functions`, nor Aedile's own functions have it.
///
/// Pure: the same name gives the same answer for as long as a document is read.
pub trait Resolver {
    /// The function `name`, of exactly `version` if that is given.
    fn function(&self, name: &str, version: Option<&str>) -> Option<Function>;

    /// Names to suggest when one is not known.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Knows no catalog: a name with a version (`echo:1.0.0`, `echo@1.0.0`) is taken for a WASM action, anything else is unknown.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCatalog;

impl Resolver for NoCatalog {
    fn function(&self, name: &str, version: Option<&str>) -> Option<Function> {
        version.map(|version| Function::Wasm { name: name.to_owned(), version: Some(version.to_owned()) })
    }
}

/// Splits `name:version`, `name@version` and `name:version@catalog`; the catalog last.
pub(crate) fn split(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let is_version = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    match (text.split_once(':'), text.rsplit_once('@')) {
        (Some((name, rest)), _) => match rest.split_once('@') {
            Some((version, catalog)) => (name, Some(version), Some(catalog)),
            None => (name, Some(rest), None),
        },
        (None, Some((name, version))) if is_version(version) => (name, Some(version), None),
        (None, Some((name, catalog))) => (name, None, Some(catalog)),
        (None, None) => (text, None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_versions_and_catalogs_come_apart() {
        assert_eq!(split("echo"), ("echo", None, None));
        assert_eq!(split("echo:1.0.0"), ("echo", Some("1.0.0"), None));
        assert_eq!(split("echo@1.0.0"), ("echo", Some("1.0.0"), None));
        assert_eq!(split("log:1.0.0@global"), ("log", Some("1.0.0"), Some("global")));
        assert_eq!(split("log@global"), ("log", None, Some("global")));
    }
}

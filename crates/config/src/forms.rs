//! The concise forms (`linux: pkg: nginx: {}`): which there are, and what they stand for.

use std::collections::BTreeMap;

use plan::{Name, Schemas, TypeName};

/// What a concise form stands for.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    /// The type.
    pub(crate) kind: TypeName,
    /// The attribute that takes the key, when one does.
    pub(crate) key: Option<Name>,
    /// Whether it is about presence: `state`, with the lists `install`, `remove` and `upgrade`.
    pub(crate) states: bool,
}

/// Namespace, provider, type, attribute that takes the key, whether it is about presence.
const SHIPPED: &[(&str, &str, &str, Option<&str>, bool)] = &[
    ("linux", "pkg", "linux.pkg::package", Some("package"), true),
    ("linux", "file", "linux.file", Some("path"), false),
    ("linux", "service", "linux.service", Some("name"), false),
    ("linux", "user", "linux.user", Some("name"), false),
    ("linux", "exec", "linux.exec", None, false),
    ("probe", "http", "probe.http", None, false),
    ("probe", "tcp", "probe.tcp", None, false),
];

/// The concise forms there are, from the shipped providers and from what is known of others.
pub(crate) struct Forms<'s> {
    schemas: Option<&'s Schemas>,
    by_namespace: BTreeMap<String, BTreeMap<String, Form>>,
}

impl<'s> Forms<'s> {
    pub(crate) fn new(schemas: Option<&'s Schemas>) -> Self {
        let mut forms = Self { schemas, by_namespace: BTreeMap::new() };
        for provider in schemas.iter().flat_map(|schemas| schemas.providers.keys()) {
            if let Some((namespace, name)) = provider.split_once('.')
                && let Some(form) = forms.of_provider(namespace, name)
            {
                forms.insert(namespace, name, form);
            }
        }
        for (namespace, name, kind, key, states) in SHIPPED {
            let Ok(kind) = kind.parse() else { continue };
            let key = key.and_then(|key| key.parse().ok());
            let kind = forms.resolve(kind);
            forms.insert(namespace, name, Form { kind, key, states: *states });
        }
        forms
    }

    fn insert(&mut self, namespace: &str, name: &str, form: Form) {
        self.by_namespace.entry(namespace.to_owned()).or_default().insert(name.to_owned(), form);
    }

    /// A provider that is not shipped: the key is the attribute that identifies its thing, when it is one alone.
    fn of_provider(&self, namespace: &str, name: &str) -> Option<Form> {
        let kind = self.resolve(format!("{namespace}.{name}").parse().ok()?);
        let (_, schema) = self.schemas?.find(&kind)?;
        let key = match schema.identity.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        };
        Some(Form { kind, key, states: false })
    }

    /// The type that a name without `::` stands for: the provider's only one, else the one named as the provider is.
    pub(crate) fn resolve(&self, kind: TypeName) -> TypeName {
        if kind.as_str().contains("::") {
            return kind;
        }
        let usual = |text: String| text.parse().unwrap_or_else(|_| kind.clone());
        let Some(provider) = self.schemas.and_then(|schemas| schemas.providers.get(kind.as_str())) else {
            let shipped = SHIPPED.iter().find(|(namespace, name, ..)| {
                kind.as_str().strip_prefix(namespace).and_then(|rest| rest.strip_prefix('.')) == Some(name)
            });
            return shipped.map_or_else(|| kind.clone(), |(_, _, full, ..)| usual((*full).to_owned()));
        };
        if provider.types.contains_key(&kind) {
            return kind;
        }
        if provider.types.len() == 1 {
            return provider.types.keys().next().cloned().unwrap_or(kind);
        }
        let last = kind.as_str().rsplit('.').next().unwrap_or_default();
        let named = usual(format!("{kind}::{last}"));
        if provider.types.contains_key(&named) { named } else { kind }
    }

    /// The providers of a namespace; `None` where there is no such namespace.
    pub(crate) fn namespace(&self, name: &str) -> Option<&BTreeMap<String, Form>> {
        self.by_namespace.get(name)
    }

    /// Every namespace.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = &str> + Clone {
        self.by_namespace.keys().map(String::as_str)
    }
}

//! A provider's schema document, and the schema that plans are made with.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Capability, Digest, EffectClass, Reversibility};
use plan::schema::{
    AttributeSchema, AttributeType, Computed, Nature, Normaliser, Ownership, Presence, ProviderSchema,
    ReplaceOrder, Schemas, TypeSchema,
};
use plan::{Name, TypeName};
use serde::Deserialize;
use serde_json::Value;

use crate::ProviderError;
use crate::exchange::Attributes;
use crate::limits::{ATTRIBUTES_MAX, SCHEMA_BYTES_MAX, TYPES_MAX};
use crate::needs::Pattern;

/// What a provider says about itself, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One line for people.
    pub summary: String,
    /// Its types by full name.
    pub types: BTreeMap<TypeName, TypeDescription>,
}

/// What a provider says about one type.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeDescription {
    /// Its full name.
    pub name: TypeName,
    /// One line for people.
    pub summary: String,
    /// What planning needs of it.
    pub schema: TypeSchema,
    /// One line for people for each attribute that has one.
    pub notes: BTreeMap<Name, String>,
    /// The attributes whose value is the path of a project's file, and what of the file the provider gets.
    pub files: BTreeMap<Name, FileUse>,
    /// What an id for `import` is, if things of this type can be imported.
    pub import: Option<String>,
    pub(crate) patterns: Vec<Pattern>,
}

/// What a provider gets of a project's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileUse {
    /// Its path, digest and size.
    Reference,
    /// Also its text.
    Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    version: String,
    #[serde(default)]
    summary: String,
    types: BTreeMap<TypeName, TypeDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct TypeDocument {
    #[serde(default)]
    summary: String,
    attributes: BTreeMap<Name, AttributeDocument>,
    #[serde(default)]
    identity: Vec<Name>,
    presence: Option<PresenceDocument>,
    #[serde(default)]
    replace: ReplaceWord,
    create: Option<NatureDocument>,
    update: Option<NatureDocument>,
    delete: Option<NatureDocument>,
    handle: Option<NatureDocument>,
    #[serde(default)]
    handlers: Vec<Name>,
    #[serde(default)]
    capabilities: Vec<String>,
    import: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AttributeDocument {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    computed: ComputedWord,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    forces_replacement: bool,
    #[serde(default)]
    normalise: Vec<NormaliserWord>,
    #[serde(default)]
    owner: OwnerWord,
    default: Option<Value>,
    file: Option<FileUse>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Text,
    Words(Vec<Arc<str>>),
    Integer,
    Number,
    Boolean,
    Any,
    List(Box<Kind>),
    Map(Box<Kind>),
}

impl From<Kind> for AttributeType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Words(words) => Self::Word(words),
            Kind::Integer => Self::Integer,
            Kind::Number => Self::Number,
            Kind::Boolean => Self::Boolean,
            Kind::Any => Self::Any,
            Kind::List(items) => Self::List(Box::new((*items).into())),
            Kind::Map(items) => Self::Map(Box::new((*items).into())),
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident for $of:ty { $first:ident $(, $other:ident)* $(,)? }) => {
        $(#[$doc])*
        #[derive(Deserialize, Default, Clone, Copy)]
        #[serde(rename_all = "kebab-case")]
        enum $name { #[default] $first, $($other),* }

        impl From<$name> for $of {
            fn from(word: $name) -> Self {
                match word { $name::$first => Self::$first, $($name::$other => Self::$other),* }
            }
        }
    };
}

words!(ComputedWord for Computed { No, AtCreation, Always });
words!(OwnerWord for Ownership { Declared, Initial, Foreign });
words!(ReplaceWord for ReplaceOrder { DeleteFirst, CreateFirst });
words!(EffectWord for EffectClass { Idempotent, Read, Verifiable, Once });
words!(ReversibilityWord for Reversibility { Reversible, NoChange, Irreversible });
words!(NormaliserWord for Normaliser { Case, Trim, Space, Lines, Numeric, Truth, Octal, Set, Path });

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresenceDocument {
    attribute: Name,
    absent: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NatureDocument {
    #[serde(default)]
    effect: EffectWord,
    #[serde(default)]
    reversibility: ReversibilityWord,
}

impl From<NatureDocument> for Nature {
    fn from(document: NatureDocument) -> Self {
        Self { effect: document.effect.into(), reversibility: document.reversibility.into() }
    }
}

impl Description {
    /// Reads and checks a schema document; docs/reference/providers.md describes it.
    ///
    /// # Errors
    /// [`ProviderError::BadSchema`] names the first thing that is wrong.
    pub fn parse(provider: &str, text: &str) -> Result<Self, ProviderError> {
        let bad = |why: String| ProviderError::BadSchema { provider: provider.to_owned(), why };
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(bad(format!("{} bytes; at most {SCHEMA_BYTES_MAX} are read", text.len())));
        }
        let document: Document = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        if document.types.is_empty() || document.types.len() > TYPES_MAX {
            return Err(bad(format!("{} types; from 1 to {TYPES_MAX} are possible", document.types.len())));
        }
        let mut types = BTreeMap::new();
        for (name, described) in document.types {
            let described = described.check(name.clone()).map_err(|why| bad(format!("`{name}`: {why}")))?;
            types.insert(name, described);
        }
        let Document { name, version, summary, .. } = document;
        if version.is_empty() {
            return Err(bad("it has no version".to_owned()));
        }
        Ok(Self { name, version, summary, types })
    }

    /// Adds the types to the schemas that plans are made with. Their version names the component exactly, so that an
    /// approval of a plan is an approval of this code.
    pub fn add_to(&self, schemas: &mut Schemas, component: &Digest) {
        for (name, described) in &self.types {
            let provider = schemas.providers.entry(name.provider().to_owned()).or_insert_with(|| {
                ProviderSchema { version: format!("{}@{component}", self.version), types: BTreeMap::new() }
            });
            provider.types.insert(name.clone(), described.schema.clone());
        }
    }
}

impl TypeDescription {
    /// Declared attributes with the defaults of those that are not declared.
    #[must_use]
    pub fn complete(&self, mut declared: Attributes) -> Attributes {
        for (name, attribute) in &self.schema.attributes {
            if let Some(default) = &attribute.default
                && !declared.contains_key(name.as_str())
            {
                declared.insert(name.as_str().to_owned(), Value::clone(default));
            }
        }
        declared
    }
}

impl TypeDocument {
    fn check(self, name: TypeName) -> Result<TypeDescription, String> {
        if self.attributes.len() > ATTRIBUTES_MAX {
            return Err(format!("more than {ATTRIBUTES_MAX} attributes"));
        }
        let (mut notes, mut files, mut attributes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (name, document) in self.attributes {
            if !document.summary.is_empty() {
                notes.insert(name.clone(), document.summary.clone());
            }
            if let Some(file) = document.file {
                files.insert(name.clone(), file);
            }
            attributes.insert(name, document.into());
        }
        let known = |name: &Name| {
            if attributes.contains_key(name) {
                Ok(())
            } else {
                Err(format!("there is no attribute `{name}`"))
            }
        };
        self.identity.iter().try_for_each(known)?;
        self.presence.iter().map(|presence| &presence.attribute).try_for_each(known)?;
        let patterns = self
            .capabilities
            .iter()
            .map(|text| {
                let pattern: Pattern = text.parse()?;
                pattern.attributes().try_for_each(|used| {
                    known(&used.parse().map_err(|error: plan::NameError| error.to_string())?)
                })?;
                Ok(pattern)
            })
            .collect::<Result<_, String>>()?;
        let mut schema = TypeSchema::new(attributes);
        schema.identity = self.identity;
        schema.presence =
            self.presence.map(|presence| Presence { attribute: presence.attribute, absent: presence.absent });
        schema.replace = self.replace.into();
        schema.handlers = self.handlers;
        schema.capabilities = self.capabilities.into_iter().map(Capability).collect();
        for (nature, document) in [
            (&mut schema.create, self.create),
            (&mut schema.update, self.update),
            (&mut schema.delete, self.delete),
            (&mut schema.handle, self.handle),
        ] {
            if let Some(document) = document {
                *nature = document.into();
            }
        }
        Ok(TypeDescription {
            name,
            summary: self.summary,
            schema,
            notes,
            files,
            import: self.import,
            patterns,
        })
    }
}

impl From<AttributeDocument> for AttributeSchema {
    fn from(document: AttributeDocument) -> Self {
        Self {
            kind: document.kind.into(),
            required: document.required,
            computed: document.computed.into(),
            sensitive: document.sensitive,
            forces_replacement: document.forces_replacement,
            normalisers: document.normalise.into_iter().map(Normaliser::from).collect(),
            ownership: document.owner.into(),
            default: document.default.map(Arc::new),
        }
    }
}

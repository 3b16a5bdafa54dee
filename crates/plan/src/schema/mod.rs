//! What a provider says about its types, as far as planning needs it.

mod check;
mod normal;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Capability, EffectClass, Reversibility};
use serde_json::Value;

use crate::name::{Name, TypeName};

pub(crate) use check::{check_check, check_resource};
pub use normal::Normaliser;
pub(crate) use normal::{normalise, same};

/// The type of an attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeType {
    /// A text.
    Text,
    /// One of these texts.
    Word(Vec<Arc<str>>),
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list of values of one type.
    List(Box<AttributeType>),
    /// Values of one type by name.
    Map(Box<AttributeType>),
    /// Anything.
    Any,
}

/// Whether the resource itself yields the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Computed {
    /// No: it is what the configuration says.
    #[default]
    No,
    /// Yes, when it is created; the same from then on.
    AtCreation,
    /// Yes, and every change may change it.
    Always,
}

/// Who owns an attribute that the configuration declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ownership {
    /// The configuration: what differs is put right.
    #[default]
    Declared,
    /// The configuration when the resource is created; whoever changes it later, from then on.
    Initial,
    /// Somebody else: shown, never compared.
    Foreign,
}

/// One attribute of a type.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeSchema {
    /// Type of its values.
    pub kind: AttributeType,
    /// Whether the configuration must declare it.
    pub required: bool,
    /// Whether the resource yields it.
    pub computed: Computed,
    /// Whether its value is a secret: it is then declared by reference, and never in a plan.
    pub sensitive: bool,
    /// Whether another value needs another resource.
    pub forces_replacement: bool,
    /// What makes two spellings one value, in this order.
    pub normalisers: Vec<Normaliser>,
    /// Who owns it.
    pub ownership: Ownership,
    /// Its value when the configuration does not declare it.
    pub default: Option<Arc<Value>>,
}

impl AttributeSchema {
    /// Whether two values mean the same for this attribute.
    pub fn same(&self, a: &Value, b: &Value) -> bool {
        same(&self.normalisers, a, b)
    }

    /// An optional, plain attribute that the configuration owns.
    pub fn new(kind: AttributeType) -> Self {
        Self {
            kind,
            required: false,
            computed: Computed::No,
            sensitive: false,
            forces_replacement: false,
            normalisers: Vec::new(),
            ownership: Ownership::Declared,
            default: None,
        }
    }

    /// The same, required.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The same, secret.
    #[must_use]
    pub fn sensitive(self) -> Self {
        Self { sensitive: true, ..self }
    }

    /// The same, forcing replacement.
    #[must_use]
    pub fn forces_replacement(self) -> Self {
        Self { forces_replacement: true, ..self }
    }

    /// The same, yielded by the resource.
    #[must_use]
    pub fn computed(self, computed: Computed) -> Self {
        Self { computed, ..self }
    }

    /// The same, compared after one more normaliser.
    #[must_use]
    pub fn normalised(mut self, normaliser: Normaliser) -> Self {
        self.normalisers.push(normaliser);
        self
    }

    /// The same, owned by somebody.
    #[must_use]
    pub fn owned(self, ownership: Ownership) -> Self {
        Self { ownership, ..self }
    }

    /// The same with a default.
    #[must_use]
    pub fn default_value(self, value: impl Into<Value>) -> Self {
        Self { default: Some(Arc::new(value.into())), ..self }
    }
}

/// What an operation of a type is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nature {
    /// What may be done after a crash in the middle of it.
    pub effect: EffectClass,
    /// Whether it can be taken back.
    pub reversibility: Reversibility,
}

/// The attribute by which a configuration says that a thing is to be absent, such as `state: absent`.
#[derive(Debug, Clone, PartialEq)]
pub struct Presence {
    /// The attribute.
    pub attribute: Name,
    /// The value that means absent.
    pub absent: Value,
}

/// How a resource is replaced when an attribute forces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplaceOrder {
    /// Delete the old one, then create the new one.
    #[default]
    DeleteFirst,
    /// Create the new one, move what depends on it, then delete the old one. Needs a changed identity.
    CreateFirst,
}

/// One type of resource.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeSchema {
    /// Its attributes.
    pub attributes: BTreeMap<Name, AttributeSchema>,
    /// The attributes that say which thing it is on its host; two resources never share them all.
    pub identity: Vec<Name>,
    /// How it is declared absent, if it can be.
    pub presence: Option<Presence>,
    /// How it is replaced unless the resource says otherwise.
    pub replace: ReplaceOrder,
    /// What creating is like.
    pub create: Nature,
    /// What updating is like.
    pub update: Nature,
    /// What deleting is like.
    pub delete: Nature,
    /// What it can do when something it watches has changed (`restart`, `reload`), the usual one first.
    pub handlers: Vec<Name>,
    /// What running a handler is like.
    pub handle: Nature,
    /// What applying needs to be let do.
    pub capabilities: Vec<Capability>,
}

impl TypeSchema {
    /// A type with these attributes, idempotent, whose deletion cannot be taken back.
    pub fn new(attributes: impl IntoIterator<Item = (Name, AttributeSchema)>) -> Self {
        let nature = |reversibility| Nature { effect: EffectClass::Idempotent, reversibility };
        Self {
            attributes: attributes.into_iter().collect(),
            identity: Vec::new(),
            presence: None,
            replace: ReplaceOrder::DeleteFirst,
            create: nature(Reversibility::Reversible),
            update: nature(Reversibility::Reversible),
            delete: nature(Reversibility::Irreversible),
            handlers: Vec::new(),
            handle: nature(Reversibility::NoChange),
            capabilities: Vec::new(),
        }
    }
}

/// One provider.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProviderSchema {
    /// Its exact version or digest: what approvals and plans name.
    pub version: String,
    /// Its types by full name.
    pub types: BTreeMap<TypeName, TypeSchema>,
}

/// Every provider by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schemas {
    /// Them.
    pub providers: BTreeMap<String, ProviderSchema>,
}

impl Schemas {
    /// A type's provider version and schema.
    pub fn find(&self, kind: &TypeName) -> Option<(&str, &TypeSchema)> {
        let provider = self.providers.get(kind.provider())?;
        provider.types.get(kind).map(|schema| (provider.version.as_str(), schema))
    }

    /// Every type's name.
    pub fn types(&self) -> impl Iterator<Item = &TypeName> {
        self.providers.values().flat_map(|provider| provider.types.keys())
    }
}

//! What should be: the configuration's resources, as whoever read it hands them over.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Location, OnDrift};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::inventory::Selector;
use crate::name::{Name, ResourceId, TypeName};
use crate::schema::ReplaceOrder;

/// Where something is written; the file's name is shared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The file as the person gave it.
    pub file: Arc<str>,
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column in characters, from 1; 0 when unknown.
    pub column: u32,
}

impl Place {
    /// A place in a file.
    pub fn new(file: &Arc<str>, line: u32, column: u32) -> Self {
        Self { file: file.clone(), line, column }
    }

    /// The same with a path within the document.
    pub fn location(&self, path: impl Into<String>) -> Location {
        Location { file: self.file.to_string(), line: self.line, column: self.column, path: path.into() }
    }
}

/// A declared value and where it is declared.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// The value; may refer to secrets and to other resources' outputs.
    pub value: Arc<Value>,
    /// Where.
    pub place: Place,
}

impl Attribute {
    /// A declared value.
    pub fn new(value: impl Into<Value>, place: Place) -> Self {
        Self { value: Arc::new(value.into()), place }
    }
}

/// What a dependency means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DependencyKind {
    /// After it, and only if it succeeded.
    Require,
    /// After it, whatever became of it.
    Order,
    /// After it, only if it succeeded, and the handler runs when it changed.
    Notify,
}

/// A dependency of a resource on another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// The one it depends on.
    pub on: ResourceId,
    /// What that means.
    pub kind: DependencyKind,
    /// Where it is declared.
    pub place: Place,
}

/// One declared resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its id, unique in the configuration.
    pub id: ResourceId,
    /// Its type.
    pub kind: TypeName,
    /// Where it is declared.
    pub place: Place,
    /// What people group it by.
    pub labels: BTreeMap<String, String>,
    /// Its declared attributes.
    pub attributes: BTreeMap<Name, Attribute>,
    /// The hosts it is for.
    pub on: Selector,
    /// Whether it is fine that no host is selected.
    pub may_match_nothing: bool,
    /// What it depends on.
    pub depends: Vec<Dependency>,
    /// What it was called before.
    pub moved_from: Vec<ResourceId>,
    /// Attributes whose differences are left alone.
    pub ignore: Vec<Name>,
    /// Whether a plan that would delete or replace it is refused for it.
    pub keep: bool,
    /// How it is replaced, where that is not as its type says.
    pub replace: Option<ReplaceOrder>,
    /// What it does when something it watches has changed, where that is not its type's usual handler.
    pub handler: Option<Name>,
    /// What is done when somebody else changes it.
    pub drift: OnDrift,
}

impl Resource {
    /// A resource for every host, without attributes.
    pub fn new(id: ResourceId, kind: TypeName, place: Place) -> Self {
        Self {
            id,
            kind,
            place,
            labels: BTreeMap::new(),
            attributes: BTreeMap::new(),
            on: Selector::All,
            may_match_nothing: false,
            depends: Vec::new(),
            moved_from: Vec::new(),
            ignore: Vec::new(),
            keep: false,
            replace: None,
            handler: None,
            drift: OnDrift::default(),
        }
    }

    /// The same with one more attribute, declared where the resource is.
    #[must_use]
    pub fn with(mut self, name: Name, value: impl Into<Value>) -> Self {
        let place = self.place.clone();
        self.attributes.insert(name, Attribute::new(value, place));
        self
    }

    /// The same, for some hosts.
    #[must_use]
    pub fn on(mut self, selector: Selector) -> Self {
        self.on = selector;
        self
    }

    /// The same with one more dependency, declared where the resource is.
    #[must_use]
    pub fn after(mut self, on: ResourceId, kind: DependencyKind) -> Self {
        let place = self.place.clone();
        self.depends.push(Dependency { on, kind, place });
        self
    }

    pub(crate) fn location(&self) -> Location {
        self.place.location(format!("/resources/{}", pointer(self.id.as_str())))
    }

    pub(crate) fn location_of(&self, name: &str, attribute: &Attribute) -> Location {
        let path = format!("/resources/{}/config/{}", pointer(self.id.as_str()), pointer(name));
        attribute.place.location(path)
    }
}

/// One part of a JSON pointer (RFC 6901).
pub(crate) fn pointer(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

/// A test of a host at the end of its part of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Its name.
    pub name: Name,
    /// What carries it out, for example `probe.http`.
    pub kind: TypeName,
    /// Its attributes.
    pub attributes: BTreeMap<Name, Attribute>,
    /// The hosts it is for; only those that the plan changes are tested.
    pub on: Selector,
    /// Where it is declared.
    pub place: Place,
}

/// A configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Desired {
    /// Its resources, in any order.
    pub resources: Vec<Resource>,
    /// Its checks.
    pub checks: Vec<Check>,
}

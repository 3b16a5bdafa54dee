//! Resources in verbose form, and what both forms have in common.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cue::{Located, LocatedData};
use model::OnDrift;
use model::code::{config as code, plan as plan_code};
use plan::schema::ReplaceOrder;
use plan::{Attribute, Dependency, DependencyKind, Name, Resource, ResourceId, TypeName};

use super::target::{self, Target};
use super::value::{self, References};
use super::{Fields, Findings, Path, place, suggestion};
use crate::forms::Forms;
use crate::limits;
use crate::project::Notes;

/// All fields of the verbose form.
const FIELDS: [&str; 14] = [
    "id",
    "type",
    "name",
    "config",
    "dependencies",
    "labels",
    "annotations",
    "target",
    "moved_from",
    "ignore",
    "keep",
    "replace",
    "handler",
    "drift",
];

/// What is a resource's own and no attribute, in both forms.
pub(crate) const WORDS: &[&str] = FIELDS.split_at(4).1;

/// The resources read so far.
pub(crate) struct Resources<'f> {
    pub(crate) list: Vec<Resource>,
    pub(crate) notes: BTreeMap<ResourceId, Notes>,
    pub(crate) references: References,
    pub(crate) forms: &'f Forms<'f>,
    /// Where resources go that name no target.
    pub(crate) usual: Target,
    index: HashMap<ResourceId, usize>,
    /// Keys of resources that have another id.
    keys: HashMap<String, ResourceId>,
}

impl<'f> Resources<'f> {
    pub(crate) fn new(forms: &'f Forms<'f>, usual: Target) -> Self {
        Self {
            list: Vec::new(),
            notes: BTreeMap::new(),
            references: References::default(),
            forms,
            usual,
            index: HashMap::new(),
            keys: HashMap::new(),
        }
    }

    /// `resources: KEY: {..}`.
    pub(crate) fn verbose(&mut self, value: &Located, path: &Path<'_>, found: &mut Findings) {
        let Some(fields) = found.object(value, path) else { return };
        for (key, field) in fields {
            if found.full() {
                return;
            }
            self.one(key, field, &path.field(key), found);
        }
    }

    fn one(&mut self, key: &str, value: &Located, path: &Path<'_>, found: &mut Findings) {
        let Some(fields) = found.object(value, path) else { return };
        found.only(fields, path, &FIELDS);
        let (mut id, mut kind, mut config, mut name) = (None, None, None, None);
        for (field, value) in fields {
            let path = path.field(field);
            match &**field {
                "id" => id = Some(found.name::<ResourceId>(value, &path)),
                "type" => kind = Some(found.name::<TypeName>(value, &path)),
                "config" => config = Some(value),
                "name" => name = found.text(value, &path).map(ToString::to_string),
                _ => {}
            }
        }
        let id = id.unwrap_or_else(|| found.parsed(key, &value.spot, path));
        let Some(kind) = kind else {
            let message = format!("`{key}` has no type");
            found.error(code::BAD_VALUE, &value.spot, path, message).hint =
                Some("write `type: \"linux.pkg::package\"`, for example".to_owned());
            return;
        };
        let (Some(id), Some(kind)) = (id, kind) else { return };
        if id.as_str() != key {
            self.keys.insert(key.to_owned(), id.clone());
        }
        let mut resource = Resource::new(id, self.forms.resolve(kind), place(&value.spot));
        if let Some(config) = config {
            self.attributes(&mut resource.attributes, config, &path.field("config"), found);
        }
        let notes = self.words(&mut resource, fields, path, found);
        self.add(resource, Notes { name, ..notes }, path, found);
    }

    /// Takes an object's members as attributes.
    pub(crate) fn attributes(
        &mut self,
        attributes: &mut BTreeMap<Name, Attribute>,
        config: &Located,
        path: &Path<'_>,
        found: &mut Findings,
    ) {
        for (field, value) in found.object(config, path).into_iter().flatten() {
            self.attribute(attributes, field, value, path, found);
        }
    }

    /// Takes one attribute.
    pub(crate) fn attribute(
        &mut self,
        attributes: &mut BTreeMap<Name, Attribute>,
        field: &str,
        value: &Located,
        path: &Path<'_>,
        found: &mut Findings,
    ) {
        let path = path.field(field);
        let Some(name) = found.parsed::<Name>(field, &value.spot, &path) else { return };
        let Some(read) = value::read(value, &path, &mut self.references, found) else { return };
        attributes.insert(name, Attribute { value: Arc::new(read), place: place(&value.spot) });
    }

    /// Takes what is a resource's own in both forms.
    pub(crate) fn words(
        &self,
        resource: &mut Resource,
        fields: &Fields,
        path: &Path<'_>,
        found: &mut Findings,
    ) -> Notes {
        let mut notes = Notes::default();
        resource.on = self.usual.on.clone();
        resource.may_match_nothing = self.usual.allow_empty;
        for (field, value) in fields {
            let path = path.field(field);
            match &**field {
                "dependencies" => resource.depends = dependencies(value, &path, found),
                "labels" => notes.labels = found.texts(value, &path),
                "annotations" => notes.annotations = found.texts(value, &path),
                "target" => {
                    if let Some(target) = target::read(value, &path, found) {
                        resource.on = target.on;
                        resource.may_match_nothing = target.allow_empty;
                    }
                }
                "moved_from" => {
                    resource.moved_from = match &value.data {
                        LocatedData::String(_) => found.name(value, &path).into_iter().collect(),
                        _ => found.names(value, &path),
                    };
                }
                "ignore" => resource.ignore = found.names(value, &path),
                "keep" => resource.keep = found.boolean(value, &path).unwrap_or_default(),
                "replace" => resource.replace = replace(value, &path, found),
                "handler" => resource.handler = found.name(value, &path),
                "drift" => resource.drift = on_drift(value, &path, found).unwrap_or_default(),
                _ => {}
            }
        }
        notes
    }

    /// Adds a resource whose id nobody has.
    pub(crate) fn add(&mut self, resource: Resource, notes: Notes, path: &Path<'_>, found: &mut Findings) {
        if let Some(first) = self.index.get(&resource.id) {
            let first = &self.list[*first].place;
            let message = format!("`{}` is declared twice, first at {}", resource.id, first.location(""));
            let related = first.location("");
            let error = found.error_at(plan_code::DUPLICATE, &resource.place, path, message);
            error.related = vec![related];
            error.hint = Some(format!("give one of them another id, or keep one `{}`", resource.id));
            return;
        }
        if self.list.len() >= limits::RESOURCES_MAX {
            if self.list.len() == limits::RESOURCES_MAX {
                let message = format!("more than {} resources", limits::RESOURCES_MAX);
                found.error_at(code::LIMIT, &resource.place, path, message);
            }
            return;
        }
        if !notes.is_empty() {
            self.notes.insert(resource.id.clone(), notes);
        }
        self.index.insert(resource.id.clone(), self.list.len());
        self.list.push(resource);
    }

    /// Refuses dependencies on what nobody declares.
    pub(crate) fn check_dependencies(&self, found: &mut Findings) {
        for resource in &self.list {
            for dependency in &resource.depends {
                if self.index.contains_key(&dependency.on) || found.full() {
                    continue;
                }
                let message =
                    format!("`{}` depends on `{}`, which is not declared", resource.id, dependency.on);
                let known = self.list.iter().map(|one| one.id.as_str());
                let hint = match self.keys.get(dependency.on.as_str()) {
                    Some(id) => Some(format!("the id of `{}` is `{id}`", dependency.on)),
                    None => suggestion(dependency.on.as_str(), known),
                };
                let resources = Path::Root.field("resources");
                let path = resources.field(resource.id.as_str());
                found.error_at(plan_code::UNKNOWN_NAME, &dependency.place, &path, message).hint = hint;
            }
        }
    }
}

fn replace(value: &Located, path: &Path<'_>, found: &mut Findings) -> Option<ReplaceOrder> {
    match &**found.text(value, path)? {
        "delete_first" => Some(ReplaceOrder::DeleteFirst),
        "create_first" => Some(ReplaceOrder::CreateFirst),
        _ => {
            found.error(code::BAD_VALUE, &value.spot, path, "this must be delete_first or create_first");
            None
        }
    }
}

fn on_drift(value: &Located, path: &Path<'_>, found: &mut Findings) -> Option<OnDrift> {
    let text = found.text(value, path)?;
    let word = OnDrift::from_word(text);
    if word.is_none() {
        let message = format!("`{text}` is nothing that can be done about drift");
        found.error(code::BAD_VALUE, &value.spot, path, message).hint =
            suggestion(text, OnDrift::WORDS.iter().copied());
    }
    word
}

/// `[{resource_id: .., type: require | order | notify}]`.
fn dependencies(value: &Located, path: &Path<'_>, found: &mut Findings) -> Vec<Dependency> {
    let Some(items) = found.list(value, path) else { return Vec::new() };
    let mut depends = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let path = Path::Item(path, index);
        let Some(fields) = found.object(item, &path) else { continue };
        found.only(fields, &path, &["resource_id", "type"]);
        let kind = match super::get(fields, "type") {
            None => Some(DependencyKind::Require),
            Some(value) => dependency_kind(value, &path.field("type"), found),
        };
        let Some(on) = super::get(fields, "resource_id") else {
            found.error(code::BAD_VALUE, &item.spot, &path, "a dependency names its `resource_id`");
            continue;
        };
        let place = place(&on.spot);
        if let (Some(on), Some(kind)) = (found.name(on, &path.field("resource_id")), kind) {
            depends.push(Dependency { on, kind, place });
        }
    }
    depends
}

fn dependency_kind(value: &Located, path: &Path<'_>, found: &mut Findings) -> Option<DependencyKind> {
    const KINDS: [&str; 3] = ["require", "order", "notify"];
    let text = found.text(value, path)?;
    let kind = match &**text {
        "require" => DependencyKind::Require,
        "order" => DependencyKind::Order,
        "notify" => DependencyKind::Notify,
        other => {
            let message = format!("there is no kind of dependency `{other}`");
            found.error(code::BAD_VALUE, &value.spot, path, message).hint = suggestion(other, KINDS);
            return None;
        }
    };
    Some(kind)
}

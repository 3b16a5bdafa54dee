//! Resources in concise form: `linux: pkg: {nginx: {}, redis: {}}`, a list of names, or lists by what is to be done.

use cue::{Located, LocatedData};
use plan::{Attribute, Name, Resource, ResourceId};

use super::resource::{Resources, WORDS};
use super::{Fields, Findings, Path, place};
use crate::forms::Form;

/// The lists of a form about presence, and the states they ask for.
const LISTS: [(&str, &str); 3] = [("install", "present"), ("remove", "absent"), ("upgrade", "latest")];

/// The attribute of presence.
const STATE: &str = "state";

/// One resource in the making.
struct Short<'a> {
    /// `linux-pkg`.
    prefix: &'a str,
    form: &'a Form,
    key: &'a str,
    at: &'a Located,
    fields: &'a Fields,
    state: &'a str,
}

impl Resources<'_> {
    /// A namespace: providers by name.
    pub(crate) fn concise(
        &mut self,
        namespace: &str,
        value: &Located,
        path: &Path<'_>,
        found: &mut Findings,
    ) {
        let forms = self.forms;
        let Some(providers) = forms.namespace(namespace) else { return };
        let Some(fields) = found.object(value, path) else { return };
        for (name, field) in fields {
            let path = path.field(name);
            if let Some(form) = providers.get(&**name) {
                self.provider(&format!("{namespace}-{name}"), form, field, &path, found);
            } else {
                let message = format!("there is no provider `{namespace}.{name}`");
                let known = providers.keys().map(String::as_str);
                found.unknown(&field.spot, &path, message, name, known);
            }
        }
    }

    fn provider(
        &mut self,
        prefix: &str,
        form: &Form,
        value: &Located,
        path: &Path<'_>,
        found: &mut Findings,
    ) {
        match &value.data {
            LocatedData::List(_) if form.states => self.names(prefix, form, "present", value, path, found),
            LocatedData::Object(fields) => {
                for (key, field) in fields {
                    if found.full() {
                        return;
                    }
                    let path = path.field(key);
                    let list = LISTS.iter().find(|(list, _)| **list == **key);
                    if let (true, Some((_, state)), LocatedData::List(_)) = (form.states, list, &field.data) {
                        self.names(prefix, form, state, field, &path, found);
                    } else if let Some(fields) = found.object(field, &path) {
                        let short = Short { prefix, form, key, at: field, fields, state: "present" };
                        self.short(&short, &path, found);
                    }
                }
            }
            _ if form.states => found.wrong(value, path, "resources by name, or a list of names"),
            _ => found.wrong(value, path, "resources by name"),
        }
    }

    fn names(
        &mut self,
        prefix: &str,
        form: &Form,
        state: &str,
        value: &Located,
        path: &Path<'_>,
        found: &mut Findings,
    ) {
        for (index, item) in found.list(value, path).into_iter().flatten().enumerate() {
            let path = Path::Item(path, index);
            if let Some(key) = found.text(item, &path) {
                self.short(&Short { prefix, form, key, at: item, fields: &[], state }, &path, found);
            }
        }
    }

    fn short(&mut self, short: &Short<'_>, path: &Path<'_>, found: &mut Findings) {
        let spot = &short.at.spot;
        let id = format!("{}-{}", short.prefix, short.key);
        let Some(id) = found.parsed::<ResourceId>(&id, spot, path) else { return };
        let mut resource = Resource::new(id, short.form.kind.clone(), place(spot));
        if let Some(name) = &short.form.key {
            let key = Attribute::new(short.key, place(spot));
            resource.attributes.insert(name.clone(), key);
        }
        if let (true, Ok(state)) = (short.form.states, STATE.parse::<Name>()) {
            resource.attributes.insert(state, Attribute::new(short.state, place(spot)));
        }
        for (field, value) in short.fields {
            if !WORDS.contains(&&**field) {
                self.attribute(&mut resource.attributes, field, value, path, found);
            }
        }
        let notes = self.words(&mut resource, short.fields, path, found);
        self.add(resource, notes, path, found);
    }
}

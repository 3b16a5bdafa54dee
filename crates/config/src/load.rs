//! The way from source texts to a [`Project`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cue::load::SourceFile;
use cue::{Located, LocatedData, Position, Spot};
use model::code::{config as code, plan as plan_code};
use model::{Diagnostic, Location};
use plan::{Attribute, Check, Desired, Inventory, Name, Place, TypeName};

use crate::complaint;
use crate::explain::Origins;
use crate::forms::Forms;
use crate::helpers::Helpers;
use crate::imports::Imports;
use crate::limits;
use crate::project::Project;
use crate::read::resource::Resources;
use crate::read::target::{self, Target};
use crate::read::{self, Findings, Path, get, place};
use crate::sources::{Options, Sources};
use crate::synthetic::Synthetic;
use crate::variables::{self, member};

/// Fields of a package that mean something here.
pub(crate) const FIELDS: [&str; 10] = [
    "workspace",
    "metadata",
    "environment",
    "environments",
    "variables",
    "hosts",
    "targets",
    "resources",
    "checks",
    "starlark",
];

/// Reads a configuration.
///
/// The same arguments give the same project on every machine. Work is proportional to what is declared.
///
/// # Errors
/// Everything that is wrong, up to [`limits::DIAGNOSTICS_MAX`], each with file, line, column and path.
pub fn load(sources: &Sources, options: &Options<'_>) -> Result<Project, Vec<Diagnostic>> {
    let (root, added) = Package::new(sources, options)?.prepared(options)?;
    root.validate(false).map_err(|errors| complaint::diagnostics(&errors, &added))?;
    let forms = Forms::new(options.schemas);
    let mut found = Findings::default();
    let files = sources.files.len();
    let mut project =
        Reading { root: &root, added: &added, forms: &forms, files, found: &mut found }.project();
    if found.errors.is_empty()
        && let Some(schemas) = options.schemas
    {
        found.errors = plan::check(&project.desired, &project.inventory, schemas);
    }
    if !found.errors.is_empty() {
        found.errors.truncate(limits::DIAGNOSTICS_MAX);
        return Err(found.errors);
    }
    project.warnings = found.warnings;
    project.digest = crate::digest::of(&project);
    project.origins = Arc::new(Origins { added });
    Ok(project)
}

/// The files of the package.
struct Package<'s> {
    sources: &'s Sources,
    imports: Imports<'s>,
    tags: Vec<String>,
}

impl<'s> Package<'s> {
    fn new(sources: &'s Sources, options: &Options<'_>) -> Result<Self, Vec<Diagnostic>> {
        let bytes: usize = sources.files.iter().map(|(_, text)| text.len()).sum();
        if sources.files.len() > limits::FILES_MAX || bytes > limits::SOURCE_BYTES_MAX {
            let (files, most) = (limits::FILES_MAX, limits::SOURCE_BYTES_MAX);
            let message = format!("the configuration has more than {files} files or {most} bytes");
            return Err(vec![Diagnostic::error(code::LIMIT, message, Location::default())]);
        }
        Ok(Self { sources, imports: Imports(&*sources.imports), tags: options.tags.clone() })
    }

    fn parse(&self) -> Result<Vec<SourceFile>, Vec<Diagnostic>> {
        let mut files = Vec::new();
        let mut errors = Vec::new();
        for (name, text) in &self.sources.files {
            match SourceFile::new(name, text) {
                Ok(file) => files.push(file),
                Err(more) => errors.extend(complaint::diagnostics(&more, &Synthetic::default())),
            }
        }
        if errors.is_empty() {
            errors.extend(other_package(&files));
        }
        errors.truncate(limits::DIAGNOSTICS_MAX);
        if errors.is_empty() { Ok(files) } else { Err(errors) }
    }

    /// The package with everything added that has to be known before it means something. Nothing but what that takes is
    /// evaluated on the way; where nothing is to be added, it is compiled once.
    fn prepared(&self, options: &Options<'_>) -> Result<(cue::Value, Synthetic), Vec<Diagnostic>> {
        let mut added = Synthetic::default();
        variables::name_environment(options, &mut added);
        let mut root = self.compile(&added)?;
        let before = added.len();
        variables::add(&root, options, &mut added)?;
        if added.len() > before {
            root = self.compile(&added)?;
        }
        let before = added.len();
        let helpers =
            Helpers { root: &root, options, texts: &self.sources.files, loader: &*self.sources.imports };
        helpers.add(&mut added)?;
        if added.len() > before {
            root = self.compile(&added)?;
        }
        Ok((root, added))
    }

    fn compile(&self, added: &Synthetic) -> Result<cue::Value, Vec<Diagnostic>> {
        let complain = |errors: cue::Errors| complaint::diagnostics(&errors, added);
        let mut files = self.parse()?;
        files.extend(added.file().map_err(complain)?);
        let limits = cue::Limits {
            steps: limits::CUE_STEPS_MAX,
            nodes: limits::CUE_VALUES_MAX,
            ..cue::Limits::default()
        };
        let options = cue::Options { tags: self.tags.clone(), limits, ..cue::Options::default() };
        cue::compile_package(files, &self.imports, options).map(cue::Value::without_syntax).map_err(complain)
    }
}

/// Files of one package name the same package, or none.
fn other_package(files: &[SourceFile]) -> Option<Diagnostic> {
    let mut named = files.iter().filter_map(|file| Some((file, &file.file.package.as_ref()?.name)));
    let (first, name) = named.next()?;
    let (other, second) = named.find(|(_, other)| *other != name)?;
    let message = format!("this file is of package `{second}`, and `{}` of `{name}`", first.file.name);
    let at = Location { file: other.file.name.clone(), line: 0, column: 0, path: String::new() };
    let hint = "name one package in all files, or give one package's files only".to_owned();
    Some(Diagnostic::error(code::BAD_VALUE, message, at).with_hint(hint))
}

/// The first place in each file at which a field is written, by its name or (not `named`) in any way.
fn files_of(value: &cue::Value, named: bool) -> Vec<Position> {
    let mut places: Vec<Position> = Vec::new();
    for one in value.declarations() {
        let counts = one.direct && (one.named || !named);
        if counts && places.iter().all(|known| known.file != one.position.file) {
            places.push(one.position);
        }
    }
    places
}

/// Reads an evaluated package.
struct Reading<'r> {
    root: &'r cue::Value,
    added: &'r Synthetic,
    forms: &'r Forms<'r>,
    files: usize,
    found: &'r mut Findings,
}

impl Reading<'_> {
    fn project(mut self) -> Project {
        let mut known: BTreeMap<String, Located> = BTreeMap::new();
        for (name, value) in self.root.fields() {
            if FIELDS.contains(&name.as_str()) || self.forms.namespace(&name).is_some() {
                if let Some(value) = self.located(&name, &value) {
                    known.insert(name, value);
                }
            } else {
                self.check_helper(&name, &value);
            }
        }
        let mut project = self.empty();
        let root = Path::Root;
        if let Some(value) = known.get("workspace") {
            self.workspace(value, &root.field("workspace"), &mut project);
        }
        if let Some(Located { data: LocatedData::Object(fields), .. }) = known.get("environments") {
            project.environments = fields.iter().map(|(name, _)| name.to_string()).collect();
        }
        if let Some(value) = known.get("variables") {
            self.variables(value, &mut project);
        }
        if let Some(value) = known.get("hosts") {
            project.hosts = read::host::read(value, &root.field("hosts"), self.found);
            let labels = project.hosts.iter().map(|(host, config)| (host.clone(), config.labels.clone()));
            project.inventory = Inventory { hosts: labels.collect() };
        }
        if let Some(value) = known.get("starlark") {
            self.helpers(value, &root.field("starlark"));
        }
        self.desired(known, &mut project);
        project
    }

    fn empty(&self) -> Project {
        Project {
            name: String::new(),
            version: None,
            providers: BTreeMap::new(),
            environments: BTreeSet::new(),
            variables: BTreeMap::new(),
            hosts: BTreeMap::new(),
            desired: Desired::default(),
            inventory: Inventory::default(),
            notes: BTreeMap::new(),
            secrets: BTreeSet::new(),
            digest: model::Digest::of(b""),
            warnings: Vec::new(),
            root: Some(self.root.clone()),
            origins: Arc::new(Origins::default()),
        }
    }

    fn located(&mut self, name: &str, value: &cue::Value) -> Option<Located> {
        match value.located() {
            Ok(mut located) => {
                self.added.relocate(&mut located);
                Some(located)
            }
            Err(errors) => {
                let mut more = complaint::diagnostics(&errors, self.added);
                if name == "variables" {
                    more.iter_mut().for_each(variables::explain_missing);
                }
                self.found.errors.extend(more);
                None
            }
        }
    }

    /// A field that means nothing here is a person's own, unless it looks like one that does.
    fn check_helper(&mut self, name: &str, value: &cue::Value) {
        let known = FIELDS.iter().copied().chain(self.forms.namespaces());
        let Some(nearest) = plan::nearest(name, known) else { return };
        // short names are near to everything
        if name.len() < 4 || name.chars().next() != nearest.chars().next() {
            return;
        }
        let spot = value.declarations().first().map_or_else(
            || Spot { file: "".into(), line: 0, column: 0 },
            |one| Spot {
                file: one.position.file.clone(),
                line: one.position.line,
                column: one.position.column,
            },
        );
        let message = format!("there is no field `{name}`");
        let path = Path::Root;
        self.found.error(code::UNKNOWN_FIELD, &spot, &path.field(name), message).hint =
            Some(format!("did you mean `{nearest}`? A helper of your own is written `_{name}` or `#{name}`"));
    }

    fn workspace(&mut self, value: &Located, path: &Path<'_>, project: &mut Project) {
        let Some(fields) = self.found.object(value, path) else { return };
        let known = ["name", "version", "providers", "variables", "backend", "policy"];
        self.found.only(fields, path, &known);
        for (name, field) in fields {
            let path = path.field(name);
            match &**name {
                "name" => {
                    project.name = self.found.text(field, &path).map(ToString::to_string).unwrap_or_default();
                }
                "version" => project.version = self.found.scalar(field, &path),
                "providers" => self.providers(field, &path, project),
                "variables" => self.variables(field, project),
                "backend" => {
                    let message = "`workspace.backend` has no effect: state is kept with the environment";
                    self.found.warning(&field.spot, &path, message);
                }
                "policy" => {
                    let message = "`workspace.policy` has no effect: policies are in policy.yaml";
                    self.found.warning(&field.spot, &path, message);
                }
                _ => {}
            }
        }
    }

    fn providers(&mut self, value: &Located, path: &Path<'_>, project: &mut Project) {
        for (index, item) in self.found.list(value, path).into_iter().flatten().enumerate() {
            let path = Path::Item(path, index);
            let Some(fields) = self.found.object(item, &path) else { continue };
            self.found.only(fields, &path, &["name", "version"]);
            let Some(name) = get(fields, "name") else {
                self.found.error(code::BAD_VALUE, &item.spot, &path, "a provider has a name");
                continue;
            };
            let Some(kind) = self.found.name::<TypeName>(name, &path.field("name")) else { continue };
            let version = get(fields, "version")
                .and_then(|version| self.found.text(version, &path.field("version")))
                .map(ToString::to_string)
                .unwrap_or_default();
            if project.providers.insert(kind.to_string(), version).is_some() {
                let message = format!("the provider `{kind}` is named twice");
                self.found.error(code::BAD_VALUE, &item.spot, &path, message);
            }
        }
    }

    fn variables(&mut self, value: &Located, project: &mut Project) {
        let path = Path::Root.field("variables");
        let Some(fields) = self.found.object(value, &path) else { return };
        for (name, field) in fields {
            if let Some(value) = read::value::plain(field) {
                project.variables.insert(name.to_string(), value);
            } else {
                self.found.wrong(field, &path.field(name), read::value::PLAIN);
            }
        }
    }

    /// Helpers have run by now; what is misspelt in them was not looked at.
    fn helpers(&mut self, value: &Located, path: &Path<'_>) {
        for (name, field) in self.found.object(value, path).into_iter().flatten() {
            let path = path.field(name);
            if let Some(fields) = self.found.object(field, &path) {
                self.found.only(fields, &path, &["script", "file", "inputs", "result"]);
            }
        }
    }

    fn desired(&mut self, mut known: BTreeMap<String, Located>, project: &mut Project) {
        let root = Path::Root;
        let usual = match known.get("targets") {
            Some(value) => target::read(value, &root.field("targets"), self.found).unwrap_or_default(),
            None => Target::default(),
        };
        let mut resources = Resources::new(self.forms, usual);
        // what was read is given up at once: it is large
        if let Some(value) = known.remove("resources") {
            resources.verbose(&value, &root.field("resources"), self.found);
        }
        for namespace in self.forms.namespaces() {
            if let Some(value) = known.remove(namespace) {
                resources.concise(namespace, &value, &root.field(namespace), self.found);
            }
        }
        resources.check_dependencies(self.found);
        if self.files > 1 {
            self.check_copies();
        }
        if let Some(value) = known.get("checks") {
            project.desired.checks = self.checks(value, &root.field("checks"), &mut resources);
        }
        project.desired.resources = resources.list;
        project.notes = resources.notes;
        project.secrets = resources.references.secrets;
    }

    /// One key with a type in two files is one resource to CUE, and most likely two to the people who wrote them.
    fn check_copies(&mut self) {
        for (key, resource) in member(self.root, "resources").into_iter().flat_map(|all| all.fields()) {
            let mut places = files_of(&resource, true).into_iter();
            let (Some(first), Some(second)) = (places.next(), places.next()) else { continue };
            if member(&resource, "type").is_none_or(|kind| files_of(&kind, false).len() < 2) {
                continue;
            }
            let place = |at: &Position| Place::new(&at.file, at.line, at.column);
            let message = format!("`{key}` is declared twice, first at {}", place(&first).location(""));
            let at = place(&second);
            let resources = Path::Root.field("resources");
            let error = self.found.error_at(plan_code::DUPLICATE, &at, &resources.field(&key), message);
            error.related = vec![place(&first).location("")];
            error.hint = Some("to say more about a resource elsewhere, leave out its type there".to_owned());
        }
    }

    /// `checks: NAME: {type, config, target}`.
    fn checks(&mut self, value: &Located, path: &Path<'_>, resources: &mut Resources<'_>) -> Vec<Check> {
        let mut checks = Vec::new();
        let Some(fields) = self.found.object(value, path) else { return checks };
        for (name, field) in fields {
            let path = path.field(name);
            let Some(name) = self.found.parsed::<Name>(name, &field.spot, &path) else { continue };
            let Some(fields) = self.found.object(field, &path) else { continue };
            self.found.only(fields, &path, &["type", "config", "target"]);
            let Some(kind) = get(fields, "type") else {
                self.found.error(
                    code::BAD_VALUE,
                    &field.spot,
                    &path,
                    "a check has a type, probe.http for example",
                );
                continue;
            };
            let Some(kind) = self.found.name::<TypeName>(kind, &path.field("type")) else { continue };
            let kind = self.forms.resolve(kind);
            let target = match get(fields, "target") {
                Some(value) => target::read(value, &path.field("target"), self.found),
                None => Some(resources.usual.clone()),
            };
            let mut attributes: BTreeMap<Name, Attribute> = BTreeMap::new();
            if let Some(config) = get(fields, "config") {
                resources.attributes(&mut attributes, config, &path.field("config"), self.found);
            }
            if let Some(target) = target {
                let place = place(&field.spot);
                checks.push(Check { name, kind, attributes, on: target.on, place });
            }
        }
        checks
    }
}

//! Makes programs of workflow documents: the project's own, and those that the journal keeps.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use engine::ports::{Definition, Programs};
use journal::events::{ProgramRecord, Submitted};
use model::{Diagnostic, Digest, Origin, Program, Severity, Timestamp};
use sandbox::Catalog;
use workflow::catalog::{Function, Resolver};
use workflow::{Execution, RunFacts, Workflow};

use crate::onboarding::{self, Onboarding, Order};
use crate::{Project, ProjectError, limits};

/// The word of a workflow in the journal.
pub const KIND: &str = "workflow";

/// Name of the workflows that listen for what starts others.
const LISTENER: &str = "schedule-listener";

/// Digests of actions by `name@version`.
type Pins = BTreeMap<String, Digest>;

/// A workflow document, read and checked.
#[derive(Debug, Clone)]
pub struct Document {
    /// The workflow.
    pub workflow: Arc<Workflow>,
    /// What runs are made of.
    pub definition: Definition,
    /// Findings that do not refuse it.
    pub warnings: Vec<Diagnostic>,
}

/// Makes programs, and keeps what it has parsed by digest of the text.
pub struct WorkflowPrograms {
    catalog: Arc<Catalog>,
    project: Option<Project>,
    parsed: Mutex<HashMap<Digest, Arc<Workflow>>>,
}

impl std::fmt::Debug for WorkflowPrograms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkflowPrograms").finish_non_exhaustive()
    }
}

impl WorkflowPrograms {
    /// Programs of a project, or of documents outside any.
    pub fn new(catalog: Arc<Catalog>, project: Option<Project>) -> Self {
        Self { catalog, project, parsed: Mutex::default() }
    }

    /// Reads a document; `shown` names it in findings and `source` in the journal.
    pub fn read(&self, shown: &str, text: &str) -> Result<Document, ProjectError> {
        let choosing = Choosing { catalog: &self.catalog, chosen: RefCell::default() };
        let (workflow, findings) = workflow::load_with(shown, text, &choosing);
        let Some(workflow) = workflow else { return Err(ProjectError::Bad { findings }) };
        let workflow = Arc::new(workflow);
        let header = &workflow.header;
        let digest = Digest::of(text.as_bytes());
        let actions = choosing.chosen.into_inner();
        let definition = Definition {
            program: ProgramRecord {
                kind: KIND.to_owned(),
                name: format!("{}/{}", header.namespace, header.name),
                version: header.version.clone(),
                digest,
                source: Some(shown.to_owned()),
                origin: Origin::Project,
            },
            text: text.into(),
            actions,
        };
        self.keep(key(digest, &definition.actions), &workflow);
        let warnings = findings.into_iter().filter(|finding| finding.severity == Severity::Warning).collect();
        Ok(Document { workflow, definition, warnings })
    }

    /// What listens for the events that start a workflow (`schedule.on`): a workflow of its own, whose output is the list of
    /// the events, as they came.
    pub fn listener(&self, document: &Document) -> Result<Definition, ProjectError> {
        let header = &document.workflow.header;
        let shown = document.definition.program.source.as_deref().unwrap_or(&header.name);
        let written = crate::text::value(&document.definition.text, shown)?;
        let mut listener = serde_json::json!({
            "document": {
                "dsl": written["document"]["dsl"],
                "namespace": header.namespace,
                "name": LISTENER,
                "version": header.version,
                "title": format!("Waits for the events that start {}", document.definition.program.name),
            },
            "do": [{ "hear": { "listen": { "to": written["schedule"]["on"], "read": "envelope" } } }],
        });
        for member in ["use", "evaluate"] {
            if let Some(value) = written.get(member) {
                listener[member] = value.clone();
            }
        }
        Ok(self.read(shown, &listener.to_string())?.definition)
    }

    /// Reads one of the project's files, relative to its directory.
    pub fn read_file(&self, project: &Project, file: &Path) -> Result<Document, ProjectError> {
        self.read(&file.display().to_string(), &project.read(file)?)
    }

    /// The project's workflow of this name (`name` or `namespace/name`) and version; the newest without one.
    pub fn find_document(&self, name: &str, version: Option<&str>) -> Result<Document, ProjectError> {
        let mut best: Option<Document> = None;
        let (mut known, mut broken) = (Vec::new(), Vec::new());
        if let Some(project) = &self.project {
            for file in project.workflow_files()? {
                // a broken neighbour is no reason not to run this one; `validate` reports it
                let document = match self.read_file(project, &file) {
                    Ok(document) => document,
                    Err(error) => {
                        broken.push((file, error));
                        continue;
                    }
                };
                let header = &document.workflow.header;
                known.push(header.name.clone());
                let named = header.name == name || document.definition.program.name == name;
                let fits = version.is_none_or(|version| header.version == version);
                if named && fits && best.as_ref().is_none_or(|best| older(best, &document)) {
                    best = Some(document);
                }
            }
        }
        known.sort();
        known.dedup();
        if let Some(best) = best {
            return Ok(best);
        }
        // a file of that name is the one that was meant
        let meant = |(file, _): &(PathBuf, ProjectError)| file.file_stem().is_some_and(|stem| stem == name);
        if let Some(index) = broken.iter().position(meant) {
            return Err(broken.swap_remove(index).1);
        }
        let broken = broken.iter().map(|(file, _)| file.display().to_string()).collect();
        Err(ProjectError::NoWorkflow { name: name.to_owned(), known, broken })
    }

    fn keep(&self, key: Digest, workflow: &Arc<Workflow>) {
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if parsed.len() >= limits::PARSED_MAX {
            parsed.clear();
        }
        parsed.insert(key, Arc::clone(workflow));
    }

    fn kept(&self, key: &Digest) -> Option<Arc<Workflow>> {
        self.parsed.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
}

/// What a parsed document depends on: its text and the versions its actions resolve to.
fn key(digest: Digest, actions: &Pins) -> Digest {
    if actions.is_empty() {
        return digest;
    }
    Digest::of_json(&serde_json::json!({ "text": digest, "actions": actions }))
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0)).collect()
}

fn older(one: &Document, other: &Document) -> bool {
    numbers(&one.workflow.header.version) < numbers(&other.workflow.header.version)
}

impl Programs for WorkflowPrograms {
    fn build(&self, submitted: &Submitted, text: &str, _: Timestamp) -> Result<Box<dyn Program>, String> {
        if submitted.program.kind == onboarding::KIND {
            return Ok(Box::new(Onboarding::new(Order::read(text)?, submitted.run)));
        }
        let key = key(submitted.program.digest, &submitted.actions);
        let workflow = if let Some(workflow) = self.kept(&key) {
            workflow
        } else {
            let shown = submitted.program.source.as_deref().unwrap_or(&submitted.program.name);
            let (workflow, findings) = workflow::load_with(shown, text, &Pinned(&submitted.actions));
            let first = || findings.first().map_or_else(String::new, ToString::to_string);
            let workflow = Arc::new(workflow.ok_or_else(first)?);
            self.keep(key, &workflow);
            workflow
        };
        Ok(Box::new(Execution::new(workflow, RunFacts::new(submitted.run, submitted.input.clone()))))
    }

    fn find(&self, name: &str, version: Option<&str>) -> Result<Definition, String> {
        self.find_document(name, version)
            .map(|document| document.definition)
            .map_err(|error| error.to_string())
    }
}

/// Resolves actions in the project's catalog and remembers what was chosen.
struct Choosing<'a> {
    catalog: &'a Catalog,
    chosen: RefCell<Pins>,
}

impl Resolver for Choosing<'_> {
    fn function(&self, name: &str, version: Option<&str>) -> Option<Function> {
        let version =
            version.map(str::to_owned).or_else(|| self.catalog.newest(name).map(ToString::to_string))?;
        let digest = self.catalog.digest(name, &version)?;
        self.chosen.borrow_mut().insert(format!("{name}@{version}"), digest);
        Some(Function::Wasm { name: name.to_owned(), version: Some(version) })
    }

    fn names(&self) -> Vec<String> {
        self.catalog.iter().map(|(name, _, _)| name.to_owned()).collect()
    }
}

/// Resolves actions as they were when the run was submitted, whatever the project has become meanwhile.
struct Pinned<'a>(&'a Pins);

impl Resolver for Pinned<'_> {
    fn function(&self, name: &str, version: Option<&str>) -> Option<Function> {
        let mut versions: Vec<&str> =
            self.0.keys().filter_map(|pin| pin.strip_prefix(name)?.strip_prefix('@')).collect();
        versions.sort_by_key(|version| numbers(version));
        let version = match version {
            Some(version) => versions.into_iter().find(|known| *known == version)?,
            None => versions.pop()?,
        };
        Some(Function::Wasm { name: name.to_owned(), version: Some(version.to_owned()) })
    }
}

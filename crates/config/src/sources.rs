//! What a configuration is read from.

use std::collections::BTreeMap;
use std::sync::Arc;

use cue::load::{Loader, MemoryLoader};
use model::Diagnostic;
use plan::Schemas;
use serde_json::Value;

use crate::script::Script;

/// The source files of one CUE package, and where the packages it imports are found.
#[derive(Clone)]
pub struct Sources {
    pub(crate) files: Vec<(String, String)>,
    pub(crate) imports: Arc<dyn Loader + Send + Sync>,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.files.iter().map(|(name, _)| name)).finish()
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self { files: Vec::new(), imports: Arc::new(MemoryLoader::default()) }
    }
}

impl Sources {
    /// One file. `name` is what diagnostics call it.
    pub fn of(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::default().with(name, text)
    }

    /// The same with one more file of the package.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.files.push((name.into(), text.into()));
        self
    }

    /// The same, with imports (and files that are embedded or named) from `loader`, whose paths are relative to the CUE
    /// module. `import "aedile.dev/schema"` is answered with [`crate::schema`] and never asked of it.
    #[must_use]
    pub fn importing(mut self, loader: Arc<dyn Loader + Send + Sync>) -> Self {
        self.imports = loader;
        self
    }
}

/// What a configuration is read for.
#[derive(Clone, Default)]
pub struct Options<'a> {
    /// The environment, `prod` for example. Its `variables` and `hosts` apply, and `environment` is its name.
    pub environment: Option<String>,
    /// Variables as given by `--var NAME=TEXT`; they win over everything else. A text is taken as it is where the
    /// variable takes text, else it is read as JSON.
    pub variables: BTreeMap<String, String>,
    /// Tags of the CUE package, as `aedile cue -t` takes them.
    pub tags: Vec<String>,
    /// What the providers know. With it, `linux.pkg` stands for the provider's type, every provider has a concise form,
    /// and resources are checked as [`plan::check`] does.
    pub schemas: Option<&'a Schemas>,
    /// What runs Starlark helpers; [`Script::run`] on this thread when there is none. For callers who run them in a process
    /// of its own, with a limit on memory that holds.
    pub scripts: Option<&'a RunScript<'a>>,
}

/// Runs a script: what [`Script::run`] does.
pub type RunScript<'a> = dyn Fn(&Script) -> Result<Value, Diagnostic> + 'a;

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("environment", &self.environment)
            .field("variables", &self.variables)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}

impl<'a> Options<'a> {
    /// For an environment.
    pub fn of_environment(name: impl Into<String>) -> Self {
        Self { environment: Some(name.into()), ..Self::default() }
    }

    /// The same with one more variable.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.variables.insert(name.into(), text.into());
        self
    }

    /// The same with what the providers know.
    #[must_use]
    pub fn with_schemas(self, schemas: &'a Schemas) -> Self {
        Self { schemas: Some(schemas), ..self }
    }
}

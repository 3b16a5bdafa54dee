//! The providers at work: those that are shipped and the project's own, each loaded once and without any import.

use std::collections::{BTreeMap, BTreeSet};

use model::Coded as _;
use plan::{Schemas, TypeName};
use provider::{Provider, TypeDescription};
use sandbox::Sandbox;

use crate::providers::{self as available, Loaded};
use crate::{Project, ProjectError, StateDir};

/// Every provider by its name.
pub struct Providers {
    loaded: BTreeMap<String, Loaded>,
    /// The provider of each type.
    types: BTreeMap<TypeName, String>,
    schemas: Schemas,
}

impl std::fmt::Debug for Providers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.loaded.keys()).finish()
    }
}

impl Providers {
    /// Loads every provider there is, of each the newest version that meets what is asked for by its name. Compiling them takes
    /// seconds the first time; what came of it is kept in the environment's cache.
    ///
    /// # Errors
    /// The sandbox cannot be set up, a provider is damaged, or none meets what is asked for.
    pub async fn load(
        project: &Project,
        state: &StateDir,
        wanted: &BTreeMap<String, String>,
    ) -> Result<Self, ProjectError> {
        let sandbox = Sandbox::new(sandbox::Config {
            cache_dir: Some(state.cache().join("wasm")),
            ..sandbox::Config::default()
        })?;
        let all = available::known(Some(project))?;
        let names: BTreeSet<&str> =
            all.iter().map(|known| known.name.as_str()).chain(wanted.keys().map(String::as_str)).collect();
        let mut providers =
            Self { loaded: BTreeMap::new(), types: BTreeMap::new(), schemas: Schemas::default() };
        for name in names {
            let asked = wanted.get(name).map_or("", String::as_str);
            providers.add(name, available::choose(&all, name, asked)?.load(&sandbox).await?);
        }
        Ok(providers)
    }

    fn add(&mut self, name: &str, loaded: Loaded) {
        loaded.description.add_to(&mut self.schemas, &loaded.digest);
        self.types.extend(loaded.description.types.keys().map(|kind| (kind.clone(), name.to_owned())));
        self.loaded.insert(name.to_owned(), loaded);
    }

    /// Who provides a type, and what it is like.
    pub fn find(&self, kind: &TypeName) -> Option<(&dyn Provider, &TypeDescription)> {
        let loaded = self.loaded.get(self.types.get(kind)?)?;
        Some((&loaded.module, loaded.description.types.get(kind)?))
    }

    /// The schemas that plans are made with.
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// What providers have against configurations of a type beyond what the schema says.
    pub(super) async fn validate(
        &self,
        kind: &TypeName,
        configs: &[provider::Attributes],
    ) -> Vec<Vec<provider::exchange::Finding>> {
        let Some((provider, _)) = self.find(kind) else { return Vec::new() };
        match provider.validate(kind.as_str(), configs).await {
            Ok(findings) => findings,
            Err(error) => {
                let path = String::new();
                let message = format!("{} ({})", error, error.code());
                vec![vec![provider::exchange::Finding { path, message, hint: None }]]
            }
        }
    }
}

//! The providers that a project can use: those that are shipped, each loaded once and without any import.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Coded as _, Digest};
use plan::{Schemas, TypeName};
use provider::{Description, Provider, ProviderError, TypeDescription};
use sandbox::{SHIPPED, Sandbox};

use crate::{ProjectError, StateDir};

struct Loaded {
    provider: Arc<dyn Provider>,
    description: Description,
}

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
    /// Loads the shipped providers. Compiling them takes seconds the first time; what came of it is kept in the environment's
    /// cache. Blocks, and reads the providers' schemas, so it is called where blocking is allowed.
    ///
    /// # Errors
    /// The sandbox cannot be set up, or a provider is damaged.
    pub async fn load(state: &StateDir) -> Result<Self, ProjectError> {
        let sandbox = Sandbox::new(sandbox::Config {
            cache_dir: Some(state.cache().join("wasm")),
            ..sandbox::Config::default()
        })?;
        let mut providers =
            Self { loaded: BTreeMap::new(), types: BTreeMap::new(), schemas: Schemas::default() };
        for shipped in SHIPPED {
            let digest = Digest::of(shipped.component);
            let module = sandbox.load_provider(shipped.name, shipped.component, digest)?;
            providers.add(shipped.name, Arc::new(module), &digest).await.map_err(Box::new)?;
        }
        Ok(providers)
    }

    async fn add(
        &mut self,
        name: &str,
        provider: Arc<dyn Provider>,
        digest: &Digest,
    ) -> Result<(), ProviderError> {
        let description = Description::parse(name, &provider.schema().await?)?;
        description.add_to(&mut self.schemas, digest);
        self.types.extend(description.types.keys().map(|kind| (kind.clone(), name.to_owned())));
        self.loaded.insert(name.to_owned(), Loaded { provider, description });
        Ok(())
    }

    /// Who provides a type, and what it is like.
    pub fn find(&self, kind: &TypeName) -> Option<(&dyn Provider, &TypeDescription)> {
        let loaded = self.loaded.get(self.types.get(kind)?)?;
        Some((&*loaded.provider, loaded.description.types.get(kind)?))
    }

    /// The version of a provider.
    pub fn version(&self, name: &str) -> Option<&str> {
        self.loaded.get(name).map(|loaded| loaded.description.version.as_str())
    }

    /// The names of the providers.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.loaded.keys().map(String::as_str)
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

//! [`ProviderModule`]: a provider as a component, with the same limits as an action and no import at all.

use std::sync::Arc;

use model::{Coded, Digest};
use provider::exchange::{Answer, Application, Change, Finding, Inspection, Question};
use provider::{Attributes, BoxFuture, Provider, ProviderError};
use wasmtime::component::{Component, Linker};
use wasmtime::{AsContextMut, Store};

use crate::bindings::providing::exports::aedile::provider::resources::{self as wit, Guest};
use crate::bindings::providing::{Provider as Instance, ProviderPre};
use crate::sandbox::Shared;
use crate::state::State;
use crate::{Grants, Limits, NoServices, Retry, SandboxError};

/// A loaded provider. Every call has an instance of its own, so nothing is remembered between calls.
pub struct ProviderModule {
    shared: Arc<Shared>,
    name: String,
    digest: Digest,
    instance: ProviderPre<State>,
    limits: Limits,
}

impl std::fmt::Debug for ProviderModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderModule")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl ProviderModule {
    pub(crate) fn new(
        shared: Arc<Shared>,
        name: &str,
        component: &Component,
        digest: Digest,
    ) -> Result<Self, SandboxError> {
        let bad = |error: wasmtime::Error| SandboxError::BadComponent { digest, why: format!("{error:#}") };
        if let Some((import, _)) = component.component_type().imports(&shared.engine).next() {
            return Err(SandboxError::ProviderImports { digest, import: import.to_owned() });
        }
        let linked = Linker::new(&shared.engine).instantiate_pre(component).map_err(bad)?;
        let instance = ProviderPre::new(linked).map_err(bad)?;
        Ok(Self { shared, name: name.to_owned(), digest, instance, limits: Limits::PROVIDER })
    }

    /// The same with other limits for each call. Those on imports have nothing to limit.
    ///
    /// # Errors
    /// [`SandboxError::BadLimit`]: this sandbox cannot enforce them.
    pub fn with_limits(mut self, limits: Limits) -> Result<Self, SandboxError> {
        limits.check(self.shared.config.max_memory_bytes, self.shared.config.fuel)?;
        self.limits = limits;
        Ok(self)
    }

    /// The digest of the component.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    fn stopped(&self, error: &SandboxError) -> ProviderError {
        ProviderError::Stopped {
            provider: self.name.clone(),
            why: error.to_string(),
            code: error.code(),
            transient: error.retry() != Retry::Never,
        }
    }

    /// One call in a store of its own.
    async fn call<T>(
        &self,
        input_bytes: usize,
        body: impl AsyncFnOnce(&Guest, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, ProviderError> {
        if input_bytes > self.limits.input_bytes {
            let why = format!("{input_bytes} bytes; the limit is {}", self.limits.input_bytes);
            return Err(self.stopped(&SandboxError::BadInput { why }));
        }
        let ran = self
            .shared
            .in_store(&Grants::none(), Arc::new(NoServices), &self.limits, async |store| {
                let instance: Instance = self.instance.instantiate_async(store.as_context_mut()).await?;
                body(instance.aedile_provider_resources(), store).await
            })
            .await;
        ran.map(|(answer, _)| answer).map_err(|error| self.stopped(&error))
    }

    /// A list of answers turned into ours; the first that cannot be is named.
    fn read<F, T>(
        &self,
        answers: Vec<F>,
        read: impl Fn(F) -> Result<T, String>,
    ) -> Result<Vec<T>, ProviderError> {
        let bad = |why| ProviderError::BadAnswer { provider: self.name.clone(), why };
        answers.into_iter().map(|answer| read(answer).map_err(bad)).collect()
    }
}

impl Provider for ProviderModule {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(self.call(0, async |guest, store| guest.call_schema(store).await))
    }

    fn validate<'a>(
        &'a self,
        kind: &'a str,
        configs: &'a [Attributes],
    ) -> BoxFuture<'a, Result<Vec<Vec<Finding>>, ProviderError>> {
        Box::pin(async move {
            let configs: Vec<String> = configs.iter().map(json).collect();
            let size = configs.iter().map(String::len).sum();
            let found = self
                .call(size, async |guest, store| guest.call_validate(store, kind, &configs).await)
                .await?;
            self.read(found, |findings| Ok(findings.into_iter().map(Finding::from).collect()))
        })
    }

    fn inspect<'a>(
        &'a self,
        kind: &'a str,
        resources: &'a [Question],
        answers: &'a [Answer],
    ) -> BoxFuture<'a, Result<Vec<Inspection>, ProviderError>> {
        Box::pin(async move {
            let questions: Vec<wit::Question> = resources
                .iter()
                .map(|question| wit::Question {
                    config: json(&question.config),
                    asked: question.asked.clone(),
                })
                .collect();
            let answers: Vec<wit::Answer> = answers.iter().map(wit::Answer::from).collect();
            let size = questions.iter().map(|question| question.config.len()).sum::<usize>()
                + answers.iter().map(crate::provide_types::size).sum::<usize>();
            let found = self
                .call(size, async |guest, store| guest.call_inspect(store, kind, &questions, &answers).await)
                .await?;
            self.read(found, Inspection::try_from)
        })
    }

    fn apply<'a>(
        &'a self,
        kind: &'a str,
        changes: &'a [Change],
        answers: &'a [Answer],
    ) -> BoxFuture<'a, Result<Vec<Application>, ProviderError>> {
        Box::pin(async move {
            let changes: Vec<wit::Change> = changes.iter().map(wit::Change::from).collect();
            let answers: Vec<wit::Answer> = answers.iter().map(wit::Answer::from).collect();
            let size = changes.iter().map(|change| change.desired.len() + change.prior.len()).sum::<usize>()
                + answers.iter().map(crate::provide_types::size).sum::<usize>();
            let found = self
                .call(size, async |guest, store| guest.call_apply(store, kind, &changes, &answers).await)
                .await?;
            self.read(found, Application::try_from)
        })
    }

    fn import<'a>(
        &'a self,
        kind: &'a str,
        ids: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Result<Attributes, String>>, ProviderError>> {
        Box::pin(async move {
            let size = ids.iter().map(String::len).sum();
            let found = self
                .call(size, async |guest, store| guest.call_import_config(store, kind, ids).await)
                .await?;
            self.read(found, |one| match one {
                Ok(config) => crate::provide_types::object(&config).map(Ok),
                Err(why) => Ok(Err(why)),
            })
        })
    }
}

fn json(attributes: &Attributes) -> String {
    serde_json::to_string(attributes).expect("a JSON object can be written")
}

//! [`Module`]: a loaded component, and how a call of it goes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::{Digest, EffectClass};
use serde_json::Value;
use tokio::sync::OnceCell;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use crate::bindings::aedile::action::types;
use crate::cache::Origin;
use crate::capability::{self, Capability};
use crate::limits::{FAILURE_DETAIL_BYTES, FAILURE_TITLE_BYTES};
use crate::sandbox::Shared;
use crate::state::{State, Usage};
use crate::{Failure, FailureKind, Grants, Limits, NoServices, SandboxError, Services, text};

/// What a call gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The action's output.
    pub value: Value,
    /// What the call used.
    pub usage: Usage,
}

/// What an action says about itself. A claim: what to believe and grant is the project's decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// One line.
    pub summary: String,
    /// What may be done after a crash in the middle of it.
    pub effect: EffectClass,
    /// JSON Schema of the input.
    pub input_schema: Option<Value>,
    /// JSON Schema of the output.
    pub output_schema: Option<Value>,
}

/// A loaded component. Every call has an instance of its own, so calls share nothing and may run at the same time.
pub struct Module {
    shared: Arc<Shared>,
    digest: Digest,
    origin: Origin,
    wants: BTreeSet<Capability>,
    instance: InstancePre<State>,
    run: ComponentExportIndex,
    describe: Option<ComponentExportIndex>,
    description: OnceCell<Description>,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("digest", &self.digest)
            .field("wants", &self.wants)
            .finish_non_exhaustive()
    }
}

impl Module {
    pub(crate) fn new(
        shared: Arc<Shared>,
        component: &Component,
        linker: &Linker<State>,
        digest: Digest,
        origin: Origin,
    ) -> Result<Self, SandboxError> {
        let bad = |why: String| SandboxError::BadComponent { digest, why };
        let ty = component.component_type();
        let wants = capability::wanted(ty.imports(&shared.engine).map(|(name, _)| name))
            .map_err(|import| SandboxError::UnknownImport { digest, import })?;
        let instance = linker.instantiate_pre(component).map_err(|error| bad(format!("{error:#}")))?;
        let Some((ComponentItem::ComponentFunc(function), run)) = component.get_export(None, "run") else {
            return Err(bad(
                "it exports no function `run`; build it against world `action` of wit/action".to_owned()
            ));
        };
        if !is_run(&function) {
            return Err(bad("its `run` is not func(string) -> result<string, failure>".to_owned()));
        }
        let describe = component.get_export_index(None, "describe");
        Ok(Self { shared, digest, origin, wants, instance, run, describe, description: OnceCell::new() })
    }

    /// The digest of the component.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Where its compiled code came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The capabilities it imports. Each has to be granted for a call.
    pub fn wants(&self) -> &BTreeSet<Capability> {
        &self.wants
    }

    /// Checks that everything the component imports is granted, without running it.
    ///
    /// # Errors
    /// [`SandboxError::MissingCapability`] names the first that is not.
    pub fn check(&self, grants: &Grants) -> Result<(), SandboxError> {
        match self.wants.iter().find(|capability| !grants.has(**capability)) {
            Some(&capability) => Err(SandboxError::MissingCapability { capability }),
            None => Ok(()),
        }
    }

    /// Runs the action once: JSON text in, JSON out.
    ///
    /// Needs a tokio runtime with time. A guest that computes gives the thread back every few milliseconds. Dropping
    /// the future cancels the call at its next such point; nothing of it stays behind.
    ///
    /// # Errors
    /// Every variant of [`SandboxError`] but those of setting up and loading.
    pub async fn call(
        &self,
        input: &str,
        grants: &Grants,
        services: Arc<dyn Services>,
        limits: &Limits,
    ) -> Result<Output, SandboxError> {
        limits.check(self.shared.config.max_memory_bytes, self.shared.config.fuel)?;
        self.check(grants)?;
        check_input(input, limits)?;
        let (answer, usage) = self
            .shared
            .in_store(grants, services, limits, async |store| {
                let instance = self.instance.instantiate_async(&mut *store).await?;
                let run = instance
                    .get_typed_func::<(&str,), (Result<String, types::Failure>,)>(&mut *store, &self.run)?;
                let (answer,) = run.call_async(&mut *store, (input,)).await?;
                Ok(answer)
            })
            .await?;
        match answer {
            Ok(output) => Ok(Output { value: parse_output(&output, limits)?, usage }),
            Err(failure) => Err(SandboxError::Failed(reported(&failure))),
        }
    }

    /// What the action says about itself, if it says anything. Asked once, without any capability.
    ///
    /// # Errors
    /// As for [`Module::call`]; a schema that is not JSON is [`SandboxError::BadOutput`].
    pub async fn describe(&self) -> Result<Option<&Description>, SandboxError> {
        let Some(describe) = &self.describe else { return Ok(None) };
        let ask = async || {
            let limits = Limits { memory_bytes: self.shared.config.max_memory_bytes, ..Limits::default() };
            let (description, _) = self
                .shared
                .in_store(&Grants::none(), Arc::new(NoServices), &limits, async |store| {
                    let instance = self.instance.instantiate_async(&mut *store).await?;
                    let describe =
                        instance.get_typed_func::<(), (types::Description,)>(&mut *store, describe)?;
                    let (description,) = describe.call_async(&mut *store, ()).await?;
                    Ok(description)
                })
                .await?;
            described(description)
        };
        self.description.get_or_try_init(ask).await.map(Some)
    }
}

fn is_run(function: &ComponentFunc) -> bool {
    let params: Vec<_> = function.params().map(|(_, ty)| ty).collect();
    let results: Vec<_> = function.results().collect();
    let (true, [Type::Result(result)]) = (params == [Type::String], results.as_slice()) else { return false };
    result.ok() == Some(Type::String) && matches!(result.err(), Some(Type::Record(_)))
}

fn check_input(input: &str, limits: &Limits) -> Result<(), SandboxError> {
    let bad = |why: String| Err(SandboxError::BadInput { why });
    if input.len() > limits.input_bytes {
        return bad(format!("{} bytes; the limit is {}", input.len(), limits.input_bytes));
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(input) {
        Ok(_) => Ok(()),
        Err(error) => bad(format!("not JSON: {error}")),
    }
}

fn parse_output(output: &str, limits: &Limits) -> Result<Value, SandboxError> {
    if output.len() > limits.output_bytes {
        return Err(SandboxError::OutputTooLarge { limit: limits.output_bytes });
    }
    serde_json::from_str(output)
        .map_err(|error| SandboxError::BadOutput { why: format!("not JSON: {error}") })
}

fn reported(failure: &types::Failure) -> Failure {
    let kind = match failure.kind {
        types::FailureKind::Transient => FailureKind::Transient,
        types::FailureKind::Throttled(wait) => FailureKind::Throttled(wait.map(Duration::from_millis)),
        types::FailureKind::Conflict => FailureKind::Conflict,
        types::FailureKind::Permanent => FailureKind::Permanent,
    };
    Failure {
        kind,
        title: text::one_line(&failure.title, FAILURE_TITLE_BYTES),
        detail: text::cut(&failure.detail, FAILURE_DETAIL_BYTES).to_owned(),
    }
}

fn described(description: types::Description) -> Result<Description, SandboxError> {
    let schema = |which: &str, schema: Option<String>| {
        let parsed = schema.map(|schema| serde_json::from_str(&schema)).transpose();
        parsed.map_err(|error| SandboxError::BadOutput {
            why: format!("its {which} schema is not JSON: {error}"),
        })
    };
    Ok(Description {
        summary: text::one_line(&description.summary, FAILURE_TITLE_BYTES),
        effect: match description.effect {
            types::Effect::Read => EffectClass::Read,
            types::Effect::Idempotent => EffectClass::Idempotent,
            types::Effect::Verifiable => EffectClass::Verifiable,
            types::Effect::Once => EffectClass::Once,
        },
        input_schema: schema("input", description.input_schema)?,
        output_schema: schema("output", description.output_schema)?,
    })
}

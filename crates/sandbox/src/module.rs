//! [`Module`]: a loaded component, and how a call of it goes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Digest, EffectClass};
use serde_json::Value;
use tokio::sync::OnceCell;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::bindings::aedile::action::types;
use crate::cache::Origin;
use crate::capability::{self, Capability};
use crate::limits::{FAILURE_DETAIL_BYTES, FAILURE_TITLE_BYTES, SLOT_WAIT};
use crate::sandbox::Shared;
use crate::state::{State, Stop, Usage};
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

    /// Runs `body` in a store of its own, within a slot, the time limit and all budgets.
    async fn in_store<T>(
        &self,
        grants: &Grants,
        services: Arc<dyn Services>,
        limits: &Limits,
        body: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<(T, Usage), SandboxError> {
        let busy = SandboxError::Busy { waited: SLOT_WAIT };
        let Ok(Ok(_slot)) = tokio::time::timeout(SLOT_WAIT, self.shared.slots.acquire()).await else {
            return Err(busy);
        };
        let _in_flight = self.shared.ticker.enter();
        let deadline = Instant::now() + limits.time;
        let state =
            State { grants: grants.clone(), services, limits: *limits, deadline, usage: Usage::default() };
        let mut store = self.store(state, limits)?;
        let result = tokio::time::timeout(limits.time, body(&mut store)).await;
        let mut usage = store.data().usage;
        if let Some(fuel) = limits.fuel {
            usage.fuel = Some(fuel.saturating_sub(store.get_fuel().unwrap_or(0)));
        }
        match result {
            Ok(Ok(answer)) => Ok((answer, usage)),
            Ok(Err(error)) => Err(classify(&error, limits)),
            Err(_) => Err(SandboxError::OutOfTime { limit: limits.time }),
        }
    }

    fn store(&self, state: State, limits: &Limits) -> Result<Store<State>, SandboxError> {
        let deadline = state.deadline;
        let mut store = Store::new(&self.shared.engine, state);
        store.limiter(|state| state);
        store.set_hostcall_fuel(limits.transfer_bytes());
        if self.shared.config.fuel {
            let setup = |error: wasmtime::Error| SandboxError::Setup { why: format!("{error:#}") };
            store.set_fuel(limits.fuel.unwrap_or(u64::MAX)).map_err(setup)?;
        }
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| {
            // The timer around the call fires only when the runtime gets to it, which on a busy thread is later.
            if Instant::now() >= deadline {
                return Ok(UpdateDeadline::Interrupt);
            }
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        Ok(store)
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

/// What a failed call means. The order matters: the host's own reason to stop is wrapped in the trap it caused.
fn classify(error: &wasmtime::Error, limits: &Limits) -> SandboxError {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return stop.clone().into_error(limits);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return SandboxError::Busy { waited: Duration::ZERO };
    }
    let trace = error.downcast_ref::<WasmBacktrace>().map(frames);
    let root = error.root_cause().to_string();
    match (error.downcast_ref::<Trap>(), trace) {
        (Some(Trap::Interrupt), _) => SandboxError::OutOfTime { limit: limits.time },
        (Some(Trap::OutOfFuel), _) => {
            SandboxError::OutOfBudget { what: "units of fuel", limit: limits.fuel.unwrap_or(u64::MAX) }
        }
        (Some(trap), trace) => {
            SandboxError::Trapped { why: trap.to_string(), trace: trace.unwrap_or_default() }
        }
        // wasmtime keeps the type of this error to itself; a test holds the wording
        (None, Some(_)) if root.contains("fuel allocated for hostcalls") => SandboxError::OutOfBudget {
            what: "bytes in one host call",
            limit: limits.transfer_bytes() as u64,
        },
        // with guest frames it happened while the guest was calling the host
        (None, Some(trace)) => SandboxError::Trapped { why: root, trace },
        // without any, while its result was taken over
        (None, None) if root.contains("fuel allocated for hostcalls") => {
            SandboxError::OutputTooLarge { limit: limits.output_bytes }
        }
        (None, None) => SandboxError::BadOutput { why: root },
    }
}

fn frames(trace: &WasmBacktrace) -> Vec<String> {
    trace
        .frames()
        .iter()
        .filter_map(|frame| frame.func_name())
        .map(|name| text::one_line(name, 200))
        .collect()
}

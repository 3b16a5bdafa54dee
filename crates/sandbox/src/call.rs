//! How one call goes: a store of its own, a slot, the time limit and all budgets; and what its end means.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::limits::SLOT_WAIT;
use crate::sandbox::Shared;
use crate::state::{State, Stop, Usage};
use crate::{Grants, Limits, SandboxError, Services, text};

impl Shared {
    /// Runs `body` in a store of its own, within a slot, the time limit and all budgets.
    pub(crate) async fn in_store<T>(
        &self,
        grants: &Grants,
        services: Arc<dyn Services>,
        limits: &Limits,
        body: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<(T, Usage), SandboxError> {
        let busy = SandboxError::Busy { waited: SLOT_WAIT };
        let Ok(Ok(_slot)) = tokio::time::timeout(SLOT_WAIT, self.slots.acquire()).await else {
            return Err(busy);
        };
        let _in_flight = self.ticker.enter();
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
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| state);
        store.set_hostcall_fuel(limits.transfer_bytes());
        if self.config.fuel {
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

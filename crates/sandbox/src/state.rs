//! What belongs to one call: its grants, services, budgets, and the reason it had to stop.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::ResourceLimiter;

use crate::limits::{
    CORE_INSTANCES_PER_COMPONENT, MEMORIES_PER_COMPONENT, TABLE_ELEMENTS, TABLES_PER_COMPONENT,
};
use crate::{Capability, Grants, Limits, SandboxError, Services};

/// What a call used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Most linear memory it held, in bytes.
    pub memory_bytes: usize,
    /// Fuel it used, where fuel is counted.
    pub fuel: Option<u64>,
    /// HTTP requests it sent.
    pub http_requests: u32,
    /// Operations on the key-value store.
    pub kv_operations: u32,
    /// Log lines that were kept.
    pub log_lines: u32,
    /// Log lines that were dropped because the log budget was used up.
    pub log_lines_dropped: u32,
    /// Bytes of log text that were kept.
    pub log_bytes: usize,
    /// Random bytes it drew.
    pub random_bytes: u32,
}

/// Why a call is ended from the host's side. Travels through wasmtime as an error and is found again afterwards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("memory limit")]
    Memory { wanted: usize },
    #[error("table limit")]
    Table,
    #[error("budget of {what}")]
    Budget { what: &'static str, limit: u64 },
    #[error("host not granted")]
    HostNotGranted { method: String, origin: String },
    #[error("capability not granted")]
    NotGranted(Capability),
    #[error("service failed")]
    Service { capability: Capability, why: String },
}

impl Stop {
    pub(crate) fn into_error(self, limits: &Limits) -> SandboxError {
        match self {
            Self::Memory { wanted } => SandboxError::OutOfMemory { wanted, limit: limits.memory_bytes },
            Self::Table => SandboxError::OutOfBudget { what: "table elements", limit: TABLE_ELEMENTS as u64 },
            Self::Budget { what, limit } => SandboxError::OutOfBudget { what, limit },
            Self::HostNotGranted { method, origin } => SandboxError::HostNotGranted { method, origin },
            Self::NotGranted(capability) => SandboxError::MissingCapability { capability },
            Self::Service { capability, why } => SandboxError::Service { capability, why },
        }
    }
}

pub(crate) struct State {
    pub(crate) grants: Grants,
    pub(crate) services: Arc<dyn Services>,
    pub(crate) limits: Limits,
    pub(crate) deadline: Instant,
    pub(crate) usage: Usage,
}

impl State {
    /// Refuses a call to an interface that is not granted. `Module::call` has checked the imports already; this holds
    /// even where it did not, as for `describe`.
    pub(crate) fn granted(&self, capability: Capability) -> Result<(), Stop> {
        if self.grants.has(capability) { Ok(()) } else { Err(Stop::NotGranted(capability)) }
    }
}

impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.limits.memory_bytes {
            // Ending the call here names the cause; a guest told "no" would only crash later, or ask for ever.
            return Err(Stop::Memory { wanted: desired }.into());
        }
        if maximum.is_none_or(|maximum| desired <= maximum) {
            self.usage.memory_bytes += desired - current;
        }
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS { Err(Stop::Table.into()) } else { Ok(true) }
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_PER_COMPONENT as usize
    }

    fn tables(&self) -> usize {
        TABLES_PER_COMPONENT as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_PER_COMPONENT as usize
    }
}

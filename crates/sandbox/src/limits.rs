//! Every bound of the sandbox, and [`Limits`]: those a caller may set for one call.

use std::time::Duration;

use crate::SandboxError;

/// Largest component that is loaded, in bytes. JavaScript guests that carry their engine are about 12 MB.
pub const MAX_COMPONENT_BYTES: usize = 32 << 20;
/// Largest compiled artefact the cache holds, in bytes.
pub const MAX_ARTEFACT_BYTES: u64 = 512 << 20;
/// Most artefacts the cache directory holds; the oldest go first.
pub const MAX_ARTEFACTS: usize = 256;
/// Default for the memory of one instance, and for the ceiling that calls may ask for, in bytes.
pub const DEFAULT_MEMORY_BYTES: usize = 64 << 20;
/// Largest ceiling that can be configured, in bytes: what WebAssembly can address with 32 bits.
pub const MAX_MEMORY_BYTES: usize = 4 << 30;
/// Calls that run at the same time; the next ones wait.
pub const DEFAULT_SLOTS: u32 = 64;
/// Most slots that can be configured. Each reserves 4 GiB of address space (not memory).
pub const MAX_SLOTS: u32 = 1024;
/// How long a call waits for a slot before it gives up.
pub const SLOT_WAIT: Duration = Duration::from_mins(1);
/// How often a guest that only computes gives the thread back.
pub const EPOCH_TICK: Duration = Duration::from_millis(5);
/// Core module instances inside one component.
pub const CORE_INSTANCES_PER_COMPONENT: u32 = 16;
/// Linear memories inside one component: one, so that the memory limit means what it says.
pub const MEMORIES_PER_COMPONENT: u32 = 1;
/// Tables inside one component.
pub const TABLES_PER_COMPONENT: u32 = 8;
/// Elements of one table.
pub const TABLE_ELEMENTS: usize = 32_768;
/// Stack of a guest, in bytes.
pub const GUEST_STACK_BYTES: usize = 512 << 10;
/// Stack the guest and the host functions it calls run on, in bytes.
pub const FIBER_STACK_BYTES: usize = 1 << 20;
/// Linear memory of a slot that stays resident between calls, in bytes.
pub const RESIDENT_BYTES: usize = 128 << 10;
/// Room for what accompanies a payload in a host call (names, headers), in bytes.
pub const CALL_OVERHEAD_BYTES: usize = 64 << 10;
/// Frames kept of a guest's stack when it crashes.
pub const BACKTRACE_FRAMES: usize = 16;
/// Longest log line, in bytes; the rest is cut.
pub const LOG_LINE_BYTES: usize = 8 << 10;
/// Longest title of a failure, in bytes; the rest is cut.
pub const FAILURE_TITLE_BYTES: usize = 512;
/// Longest detail of a failure, in bytes; the rest is cut.
pub const FAILURE_DETAIL_BYTES: usize = 16 << 10;
/// Longest URL of a request, in bytes.
pub const URL_BYTES: usize = 8 << 10;
/// Header fields of a request.
pub const HEADER_FIELDS: usize = 100;
/// Longest key of the key-value store, in bytes.
pub const KV_KEY_BYTES: usize = 256;
/// Largest value of the key-value store, in bytes.
pub const KV_VALUE_BYTES: usize = 256 << 10;
/// Most keys one listing answers.
pub const KV_KEYS: usize = 1000;
/// Most random bytes in one draw.
pub const RANDOM_DRAW_BYTES: u32 = 64 << 10;
/// Longest namespace of a key-value grant, in bytes.
pub const NAMESPACE_BYTES: usize = 128;
/// Most grants of one action.
pub const MAX_GRANTS: usize = 256;
/// Most actions in one catalog.
pub const MAX_ACTIONS: usize = 10_000;

/// What one call may use. The default suits a small action; a project may set each value per action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory in bytes; at most the sandbox's ceiling.
    pub memory_bytes: usize,
    /// Wall-clock time of the whole call, host calls included; the wait for a slot is not.
    pub time: Duration,
    /// Instructions, counted the same on every machine. Needs [`Config::fuel`](crate::Config::fuel).
    pub fuel: Option<u64>,
    /// Input in bytes.
    pub input_bytes: usize,
    /// Output in bytes.
    pub output_bytes: usize,
    /// Log text in bytes over the whole call; lines beyond it are counted and dropped.
    pub log_bytes: usize,
    /// Log lines over the whole call; further ones are counted and dropped.
    pub log_lines: u32,
    /// HTTP requests.
    pub http_requests: u32,
    /// Body of one HTTP request, and of one answer, in bytes.
    pub http_body_bytes: usize,
    /// Operations on the key-value store.
    pub kv_operations: u32,
    /// Random bytes over the whole call.
    pub random_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: DEFAULT_MEMORY_BYTES,
            time: Duration::from_secs(10),
            fuel: None,
            input_bytes: 1 << 20,
            output_bytes: 1 << 20,
            log_bytes: 64 << 10,
            log_lines: 1000,
            http_requests: 32,
            http_body_bytes: 1 << 20,
            kv_operations: 1000,
            random_bytes: 1 << 20,
        }
    }
}

impl Limits {
    /// What one call of a provider may use: it takes the resources of one type and one host at once.
    pub const PROVIDER: Self = Self {
        memory_bytes: DEFAULT_MEMORY_BYTES,
        time: Duration::from_secs(30),
        fuel: None,
        input_bytes: 32 << 20,
        output_bytes: 16 << 20,
        log_bytes: 0,
        log_lines: 0,
        http_requests: 0,
        http_body_bytes: 0,
        kv_operations: 0,
        random_bytes: 0,
    };

    /// Bytes a guest may hand over in one host call, or as its result.
    pub(crate) fn transfer_bytes(&self) -> usize {
        self.output_bytes.max(self.http_body_bytes).max(KV_VALUE_BYTES).saturating_add(CALL_OVERHEAD_BYTES)
    }

    /// Refuses what the sandbox could not enforce.
    pub(crate) fn check(&self, ceiling: usize, counts_fuel: bool) -> Result<(), SandboxError> {
        let refuse = |why: String| Err(SandboxError::BadLimit { why });
        if self.memory_bytes > ceiling {
            return refuse(format!(
                "memory of {} bytes is above the sandbox's ceiling of {ceiling}",
                self.memory_bytes
            ));
        }
        if self.fuel.is_some() && !counts_fuel {
            return refuse("fuel is limited, but this sandbox does not count it".to_owned());
        }
        if self.time.is_zero() {
            return refuse("a time limit of zero leaves no time to run".to_owned());
        }
        Ok(())
    }
}

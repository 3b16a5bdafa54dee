//! How wasmtime is set up: every feature an action does not need is off, everything that could differ between machines
//! is pinned, and all memory comes from a pool of fixed size.

use wasmtime::{Config as WasmConfig, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::limits::{
    BACKTRACE_FRAMES, CORE_INSTANCES_PER_COMPONENT, FIBER_STACK_BYTES, GUEST_STACK_BYTES, MAX_MEMORY_BYTES,
    MAX_SLOTS, MEMORIES_PER_COMPONENT, RESIDENT_BYTES, TABLE_ELEMENTS, TABLES_PER_COMPONENT,
};
use crate::{Config, SandboxError};

pub(crate) fn engine(config: &Config) -> Result<Engine, SandboxError> {
    let setup = |why: String| SandboxError::Setup { why };
    if config.slots == 0 || config.slots > MAX_SLOTS {
        return Err(setup(format!("{} slots; from 1 to {MAX_SLOTS} are possible", config.slots)));
    }
    if config.max_memory_bytes == 0 || config.max_memory_bytes > MAX_MEMORY_BYTES {
        return Err(setup(format!("a memory ceiling of {} bytes; at most 4 GiB", config.max_memory_bytes)));
    }
    let mut wasm = WasmConfig::new();
    wasm.wasm_component_model(true)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .cranelift_nan_canonicalization(true)
        .epoch_interruption(true)
        .consume_fuel(config.fuel)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES));
    if config.pooling {
        wasm.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)));
    }
    Engine::new(&wasm).map_err(|error| {
        let more = if config.pooling { "; fewer slots need less address space" } else { "" };
        setup(format!("{error:#}{more}"))
    })
}

fn pool(config: &Config) -> PoolingAllocationConfig {
    let slots = config.slots;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_stacks(slots)
        .total_memories(slots * MEMORIES_PER_COMPONENT)
        .total_tables(slots * TABLES_PER_COMPONENT)
        .total_core_instances(slots * CORE_INSTANCES_PER_COMPONENT)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(config.max_memory_bytes)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .table_keep_resident(4 << 10)
        // where the kernel can tell which pages a guest wrote to, only those are reset, and none is given back and faulted in
        // again for the next call
        .pagemap_scan(Enabled::Auto);
    pool
}

//! Limits of reading a configuration, all in one place. Reaching one is an error that says so.

/// Most source files.
pub const FILES_MAX: usize = 10_000;
/// Most bytes of all source files together.
pub const SOURCE_BYTES_MAX: usize = 256 << 20;
/// Most steps of one evaluation of the package.
pub const CUE_STEPS_MAX: u64 = 400_000_000;
/// Most values that evaluating the package makes: enough for some hundred thousand resources.
pub const CUE_VALUES_MAX: usize = 10_000_000;
/// Most resources.
pub const RESOURCES_MAX: usize = 500_000;
/// Most hosts.
pub const HOSTS_MAX: usize = 100_000;
/// Most hosts to go through to reach one.
pub const JUMPS_MAX: usize = 8;
/// Most diagnostics reported for one configuration.
pub const DIAGNOSTICS_MAX: usize = 100;
/// Longest text of a selector in bytes.
pub const SELECTOR_BYTES_MAX: usize = 4 << 10;

/// Most bytes of one Starlark script.
pub const SCRIPT_BYTES_MAX: usize = 128 << 10;
/// Most ticks (calls and turns of loops) of one script.
pub const SCRIPT_TICKS_MAX: u64 = 2_000_000;
/// Most bytes on the heap of one script. What a dictionary holds counts, its own table does not.
pub const SCRIPT_HEAP_BYTES_MAX: usize = 128 << 20;
/// Deepest nesting of calls in a script.
pub const SCRIPT_CALLS_MAX: usize = 200;
/// Deepest nesting of what a script yields.
pub const SCRIPT_RESULT_DEPTH_MAX: usize = 64;
/// Most values in what a script yields.
pub const SCRIPT_RESULT_VALUES_MAX: usize = 5_000_000;
/// Most words and operators that one expression of a script holds within each other.
pub const SCRIPT_NESTING_MAX: usize = 1_000;
/// Most `elif` of a script: each nests one deeper.
pub const SCRIPT_ELIF_MAX: usize = 500;
/// Stack of one script in bytes: enough for the deepest nesting.
pub(crate) const SCRIPT_STACK_BYTES: usize = 128 << 20;

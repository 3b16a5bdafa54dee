//! Limits of planning and applying, all in one place. Reaching one is an error that says so.

/// Most resource instances (a resource on a host) in one plan.
pub const INSTANCES_MAX: usize = 500_000;
/// Most dependencies of all instances together.
pub const DEPENDENCIES_MAX: usize = 4_000_000;
/// Most instances on other hosts that are remembered for one dependency. More of them do not order a later deletion.
pub const DEPENDS_ELSEWHERE_MAX: u32 = 64;
/// Longest resource id in bytes.
pub const RESOURCE_ID_BYTES_MAX: usize = 256;
/// Longest host name in bytes (RFC 1035, section 2.3.4).
pub const HOST_BYTES_MAX: usize = 253;
/// Longest name of a type, an attribute or a handler in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Most diagnostics reported for one configuration.
pub const DIAGNOSTICS_MAX: usize = 100;
/// Deepest nesting of an attribute's value.
pub const VALUE_DEPTH_MAX: usize = 64;
/// Largest plan file in bytes.
pub const FILE_BYTES_MAX: usize = 1 << 30;
/// Most changes of a plan that are named to whoever is asked to approve it; the counts are always exact.
pub const PROPOSED_NAMES_MAX: usize = 50;
/// Most lines of two texts together that are compared line by line; larger ones are shown as values.
pub const COMPARED_LINES_MAX: usize = 4_000;
/// Most bytes of two texts together that are compared so.
pub const COMPARED_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of a line that are shown of it.
pub const COMPARED_LINE_BYTES_MAX: usize = 4_000;
/// Most lines that differ and are shown of one attribute; the rest is counted.
pub const COMPARED_SHOWN_MAX: usize = 200;
/// Most that is compared of one plan, or for one page, in bytes, a line counting for 64 more. Some twenty of the largest texts.
pub const COMPARED_COST_MAX: usize = 8 * 1024 * 1024;
/// Most resources of a cycle that are named.
pub const CYCLE_NAMES_MAX: usize = 1_000;
/// Most things that moved that are named when a plan is stale; the rest is counted.
pub const MOVED_MAX: usize = 1_000;

/// Changes performed at the same time when nothing else is said. Many on purpose: those of one type on one host are sent
/// together, and a host's runner carries out only some of them at once.
pub const CONCURRENCY_DEFAULT: u32 = 512;
/// Most changes performed at the same time.
pub const CONCURRENCY_MAX: u32 = 1_000;
/// Most retries of one change.
pub const RETRIES_MAX: u32 = 20;
/// Longest pause before another attempt, in milliseconds, unless the other side asked for longer.
pub const RETRY_PAUSE_MILLIS_MAX: u64 = 60_000;
/// Longest pause another side may ask for, in milliseconds.
pub const RETRY_AFTER_MILLIS_MAX: u64 = 3_600_000;
/// Most records of skipped changes that are asked for at the same time.
pub const SKIPS_AT_ONCE: usize = 64;
/// Most names in each list of the report at the end; the counts are always exact.
pub const REPORT_NAMES_MAX: usize = 1_000;

//! Limits of reading a configuration, all in one place. Reaching one is an error that says so.

/// Most source files.
pub const FILES_MAX: usize = 10_000;
/// Most bytes of all source files together.
pub const SOURCE_BYTES_MAX: usize = 256 << 20;
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
/// Longest name of a secret in bytes.
pub const SECRET_NAME_BYTES_MAX: usize = 256;

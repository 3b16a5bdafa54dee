//! The limits of what a provider may ask and answer.

/// Rounds of questions about one list of resources.
pub const ROUNDS_MAX: usize = 8;
/// Rounds of operations for one list of changes. More than for looking: a change may look, do, and look again.
pub const APPLY_ROUNDS_MAX: usize = 16;
/// Queries or operations of one resource in one round.
pub const ASKED_MAX: usize = 64;
/// Resources in one call.
pub const RESOURCES_MAX: usize = 10_000;
/// A provider's schema document in bytes.
pub const SCHEMA_BYTES_MAX: usize = 1 << 20;
/// Types of one provider.
pub const TYPES_MAX: usize = 256;
/// Attributes of one type.
pub const ATTRIBUTES_MAX: usize = 256;
/// Findings about one resource that are kept.
pub const FINDINGS_MAX: usize = 100;
/// A text a provider writes for people, in bytes; the rest is cut.
pub const TEXT_BYTES_MAX: usize = 8 << 10;
/// How long one program may run, in seconds.
pub const RUN_TIMEOUT_S_MAX: u32 = 24 * 60 * 60;
/// How long one probe may take, in milliseconds.
pub const PROBE_TIMEOUT_MS_MAX: u32 = 5 * 60 * 1000;
/// A project's file whose text is handed to a provider, in bytes. Larger ones only go by reference.
pub const FILE_TEXT_BYTES_MAX: usize = 256 << 10;

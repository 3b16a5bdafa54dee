//! Every bound of this crate. What is over one is refused with a diagnostic, never cut in silence.

use jiff::SignedDuration;

/// Largest policy, access or test source, in bytes.
pub const SOURCE_BYTES: usize = 1 << 20;
/// Most sources in one set.
pub const SOURCES: usize = 256;
/// Most entries of any list in `policy.yaml` or `access.yaml`.
pub const ENTRIES: usize = 1_000;
/// Longest name or pattern, in bytes.
pub const NAME_BYTES: usize = 128;
/// Most patterns in one field of a match.
pub const PATTERNS: usize = 64;
/// Most levels of an approval chain.
pub const LEVELS: usize = 16;
/// Most grants one level may ask for.
pub const QUORUM: u32 = 100;
/// Most approval chains one action may need.
pub const CHAINS_PER_ACTION: usize = 16;
/// Largest limit of a quota.
pub const QUOTA_LIMIT: u64 = 1_000_000;
/// Longest sliding window of a quota.
pub const QUOTA_WINDOW: SignedDuration = SignedDuration::from_hours(24 * 366);
/// Longest key of a quota's counter, in bytes; a longer one is replaced by its digest.
pub const QUOTA_KEY_BYTES: usize = 100;
/// Most quotas that may apply to one action.
pub const QUOTAS_PER_ACTION: usize = 64;
/// How far ahead the opening of a change window is looked for.
pub const WINDOW_HORIZON_DAYS: i32 = 800;
/// Most openings and closings looked at in that search.
pub const WINDOW_BOUNDARIES: usize = 20_000;
/// Wall-clock time one evaluation of all Rego rules may take, in milliseconds.
pub const REGO_MILLISECONDS: u64 = 250;
/// Deepest nesting of brackets in a Rego file. The parser's work doubles with every level.
pub const REGO_NESTING: u32 = 12;
/// Longest chain of Rego rules and functions that use each other. Each takes room on the stack.
pub const REGO_CALL_DEPTH: usize = 32;
/// Most messages one Rego rule may yield.
pub const REGO_MESSAGES: usize = 100;
/// Longest message kept, in bytes.
pub const MESSAGE_BYTES: usize = 1_000;
/// Most test cases in one run of `aedile policy test`.
pub const TESTS: usize = 10_000;
/// Longest reason an approver may give, in bytes.
pub const REASON_BYTES: usize = 4_096;
/// Most people a refusal names as those to ask.
pub const NAMED_PEOPLE: usize = 3;

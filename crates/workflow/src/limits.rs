//! Limits of the workflow core, all in one place. Reaching one is an error that says so, never a hang.

/// Largest document in bytes.
pub const DOCUMENT_BYTES: usize = 1024 * 1024;
/// Deepest nesting of a document.
pub const DOCUMENT_DEPTH: usize = 64;
/// Most values in a document once aliases are expanded.
pub const DOCUMENT_NODES: usize = 200_000;
/// Most tasks in a document.
pub const DOCUMENT_TASKS: usize = 10_000;
/// Most diagnostics reported for one document.
pub const DIAGNOSTICS: usize = 100;

/// Longest jq expression in bytes.
pub const EXPRESSION_BYTES: usize = 16 * 1024;
/// Deepest nesting of brackets in a jq expression.
pub const EXPRESSION_NESTING: usize = 64;
/// Most tokens in a jq expression.
pub const EXPRESSION_TOKENS: usize = 2_000;
/// Most work of one evaluation, in units of about one step of the interpreter.
pub const EVALUATION_STEPS: u64 = 300_000;
/// Most stack of one evaluation in bytes; threads that evaluate need twice that.
pub const EVALUATION_STACK: usize = 768 * 1024;
/// Longest text made by one evaluation in bytes.
pub const EVALUATION_TEXT: usize = 8 * 1024 * 1024;
/// Most values in the result of one evaluation.
pub const EVALUATION_NODES: usize = 1_000_000;
/// Deepest nesting of a result.
pub const EVALUATION_DEPTH: usize = 256;

/// Most tasks one run may enter.
pub const RUN_TASKS: u64 = 1_000_000;
/// Deepest nesting of tasks and function calls in a run.
pub const RUN_DEPTH: usize = 200;
/// Most branches and listeners of one run at the same time.
pub const RUN_FRAMES: usize = 20_000;
/// Most tasks a run can go back to with retry-from-step.
pub const RUN_HISTORY: usize = 256;
/// Most compensations remembered by a run.
pub const RUN_COMPENSATIONS: usize = 10_000;
/// Most events one `listen` may gather.
pub const LISTEN_EVENTS: usize = 10_000;
/// Longest wait, delay or timeout: ten years, in seconds.
pub const DURATION_SECONDS: i64 = 10 * 366 * 24 * 3600;

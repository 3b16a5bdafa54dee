//! Every limit of the crate, in one place.

/// Largest source file, in bytes.
pub const SOURCE_BYTES: usize = 256 << 20;
/// Deepest nesting of the syntax tree.
pub const SYNTAX_DEPTH: usize = 1_000;
/// Deepest nesting of an evaluated value.
pub const VALUE_DEPTH: u32 = 400;
/// Deepest recursion of the evaluator: how many values may need one another before the first is known.
pub const EVAL_DEPTH: u32 = 40_000;
/// Default for [`crate::Limits::steps`].
pub const STEPS: u64 = 40_000_000;
/// Default for [`crate::Limits::nodes`].
pub const NODES: usize = 3_000_000;
/// Most disjuncts one value may have.
pub const DISJUNCTS: usize = 10_000;
/// Longest string or bytes value a builtin may make, in bytes.
pub const STRING_BYTES: usize = 64 << 20;
/// Longest list a builtin may make.
pub const LIST_LEN: usize = 1_000_000;
/// Most bits of an integer an operation may make.
pub const NUMBER_BITS: u64 = 1 << 20;
/// Most bytes that `@embed` reads for one source file.
pub const EMBED_BYTES: usize = 64 << 20;
/// Most files one `@embed(glob=...)` may match.
pub const EMBED_FILES: usize = 10_000;
/// Deepest nesting of a `text/template`, and most calls of its templates inside one another.
pub const TEMPLATE_DEPTH: usize = 200;
/// Most steps one `template.Execute` takes.
pub const TEMPLATE_STEPS: usize = 1_000_000;
/// Deepest nesting of `matchN`, `matchIf` and the like inside one another.
pub const CHECK_DEPTH: u32 = 6;
/// Stack left when a recursion asks for more.
pub(crate) const RED_ZONE: usize = 256 << 10;
/// Size of each further piece of stack.
pub(crate) const STACK_CHUNK: usize = 4 << 20;

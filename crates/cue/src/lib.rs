//! The CUE language in Rust: parser, evaluator, standard library.
pub(crate) mod builtin;
pub(crate) mod compile;
pub mod conformance;
pub(crate) mod data;
pub mod error;
pub(crate) mod eval;
pub mod limits;
pub mod load;
pub(crate) mod number;
pub(crate) mod program;
pub mod syntax;
pub(crate) mod value;

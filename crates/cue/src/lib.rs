//! The CUE language in Rust: parser, evaluator, standard library.
pub(crate) mod builtin;
pub(crate) mod compile;
pub mod conformance;
pub(crate) mod data;
pub mod error;
pub(crate) mod eval;
pub mod export;
pub mod fmt;
pub mod limits;
pub mod load;
pub(crate) mod number;
pub(crate) mod program;
mod session;
pub mod syntax;
pub mod tool;
pub(crate) mod value;

pub use data::Data;
pub use error::{Code, Error, Errors, Position};
pub use eval::Limits;
pub use number::Number;
pub use session::{Options, Value, ValueKind, compile, compile_package};

//! Source text to syntax tree: tokens, literals, the tree with positions and comments, the parser.

pub mod ast;
pub(crate) mod lexer;
pub(crate) mod literal;
pub(crate) mod parser;
mod text;
pub(crate) mod token;

pub use parser::parse;
pub use text::Text;

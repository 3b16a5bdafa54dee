//! The CUE language (<https://cuelang.org>) in Rust: parser, evaluator, standard library, exporters and
//! formatter, without a Go toolchain.
//!
//! For programs that take their configuration in CUE. It opens no files, draws on no clock and no network:
//! sources come as text, further files through a [`load::Loader`]. Every evaluation has limits
//! ([`Limits`]) and can be cancelled from another thread; no input makes it panic or run for ever.
//!
//! ```
//! let value = cue::compile("service.cue", r#"
//!     #Service: {name!: string, port: int & >0 | *8080}
//!     web: #Service & {name: "web"}
//! "#).unwrap();
//! let web = value.lookup("web").unwrap();
//! assert_eq!(web.to_json().unwrap(), r#"{"name":"web","port":8080}"#);
//!
//! let errors = cue::compile("bad.cue", "a: int\na: \"x\"").unwrap().validate(false).unwrap_err();
//! assert_eq!(errors.0[0].positions.len(), 2);
//! ```
//!
//! | part | state |
//! |---|---|
//! | lexical rules, literals, structs, lists, definitions, closedness, patterns, aliases, `let` | supported |
//! | unification, disjunctions and defaults, bounds, validators, comprehensions, cycles | supported |
//! | packages, imports within a module, vendored modules, `@if`, `@tag` (values of the machine are passed in), `@embed` | supported |
//! | registries, other `@extern`, tool files | refused or left out |
//! | `try`, `else`, postfix aliases, `self` | supported in part |
//! | packages `strings`, `strconv`, `list`, `struct`, `math`, `math/bits`, `regexp`, `net`, `net/url`, `path`, `time`, `uuid`, `html`, `encoding/{json,yaml,toml,csv,base64,hex}`, `crypto/{md5,sha1,sha256,sha512,hmac,ed25519}`, `text/{template,tabwriter}` | supported |
//! | packages `encoding/openapi`, `tool/...` | unknown: a compile error |

#![allow(clippy::format_push_string, reason = "the texts are short, and it reads as what it writes")]
#![allow(clippy::match_same_arms, reason = "tables of operators read better one line each")]
#![allow(clippy::single_match_else, reason = "the two cases are siblings")]
#![allow(clippy::many_single_char_names, reason = "numbers and nodes in arithmetic")]
#![allow(clippy::unnecessary_wraps, reason = "all builtins have one signature")]
#![allow(clippy::unused_self, reason = "methods of one subject stay methods of it")]
#![allow(clippy::case_sensitive_file_extension_comparisons, reason = "CUE file names are lower case")]
#![allow(clippy::option_option, reason = "a list tail is absent, untyped, or typed")]
#![allow(clippy::nonminimal_bool, reason = "the words of the grammar, as it lists them")]
#![allow(clippy::format_collect, reason = "short texts")]
#![allow(clippy::naive_bytecount, reason = "only for positions of errors")]
#![allow(clippy::cast_possible_wrap, reason = "digit counts are far below the range")]

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
mod located;
pub(crate) mod number;
pub(crate) mod program;
mod session;
pub mod syntax;
pub mod tool;
pub(crate) mod value;

pub use builtin::standard_packages;
pub use data::Data;
pub use error::{Code, Error, Errors, Position};
pub use eval::Limits;
pub use located::{Declaration, Located, LocatedData, Spot};
pub use number::Number;
pub use session::{Options, Value, ValueKind, compile, compile_package};

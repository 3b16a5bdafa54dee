//! What configurations are read as, and what is said about those that are wrong.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; a skipped one says why")]
#![allow(clippy::case_sensitive_file_extension_comparisons, reason = "CUE file names are lower case")]
#![allow(clippy::format_push_string, clippy::format_collect, reason = "short texts")]

mod documentation;
mod environments;
mod explain;
mod facts;
mod forms;
mod helpers;
mod mistakes;
mod schema;
mod seeds;

//! Tests of the public interface. Names with a number hold that fact of the acceptance list.

#![allow(clippy::unwrap_used, reason = "what cannot fail in a test's helper fails the test")]
#![allow(clippy::needless_for_each, reason = "short helpers read better in one line")]

mod access;
mod approvals;
mod decisions;
mod documents;
mod examples_in_docs;
mod origin;
mod plans;
mod rego;
mod replay;
mod schemas;
mod support;
mod testing;
mod windows;

//! Tests of the public interface. Names with a number hold that fact of the acceptance list.

mod approvals;
mod decisions;
mod documents;
mod support;

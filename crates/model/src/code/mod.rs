//! Stable error codes. Each has a page `docs/errors/E0101.md`, which `aedile explain E0101` shows and
//! `cargo xtask tidy` insists on.
//!
//! Codes are grouped by area, one file each: E00 general, E01 journal and store, E02 policy and approvals,
//! E03 workflow documents, E04 runs, E05 sandbox, E06 calls and the host, E07 CUE,
//! E08 plans, E09 targets, E10 configurations, E11 providers, E12 the server. A code is never reused.

use std::fmt;

/// How a command that ends with this error exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 1: it failed, or the answer is no.
    Failed,
    /// 2: used wrongly, or bad input.
    Usage,
    /// 4: waiting for approval.
    Waiting,
    /// 5: denied by policy.
    Denied,
    /// 6: verification failed.
    Unverified,
    /// 70: a bug in Aedile.
    Internal,
}

impl Exit {
    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Waiting => 4,
            Self::Denied => 5,
            Self::Unverified => 6,
            Self::Internal => 70,
        }
    }
}

/// One stable error code.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `E` and four digits.
    pub id: &'static str,
    /// What it means, one line without a full stop.
    pub title: &'static str,
    /// How a command that ends with it exits.
    pub exit: Exit,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

/// An error that has a stable code.
pub trait Coded: std::error::Error {
    /// The code.
    fn code(&self) -> &'static Code;

    /// What to do about it: a command that can be pasted, where there is one.
    fn hint(&self) -> Option<String> {
        None
    }

    /// What is wrong in documents, each at its place, where that is why.
    fn findings(&self) -> &[crate::Diagnostic] {
        &[]
    }
}

macro_rules! codes {
    ($($name:ident = $id:literal, $exit:ident, $title:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: &$crate::code::Code =
                &$crate::code::Code { id: $id, title: $title, exit: $crate::code::Exit::$exit };
        )*
        /// Every code of this area.
        pub const ALL: &[&$crate::code::Code] = &[$($name),*];
    };
}

pub mod config;
pub mod cue;
pub mod general;
pub mod host;
pub mod journal;
pub mod plan;
pub mod policy;
pub mod provider;
pub mod remote;
pub mod run;
pub mod sandbox;
pub mod server;
pub mod workflow;

/// Every code there is.
pub fn all() -> impl Iterator<Item = &'static Code> {
    [
        general::ALL,
        journal::ALL,
        policy::ALL,
        workflow::ALL,
        run::ALL,
        sandbox::ALL,
        host::ALL,
        cue::ALL,
        plan::ALL,
        remote::ALL,
        config::ALL,
        provider::ALL,
        server::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_unique_and_well_formed() {
        let mut seen = std::collections::BTreeSet::new();
        for code in super::all() {
            assert!(code.id.len() == 5 && code.id.starts_with('E'), "{code}");
            assert!(code.id[1..].bytes().all(|b| b.is_ascii_digit()), "{code}");
            assert!(seen.insert(code.id), "{code} is used twice");
            assert!(!code.title.ends_with('.'), "{code}");
        }
    }
}

//! The two seams: [`Provider`], which knows, and [`Target`], which does.

use std::future::Future;
use std::pin::Pin;

use crate::ProviderError;
use crate::exchange::{Answer, Application, Attributes, Change, Finding, Inspection, Op, Query, Question};

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Knows types of resources: what they look like, how to tell what is, and what has to be done.
///
/// Contract:
/// - Every function is a pure transform: the same arguments give the same answer, nothing is remembered between calls,
///   nothing outside is seen or changed. That is how a plan can be made by code nobody trusts.
/// - Answers have the length and the order of what was asked. Whoever calls checks it ([`crate::inspect`] and
///   [`crate::apply`] do).
/// - `inspect` reports what is, also where it differs from the configuration; what it reports for an attribute that is
///   as declared is the declared value.
/// - `apply` after `inspect` leaves the resource so that another `inspect` finds no difference; applied again it changes
///   nothing and says so.
/// - What a type asks for is below what its schema declares.
///
/// [`crate::conformance`] holds a provider to the last three.
pub trait Provider: Send + Sync {
    /// The name for messages.
    fn name(&self) -> &str;
    /// The schema document.
    fn schema(&self) -> BoxFuture<'_, Result<String, ProviderError>>;
    /// What is wrong with each configuration beyond what the schema says.
    fn validate<'a>(
        &'a self,
        kind: &'a str,
        configs: &'a [Attributes],
    ) -> BoxFuture<'a, Result<Vec<Vec<Finding>>, ProviderError>>;
    /// What each resource is, or what has to be known first.
    fn inspect<'a>(
        &'a self,
        kind: &'a str,
        resources: &'a [Question],
        answers: &'a [Answer],
    ) -> BoxFuture<'a, Result<Vec<Inspection>, ProviderError>>;
    /// What has to be done for each change, or what became of it.
    fn apply<'a>(
        &'a self,
        kind: &'a str,
        changes: &'a [Change],
        answers: &'a [Answer],
    ) -> BoxFuture<'a, Result<Vec<Application>, ProviderError>>;
    /// The configuration that names what an id names, or why there is none.
    fn import<'a>(
        &'a self,
        kind: &'a str,
        ids: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Result<Attributes, String>>, ProviderError>>;
}

/// Carries out what providers ask for.
///
/// Contract: queries change nothing. The operations of one list are carried out in order, whatever becomes of each;
/// different lists may be carried out at the same time. Every query and operation has its answer, and one that could
/// not be carried out has a fault. An error means that the target as a whole cannot be reached or was lost; nothing is
/// repeated by itself.
pub trait Target: Send + Sync {
    /// Finds things out, in as few round trips as possible.
    fn ask<'a>(&'a self, queries: &'a [Query]) -> BoxFuture<'a, Result<Vec<Answer>, ProviderError>>;
    /// Does things.
    fn carry_out<'a>(
        &'a self,
        lists: &'a [Vec<Op>],
    ) -> BoxFuture<'a, Result<Vec<Vec<Answer>>, ProviderError>>;
}

/// Reads the project's files for [`crate::exchange::Content::File`].
///
/// Contract: what is read has the digest that was asked for, or reading ends with an error. Reading may block.
pub trait Files: Send + Sync {
    /// Opens the file with this SHA-256 (lower-case hexadecimal digits): its size in bytes, and its content.
    fn open(&self, sha256: &str) -> std::io::Result<(u64, Box<dyn std::io::Read + Send>)>;
}

/// Carries out probes, from where Aedile runs.
///
/// Contract: redirects are not followed, nothing is retried, and every probe ends within its own time limit. What
/// cannot be reached is [`Answer::Fault`] with the code `unreachable`, or `timeout`.
pub trait Probes: Send + Sync {
    /// Tries to connect.
    fn tcp<'a>(&'a self, host: &'a str, port: u16, timeout: std::time::Duration) -> BoxFuture<'a, Answer>;
    /// Sends a request: [`Query::Http`].
    fn http<'a>(&'a self, probe: &'a Query) -> BoxFuture<'a, Answer>;
}

/// No files and no probes: every one of them is a fault.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Files for Nothing {
    fn open(&self, sha256: &str) -> std::io::Result<(u64, Box<dyn std::io::Read + Send>)> {
        let why = format!("there is no project file with SHA-256 {sha256}");
        Err(std::io::Error::new(std::io::ErrorKind::NotFound, why))
    }
}

fn not_offered() -> Answer {
    let message = "probes are not offered here".to_owned();
    Answer::Fault(crate::exchange::Fault { code: "not_granted".to_owned(), message })
}

impl Probes for Nothing {
    fn tcp<'a>(&'a self, _: &'a str, _: u16, _: std::time::Duration) -> BoxFuture<'a, Answer> {
        Box::pin(async { not_offered() })
    }

    fn http<'a>(&'a self, _: &'a Query) -> BoxFuture<'a, Answer> {
        Box::pin(async { not_offered() })
    }
}

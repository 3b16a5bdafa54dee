//! What the interface does, one module for each kind of thing.

pub mod about;
pub mod approvals;
pub mod identity;
pub mod journal;
pub mod login;
pub mod policy;
pub mod projects;
pub mod runs;
pub mod workflows;

use model::RunId;
use store::RunRow;
use utoipa::IntoParams;

use crate::bench::Bench;
use crate::problem::Answer;
use crate::{Problem, limits};

/// The environment, in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it only describes the path; `At` reads it")]
pub(crate) struct InEnvironment {
    /// Name of the project.
    project: String,
    /// Name of the environment.
    environment: String,
}

/// How a request can fail, whichever it is.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it only describes answers")]
pub(crate) enum Refusals {
    /// The request is not well-formed.
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(api::Problem),
    /// Nobody is signed in.
    #[response(status = 401, content_type = "application/problem+json")]
    NotSignedIn(api::Problem),
    /// The caller may not do that, or policy denies it.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(api::Problem),
    /// There is no such thing, or the caller may not know of it.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(api::Problem),
    /// That version of the interface is not spoken.
    #[response(status = 406, content_type = "application/problem+json")]
    Version(api::Problem),
    /// The thing is not in a state that allows it; `state` says in which it is.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(api::Problem),
    /// The body is larger than the limit.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(api::Problem),
    /// The body is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(api::Problem),
    /// The body is well-formed and wrong; `findings` say where.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(api::Problem),
    /// More requests than one caller may make.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(api::Problem),
    /// The server did something it never should.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(api::Problem),
    /// The server has too much to do, or its disk is full.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(api::Problem),
}

/// How many items a page has.
pub(crate) fn page_size(limit: Option<u32>, default: u32) -> Answer<usize> {
    let limit = limit.unwrap_or(default);
    if (1..=limits::PAGE_MAX).contains(&limit) {
        return Ok(limit as usize);
    }
    Err(Problem::bad(format!("limit is {limit}; it has to be from 1 to {}", limits::PAGE_MAX)))
}

/// Where a page begins.
pub(crate) fn cursor(cursor: Option<&str>) -> Answer<Option<u64>> {
    let read = |text: &str| {
        text.parse::<u64>()
            .ok()
            .filter(|position| i64::try_from(*position).is_ok())
            .ok_or_else(|| Problem::bad(format!("cursor `{text}` is none that a page named as `next`")))
    };
    cursor.map(read).transpose()
}

/// Words of a list that is separated by commas, each one of those that are known.
pub(crate) fn words<T: Copy>(name: &str, text: Option<&str>, known: &[(&'static str, T)]) -> Answer<Vec<T>> {
    let wanted = text.unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
    wanted
        .map(|word| {
            known.iter().find(|(one, _)| *one == word).map(|(_, value)| *value).ok_or_else(|| {
                let all: Vec<&str> = known.iter().map(|(one, _)| *one).collect();
                Problem::bad(format!("{name} `{word}` is none of {}", all.join(", ")))
            })
        })
        .collect()
}

/// A run by its whole id.
pub(crate) fn run(bench: &Bench, id: &str) -> Answer<RunRow> {
    let unknown = || Problem::not_found(format!("there is no run {id}")).with_hint("aedile runs list");
    let run: RunId = id.parse().map_err(|_| unknown())?;
    bench.workshop.journal.run(run)?.ok_or_else(unknown)
}

/// Has something done that takes its time, where it does not keep others waiting.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> Answer<T> + Send + 'static) -> Answer<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Problem::internal(format!("the work ended badly: {error}"))))
}

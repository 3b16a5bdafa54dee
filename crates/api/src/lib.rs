//! The contract of Aedile's HTTP interface: what goes over the wire, and (feature `client`) a client.
//!
//! For the server, which answers with these types and makes `openapi/aedile.json` of them, and for programs that ask it. It holds
//! no rule, knows no handler and depends on nothing of Aedile's but its words: a wire type is not a domain type, so that either
//! can change without the other. Members are only ever added; unknown ones are ignored by readers.
//!
//! Ids, digests, principals and environments go as texts, moments as RFC 3339 in UTC with milliseconds, durations as whole
//! milliseconds in members whose names end in `Ms`.
//!
//! ```
//! let problem: api::Problem = serde_json::from_str(
//!     r#"{"type": "about:blank", "title": "nothing is known by that name", "status": 404, "code": "E0008",
//!         "detail": "there is no run run_1"}"#,
//! )?;
//! assert_eq!(problem.code.as_deref(), Some("E0008"));
//! assert!(problem.findings.is_empty());
//! # Ok::<(), serde_json::Error>(())
//! ```

mod approvals;
#[cfg(feature = "client")]
pub mod client;
mod identity;
mod journal;
mod policy;
mod problem;
mod projects;
mod runs;
mod schedules;
mod workflows;

pub use approvals::*;
pub use identity::*;
pub use journal::*;
pub use policy::*;
pub use problem::{Finding, MEDIA_TYPE, Problem};
pub use projects::*;
pub use runs::*;
pub use schedules::*;
pub use workflows::*;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The one version of the interface there is. Requests may name it in [`VERSION_HEADER`]; every answer does.
pub const VERSION: &str = "1";

/// Names the version of the interface, in requests and answers.
pub const VERSION_HEADER: &str = "aedile-api-version";

/// Names one request, in answers and in the server's log. A client may bring its own: 1 to 64 letters, digits, `-` and `_`.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// The submitter's own key of a run: the same key answers the same run.
pub const IDEMPOTENCY_HEADER: &str = "idempotency-key";

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items, newest first unless said otherwise.
    pub items: Vec<T>,
    /// Pass this as `cursor` to get the next page. Absent: there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
    /// Position of the journal's last record when the page was made: where to begin to listen for what is newer.
    pub position: u64,
}

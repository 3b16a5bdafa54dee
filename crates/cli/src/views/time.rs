//! Moments for people. `--json` always has RFC 3339 in UTC instead.

use model::Timestamp;
pub use model::time::{clock, duration, relative};

/// A moment that was written down (RFC 3339) as seen from `now`; what is no moment as it is.
pub fn since(at: &str, now: Timestamp) -> String {
    at.parse().map_or_else(|_| super::table::plain(at), |at| relative(at, now))
}
